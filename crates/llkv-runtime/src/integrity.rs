//! The integrity check: bytes against checksums, columns against statistics and indexes, rows against the
//! catalog and its constraints.

use crate::context::RuntimeContext;
use llkv_result::Result;
use llkv_table::{CatalogObject, ScanRequest, Table, TableHandle};
use llkv_types::{CancelToken, FieldId, TableId};
use std::sync::Arc;

/// Reads everything and gives back what is wrong, a sentence each; nothing where all is well. Committed
/// rows are looked at as one snapshot sees them.
///
/// # Errors
/// When the catalog cannot be read, and when it was cancelled; damage below it is a finding.
pub(crate) fn check(context: &RuntimeContext, cancel: &CancelToken) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    if let Err(error) = context.store.pager().check(cancel) {
        cancel.check()?;
        findings.push(error.to_string());
    }
    findings.extend(context.store.verify(cancel)?);
    let (snapshot, catalog) = context.begin();
    let snapshot_id = snapshot.snapshot().snapshot_id;
    for object in catalog.objects() {
        let CatalogObject::Table(table) = object else {
            continue;
        };
        if let Err(error) = check_table(context, table, snapshot_id, cancel, &mut findings) {
            cancel.check()?;
            findings.push(format!("table \"{}\": {error}", table.meta().name));
        }
    }
    for id in context.store.tables() {
        let is_known = id == TableId::CATALOG || catalog.table(id).is_some();
        if !is_known && is_unowned(context, id, snapshot_id) {
            findings.push(format!("table {id} is stored but not in the catalog"));
        }
    }
    Ok(findings)
}

/// True for a table that lives on though nothing names it. One that cannot be read was found before.
fn is_unowned(context: &RuntimeContext, id: TableId, snapshot_id: u64) -> bool {
    let version = context.store.table(id).ok().flatten();
    version.is_some_and(|version| {
        let dropped = version.dropped_by();
        dropped.is_none_or(|by| by > snapshot_id)
    })
}

fn check_table(
    context: &RuntimeContext,
    table: &Arc<Table>,
    snapshot_id: u64,
    cancel: &CancelToken,
    findings: &mut Vec<String>,
) -> Result<()> {
    let meta = table.meta();
    let Some(version) = context.store.table(table.id())? else {
        findings.push(format!(
            "table \"{}\" is in the catalog but not stored",
            meta.name
        ));
        return Ok(());
    };
    if version.layout() != meta.layout() {
        findings.push(format!(
            "table \"{}\" is stored with other columns than the catalog names",
            meta.name
        ));
        return Ok(());
    }
    let handle = table.at(version, snapshot_id)?;
    for column in meta.columns.iter().filter(|column| !column.nullable) {
        let nulls = count_nulls(&handle, column.field, cancel)?;
        if nulls > 0 {
            findings.push(format!(
                "table \"{}\", column \"{}\": {nulls} NULLs in a NOT NULL column",
                meta.name, column.name
            ));
        }
    }
    for key in table.keys() {
        if let Err(error) = key.check_rows(&meta.name, &handle, &context.memory, cancel) {
            cancel.check()?;
            findings.push(format!("table \"{}\": {error}", meta.name));
        }
    }
    Ok(())
}

fn count_nulls(handle: &TableHandle, field: FieldId, cancel: &CancelToken) -> Result<usize> {
    let scan = handle.scan_stream(&ScanRequest::new(vec![field]))?;
    let mut nulls = 0;
    scan.for_each_batch(|batch| {
        cancel.check()?;
        let columns = batch.columns().iter();
        nulls += columns.map(|column| column.null_count()).sum::<usize>();
        Ok(())
    })?;
    Ok(nulls)
}
