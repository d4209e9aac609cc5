//! INSERT, UPDATE, DELETE: a source of batches, checked and staged.

use crate::checks::RowChecks;
use crate::transaction::Transaction;
use crate::{RuntimeSession, query};
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::UInt64Type;
use llkv_plan::{ConflictAction, Delete, Insert, LogicalPlan, Update};
use llkv_result::{Error, Result, StatementResult};
use llkv_table::{OnConflict, Table};
use roaring::RoaringTreemap;
use std::sync::Arc;

/// INSERT and COPY FROM.
pub(crate) fn insert(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    insert: Insert,
) -> Result<StatementResult> {
    transaction.check_writable(if insert.is_copy { "COPY" } else { "INSERT" })?;
    let table = transaction.table(insert.table, &insert.table_name)?;
    let checks = RowChecks::new(&insert.checks, &insert.source.columns(), &insert.table_name)?;
    let on_conflict = match insert.on_conflict {
        ConflictAction::Error => OnConflict::Error,
        ConflictAction::Ignore => OnConflict::Ignore,
        ConflictAction::Replace => OnConflict::Replace,
    };
    let mut rows = 0;
    for_each_batch(session, transaction, insert.source, |transaction, batch| {
        checks.check(&batch)?;
        rows += transaction.append(&table, batch, on_conflict)?.rows;
        Ok(())
    })?;
    Ok(if insert.is_copy {
        StatementResult::Copy { rows }
    } else {
        StatementResult::Insert { rows }
    })
}

/// Calls `each` with the batches of a plan. Constant rows need no operator.
pub(crate) fn for_each_batch(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    source: LogicalPlan,
    mut each: impl FnMut(&mut Transaction, RecordBatch) -> Result<()>,
) -> Result<()> {
    if let LogicalPlan::Values(values) = source {
        return values
            .batches
            .into_iter()
            .try_for_each(|b| each(transaction, b));
    }
    let mut execution = query::execute(session, transaction, source)?;
    while let Some(batch) = execution.next_batch()? {
        each(transaction, batch)?;
    }
    Ok(())
}

/// UPDATE: old versions go, new ones come.
pub(crate) fn update(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    update: Update,
) -> Result<StatementResult> {
    transaction.check_writable("UPDATE")?;
    let table = transaction.table(update.table, &update.table_name)?;
    let columns = update.source.columns();
    let checks = RowChecks::new(&update.checks, &columns, &update.table_name)?;
    let of_key = |field| {
        table
            .meta()
            .keys
            .iter()
            .any(|key| key.fields.contains(field))
    };
    let changes_key = update.changed.iter().any(of_key);
    let mut old = RoaringTreemap::new();
    let mut rows_with_new_keys = Vec::new();
    for_each_batch(session, transaction, update.source, |transaction, batch| {
        checks.check(&batch)?;
        let batch = take_row_ids(&batch, &mut old)?;
        if changes_key {
            // Keys are unique after the statement, not after each of its rows.
            rows_with_new_keys.push(batch);
            return Ok(());
        }
        transaction.append_versions(&table, batch)
    })?;
    let rows = transaction.delete(&table, &old)?;
    for batch in rows_with_new_keys {
        transaction.append(&table, batch, OnConflict::Error)?;
    }
    Ok(StatementResult::Update { rows })
}

/// DELETE.
pub(crate) fn delete(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    delete: Delete,
) -> Result<StatementResult> {
    transaction.check_writable("DELETE")?;
    let table: Arc<Table> = transaction.table(delete.table, &delete.table_name)?;
    let mut old = RoaringTreemap::new();
    for_each_batch(session, transaction, delete.source, |_, batch| {
        take_row_ids(&batch, &mut old).map(drop)
    })?;
    let rows = transaction.delete(&table, &old)?;
    Ok(StatementResult::Delete { rows })
}

/// Adds the row ids of the first column to `seen` and gives back the other columns, without the rows
/// whose id was seen before: a join may find a row more than once.
fn take_row_ids(batch: &RecordBatch, seen: &mut RoaringTreemap) -> Result<RecordBatch> {
    let row_ids = batch
        .columns()
        .first()
        .and_then(|c| c.as_primitive_opt::<UInt64Type>());
    let row_ids = row_ids.ok_or_else(|| Error::internal("a changed row without a row id"))?;
    let rest: Vec<usize> = (1..batch.num_columns()).collect();
    let rows = batch.project(&rest)?;
    let fresh: Vec<bool> = (0..row_ids.len())
        .map(|row| row_ids.is_valid(row) && seen.insert(row_ids.value(row)))
        .collect();
    if fresh.contains(&false) {
        return Ok(filter_record_batch(&rows, &BooleanArray::from(fresh))?);
    }
    Ok(rows)
}
