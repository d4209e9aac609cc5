//! `string_agg(x, separator)`: the texts of a group, joined in the order in which they come.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::rows::{argument, counted, feed, for_each};
use crate::arrays::text;
use arrow::array::{Array, ArrayRef, BooleanArray, StringViewArray};
use arrow::datatypes::DataType;
use llkv_result::Result;
use std::sync::Arc;

/// Joined texts; NULL for none.
pub(super) struct StringAgg {
    joined: Vec<Option<String>>,
    separator: Arc<str>,
    bytes: usize,
}

impl StringAgg {
    pub(super) const fn new(separator: Arc<str>) -> Self {
        Self {
            joined: Vec::new(),
            separator,
            bytes: 0,
        }
    }

    fn feed(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let array = text(argument(args, 0)?)?;
        let counted = counted(array.nulls(), filter);
        for_each(groups, counted.as_ref(), |row, group| {
            let Some(joined) = self.joined.get_mut(group) else {
                return;
            };
            let value = array.value(row);
            self.bytes += value.len() + self.separator.len();
            match joined {
                None => *joined = Some(value.to_owned()),
                Some(joined) => {
                    joined.push_str(&self.separator);
                    joined.push_str(value);
                }
            }
        });
        Ok(())
    }
}

impl GroupsAccumulator for StringAgg {
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
        if self.joined.len() < group_count {
            self.joined.resize(group_count, None);
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Utf8View]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.finish()?])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.bytes = 0;
        Ok(Arc::new(StringViewArray::from_iter(std::mem::take(
            &mut self.joined,
        ))))
    }

    fn size_bytes(&self) -> usize {
        self.joined.capacity() * size_of::<Option<String>>() + self.bytes
    }
}
