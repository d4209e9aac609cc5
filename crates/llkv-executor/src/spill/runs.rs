//! Sorted runs in temporary files, and their merge.
//!
//! Each row of a run carries its ordinal, the place at which it stood in the input, in two more columns: rows with
//! equal keys come out in that order, whatever runs they are in.

use super::{Segment, SpillFile, Spiller, chunk_rows};
use crate::batch::Batch;
use crate::keys::{Differences, KeyCodes, SortKeys, row_of, sort_entries};
use crate::operators::gather;
use crate::pipeline::{MorselReader, Place, Source, slices};
use crate::run::Run;
use arrow::array::{ArrayRef, AsArray, UInt64Array};
use arrow::datatypes::{DataType, UInt64Type};
use arrow_row::{Row, Rows};
use llkv_result::{Error, Result};
use std::collections::VecDeque;
use std::sync::Arc;

/// Where a row stood: the morsel, then the batch and the row in it.
pub(crate) type Ordinal = (u64, u64);

/// The ordinal of a row of a batch.
pub(crate) fn ordinal(place: Place, row: u32) -> Ordinal {
    let within = ((place.sequence as u64) << 32) | u64::from(row);
    (place.morsel as u64, within)
}

/// A run: segments whose rows are in order.
#[derive(Clone)]
pub(crate) struct SpilledRun {
    segments: Vec<Segment>,
}

impl SpilledRun {
    fn rows(&self) -> u64 {
        self.segments.iter().map(|s| s.rows as u64).sum()
    }
}

/// Writes runs; each worker has one.
pub(crate) struct RunWriter {
    file: Arc<SpillFile>,
    batch_rows: usize,
    pub(crate) runs: Vec<SpilledRun>,
}

impl RunWriter {
    pub(crate) fn new(spiller: &Spiller, batch_rows: usize) -> Result<Self> {
        Ok(Self {
            file: spiller.file()?,
            batch_rows,
            runs: Vec::new(),
        })
    }

    /// Sorts batches, which are in the order of their places, and writes them as a run.
    pub(crate) fn sort(
        &mut self,
        sort: &SortKeys,
        batches: Vec<(Place, Batch)>,
        types: &[DataType],
    ) -> Result<()> {
        let keys = batches.iter().map(|(_, batch)| sort.encode(batch));
        let keys = keys.collect::<Result<Vec<Rows>>>()?;
        let rows = keys.iter().zip(0_u32..);
        let rows =
            rows.flat_map(|(keys, batch)| (0..keys.num_rows() as u32).map(move |row| (batch, row)));
        let rows: Vec<(u32, u32)> = rows.collect();
        let differences = keys.iter().map(Differences::of);
        let order = sorted_rows(&rows, differences, |(number, row)| {
            let keys = keys.get(number as usize)?;
            Some((keys.row(row as usize), (number, row)))
        })?;
        let (places, batches): (Vec<Place>, Vec<Batch>) = batches.into_iter().unzip();
        let bytes = batches.iter().map(Batch::memory_bytes).sum();
        let chunk = chunk_rows(bytes, order.len(), self.batch_rows);
        let mut run = self.begin();
        for rows in order.chunks(chunk) {
            let ordinals = rows.iter().filter_map(|(batch, row)| {
                let place = places.get(*batch as usize)?;
                Some(ordinal(*place, *row))
            });
            let ordinals: Vec<Ordinal> = ordinals.collect();
            run.append(gather(&batches, rows, types)?, &ordinals)?;
        }
        self.end(run);
        Ok(())
    }

    /// Writes rows that are in order as a run.
    pub(crate) fn sorted(&mut self, batch: &Batch, ordinals: &[Ordinal]) -> Result<()> {
        let chunk = chunk_rows(batch.memory_bytes(), batch.rows, self.batch_rows);
        let mut run = self.begin();
        let slices = slices(batch.clone(), chunk).zip(ordinals.chunks(chunk));
        for (slice, ordinals) in slices {
            run.append(slice, ordinals)?;
        }
        self.end(run);
        Ok(())
    }

    fn begin(&self) -> OpenRun {
        OpenRun {
            file: Arc::clone(&self.file),
            segments: Vec::new(),
        }
    }

    fn end(&mut self, run: OpenRun) {
        if !run.segments.is_empty() {
            let segments = run.segments;
            self.runs.push(SpilledRun { segments });
        }
    }
}

struct OpenRun {
    file: Arc<SpillFile>,
    segments: Vec<Segment>,
}

