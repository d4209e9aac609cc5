//! `sum` and `total`.
//!
//! Integers and decimals are added in 64 or 128 bits, whichever cannot reasonably overflow, and
//! an overflow is noticed all the same. Floats are added plainly, in the order of the rows.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::rows::{Seen, argument, counted, feed, for_each};
use crate::arrays::primitive;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, Decimal128Array, Float64Array,
    PrimitiveArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal64Type, Decimal128Type, Float64Type, Int64Type};
use llkv_result::{Error, EvalError, Result};
use llkv_types::SqlType;
use num_traits::AsPrimitive;
use std::marker::PhantomData;
use std::sync::Arc;

/// A state in which values are added.
pub(super) trait Total: Copy + Default + Send + From<i64> + 'static {
    /// Adds and says whether the state overflowed.
    fn add(self, other: Self) -> (Self, bool);
    /// The state in 128 bits.
    fn wide(self) -> i128;
    /// Back from 128 bits; `None` where it does not fit.
    fn narrow(wide: i128) -> Option<Self>;
}

macro_rules! total {
    ($native:ty) => {
        impl Total for $native {
            #[inline]
            fn add(self, other: Self) -> (Self, bool) {
                self.overflowing_add(other)
            }
            fn wide(self) -> i128 {
                i128::from(self)
            }
            fn narrow(wide: i128) -> Option<Self> {
                wide.try_into().ok()
            }
        }
    };
}
total!(i64);
total!(i128);

/// Sums of integers or decimals of Arrow type `T`, in states of type `S`.
pub(super) struct ExactSum<T, S> {
    sums: Vec<S>,
    seen: Seen,
    overflow: bool,
    ty: SqlType,
    of: PhantomData<fn(T)>,
}

impl<T, S> ExactSum<T, S>
where
    T: ArrowPrimitiveType,
    T::Native: AsPrimitive<S> + AsPrimitive<i64>,
    S: Total,
{
    pub(super) fn new(ty: SqlType) -> Self {
        Self {
            sums: Vec::new(),
            seen: Seen::default(),
            overflow: false,
            ty,
            of: PhantomData,
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
        self.seen.mark(groups, counted.as_ref());
        self.overflow |= add_values::<T, S>(&mut self.sums, array, groups, counted.as_ref());
        Ok(())
    }

    fn out_of_range(&self) -> Error {
        out_of_range(self.ty)
    }
}

/// A sum does not fit its type.
pub(crate) fn out_of_range(ty: SqlType) -> Error {
    EvalError::OutOfRange {
        operation: "sum".into(),
        ty: ty.to_string(),
    }
    .into()
}

/// No sum of this many values of a type leaves 64 bits.
fn fits_64_bits(data_type: &DataType, rows: usize) -> bool {
    let digits = match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 => 10,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => 10,
        DataType::Decimal64(precision, _) => u32::from(*precision),
        _ => return false,
    };
    // Fewer than 19 digits in all.
    digits + rows.checked_ilog10().map_or(0, |log| log + 1) < 19 || digits <= 15 && rows <= 9_000
}

/// Adds values to the sums of their groups and says whether a sum overflowed.
pub(super) fn add_values<T, S>(
    sums: &mut [S],
    array: &PrimitiveArray<T>,
    groups: Groups<'_>,
    counted: Option<&NullBuffer>,
) -> bool
where
    T: ArrowPrimitiveType,
    T::Native: AsPrimitive<S> + AsPrimitive<i64>,
    S: Total,
{
    let values = array.values();
    let mut overflow = false;
    let mut step = |sum: &mut S, value: T::Native| {
        let (next, bad) = sum.add(AsPrimitive::<S>::as_(value));
        *sum = next;
        overflow |= bad;
    };
    match (groups, counted) {
        (Groups::Single(rows), None) if fits_64_bits(array.data_type(), rows) => {
            let narrow = values.iter().fold(0_i64, |sum, value| {
                sum.wrapping_add(AsPrimitive::<i64>::as_(*value))
            });
            if let Some(sum) = sums.first_mut() {
                let (next, bad) = sum.add(S::from(narrow));
                *sum = next;
                overflow |= bad;
            }
        }
        (Groups::Single(_), None) => {
            if let Some(sum) = sums.first_mut() {
                // Of the local copy the compiler knows that no one else sees it.
                let mut local = *sum;
                values.iter().for_each(|&value| step(&mut local, value));
                *sum = local;
            }
        }
        (Groups::Sorted(groups, sorted), None) if fits_64_bits(array.data_type(), groups.len()) => {
            for ((_, rows), sum) in sorted.iter().zip(sums) {
                let narrow = rows.iter().fold(0_i64, |sum, row| {
                    let value = values.get(*row as usize).copied().unwrap_or_default();
                    sum.wrapping_add(value.as_())
                });
                let (next, bad) = sum.add(S::from(narrow));
                *sum = next;
                overflow |= bad;
            }
        }
        (Groups::Sorted(_, sorted), None) => {
            for ((_, rows), sum) in sorted.iter().zip(sums) {
                let mut local = *sum;
                for row in rows {
                    step(
                        &mut local,
                        values.get(*row as usize).copied().unwrap_or_default(),
                    );
                }
                *sum = local;
            }
        }
        (Groups::PerRow(groups), None) => {
            for (&value, &group) in values.iter().zip(groups) {
                if let Some(sum) = sums.get_mut(group as usize) {
                    step(sum, value);
                }
            }
        }
        _ => for_each(groups, counted, |row, group| {
            if let (Some(sum), Some(&value)) = (sums.get_mut(group), values.get(row)) {
                step(sum, value);
            }
        }),
    }
    overflow
}

