//! `avg`: the exact sum of integers and decimals, the plain sum of floats, divided as DOUBLE.

use super::GroupsAccumulator;
use super::count::{count_rows, merge_counts};
use super::groups::Groups;
use super::rows::{argument, counted, feed};
use super::sum::{WIDE_STATE, add_floats, add_values, wide_column};
use crate::arrays::primitive;
use crate::cast::decimal::decimal_to_f64;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, Float64Array, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type};
use llkv_result::{EvalError, Result};
use llkv_types::SqlType;
use num_traits::AsPrimitive;
use std::marker::PhantomData;
use std::sync::Arc;

/// Means of integers or decimals with `scale` digits after the point.
pub(super) struct ExactAverage<T> {
    sums: Vec<i128>,
    counts: Vec<i64>,
    scale: u8,
    overflow: bool,
    of: PhantomData<fn(T)>,
}

impl<T> ExactAverage<T>
where
    T: ArrowPrimitiveType,
    T::Native: AsPrimitive<i128> + AsPrimitive<i64>,
{
    pub(super) fn new(scale: u8) -> Self {
        Self {
            sums: Vec::new(),
            counts: Vec::new(),
            scale,
            overflow: false,
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
        count_rows(&mut self.counts, groups, counted.as_ref());
        self.overflow |= add_values::<T, i128>(&mut self.sums, array, groups, counted.as_ref());
        self.check()
    }

    fn check(&self) -> Result<()> {
        if self.overflow {
            let ty = SqlType::Decimal {
                precision: SqlType::DECIMAL128_PRECISION,
                scale: self.scale,
            };
            return Err(EvalError::OutOfRange {
                operation: "avg".into(),
                ty: ty.to_string(),
            }
            .into());
        }
        Ok(())
    }
}

/// Sums over counts; NULL for none.
pub(crate) fn means(sums: impl Iterator<Item = f64>, counts: &[i64]) -> ArrayRef {
    let values: Vec<f64> = sums
        .zip(counts)
        .map(|(sum, &count)| if count == 0 { 0.0 } else { sum / count as f64 })
        .collect();
    let nulls = NullBuffer::from_iter(counts.iter().map(|&count| count != 0));
    let nulls = (nulls.null_count() > 0).then_some(nulls);
    Arc::new(Float64Array::new(values.into(), nulls))
}

impl<T> GroupsAccumulator for ExactAverage<T>
where
    T: ArrowPrimitiveType,
    T::Native: AsPrimitive<i128> + AsPrimitive<i64>,
{
    feed!();

    fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[u32],
        group_count: usize,
    ) -> Result<()> {
        self.resize(group_count);
        let sums = primitive::<Decimal128Type>(argument(states, 0)?)?;
        let groups = Groups::PerRow(group_of_row);
        self.overflow |= add_values::<Decimal128Type, i128>(&mut self.sums, sums, groups, None);
        merge_counts(&mut self.counts, argument(states, 1)?, group_of_row)?;
        self.check()
    }

    fn resize(&mut self, group_count: usize) {
        if self.sums.len() < group_count {
            self.sums.resize(group_count, 0);
            self.counts.resize(group_count, 0);
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![WIDE_STATE, DataType::Int64]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let sums = std::mem::take(&mut self.sums);
        let counts = Int64Array::from(std::mem::take(&mut self.counts));
        Ok(vec![wide_column(sums.into_iter(), None)?, Arc::new(counts)])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let scale = self.scale;
        let sums = std::mem::take(&mut self.sums).into_iter();
        let counts = std::mem::take(&mut self.counts);
        Ok(means(sums.map(|sum| decimal_to_f64(sum, scale)), &counts))
    }

    fn size_bytes(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.counts.capacity() * size_of::<i64>()
    }
}

/// Means of DOUBLE.
#[derive(Default)]
pub(super) struct FloatAverage {
    sums: Vec<f64>,
    counts: Vec<i64>,
}

impl FloatAverage {
    fn feed(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let array = primitive::<Float64Type>(argument(args, 0)?)?;
        let counted = counted(array.nulls(), filter);
        count_rows(&mut self.counts, groups, counted.as_ref());
        add_floats(&mut self.sums, array.values(), groups, counted.as_ref());
        Ok(())
    }
}

impl GroupsAccumulator for FloatAverage {
    feed!();

    fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[u32],
        group_count: usize,
    ) -> Result<()> {
        self.resize(group_count);
        let sums = primitive::<Float64Type>(argument(states, 0)?)?;
        let groups = Groups::PerRow(group_of_row);
        add_floats(&mut self.sums, sums.values(), groups, None);
        merge_counts(&mut self.counts, argument(states, 1)?, group_of_row)
    }

    fn resize(&mut self, group_count: usize) {
        if self.sums.len() < group_count {
            self.sums.resize(group_count, 0.0);
            self.counts.resize(group_count, 0);
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Float64, DataType::Int64]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let sums = Float64Array::from(std::mem::take(&mut self.sums));
        let counts = Int64Array::from(std::mem::take(&mut self.counts));
        Ok(vec![Arc::new(sums), Arc::new(counts)])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let sums = std::mem::take(&mut self.sums).into_iter();
        Ok(means(sums, &std::mem::take(&mut self.counts)))
    }

    fn size_bytes(&self) -> usize {
        self.sums.capacity() * size_of::<f64>() + self.counts.capacity() * size_of::<i64>()
    }
}
