//! `count(*)` and `count(x)`.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::rows::{argument, counted, feed, for_each};
use crate::arrays::primitive;
use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Int64Type};
use llkv_result::Result;
use std::sync::Arc;

/// Rows, or values that are not NULL.
#[derive(Default)]
pub(super) struct Count {
    counts: Vec<i64>,
    /// `count(*)`: NULLs count.
    star: bool,
}

impl Count {
    /// `count(*)`
    pub(super) fn star() -> Self {
        Self {
            star: true,
            ..Self::default()
        }
    }

    fn feed(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let nulls = if self.star {
            None
        } else {
            argument(args, 0)?.logical_nulls()
        };
        count_rows(
            &mut self.counts,
            groups,
            counted(nulls.as_ref(), filter).as_ref(),
        );
        Ok(())
    }
}

/// Adds the number of rows that count to their groups.
pub(super) fn count_rows(counts: &mut [i64], groups: Groups<'_>, counted: Option<&NullBuffer>) {
    if let (Groups::Single(rows), Some(count)) = (groups, counts.first_mut()) {
        *count += counted.map_or(rows, |nulls| nulls.len() - nulls.null_count()) as i64;
        return;
    }
    if let (Groups::Sorted(_, sorted), None) = (groups, counted) {
        for ((_, rows), count) in sorted.iter().zip(counts) {
            *count += rows.len() as i64;
        }
        return;
    }
    for_each(groups, counted, |_, group| {
        if let Some(count) = counts.get_mut(group) {
            *count += 1;
        }
    });
}

/// Adds partial counts.
pub(super) fn merge_counts(
    counts: &mut [i64],
    partial: &dyn Array,
    group_of_row: &[u32],
) -> Result<()> {
    let partial = primitive::<Int64Type>(partial)?;
    for (count, group) in partial.values().iter().zip(group_of_row) {
        if let Some(sum) = counts.get_mut(*group as usize) {
            *sum += count;
        }
    }
    Ok(())
}

impl GroupsAccumulator for Count {
    feed!();

    fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[u32],
        group_count: usize,
    ) -> Result<()> {
        self.resize(group_count);
        merge_counts(&mut self.counts, argument(states, 0)?, group_of_row)
    }

    fn resize(&mut self, group_count: usize) {
        if self.counts.len() < group_count {
            self.counts.resize(group_count, 0);
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Int64]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.finish()?])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(Int64Array::from(std::mem::take(&mut self.counts))))
    }

    fn size_bytes(&self) -> usize {
        self.counts.capacity() * size_of::<i64>()
    }
}
