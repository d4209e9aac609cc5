//! Looking up keys: rows that may have them, and row groups that have to be looked through.

use super::entries::first_where;
use super::{
    EntryBuffer, IndexAccess, IndexVersion, KeyEncoder, KeyRange, OrderedPart, SortedKeys,
};
use crate::column_buffer::ColumnBuffer;
use crate::encoding::Scratch;
use crate::fill::StoredColumn;
use crate::row_group::{GroupData, RowGroup};
use crate::scan::selection::{Positions, WINDOW_ROWS};
use crate::table_version::TableVersion;
use arrow::row::Rows;
use llkv_result::{Error, Result, StorageError};
use llkv_types::{FieldId, IndexId, RowId};
use std::ops::Range;
use std::sync::Arc;

/// What an index says of some keys.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Rows that had one of the keys when the index was told of them, ascending; none lies in `scanned`.
    pub(super) row_ids: Vec<RowId>,
    /// Row groups of which the index does not tell the rows, ascending.
    pub(super) scanned: Vec<Arc<RowGroup>>,
}

impl TableVersion {
    /// The index of that id, unless a part of it could not be read.
    pub(crate) fn index(&self, id: IndexId) -> Option<&Arc<IndexVersion>> {
        let mut indexes = self.indexes.iter();
        let index = indexes.find(|index| index.definition.id == id && !index.is_dropped)?;
        (!index.is_damaged()).then_some(index)
    }

    /// The columns of an index; `None` where [`TableVersion::scan_index`] would not use it.
    #[must_use]
    pub fn index_fields(&self, id: IndexId) -> Option<&[FieldId]> {
        let index = self.index(id)?;
        self.key_columns(index)?;
        Some(index.definition.fields.as_slice())
    }

    /// An index's columns; none when the table has lost one, or one has no order.
    pub(super) fn key_columns(&self, index: &IndexVersion) -> Option<Vec<StoredColumn>> {
        let fields = index.definition.fields.iter();
        let columns = fields.map(|field| self.column(*field).ok());
        columns
            .map(|column| column.filter(|column| KeyEncoder::supports(column.ty)))
            .collect()
    }

