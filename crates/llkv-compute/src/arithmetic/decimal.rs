//! DECIMAL arithmetic: exact, in 64 bits where the result's precision allows, else in 128.
//!
//! A product of two 64-bit decimals that needs more than 18 digits is one widening multiplication
//! and cannot overflow. Quotients round half away from zero; where a scaled dividend exceeds 128 bits,
//! 256 take over.

use super::pair::{Pair, Refused, Side};
use super::{out_of_range, unsupported};
use crate::arrays::{primitive, sql_type};
use crate::value::Value;
use arrow::array::{Array, ArrayRef, PrimitiveArray};
use arrow::compute::unary;
use arrow::datatypes::{DataType, Decimal64Type, Decimal128Type, i256};
use llkv_expr::{BinaryOp, CastMode};
use llkv_result::{EvalError, Result};
use llkv_types::{SqlType, text};
use std::sync::Arc;

/// Ten to the power of `digits`; `None` beyond 38.
pub(crate) const fn power_of_ten(digits: u32) -> Option<i128> {
    10i128.checked_pow(digits)
}

/// The least magnitude that does not fit `precision` digits.
pub(crate) fn limit(precision: u8) -> i128 {
    power_of_ten(u32::from(precision)).unwrap_or(i128::MAX)
}

/// `numerator / denominator`, rounded half away from zero. The denominator is not zero.
pub(crate) fn divide_rounded(numerator: i128, denominator: i128) -> Option<i128> {
    let quotient = numerator.checked_div(denominator)?;
    let remainder = numerator.checked_rem(denominator)?;
    let half = denominator.unsigned_abs() - denominator.unsigned_abs() / 2;
    if remainder.unsigned_abs() >= half {
        let away = if (numerator < 0) == (denominator < 0) {
            1
        } else {
            -1
        };
        return quotient.checked_add(away);
    }
    Some(quotient)
}

/// Precision and scale of a decimal operand.
fn digits(value: &Value) -> Result<(u8, u8)> {
    match sql_type(value.array().as_ref())? {
        SqlType::Decimal { precision, scale } => Ok((precision, scale)),
        ty => Err(unsupported(BinaryOp::Add, ty, ty)),
    }
}

/// Both operands, in the widths in which they are stored.
enum Sides<'a> {
    Narrow(Side<'a, i64>, Side<'a, i64>),
    WideNarrow(Side<'a, i128>, Side<'a, i64>),
    NarrowWide(Side<'a, i64>, Side<'a, i128>),
    Wide(Side<'a, i128>, Side<'a, i128>),
}

fn is_narrow(value: &Value) -> bool {
    matches!(value.array().data_type(), DataType::Decimal64(..))
}

impl<'a> Sides<'a> {
    fn of(pair: &Pair<'a>) -> Result<Self> {
        let narrow = Pair::side::<Decimal64Type>;
        let wide = Pair::side::<Decimal128Type>;
        let (l, r) = (pair.left, pair.right);
        Ok(match (is_narrow(l), is_narrow(r)) {
            (true, true) => Self::Narrow(narrow(l)?, narrow(r)?),
            (false, true) => Self::WideNarrow(wide(l)?, narrow(r)?),
            (true, false) => Self::NarrowWide(narrow(l)?, wide(r)?),
            (false, false) => Self::Wide(wide(l)?, wide(r)?),
        })
    }

    /// The bits, without the sign, of the largest magnitudes among the left and the right operands.
    fn bits(&self) -> (u32, u32) {
        fn narrow(side: Side<'_, i64>) -> u32 {
            64 - side.fold(0, |all, v| all | (v ^ (v >> 63))).leading_zeros()
        }
        fn wide(side: Side<'_, i128>) -> u32 {
            128 - side
                .fold(0, |all, v| all | (v ^ (v >> 127)))
                .leading_zeros()
        }
        match *self {
            Self::Narrow(l, r) => (narrow(l), narrow(r)),
            Self::WideNarrow(l, r) => (wide(l), narrow(r)),
            Self::NarrowWide(l, r) => (narrow(l), wide(r)),
            Self::Wide(l, r) => (wide(l), wide(r)),
        }
    }

