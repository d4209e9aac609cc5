//! What a checkpoint does for the indexes of a table: new rows into runs, runs of one size into one.

use super::lookup::{KeyReader, is_damage};
use super::merge::{Source, merge};
use super::run::Run;
use super::writer::{RunPart, RunWriter, StagedRun};
use super::{EntryBuffer, IndexVersion, KeyColumn, OrderedPart};
use crate::row_group::RowGroup;
use crate::scan::selection::WINDOW_ROWS;
use crate::store::Upkeep;
use crate::table_version::TableVersion;
use arrow::row::Rows;
use llkv_result::{Error, Result};
use llkv_storage::WriteBatch;
use llkv_types::{CancelToken, MemoryReservation, ROW_GROUP_ROWS, RowId};
use rayon::iter::{IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};
use std::sync::Arc;

/// Entries are sorted in memory up to this much at a time, and up to half of the memory that is to be used.
const SORT_BYTES: u64 = 128 << 20;
/// As much is taken whatever the limit says.
const LEAST_SORT_BYTES: u64 = 1 << 20;
/// The filter of a run takes at most this part of what is sorted at a time, where memory is limited.
const FILTER_SHARE: usize = 4;
/// Runs of one level become one when there are more.
const RUNS_PER_LEVEL: usize = 4;
/// Runs of a level have entries within a factor of this.
const LEVEL_FACTOR: u64 = 4;
/// All runs become one, without entries of dead rows, when rows are fewer than this part of the entries.
const LIVE_SHARE: (u64, u64) = (3, 4);
/// So many rows are looked at by several threads.
const MANY_ROWS: usize = 4 * ROW_GROUP_ROWS;
/// Windows of which each thread reads the keys before they become entries.
const WINDOWS_PER_THREAD: usize = 2;
/// Fewer entries than these are written by one thread.
const PARALLEL_ENTRIES: usize = 1 << 17;
/// Fewer ordered parts than these may stay although their rows are gone.
const MANY_PARTS: usize = 16;
/// Below so many entries nothing is thrown out early.
const SMALL_ENTRIES: u64 = 1_024;

/// The indexes of a table as a checkpoint leaves them.
#[derive(Debug, Default)]
pub(crate) struct Built {
    pub(crate) indexes: Vec<Arc<IndexVersion>>,
    /// Runs that are not used any more.
    pub(crate) retired: Vec<Arc<Run>>,
}

/// Brings the indexes of a table up to its last row. Rows that no snapshot sees need no entry. New runs join the batch. What is
/// sorted at a time is what there is memory for: with less, more runs are merged.
///
/// # Errors
/// When the pager fails, a column is damaged, or it was cancelled.
pub(crate) fn build(
    version: &TableVersion,
    upkeep: &Upkeep<'_>,
    batch: &mut WriteBatch,
) -> Result<Built> {
    let mut built = Built::default();
    for index in version.indexes.iter() {
        let columns = version.key_columns(index);
        let Some(columns) = columns.filter(|_| !index.is_dropped) else {
            built.retired.extend(index.runs.iter().cloned());
            continue;
        };
        let mut builder = Builder::new(version, index, upkeep);
        match builder.run(&columns) {
            Err(error) if is_damage(&error) && !builder.from_start => {
                // A run cannot be read: the rows have it all.
                drop(builder);
                builder = Builder::from_rows(version, upkeep);
                builder.run(&columns)?;
            }
            done => done?,
        }
        let next = builder.finish(index, batch, &mut built.retired)?;
        built.indexes.push(Arc::new(next));
    }
    Ok(built)
}

/// Runs that there are, stored or new.
enum AnyRun {
    Stored(Arc<Run>),
    Staged(StagedRun),
}

impl AnyRun {
    fn entries(&self) -> u64 {
        match self {
            Self::Stored(run) => run.entries(),
            Self::Staged(run) => run.entries(),
        }
    }

    fn has_filter(&self) -> bool {
        match self {
            Self::Stored(_) => true,
            Self::Staged(run) => run.has_filter(),
        }
    }

    fn source(&self) -> Source<'_> {
        match self {
            Self::Stored(run) => Source::Stored(run),
            Self::Staged(run) => Source::Staged(run),
        }
    }

    fn level(&self) -> u32 {
        (self.entries() / SMALL_ENTRIES).max(1).ilog(LEVEL_FACTOR)
    }
}

