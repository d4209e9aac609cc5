//! Counts and exact sums as differences of running sums: every frame costs the same, however long.

use super::aggregates::{Framed, Input};
use crate::aggregate::{exact_result, means, sum_out_of_range};
use crate::arrays::{primitive, some_nulls, true_mask, with_integer};
use crate::cast::decimal::decimal_to_f64;
use arrow::array::{ArrayRef, ArrowPrimitiveType, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Decimal64Type, Decimal128Type};
use llkv_expr::{AggregateFunction, Expr};
use llkv_result::Result;
use llkv_types::SqlType;
use num_traits::{AsPrimitive, WrappingAdd, WrappingSub};
use std::sync::Arc;

/// The values of the frames; `None` for calls that are no differences.
pub(super) fn differences(input: &Input<'_>, framed: &Framed<'_>) -> Result<Option<ArrayRef>> {
    use AggregateFunction as A;
    if input.call.distinct {
        return Ok(None);
    }
    match input.call.function {
        A::CountStar | A::Count => {
            let counts = Counts::new(input);
            let values = framed.rows.iter().map(|row| counts.of(framed.pieces(*row)));
            Ok(Some(Arc::new(Int64Array::from_iter_values(values))))
        }
        A::Sum if matches!(input.call.ty, SqlType::Int64 | SqlType::Decimal { .. }) => {
            exact_sums(input, framed)
        }
        A::Avg => exact_sums(input, framed),
        _ => Ok(None),
    }
}

fn exact_sums(input: &Input<'_>, framed: &Framed<'_>) -> Result<Option<ArrayRef>> {
    let Some(ty) = input.call.args.first().map(Expr::ty) else {
        return Ok(None);
    };
    match ty {
        SqlType::Decimal { precision, .. } if precision <= SqlType::DECIMAL64_PRECISION => {
            sums::<Decimal64Type>(input, framed, ty)
        }
        SqlType::Decimal { .. } => sums::<Decimal128Type>(input, framed, ty),
        _ => with_integer!(ty, sums::<_>(input, framed, ty), Ok(None)),
    }
}

/// Rows that count before each row.
struct Counts(Option<Vec<u32>>);

impl Counts {
    fn new(input: &Input<'_>) -> Self {
        let counted = counted(input);
        Self(counted.map(|counted| {
            let mut before = Vec::with_capacity(counted.len() + 1);
            let mut count = 0;
            before.push(0);
            before.extend(counted.iter().map(|valid| {
                count += u32::from(valid);
                count
            }));
            before
        }))
    }

    fn of(&self, pieces: [(u32, u32); 3]) -> i64 {
        let range = |(start, end): (u32, u32)| match &self.0 {
            Some(before) => between(before, start, end).map_or(0, |(a, b)| b.wrapping_sub(a)),
            None => end - start,
        };
        pieces
            .into_iter()
            .map(|piece| i64::from(range(piece)))
            .sum()
    }
}

/// The rows that are not NULL and pass the filter; `None` for all.
fn counted(input: &Input<'_>) -> Option<NullBuffer> {
    let nulls = input.args.first().and_then(some_nulls);
    let filter = input.filter.map(|f| NullBuffer::new(true_mask(f)));
    NullBuffer::union(nulls.as_ref(), filter.as_ref()).filter(|n| n.null_count() > 0)
}

/// The running values at both ends of a range.
fn between<S: Copy>(running: &[S], start: u32, end: u32) -> Option<(S, S)> {
    let start = running.get(start as usize)?;
    Some((*start, *running.get(end as usize)?))
}

fn sums<T>(input: &Input<'_>, framed: &Framed<'_>, ty: SqlType) -> Result<Option<ArrayRef>>
where
    T: ArrowPrimitiveType,
    T::Native: AsPrimitive<i128> + AsPrimitive<i64>,
{
    let Some(array) = input.args.first() else {
        return Ok(None);
    };
    let values = primitive::<T>(array)?.values();
    let largest = values
        .iter()
        .map(|value| AsPrimitive::<i128>::as_(*value).unsigned_abs())
        .max()
        .unwrap_or_default();
    let Some(bound) = largest.checked_mul(values.len() as u128) else {
        return Ok(None);
    };
    let counted = counted(input);
    let counts = Counts::new(input);
    (input.check)()?;
    let of_frames: Vec<i128> = if bound <= i64::MAX as u128 {
        let running = running::<T::Native, i64>(values, counted.as_ref());
        let sum = |row: &u32| i128::from(total(&running, framed.pieces(*row)));
        framed.rows.iter().map(sum).collect()
    } else if bound <= i128::MAX as u128 {
        let running = running::<T::Native, i128>(values, counted.as_ref());
        let sum = |row: &u32| total(&running, framed.pieces(*row));
        framed.rows.iter().map(sum).collect()
    } else {
        return Ok(None);
    };
    let rows = framed.rows.iter();
    let counts: Vec<i64> = rows.map(|row| counts.of(framed.pieces(*row))).collect();
    if input.call.function == AggregateFunction::Avg {
        let scale = match ty {
            SqlType::Decimal { scale, .. } => scale,
            _ => 0,
        };
        let sums = of_frames.into_iter().map(|sum| decimal_to_f64(sum, scale));
        return Ok(Some(means(sums, &counts)));
    }
    let nulls = NullBuffer::from_iter(counts.iter().map(|count| *count > 0));
    let nulls = (nulls.null_count() > 0).then_some(nulls);
    match exact_result(of_frames.into_iter(), nulls, input.call.ty)? {
        Some(values) => Ok(Some(values)),
        None => Err(sum_out_of_range(input.call.ty)),
    }
}

/// The sum of the values before each row, and of all.
fn running<N, S>(values: &[N], counted: Option<&NullBuffer>) -> Vec<S>
where
    N: AsPrimitive<S>,
    S: Copy + Default + WrappingAdd + 'static,
{
    let mut running = Vec::with_capacity(values.len() + 1);
    let mut sum = S::default();
    running.push(sum);
    match counted {
        None => running.extend(values.iter().map(|value| {
            sum = sum.wrapping_add(&value.as_());
            sum
        })),
        Some(counted) => running.extend(values.iter().zip(counted.iter()).map(|(value, valid)| {
            if valid {
                sum = sum.wrapping_add(&value.as_());
            }
            sum
        })),
    }
    running
}

fn total<S: Copy + Default + WrappingAdd + WrappingSub>(
    running: &[S],
    pieces: [(u32, u32); 3],
) -> S {
    pieces.into_iter().fold(S::default(), |sum, (start, end)| {
        match between(running, start, end) {
            Some((before, upto)) => sum.wrapping_add(&upto.wrapping_sub(&before)),
            None => sum,
        }
    })
}
