//! Arithmetic with moments: truncating, counting, differences.

use super::args::{build, exactly, invalid, natives, out_of_range, signature, texts};
use super::datetime_parts::{Moment, Part};
use super::numeric::{function, operator};
use arrow::array::ArrayRef;
use arrow::datatypes::{
    Date32Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, TimestampMicrosecondType,
};
use llkv_expr::{BinaryOp, FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;
use llkv_types::calendar::{CivilDate, MICROS_PER_DAY, MICROS_PER_SECOND, days_in_month};

use SqlType::{Date, Interval, Text, Timestamp, TimestampTz};

pub(super) fn truncated_type(types: &[SqlType]) -> Option<Signature> {
    match types {
        [Text | SqlType::Null, TimestampTz] => signature(&[Text, TimestampTz], TimestampTz),
        [Text | SqlType::Null, Interval] => signature(&[Text, Interval], Interval),
        _ => exactly(types, &[Text, Timestamp], Timestamp),
    }
}

/// The year that centuries and millennia begin with.
#[derive(Clone, Copy)]
pub(super) enum Eras {
    /// The first ends in 1, as in PostgreSQL.
    FromOne,
    /// In 0, as in DuckDB.
    FromZero,
}

/// The start of the part that a moment lies in.
fn truncate(part: Part, moment: Moment, eras: Eras) -> Option<i64> {
    let year = i64::from(moment.date.year);
    let month = i64::from(moment.date.month);
    let day = |year, month| CivilDate::to_days(year, month, 1);
    let first = match eras {
        Eras::FromOne => 1,
        Eras::FromZero => 0,
    };
    let era = |unit: i64| day((year - first).div_euclid(unit) * unit + first, 1);
    let clock = |unit: i64| moment.micros().checked_sub(moment.clock % unit);
    let days = match part {
        Part::Millennium => era(1_000)?,
        Part::Century => era(100)?,
        Part::Decade => day(year.div_euclid(10) * 10, 1)?,
        Part::Year => day(year, 1)?,
        Part::IsoYear => {
            let (_, week) = moment.iso_week();
            let monday = i64::from(moment.days) - (moment.iso_weekday() - 1) - (week - 1) * 7;
            i32::try_from(monday).ok()?
        }
        Part::Quarter => day(year, (month - 1) / 3 * 3 + 1)?,
        Part::Month => day(year, month)?,
        Part::Week => moment.days - (moment.iso_weekday() - 1) as i32,
        Part::Day | Part::DayOfYear | Part::Weekday | Part::IsoWeekday | Part::Julian => {
            moment.days
        }
        Part::Hour => return clock(3_600 * MICROS_PER_SECOND),
        Part::Minute => return clock(60 * MICROS_PER_SECOND),
        Part::Second | Part::Epoch => return clock(MICROS_PER_SECOND),
        Part::Millisecond => return clock(1_000),
        Part::Microsecond => return Some(moment.micros()),
    };
    i64::from(days).checked_mul(MICROS_PER_DAY)
}

pub(super) fn known_part(function: &'static str, name: &str) -> Result<Part> {
    Part::from_name(name).ok_or_else(|| invalid(function, format!("unknown part '{name}'")))
}

pub(super) fn date_trunc(args: &FunctionArgs<'_>, eras: Eras) -> Result<ArrayRef> {
    if args.result == Interval {
        return super::datetime_interval::truncate(args);
    }
    let (name, x) = (
        texts(args, 0)?,
        natives::<TimestampMicrosecondType>(args, 1)?,
    );
    build::<TimestampMicrosecondType>(args, |row| {
        let (Some(name), Some(x)) = (name.get(row), x.get(row)) else {
            return Ok(None);
        };
        match truncate(known_part("date_trunc", name)?, Moment::new(x), eras) {
            Some(value) => Ok(Some(value)),
            None => Err(out_of_range("date_trunc", Timestamp)),
        }
    })
}

fn difference_type(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Timestamp, Timestamp], SqlType::Int64)
}

/// How many starts of the part lie between two moments.
fn date_diff(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    parts_between("date_diff", args, |part, from, to| {
        let count = |x: i64| boundaries(part, Moment::new(x));
        count(to).checked_sub(count(from))
    })
}

/// `f(part, from, to)`: how many parts lie between two moments.
pub(super) fn parts_between(
    function: &'static str,
    args: &FunctionArgs<'_>,
    count: impl Fn(Part, i64, i64) -> Option<i64>,
) -> Result<ArrayRef> {
    let name = texts(args, 0)?;
    let from = natives::<TimestampMicrosecondType>(args, 1)?;
    let to = natives::<TimestampMicrosecondType>(args, 2)?;
    build::<Int64Type>(args, |row| {
        let (Some(name), Some(from), Some(to)) = (name.get(row), from.get(row), to.get(row)) else {
            return Ok(None);
        };
        match count(known_part(function, name)?, from, to) {
            Some(count) => Ok(Some(count)),
            None => Err(out_of_range(function, SqlType::Int64)),
        }
    })
}