struct Builder<'a> {
    version: &'a TableVersion,
    upkeep: &'a Upkeep<'a>,
    from_start: bool,
    ordered: Vec<OrderedPart>,
    runs: Vec<AnyRun>,
    covered_to: RowId,
    /// Entries that wait to become a run.
    waiting: EntryBuffer,
    /// Rows that were not looked at yet.
    rows_to_come: usize,
    /// What may wait at once.
    sort_bytes: usize,
    /// What the filter of a run may take.
    filter_bytes: usize,
    _memory: MemoryReservation,
}

impl<'a> Builder<'a> {
    fn new(version: &'a TableVersion, index: &IndexVersion, upkeep: &'a Upkeep<'a>) -> Self {
        if index.is_damaged() {
            return Self::from_rows(version, upkeep);
        }
        Self {
            from_start: false,
            ordered: index.ordered.to_vec(),
            runs: index.runs.iter().cloned().map(AnyRun::Stored).collect(),
            covered_to: index.covered_to,
            ..Self::from_rows(version, upkeep)
        }
    }

    /// With nothing but the rows.
    fn from_rows(version: &'a TableVersion, upkeep: &'a Upkeep<'a>) -> Self {
        let memory = upkeep.memory;
        let limit_bytes = memory.limit_bytes();
        let wanted = SORT_BYTES.min(limit_bytes / 2);
        let memory = memory.reserve_most("building an index", wanted, LEAST_SORT_BYTES);
        let bytes = memory.bytes() as usize;
        let of_filter = bytes / FILTER_SHARE;
        let (sort_bytes, filter_bytes) = match limit_bytes {
            u64::MAX => (bytes, usize::MAX),
            _ => (bytes - of_filter, of_filter),
        };
        Self {
            sort_bytes,
            filter_bytes,
            _memory: memory,
            version,
            upkeep,
            from_start: true,
            ordered: Vec::new(),
            runs: Vec::new(),
            covered_to: 0,
            waiting: EntryBuffer::with_room(0, 0),
            rows_to_come: 0,
        }
    }

    fn run(&mut self, columns: &[KeyColumn]) -> Result<()> {
        let mut segments: Vec<&Arc<RowGroup>> = self.version.segments().collect();
        segments.sort_by_key(|segment| segment.first_row_id());
        self.forget_empty_parts(&segments);
        segments.retain(|segment| segment.last_row_id() >= self.covered_to);
        self.rows_to_come = segments.iter().map(|segment| segment.rows).sum();
        self.waiting = self.empty_buffer();
        for (segment, part) in segments.iter().zip(self.ordered_parts(&segments, columns)) {
            let follows = |part: &OrderedPart| {
                let last = self.ordered.last();
                last.is_none_or(|last| last.high <= part.low)
            };
            match part?.filter(follows) {
                Some(part) => self.add_ordered(part),
                None => self.add_entries(segment, columns)?,
            }
        }
        self.flush()?;
        self.covered_to = self.version.next_row_id.max(self.covered_to);
        self.merge()
    }

    /// Drops the parts of which no row is left, once parts are far more than segments.
    fn forget_empty_parts(&mut self, segments: &[&Arc<RowGroup>]) {
        if self.ordered.len() < MANY_PARTS + 2 * segments.len() {
            return;
        }
        let mut has_rows = vec![false; self.ordered.len()];
        for segment in segments {
            segment.id_ranges(0, segment.rows, |from, to, first| {
                let end = first + (to - from) as u64;
                let after = self.ordered.partition_point(|part| part.last_row < first);
                let parts = self.ordered.iter().zip(&mut has_rows).skip(after);
                for (_, has_rows) in parts.take_while(|(part, _)| part.first_row < end) {
                    *has_rows = true;
                }
            });
        }
        let mut has_rows = has_rows.into_iter();
        self.ordered.retain(|_| has_rows.next() == Some(true));
    }

    /// The segments whose rows lie in order, each by itself; many are looked at by several threads.
    fn ordered_parts(
        &self,
        segments: &[&Arc<RowGroup>],
        columns: &[KeyColumn],
    ) -> Vec<Result<Option<OrderedPart>>> {
        let part = |segment: &&Arc<RowGroup>| match segment.first_row_id() < self.covered_to {
            true => Ok(None),
            false => ordered_part(segment, &mut KeyReader::new(columns), self.upkeep.cancel),
        };
        let rows: usize = segments.iter().map(|segment| segment.rows).sum();
        match rows >= MANY_ROWS {
            true => segments.par_iter().map(part).collect(),
            false => segments.iter().map(part).collect(),
        }
    }

