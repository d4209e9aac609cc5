//! Reading a morsel: window by window, predicates first, the other columns for survivors only.

use super::live_bound::LiveTest;
use super::output_column::OutputColumn;
use super::residual::{FilterReader, SegmentLive};
use super::selection::{Positions, Selection, WINDOW_ROWS};
use super::{ColumnScan, Morsel, Piece, RunningPredicate, ScanSpec};
use crate::chunk::Chunk;
use crate::column_test::Test;
use crate::encoding::Scratch;
use crate::fill::StoredColumn;
use crate::row_group::{GroupData, RowGroup};
use crate::stats::Verdict;
use crate::table_version::TableVersion;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::datatypes::{Schema, SchemaRef};
use llkv_result::Result;
use llkv_types::{FieldId, RowId, SqlType, SystemClock};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Batches of one morsel.
#[derive(Debug)]
pub struct MorselReader {
    version: Arc<TableVersion>,
    pub(super) spec: ScanSpec,
    schema: SchemaRef,
    projection: Vec<StoredColumn>,
    predicates: Arc<Vec<RunningPredicate>>,
    pub(super) live: Option<LiveTest>,
    pub(super) filter: Option<FilterReader>,
    pieces: std::vec::IntoIter<Piece>,
    current: Option<Segment>,
    /// The last segment was a run of the tail.
    in_tail: bool,
    columns: Vec<OutputColumn>,
    row_ids: Vec<RowId>,
    pending_rows: usize,
    pub(super) selection: Selection,
    pub(super) positions: Positions,
    pub(super) scratch: Scratch,
    /// Rows of a batch before it is cut to the caller's size: at least a window.
    limit: usize,
    /// The rest of a batch that is larger than the caller wants.
    rest: Option<RecordBatch>,
    done: bool,
}

/// The segment being read.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) piece: Piece,
    /// What is left to read of it.
    rows: Range<usize>,
    /// Chunks of the projection, opened when the first row survives.
    projected: Option<Vec<Arc<Chunk>>>,
    /// The chunk of the bounded column, opened once there is a bound.
    pub(super) live: Option<SegmentLive>,
    /// Chunks of the caller's test, opened when the first row comes to it.
    pub(super) filtered: Option<Vec<Arc<Chunk>>>,
    /// Predicates that statistics of the segment leave open, best first.
    tests: Vec<SegmentTest>,
    /// Versions have to be looked at.
    versioned: bool,
}

/// A predicate on the segment: its index, and once it was needed, the chunk and its answers.
#[derive(Debug)]
struct SegmentTest {
    index: usize,
    open: Option<(Arc<Chunk>, Vec<bool>)>,
}

impl MorselReader {
    pub(crate) fn new(scan: &ColumnScan, morsel: Morsel) -> Result<Self> {
        let batch_rows = scan.spec.batch_rows;
        let rows: usize = morsel.pieces.iter().map(|piece| piece.rows.len()).sum();
        let capacity = batch_rows.clamp(WINDOW_ROWS, 4 * WINDOW_ROWS).min(rows);
        let columns = scan
            .projection
            .iter()
            .map(|column| {
                let coded = scan.spec.coded.contains(&column.field);
                OutputColumn::new(column.ty, capacity, coded)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            version: Arc::clone(&scan.version),
            spec: scan.spec.clone(),
            schema: Arc::clone(&scan.schema),
            projection: scan.projection.clone(),
            predicates: Arc::clone(&scan.predicates),
            live: match &scan.spec.live {
                Some(live) => Some(LiveTest::new(&scan.version, live)?),
                None => None,
            },
            filter: match &scan.spec.filter {
                Some(filter) => Some(FilterReader::new(&scan.version, filter)?),
                None => None,
            },
            pieces: morsel.pieces.into_iter(),
            current: None,
            in_tail: false,
            columns,
            row_ids: Vec::new(),
            pending_rows: 0,
            selection: Selection::new(),
            positions: Positions::default(),
            scratch: Scratch::default(),
            limit: batch_rows.max(WINDOW_ROWS),
            rest: None,
            done: false,
        })
    }

