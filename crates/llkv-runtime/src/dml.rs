//! INSERT, UPDATE, DELETE: a source of batches, checked and staged.

use crate::checks::RowChecks;
use crate::foreign_keys::ForeignKeys;
use crate::row_by_row;
use crate::row_values::{Returned, prepare};
use crate::row_walk::on_conflict;
use crate::transaction::Transaction;
use crate::upsert::{UpsertStatement, WaitingRows};
use crate::{RuntimeSession, query};
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, UInt64Array};
use arrow::buffer::ScalarBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::UInt64Type;
use llkv_compute::PreparedExpr;
use llkv_executor::{KeptRows, NoTables};
use llkv_plan::{ConflictAction, Delete, Insert, LogicalPlan, PlanColumn, Update, Upsert};
use llkv_result::{ConstraintError, Error, Result, StatementResult};
use llkv_table::Table;
use llkv_types::RowId;
use roaring::{RoaringBitmap, RoaringTreemap};
use std::sync::Arc;

/// INSERT and COPY FROM.
pub(crate) fn insert(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    insert: Insert,
) -> Result<StatementResult> {
    transaction.check_writable(if insert.is_copy { "COPY" } else { "INSERT" })?;
    let policy = session.firing.policy_over(insert.on_conflict);
    let mut returned = Returned::new(insert.returning.as_ref(), session, transaction)?;
    let is_copy = insert.is_copy;
    let one_by_one = insert.triggers.is_some()
        || policy == ConflictAction::Fail
        || returned.wants_single_rows()
        || match &insert.upsert {
            Some(upsert) if has_subqueries(upsert) => true,
            Some(_) if session.firing.is_walked(insert.table) => true,
            Some(upsert) if upsert.in_order => {
                let table = transaction.table(insert.table, &insert.table_name)?;
                changes_keys(upsert, &table)
            }
            _ => false,
        };
    let rows = match one_by_one {
        true => row_by_row::insert(session, transaction, insert, policy, &mut returned)?,
        false => insert_in_bulk(session, transaction, insert, policy, &mut returned)?,
    };
    returned.run_queries(session, transaction)?;
    session.known.count(rows, returned.is_wanted());
    Ok(returned.or(match is_copy {
        true => StatementResult::Copy { rows },
        false => StatementResult::Insert { rows },
    }))
}

fn insert_in_bulk(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    insert: Insert,
    policy: ConflictAction,
    returned: &mut Returned,
) -> Result<u64> {
    let table = transaction.table(insert.table, &insert.table_name)?;
    let columns = insert.source.columns();
    let checks = RowChecks::new(&insert.checks, &columns, &insert.table_name)?;
    let numbering = Numbering::new(&insert, &columns)?;
    let settings = &session.settings;
    let mut keys = ForeignKeys::of(transaction, &table, &insert.cascades, None, settings);
    let mut rows = 0;
    if let Some(upsert) = &insert.upsert {
        let mut waiting = WaitingRows::new(&session.context.memory);
        let mut statement = UpsertStatement::new(transaction, &table, upsert, &columns)?;
        let mut each = |transaction: &mut Transaction, rows: Option<RecordBatch>| {
            let Some(rows) = rows else { return Ok(()) };
            let rows = numbering.number(transaction, &table, rows)?;
            let of_row = (numbering.key, &mut *returned, &mut keys);
            statement.add(transaction, &rows, of_row)
        };
        for_each_batch(session, transaction, insert.source, |transaction, batch| {
            checks.check(&batch)?;
            each(transaction, waiting.push(batch)?)
        })?;
        each(transaction, waiting.take()?)?;
        rows = statement.rows();
        keys.finish(transaction)?;
        return Ok(rows);
    }
    let mut each = |transaction: &mut Transaction, batch: RecordBatch| {
        let batch = numbering.number(transaction, &table, batch)?;
        let batch = match policy {
            ConflictAction::Skip => without_refused(&table, &checks, batch)?,
            _ => {
                checks.check(&batch)?;
                batch
            }
        };
        let appended = transaction.append(&table, batch.clone(), on_conflict(policy))?;
        transaction.note_row_id(&table, numbering.key, &batch, appended.kept.as_ref());
        keys.deleted(transaction, &appended.replaced)?;
        keys.inserted(transaction, &batch, appended.kept.as_ref())?;
        if policy == ConflictAction::Replace {
            // Every row came, though a later one may have taken its place.
            rows += batch.num_rows() as u64;
            return returned.add(&batch, None);
        }
        rows += appended.rows;
        returned.add(&batch, appended.kept.as_ref())
    };
    let written = transaction.in_bulk(&table, |transaction| {
        for_each_batch(session, transaction, insert.source, &mut each)
    });
    if let Err(error) = &written
        && speaks_of_rows(error)
    {
        transaction.fail_by(policy);
    }
    written?;
    keys.finish(transaction)?;
    Ok(rows)
}