/// A number that grows by one with each start of the part.
fn boundaries(part: Part, moment: Moment) -> i64 {
    let year = i64::from(moment.date.year);
    let months = year * 12 + i64::from(moment.date.month) - 1;
    let micros = moment.micros();
    match part {
        Part::Millennium => year.div_euclid(1_000),
        Part::Century => year.div_euclid(100),
        Part::Decade => year.div_euclid(10),
        Part::Year => year,
        Part::IsoYear => moment.iso_week().0,
        Part::Quarter => months.div_euclid(3),
        Part::Month => months,
        Part::Week => (i64::from(moment.days) + 3).div_euclid(7),
        Part::Day | Part::DayOfYear | Part::Weekday | Part::IsoWeekday | Part::Julian => {
            i64::from(moment.days)
        }
        Part::Hour => micros.div_euclid(3_600 * MICROS_PER_SECOND),
        Part::Minute => micros.div_euclid(60 * MICROS_PER_SECOND),
        Part::Second | Part::Epoch => micros.div_euclid(MICROS_PER_SECOND),
        Part::Millisecond => micros.div_euclid(1_000),
        Part::Microsecond => micros,
    }
}

pub(super) fn operator_type(op: BinaryOp, types: &[SqlType]) -> Option<Signature> {
    let [left, right] = types else {
        return None;
    };
    if !left.is_temporal() {
        return None;
    }
    let (left, right, result) = crate::coercion::binary_signature(op, *left, *right)?;
    signature(&[left, right], result)
}

/// Years, months and days as people count them, then the time.
pub(super) fn age_between(later: i64, earlier: i64) -> Option<IntervalMonthDayNano> {
    if later < earlier {
        let turned = age_between(earlier, later)?;
        return Some(IntervalMonthDayNano::new(
            -turned.months,
            -turned.days,
            -turned.nanoseconds,
        ));
    }
    // Field by field, borrowing days of the earlier month and hours of a day, as PostgreSQL does.
    let (to, from) = (Moment::new(later), Moment::new(earlier));
    let count = |date: CivilDate| i64::from(date.year) * 12 + i64::from(date.month);
    let mut months = count(to.date) - count(from.date);
    let mut days = i32::from(to.date.day) - i32::from(from.date.day);
    let mut clock = to.clock - from.clock;
    if clock < 0 {
        clock += MICROS_PER_DAY;
        days -= 1;
    }
    if days < 0 {
        days += i32::from(days_in_month(i64::from(from.date.year), from.date.month));
        months -= 1;
    }
    Some(IntervalMonthDayNano::new(
        i32::try_from(months).ok()?,
        days,
        clock * 1_000,
    ))
}

pub(super) fn age(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let later = natives::<TimestampMicrosecondType>(args, 0)?;
    let earlier = natives::<TimestampMicrosecondType>(args, 1)?;
    build::<IntervalMonthDayNanoType>(args, |row| {
        let (Some(later), Some(earlier)) = (later.get(row), earlier.get(row)) else {
            return Ok(None);
        };
        match age_between(later, earlier) {
            Some(age) => Ok(Some(age)),
            None => Err(out_of_range("age", Interval)),
        }
    })
}

fn last_day(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let x = natives::<TimestampMicrosecondType>(args, 0)?;
    build::<Date32Type>(args, |row| {
        Ok(x.get(row).and_then(|x| {
            let date = Moment::new(x).date;
            let first = CivilDate { day: 1, ..date };
            first.add_months(1).map(|next| next - 1)
        }))
    })
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    function!(
        "date_trunc",
        &["datetrunc"],
        "date_trunc(part, x)",
        "The start of the part that x lies in.",
        (
            "date_trunc('month', TIMESTAMP '2024-05-17 10:00:00')",
            "2024-05-01 00:00:00"
        ),
        truncated_type,
        |args| date_trunc(args, Eras::FromOne)
    ),
    function!(
        "date_diff",
        &["datediff"],
        "date_diff(part, from, to)",
        "How many starts of the part lie between two moments.",
        (
            "date_diff('month', DATE '2024-01-31', DATE '2024-03-01')",
            "2"
        ),
        difference_type,
        date_diff
    ),
    function!(
        "date_add",
        &[],
        "date_add(x, interval)",
        "x moved by an interval.",
        (
            "date_add(DATE '2024-01-31', INTERVAL '1 month')",
            "2024-02-29 00:00:00"
        ),
        |types| operator_type(BinaryOp::Add, types),
        |args| operator(BinaryOp::Add, args)
    ),
    function!(
        "date_sub",
        &[],
        "date_sub(x, interval)",
        "x moved back by an interval.",
        (
            "date_sub(DATE '2024-03-31', INTERVAL '1 month')",
            "2024-02-29 00:00:00"
        ),
        |types| operator_type(BinaryOp::Subtract, types),
        |args| operator(BinaryOp::Subtract, args)
    ),
    function!(
        "last_day",
        &[],
        "last_day(x)",
        "The last day of the month.",
        ("last_day(DATE '2024-02-10')", "2024-02-29"),
        |types| exactly(types, &[Timestamp], Date),
        last_day
    ),
];