/// 128-bit states as a column.
pub(super) fn wide_column(
    sums: impl Iterator<Item = i128>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let values: Vec<i128> = sums.collect();
    Ok(Arc::new(Decimal128Array::try_new(values.into(), nulls)?))
}

impl<T, S> GroupsAccumulator for ExactSum<T, S>
where
    T: ArrowPrimitiveType,
    T::Native: AsPrimitive<S> + AsPrimitive<i64>,
    S: Total,
{
    feed!();

    fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[u32],
        group_count: usize,
    ) -> Result<()> {
        self.resize(group_count);
        let partial = primitive::<Decimal128Type>(argument(states, 0)?)?;
        let groups = Groups::PerRow(group_of_row);
        self.seen.mark(groups, partial.nulls());
        let mut fits = true;
        let sums = self.sums.as_mut_slice();
        for_each(groups, partial.nulls(), |row, group| {
            if let Some(sum) = sums.get_mut(group) {
                let (next, bad) = match S::narrow(partial.value(row)) {
                    Some(value) => sum.add(value),
                    None => (*sum, true),
                };
                *sum = next;
                fits &= !bad;
            }
        });
        self.overflow |= !fits;
        if self.overflow {
            Err(self.out_of_range())
        } else {
            Ok(())
        }
    }

    fn resize(&mut self, group_count: usize) {
        if self.sums.len() < group_count {
            self.sums.resize(group_count, S::default());
            self.seen.resize(group_count);
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![WIDE_STATE]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        if self.overflow {
            return Err(self.out_of_range());
        }
        let sums = std::mem::take(&mut self.sums);
        let nulls = self.seen.take_nulls();
        Ok(vec![wide_column(sums.into_iter().map(S::wide), nulls)?])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        if self.overflow {
            return Err(self.out_of_range());
        }
        let nulls = self.seen.take_nulls();
        let sums = std::mem::take(&mut self.sums);
        let wide = sums.into_iter().map(S::wide);
        exact_result(wide, nulls, self.ty)?.ok_or_else(|| self.out_of_range())
    }

    fn size_bytes(&self) -> usize {
        self.sums.capacity() * size_of::<S>() + self.seen.size_bytes()
    }
}

/// Sums in the type of the result; `None` where one does not fit.
pub(crate) fn exact_result(
    sums: impl Iterator<Item = i128>,
    nulls: Option<NullBuffer>,
    ty: SqlType,
) -> Result<Option<ArrayRef>> {
    fn narrow<T: ArrowPrimitiveType<Native = i64>>(
        sums: impl Iterator<Item = i128>,
        nulls: Option<NullBuffer>,
        limit: i128,
        ty: SqlType,
    ) -> Option<ArrayRef> {
        let fits = |value: i128| i64::try_from(value).ok().filter(|_| value.abs() < limit);
        let values = sums.map(fits).collect::<Option<Vec<i64>>>()?;
        let array = PrimitiveArray::<T>::new(values.into(), nulls);
        Some(Arc::new(array.with_data_type(ty.to_arrow())))
    }
    match ty {
        SqlType::Int64 => Ok(narrow::<Int64Type>(sums, nulls, i128::MAX, ty)),
        SqlType::Decimal { precision, .. } => {
            let limit = crate::arithmetic::decimal::limit(precision);
            if precision <= SqlType::DECIMAL64_PRECISION {
                return Ok(narrow::<Decimal64Type>(sums, nulls, limit, ty));
            }
            let fits = |value: &i128| -limit < *value && *value < limit;
            let values: Vec<i128> = sums.collect();
            if !values.iter().all(fits) {
                return Ok(None);
            }
            let array = PrimitiveArray::<Decimal128Type>::new(values.into(), nulls);
            Ok(Some(Arc::new(array.with_data_type(ty.to_arrow()))))
        }
        ty => Err(Error::internal(format!("no sum of type {ty}"))),
    }
}