/// True for errors about which `OR ...` has a word: those of foreign keys are not among them, as in SQLite.
pub(crate) fn speaks_of_rows(error: &Error) -> bool {
    !matches!(error, Error::Constraint(ConstraintError::ForeignKey { .. }))
        && matches!(error, Error::Constraint(_))
}

/// The numbers that a table gives the rows of a statement, and what is computed of them.
pub(crate) struct Numbering {
    pub(crate) key: Option<usize>,
    generated: Vec<(usize, PreparedExpr)>,
}

impl Numbering {
    /// `columns`: those of the rows.
    pub(crate) fn new(insert: &Insert, columns: &[PlanColumn]) -> Result<Self> {
        let generated = insert.generated_with_key.iter();
        let generated = generated.map(|(at, value)| Ok((*at, prepare(value, columns)?)));
        Ok(Self {
            key: insert.numbered_key,
            generated: generated.collect::<Result<_>>()?,
        })
    }

    /// The rows, with numbers where the table gives them.
    pub(crate) fn number(
        &self,
        transaction: &mut Transaction,
        table: &Arc<Table>,
        rows: RecordBatch,
    ) -> Result<RecordBatch> {
        let Some(key) = self.key else {
            return Ok(rows);
        };
        let rows = transaction.number_rows(table, key, rows)?;
        if self.generated.is_empty() {
            return Ok(rows);
        }
        let mut columns = rows.columns().to_vec();
        for (at, value) in &self.generated {
            if let Some(slot) = columns.get_mut(*at) {
                *slot = value.evaluate(&rows)?;
            }
        }
        Ok(RecordBatch::try_new(rows.schema(), columns)?)
    }
}

/// OR IGNORE: the rows that NOT NULL and CHECK let pass.
fn without_refused(
    table: &Table,
    checks: &RowChecks<'_>,
    batch: RecordBatch,
) -> Result<RecordBatch> {
    let mut refused = checks.refused(&batch)?;
    for (column, values) in table.schema().columns.iter().zip(batch.columns()) {
        if !column.nullable && values.logical_null_count() > 0 {
            let is_null = arrow::compute::is_null(values)?;
            refused = Some(match refused {
                Some(refused) => arrow::compute::or(&refused, &is_null)?,
                None => is_null,
            });
        }
    }
    match refused {
        None => Ok(batch),
        Some(refused) => {
            let passed = arrow::compute::not(&refused)?;
            Ok(filter_record_batch(&batch, &passed)?)
        }
    }
}

/// DO UPDATE with subqueries, which run for each row.
fn has_subqueries(upsert: &Upsert) -> bool {
    let update = upsert.update.as_ref();
    update.is_some_and(|update| update.query.is_some())
}

/// DO UPDATE that gives rows other keys: later rows of the statement may meet them.
fn changes_keys(upsert: &Upsert, table: &Table) -> bool {
    let Some(update) = &upsert.update else {
        return false;
    };
    let is_key = |at: &usize| table.keys().iter().any(|key| key.columns().contains(at));
    let mut columns = update.columns.iter().zip(&update.existing).enumerate();
    columns.any(|(at, (new, old))| {
        let keeps = matches!(&new.expr, llkv_expr::Expr::Column { id, .. } if *id == old.id);
        !keeps && is_key(&at)
    })
}

