//! `min` and `max` of TEXT and BLOB, by bytes, and of values that carry their own type, by their keys.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::rows::{argument, counted, feed, for_each};
use crate::arrays::{blob, text};
use arrow::array::{Array, ArrayRef, BinaryViewArray, BooleanArray, StringViewBuilder};
use arrow::datatypes::DataType;
use llkv_result::{Error, Result};
use llkv_types::{SqlType, variant};
use std::sync::Arc;

/// The least values, or the greatest where `max`.
pub(super) struct BytesExtreme {
    best: Vec<Option<Box<[u8]>>>,
    bytes: usize,
    max: bool,
    ty: SqlType,
}

impl BytesExtreme {
    /// For TEXT, BLOB or a variant.
    pub(super) const fn new(max: bool, ty: SqlType) -> Self {
        Self {
            best: Vec::new(),
            bytes: 0,
            max,
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
        let counted = counted(array.nulls(), filter);
        match self.ty {
            SqlType::Text => {
                let array = text(array)?;
                for_each(groups, counted.as_ref(), |row, group| {
                    self.offer(group, array.value(row).as_bytes());
                });
            }
            SqlType::Variant => {
                let array = variant::encoded(array.as_ref())?;
                for_each(groups, counted.as_ref(), |row, group| {
                    self.offer(group, array.value(row));
                });
            }
            _ => {
                let array = blob(array)?;
                for_each(groups, counted.as_ref(), |row, group| {
                    self.offer(group, array.value(row));
                });
            }
        }
        Ok(())
    }

    fn offer(&mut self, group: usize, value: &[u8]) {
        let Some(best) = self.best.get_mut(group) else {
            return;
        };
        let variants = self.ty == SqlType::Variant;
        let better = match best {
            None => true,
            Some(best) => {
                let order = if variants {
                    variant::key(value).cmp(variant::key(best))
                } else {
                    value.cmp(best)
                };
                if self.max {
                    order.is_gt()
                } else {
                    order.is_lt()
                }
            }
        };
        if better {
            self.bytes += value.len();
            self.bytes -= best.as_ref().map_or(0, |old| old.len());
            *best = Some(value.into());
        }
    }
}

impl GroupsAccumulator for BytesExtreme {
    feed!();

    fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[u32],
        group_count: usize,
    ) -> Result<()> {
        self.update(states, Groups::PerRow(group_of_row), group_count, None)
    }

    fn resize(&mut self, group_count: usize) {
        if self.best.len() < group_count {
            self.best.resize(group_count, None);
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.ty.to_arrow()]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.finish()?])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.bytes = 0;
        let best = std::mem::take(&mut self.best);
        match self.ty {
            SqlType::Text => {}
            SqlType::Variant => return variant::from_encoded(BinaryViewArray::from_iter(best)),
            _ => return Ok(Arc::new(BinaryViewArray::from_iter(best))),
        }
        let mut out = StringViewBuilder::with_capacity(best.len());
        for value in best {
            let value = value.as_deref().map(std::str::from_utf8).transpose();
            out.append_option(value.map_err(|_| Error::internal("a text is no UTF-8"))?);
        }
        Ok(Arc::new(out.finish()))
    }

    fn size_bytes(&self) -> usize {
        self.best.capacity() * size_of::<Option<Box<[u8]>>>() + self.bytes
    }
}
