//! Casts to and from DECIMAL.

use super::numeric::{bound, none};
use super::{Conversion, parse};
use crate::arithmetic::decimal::{divide_rounded, limit, power_of_ten};
use crate::arrays::with_integer;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow::datatypes::{Decimal64Type, Decimal128Type, Float32Type, Float64Type};
use llkv_expr::CastMode;
use llkv_result::Result;
use llkv_types::SqlType;
use num_traits::{AsPrimitive, Bounded};

/// Digits that every 64-bit float counts exactly.
const EXACT_FLOAT: u128 = 1 << 53;

/// The largest power of ten that a 64-bit float holds exactly.
const EXACT_POWER: u32 = 22;

/// Precision and scale of the target.
fn target(conversion: Conversion) -> Result<(u8, u8)> {
    match conversion.to {
        SqlType::Decimal { precision, scale } => Ok((precision, scale)),
        _ => Err(none(conversion)),
    }
}

/// Runs a conversion into the width of the target; values beyond its precision have no counterpart.
fn into_decimal<S: ArrowPrimitiveType>(
    conversion: Conversion,
    array: &dyn Array,
    convert: impl Fn(S::Native) -> Option<i128>,
) -> Result<ArrayRef> {
    let (precision, _) = target(conversion)?;
    let limit = limit(precision);
    let checked = |value: Option<i128>| match value {
        Some(value) => (value, (value >= limit) | (value <= -limit)),
        None => (0, true),
    };
    if precision <= SqlType::DECIMAL64_PRECISION {
        conversion.map::<S, Decimal64Type>(array, |v| {
            let (value, bad) = checked(convert(v));
            (value as i64, bad)
        })
    } else {
        conversion.map::<S, Decimal128Type>(array, |v| checked(convert(v)))
    }
}

pub(super) fn integer_to_decimal<S>(conversion: Conversion, array: &dyn Array) -> Result<ArrayRef>
where
    S: ArrowPrimitiveType,
    S::Native: AsPrimitive<i128>,
{
    let (_, scale) = target(conversion)?;
    let factor = power_of_ten(u32::from(scale)).ok_or_else(|| none(conversion))?;
    into_decimal::<S>(conversion, array, |v| v.as_().checked_mul(factor))
}

/// A float by its shortest decimal form: 1.005 is 1.005, not the binary number just below.
pub(super) fn float_to_decimal<S>(conversion: Conversion, array: &dyn Array) -> Result<ArrayRef>
where
    S: ArrowPrimitiveType,
    S::Native: AsPrimitive<f64>,
{
    let (_, scale) = target(conversion)?;
    let real = conversion.from == SqlType::Float32;
    into_decimal::<S>(conversion, array, |v| {
        let value: f64 = v.as_();
        if !value.is_finite() {
            return None;
        }
        let digits = if real {
            format!("{:e}", value as f32)
        } else {
            format!("{value:e}")
        };
        parse::decimal(&digits, scale)
    })
}

pub(super) fn from_decimal(conversion: Conversion, array: &dyn Array) -> Result<ArrayRef> {
    match conversion.from {
        SqlType::Decimal { precision, scale } if precision <= SqlType::DECIMAL64_PRECISION => {
            from_width::<Decimal64Type>(conversion, array, scale)
        }
        SqlType::Decimal { scale, .. } => from_width::<Decimal128Type>(conversion, array, scale),
        _ => Err(none(conversion)),
    }
}

fn from_width<S>(conversion: Conversion, array: &dyn Array, scale: u8) -> Result<ArrayRef>
where
    S: ArrowPrimitiveType,
    S::Native: AsPrimitive<i128> + num_traits::Zero,
{
    let unit = power_of_ten(u32::from(scale)).ok_or_else(|| none(conversion))?;
    match conversion.to {
        SqlType::Boolean => super::numeric::to_boolean::<S>(array),
        SqlType::Float64 => {
            conversion.map::<S, Float64Type>(array, |v| (decimal_to_f64(v.as_(), scale), false))
        }
        SqlType::Float32 => conversion
            .map::<S, Float32Type>(array, |v| (decimal_to_f64(v.as_(), scale) as f32, false)),
        SqlType::Decimal { .. } => rescale::<S>(conversion, array, scale),
        to => with_integer!(
            to,
            integer_from::<_, S>(conversion, array, unit),
            Err(none(conversion))
        ),
    }
}

/// The float nearest to a decimal.
pub(crate) fn decimal_to_f64(value: i128, scale: u8) -> f64 {
    let scale = u32::from(scale);
    if value.unsigned_abs() <= EXACT_FLOAT && scale <= EXACT_POWER {
        // Both are exact, so the one division rounds correctly.
        return value as f64 / 10f64.powi(scale as i32);
    }
    format!("{value}e-{scale}").parse().unwrap_or(f64::NAN)
}

/// Half away from zero; SQLite truncates and clamps.
fn integer_from<D, S>(conversion: Conversion, array: &dyn Array, unit: i128) -> Result<ArrayRef>
where
    S: ArrowPrimitiveType,
    S::Native: AsPrimitive<i128>,
    D: ArrowPrimitiveType,
    D::Native: num_traits::NumCast + Bounded,
{
    let sqlite = conversion.mode == CastMode::Sqlite;
    conversion.map::<S, D>(array, |v| {
        let value: i128 = v.as_();
        let whole = if sqlite {
            value.checked_div(unit)
        } else {
            divide_rounded(value, unit)
        };
        match whole.and_then(<D::Native as num_traits::NumCast>::from) {
            Some(value) => (value, false),
            None if sqlite => (bound::<D>(value < 0), false),
            None => (D::Native::default(), true),
        }
    })
}

fn rescale<S>(conversion: Conversion, array: &dyn Array, from: u8) -> Result<ArrayRef>
where
    S: ArrowPrimitiveType,
    S::Native: AsPrimitive<i128>,
{
    let (_, to) = target(conversion)?;
    let factor = power_of_ten(u32::from(to.abs_diff(from))).ok_or_else(|| none(conversion))?;
    if to >= from {
        into_decimal::<S>(conversion, array, |v| v.as_().checked_mul(factor))
    } else {
        into_decimal::<S>(conversion, array, |v| divide_rounded(v.as_(), factor))
    }
}

/// True where the cast cannot fail, so that it may run on rows that a condition leaves out.
pub(crate) fn is_total(from: SqlType, to: SqlType, mode: CastMode) -> bool {
    if mode != CastMode::Strict || from == to || from == SqlType::Null || to == SqlType::Variant {
        return true;
    }
    match (from, to) {
        (_, SqlType::Text) => true,
        (SqlType::Decimal { .. }, to) if to.is_float() => true,
        (from, to) if from.is_integer() && to.is_float() => true,
        (SqlType::Float32, SqlType::Float64) => true,
        (from, SqlType::Boolean) if from.is_numeric() => true,
        (from, SqlType::Decimal { precision, scale }) => {
            crate::coercion::as_decimal(from).is_some_and(|(p, s)| {
                // One digit more where digits are cut off: rounding may carry.
                let carry = u8::from(s > scale);
                p - s + carry <= precision - scale
            })
        }
        (from, to) if from.is_integer() && to.is_integer() => {
            crate::coercion::common_type(from, to) == Some(to)
        }
        _ => false,
    }
}
