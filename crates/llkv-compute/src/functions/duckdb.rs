//! Functions whose names mean something else in DuckDB.

use super::args::{array, build, exactly, natives, out_of_range, signature};
use super::datetime::{Eras, age_between, date_trunc, operator_type, parts_between};
use super::datetime_parts::{Moment, Part};
use super::math::map_two;
use super::numeric::{Rounding, operator, rounded, whole_or_digits};
use crate::arrays::{sql_type, with_integer};
use arrow::array::{ArrayRef, ArrowPrimitiveType};
use arrow::datatypes::Int64Type;
use llkv_expr::{BinaryOp, Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use llkv_types::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND, days_in_month};
use num_traits::{PrimInt, ToPrimitive};

use SqlType::{Float64, Int64, Text, Timestamp};

fn shift_type(types: &[SqlType]) -> Option<Signature> {
    let [left, right] = types else {
        return None;
    };
    let (left, right, result) =
        crate::coercion::binary_signature(BinaryOp::ShiftLeft, *left, *right)?;
    signature(&[left, right], result)
}

fn shift(args: &FunctionArgs<'_>, towards_left: bool) -> Result<ArrayRef> {
    let ty = sql_type(array(args, 0)?.as_ref())?;
    with_integer!(
        ty,
        shifted::<_>(args, towards_left),
        Err(Error::internal(format!("no bits of {ty}")))
    )
}

/// To the left nothing may get lost, neither a bit nor the sign; what is shifted to the right by more than it has is 0.
fn shifted<T>(args: &FunctionArgs<'_>, towards_left: bool) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: PrimInt + std::fmt::Display,
{
    let (x, count) = (natives::<T>(args, 0)?, natives::<Int64Type>(args, 1)?);
    build::<T>(args, |row| {
        let (Some(x), Some(count)) = (x.get(row), count.get(row)) else {
            return Ok(None);
        };
        let zero = <T::Native as num_traits::Zero>::zero();
        let within = usize::try_from(count).ok();
        let within = within.filter(|count| *count < zero.count_zeros() as usize);
        if !towards_left {
            return Ok(Some(within.map_or(zero, |count| x >> count)));
        }
        let whole = within
            .filter(|_| x >= zero)
            .map(|count| (x << count, count));
        match whole.filter(|(moved, count)| *moved >> *count == x && *moved >= zero) {
            Some((moved, _)) => Ok(Some(moved)),
            None if x == zero && count >= 0 => Ok(Some(zero)),
            None => Err(out_of_range(format!("{x} << {count}"), args.result)),
        }
    })
}

fn apart_type(types: &[SqlType]) -> Option<Signature> {
    match types {
        [_, _] => operator_type(BinaryOp::Subtract, types),
        _ => exactly(types, &[Text, Timestamp, Timestamp], Int64),
    }
}

fn date_sub(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    if args.arrays.len() == 2 {
        return operator(BinaryOp::Subtract, args);
    }
    parts_between("date_sub", args, apart)
}

/// How many whole parts lie between two moments.
fn apart(part: Part, from: i64, to: i64) -> Option<i64> {
    let months = || {
        let (earlier, later) = (from.min(to), from.max(to));
        let count = months_apart(earlier, later)?;
        Some(if from <= to { count } else { -count })
    };
    let micros = |unit: i64| to.checked_sub(from).map(|micros| micros / unit);
    match part {
        Part::Millennium => Some(months()? / 12_000),
        Part::Century => Some(months()? / 1_200),
        Part::Decade => Some(months()? / 120),
        Part::Year | Part::IsoYear => Some(months()? / 12),
        Part::Quarter => Some(months()? / 3),
        Part::Month => months(),
        Part::Week => micros(7 * MICROS_PER_DAY),
        Part::Day | Part::DayOfYear | Part::Weekday | Part::IsoWeekday | Part::Julian => {
            micros(MICROS_PER_DAY)
        }
        Part::Hour => micros(3_600 * MICROS_PER_SECOND),
        Part::Minute => micros(60 * MICROS_PER_SECOND),
        Part::Second | Part::Epoch => micros(MICROS_PER_SECOND),
        Part::Millisecond => micros(1_000),
        Part::Microsecond => micros(1),
    }
}

/// Whole months; a month that begins on a day that its end does not have is whole on the last day.
fn months_apart(earlier: i64, later: i64) -> Option<i64> {
    let (from, to) = (Moment::new(earlier), Moment::new(later));
    let last = days_in_month(i64::from(to.date.year), to.date.month);
    let is_last = to.date.day == last && from.date.day > last;
    let beyond = i64::from(from.date.day) - i64::from(last);
    let earlier = match is_last {
        true => earlier.checked_sub(beyond * MICROS_PER_DAY)?,
        false => earlier,
    };
    age_between(later, earlier)?.months.to_i64()
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "round",
        "round(x [, digits])",
        "The nearest number with so many digits after the point, half away from zero.",
        ("round(2.5)", "3"),
        whole_or_digits,
        |args| rounded(args, Rounding::AwayFromZero),
    )
    .only_in(Dialects::DUCKDB),
    ScalarFunction::new(
        "fmod",
        "fmod(x, y)",
        "The remainder of x / y as a double, with the sign of x.",
        ("fmod(5.5, 2)", "1.5"),
        |types| exactly(types, &[Float64, Float64], Float64),
        |args| map_two(args, "fmod", |x, y| Ok(x % y)),
    )
    .only_in(Dialects::DUCKDB),
    ScalarFunction::new(
        "shift_left",
        "shift_left(x, count)",
        "x << count: an error where a bit gets lost.",
        ("shift_left(1, 4)", "16"),
        shift_type,
        |args| shift(args, true),
    )
    .only_in(Dialects::DUCKDB),
    ScalarFunction::new(
        "shift_right",
        "shift_right(x, count)",
        "x >> count.",
        ("shift_right(16, 4)", "1"),
        shift_type,
        |args| shift(args, false),
    )
    .only_in(Dialects::DUCKDB),
    ScalarFunction::new(
        "date_trunc",
        "date_trunc(part, x)",
        "The start of the part that x lies in; centuries begin with a year that ends in 00.",
        (
            "date_trunc('century', TIMESTAMP '2024-05-17 10:00:00')",
            "2000-01-01 00:00:00",
        ),
        super::datetime::truncated_type,
        |args| date_trunc(args, Eras::FromZero),
    )
    .also(&["datetrunc"])
    .only_in(Dialects::DUCKDB),
    ScalarFunction::new(
        "date_sub",
        "date_sub(part, from, to)",
        "How many whole parts lie between two moments; `date_sub(x, interval)` is x moved back by it.",
        (
            "date_sub('month', DATE '2024-01-31', DATE '2024-03-01')",
            "1",
        ),
        apart_type,
        date_sub,
    )
    .also(&["datesub"])
    .only_in(Dialects::DUCKDB),
];