/// Calls `each` with the batches of an optimized plan. Constant rows need no operator.
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
    let mut execution = query::execute_optimized(session, transaction, source)?;
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
    let mut returned = Returned::new(update.returning.as_ref(), session, transaction)?;
    let policy = session.firing.policy_over(update.on_conflict);
    let one_by_one = update.triggers.is_some()
        || returned.wants_single_rows()
        || !matches!(policy, ConflictAction::Error | ConflictAction::Rollback)
        || session.firing.is_walked(update.table);
    let rows = match one_by_one {
        true => row_by_row::update(session, transaction, update, policy, &mut returned)?,
        false => {
            let updated = update_in_bulk(session, transaction, update, &mut returned);
            if let Err(error) = &updated
                && speaks_of_rows(error)
            {
                transaction.fail_by(policy);
            }
            updated?
        }
    };
    returned.run_queries(session, transaction)?;
    session.known.count(rows, returned.is_wanted());
    Ok(returned.or(StatementResult::Update { rows }))
}

fn update_in_bulk(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    update: Update,
    returned: &mut Returned,
) -> Result<u64> {
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
    let width = table.schema().columns.len();
    let mut old = RoaringTreemap::new();
    let context = query::context_of(session, Arc::new(NoTables));
    let mut rows_with_new_keys = KeptRows::new(&context, "UPDATE of a key");
    let changed = Some(update.changed.as_slice());
    let settings = &session.settings;
    let mut keys = ForeignKeys::of(transaction, &table, &update.cascades, changed, settings);
    for_each_batch(session, transaction, update.source, |transaction, batch| {
        checks.check(&batch)?;
        let (wide, ids) = take_row_ids(&batch, &mut old)?;
        returned.add(&wide, None)?;
        // Behind the table's columns come those of others, for RETURNING.
        let batch = match wide.num_columns() == width {
            true => wide,
            false => wide.project(&(0..width).collect::<Vec<_>>())?,
        };
        keys.part_updated(transaction, &ids, &batch)?;
        if changes_key {
            // Keys are unique after the statement, not after each of its rows.
            return rows_with_new_keys.push(batch);
        }
        transaction.append_versions(&table, batch)
    })?;
    let rows = transaction.delete(&table, &old)?;
    transaction.in_bulk(&table, |transaction| {
        rows_with_new_keys.for_each(|batch| {
            let appended = transaction.append(&table, batch, on_conflict(ConflictAction::Error));
            appended.map(drop)
        })
    })?;
    keys.finish(transaction)?;
    Ok(rows)
}

/// Bits of a bitmap for each row id, at most: with more, inserting is as fast.
const SPARSE_BITS: u64 = 32;

/// DELETE.
pub(crate) fn delete(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    delete: Delete,
) -> Result<StatementResult> {
    transaction.check_writable("DELETE")?;
    let mut returned = Returned::new(delete.returning.as_ref(), session, transaction)?;
    let rows = match delete.triggers.is_some() || returned.wants_single_rows() {
        true => row_by_row::delete(session, transaction, delete, &mut returned)?,
        false => delete_in_bulk(session, transaction, delete, &mut returned)?,
    };
    returned.run_queries(session, transaction)?;
    session.known.count(rows, returned.is_wanted());
    Ok(returned.or(StatementResult::Delete { rows }))
}

/// TRUNCATE.
pub(crate) fn truncate(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    deletes: Vec<Delete>,
) -> Result<StatementResult> {
    let mut rows = 0;
    for one in deletes {
        let done = delete(session, transaction, one)?;
        rows += done.rows_affected().unwrap_or(0);
    }
    Ok(StatementResult::Delete { rows })
}

fn delete_in_bulk(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    delete: Delete,
    returned: &mut Returned,
) -> Result<u64> {
    let table: Arc<Table> = transaction.table(delete.table, &delete.table_name)?;
    let mut old = RoaringTreemap::new();
    let settings = &session.settings;
    let mut keys = ForeignKeys::of(transaction, &table, &delete.cascades, None, settings);
    for_each_batch(session, transaction, delete.source, |_, batch| {
        returned.add(&take_row_ids(&batch, &mut old)?.0, None)
    })?;
    let rows = transaction.delete(&table, &old)?;
    keys.deleted(transaction, &old)?;
    keys.finish(transaction)?;
    Ok(rows)
}

