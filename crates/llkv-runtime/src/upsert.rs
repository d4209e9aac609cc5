//! INSERT ... ON CONFLICT with a target: rows that meet none are appended, the others change the row in
//! their way.

use crate::checks::RowChecks;
use crate::row_values::{Returned, RowValues, prepare};
use crate::transaction::Transaction;
use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Schema;
use llkv_plan::{PlanColumn, Upsert, UpsertUpdate};
use llkv_result::{ConstraintError, Result};
use llkv_table::{KeyMatches, OnConflict, Table};
use llkv_types::RowId;
use roaring::RoaringTreemap;
use std::sync::Arc;

/// Inserts all rows of a statement, already checked. Gives the rows inserted and changed, in number.
pub(crate) fn upsert(
    transaction: &mut Transaction,
    table: &Arc<Table>,
    upsert: &Upsert,
    (columns, rows): (&[PlanColumn], RecordBatch),
    returned: &mut Returned,
) -> Result<u64> {
    let matches = transaction.match_keys(table, &upsert.keys, &rows)?;
    let fresh = fresh_rows(table, upsert, &matches)?;
    let mut count = 0;
    if let Some(update) = &upsert.update {
        let existing = matches.existing.iter().copied();
        let ids: Vec<RowId> = existing.flatten().collect();
        if !ids.is_empty() {
            let in_the_way: BooleanArray = matches
                .existing
                .iter()
                .map(|id| Some(id.is_some()))
                .collect();
            let excluded = filter_record_batch(&rows, &in_the_way)?;
            let target = Target { transaction, table };
            count += target.change(update, columns, &ids, &excluded, returned)?;
        }
    }
    let rows = filter_record_batch(&rows, &fresh)?;
    count += transaction
        .append(table, rows.clone(), OnConflict::Error)?
        .rows;
    returned.add(&rows, None)?;
    Ok(count)
}

/// The rows that meet no other.
fn fresh_rows(table: &Table, upsert: &Upsert, matches: &KeyMatches) -> Result<BooleanArray> {
    let mut fresh = Vec::with_capacity(matches.existing.len());
    for (existing, repeated) in matches.existing.iter().zip(&matches.repeated) {
        if *repeated && upsert.update.is_some() {
            // Which of the two would be the last one is not for the order of rows to say.
            return Err(ConstraintError::ChangedTwice {
                table: table.meta().name.clone(),
            }
            .into());
        }
        fresh.push(existing.is_none() && !repeated);
    }
    Ok(BooleanArray::from(fresh))
}

/// The table whose rows change.
struct Target<'a> {
    transaction: &'a mut Transaction,
    table: &'a Arc<Table>,
}

impl Target<'_> {
    /// DO UPDATE for the rows `ids`, each with the row that met it.
    fn change(
        self,
        update: &UpsertUpdate,
        columns: &[PlanColumn],
        ids: &[RowId],
        excluded: &RecordBatch,
        returned: &mut Returned,
    ) -> Result<u64> {
        let existing = self.transaction.rows_by_id(self.table, ids)?;
        let mut pairs = beside(&existing, excluded)?;
        let of_pairs: Vec<PlanColumn> = update.existing.iter().chain(columns).cloned().collect();
        let mut old: RoaringTreemap = ids.iter().copied().collect();
        if let Some(filter) = &update.filter {
            let chosen = prepare(filter, &of_pairs)?.filter(&pairs)?;
            let chosen_ids = ids.iter().zip(chosen.iter());
            old = chosen_ids
                .filter(|(_, chosen)| *chosen == Some(true))
                .map(|(id, _)| *id)
                .collect();
            pairs = filter_record_batch(&pairs, &chosen)?;
        }
        let rows = RowValues::new(&update.columns, &of_pairs)?.of(&pairs)?;
        let written: Vec<PlanColumn> = update.columns.iter().map(|p| p.column.clone()).collect();
        RowChecks::new(&update.checks, &written, &self.table.meta().name)?.check(&rows)?;
        self.transaction.delete(self.table, &old)?;
        let changed = self
            .transaction
            .append(self.table, rows.clone(), OnConflict::Error)?;
        returned.add(&rows, None)?;
        Ok(changed.rows)
    }
}

/// The columns of both batches, which have the same number of rows.
fn beside(left: &RecordBatch, right: &RecordBatch) -> Result<RecordBatch> {
    let fields: Vec<_> = [left, right]
        .iter()
        .flat_map(|batch| batch.schema().fields().iter().cloned().collect::<Vec<_>>())
        .collect();
    let columns = left.columns().iter().chain(right.columns()).cloned();
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns.collect(),
    )?)
}
