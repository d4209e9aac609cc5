//! Rows under ids of the caller's choice, the last writer of an id wins: for programs that use the store alone.
//!
//! The ids are an ordinary column, stored for next to nothing where they ascend. A row that is written again
//! gets a new place, and its former one is marked as deleted, both in one batch of the pager: so older
//! snapshots keep the row that they see, and changing one row costs that row.

use super::ColumnStore;
use crate::Lifetime;
use crate::commit::{CommitRecord, TableChange};
use crate::predicate::{ColumnPredicate, ColumnTest};
use crate::scan::ScanSpec;
use crate::table_version::TableVersion;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::UInt64Type;
use llkv_result::{Error, Result};
use llkv_types::{FieldId, ROW_GROUP_ROWS, RowId, Scalar, SqlType, TableId, TxnId};
use std::ops::Bound;
use std::sync::Arc;

/// The column of the caller's row ids, the first one of tables that [`ColumnStore::create`] made.
pub const ROW_ID_FIELD: FieldId = FieldId(u32::MAX);

impl ColumnStore {
    /// Creates a table whose rows have ids of the caller's choice, in a commit of its own: its columns are
    /// [`ROW_ID_FIELD`] of type UBIGINT, then `columns`. Gives back the commit.
    ///
    /// Like [`ColumnStore::append`] and [`ColumnStore::delete`], for callers that leave the numbering of
    /// commits to the store.
    ///
    /// # Errors
    /// When the table exists or the pager fails.
    pub fn create(&self, table: TableId, columns: &[(FieldId, SqlType)]) -> Result<TxnId> {
        let _numbering = self.numbering.lock();
        if self.table(table)?.is_some() {
            return Err(Error::internal(format!("table {table} exists")));
        }
        let row_id = [(ROW_ID_FIELD, SqlType::UInt64)];
        let columns = row_id.iter().chain(columns).copied().collect();
        self.commit_next(vec![TableChange::Create { table, columns }])
    }

    /// Writes rows: those with ids that are new, and those with ids that exist, which replace the former
    /// ones; of two rows with one id the later counts. The first column holds the ids, in any order and
    /// without NULLs; the others are those of the table, in their Arrow forms. All or nothing, durable on
    /// return; gives back the commit.
    ///
    /// # Errors
    /// When the table was not made by [`ColumnStore::create`], the rows do not fit it, or the pager fails.
    pub fn append(&self, table: TableId, rows: &RecordBatch) -> Result<TxnId> {
        let _numbering = self.numbering.lock();
        let version = self.keyed(table)?;
        let rows = last_of_each(rows)?;
        let mut changes = Vec::new();
        let row_ids = places(&version, row_ids_of(&rows)?, self.last_commit())?;
        if !row_ids.is_empty() {
            changes.push(TableChange::Delete { table, row_ids });
        }
        let mut first_row_id = version.next_row_id();
        let staged_rows = rows.num_rows() / ROW_GROUP_ROWS * ROW_GROUP_ROWS;
        if staged_rows > 0 {
            let groups = (0..staged_rows)
                .step_by(ROW_GROUP_ROWS)
                .map(|from| {
                    let part = rows.slice(from, ROW_GROUP_ROWS);
                    self.stage_row_group(version.layout(), &[part], Lifetime::Lasting)
                })
                .collect::<Result<_>>()?;
            changes.push(TableChange::AppendStaged {
                table,
                first_row_id,
                groups,
            });
            first_row_id += staged_rows as u64;
        }
        if staged_rows < rows.num_rows() {
            changes.push(TableChange::Append {
                table,
                first_row_id,
                batch: rows.slice(staged_rows, rows.num_rows() - staged_rows),
            });
        }
        self.commit_next(changes)
    }

    /// Deletes rows by the ids under which [`ColumnStore::append`] wrote them; ids that no row has are
    /// passed over. Gives back the commit.
    ///
    /// # Errors
    /// When the table was not made by [`ColumnStore::create`], or the pager fails.
    pub fn delete(&self, table: TableId, row_ids: &[RowId]) -> Result<TxnId> {
        let _numbering = self.numbering.lock();
        let version = self.keyed(table)?;
        let mut ids = row_ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let row_ids = places(&version, &UInt64Array::from(ids), self.last_commit())?;
        if row_ids.is_empty() {
            return Ok(self.last_commit());
        }
        self.commit_next(vec![TableChange::Delete { table, row_ids }])
    }

    fn commit_next(&self, changes: Vec<TableChange>) -> Result<TxnId> {
        if changes.is_empty() {
            return Ok(self.last_commit());
        }
        // 1 is the commit that every snapshot sees.
        let commit_id = self.last_commit().max(1) + 1;
        self.commit(&CommitRecord { commit_id, changes })?;
        Ok(commit_id)
    }

    fn keyed(&self, table: TableId) -> Result<Arc<TableVersion>> {
        let version = self.table(table)?;
        let keyed =
            version.filter(|v| v.layout().first() == Some(&(ROW_ID_FIELD, SqlType::UInt64)));
        keyed.ok_or_else(|| Error::internal(format!("table {table} has no row ids of its own")))
    }
}

fn row_ids_of(rows: &RecordBatch) -> Result<&UInt64Array> {
    rows.columns()
        .first()
        .and_then(|column| column.as_primitive_opt::<UInt64Type>())
        .filter(|ids| ids.null_count() == 0)
        .ok_or_else(|| Error::internal("rows without a first column of row ids"))
}

/// The rows by ascending id, the last one of each.
fn last_of_each(rows: &RecordBatch) -> Result<RecordBatch> {
    let ids = row_ids_of(rows)?.values();
    if ids.is_sorted_by(|a, b| a < b) {
        return Ok(rows.clone());
    }
    let mut order: Vec<(RowId, u32)> = ids.iter().copied().zip(0..).collect();
    order.sort_unstable();
    let last = order.chunk_by(|a, b| a.0 == b.0).filter_map(<[_]>::last);
    let order = UInt32Array::from_iter_values(last.map(|(_, index)| *index));
    Ok(take_record_batch(rows, &order)?)
}

/// Where the living rows with some of the caller's ids (ascending) lie: ids of the store, ascending.
fn places(version: &Arc<TableVersion>, ids: &UInt64Array, snapshot: TxnId) -> Result<Vec<RowId>> {
    let greatest = version.statistics(ROW_ID_FIELD).and_then(|known| known.max);
    let Some(Scalar::UInt64(greatest)) = greatest else {
        return Ok(Vec::new());
    };
    let known = ids.values().partition_point(|id| *id <= greatest);
    let ids = ids.slice(0, known);
    let (Some(low), Some(high)) = (ids.values().first(), ids.values().last()) else {
        return Ok(Vec::new());
    };
    let range = ColumnTest::Range {
        low: Bound::Included(Scalar::UInt64(*low)),
        high: Bound::Included(Scalar::UInt64(*high)),
    };
    let is_dense = (high - low) as usize == ids.len() - 1;
    let ids: ArrayRef = Arc::new(ids.clone());
    let tests = [Some(range), (!is_dense).then_some(ColumnTest::In(ids))];
    let mut spec = ScanSpec::new(Vec::new(), snapshot);
    spec.with_row_id = true;
    spec.predicates = tests
        .into_iter()
        .flatten()
        .map(|test| ColumnPredicate {
            field: ROW_ID_FIELD,
            test,
        })
        .collect();
    let mut places = Vec::new();
    for batch in version.scan(spec)?.stream() {
        places.extend_from_slice(row_ids_of(&batch?)?.values());
    }
    Ok(places)
}
