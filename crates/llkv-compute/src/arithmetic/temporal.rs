//! Arithmetic of dates, times, timestamps and intervals.
//!
//! Months are added first (a day that the month does not have becomes its last), then days, then the
//! time of day. The difference of two timestamps is an interval of days and time, never of months.

use super::pair::{Pair, Refused, Side};
use super::{out_of_range, unsupported};
use crate::arrays::primitive;
use crate::value::Value;
use arrow::array::{ArrowPrimitiveType, PrimitiveArray};
use arrow::datatypes::{
    Date32Type, Float64Type, Int32Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use llkv_expr::BinaryOp;
use llkv_result::{EvalError, Result};
use llkv_types::calendar::{CivilDate, MICROS_PER_DAY, NANOS_PER_DAY};
use llkv_types::{Scalar, SqlType};
use std::sync::Arc;

/// Days that a month counts for where an interval is compared or cut into parts.
const DAYS_PER_MONTH: i64 = 30;

/// The length of an interval for comparing: nanoseconds, a month taken as 30 days.
pub(crate) fn interval_nanos(interval: IntervalMonthDayNano) -> i128 {
    let days = i128::from(interval.months) * i128::from(DAYS_PER_MONTH) + i128::from(interval.days);
    days * i128::from(NANOS_PER_DAY) + i128::from(interval.nanoseconds)
}

/// A timestamp moved by an interval, or `None` out of range.
pub(crate) fn add_interval(micros: i64, interval: IntervalMonthDayNano, sign: i64) -> Option<i64> {
    let mut days = i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok()?;
    let clock = micros.rem_euclid(MICROS_PER_DAY);
    if interval.months != 0 {
        days = CivilDate::from_days(days).add_months(i64::from(interval.months) * sign)?;
    }
    let days = i64::from(days) + i64::from(interval.days) * sign;
    days.checked_mul(MICROS_PER_DAY)?
        .checked_add(clock)?
        .checked_add(interval.nanoseconds / 1_000 * sign)
}

/// The interval between two timestamps.
pub(crate) fn interval_between(later: i64, earlier: i64) -> Option<IntervalMonthDayNano> {
    let micros = i128::from(later) - i128::from(earlier);
    let days = micros / i128::from(MICROS_PER_DAY);
    let rest = (micros % i128::from(MICROS_PER_DAY)) as i64;
    Some(IntervalMonthDayNano::new(
        0,
        i32::try_from(days).ok()?,
        rest * 1_000,
    ))
}

fn combine(
    a: IntervalMonthDayNano,
    b: IntervalMonthDayNano,
    sign: i32,
) -> Option<IntervalMonthDayNano> {
    Some(IntervalMonthDayNano::new(
        a.months.checked_add(b.months.checked_mul(sign)?)?,
        a.days.checked_add(b.days.checked_mul(sign)?)?,
        a.nanoseconds
            .checked_add(b.nanoseconds.checked_mul(i64::from(sign))?)?,
    ))
}

/// An interval of which each part is scaled, by a factor or a divisor; fractions of months become days, fractions of days time.
fn scale(
    interval: IntervalMonthDayNano,
    scaled: impl Fn(f64) -> f64,
) -> Option<IntervalMonthDayNano> {
    const DAY_SECONDS: f64 = 86_400.0;
    const MICRO_NANOS: f64 = 1_000.0;
    // To six digits: noise must not turn a whole number into its predecessor.
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    let months = scaled(f64::from(interval.months));
    let whole_months = months.trunc();
    let of_months = rounded((months - whole_months) * DAYS_PER_MONTH as f64);
    let days = scaled(f64::from(interval.days));
    // Parts of a day become time; only where they are a day or more together, days again.
    let seconds = rounded((days.fract() + of_months.fract()) * DAY_SECONDS);
    let whole_days = days.trunc() + of_months.trunc() + (seconds / DAY_SECONDS).trunc();
    let micros = scaled(interval.nanoseconds as f64 / MICRO_NANOS) + (seconds % DAY_SECONDS) * 1e6;
    let nanos = micros.round() * MICRO_NANOS;
    let fits = |value: f64| value.is_finite() && value.abs() < f64::from(i32::MAX);
    if !fits(whole_months) || !fits(whole_days) || nanos.is_nan() || nanos.abs() >= i64::MAX as f64
    {
        return None;
    }
    Some(IntervalMonthDayNano::new(
        whole_months as i32,
        whole_days as i32,
        nanos as i64,
    ))
}

/// `None` as an invalid value.
fn checked<T: Default>(value: Option<T>) -> (T, bool) {
    value.map_or_else(|| (T::default(), true), |value| (value, false))
}

type Kernel = fn(BinaryOp, Pair<'_>, SqlType) -> Result<Value>;

/// Applies an operator of which at least one operand is a date, a time or an interval.
pub(super) fn temporal(
    op: BinaryOp,
    pair: Pair<'_>,
    left: SqlType,
    right: SqlType,
    ty: SqlType,
) -> Result<Value> {
    use SqlType as T;
    let flipped = |kernel: Kernel| kernel(op, Pair::new(pair.right, pair.left), ty);
    match (left, right) {
        (T::Date, T::Int64) => date_and_days(op, pair, ty),
        (T::Int64, T::Date) => flipped(date_and_days),
        (T::Date, T::Date) => date_difference(op, pair, ty),
        (T::Date, T::Time) => date_and_time(op, pair, ty),
        (T::Time, T::Date) => flipped(date_and_time),
        (T::Timestamp | T::TimestampTz, T::Interval) => timestamp_and_interval(op, pair, ty),
        (T::Interval, T::Timestamp | T::TimestampTz) => flipped(timestamp_and_interval),
        (T::Time, T::Interval) => time_and_interval(op, pair, ty),
        (T::Interval, T::Time) => flipped(time_and_interval),
        (T::Timestamp, T::Timestamp) | (T::TimestampTz, T::TimestampTz) => {
            difference::<TimestampMicrosecondType>(op, pair, ty)
        }
        (T::Time, T::Time) => difference::<Time64MicrosecondType>(op, pair, ty),
        (T::Interval, T::Interval) => intervals(op, pair, ty),
        (T::Interval, T::Float64) => interval_and_number(op, pair, ty),
        (T::Float64, T::Interval) => flipped(interval_and_number),
        _ => Err(unsupported(op, left, right)),
    }
}

/// Runs a kernel over two typed sides and shows the operands that it refuses.
fn run<L, R, O>(
    op: BinaryOp,
    pair: Pair<'_>,
    ty: SqlType,
    show: impl Fn(L::Native, R::Native) -> (Scalar, Scalar),
    kernel: impl Fn(L::Native, R::Native) -> Option<O::Native>,
) -> Result<Value>
where
    L: ArrowPrimitiveType,
    R: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    let left: Side<'_, L::Native> = Pair::side::<L>(pair.left)?;
    let right: Side<'_, R::Native> = Pair::side::<R>(pair.right)?;
    match pair.apply(left, right, |l, r| checked(kernel(l, r))) {
        Ok(values) => Ok(pair.finish::<O>(values, ty.to_arrow())),
        Err(Refused { left, right }) => {
            let (left, right) = show(left, right);
            Err(out_of_range(op, left, right, ty))
        }
    }
}

fn sign(op: BinaryOp) -> i64 {
    if op == BinaryOp::Subtract { -1 } else { 1 }
}

fn date_and_days(op: BinaryOp, pair: Pair<'_>, ty: SqlType) -> Result<Value> {
    let sign = sign(op);
    run::<Date32Type, Int64Type, Date32Type>(
        op,
        pair,
        ty,
        |l, r| (Scalar::Date(l), Scalar::Int64(r)),
        |date, days| i32::try_from(i64::from(date).checked_add(days.checked_mul(sign)?)?).ok(),
    )
}

fn date_difference(op: BinaryOp, pair: Pair<'_>, ty: SqlType) -> Result<Value> {
    run::<Date32Type, Date32Type, Int32Type>(
        op,
        pair,
        ty,
        |l, r| (Scalar::Date(l), Scalar::Date(r)),
        i32::checked_sub,
    )
}

fn date_and_time(op: BinaryOp, pair: Pair<'_>, ty: SqlType) -> Result<Value> {
    run::<Date32Type, Time64MicrosecondType, TimestampMicrosecondType>(
        op,
        pair,
        ty,
        |l, r| (Scalar::Date(l), Scalar::Time(r)),
        |date, time| {
            i64::from(date)
                .checked_mul(MICROS_PER_DAY)?
                .checked_add(time)
        },
    )
}

fn timestamp_and_interval(op: BinaryOp, pair: Pair<'_>, ty: SqlType) -> Result<Value> {
    let sign = sign(op);
    run::<TimestampMicrosecondType, IntervalMonthDayNanoType, TimestampMicrosecondType>(
        op,
        pair,
        ty,
        |l, r| (Scalar::Timestamp(l), Scalar::Interval(r)),
        |timestamp, interval| add_interval(timestamp, interval, sign),
    )
}

/// A time of day moved by an interval's time, around midnight.
fn time_and_interval(op: BinaryOp, pair: Pair<'_>, ty: SqlType) -> Result<Value> {
    let sign = sign(op);
    run::<Time64MicrosecondType, IntervalMonthDayNanoType, Time64MicrosecondType>(
        op,
        pair,
        ty,
        |l, r| (Scalar::Time(l), Scalar::Interval(r)),
        |time, interval| {
            let moved = time.checked_add(interval.nanoseconds / 1_000 * sign)?;
            Some(moved.rem_euclid(MICROS_PER_DAY))
        },
    )
}

fn difference<T>(op: BinaryOp, pair: Pair<'_>, ty: SqlType) -> Result<Value>
where
    T: ArrowPrimitiveType<Native = i64>,
{
    run::<T, T, IntervalMonthDayNanoType>(
        op,
        pair,
        ty,
        |l, r| (Scalar::Timestamp(l), Scalar::Timestamp(r)),
        interval_between,
    )
}

fn intervals(op: BinaryOp, pair: Pair<'_>, ty: SqlType) -> Result<Value> {
    let sign = sign(op) as i32;
    run::<IntervalMonthDayNanoType, IntervalMonthDayNanoType, IntervalMonthDayNanoType>(
        op,
        pair,
        ty,
        |l, r| (Scalar::Interval(l), Scalar::Interval(r)),
        |l, r| combine(l, r, sign),
    )
}

fn interval_and_number(op: BinaryOp, pair: Pair<'_>, ty: SqlType) -> Result<Value> {
    let left = Pair::side::<IntervalMonthDayNanoType>(pair.left)?;
    let right = Pair::side::<Float64Type>(pair.right)?;
    let divides = op == BinaryOp::Divide;
    let values = pair.apply(left, right, |interval, number| {
        checked(match divides {
            true if number == 0.0 => None,
            true => scale(interval, |part| part / number),
            false => scale(interval, |part| part * number),
        })
    });
    match values {
        Ok(values) => Ok(pair.finish::<IntervalMonthDayNanoType>(values, ty.to_arrow())),
        Err(refused) if divides && refused.right == 0.0 => Err(EvalError::DivisionByZero.into()),
        Err(Refused { left, right }) => Err(out_of_range(
            op,
            Scalar::Interval(left),
            Scalar::Float64(right),
            ty,
        )),
    }
}

/// `-x` of an interval.
pub(super) fn negate(operand: &Value) -> Result<Value> {
    let array = primitive::<IntervalMonthDayNanoType>(operand.array().as_ref())?;
    let negated: PrimitiveArray<IntervalMonthDayNanoType> = array.try_unary(|v| {
        combine(IntervalMonthDayNano::ZERO, v, -1).ok_or_else(|| {
            out_of_range(
                BinaryOp::Subtract,
                Scalar::Interval(IntervalMonthDayNano::ZERO),
                Scalar::Interval(v),
                SqlType::Interval,
            )
        })
    })?;
    Ok(operand.like(Arc::new(negated)))
}