    /// Applies an operation in 128 bits.
    fn apply_wide(
        self,
        pair: &Pair<'_>,
        op: impl Fn(i128, i128) -> (i128, bool),
    ) -> Result<Vec<i128>, Refused<i128, i128>> {
        let widen = |r: Refused<i64, i64>| (i128::from(r.left), i128::from(r.right));
        let refused = |(left, right)| Refused { left, right };
        match self {
            Self::Narrow(l, r) => pair
                .apply(l, r, |l, r| op(i128::from(l), i128::from(r)))
                .map_err(|bad| refused(widen(bad))),
            Self::WideNarrow(l, r) => pair
                .apply(l, r, |l, r| op(l, i128::from(r)))
                .map_err(|bad| refused((bad.left, i128::from(bad.right)))),
            Self::NarrowWide(l, r) => pair
                .apply(l, r, |l, r| op(i128::from(l), r))
                .map_err(|bad| refused((i128::from(bad.left), bad.right))),
            Self::Wide(l, r) => pair.apply(l, r, op),
        }
    }
}

/// Applies an operator to two decimals. The result `ty` is a DECIMAL.
pub(super) fn decimal(op: BinaryOp, pair: Pair<'_>, ty: SqlType) -> Result<Value> {
    let SqlType::Decimal { precision, scale } = ty else {
        return Err(unsupported(op, ty, ty));
    };
    let (left, right) = (digits(pair.left)?, digits(pair.right)?);
    match op {
        BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Modulo
            if left.1 != scale || right.1 != scale =>
        {
            let (l, r) = (rescaled(pair.left, scale)?, rescaled(pair.right, scale)?);
            let pair = Pair::new(&l, &r);
            let digits = (digits(&l)?.0, digits(&r)?.0);
            additive(op, pair, digits, ty)
        }
        BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Modulo => {
            additive(op, pair, (left.0, right.0), ty)
        }
        BinaryOp::Multiply if left.1 + right.1 == scale => {
            multiply(pair, left.0 + right.0 <= precision, ty)
        }
        BinaryOp::Multiply => multiply_rescaled(pair, left.1 + right.1, ty),
        BinaryOp::Divide => divide(pair, left.1, right.1, ty),
        _ => Err(unsupported(op, ty, ty)),
    }
}

/// An operand with another scale.
fn rescaled(value: &Value, scale: u8) -> Result<Value> {
    let (precision, own) = digits(value)?;
    if own == scale {
        return Ok(value.clone());
    }
    let precision = (precision - own)
        .saturating_add(scale)
        .clamp(1, SqlType::DECIMAL128_PRECISION);
    let ty = SqlType::Decimal {
        precision,
        scale: scale.min(precision),
    };
    Ok(value.like(crate::cast::cast(value.array(), ty, CastMode::Strict)?))
}

/// Sum, difference and remainder of operands that have the scale of the result.
fn additive(op: BinaryOp, pair: Pair<'_>, digits: (u8, u8), ty: SqlType) -> Result<Value> {
    let SqlType::Decimal { precision, .. } = ty else {
        return Err(unsupported(op, ty, ty));
    };
    // With one digit more than either operand nothing can overflow.
    let roomy = precision > digits.0.max(digits.1);
    let sides = Sides::of(&pair)?;
    if let (Sides::Narrow(l, r), true) =
        (&sides, roomy && precision <= SqlType::DECIMAL64_PRECISION)
        && op != BinaryOp::Modulo
    {
        let values = match op {
            BinaryOp::Add => pair.apply(*l, *r, |l, r| (l.wrapping_add(r), false)),
            _ => pair.apply(*l, *r, |l, r| (l.wrapping_sub(r), false)),
        };
        let values = values.map_err(|_| unsupported(op, ty, ty))?;
        return Ok(pair.finish::<Decimal64Type>(values, ty.to_arrow()));
    }
    let limit = limit(precision);
    let within =
        |(value, overflow): (i128, bool)| (value, overflow | (value >= limit) | (value <= -limit));
    let values = match op {
        BinaryOp::Add => sides.apply_wide(&pair, |l, r| within(l.overflowing_add(r))),
        BinaryOp::Subtract => sides.apply_wide(&pair, |l, r| within(l.overflowing_sub(r))),
        _ => sides.apply_wide(&pair, |l, r| match l.checked_rem(r) {
            Some(value) => within((value, false)),
            None => (0, r == 0),
        }),
    };
    finish_wide(op, pair, values, ty)
}

