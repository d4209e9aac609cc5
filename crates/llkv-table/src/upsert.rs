//! Rows by key: which rows of a table stand in the way of new ones, and what they hold.

use crate::{OWN_ROW_ID_BASE, StagedTable, WriteContext};
use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use hashbrown::HashSet;
use llkv_result::{Error, Result};
use llkv_types::{FieldId, RowId};

/// What the rows of a batch meet, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMatches {
    /// The row that the transaction sees and that has the key.
    pub existing: Vec<Option<RowId>>,
    /// Has an earlier row of the batch the key?
    pub repeated: Vec<bool>,
}

impl StagedTable {
    /// Looks for the keys of `rows` (all columns of the table, in their order) under the constraints
    /// `keys`, positions in the list of the table's keys. Of several rows in the way the one of the first
    /// constraint counts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn match_keys(
        &mut self,
        context: &WriteContext<'_>,
        keys: &[usize],
        rows: &RecordBatch,
    ) -> Result<KeyMatches> {
        let table = std::sync::Arc::clone(&self.table);
        let mut matches = KeyMatches {
            existing: vec![None; rows.num_rows()],
            repeated: vec![false; rows.num_rows()],
        };
        for &index in keys {
            let Some(key) = table.keys().get(index) else {
                return Err(Error::internal("a key that the table has not"));
            };
            let columns = key.columns_of(rows);
            let encoded = key.encode(&columns)?;
            let found = self.find_existing(context, index, key, &columns, &encoded)?;
            let mut seen = HashSet::new();
            for (row, bytes) in encoded.iter() {
                if let Some(slot) = matches.existing.get_mut(row)
                    && slot.is_none()
                {
                    *slot = found.get(bytes).copied();
                }
                if !seen.insert(bytes)
                    && let Some(slot) = matches.repeated.get_mut(row)
                {
                    *slot = true;
                }
            }
        }
        Ok(matches)
    }

    /// Whole rows by their ids, in the order of the ids, which are all different.
    ///
    /// # Errors
    /// When the store cannot be read, or a row is not there.
    pub fn rows_by_id(&self, context: &WriteContext<'_>, ids: &[RowId]) -> Result<RecordBatch> {
        let committed = context.store.table(self.table.id())?;
        let handle = self.handle(context.store, committed, context.snapshot.snapshot_id)?;
        let schema = self.table.arrow_schema();
        let fields: Vec<FieldId> = handle.schema.columns.iter().map(|c| c.field).collect();
        let in_memory = |id: RowId| {
            let at = handle.own_batches.partition_point(|b| b.first_row_id <= id);
            let batch = handle.own_batches.get(at.checked_sub(1)?)?;
            let row = usize::try_from(id - batch.first_row_id).ok()?;
            (row < batch.rows.num_rows()).then(|| batch.rows.slice(row, 1))
        };
        let (mut stored, mut grouped, mut loose) = (Vec::new(), Vec::new(), Vec::new());
        // Where each id's row is in the batches as they are put together below.
        let mut places = Vec::with_capacity(ids.len());
        for &id in ids {
            if id < OWN_ROW_ID_BASE {
                places.push((0, stored.len()));
                stored.push(id);
            } else if let Some(row) = in_memory(id) {
                places.push((2, loose.len()));
                loose.push(row);
            } else {
                places.push((1, grouped.len()));
                grouped.push(id);
            }
        }
        let starts = [0, stored.len(), stored.len() + grouped.len()];
        let mut parts = Vec::new();
        for (version, ids) in [
            (handle.version(), &stored),
            (handle.own_groups.as_ref(), &grouped),
        ] {
            match version {
                _ if ids.is_empty() => {}
                Some(version) => {
                    let (_, columns, _) = version.gather(ids, &fields)?.into_parts();
                    parts.push(RecordBatch::try_new(schema.clone(), columns)?);
                }
                None => return Err(Error::internal("a row of a table without rows")),
            }
        }
        parts.extend(loose);
        let all = concat_batches(&schema, &parts)?;
        let order = places
            .iter()
            .map(|(part, at)| (starts.get(*part).copied().unwrap_or(0) + at) as u32);
        Ok(take_record_batch(
            &all,
            &UInt32Array::from_iter_values(order),
        )?)
    }
}
