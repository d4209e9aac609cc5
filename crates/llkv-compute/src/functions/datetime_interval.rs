//! Intervals: made of numbers, brought into proper form, as steps in time.

use super::args::{
    array, build, exactly, invalid, is_constant, natives, out_of_range, signature, texts,
};
use super::datetime::{age_between, known_part};
use super::datetime_parts::{Moment, Part};
use crate::arrays::sql_type;
use crate::context::StatementContext;
use arrow::array::ArrayRef;
use arrow::datatypes::{
    Float64Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use llkv_types::calendar::{CivilDate, MICROS_PER_DAY, MICROS_PER_SECOND};

use SqlType::{Boolean, Float64, Int64, Interval, Time, Timestamp, TimestampTz};

/// Where the functions that SQLite lacks are known.
const OTHERS: Dialects = Dialects::LLKV.or(Dialects::DUCKDB);

const NANOS_PER_MICRO: i64 = 1_000;

fn too_large(operation: &'static str) -> Error {
    out_of_range(operation, Interval)
}

/// An interval of months, days and microseconds, where they fit.
fn interval(months: i64, days: i64, micros: i64) -> Option<IntervalMonthDayNano> {
    Some(IntervalMonthDayNano::new(
        i32::try_from(months).ok()?,
        i32::try_from(days).ok()?,
        micros.checked_mul(NANOS_PER_MICRO)?,
    ))
}

/// So many of a unit.
fn units(
    args: &FunctionArgs<'_>,
    name: &'static str,
    f: impl Fn(i64) -> Option<IntervalMonthDayNano>,
) -> Result<ArrayRef> {
    let x = natives::<Int64Type>(args, 0)?;
    build::<IntervalMonthDayNanoType>(args, |row| match x.get(row) {
        None => Ok(None),
        Some(x) => f(x).map(Some).ok_or_else(|| too_large(name)),
    })
}

fn of_months(count: i64, months: i64) -> Option<IntervalMonthDayNano> {
    interval(count.checked_mul(months)?, 0, 0)
}

fn of_micros(count: i64, micros: i64) -> Option<IntervalMonthDayNano> {
    interval(0, 0, count.checked_mul(micros)?)
}

/// Seconds and milliseconds may have a fraction.
fn fractions(args: &FunctionArgs<'_>, name: &'static str, micros: f64) -> Result<ArrayRef> {
    let x = natives::<Float64Type>(args, 0)?;
    build::<IntervalMonthDayNanoType>(args, |row| {
        let Some(x) = x.get(row) else {
            return Ok(None);
        };
        let value = (x * micros).round();
        let fits = value.is_finite() && value.abs() < i64::MAX as f64;
        let made = fits.then(|| interval(0, 0, value as i64)).flatten();
        made.map(Some).ok_or_else(|| too_large(name))
    })
}

/// `make_interval(years, months, weeks, days, hours, mins, secs)`, later ones left out.
fn make_interval(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "make_interval";
    let whole = (0..args.arrays.len().min(6))
        .map(|at| natives::<Int64Type>(args, at))
        .collect::<Result<Vec<_>>>()?;
    let seconds = match args.arrays.len() {
        7 => Some(natives::<Float64Type>(args, 6)?),
        _ => None,
    };
    build::<IntervalMonthDayNanoType>(args, |row| {
        let mut parts = [0i64; 6];
        for (part, value) in parts.iter_mut().zip(&whole) {
            match value.get(row) {
                None => return Ok(None),
                Some(value) => *part = value,
            }
        }
        let seconds = match &seconds {
            None => 0.0,
            Some(seconds) => match seconds.get(row) {
                None => return Ok(None),
                Some(seconds) => seconds,
            },
        };
        let [years, months, weeks, days, hours, minutes] = parts;
        let micros = (seconds * 1e6).round();
        if !micros.is_finite() || micros.abs() >= i64::MAX as f64 {
            return Err(too_large(NAME));
        }
        let made = || {
            let months = years.checked_mul(12)?.checked_add(months)?;
            let days = weeks.checked_mul(7)?.checked_add(days)?;
            let minutes = hours.checked_mul(60)?.checked_add(minutes)?;
            let clock = minutes.checked_mul(60 * MICROS_PER_SECOND)?;
            interval(months, days, clock.checked_add(micros as i64)?)
        };
        made().map(Some).ok_or_else(|| too_large(NAME))
    })
}

fn make_interval_type(types: &[SqlType]) -> Option<Signature> {
    let wanted = [Int64, Int64, Int64, Int64, Int64, Int64, Float64];
    let wanted = wanted.get(..types.len())?;
    if types.is_empty() {
        return None;
    }
    exactly(types, wanted, Interval)
}

fn map(
    args: &FunctionArgs<'_>,
    name: &'static str,
    f: impl Fn(IntervalMonthDayNano) -> Option<IntervalMonthDayNano>,
) -> Result<ArrayRef> {
    let x = natives::<IntervalMonthDayNanoType>(args, 0)?;
    build::<IntervalMonthDayNanoType>(args, |row| match x.get(row) {
        None => Ok(None),
        Some(x) => f(x).map(Some).ok_or_else(|| too_large(name)),
    })
}

const NANOS_PER_DAY: i64 = MICROS_PER_DAY * NANOS_PER_MICRO;

/// 24 hours as a day.
fn justify_hours(x: IntervalMonthDayNano) -> Option<IntervalMonthDayNano> {
    let mut days = i64::from(x.days) + x.nanoseconds / NANOS_PER_DAY;
    let mut nanos = x.nanoseconds % NANOS_PER_DAY;
    if days > 0 && nanos < 0 {
        nanos += NANOS_PER_DAY;
        days -= 1;
    } else if days < 0 && nanos > 0 {
        nanos -= NANOS_PER_DAY;
        days += 1;
    }
    Some(IntervalMonthDayNano::new(
        x.months,
        i32::try_from(days).ok()?,
        nanos,
    ))
}

/// 30 days as a month.
fn justify_days(x: IntervalMonthDayNano) -> Option<IntervalMonthDayNano> {
    let mut months = i64::from(x.months) + i64::from(x.days / 30);
    let mut days = x.days % 30;
    if months > 0 && days < 0 {
        days += 30;
        months -= 1;
    } else if months < 0 && days > 0 {
        days -= 30;
        months += 1;
    }
    Some(IntervalMonthDayNano::new(
        i32::try_from(months).ok()?,
        days,
        x.nanoseconds,
    ))
}

/// Both, with all parts of one sign.
fn justify_interval(x: IntervalMonthDayNano) -> Option<IntervalMonthDayNano> {
    let nanos = i128::from(x.nanoseconds) + i128::from(x.days) * i128::from(NANOS_PER_DAY);
    let mut total = nanos + i128::from(x.months) * 30 * i128::from(NANOS_PER_DAY);
    let sign = total.signum();
    total = total.abs();
    let day = i128::from(NANOS_PER_DAY);
    let (months, rest) = (total / (30 * day), total % (30 * day));
    Some(IntervalMonthDayNano::new(
        i32::try_from(sign * months).ok()?,
        i32::try_from(sign * (rest / day)).ok()?,
        i64::try_from(sign * (rest % day)).ok()?,
    ))
}

fn make_time(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "make_time";
    let (hour, minute) = (
        natives::<Int64Type>(args, 0)?,
        natives::<Int64Type>(args, 1)?,
    );
    let second = natives::<Float64Type>(args, 2)?;
    build::<Time64MicrosecondType>(args, |row| {
        let (Some(hour), Some(minute), Some(second)) =
            (hour.get(row), minute.get(row), second.get(row))
        else {
            return Ok(None);
        };
        let in_day =
            (0..24).contains(&hour) && (0..60).contains(&minute) && (0.0..60.0).contains(&second);
        if !in_day {
            return Err(invalid(
                NAME,
                format!("{hour}:{minute}:{second} is no time"),
            ));
        }
        Ok(Some(
            (hour * 60 + minute) * 60 * MICROS_PER_SECOND + (second * 1e6).round() as i64,
        ))
    })
}

/// The time since a moment, counted from the midnight with which the transaction's day began.
fn age_of(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let today = Moment::new(StatementContext::current().transaction_micros);
    let midnight = today.micros() - today.clock;
    let x = natives::<TimestampMicrosecondType>(args, 0)?;
    build::<IntervalMonthDayNanoType>(args, |row| match x.get(row) {
        None => Ok(None),
        Some(x) => age_between(midnight, x)
            .map(Some)
            .ok_or_else(|| too_large("age")),
    })
}

/// The interval without what is smaller than the part.
fn truncated(part: Part, x: IntervalMonthDayNano) -> Option<IntervalMonthDayNano> {
    let months = |unit: i32| Some(IntervalMonthDayNano::new(x.months / unit * unit, 0, 0));
    let clock = |unit: i64| {
        let nanos = x.nanoseconds / unit * unit;
        Some(IntervalMonthDayNano::new(x.months, x.days, nanos))
    };
    match part {
        Part::Millennium => months(12_000),
        Part::Century => months(1_200),
        Part::Decade => months(120),
        Part::Year => months(12),
        Part::Quarter => months(3),
        Part::Month => months(1),
        Part::Day => Some(IntervalMonthDayNano::new(x.months, x.days, 0)),
        Part::Hour => clock(3_600_000_000_000),
        Part::Minute => clock(60_000_000_000),
        Part::Second => clock(1_000_000_000),
        Part::Millisecond => clock(1_000_000),
        Part::Microsecond => clock(1_000),
        _ => None,
    }
}

/// `date_trunc(part, interval)`
pub(super) fn truncate(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (name, x) = (
        texts(args, 0)?,
        natives::<IntervalMonthDayNanoType>(args, 1)?,
    );
    build::<IntervalMonthDayNanoType>(args, |row| {
        let (Some(name), Some(x)) = (name.get(row), x.get(row)) else {
            return Ok(None);
        };
        match truncated(known_part("date_trunc", name)?, x) {
            Some(value) => Ok(Some(value)),
            None => Err(invalid("date_trunc", format!("an interval has no {name}"))),
        }
    })
}

/// 2000-01-03, a Monday, in microseconds: where buckets of time begin in DuckDB.
const BUCKET_ORIGIN: i64 = 10_959 * MICROS_PER_DAY;

/// Months from year 0 to January 2000.
const BUCKET_MONTHS: i64 = 2_000 * 12;

/// The start of the step, counted from an origin, in which a moment lies.
fn step_start(width: i64, x: i64, origin: i64) -> Option<i64> {
    let since = i128::from(x) - i128::from(origin);
    let steps = since.div_euclid(i128::from(width));
    i64::try_from(steps * i128::from(width) + i128::from(origin)).ok()
}

fn fixed_width(name: &'static str, width: IntervalMonthDayNano) -> Result<i64> {
    let micros = i64::from(width.days)
        .checked_mul(MICROS_PER_DAY)
        .and_then(|days| days.checked_add(width.nanoseconds / NANOS_PER_MICRO));
    match micros {
        Some(micros) if micros > 0 => Ok(micros),
        Some(_) => Err(invalid(name, "the step must be longer than nothing")),
        None => Err(too_large(name)),
    }
}

fn date_bin(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "date_bin";
    let width = natives::<IntervalMonthDayNanoType>(args, 0)?;
    let x = natives::<TimestampMicrosecondType>(args, 1)?;
    let origin = natives::<TimestampMicrosecondType>(args, 2)?;
    build::<TimestampMicrosecondType>(args, |row| {
        let (Some(width), Some(x), Some(origin)) = (width.get(row), x.get(row), origin.get(row))
        else {
            return Ok(None);
        };
        if width.months != 0 {
            return Err(invalid(NAME, "a step of months has no fixed length"));
        }
        match step_start(fixed_width(NAME, width)?, x, origin) {
            Some(start) => Ok(Some(start)),
            None => Err(out_of_range(NAME, Timestamp)),
        }
    })
}

/// The bucket of a step of months: counted from January 2000.
fn month_bucket(months: i32, x: i64) -> Option<i64> {
    let date = Moment::new(x).date;
    let since = i64::from(date.year) * 12 + i64::from(date.month) - 1 - BUCKET_MONTHS;
    let first = since.div_euclid(i64::from(months)) * i64::from(months) + BUCKET_MONTHS;
    let days = CivilDate::to_days(first.div_euclid(12), first.rem_euclid(12) + 1, 1)?;
    i64::from(days).checked_mul(MICROS_PER_DAY)
}

fn time_bucket(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "time_bucket";
    let width = natives::<IntervalMonthDayNanoType>(args, 0)?;
    let x = natives::<TimestampMicrosecondType>(args, 1)?;
    build::<TimestampMicrosecondType>(args, |row| {
        let (Some(width), Some(x)) = (width.get(row), x.get(row)) else {
            return Ok(None);
        };
        let start = match (width.months, width.days, width.nanoseconds) {
            (0, _, _) => step_start(fixed_width(NAME, width)?, x, BUCKET_ORIGIN),
            (months, 0, 0) if months > 0 => month_bucket(months, x),
            _ => return Err(invalid(NAME, "a step is of months, or of days and time")),
        };
        start.map(Some).ok_or_else(|| out_of_range(NAME, Timestamp))
    })
}

fn stepped(types: &[SqlType], origin: bool) -> Option<Signature> {
    let result = match types.get(1)? {
        TimestampTz => TimestampTz,
        _ => Timestamp,
    };
    if origin {
        exactly(types, &[Interval, Timestamp, Timestamp], Timestamp)?;
        return signature(&[Interval, result, result], result);
    }
    exactly(types, &[Interval, Timestamp], Timestamp)?;
    signature(&[Interval, result], result)
}

/// Every moment is finite: there is no infinity among them.
fn is_finite(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let x = array(args, 0)?;
    let constant = is_constant(args, 0);
    super::args::build_boolean(args.rows, |row| {
        let row = if constant { 0 } else { row };
        Ok((row < x.len() && x.is_valid(row)).then_some(true))
    })
}

/// A number, an infinity among them, or a moment.
fn finite_type(types: &[SqlType]) -> Option<Signature> {
    match types {
        [ty] if ty.is_temporal() || *ty == Interval => signature(&[*ty], Boolean),
        _ => exactly(types, &[Float64], Boolean),
    }
}

fn finite(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    match sql_type(array(args, 0)?.as_ref())? {
        Float64 => {
            let x = natives::<Float64Type>(args, 0)?;
            super::args::build_boolean(args.rows, |row| Ok(x.get(row).map(f64::is_finite)))
        }
        _ => is_finite(args),
    }
}

/// `to_days(n)` and its like.
macro_rules! count_of {
    ($name:literal, $unit:literal, $example:expr, |$n:ident| $body:expr) => {
        ScalarFunction::new(
            $name,
            concat!($name, "(n)"),
            concat!("An interval of so many ", $unit, "."),
            $example,
            |types| exactly(types, &[Int64], Interval),
            |args| units(args, $name, |$n| $body),
        )
        .only_in(OTHERS)
    };
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    count_of!("to_years", "years", ("to_years(2)", "2 years"), |n| of_months(n, 12)),
    count_of!("to_months", "months", ("to_months(2)", "2 months"), |n| of_months(n, 1)),
    count_of!("to_weeks", "weeks", ("to_weeks(2)", "14 days"), |n| {
        interval(0, n.checked_mul(7)?, 0)
    }),
    count_of!("to_days", "days", ("to_days(2)", "2 days"), |n| interval(0, n, 0)),
    count_of!("to_hours", "hours", ("to_hours(2)", "02:00:00"), |n| {
        of_micros(n, 3_600 * MICROS_PER_SECOND)
    }),
    count_of!("to_minutes", "minutes", ("to_minutes(2)", "00:02:00"), |n| {
        of_micros(n, 60 * MICROS_PER_SECOND)
    }),
    count_of!("to_microseconds", "microseconds", ("to_microseconds(5)", "00:00:00.000005"), |n| {
        of_micros(n, 1)
    }),
    ScalarFunction::new(
        "to_seconds",
        "to_seconds(x)",
        "An interval of so many seconds.",
        ("to_seconds(2.5)", "00:00:02.5"),
        |types| exactly(types, &[Float64], Interval),
        |args| fractions(args, "to_seconds", 1e6),
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "to_milliseconds",
        "to_milliseconds(x)",
        "An interval of so many milliseconds.",
        ("to_milliseconds(5)", "00:00:00.005"),
        |types| exactly(types, &[Float64], Interval),
        |args| fractions(args, "to_milliseconds", 1e3),
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "make_interval",
        "make_interval(years [, months [, weeks [, days [, hours [, minutes [, seconds]]]]]])",
        "An interval of its parts.",
        ("make_interval(1, 2, 0, 3)", "1 year 2 months 3 days"),
        make_interval_type,
        make_interval,
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "justify_hours",
        "justify_hours(interval)",
        "The interval with 24 hours as a day.",
        ("justify_hours(INTERVAL '50 hours')", "2 days 02:00:00"),
        |types| exactly(types, &[Interval], Interval),
        |args| map(args, "justify_hours", justify_hours),
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "justify_days",
        "justify_days(interval)",
        "The interval with 30 days as a month.",
        ("justify_days(INTERVAL '65 days')", "2 months 5 days"),
        |types| exactly(types, &[Interval], Interval),
        |args| map(args, "justify_days", justify_days),
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "justify_interval",
        "justify_interval(interval)",
        "The interval with 24 hours as a day, 30 days as a month, and all parts of one sign.",
        ("justify_interval(INTERVAL '1 month -1 hour')", "29 days 23:00:00"),
        |types| exactly(types, &[Interval], Interval),
        |args| map(args, "justify_interval", justify_interval),
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "make_time",
        "make_time(hour, minute, seconds)",
        "A time of day.",
        ("make_time(8, 15, 23.5)", "08:15:23.5"),
        |types| exactly(types, &[Int64, Int64, Float64], Time),
        make_time,
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "date_bin",
        "date_bin(step, x, origin)",
        "The start of the step, counted from an origin, in which x lies.",
        (
            "date_bin(INTERVAL '15 minutes', TIMESTAMP '2020-02-11 15:44:17', TIMESTAMP '2001-01-01')",
            "2020-02-11 15:30:00",
        ),
        |types| stepped(types, true),
        date_bin,
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "time_bucket",
        "time_bucket(step, x)",
        "The start of the step in which x lies, counted from 2000-01-03, or from January 2000 for months.",
        (
            "time_bucket(INTERVAL '2 weeks', DATE '2024-01-31')",
            "2024-01-29 00:00:00",
        ),
        |types| stepped(types, false),
        time_bucket,
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "isfinite",
        "isfinite(x)",
        "Whether a number is neither infinite nor NaN; true of every date, time and interval.",
        ("isfinite(1)", "true"),
        finite_type,
        finite,
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "age",
        "age([later,] earlier)",
        "Years, months and days between two moments; without the later one, to the last midnight.",
        (
            "age(DATE '2024-03-01', DATE '2023-01-31')",
            "1 year 1 month 1 day",
        ),
        |types| {
            exactly(types, &[Timestamp, Timestamp], Interval)
                .or_else(|| exactly(types, &[Timestamp], Interval))
        },
        |args| match args.arrays.len() {
            1 => age_of(args),
            _ => super::datetime::age(args),
        },
    )
    .stable()
    .only_in(OTHERS),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proper_forms_have_one_sign() {
        let of = |months, days, nanos| IntervalMonthDayNano::new(months, days, nanos);
        assert_eq!(
            justify_interval(of(1, 0, -3_600_000_000_000)),
            Some(of(0, 29, 23 * 3_600_000_000_000))
        );
        assert_eq!(justify_days(of(1, -1, 0)), Some(of(0, 29, 0)));
        assert_eq!(
            justify_hours(of(0, 1, -1)),
            Some(of(0, 0, NANOS_PER_DAY - 1))
        );
        assert_eq!(justify_interval(of(i32::MAX, i32::MAX, i64::MAX)), None);
    }

    #[test]
    fn steps_begin_before_the_origin_too() {
        assert_eq!(step_start(10, -1, 0), Some(-10));
        assert_eq!(step_start(10, 25, 3), Some(23));
        assert_eq!(step_start(i64::MAX, i64::MIN, 0), None);
    }
}