    /// Rows of a segment that the index does not have yet. Keys are read by all threads, some windows at a time.
    fn add_entries(&mut self, segment: &Arc<RowGroup>, columns: &[KeyColumn]) -> Result<()> {
        let starts: Vec<usize> = (0..segment.rows).step_by(WINDOW_ROWS).collect();
        for starts in starts.chunks(WINDOWS_PER_THREAD * rayon::current_num_threads()) {
            self.upkeep.cancel.check()?;
            for (start, keys) in starts.iter().zip(read_keys(segment, starts, columns)?) {
                self.add_window(segment, *start, &keys)?;
            }
        }
        self.rows_to_come = self.rows_to_come.saturating_sub(segment.rows);
        Ok(())
    }

    /// Rows from `start` on whose keys were read.
    fn add_window(&mut self, segment: &Arc<RowGroup>, start: usize, keys: &Rows) -> Result<()> {
        let (version, horizon) = (self.version, self.upkeep.horizon);
        let has_deletes = version.has_deletes(segment);
        let rows = keys.num_rows();
        let mut keys = keys.iter();
        let mut added = Ok(());
        segment.id_ranges(start, rows, |from, to, first| {
            for (position, key) in (from..to).zip(&mut keys) {
                let row_id = first + (position - from) as u64;
                let is_dead = || has_deletes && version.is_dead(segment, position, horizon);
                if row_id >= self.covered_to && !is_dead() && added.is_ok() {
                    added = self.add_entry(key.data(), row_id);
                }
            }
        });
        added
    }

    /// Adds an entry, behind what waits or, where that is full, to what is begun anew.
    fn add_entry(&mut self, key: &[u8], row_id: RowId) -> Result<()> {
        if self.waiting.push_within(key, row_id) {
            return Ok(());
        }
        self.flush()?;
        match self.waiting.push_within(key, row_id) {
            true => Ok(()),
            false => Err(Error::internal("an empty buffer of entries is full")),
        }
    }

    fn empty_buffer(&self) -> EntryBuffer {
        EntryBuffer::with_room(self.rows_to_come, self.sort_bytes)
    }

    /// The writer of a run of at most so many entries.
    fn writer(&self, entries: u64) -> RunWriter<'a> {
        let pager = self.version.pager.as_ref();
        RunWriter::new(pager, self.upkeep.cancel, entries, self.filter_bytes)
    }

    /// Small parts that follow each other become one, as their rows will.
    fn add_ordered(&mut self, part: OrderedPart) {
        if let Some(last) = self.ordered.last_mut()
            && last.last_row + 1 == part.first_row
            && part.last_row - last.first_row < ROW_GROUP_ROWS as u64
        {
            last.last_row = part.last_row;
            last.high = part.high;
            return;
        }
        self.ordered.push(part);
    }

    fn flush(&mut self) -> Result<()> {
        if self.waiting.len() == 0 {
            return Ok(());
        }
        let mut waiting = std::mem::replace(&mut self.waiting, EntryBuffer::with_room(0, 0));
        waiting.sort();
        let pager = self.version.pager.as_ref();
        // As many as cannot stay, and some more, will come: they are merged, and the filter is made then.
        let writer = match self.rows_to_come > RUNS_PER_LEVEL * waiting.len() {
            true => RunWriter::without_filter(pager, self.upkeep.cancel),
            false => self.writer(waiting.len() as u64),
        };
        let parts = write_sorted(&waiting, &writer)?;
        drop(waiting);
        self.runs.extend(writer.finish(parts)?.map(AnyRun::Staged));
        self.waiting = self.empty_buffer();
        Ok(())
    }

    /// At most four runs to a level, none without a filter, and no more than a quarter of dead entries.
    fn merge(&mut self) -> Result<()> {
        let entries: u64 = self.runs.iter().map(AnyRun::entries).sum();
        let (share, of) = LIVE_SHARE;
        if entries > SMALL_ENTRIES && self.rows_in_runs() * of < entries * share {
            let all = std::mem::take(&mut self.runs);
            return self.merge_runs(all);
        }
        let is_unfinished = |run: &mut AnyRun| !run.has_filter();
        let unfinished: Vec<AnyRun> = self.runs.extract_if(.., is_unfinished).collect();
        if !unfinished.is_empty() {
            self.merge_runs(unfinished)?;
        }
        loop {
            let mut levels: Vec<u32> = self.runs.iter().map(AnyRun::level).collect();
            levels.sort_unstable();
            let full = levels
                .chunk_by(|a, b| a == b)
                .find(|runs| runs.len() > RUNS_PER_LEVEL);
            let Some(level) = full.and_then(|runs| runs.first().copied()) else {
                return Ok(());
            };
            let runs = std::mem::take(&mut self.runs).into_iter();
            let (full, rest) = runs.partition(|run| run.level() <= level);
            self.runs = rest;
            self.merge_runs(full)?;
        }
    }

    /// Rows that exist and that no ordered part holds: as many entries as the runs need.
    fn rows_in_runs(&self) -> u64 {
        let rows: u64 = self.version.segments().map(|s| s.rows as u64).sum();
        let ordered = self.ordered.iter();
        let ordered: u64 = ordered.map(|part| part.last_row - part.first_row + 1).sum();
        rows.saturating_sub(ordered)
    }

    /// One run of several, without the entries of rows that nobody sees any more.
    fn merge_runs(&mut self, runs: Vec<AnyRun>) -> Result<()> {
        let writer = self.writer(runs.iter().map(AnyRun::entries).sum());
        let sources: Vec<Source> = runs.iter().map(AnyRun::source).collect();
        // Rows of new runs were looked at when their entries were made.
        let is_needed = |at: usize, row_id| {
            matches!(sources.get(at), Some(Source::Staged(_))) || self.is_needed(row_id)
        };
        let parts = merge(&sources, &writer, is_needed)?;
        self.runs.extend(writer.finish(parts)?.map(AnyRun::Staged));
        Ok(())
    }

    fn is_needed(&self, row_id: RowId) -> bool {
        let place = self.version.locate(row_id);
        place.is_some_and(|(group, position)| {
            !self.version.is_dead(group, position, self.upkeep.horizon)
        })
    }

    /// The index as it is now; runs that it does not use any more join `retired`.
    fn finish(
        self,
        index: &IndexVersion,
        batch: &mut WriteBatch,
        retired: &mut Vec<Arc<Run>>,
    ) -> Result<IndexVersion> {
        let mut runs = Vec::with_capacity(self.runs.len());
        for run in self.runs {
            runs.push(match run {
                AnyRun::Stored(run) => run,
                AnyRun::Staged(run) => Arc::new(run.place(&self.version.pager, batch)?),
            });
        }
        let is_kept = |old: &&Arc<Run>| !runs.iter().any(|run| Arc::ptr_eq(run, old));
        retired.extend(index.runs.iter().filter(is_kept).cloned());
        Ok(IndexVersion {
            ordered: Arc::new(self.ordered),
            runs,
            covered_to: self.covered_to,
            ..IndexVersion::new(index.definition.clone())
        })
    }
}

