//! Moments from their parts, and as formatted text.

use super::args::{build, build_text, exactly, invalid, natives, out_of_range, texts};
use super::numeric::function;
use super::strftime;
use arrow::array::ArrayRef;
use arrow::datatypes::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use llkv_expr::{FunctionArgs, ScalarFunction, Signature};
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use llkv_types::calendar::{CivilDate, MICROS_PER_DAY};

use SqlType::{Date, Float64, Int64, Text, Timestamp, TimestampTz};

fn no_date(function: &'static str, year: i64, month: i64, day: i64) -> Error {
    invalid(function, format!("{year}-{month}-{day} is no date"))
}

fn make_date(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let year = natives::<Int64Type>(args, 0)?;
    let month = natives::<Int64Type>(args, 1)?;
    let day = natives::<Int64Type>(args, 2)?;
    build::<Date32Type>(args, |row| {
        let (Some(y), Some(m), Some(d)) = (year.get(row), month.get(row), day.get(row)) else {
            return Ok(None);
        };
        match CivilDate::to_days(y, m, d) {
            Some(days) => Ok(Some(days)),
            None => Err(no_date("make_date", y, m, d)),
        }
    })
}

fn make_timestamp(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "make_timestamp";
    let whole = (0..5)
        .map(|at| natives::<Int64Type>(args, at))
        .collect::<Result<Vec<_>>>()?;
    let seconds = natives::<Float64Type>(args, 5)?;
    build::<TimestampMicrosecondType>(args, |row| {
        let parts: Option<Vec<i64>> = whole.iter().map(|part| part.get(row)).collect();
        let (Some([y, m, d, hour, minute]), Some(second)) = (parts.as_deref(), seconds.get(row))
        else {
            return Ok(None);
        };
        let days = CivilDate::to_days(*y, *m, *d).ok_or_else(|| no_date(NAME, *y, *m, *d))?;
        let in_day =
            (0..24).contains(hour) && (0..60).contains(minute) && (0.0..60.0).contains(&second);
        if !in_day {
            return Err(invalid(
                NAME,
                format!("{hour}:{minute}:{second} is no time"),
            ));
        }
        let clock = (hour * 60 + minute) * 60_000_000 + (second * 1e6).round() as i64;
        let micros = i64::from(days)
            .checked_mul(MICROS_PER_DAY)
            .and_then(|day| day.checked_add(clock));
        micros
            .map(Some)
            .ok_or_else(|| out_of_range(NAME, Timestamp))
    })
}

pub(super) fn to_timestamp(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let x = natives::<Float64Type>(args, 0)?;
    build::<TimestampMicrosecondType>(args, |row| {
        let Some(x) = x.get(row) else {
            return Ok(None);
        };
        let micros = (x * 1e6).round();
        if micros.is_finite() && micros.abs() < i64::MAX as f64 {
            Ok(Some(micros as i64))
        } else {
            Err(out_of_range(format!("to_timestamp({x})"), TimestampTz))
        }
    })
}

/// The format may come first, as in SQLite, or second.
fn formatted(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Timestamp, Text], Text).or_else(|| exactly(types, &[Text, Timestamp], Text))
}

fn format(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let format_first = super::args::array(args, 0)?.data_type() == &Text.to_arrow();
    let (at_format, at_moment) = if format_first { (0, 1) } else { (1, 0) };
    let pattern = texts(args, at_format)?;
    let x = natives::<TimestampMicrosecondType>(args, at_moment)?;
    build_text(args.rows, |row, out| {
        let (Some(pattern), Some(x)) = (pattern.get(row), x.get(row)) else {
            return Ok(None);
        };
        strftime::write(out, pattern, x)?;
        Ok(Some(()))
    })
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    function!(
        "make_date",
        &[],
        "make_date(year, month, day)",
        "A date.",
        ("make_date(2024, 2, 29)", "2024-02-29"),
        |types| exactly(types, &[Int64, Int64, Int64], Date),
        make_date
    ),
    function!(
        "make_timestamp",
        &[],
        "make_timestamp(year, month, day, hour, minute, seconds)",
        "A timestamp.",
        (
            "make_timestamp(2024, 2, 29, 4, 5, 6.5)",
            "2024-02-29 04:05:06.5"
        ),
        |types| exactly(
            types,
            &[Int64, Int64, Int64, Int64, Int64, Float64],
            Timestamp
        ),
        make_timestamp
    ),
    function!(
        "strftime",
        &[],
        "strftime(x, format)",
        "A moment as text, by a format such as %Y-%m-%d %H:%M:%S.",
        ("strftime(DATE '2024-01-31', '%d.%m.%Y')", "31.01.2024"),
        formatted,
        format
    ),
];