impl OpenRun {
    fn append(&mut self, mut rows: Batch, ordinals: &[Ordinal]) -> Result<()> {
        let (morsels, within) = ordinals.iter().copied().unzip::<u64, u64, Vec<_>, Vec<_>>();
        rows.columns.push(Arc::new(UInt64Array::from(morsels)));
        rows.columns.push(Arc::new(UInt64Array::from(within)));
        self.segments.push(self.file.append(&rows)?);
        Ok(())
    }
}

/// Merges runs until they are few enough to be merged at once.
pub(crate) fn merge_to_fan_in(
    run: &Arc<Run>,
    spiller: &Spiller,
    sort: &Arc<SortKeys>,
    types: &[DataType],
    mut runs: Vec<SpilledRun>,
    fetch: usize,
) -> Result<Vec<SpilledRun>> {
    let fan_in = spiller.fan_in();
    while runs.len() > fan_in {
        // Each pass goes over all runs, so that each row is read and written once a pass.
        let mut merged = Vec::new();
        let mut waiting = VecDeque::from(runs);
        while !waiting.is_empty() {
            let some: Vec<_> = waiting.drain(..fan_in.min(waiting.len())).collect();
            let mut merge = Merge::new(run, sort, types, some, fetch)?;
            let mut writer = RunWriter::new(spiller, run.batch_rows())?;
            let mut open = writer.begin();
            while let Some((rows, ordinals)) = merge.next_round()? {
                let chunk = chunk_rows(rows.memory_bytes(), rows.rows, run.batch_rows());
                for (slice, ordinals) in slices(rows, chunk).zip(ordinals.chunks(chunk)) {
                    open.append(slice, ordinals)?;
                }
            }
            writer.end(open);
            merged.append(&mut writer.runs);
        }
        runs = merged;
    }
    Ok(runs)
}

/// The first rows of all runs in order.
pub(crate) struct MergedSource {
    pub(crate) run: Arc<Run>,
    pub(crate) sort: Arc<SortKeys>,
    pub(crate) types: Vec<DataType>,
    pub(crate) runs: Vec<SpilledRun>,
    pub(crate) fetch: usize,
}

impl Source for MergedSource {
    fn morsels(&self) -> usize {
        1
    }

    fn estimated_rows(&self) -> u64 {
        let rows = self.runs.iter().map(SpilledRun::rows).sum::<u64>();
        rows.min(self.fetch as u64)
    }

    fn read(&self, _: usize) -> Result<MorselReader> {
        let runs = self.runs.clone();
        let merge = Merge::new(&self.run, &self.sort, &self.types, runs, self.fetch)?;
        Ok(Box::new(MergedReader {
            batch_rows: self.run.batch_rows(),
            merge,
            ready: VecDeque::new(),
        }))
    }
}

struct MergedReader {
    merge: Merge,
    batch_rows: usize,
    ready: VecDeque<Batch>,
}

