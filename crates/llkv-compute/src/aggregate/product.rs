//! `product`: of DOUBLE, NULL for no value.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::rows::{Seen, argument, counted, feed, for_each};
use crate::arrays::primitive;
use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use llkv_result::Result;
use std::sync::Arc;

/// Products.
#[derive(Default)]
pub(super) struct Product {
    values: Vec<f64>,
    seen: Seen,
}

impl Product {
    fn feed(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let array = primitive::<Float64Type>(argument(args, 0)?)?;
        let counted = counted(array.nulls(), filter);
        self.seen.mark(groups, counted.as_ref());
        let states = self.values.as_mut_slice();
        for_each(groups, counted.as_ref(), |row, group| {
            if let Some(state) = states.get_mut(group) {
                *state *= array.value(row);
            }
        });
        Ok(())
    }
}

impl GroupsAccumulator for Product {
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
            self.values.resize(group_count, 1.0);
            self.seen.resize(group_count);
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Float64]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.finish()?])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let nulls = self.seen.take_nulls();
        let values = std::mem::take(&mut self.values);
        Ok(Arc::new(Float64Array::new(values.into(), nulls)))
    }

    fn size_bytes(&self) -> usize {
        self.values.capacity() * size_of::<f64>() + self.seen.size_bytes()
    }
}
