//! `first`, `last` and `any_value`, of every type: the rows are gathered, never looked at.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::rows::{argument, counted, feed, for_each};
use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array, new_null_array};
use arrow::compute::{concat, interleave, take};
use arrow::datatypes::DataType;
use llkv_result::Result;
use llkv_types::SqlType;
use std::sync::Arc;

/// Gathered batches are put together when there are this many.
const MAX_PIECES: usize = 64;

/// Which row of a group is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// The first.
    First,
    /// The first that is not NULL.
    FirstValue,
    /// The last.
    Last,
}

/// One row of each group.
pub(super) struct First {
    /// Piece and place of each group's value; piece 0 holds a single NULL.
    places: Vec<(usize, usize)>,
    taken: Vec<bool>,
    pieces: Vec<ArrayRef>,
    kept: Kept,
    ty: SqlType,
}

impl First {
    pub(super) fn new(ty: SqlType, kept: Kept) -> Self {
        Self {
            places: Vec::new(),
            taken: Vec::new(),
            pieces: vec![new_null_array(&ty.to_arrow(), 1)],
            kept,
            ty,
        }
    }

    fn feed(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let array = argument(args, 0)?;
        let nulls = if self.kept == Kept::FirstValue {
            array.logical_nulls()
        } else {
            None
        };
        let counted = counted(nulls.as_ref(), filter);
        let piece = self.pieces.len();
        let (places, taken) = (self.places.as_mut_slice(), self.taken.as_mut_slice());
        let mut rows: Vec<u32> = Vec::new();
        let last = self.kept == Kept::Last;
        for_each(groups, counted.as_ref(), |row, group| {
            if let (Some(place), Some(taken)) = (places.get_mut(group), taken.get_mut(group))
                && (last || !*taken)
            {
                *taken = true;
                *place = (piece, rows.len());
                rows.push(row as u32);
            }
        });
        if !rows.is_empty() {
            self.pieces
                .push(take(array, &UInt32Array::from(rows), None)?);
        }
        if self.pieces.len() >= MAX_PIECES {
            self.compact()?;
        }
        Ok(())
    }

    /// Two pieces again: the NULL and all the rest.
    fn compact(&mut self) -> Result<()> {
        let pieces: Vec<&dyn Array> = self.pieces.iter().map(AsRef::as_ref).collect();
        let starts: Vec<usize> = pieces
            .iter()
            .scan(0, |start, piece| {
                let at = *start;
                *start += piece.len();
                Some(at)
            })
            .collect();
        let all = concat(&pieces)?;
        for place in &mut self.places {
            *place = (0, starts.get(place.0).map_or(0, |start| start + place.1));
        }
        self.pieces = vec![all];
        Ok(())
    }
}

impl GroupsAccumulator for First {
    feed!();

    fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[u32],
        group_count: usize,
    ) -> Result<()> {
        self.resize(group_count);
        // A group without a row must not pass for one whose first value is NULL.
        let taken = crate::arrays::boolean(argument(states, 1)?)?;
        self.feed(states, Groups::PerRow(group_of_row), Some(taken))
    }

    fn resize(&mut self, group_count: usize) {
        if self.places.len() < group_count {
            self.places.resize(group_count, (0, 0));
            self.taken.resize(group_count, false);
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.ty.to_arrow(), DataType::Boolean]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let taken = BooleanArray::from(self.taken.clone());
        Ok(vec![self.finish()?, Arc::new(taken)])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let pieces: Vec<&dyn Array> = self.pieces.iter().map(AsRef::as_ref).collect();
        let array = interleave(&pieces, &self.places)?;
        *self = Self::new(self.ty, self.kept);
        Ok(array)
    }

    fn size_bytes(&self) -> usize {
        let pieces: usize = self.pieces.iter().map(|p| p.get_array_memory_size()).sum();
        self.places.capacity() * size_of::<(usize, usize)>() + self.taken.capacity() + pieces
    }
}