/// Many row ids that ascend, as those of a scan do: a set of them is made in a fraction of the time that inserting each takes.
fn as_set(row_ids: &UInt64Array) -> Option<RoaringTreemap> {
    if row_ids.len() < 64 || row_ids.null_count() > 0 {
        return None;
    }
    let row_ids = row_ids.values();
    if let Some(set) = as_bits(row_ids) {
        return Some(set);
    }
    RoaringTreemap::from_sorted_iter(row_ids.iter().copied()).ok()
}

/// A set of ids that lie close together, by way of a bitmap. In any order, each once.
fn as_bits(row_ids: &[RowId]) -> Option<RoaringTreemap> {
    let (first, last) = (*row_ids.first()?, *row_ids.last()?);
    let (high, base) = ((first >> 32) as u32, first & !(u64::from(u64::BITS) - 1));
    let span = last.checked_sub(base)?;
    if last >> 32 != first >> 32 || span / SPARSE_BITS >= row_ids.len() as u64 {
        return None;
    }
    let mut words = vec![0_u64; (span / 64) as usize + 1];
    for row_id in row_ids {
        let at = row_id.checked_sub(base)?;
        *words.get_mut((at / 64) as usize)? |= 1 << (at % 64);
    }
    let ones: u32 = words.iter().map(|word| word.count_ones()).sum();
    if ones as usize != row_ids.len() {
        return None;
    }
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let low = RoaringBitmap::from_lsb0_bytes(base as u32, &bytes);
    Some(RoaringTreemap::from_bitmaps([(high, low)]))
}

/// Adds the row ids of the first column to `seen` and gives back the other columns, without the rows
/// whose id was seen before (a join may find a row more than once), and the ids of those that are left.
fn take_row_ids(
    batch: &RecordBatch,
    seen: &mut RoaringTreemap,
) -> Result<(RecordBatch, ScalarBuffer<RowId>)> {
    let row_ids = batch
        .columns()
        .first()
        .and_then(|c| c.as_primitive_opt::<UInt64Type>());
    let row_ids = row_ids.ok_or_else(|| Error::internal("a changed row without a row id"))?;
    let rest: Vec<usize> = (1..batch.num_columns()).collect();
    let rows = batch.project(&rest)?;
    if let Some(new) = as_set(row_ids).filter(|new| seen.is_disjoint(new)) {
        *seen |= new;
        return Ok((rows, row_ids.values().clone()));
    }
    let fresh: Vec<bool> = (0..row_ids.len())
        .map(|row| row_ids.is_valid(row) && seen.insert(row_ids.value(row)))
        .collect();
    if fresh.contains(&false) {
        let kept = row_ids.values().iter().zip(&fresh);
        let ids = kept.filter(|(_, fresh)| **fresh).map(|(id, _)| *id);
        let ids = ids.collect();
        return Ok((filter_record_batch(&rows, &BooleanArray::from(fresh))?, ids));
    }
    Ok((rows, row_ids.values().clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_row_ids_is_the_same_however_it_is_made() {
        let high = 5_u64 << 32;
        for (first, step, count) in [
            (0, 3, 5_000),
            (77, 1, 200),
            (high - 300, 2, 500),
            (high + 63, 31, 4_000),
            (high + 9, 1_000, 90),
        ] {
            let ids = UInt64Array::from_iter_values((0..count).map(|i| first + i * step));
            let expected: RoaringTreemap = ids.values().iter().copied().collect();
            assert_eq!(as_set(&ids), Some(expected), "{first} {step} {count}");
        }
        let twice = UInt64Array::from_iter_values((0..100).map(|i| i / 2));
        assert_eq!(as_set(&twice), None);
        let descending = UInt64Array::from_iter_values((0..100).rev());
        assert_eq!(as_set(&descending), None);
    }
}