impl Iterator for MergedReader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() {
            match self.merge.next_round() {
                Ok(Some((rows, _))) => self.ready.extend(slices(rows, self.batch_rows)),
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

/// Rows of a round of a merge, about, ...
const ROUND_ROWS: usize = 1 << 15;
/// ... and those that it looks ahead in a run at least: where the runs follow each other a round takes no more.
const LEAST_AHEAD_ROWS: usize = 1 << 10;

/// A merge under way. Each round looks a few rows ahead in all runs, and takes those up to the least of the last rows
/// that it sees: they are the next ones, and sorting them is all that is left to do.
struct Merge {
    run: Arc<Run>,
    sort: Arc<SortKeys>,
    types: Vec<DataType>,
    cursors: Vec<Cursor>,
    fetch: usize,
}

/// Where a merge stands in a run.
struct Cursor {
    segments: VecDeque<Segment>,
    batch: Batch,
    keys: Rows,
    differences: Differences,
    ordinals: Vec<Ordinal>,
    at: usize,
}

impl Merge {
    fn new(
        run: &Arc<Run>,
        sort: &Arc<SortKeys>,
        types: &[DataType],
        runs: Vec<SpilledRun>,
        fetch: usize,
    ) -> Result<Self> {
        let mut cursors = Vec::with_capacity(runs.len());
        for run in runs {
            let keys = sort.empty();
            let mut cursor = Cursor {
                segments: run.segments.into(),
                batch: Batch::new(Vec::new(), 0),
                differences: Differences::of(&keys),
                keys,
                ordinals: Vec::new(),
                at: 0,
            };
            if cursor.fill(sort, types.len())? {
                cursors.push(cursor);
            }
        }
        Ok(Self {
            run: Arc::clone(run),
            sort: Arc::clone(sort),
            types: types.to_vec(),
            cursors,
            fetch,
        })
    }

    /// The next rows and their ordinals, `None` at the end.
    fn next_round(&mut self) -> Result<Option<(Batch, Vec<Ordinal>)>> {
        self.run.check()?;
        if self.fetch == 0 {
            self.cursors.clear();
        }
        let ahead = (ROUND_ROWS / self.cursors.len().max(1)).max(LEAST_AHEAD_ROWS);
        let last = self
            .cursors
            .iter()
            .filter_map(|c| c.key((c.at + ahead).min(c.batch.rows).checked_sub(1)?));
        let Some(bound) = last.min() else {
            return Ok(None);
        };
        let mut rows = Vec::new();
        let mut ends = Vec::with_capacity(self.cursors.len());
        for (number, cursor) in self.cursors.iter().enumerate() {
            let end = cursor.rows_to(&bound);
            rows.extend((cursor.at..end).map(|row| (number as u32, row as u32)));
            ends.push(end);
        }
        let cursors = &self.cursors;
        let key = |(number, row): (u32, u32)| cursors.get(number as usize)?.key(row as usize);
        let differences = cursors.iter().map(|cursor| cursor.differences.clone());
        let mut rows = sorted_rows(&rows, differences, key)?;
        rows.truncate(self.fetch);
        self.fetch -= rows.len();
        let ordinals = rows.iter().filter_map(|row| key(*row));
        let ordinals: Vec<Ordinal> = ordinals.map(|(_, ordinal)| ordinal).collect();
        let batches: Vec<Batch> = cursors.iter().map(|cursor| cursor.batch.clone()).collect();
        let batch = gather(&batches, &rows, &self.types)?;
        for (cursor, end) in self.cursors.iter_mut().zip(ends) {
            cursor.at = end;
            if end == cursor.batch.rows {
                cursor.fill(&self.sort, self.types.len())?;
            }
        }
        self.cursors.retain(|cursor| cursor.at < cursor.batch.rows);
        Ok(Some((batch, ordinals)))
    }
}

/// Rows in the order of their keys, those of equal keys in the order of what comes with the key.
fn sorted_rows<'a, T: Ord>(
    rows: &[(u32, u32)],
    differences: impl Iterator<Item = Differences>,
    key: impl Fn((u32, u32)) -> Option<(Row<'a>, T)>,
) -> Result<Vec<(u32, u32)>> {
    if u32::try_from(rows.len()).is_err() {
        return Err(Error::internal("a sorted run has over 2^32 rows"));
    }
    let Some(differences) = differences.reduce(|a, b| a.merge(&b)) else {
        return Ok(Vec::new());
    };
    let codes = KeyCodes::new(&differences);
    let entries = rows.iter().zip(0..).filter_map(|(row, number)| {
        let (key, _) = key(*row)?;
        Some(codes.entry(key.data(), number))
    });
    let mut entries: Vec<u128> = entries.collect();
    let key_of = |number: u32| rows.get(number as usize).and_then(|row| key(*row));
    let ties = |a: u32, b: u32| key_of(a).cmp(&key_of(b));
    sort_entries(&mut entries, Some(ties));
    let entries = entries.iter();
    Ok(entries
        .filter_map(|entry| rows.get(row_of(*entry) as usize).copied())
        .collect())
}

impl Cursor {
    /// Reads the next chunk; false at the end.
    fn fill(&mut self, sort: &SortKeys, columns: usize) -> Result<bool> {
        self.at = 0;
        self.batch = Batch::new(Vec::new(), 0);
        let Some(segment) = self.segments.pop_front() else {
            return Ok(false);
        };
        let mut batch = segment.read()?;
        let ordinals = batch.columns.split_off(columns);
        let [morsels, within] = ordinals.as_slice() else {
            return Err(Error::internal("a run without ordinals"));
        };
        self.ordinals = numbers(morsels)?.zip(numbers(within)?).collect();
        self.keys = sort.encode(&batch)?;
        self.differences = Differences::of(&self.keys);
        self.batch = batch;
        Ok(true)
    }

    fn key(&self, row: usize) -> Option<(Row<'_>, Ordinal)> {
        let ordinal = *self.ordinals.get(row)?;
        (row < self.keys.num_rows()).then(|| (self.keys.row(row), ordinal))
    }

    /// The rows that are not after `bound`: from where the cursor stands to what is given back.
    fn rows_to(&self, bound: &(Row<'_>, Ordinal)) -> usize {
        let (mut low, mut high) = (self.at, self.batch.rows);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(middle).is_some_and(|key| key <= *bound) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

fn numbers(column: &ArrayRef) -> Result<impl Iterator<Item = u64>> {
    let column = column.as_primitive_opt::<UInt64Type>();
    let column = column.ok_or_else(|| Error::internal("an ordinal that is no number"))?;
    Ok(column.values().iter().copied())
}