    /// Looks up keys; `None` where the table has no such index or a part of it is damaged.
    pub(super) fn find_keys(&self, access: &IndexAccess) -> Result<Option<Found>> {
        let Some(index) = self.index(access.index) else {
            return Ok(None);
        };
        let Some(columns) = self.key_columns(index) else {
            return Ok(None);
        };
        let mut found = Found::default();
        match find_in_runs(index, access, &mut found.row_ids) {
            Ok(()) => {}
            Err(error) if is_damage(&error) => {
                index.set_damaged();
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        for run in &self.tail {
            let GroupData::Plain(plain) = run.data.as_ref() else {
                continue;
            };
            let make = || sort_keys(run, &columns);
            let keys = plain.keys.get_or_make(access.index, make)?;
            for range in &access.ranges {
                keys.find(range, &mut found.row_ids);
            }
        }
        self.find_ordered(index, &columns, &access.ranges, &mut found.row_ids)?;
        found.scanned = self.unlisted(index);
        found.row_ids.sort_unstable();
        found.row_ids.dedup();
        // A group that is scanned may hold rows that a run lists: the scan finds them too.
        for group in &found.scanned {
            let (first, last) = (group.first_row_id(), group.last_row_id());
            let from = found.row_ids.partition_point(|id| *id < first);
            let to = found.row_ids.partition_point(|id| *id <= last);
            found.row_ids.drain(from..to);
        }
        Ok(Some(found))
    }

    /// Row groups younger than the index.
    fn unlisted(&self, index: &IndexVersion) -> Vec<Arc<RowGroup>> {
        let young = self
            .groups
            .partition_point(|group| group.last_row_id() < index.covered_to);
        self.groups.get(young..).unwrap_or_default().to_vec()
    }

    /// Looks for keys among the rows that lie in their order.
    fn find_ordered(
        &self,
        index: &IndexVersion,
        columns: &[StoredColumn],
        ranges: &[KeyRange],
        out: &mut Vec<RowId>,
    ) -> Result<()> {
        let mut reader = KeyReader::new(columns)?;
        let mut ranges = ranges;
        let mut parts = index.ordered.as_slice();
        // Parts and ranges both ascend: each step leaves one of them behind.
        while let ([part, later @ ..], [range, ..]) = (parts, ranges) {
            if *part.high < *range.low {
                let skipped = later.partition_point(|part| *part.high < *range.low);
                parts = later.get(skipped..).unwrap_or_default();
                continue;
            }
            let above = |range: &KeyRange| *range.low > *part.high;
            let wanted = ranges.partition_point(|range| !above(range));
            let (inside, after) = ranges.split_at(wanted);
            let from = inside.partition_point(|range| ends_at_or_before(range, &part.low));
            let inside = inside.get(from..).unwrap_or_default();
            if !inside.is_empty() {
                self.find_in_part(part, inside, &mut reader, out)?;
            }
            // The last range may reach into the next part.
            ranges = match inside.split_last() {
                Some((last, _)) if !ends_at_or_before(last, &part.high) => {
                    ranges.get(wanted - 1..).unwrap_or_default()
                }
                _ => after,
            };
            parts = later;
        }
        Ok(())
    }

    fn find_in_part(
        &self,
        part: &OrderedPart,
        ranges: &[KeyRange],
        reader: &mut KeyReader,
        out: &mut Vec<RowId>,
    ) -> Result<()> {
        let from = self
            .groups
            .partition_point(|g| g.last_row_id() < part.first_row);
        let to = self
            .groups
            .partition_point(|g| g.first_row_id() <= part.last_row);
        for group in self.groups.get(from..to).unwrap_or_default() {
            let start = first_where(group.rows, |at| group.row_id(at) >= part.first_row);
            let end = first_where(group.rows, |at| group.row_id(at) > part.last_row);
            if ranges.len() > FEW_RANGES {
                merge_ordered(group, start..end, ranges, reader, out)?;
            } else {
                for range in ranges {
                    search_ordered(group, start..end, range, reader, out)?;
                }
            }
        }
        Ok(())
    }
}

fn sort_keys(run: &RowGroup, columns: &[StoredColumn]) -> Result<SortedKeys> {
    let mut buffer = EntryBuffer::default();
    let mut reader = KeyReader::new(columns)?;
    for start in (0..run.rows).step_by(WINDOW_ROWS) {
        let rows = WINDOW_ROWS.min(run.rows - start);
        let keys = reader.read(run, start, rows)?;
        for (row, key) in keys.iter().enumerate() {
            buffer.push(key.data(), run.row_id(start + row));
        }
    }
    Ok(SortedKeys::of(buffer))
}

/// True for an error that says that stored bytes are not what was written.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(
        error,
        Error::Storage(StorageError::Corrupt { .. } | StorageError::MissingKey { .. })
    )
}

fn find_in_runs(index: &IndexVersion, access: &IndexAccess, out: &mut Vec<RowId>) -> Result<()> {
    for run in &index.runs {
        for range in &access.ranges {
            run.find(range, access.whole_keys, out)?;
        }
    }
    Ok(())
}

/// With more ranges than this the keys of a row group are read from front to back.
const FEW_RANGES: usize = 32;

/// True when no key from `key` on is in the range.
fn ends_at_or_before(range: &KeyRange, key: &[u8]) -> bool {
    range.high.as_ref().is_some_and(|high| **high <= *key)
}