/// Writes sorted entries as the parts of a run; many are written by several threads.
fn write_sorted(entries: &EntryBuffer, writer: &RunWriter) -> Result<Vec<RunPart>> {
    let parts = match entries.len() >= PARALLEL_ENTRIES {
        true => rayon::current_num_threads(),
        false => 1,
    };
    let write = |part: usize| {
        let mut writer = writer.part();
        let bound = |part: usize| part * entries.len() / parts;
        entries.for_each(bound(part)..bound(part + 1), |key, row_id| {
            writer.push(key, row_id)
        })?;
        writer.finish()
    };
    match parts {
        1 => Ok(vec![write(0)?]),
        parts => (0..parts).into_par_iter().map(write).collect(),
    }
}

/// The keys of windows of a segment, told by where they start.
fn read_keys(segment: &RowGroup, starts: &[usize], columns: &[KeyColumn]) -> Result<Vec<Rows>> {
    let read = |reader: &mut KeyReader, start: &usize| {
        reader.read(segment, *start, WINDOW_ROWS.min(segment.rows - start))
    };
    match starts {
        [start] => Ok(vec![read(&mut KeyReader::new(columns), start)?]),
        starts => (starts.par_iter())
            .map_init(|| KeyReader::new(columns), read)
            .collect(),
    }
}

/// A segment whose rows are in the order of their keys: it needs no entries. Its rows are looked for by bisection, so all of them
/// are in order, dead ones too.
fn ordered_part(
    segment: &RowGroup,
    reader: &mut KeyReader,
    cancel: &CancelToken,
) -> Result<Option<OrderedPart>> {
    let mut low: Option<Vec<u8>> = None;
    let mut high: Vec<u8> = Vec::new();
    for start in (0..segment.rows).step_by(WINDOW_ROWS) {
        cancel.check()?;
        let rows = WINDOW_ROWS.min(segment.rows - start);
        let keys = reader.read(segment, start, rows)?;
        let mut before = high.as_slice();
        for key in keys.iter() {
            if low.is_none() {
                low = Some(key.data().to_vec());
            } else if key.data() < before {
                return Ok(None);
            }
            before = key.data();
        }
        high = before.to_vec();
    }
    Ok(low.map(|low| OrderedPart {
        first_row: segment.first_row_id(),
        last_row: segment.last_row_id(),
        low,
        high,
    }))
}
