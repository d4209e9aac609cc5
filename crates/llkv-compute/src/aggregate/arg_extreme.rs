//! `arg_min(x, y)` and `arg_max(x, y)`: the x beside the least or greatest y, the first of several.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::rows::{argument, counted, feed, for_each};
use crate::keys::{key_type, normalized};
use arrow::array::{Array, ArrayRef, BinaryArray, BooleanArray, UInt32Array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{concat, interleave, take};
use arrow::datatypes::DataType;
use arrow_row::{RowConverter, SortField};
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use std::sync::Arc;

/// Gathered batches are put together when there are this many.
const MAX_PIECES: usize = 64;

/// A row's y as bytes in its order, and the piece and place of its x.
type Best = (Box<[u8]>, (usize, usize));

/// The best row of each group.
pub(super) struct ArgExtreme {
    /// Piece 0 holds a single NULL.
    best: Vec<Option<Best>>,
    pieces: Vec<ArrayRef>,
    converter: RowConverter,
    key_bytes: usize,
    max: bool,
    ty: SqlType,
}

impl ArgExtreme {
    pub(super) fn new(max: bool, ty: SqlType, by: SqlType) -> Result<Self> {
        Ok(Self {
            best: Vec::new(),
            pieces: vec![new_null_array(&ty.to_arrow(), 1)],
            converter: RowConverter::new(vec![SortField::new(key_type(by))])?,
            key_bytes: 0,
            max,
            ty,
        })
    }

    fn feed(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let (values, by) = (argument(args, 0)?, argument(args, 1)?);
        let both = NullBuffer::union(values.logical_nulls().as_ref(), by.logical_nulls().as_ref());
        let counted = counted(both.as_ref(), filter);
        let keys = self.converter.convert_columns(&[normalized(by)?])?;
        self.offer_all(values, groups, counted.as_ref(), |row| {
            keys.row(row).as_ref().to_vec()
        })
    }

    fn offer_all(
        &mut self,
        values: &ArrayRef,
        groups: Groups<'_>,
        counted: Option<&NullBuffer>,
        key: impl Fn(usize) -> Vec<u8>,
    ) -> Result<()> {
        let piece = self.pieces.len();
        let mut rows: Vec<u32> = Vec::new();
        let (best, max) = (self.best.as_mut_slice(), self.max);
        let mut bytes = 0;
        for_each(groups, counted, |row, group| {
            let Some(best) = best.get_mut(group) else {
                return;
            };
            let key = key(row);
            let wins = match best {
                None => true,
                Some((known, _)) if max => key.as_slice() > known.as_ref(),
                Some((known, _)) => key.as_slice() < known.as_ref(),
            };
            if wins {
                bytes += key.len();
                *best = Some((key.into(), (piece, rows.len())));
                rows.push(row as u32);
            }
        });
        self.key_bytes += bytes;
        if !rows.is_empty() {
            self.pieces
                .push(take(values, &UInt32Array::from(rows), None)?);
        }
        if self.pieces.len() >= MAX_PIECES {
            self.compact()?;
        }
        Ok(())
    }

    fn places(&self) -> Vec<(usize, usize)> {
        let places = self.best.iter();
        places
            .map(|best| best.as_ref().map_or((0, 0), |(_, place)| *place))
            .collect()
    }

    fn gathered(&self) -> Result<ArrayRef> {
        let pieces: Vec<&dyn Array> = self.pieces.iter().map(AsRef::as_ref).collect();
        Ok(interleave(&pieces, &self.places())?)
    }

    /// One piece of what is still wanted.
    fn compact(&mut self) -> Result<()> {
        let null = new_null_array(&self.ty.to_arrow(), 1);
        let wanted = self.gathered()?;
        self.pieces = vec![concat(&[null.as_ref(), wanted.as_ref()])?];
        let mut bytes = 0;
        for (row, best) in self.best.iter_mut().enumerate() {
            if let Some((key, place)) = best {
                *place = (0, row + 1);
                bytes += key.len();
            }
        }
        self.key_bytes = bytes;
        Ok(())
    }
}

impl GroupsAccumulator for ArgExtreme {
    feed!();

    fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[u32],
        group_count: usize,
    ) -> Result<()> {
        self.resize(group_count);
        let keys = argument(states, 1)?;
        let keys = keys
            .as_any()
            .downcast_ref::<BinaryArray>()
            .ok_or_else(|| Error::internal("the keys of arg_min are bytes"))?;
        let values = argument(states, 0)?;
        let counted = keys.nulls().filter(|nulls| nulls.null_count() > 0);
        self.offer_all(values, Groups::PerRow(group_of_row), counted, |row| {
            keys.value(row).to_vec()
        })
    }

    fn resize(&mut self, group_count: usize) {
        if self.best.len() < group_count {
            self.best.resize(group_count, None);
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.ty.to_arrow(), DataType::Binary]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let keys = self.best.iter();
        let keys: BinaryArray = keys
            .map(|best| best.as_ref().map(|(key, _)| key.as_ref()))
            .collect();
        Ok(vec![self.finish()?, Arc::new(keys)])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let values = self.gathered()?;
        self.best.clear();
        self.key_bytes = 0;
        self.pieces = vec![new_null_array(&self.ty.to_arrow(), 1)];
        Ok(values)
    }

    fn size_bytes(&self) -> usize {
        let pieces: usize = self.pieces.iter().map(|p| p.get_array_memory_size()).sum();
        let best = size_of::<Option<Best>>();
        self.best.capacity() * best + self.key_bytes + pieces
    }
}