/// The column type of 128-bit states.
pub(super) const WIDE_STATE: DataType = DataType::Decimal128(38, 10);

/// Sums of DOUBLE; `total` is 0.0 instead of NULL for no value.
#[derive(Default)]
pub(super) struct FloatSum {
    sums: Vec<f64>,
    seen: Seen,
    total: bool,
}

impl FloatSum {
    /// `total`
    pub(super) fn total() -> Self {
        Self {
            total: true,
            ..Self::default()
        }
    }

    fn feed(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let array = primitive::<Float64Type>(argument(args, 0)?)?;
        let counted = counted(array.nulls(), filter);
        self.seen.mark(groups, counted.as_ref());
        add_floats(&mut self.sums, array.values(), groups, counted.as_ref());
        Ok(())
    }
}

/// Adds floats to the sums of their groups.
pub(super) fn add_floats(
    sums: &mut [f64],
    values: &[f64],
    groups: Groups<'_>,
    counted: Option<&NullBuffer>,
) {
    if let (Groups::Single(_), None) = (groups, counted) {
        if let Some(sum) = sums.first_mut() {
            *sum = sum_in_lanes(*sum, values);
        }
        return;
    }
    if let (Groups::Sorted(_, sorted), None) = (groups, counted) {
        for ((_, rows), sum) in sorted.iter().zip(sums) {
            *sum = rows.iter().fold(*sum, |sum, row| {
                sum + values.get(*row as usize).copied().unwrap_or_default()
            });
        }
        return;
    }
    for_each(groups, counted, |row, group| {
        if let (Some(sum), Some(value)) = (sums.get_mut(group), values.get(row)) {
            *sum += value;
        }
    });
}

/// Sums that are added up side by side: one after the other, each addition waits for the one before it.
const LANES: usize = 16;

/// Fewer values than this are added in their order.
const MIN_LANE_VALUES: usize = 32 * LANES;

/// The sum of `start` and all values.
fn sum_in_lanes(start: f64, values: &[f64]) -> f64 {
    if values.len() < MIN_LANE_VALUES {
        return values.iter().fold(start, |sum, value| sum + value);
    }
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for block in blocks {
        for (lane, value) in lanes.iter_mut().zip(block) {
            *lane += value;
        }
    }
    let sum = lanes.iter().fold(start, |sum, lane| sum + lane);
    rest.iter().fold(sum, |sum, value| sum + value)
}

impl GroupsAccumulator for FloatSum {
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
        if self.sums.len() < group_count {
            self.sums.resize(group_count, 0.0);
            self.seen.resize(group_count);
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Float64]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let nulls = self.seen.take_nulls();
        let sums = std::mem::take(&mut self.sums);
        Ok(vec![Arc::new(Float64Array::new(sums.into(), nulls))])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let nulls = self.seen.take_nulls().filter(|_| !self.total);
        let sums = std::mem::take(&mut self.sums);
        Ok(Arc::new(Float64Array::new(sums.into(), nulls)))
    }

    fn size_bytes(&self) -> usize {
        self.sums.capacity() * size_of::<f64>() + self.seen.size_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whole numbers are added exactly in any order, whatever is left over behind the last block of lanes.
        #[test]
        fn lanes_add_what_one_after_the_other_adds(
            values in prop::collection::vec(-1_000_000_i32..1_000_000, 0..3_000),
            start in -1_000_i32..1_000,
        ) {
            let exact: i64 = i64::from(start) + values.iter().copied().map(i64::from).sum::<i64>();
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            prop_assert_eq!(sum_in_lanes(f64::from(start), &values), exact as f64);
        }
    }

    #[test]
    fn what_is_no_number_reaches_the_sum() {
        for (special, expected) in [(f64::NAN, f64::NAN), (f64::NEG_INFINITY, f64::NEG_INFINITY)] {
            for at in [0, 17, 1_023, 1_024] {
                let mut values = vec![1.0; 1_025];
                values[at] = special;
                assert_eq!(
                    sum_in_lanes(0.0, &values).total_cmp(&expected),
                    std::cmp::Ordering::Equal
                );
            }
        }
    }
}
