//! Looking up keys: rows that may have them, and row groups that have to be looked through.

use super::entries::first_where;
use super::{
    EntryBuffer, IndexAccess, IndexDefinition, IndexVersion, IntegerKey, KeyColumn, KeyEncoder,
    KeyRange, OrderedPart, SortedKeys,
};
use crate::column_buffer::ColumnBuffer;
use crate::encoding::with_scratch;
use crate::row_group::{GroupData, RowGroup};
use crate::scan::selection::{Positions, WINDOW_ROWS};
use crate::table_version::TableVersion;
use arrow::array::ArrayRef;
use arrow::row::Rows;
use llkv_result::{Error, Result, StorageError};
use llkv_types::{IndexId, RowId};
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

    /// An index; `None` where [`TableVersion::scan_index`] would not use it.
    #[must_use]
    pub fn index_definition(&self, id: IndexId) -> Option<&IndexDefinition> {
        let index = self.index(id)?;
        self.key_columns(index)?;
        Some(&index.definition)
    }

    /// An index's columns; none when the table has lost one, or one has no order.
    pub(super) fn key_columns(&self, index: &IndexVersion) -> Option<Vec<KeyColumn>> {
        let fields = index.definition.fields.iter().enumerate();
        let columns = fields.map(|(at, field)| {
            let stored = self.column(*field).ok()?;
            KeyEncoder::supports(stored.ty).then(|| KeyColumn {
                stored,
                collation: index.definition.collation(at),
            })
        });
        columns.collect()
    }

    /// Looks up keys; `None` where the table has no such index or a part of it is damaged, and where so many
    /// rows lie in ranges of keys that a scan is faster.
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
        let mut reader = KeyReader::new(&columns);
        for run in self.tail.iter() {
            let GroupData::Plain(plain) = run.data.as_ref() else {
                continue;
            };
            if run.rows <= FEW_ROWS && reader.has_integers() {
                for at in 0..run.rows {
                    if access.contains(reader.read_one(run, at)?) {
                        found.row_ids.push(run.row_id(at));
                    }
                }
                continue;
            }
            let make = || sort_keys(run, &columns);
            let keys = plain.keys.get_or_make(access.index, make)?;
            for range in &access.ranges {
                keys.find(range, &mut found.row_ids);
            }
        }
        let most = match access.whole_keys {
            true => usize::MAX,
            false => self.rows_worth_looking_up(),
        };
        self.find_ordered(index, &columns, &access.ranges, most, &mut found.row_ids)?;
        if found.row_ids.len() > most {
            return Ok(None);
        }
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

    /// With more rows than these in its ranges, an index takes longer than a scan. The planner knows the values
    /// of most statements; this is for those whose parameters it did not know.
    fn rows_worth_looking_up(&self) -> usize {
        let rows = usize::try_from(self.row_count_estimate()).unwrap_or(usize::MAX);
        (rows / SCANNED_PER_LOOKUP).max(ALWAYS_LOOKED_UP_ROWS)
    }

    /// Row groups younger than the index.
    fn unlisted(&self, index: &IndexVersion) -> Vec<Arc<RowGroup>> {
        let young = self
            .groups
            .partition_point(|group| group.last_row_id() < index.covered_to);
        self.groups.get(young..).unwrap_or_default().to_vec()
    }

    /// Looks for keys among the rows that lie in their order, until there are more than `most`.
    fn find_ordered(
        &self,
        index: &IndexVersion,
        columns: &[KeyColumn],
        ranges: &[KeyRange],
        most: usize,
        out: &mut Vec<RowId>,
    ) -> Result<()> {
        let mut reader = KeyReader::new(columns);
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
                self.find_in_part(part, inside, most, &mut reader, out)?;
                if out.len() > most {
                    return Ok(());
                }
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
        most: usize,
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
                    let rows = search_ordered(group, start..end, range, reader)?;
                    // One row more than those that are worth it says enough.
                    let last = rows
                        .end
                        .min(rows.start.saturating_add(most).saturating_add(1));
                    out.extend((rows.start..last).map(|at| group.row_id(at)));
                }
            }
        }
        Ok(())
    }
}

fn sort_keys(run: &RowGroup, columns: &[KeyColumn]) -> Result<SortedKeys> {
    let mut buffer = EntryBuffer::default();
    let mut reader = KeyReader::new(columns);
    if reader.has_integers() {
        for at in 0..run.rows {
            buffer.push(reader.read_one(run, at)?, run.row_id(at));
        }
        return SortedKeys::of(buffer);
    }
    for start in (0..run.rows).step_by(WINDOW_ROWS) {
        let rows = WINDOW_ROWS.min(run.rows - start);
        let keys = reader.read(run, start, rows)?;
        for (row, key) in keys.iter().enumerate() {
            buffer.push(key.data(), run.row_id(start + row));
        }
    }
    SortedKeys::of(buffer)
}

/// True for an error that says that stored bytes are not what was written, or not in a form that is known.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(
        error,
        Error::Storage(
            StorageError::Corrupt { .. }
                | StorageError::NewerRecord { .. }
                | StorageError::MissingKey { .. }
        )
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

/// Keys of one integer are not sorted in shorter runs of the tail: the run will soon be merged with others, and such a key is found
/// without an array. Others are kept from the first look on.
const FEW_ROWS: usize = 8;
/// Rows that are scanned in the time that one takes to be looked up, at the least.
const SCANNED_PER_LOOKUP: usize = 20;
/// Up to so many rows are looked up in any table.
const ALWAYS_LOOKED_UP_ROWS: usize = 4_096;
/// With more ranges than this the keys of a row group are read from front to back.
const FEW_RANGES: usize = 32;

