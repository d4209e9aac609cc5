//! Where a transaction's own rows in memory lie, by their keys.

use crate::TableHandle;
use crate::memory::MemoryBatch;
use arrow::array::ArrayRef;
use hashbrown::HashMap;
use llkv_result::{Error, Result};
use llkv_types::{FieldId, IndexId, RowId};
use parking_lot::Mutex;
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

/// The own rows of a transaction by hashes of their keys: nothing before somebody looks a key up, from then on what has come since
/// the look-up before. As many rows as lie in memory, which is a row group's worth at the most.
#[derive(Debug, Default)]
pub(crate) struct OwnPlaces {
    of_index: Mutex<HashMap<IndexId, Places>>,
}

#[derive(Debug, Default)]
struct Places {
    /// Rows before this one are known; 0 before the first.
    end: RowId,
    /// Rows that were deleted when the next one of their key came are not among them.
    rows: HashMap<u64, SmallVec<[RowId; 2]>>,
}

/// A row of one of a handle's batches in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnPlace<'h> {
    pub(crate) row_id: RowId,
    batch: &'h MemoryBatch,
    at: usize,
}

impl OwnPlace<'_> {
    /// The value of a column, by its position in the table, as an array of one row.
    pub(crate) fn value(&self, column: usize) -> Result<ArrayRef> {
        let column = self.batch.rows.columns().get(column);
        let column = column.ok_or_else(|| Error::internal("an own row without a column"))?;
        Ok(column.slice(self.at, 1))
    }
}

/// What is known of a key.
#[derive(Debug)]
pub(crate) enum OwnFound<'h> {
    Row(OwnPlace<'h>),
    Nothing,
    /// The handle is older than what was looked through: rows that it sees may have been left out.
    Unknown,
}

/// Calls with each row of key columns and the bytes of its key, rows with a NULL in it left out.
pub(crate) type EachKey<'k> = dyn Fn(&[ArrayRef], &mut dyn FnMut(usize, &[u8])) -> Result<()> + 'k;

/// A unique key: its index, its columns, and how their values become bytes.
#[derive(Clone, Copy)]
pub(crate) struct KeyColumns<'a> {
    pub(crate) index: IndexId,
    pub(crate) fields: &'a [FieldId],
    pub(crate) each_key: &'a EachKey<'a>,
}

impl OwnPlaces {
    /// The row that a handle sees with a key, given by its bytes.
    ///
    /// # Errors
    /// When a column of the key is not there.
    pub(crate) fn find<'h>(
        &self,
        handle: &'h TableHandle,
        columns: KeyColumns<'_>,
        key: &[u8],
    ) -> Result<OwnFound<'h>> {
        let Some(last) = handle.own_batches.last() else {
            return Ok(OwnFound::Nothing);
        };
        let at = columns.fields.iter().map(|field| handle.position(*field));
        let at: SmallVec<[usize; 4]> = at.collect::<Result<_>>()?;
        let mut of_index = self.of_index.lock();
        let places = of_index.entry(columns.index).or_default();
        if end_of(last) < places.end {
            return Ok(OwnFound::Unknown);
        }
        places.catch_up(handle, columns.each_key, &at)?;
        let Some(rows) = places.rows.get(&xxh3_64(key)) else {
            return Ok(OwnFound::Nothing);
        };
        let alive = rows
            .iter()
            .rev()
            .filter(|id| !handle.own_deletes.contains(**id));
        for place in alive.filter_map(|id| place_of(handle, *id)) {
            let values = at.iter().map(|at| place.value(*at));
            let values: SmallVec<[ArrayRef; 4]> = values.collect::<Result<_>>()?;
            let mut is_it = false;
            (columns.each_key)(&values, &mut |_, found| is_it = found == key)?;
            if is_it {
                return Ok(OwnFound::Row(place));
            }
        }
        Ok(OwnFound::Nothing)
    }
}

impl Places {
    fn catch_up(
        &mut self,
        handle: &TableHandle,
        each_key: &EachKey<'_>,
        key: &[usize],
    ) -> Result<()> {
        let from = handle
            .own_batches
            .partition_point(|batch| end_of(batch) <= self.end);
        for batch in handle.own_batches.get(from..).unwrap_or_default() {
            let first = self.end.max(batch.first_row_id);
            let skipped = (first - batch.first_row_id) as usize;
            let rows = batch.rows.num_rows() - skipped;
            let columns = key.iter().map(|at| {
                let column = batch.rows.columns().get(*at);
                let column = column.ok_or_else(|| Error::internal("own rows without a column"))?;
                Ok(column.slice(skipped, rows))
            });
            let columns: SmallVec<[ArrayRef; 4]> = columns.collect::<Result<_>>()?;
            each_key(&columns, &mut |row, key| {
                let rows = self.rows.entry(xxh3_64(key)).or_default();
                rows.retain(|id| !handle.own_deletes.contains(*id));
                rows.push(first + row as u64);
            })?;
            self.end = end_of(batch);
        }
        Ok(())
    }
}

fn end_of(batch: &MemoryBatch) -> RowId {
    batch.first_row_id + batch.rows.num_rows() as u64
}

fn place_of(handle: &TableHandle, row_id: RowId) -> Option<OwnPlace<'_>> {
    let batches = &handle.own_batches;
    let at = batches.partition_point(|batch| batch.first_row_id <= row_id);
    let batch = batches.get(at.checked_sub(1)?)?;
    let at = usize::try_from(row_id - batch.first_row_id).ok()?;
    (at < batch.rows.num_rows()).then_some(OwnPlace { row_id, batch, at })
}
