//! Values kept until all are there: what `Distinct` hands on, and what quantiles and modes are found in.

use super::groups::Groups;
use super::rows::for_each;
use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array, new_empty_array};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field};
use llkv_result::{Error, Result};
use std::sync::Arc;

/// Values and their groups, in the order in which they came.
pub(super) struct Collected {
    pieces: Vec<ArrayRef>,
    /// Of the pieces: asked for after each batch, when there may be many.
    piece_bytes: usize,
    groups: Vec<u32>,
    pub(super) group_count: usize,
    data_type: DataType,
}

impl Collected {
    pub(super) const fn new(data_type: DataType) -> Self {
        Self {
            pieces: Vec::new(),
            piece_bytes: 0,
            groups: Vec::new(),
            group_count: 0,
            data_type,
        }
    }

    /// Keeps the rows that count.
    pub(super) fn push(
        &mut self,
        array: &ArrayRef,
        groups: Groups<'_>,
        counted: Option<&NullBuffer>,
    ) -> Result<()> {
        let before = self.groups.len();
        let piece = match counted {
            None => {
                for_each(groups, None, |_, group| self.groups.push(group as u32));
                Arc::clone(array)
            }
            Some(_) => {
                let mut rows: Vec<u32> = Vec::new();
                for_each(groups, counted, |row, group| {
                    rows.push(row as u32);
                    self.groups.push(group as u32);
                });
                take(array, &UInt32Array::from(rows), None)?
            }
        };
        let piece = slim(piece);
        debug_assert_eq!(self.groups.len() - before, piece.len());
        self.piece_bytes += piece.get_array_memory_size();
        self.pieces.push(piece);
        Ok(())
    }

    /// All values and their groups; nothing is kept.
    pub(super) fn take_all(&mut self) -> Result<(ArrayRef, Vec<u32>)> {
        let pieces = std::mem::take(&mut self.pieces);
        self.piece_bytes = 0;
        let all = if pieces.is_empty() {
            new_empty_array(&self.data_type)
        } else {
            concat(&pieces.iter().map(AsRef::as_ref).collect::<Vec<_>>())?
        };
        Ok((all, std::mem::take(&mut self.groups)))
    }

    pub(super) fn state_type(&self) -> DataType {
        let field = Field::new_list_field(self.data_type.clone(), true);
        DataType::List(Arc::new(field))
    }

    /// A list of values per group; nothing is kept.
    pub(super) fn take_lists(&mut self) -> Result<ArrayRef> {
        let (all, groups) = self.take_all()?;
        let group_count = std::mem::take(&mut self.group_count);
        // A counting sort by group: lengths, then places.
        let mut lengths = vec![0usize; group_count];
        for group in &groups {
            if let Some(length) = lengths.get_mut(*group as usize) {
                *length += 1;
            }
        }
        let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
        let mut next: Vec<i32> = offsets.iter().copied().collect();
        let mut order = vec![0u32; groups.len()];
        for (row, group) in groups.iter().enumerate() {
            if let Some(at) = next.get_mut(*group as usize) {
                if let Some(slot) = order.get_mut(*at as usize) {
                    *slot = row as u32;
                }
                *at += 1;
            }
        }
        let values = take(&all, &UInt32Array::from(order), None)?;
        let field = Arc::new(Field::new_list_field(self.data_type.clone(), true));
        Ok(Arc::new(ListArray::try_new(field, offsets, values, None)?))
    }

    /// Bytes held.
    pub(super) fn held_bytes(&self) -> usize {
        self.piece_bytes + self.groups.capacity() * size_of::<u32>()
    }

    /// Bytes held, and those of the copy that putting them out makes.
    pub(super) fn size_bytes(&self) -> usize {
        2 * self.held_bytes()
    }
}

/// The values without buffers of which they need little: a few texts would keep those of all rows that came with them.
fn slim(values: ArrayRef) -> ArrayRef {
    const LARGER: usize = 2;
    let Some(texts) = values.as_string_view_opt() else {
        return values;
    };
    let held: usize = texts.data_buffers().iter().map(Buffer::len).sum();
    match held > LARGER * texts.total_buffer_bytes_used() {
        true => Arc::new(texts.gc()),
        false => values,
    }
}

/// The values of lists, and the group of each.
pub(super) fn flattened(lists: &ArrayRef, group_of_row: &[u32]) -> Result<(ArrayRef, Vec<u32>)> {
    let lists = lists
        .as_any()
        .downcast_ref::<ListArray>()
        .ok_or_else(|| Error::internal("a partial result of collected values is a list"))?;
    let mut groups = Vec::with_capacity(lists.values().len());
    for (ends, group) in lists.offsets().windows(2).zip(group_of_row) {
        if let [start, end] = ends {
            groups.extend(std::iter::repeat_n(*group, (end - start).max(0) as usize));
        }
    }
    let first = lists.offsets().first().map_or(0, |start| *start as usize);
    Ok((lists.values().slice(first, groups.len()), groups))
}