/// True when no key from `key` on is in the range.
fn ends_at_or_before(range: &KeyRange, key: &[u8]) -> bool {
    range.high.as_ref().is_some_and(|high| **high <= *key)
}

/// Places of the rows with keys of one range, by bisection.
fn search_ordered(
    group: &RowGroup,
    rows: Range<usize>,
    range: &KeyRange,
    reader: &mut KeyReader,
) -> Result<Range<usize>> {
    let first = lower_bound(group, rows.clone(), &range.low, reader)?;
    let mut at = first;
    // Most ranges hold a row or none.
    while at < rows.end && at < first + 4 {
        if ends_at_or_before(range, reader.read_one(group, at)?) {
            return Ok(first..at);
        }
        at += 1;
    }
    let end = match &range.high {
        Some(high) => lower_bound(group, at..rows.end, high, reader)?,
        None => rows.end,
    };
    Ok(first..end)
}

/// The first of some rows, which lie in key order, whose key is at or above `key`.
fn lower_bound(
    group: &RowGroup,
    rows: Range<usize>,
    key: &[u8],
    reader: &mut KeyReader,
) -> Result<usize> {
    if let Some(found) = reader.lower_bound_of_integers(group, rows.clone(), key)? {
        return Ok(found);
    }
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

/// Reads the keys of rows.
pub(super) struct KeyReader {
    columns: Vec<KeyColumn>,
    /// Made when a key is no [`IntegerKey`].
    encoder: Option<KeyEncoder>,
    positions: Positions,
    key: Vec<u8>,
}

impl KeyReader {
    pub(super) fn new(columns: &[KeyColumn]) -> Self {
        Self {
            columns: columns.to_vec(),
            encoder: None,
            positions: Positions::default(),
            key: Vec::new(),
        }
    }

    fn encode(&mut self, mut columns: Vec<ArrayRef>) -> Result<Rows> {
        for (values, column) in columns.iter_mut().zip(&self.columns) {
            if !column.collation.is_binary() {
                *values = column.collation.keys(values)?;
            }
        }
        if let Some(encoder) = &self.encoder {
            return encoder.encode(&columns);
        }
        let encoder = KeyEncoder::new(self.columns.iter().map(|column| column.stored.ty))?;
        self.encoder.insert(encoder).encode(&columns)
    }

    /// True for keys of one integer each.
    fn has_integers(&self) -> bool {
        matches!(self.columns.as_slice(), [column] if IntegerKey::supports(column.stored.ty))
    }

    /// The key of a row of one integer, found without an array.
    fn read_integer(&self, group: &RowGroup, at: usize) -> Result<Option<IntegerKey>> {
        let [KeyColumn { stored: column, .. }] = self.columns.as_slice() else {
            return Ok(None);
        };
        if !IntegerKey::supports(column.ty) {
            return Ok(None);
        }
        let value = group.chunk(column)?.integer(at)?;
        Ok(value.and_then(|value| IntegerKey::new(column.ty, value)))
    }

    /// [`lower_bound`] for keys of one integer, all of which are found without an array.
    fn lower_bound_of_integers(
        &self,
        group: &RowGroup,
        rows: Range<usize>,
        key: &[u8],
    ) -> Result<Option<usize>> {
        let [KeyColumn { stored: column, .. }] = self.columns.as_slice() else {
            return Ok(None);
        };
        let Some(bound) = IntegerKey::value_of(column.ty, key) else {
            return Ok(None);
        };
        let chunk = group.chunk(column)?;
        let (mut low, mut high) = (rows.start, rows.end);
        while low < high {
            let middle = low + (high - low) / 2;
            let Some(value) = chunk.integer(middle)? else {
                return Ok(None);
            };
            if value >= bound {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(Some(low))
    }

    /// The keys of some rows of a window.
    pub(super) fn read(&mut self, group: &RowGroup, start: usize, rows: usize) -> Result<Rows> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for KeyColumn { stored, .. } in &self.columns {
            let mut column = ColumnBuffer::new(stored.ty, rows)?;
            column.reserve();
            let chunk = group.chunk(stored)?;
            with_scratch(|scratch| chunk.append(start, rows, &mut column, scratch))?;
            columns.push(column.finish()?);
        }
        self.encode(columns)
    }

    /// The key of one row.
    pub(super) fn read_one(&mut self, group: &RowGroup, at: usize) -> Result<&[u8]> {
        if let Some(key) = self.read_integer(group, at)? {
            self.key.clear();
            self.key.extend_from_slice(key.as_bytes());
            return Ok(&self.key);
        }
        let start = at / WINDOW_ROWS * WINDOW_ROWS;
        self.positions
            .load_rows(std::iter::once((at - start) as u16));
        let mut columns = Vec::with_capacity(self.columns.len());
        for KeyColumn { stored, .. } in &self.columns {
            let mut column = ColumnBuffer::new(stored.ty, 1)?;
            column.reserve();
            let chunk = group.chunk(stored)?;
            with_scratch(|s| chunk.append_at(start, &self.positions, &mut column, s))?;
            columns.push(column.finish()?);
        }
        let keys = self.encode(columns)?;
        self.key.clear();
        if let Some(key) = keys.iter().next() {
            self.key.extend_from_slice(key.data());
        }
        Ok(&self.key)
    }
}
