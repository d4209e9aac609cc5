//! `min` and `max` of fixed-width types.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::rows::{Seen, argument, counted, feed, for_each};
use crate::arithmetic::temporal::interval_nanos;
use crate::arrays::primitive;
use crate::compare::float_order;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, IntervalMonthDayNano};
use llkv_result::Result;
use llkv_types::SqlType;
use std::cmp::Ordering;
use std::sync::Arc;

/// SQL's order of native values.
pub(crate) trait SqlOrder: Copy + Default + Send {
    /// It.
    fn order(self, other: Self) -> Ordering;
}

macro_rules! natural_order {
    ($($native:ty),*) => {$(
        impl SqlOrder for $native {
            fn order(self, other: Self) -> Ordering {
                self.cmp(&other)
            }
        }
    )*};
}
natural_order!(i8, i16, i32, i64, i128, u8, u16, u32, u64);

impl SqlOrder for f32 {
    fn order(self, other: Self) -> Ordering {
        float_order(self, other)
    }
}

impl SqlOrder for f64 {
    fn order(self, other: Self) -> Ordering {
        float_order(self, other)
    }
}

impl SqlOrder for IntervalMonthDayNano {
    fn order(self, other: Self) -> Ordering {
        interval_nanos(self).cmp(&interval_nanos(other))
    }
}

/// The least values, or the greatest where `MAX`.
pub(super) struct Extreme<T: ArrowPrimitiveType, const MAX: bool> {
    best: Vec<T::Native>,
    seen: Seen,
    ty: SqlType,
}

impl<T: ArrowPrimitiveType, const MAX: bool> Extreme<T, MAX>
where
    T::Native: SqlOrder,
{
    pub(super) fn new(ty: SqlType) -> Self {
        Self {
            best: Vec::new(),
            seen: Seen::default(),
            ty,
        }
    }

    fn is_better(value: T::Native, than: T::Native) -> bool {
        if MAX {
            value.order(than).is_gt()
        } else {
            value.order(than).is_lt()
        }
    }

    fn feed(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let array = primitive::<T>(argument(args, 0)?)?;
        let counted = counted(array.nulls(), filter);
        match groups {
            Groups::Single(_) => self.feed_single(array, counted.as_ref()),
            groups => self.feed_groups(array, groups, counted.as_ref()),
        }
        Ok(())
    }

    fn feed_groups(
        &mut self,
        array: &PrimitiveArray<T>,
        groups: Groups<'_>,
        counted: Option<&NullBuffer>,
    ) {
        let (best, seen) = (self.best.as_mut_slice(), &mut self.seen);
        let values = array.values();
        if seen.all() {
            return for_each(groups, counted, |row, group| {
                if let (Some(best), Some(&value)) = (best.get_mut(group), values.get(row))
                    && Self::is_better(value, *best)
                {
                    *best = value;
                }
            });
        }
        for_each(groups, counted, |row, group| {
            if let (Some(best), Some(&value)) = (best.get_mut(group), values.get(row))
                && (!seen.replace(group) || Self::is_better(value, *best))
            {
                *best = value;
            }
        });
    }

    /// One group: the best of the batch in a register, then one comparison with the state.
    fn feed_single(&mut self, array: &PrimitiveArray<T>, counted: Option<&NullBuffer>) {
        let better = |a: T::Native, b: T::Native| if Self::is_better(b, a) { b } else { a };
        let values = array.values();
        let best = match counted {
            None => values.iter().copied().reduce(better),
            Some(counted) => counted
                .valid_indices()
                .filter_map(|row| values.get(row).copied())
                .reduce(better),
        };
        let (Some(best), Some(state)) = (best, self.best.first_mut()) else {
            return;
        };
        *state = match self.seen.replace(0) {
            true => better(*state, best),
            false => best,
        };
    }
}

impl<T: ArrowPrimitiveType, const MAX: bool> GroupsAccumulator for Extreme<T, MAX>
where
    T::Native: SqlOrder,
{
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
            self.best.resize(group_count, T::Native::default());
            self.seen.resize(group_count);
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.ty.to_arrow()]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.finish()?])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let nulls = self.seen.take_nulls();
        let best = std::mem::take(&mut self.best);
        let array = PrimitiveArray::<T>::try_new(best.into(), nulls)?;
        Ok(Arc::new(array.with_data_type(self.ty.to_arrow())))
    }

    fn size_bytes(&self) -> usize {
        self.best.capacity() * size_of::<T::Native>() + self.seen.size_bytes()
    }
}