/// Rows with keys of one range, by bisection.
fn search_ordered(
    group: &RowGroup,
    rows: Range<usize>,
    range: &KeyRange,
    reader: &mut KeyReader,
    out: &mut Vec<RowId>,
) -> Result<()> {
    let first = lower_bound(group, rows.clone(), &range.low, reader)?;
    let mut at = first;
    // Most ranges hold a row or none.
    while at < rows.end && at < first + 4 {
        if ends_at_or_before(range, reader.read_one(group, at)?) {
            rows_into(group, first..at, out);
            return Ok(());
        }
        at += 1;
    }
    let end = match &range.high {
        Some(high) => lower_bound(group, at..rows.end, high, reader)?,
        None => rows.end,
    };
    rows_into(group, first..end, out);
    Ok(())
}

/// The first of some rows, which lie in key order, whose key is at or above `key`.
fn lower_bound(
    group: &RowGroup,
    rows: Range<usize>,
    key: &[u8],
    reader: &mut KeyReader,
) -> Result<usize> {
    let (mut low, mut high) = (rows.start, rows.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if reader.read_one(group, middle)? >= key {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

/// Rows with keys of many ranges, in one pass over both.
fn merge_ordered(
    group: &RowGroup,
    rows: Range<usize>,
    ranges: &[KeyRange],
    reader: &mut KeyReader,
    out: &mut Vec<RowId>,
) -> Result<()> {
    let mut ranges = ranges.iter().peekable();
    let first_window = rows.start / WINDOW_ROWS * WINDOW_ROWS;
    for start in (first_window..rows.end).step_by(WINDOW_ROWS) {
        let count = WINDOW_ROWS.min(group.rows - start);
        let keys = reader.read(group, start, count)?;
        for (row, key) in keys.iter().enumerate() {
            let (at, key) = (start + row, key.data());
            if !rows.contains(&at) {
                continue;
            }
            while ranges
                .next_if(|range| ends_at_or_before(range, key))
                .is_some()
            {}
            match ranges.peek() {
                None => return Ok(()),
                Some(range) if *range.low <= *key => out.push(group.row_id(at)),
                Some(_) => {}
            }
        }
    }
    Ok(())
}

fn rows_into(group: &RowGroup, rows: Range<usize>, out: &mut Vec<RowId>) {
    out.extend(rows.map(|at| group.row_id(at)));
}

/// Reads the keys of rows.
pub(super) struct KeyReader {
    columns: Vec<StoredColumn>,
    encoder: KeyEncoder,
    scratch: Scratch,
    positions: Positions,
    key: Vec<u8>,
}

impl KeyReader {
    pub(super) fn new(columns: &[StoredColumn]) -> Result<Self> {
        Ok(Self {
            encoder: KeyEncoder::new(columns.iter().map(|column| column.ty))?,
            columns: columns.to_vec(),
            scratch: Scratch::default(),
            positions: Positions::default(),
            key: Vec::new(),
        })
    }

    /// The keys of some rows of a window.
    pub(super) fn read(&mut self, group: &RowGroup, start: usize, rows: usize) -> Result<Rows> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for stored in &self.columns {
            let mut column = ColumnBuffer::new(stored.ty, rows)?;
            column.reserve();
            let chunk = group.chunk(stored)?;
            chunk.append(start, rows, &mut column, &mut self.scratch)?;
            columns.push(column.finish()?);
        }
        self.encoder.encode(&columns)
    }

    /// The key of one row.
    pub(super) fn read_one(&mut self, group: &RowGroup, at: usize) -> Result<&[u8]> {
        let start = at / WINDOW_ROWS * WINDOW_ROWS;
        self.positions
            .load_rows(std::iter::once((at - start) as u16));
        let mut columns = Vec::with_capacity(self.columns.len());
        for stored in &self.columns {
            let mut column = ColumnBuffer::new(stored.ty, 1)?;
            column.reserve();
            let chunk = group.chunk(stored)?;
            chunk.append_at(start, &self.positions, &mut column, &mut self.scratch)?;
            columns.push(column.finish()?);
        }
        let keys = self.encoder.encode(&columns)?;
        self.key.clear();
        if let Some(key) = keys.iter().next() {
            self.key.extend_from_slice(key.data());
        }
        Ok(&self.key)
    }
}
