//! `bool_and` and `bool_or`, which are also `min` and `max` of BOOLEAN.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::rows::{argument, counted, feed, for_each};
use crate::arrays::boolean;
use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::DataType;
use llkv_result::Result;
use std::sync::Arc;

/// Conjunctions, or disjunctions where `any`.
pub(super) struct BoolFold {
    values: Vec<Option<bool>>,
    any: bool,
}

impl BoolFold {
    pub(super) const fn new(any: bool) -> Self {
        Self {
            values: Vec::new(),
            any,
        }
    }

    fn feed(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let array = boolean(argument(args, 0)?)?;
        let counted = counted(array.nulls(), filter);
        let any = self.any;
        let states = self.values.as_mut_slice();
        for_each(groups, counted.as_ref(), |row, group| {
            if let Some(state) = states.get_mut(group) {
                let value = array.value(row);
                *state = Some(match *state {
                    None => value,
                    Some(known) if any => known | value,
                    Some(known) => known & value,
                });
            }
        });
        Ok(())
    }
}

impl GroupsAccumulator for BoolFold {
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
        if self.values.len() < group_count {
            self.values.resize(group_count, None);
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Boolean]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.finish()?])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(BooleanArray::from(std::mem::take(
            &mut self.values,
        ))))
    }

    fn size_bytes(&self) -> usize {
        self.values.capacity()
    }
}
