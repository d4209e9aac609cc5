//! Casts among integers, floats, decimals and BOOLEAN.

use super::{Conversion, decimal};
use crate::arrays::{boolean, primitive, with_integer};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Float32Type, Float64Type, Int32Type};
use llkv_expr::CastMode;
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use num_traits::{AsPrimitive, Bounded, Zero};
use std::sync::Arc;

/// Converts between two number-like types that differ.
pub(super) fn numeric(conversion: Conversion, array: &ArrayRef) -> Result<ArrayRef> {
    let array = array.as_ref();
    match conversion.from {
        SqlType::Boolean => from_boolean(conversion, array),
        SqlType::Decimal { .. } => decimal::from_decimal(conversion, array),
        SqlType::Float64 => from_float::<Float64Type>(conversion, array),
        SqlType::Float32 => from_float::<Float32Type>(conversion, array),
        from => with_integer!(
            from,
            from_integer::<_>(conversion, array),
            Err(none(conversion))
        ),
    }
}

/// A pair of types that the dispatch does not know.
pub(super) fn none(conversion: Conversion) -> Error {
    Error::internal(format!(
        "no cast from {} to {}",
        conversion.from, conversion.to
    ))
}

/// TRUE as 1, FALSE as 0, by way of INTEGER.
fn from_boolean(conversion: Conversion, array: &dyn Array) -> Result<ArrayRef> {
    let source = boolean(array)?;
    let ones = source.values().iter().map(i32::from).collect::<Vec<_>>();
    let ones = PrimitiveArray::<Int32Type>::new(ones.into(), source.nulls().cloned());
    if conversion.to == SqlType::Int32 {
        return Ok(Arc::new(ones));
    }
    let from = SqlType::Int32;
    from_integer::<Int32Type>(Conversion { from, ..conversion }, &ones)
}

/// Zero is FALSE, anything else TRUE.
pub(super) fn to_boolean<T: ArrowPrimitiveType>(array: &dyn Array) -> Result<ArrayRef>
where
    T::Native: Zero,
{
    let source = primitive::<T>(array)?;
    let values = source.values();
    let mask = BooleanBuffer::collect_bool(source.len(), |row| !values[row].is_zero());
    Ok(Arc::new(BooleanArray::new(mask, source.nulls().cloned())))
}

fn from_integer<S>(conversion: Conversion, array: &dyn Array) -> Result<ArrayRef>
where
    S: ArrowPrimitiveType,
    S::Native: num_traits::NumCast
        + AsPrimitive<f64>
        + AsPrimitive<f32>
        + AsPrimitive<i128>
        + Zero
        + PartialOrd,
{
    match conversion.to {
        SqlType::Boolean => to_boolean::<S>(array),
        SqlType::Float64 => conversion.map::<S, Float64Type>(array, |v| (v.as_(), false)),
        SqlType::Float32 => conversion.map::<S, Float32Type>(array, |v| (v.as_(), false)),
        SqlType::Decimal { .. } => decimal::integer_to_decimal::<S>(conversion, array),
        to => with_integer!(
            to,
            integer_from::<_, S>(conversion, array),
            Err(none(conversion))
        ),
    }
}

fn integer_from<D, S>(conversion: Conversion, array: &dyn Array) -> Result<ArrayRef>
where
    S: ArrowPrimitiveType,
    S::Native: num_traits::NumCast + Zero + PartialOrd,
    D: ArrowPrimitiveType,
    D::Native: num_traits::NumCast + Bounded,
{
    let clamp = conversion.mode == CastMode::Sqlite;
    conversion.map::<S, D>(array, |v| {
        match <D::Native as num_traits::NumCast>::from(v) {
            Some(value) => (value, false),
            None if clamp => (bound::<D>(v < S::Native::zero()), false),
            None => (D::Native::default(), true),
        }
    })
}

/// The bound that a value out of range is nearest to.
pub(super) fn bound<D: ArrowPrimitiveType>(negative: bool) -> D::Native
where
    D::Native: Bounded,
{
    if negative {
        D::Native::min_value()
    } else {
        D::Native::max_value()
    }
}

fn from_float<S>(conversion: Conversion, array: &dyn Array) -> Result<ArrayRef>
where
    S: ArrowPrimitiveType,
    S::Native: AsPrimitive<f64> + AsPrimitive<f32> + Zero,
{
    match conversion.to {
        SqlType::Boolean => to_boolean::<S>(array),
        SqlType::Float64 => conversion.map::<S, Float64Type>(array, |v| (v.as_(), false)),
        SqlType::Float32 => conversion.map::<S, Float32Type>(array, |v| {
            let (wide, narrow): (f64, f32) = (v.as_(), v.as_());
            (narrow, narrow.is_infinite() && wide.is_finite())
        }),
        SqlType::Decimal { .. } => decimal::float_to_decimal::<S>(conversion, array),
        to => with_integer!(
            to,
            integer_from_float::<_, S>(conversion, array),
            Err(none(conversion))
        ),
    }
}

/// Rounded half to even; SQLite truncates and clamps.
fn integer_from_float<D, S>(conversion: Conversion, array: &dyn Array) -> Result<ArrayRef>
where
    S: ArrowPrimitiveType,
    S::Native: AsPrimitive<f64>,
    D: ArrowPrimitiveType,
    D::Native: num_traits::NumCast + Bounded,
{
    let sqlite = conversion.mode == CastMode::Sqlite;
    conversion.map::<S, D>(array, |v| {
        let value: f64 = v.as_();
        if sqlite && value.is_nan() {
            return (D::Native::default(), false);
        }
        let whole = if sqlite {
            value.trunc()
        } else {
            value.round_ties_even()
        };
        match <D::Native as num_traits::NumCast>::from(whole) {
            Some(value) => (value, false),
            None if sqlite => (bound::<D>(whole < 0.0), false),
            None => (D::Native::default(), true),
        }
    })
}