/// A product whose scale is the sum of the operands' scales. `exact`: its precision holds all digits.
fn multiply(pair: Pair<'_>, exact: bool, ty: SqlType) -> Result<Value> {
    let op = BinaryOp::Multiply;
    let SqlType::Decimal { precision, .. } = ty else {
        return Err(unsupported(op, ty, ty));
    };
    let sides = Sides::of(&pair)?;
    match sides {
        Sides::Narrow(l, r) if exact && precision <= SqlType::DECIMAL64_PRECISION => {
            let values = pair
                .apply(l, r, |l, r| (l.wrapping_mul(r), false))
                .map_err(|_| unsupported(op, ty, ty))?;
            Ok(pair.finish::<Decimal64Type>(values, ty.to_arrow()))
        }
        // 36 digits at most: no overflow of 128 bits, and the precision holds them.
        Sides::Narrow(l, r) if exact => {
            let values = pair
                .apply(l, r, |l, r| (i128::from(l) * i128::from(r), false))
                .map_err(|_| unsupported(op, ty, ty))?;
            Ok(pair.finish::<Decimal128Type>(values, ty.to_arrow()))
        }
        sides => {
            let limit = limit(precision);
            // Usually the factors are far smaller than their types allow; looking costs less than testing
            // every product.
            let (left, right) = sides.bits();
            let values = if left.max(right) < 64 && left + right <= limit.ilog2() {
                let short = |l, r| (i128::from(l as i64) * i128::from(r as i64), false);
                sides.apply_wide(&pair, short)
            } else {
                sides.apply_wide(&pair, |l, r| product_within(l, r, limit))
            };
            finish_wide(op, pair, values, ty)
        }
    }
}

/// A product and whether it exceeds `limit`. Factors of 64 bits, the usual ones, take the short way.
fn product_within(left: i128, right: i128, limit: i128) -> (i128, bool) {
    let (l, r) = (left as i64, right as i64);
    if (i128::from(l) == left) & (i128::from(r) == right) {
        let value = i128::from(l) * i128::from(r);
        return (value, (value >= limit) | (value <= -limit));
    }
    let (value, overflow) = left.overflowing_mul(right);
    (value, overflow | (value >= limit) | (value <= -limit))
}

/// A product that has more digits after the point than the result keeps.
fn multiply_rescaled(pair: Pair<'_>, product_scale: u8, ty: SqlType) -> Result<Value> {
    let op = BinaryOp::Multiply;
    let SqlType::Decimal { precision, scale } = ty else {
        return Err(unsupported(op, ty, ty));
    };
    let Some(excess) = product_scale.checked_sub(scale) else {
        return Err(unsupported(op, ty, ty));
    };
    let limit = limit(precision);
    let divisor = big_power_of_ten(u32::from(excess));
    let values = Sides::of(&pair)?.apply_wide(&pair, |l, r| {
        let product = i256::from_i128(l).wrapping_mul(i256::from_i128(r));
        narrow(divide_big(product, divisor), limit)
    });
    finish_wide(op, pair, values, ty)
}

