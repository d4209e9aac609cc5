//! `min` and `max` of TEXT and BLOB, by bytes.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::rows::{argument, counted, feed, for_each};
use crate::arrays::{blob, text};
use arrow::array::{Array, ArrayRef, BinaryViewArray, BooleanArray, StringViewBuilder};
use arrow::datatypes::DataType;
use llkv_result::{Error, Result};
use std::sync::Arc;

/// The least values, or the greatest where `max`.
pub(super) struct BytesExtreme {
    best: Vec<Option<Box<[u8]>>>,
    bytes: usize,
    max: bool,
    text: bool,
}

impl BytesExtreme {
    /// For TEXT where `text`, else for BLOB.
    pub(super) const fn new(max: bool, text: bool) -> Self {
        Self {
            best: Vec::new(),
            bytes: 0,
            max,
            text,
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
        if self.text {
            let array = text(array)?;
            for_each(groups, counted.as_ref(), |row, group| {
                self.offer(group, array.value(row).as_bytes());
            });
        } else {
            let array = blob(array)?;
            for_each(groups, counted.as_ref(), |row, group| {
                self.offer(group, array.value(row));
            });
        }
        Ok(())
    }

    fn offer(&mut self, group: usize, value: &[u8]) {
        let Some(best) = self.best.get_mut(group) else {
            return;
        };
        let better = match best {
            None => true,
            Some(best) if self.max => value > &**best,
            Some(best) => value < &**best,
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
        vec![if self.text {
            DataType::Utf8View
        } else {
            DataType::BinaryView
        }]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.finish()?])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.bytes = 0;
        let best = std::mem::take(&mut self.best);
        if !self.text {
            return Ok(Arc::new(BinaryViewArray::from_iter(best)));
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
