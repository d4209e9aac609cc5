//! What is tested of a window besides predicates: a bound that moves, and a test of the caller's over several columns.

use super::live_bound::LiveTest;
use super::morsel::{MorselReader, Segment, count_bytes};
use super::row_filter::RowFilter;
use super::selection::Positions;
use crate::chunk::Chunk;
use crate::column_buffer::ColumnBuffer;
use crate::column_test::Test;
use crate::fill::StoredColumn;
use crate::stats::Verdict;
use crate::table_version::TableVersion;
use arrow::array::ArrayRef;
use llkv_result::Result;
use llkv_types::BATCH_ROWS;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The chunk of the bounded column in a segment, and what it says of the test at the time.
#[derive(Debug)]
pub(super) struct SegmentLive {
    chunk: Arc<Chunk>,
    answers: Vec<bool>,
    /// Moves of the bound that `answers` knows.
    moves: u64,
}

/// The caller's test and its columns under construction.
#[derive(Debug)]
pub(super) struct FilterReader {
    filter: RowFilter,
    columns: Vec<StoredColumn>,
    buffers: Vec<ColumnBuffer>,
}

impl FilterReader {
    /// # Errors
    /// When the table has not the test's columns.
    pub(super) fn new(version: &TableVersion, filter: &RowFilter) -> Result<Self> {
        let columns = filter.fields.iter().map(|field| version.column(*field));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let buffers = columns.iter().map(|c| ColumnBuffer::new(c.ty, BATCH_ROWS));
        Ok(Self {
            filter: filter.clone(),
            buffers: buffers.collect::<Result<_>>()?,
            columns,
        })
    }
}

impl MorselReader {
    /// Drops rows beyond the bound; false when statistics ruled out all of them.
    pub(super) fn apply_live(
        &mut self,
        segment: &mut Segment,
        start: usize,
        rows: usize,
    ) -> Result<bool> {
        let Some(live) = &mut self.live else {
            return Ok(true);
        };
        let moves = live.refresh()?;
        if live.is_open() {
            return Ok(true);
        }
        if segment.live.is_none() {
            count_bytes(&self.spec, &segment.piece, live.column.field);
        }
        let segment = match &mut segment.live {
            Some(known) => known,
            none => none.insert(SegmentLive {
                chunk: segment.piece.group.chunk(&live.column)?,
                answers: Vec::new(),
                moves: 0,
            }),
        };
        let nulls = segment.chunk.judge(&Test::Null, start, rows);
        let Some(test) = live.test(nulls) else {
            return Ok(true);
        };
        match segment.chunk.judge(test, start, rows) {
            Verdict::Everything => return Ok(true),
            Verdict::Nothing => {
                self.selection.clear();
                return Ok(false);
            }
            Verdict::Unsure => {}
        }
        if segment.moves != moves {
            segment.answers = segment.chunk.answers(test)?;
            segment.moves = moves;
        }
        segment.chunk.filter(
            start,
            test,
            &segment.answers,
            &mut self.selection,
            &mut self.scratch,
        )?;
        Ok(true)
    }

    /// No row of the segment about to be read is wanted.
    pub(super) fn is_beyond_bound(&mut self, group: &crate::row_group::RowGroup) -> Result<bool> {
        let Some(live) = &mut self.live else {
            return Ok(false);
        };
        live.refresh()?;
        let is_beyond = live.rules_out(group);
        if let Some(counters) = self.spec.counters.as_ref().filter(|_| is_beyond) {
            counters.row_groups_pruned.fetch_add(1, Ordering::Relaxed);
        }
        Ok(is_beyond)
    }

    /// Rows are wanted as soon as there are some, so that there is a bound.
    pub(super) fn is_hasty(&self) -> bool {
        self.live.as_ref().is_some_and(LiveTest::is_open)
    }

    /// Drops the rows that the caller's test does not let through.
    pub(super) fn apply_filter(
        &mut self,
        segment: &mut Segment,
        start: usize,
        rows: usize,
    ) -> Result<()> {
        let Some(reader) = &mut self.filter else {
            return Ok(());
        };
        let survivors = self.selection.count();
        if survivors == 0 {
            return Ok(());
        }
        let chunks = match &segment.filtered {
            Some(chunks) => chunks,
            None => {
                let open = |column: &StoredColumn| {
                    count_bytes(&self.spec, &segment.piece, column.field);
                    segment.piece.group.chunk(column)
                };
                let chunks = reader
                    .columns
                    .iter()
                    .map(open)
                    .collect::<Result<Vec<_>>>()?;
                segment.filtered.insert(chunks)
            }
        };
        let positions: Option<&Positions> = match survivors == rows {
            true => None,
            false => {
                self.positions.load(&self.selection);
                Some(&self.positions)
            }
        };
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(chunks.len());
        for (chunk, buffer) in chunks.iter().zip(&mut reader.buffers) {
            buffer.reserve();
            match positions {
                None => chunk.append(start, rows, buffer, &mut self.scratch)?,
                Some(positions) => chunk.append_at(start, positions, buffer, &mut self.scratch)?,
            }
            arrays.push(buffer.finish()?);
        }
        let passing = reader.filter.narrow(arrays, survivors, None)?;
        if passing.count_set_bits() < survivors {
            let mut bits = passing.iter();
            self.selection.retain(|_| bits.next() == Some(true));
        }
        Ok(())
    }
}