/// A quotient with `scale` digits after the point: the dividend is scaled up first.
fn divide(pair: Pair<'_>, left_scale: u8, right_scale: u8, ty: SqlType) -> Result<Value> {
    let op = BinaryOp::Divide;
    let SqlType::Decimal { precision, scale } = ty else {
        return Err(unsupported(op, ty, ty));
    };
    // left / 10^ls / (right / 10^rs) * 10^s = left * 10^(s + rs - ls) / right
    let Some(shift) = (u32::from(scale) + u32::from(right_scale)).checked_sub(left_scale.into())
    else {
        return Err(unsupported(op, ty, ty));
    };
    let limit = limit(precision);
    let (factor, big_factor) = (power_of_ten(shift), big_power_of_ten(shift));
    let values = Sides::of(&pair)?.apply_wide(&pair, |l, r| {
        if r == 0 {
            return (0, true);
        }
        match factor.and_then(|factor| l.checked_mul(factor)) {
            Some(scaled) => match divide_rounded(scaled, r) {
                Some(value) => (value, (value >= limit) | (value <= -limit)),
                None => (0, true),
            },
            None => {
                let scaled = i256::from_i128(l).wrapping_mul(big_factor);
                narrow(divide_big(scaled, i256::from_i128(r)), limit)
            }
        }
    });
    finish_wide(op, pair, values, ty)
}

/// Ten to the power of `digits`, which is at most 76.
fn big_power_of_ten(digits: u32) -> i256 {
    i256::from_i128(10).wrapping_pow(digits.min(76))
}

/// Rounded half away from zero; `None` for a zero denominator.
fn divide_big(numerator: i256, denominator: i256) -> Option<i256> {
    let quotient = numerator.checked_div(denominator)?;
    let remainder = numerator.checked_rem(denominator)?.wrapping_abs();
    let magnitude = denominator.wrapping_abs();
    if remainder >= magnitude.wrapping_sub(remainder) {
        let negative = (numerator < i256::ZERO) != (denominator < i256::ZERO);
        let away = if negative { i256::MINUS_ONE } else { i256::ONE };
        return quotient.checked_add(away);
    }
    Some(quotient)
}

fn narrow(value: Option<i256>, limit: i128) -> (i128, bool) {
    match value.and_then(i256::to_i128) {
        Some(value) => (value, (value >= limit) | (value <= -limit)),
        None => (0, true),
    }
}

/// Puts 128-bit values, all within the precision, into the width of the result.
fn finish_wide(
    op: BinaryOp,
    pair: Pair<'_>,
    values: Result<Vec<i128>, Refused<i128, i128>>,
    ty: SqlType,
) -> Result<Value> {
    match values {
        Ok(values) if matches!(ty.to_arrow(), DataType::Decimal64(..)) => {
            let narrow = values.iter().map(|&v| v as i64).collect();
            Ok(pair.finish::<Decimal64Type>(narrow, ty.to_arrow()))
        }
        Ok(values) => Ok(pair.finish::<Decimal128Type>(values, ty.to_arrow())),
        Err(bad) if bad.right == 0 && matches!(op, BinaryOp::Divide | BinaryOp::Modulo) => {
            Err(EvalError::DivisionByZero.into())
        }
        Err(bad) => {
            let (left, right) = (digits(pair.left)?.1, digits(pair.right)?.1);
            Err(out_of_range(
                op,
                text::Shown(|out| text::write_decimal(out, bad.left, left)),
                text::Shown(|out| text::write_decimal(out, bad.right, right)),
                ty,
            ))
        }
    }
}

/// `-x`: every decimal has its counterpart.
pub(super) fn negate(operand: &Value, ty: SqlType) -> Result<Value> {
    let array = operand.array().as_ref();
    let negated: ArrayRef = if is_narrow(operand) {
        let out: PrimitiveArray<Decimal64Type> =
            unary(primitive::<Decimal64Type>(array)?, i64::wrapping_neg);
        Arc::new(out.with_data_type(ty.to_arrow()))
    } else {
        let out: PrimitiveArray<Decimal128Type> =
            unary(primitive::<Decimal128Type>(array)?, i128::wrapping_neg);
        Arc::new(out.with_data_type(ty.to_arrow()))
    };
    Ok(operand.like(negated))
}