    /// The next batch of at most the wanted size, or `None` at the end.
    fn advance(&mut self) -> Result<Option<RecordBatch>> {
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match self.next_whole()? {
                Some(batch) => batch,
                None => return Ok(None),
            },
        };
        let (rows, wanted) = (batch.num_rows(), self.spec.batch_rows);
        if rows <= wanted {
            return Ok(Some(batch));
        }
        self.rest = Some(batch.slice(wanted, rows - wanted));
        Ok(Some(batch.slice(0, wanted)))
    }

    fn next_whole(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let Some(segment) = self.open_segment()? else {
                return self.flush();
            };
            let batch = self.window(segment)?;
            if batch.is_some() {
                return Ok(batch);
            }
        }
    }

    /// The segment to go on with, taken out of `self`.
    fn open_segment(&mut self) -> Result<Option<Segment>> {
        if let Some(segment) = self.current.take() {
            return Ok(Some(segment));
        }
        while let Some(piece) = self.pieces.next() {
            let group = &piece.group;
            let mut tests = Vec::with_capacity(self.predicates.len());
            let mut verdict = Verdict::Everything;
            for (index, predicate) in self.predicates.iter().enumerate() {
                match group.judge(&predicate.column, &predicate.test) {
                    Verdict::Nothing => verdict = Verdict::Nothing,
                    Verdict::Unsure => tests.push(SegmentTest { index, open: None }),
                    Verdict::Everything => {}
                }
            }
            if verdict == Verdict::Nothing || self.is_beyond_bound(group)? {
                continue;
            }
            // One that several workers read is counted by who reads its beginning.
            if piece.rows.start == 0 {
                self.count_segment(group);
            }
            return Ok(Some(Segment {
                versioned: self.needs_versions(group),
                rows: piece.rows.clone(),
                piece,
                projected: None,
                live: None,
                filtered: None,
                tests,
            }));
        }
        Ok(None)
    }

    /// The runs of a tail count as one row group.
    fn count_segment(&mut self, group: &RowGroup) {
        let is_plain = matches!(group.data.as_ref(), GroupData::Plain(_));
        let first = !std::mem::replace(&mut self.in_tail, is_plain);
        if let Some(counters) = self.spec.counters.as_ref().filter(|_| first || !is_plain) {
            counters.row_groups_read.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn needs_versions(&self, group: &RowGroup) -> bool {
        let (first, last) = (group.first_row_id(), group.last_row_id());
        !group.created_before(self.spec.snapshot)
            || !group.deletes.is_empty()
            || self.version.marks.range(first, last).next().is_some()
            || self.spec.own_deletes.as_ref().is_some_and(|own| {
                own.rank(last) > first.checked_sub(1).map_or(0, |before| own.rank(before))
            })
    }

    /// Reads one window of the segment; gives a batch when one is complete.
    fn window(&mut self, mut segment: Segment) -> Result<Option<RecordBatch>> {
        let start = segment.rows.start;
        let rows = WINDOW_ROWS.min(segment.rows.len());
        segment.rows.start += rows;
        self.selection.fill(rows);
        let is_read = self.apply_live(&mut segment, start, rows)?
            && (self.selection.is_empty() || self.apply_predicates(&mut segment, start, rows)?);
        if let Some(counters) = &self.spec.counters {
            counters.count_window(rows, is_read);
        }
        if segment.versioned && !self.selection.is_empty() {
            self.apply_versions(&segment.piece.group, start, rows);
        }
        self.apply_filter(&mut segment, start, rows)?;
        let survivors = self.selection.count();
        let mut batch = match survivors {
            0 => None,
            _ => self.emit(&mut segment, start, rows, survivors)?,
        };
        if batch.is_none() && self.is_hasty() {
            batch = self.flush()?;
        }
        if !segment.rows.is_empty() {
            self.current = Some(segment);
        }
        Ok(batch)
    }

    /// Drops the rows that fail a predicate; false when statistics ruled out all of them.
    fn apply_predicates(
        &mut self,
        segment: &mut Segment,
        start: usize,
        rows: usize,
    ) -> Result<bool> {
        let mut is_read = false;
        let is_one_of_several = segment.tests.len() > 1;
        if is_one_of_several {
            self.order_tests(segment);
        }
        for test in &mut segment.tests {
            let Some(predicate) = self.predicates.get(test.index) else {
                continue;
            };
            if matches!(predicate.test, Test::Keys(_)) && predicate.learned.is_idle() {
                continue;
            }
            let (chunk, answers) = match &test.open {
                Some(open) => open,
                None => {
                    count_bytes(&self.spec, &segment.piece, predicate.column.field);
                    let chunk = segment.piece.group.chunk(&predicate.column)?;
                    let answers = chunk.answers(&predicate.test)?;
                    test.open.insert((chunk, answers))
                }
            };
            match chunk.judge(&predicate.test, start, rows) {
                Verdict::Nothing => {
                    self.selection.clear();
                    return Ok(is_read);
                }
                Verdict::Everything => continue,
                Verdict::Unsure => is_read = true,
            }
            let rows_in = self.selection.count();
            // A test that is alone has no place to find.
            let clock = self.version.clock.as_deref().unwrap_or(&SystemClock);
            let began = is_one_of_several.then(|| clock.elapsed());
            chunk.filter(
                start,
                &predicate.test,
                answers,
                &mut self.selection,
                &mut self.scratch,
            )?;
            let took = began.map_or(Duration::ZERO, |began| {
                clock.elapsed().saturating_sub(began)
            });
            let rows_out = self.selection.count();
            predicate
                .learned
                .add(rows_in, rows_out, took.as_nanos() as u64);
            if rows_out == 0 {
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// Puts the predicate that drops rows at the least cost first.
    fn order_tests(&self, segment: &mut Segment) {
        let rank = |index: usize| {
            self.predicates
                .get(index)
                .and_then(|p| p.learned.rank())
                .unwrap_or_else(|| match self.predicates.get(index).map(|p| p.column.ty) {
                    Some(SqlType::Text | SqlType::Blob) => 1.0,
                    _ => 0.0,
                })
        };
        segment
            .tests
            .sort_by(|a, b| rank(a.index).total_cmp(&rank(b.index)));
    }

    /// Drops the rows of a window that the snapshot does not see.
    fn apply_versions(&mut self, group: &RowGroup, start: usize, rows: usize) {
        let snapshot = self.spec.snapshot;
        let end = start + rows;
        if !group.created_before(snapshot) {
            let from = group
                .created
                .partition_point(|run| run.start as usize <= start)
                .saturating_sub(1);
            let runs = group.created.get(from..).unwrap_or_default();
            for (index, run) in runs.iter().enumerate() {
                let run_start = run.start as usize;
                if run_start >= end {
                    break;
                }
                if run.created_by > snapshot {
                    let run_end = runs.get(index + 1).map_or(end, |next| next.start as usize);
                    self.selection
                        .remove_range(run_start.saturating_sub(start), run_end.min(end) - start);
                }
            }
        }
        let folded = group.deletes.from(start as u32);
        for (position, deleted_by) in folded.take_while(|(at, _)| (*at as usize) < end) {
            if deleted_by <= snapshot {
                self.selection.remove(position as usize - start);
            }
        }
        let (first, last) = (group.row_id(start), group.row_id(end - 1));
        let selection = &mut self.selection;
        self.version.marks.for_each(first, last, |mark| {
            if mark.deleted_by <= snapshot
                && let Some(position) = group.position(mark.row_id)
            {
                selection.remove(position - start);
            }
        });
        if let Some(own) = &self.spec.own_deletes {
            group.id_ranges(start, rows, |from, to, first| {
                for position in from..to {
                    if own.contains(first + (position - from) as u64) {
                        self.selection.remove(position - start);
                    }
                }
            });
        }
    }

    /// Adds the survivors of a window to the pending rows; gives a batch when one is complete.
    fn emit(
        &mut self,
        segment: &mut Segment,
        start: usize,
        rows: usize,
        survivors: usize,
    ) -> Result<Option<RecordBatch>> {
        let mut out = None;
        if segment.projected.is_none() {
            let chunks = self
                .projection
                .iter()
                .map(|column| {
                    count_bytes(&self.spec, &segment.piece, column.field);
                    segment.piece.group.chunk(column)
                })
                .collect::<Result<Vec<_>>>()?;
            // Rows of another dictionary cannot wait together with these.
            let mut pairs = self.columns.iter().zip(&chunks);
            if pairs.any(|(column, chunk)| column.changes_with(chunk)) {
                out = self.flush()?;
            }
            for (column, chunk) in self.columns.iter_mut().zip(&chunks) {
                column.turn_to(chunk);
            }
            segment.projected = Some(chunks);
        }
        let chunks = segment.projected.as_deref().unwrap_or_default();
        let full = survivors == rows;
        if full && self.pending_rows == 0 && out.is_none() {
            return self
                .whole_window(&segment.piece.group, chunks, start, rows)
                .map(Some);
        }
        if self.pending_rows + survivors > self.limit {
            out = self.flush()?;
        }
        self.selected(&segment.piece.group, chunks, start, rows, full)?;
        if out.is_none() && self.pending_rows >= self.limit {
            return self.flush();
        }
        Ok(out)
    }

    /// A window of which every row survives, as a batch of its own; plain chunks are not copied.
    fn whole_window(
        &mut self,
        group: &RowGroup,
        chunks: &[Arc<Chunk>],
        start: usize,
        rows: usize,
    ) -> Result<RecordBatch> {
        let mut arrays = Vec::with_capacity(self.schema.fields().len());
        for (chunk, column) in chunks.iter().zip(&mut self.columns) {
            arrays.push(match chunk.slice(start, rows) {
                Some(array) => array?,
                None => {
                    column.reserve();
                    column.append(chunk, start, rows, &mut self.scratch)?;
                    column.finish()?
                }
            });
        }
        if self.spec.with_row_id {
            let mut ids = Vec::with_capacity(rows);
            group.id_ranges(start, rows, |from, to, first| {
                ids.extend(first..first + (to - from) as u64);
            });
            arrays.push(Arc::new(UInt64Array::from(ids)));
        }
        self.batch(arrays, rows)
    }

    /// Appends the selected rows of a window to the pending ones.
    fn selected(
        &mut self,
        group: &RowGroup,
        chunks: &[Arc<Chunk>],
        start: usize,
        rows: usize,
        full: bool,
    ) -> Result<()> {
        if full {
            for (chunk, column) in chunks.iter().zip(&mut self.columns) {
                column.reserve();
                column.append(chunk, start, rows, &mut self.scratch)?;
            }
            if self.spec.with_row_id {
                group.id_ranges(start, rows, |from, to, first| {
                    self.row_ids.extend(first..first + (to - from) as u64);
                });
            }
            self.pending_rows += rows;
            return Ok(());
        }
        self.positions.load_or_gaps(&self.selection);
        for (chunk, column) in chunks.iter().zip(&mut self.columns) {
            column.reserve();
            column.append_at(chunk, start, &self.positions, &mut self.scratch)?;
        }
        if self.spec.with_row_id {
            let positions = self.positions.iter();
            self.row_ids
                .extend(positions.map(|position| group.row_id(start + position)));
        }
        self.pending_rows += self.positions.len();
        Ok(())
    }

    /// The pending rows as a batch.
    fn flush(&mut self) -> Result<Option<RecordBatch>> {
        let rows = std::mem::take(&mut self.pending_rows);
        if rows == 0 {
            return Ok(None);
        }
        let mut arrays = self
            .columns
            .iter_mut()
            .map(OutputColumn::finish)
            .collect::<Result<Vec<_>>>()?;
        if self.spec.with_row_id {
            arrays.push(Arc::new(UInt64Array::from(std::mem::take(
                &mut self.row_ids,
            ))));
        }
        self.batch(arrays, rows).map(Some)
    }

    fn batch(&self, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
        if let Some(counters) = &self.spec.counters {
            counters.rows_out.fetch_add(rows as u64, Ordering::Relaxed);
            counters.batches_out.fetch_add(1, Ordering::Relaxed);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = match self.spec.coded.is_empty() {
            true => Arc::clone(&self.schema),
            false => schema_of(&self.schema, &arrays),
        };
        Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
    }
}

/// The schema with the types of the arrays, some of which may be codes.
fn schema_of(schema: &Schema, arrays: &[ArrayRef]) -> SchemaRef {
    let fields = schema.fields().iter().zip(arrays).map(|(field, array)| {
        let field = field.as_ref().clone();
        field.with_data_type(array.data_type().clone())
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Counts a column that was opened for a piece, by the piece's share of the row group.
pub(super) fn count_bytes(spec: &ScanSpec, piece: &Piece, field: FieldId) {
    if let Some(counters) = &spec.counters {
        let (bytes, rows) = (piece.group.stored_bytes(field), piece.group.rows.max(1));
        let share = bytes as u64 * piece.rows.len() as u64 / rows as u64;
        counters.bytes_read.fetch_add(share, Ordering::Relaxed);
    }
}

impl Iterator for MorselReader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.advance().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}
