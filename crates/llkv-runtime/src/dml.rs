//! INSERT, UPDATE, DELETE: a source of batches, checked and staged.

use crate::checks::RowChecks;
use crate::row_values::Returned;
use crate::transaction::Transaction;
use crate::{RuntimeSession, query, upsert};
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
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
    let columns = insert.source.columns();
    let checks = RowChecks::new(&insert.checks, &columns, &insert.table_name)?;
    let mut returned = Returned::new(insert.returning.as_ref())?;
    let mut rows = 0;
    if let Some(upsert) = &insert.upsert {
        let mut batches = Vec::new();
        for_each_batch(session, transaction, insert.source, |_, batch| {
            checks.check(&batch)?;
            batches.push(batch);
            Ok(())
        })?;
        if let Some(first) = batches.first() {
            let all = concat_batches(&first.schema(), &batches)?;
            let source = (columns.as_slice(), all);
            rows = upsert::upsert(transaction, &table, upsert, source, &mut returned)?;
        }
    } else {
        let on_conflict = on_conflict(insert.on_conflict);
        for_each_batch(session, transaction, insert.source, |transaction, batch| {
            checks.check(&batch)?;
            let appended = transaction.append(&table, batch.clone(), on_conflict)?;
            rows += appended.rows;
            returned.add(&batch, appended.kept.as_ref())
        })?;
    }
    Ok(returned.or(if insert.is_copy {
        StatementResult::Copy { rows }
    } else {
        StatementResult::Insert { rows }
    }))
}

fn on_conflict(action: ConflictAction) -> OnConflict {
    match action {
        ConflictAction::Error => OnConflict::Error,
        ConflictAction::Ignore => OnConflict::Ignore,
        ConflictAction::Replace => OnConflict::Replace,
    }
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
            .keys()
            .iter()
            .any(|key| key.meta().fields.contains(field))
    };
    let changes_key = update.changed.iter().any(of_key);
    let mut old = RoaringTreemap::new();
    let mut rows_with_new_keys = Vec::new();
    let mut returned = Returned::new(update.returning.as_ref())?;
    let on_conflict = on_conflict(update.on_conflict);
    for_each_batch(session, transaction, update.source, |transaction, batch| {
        checks.check(&batch)?;
        let batch = take_row_ids(&batch, &mut old)?;
        returned.add(&batch, None)?;
        if changes_key {
            // Keys are unique after the statement, not after each of its rows.
            rows_with_new_keys.push(batch);
            return Ok(());
        }
        transaction.append_versions(&table, batch)
    })?;
    let rows = transaction.delete(&table, &old)?;
    for batch in rows_with_new_keys {
        transaction.append(&table, batch, on_conflict)?;
    }
    Ok(returned.or(StatementResult::Update { rows }))
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
    let mut returned = Returned::new(delete.returning.as_ref())?;
    for_each_batch(session, transaction, delete.source, |_, batch| {
        returned.add(&take_row_ids(&batch, &mut old)?, None)
    })?;
    let rows = transaction.delete(&table, &old)?;
    Ok(returned.or(StatementResult::Delete { rows }))
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
