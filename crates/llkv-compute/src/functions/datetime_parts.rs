//! Parts of dates, times and intervals: `EXTRACT(part FROM x)` is the function of that name.
//!
//! Parts are BIGINT and whole: `second` leaves the fraction out. `epoch` is DOUBLE.

use super::args::{array, build, build_text, natives, signature, texts};
use super::numeric::function;
use crate::arrays::sql_type;
use crate::cast::cast;
use arrow::array::ArrayRef;
use arrow::datatypes::{
    Float64Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    TimestampMicrosecondType,
};
use llkv_expr::{CastMode, FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;
use llkv_types::calendar::{CivilDate, MICROS_PER_DAY, MICROS_PER_SECOND};

/// Julian day of 1970-01-01.
const JULIAN_EPOCH: i64 = 2_440_588;

/// A point in time, taken apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) days: i32,
    pub(super) date: CivilDate,
    /// Microseconds since midnight.
    pub(super) clock: i64,
}

impl Moment {
    pub(super) fn new(micros: i64) -> Self {
        // The range of a timestamp is some 300,000 years: its days fit 32 bits.
        let days = micros.div_euclid(MICROS_PER_DAY) as i32;
        Self {
            days,
            date: CivilDate::from_days(days),
            clock: micros.rem_euclid(MICROS_PER_DAY),
        }
    }

    pub(super) fn micros(self) -> i64 {
        // The first day of the range starts before it: the product may leave 64 bits and come back.
        i64::from(self.days)
            .wrapping_mul(MICROS_PER_DAY)
            .wrapping_add(self.clock)
    }

    /// Monday is 1, Sunday 7.
    pub(super) fn iso_weekday(self) -> i64 {
        (i64::from(self.days) + 3).rem_euclid(7) + 1
    }

    /// From 1.
    pub(super) fn day_of_year(self) -> i64 {
        let first = CivilDate::to_days(i64::from(self.date.year), 1, 1).unwrap_or(self.days);
        i64::from(self.days) - i64::from(first) + 1
    }

    /// ISO 8601 year and week: the week belongs to the year of its Thursday.
    pub(super) fn iso_week(self) -> (i64, i64) {
        let thursday = i64::from(self.days) + 4 - self.iso_weekday();
        let thursday = Self::new(thursday.saturating_mul(MICROS_PER_DAY));
        (
            i64::from(thursday.date.year),
            (thursday.day_of_year() - 1) / 7 + 1,
        )
    }
}

/// A part of a moment.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Part {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfYear,
    Weekday,
    IsoWeekday,
    Julian,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Epoch,
}

impl Part {
    /// The part of a name, singular or plural, in any case.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        let singular = match name.as_str() {
            "ms" => "millisecond",
            "us" => "microsecond",
            name => name
                .strip_suffix('s')
                .filter(|singular| singular.len() > 1)
                .unwrap_or(name),
        };
        Some(match singular {
            "millennium" | "millennia" => Self::Millennium,
            "century" | "centurie" => Self::Century,
            "decade" => Self::Decade,
            "year" | "y" | "yr" => Self::Year,
            "isoyear" => Self::IsoYear,
            "quarter" => Self::Quarter,
            "month" | "mon" => Self::Month,
            "week" | "w" | "weekofyear" => Self::Week,
            "day" | "d" | "dayofmonth" => Self::Day,
            "doy" | "dayofyear" => Self::DayOfYear,
            "dow" | "weekday" | "dayofweek" => Self::Weekday,
            "isodow" => Self::IsoWeekday,
            "julian" => Self::Julian,
            "hour" | "h" | "hr" => Self::Hour,
            "minute" | "m" | "min" => Self::Minute,
            "second" | "sec" => Self::Second,
            "millisecond" | "msec" => Self::Millisecond,
            "microsecond" | "usec" => Self::Microsecond,
            "epoch" => Self::Epoch,
            _ => return None,
        })
    }

    /// The whole part of a moment. `epoch` in seconds, rounded down.
    pub(super) fn of(self, moment: Moment) -> i64 {
        let year = i64::from(moment.date.year);
        // There is no year 0: centuries and millennia count from 1 and from -1.
        let counted = |unit: i64| match year {
            year if year > 0 => (year + unit - 1) / unit,
            year => -((unit - year) / unit),
        };
        let in_minute = moment.clock % (60 * MICROS_PER_SECOND);
        match self {
            Self::Millennium => counted(1_000),
            Self::Century => counted(100),
            Self::Decade => year.div_euclid(10),
            Self::Year => year,
            Self::IsoYear => moment.iso_week().0,
            Self::Quarter => (i64::from(moment.date.month) - 1) / 3 + 1,
            Self::Month => i64::from(moment.date.month),
            Self::Week => moment.iso_week().1,
            Self::Day => i64::from(moment.date.day),
            Self::DayOfYear => moment.day_of_year(),
            Self::Weekday => moment.iso_weekday() % 7,
            Self::IsoWeekday => moment.iso_weekday(),
            Self::Julian => i64::from(moment.days) + JULIAN_EPOCH,
            Self::Hour => moment.clock / (3_600 * MICROS_PER_SECOND),
            Self::Minute => moment.clock / (60 * MICROS_PER_SECOND) % 60,
            Self::Second => in_minute / MICROS_PER_SECOND,
            Self::Millisecond => in_minute / 1_000,
            Self::Microsecond => in_minute,
            Self::Epoch => moment.micros().div_euclid(MICROS_PER_SECOND),
        }
    }

    /// The part of an interval; `None` where it has no such part.
    fn of_interval(self, interval: IntervalMonthDayNano) -> Option<i64> {
        let micros = interval.nanoseconds / 1_000;
        let in_minute = micros % (60 * MICROS_PER_SECOND);
        let months = i64::from(interval.months);
        Some(match self {
            Self::Millennium => months / 12_000,
            Self::Century => months / 1_200,
            Self::Decade => months / 120,
            Self::Year => months / 12,
            Self::Quarter => months % 12 / 3 + 1,
            Self::Month => months % 12,
            Self::Day => i64::from(interval.days),
            Self::Hour => micros / (3_600 * MICROS_PER_SECOND),
            Self::Minute => micros / (60 * MICROS_PER_SECOND) % 60,
            Self::Second => in_minute / MICROS_PER_SECOND,
            Self::Millisecond => in_minute / 1_000,
            Self::Microsecond => in_minute,
            _ => return None,
        })
    }
}

/// A moment as a timestamp, an interval as it is.
fn parts_of(ty: SqlType) -> Option<SqlType> {
    match ty {
        SqlType::Interval => Some(SqlType::Interval),
        SqlType::Null => Some(SqlType::Timestamp),
        ty if ty.is_temporal() => Some(if ty == SqlType::Time {
            SqlType::Interval
        } else {
            SqlType::Timestamp
        }),
        _ => None,
    }
}

fn whole(types: &[SqlType]) -> Option<Signature> {
    let [ty] = types else {
        return None;
    };
    signature(&[parts_of(*ty)?], SqlType::Int64)
}

fn epoch_type(types: &[SqlType]) -> Option<Signature> {
    let [ty] = types else {
        return None;
    };
    signature(&[parts_of(*ty)?], SqlType::Float64)
}

fn is_interval(args: &FunctionArgs<'_>, at: usize) -> Result<bool> {
    Ok(sql_type(array(args, at)?.as_ref())? == SqlType::Interval)
}

fn part(args: &FunctionArgs<'_>, part: Part) -> Result<ArrayRef> {
    if is_interval(args, 0)? {
        let x = natives::<IntervalMonthDayNanoType>(args, 0)?;
        return build::<Int64Type>(args, |row| Ok(x.get(row).and_then(|x| part.of_interval(x))));
    }
    let x = natives::<TimestampMicrosecondType>(args, 0)?;
    build::<Int64Type>(args, |row| Ok(x.get(row).map(|x| part.of(Moment::new(x)))))
}

/// Seconds of an interval: a year counts for 365.25 days, as in PostgreSQL.
fn interval_epoch(interval: IntervalMonthDayNano) -> f64 {
    let years = f64::from(interval.months / 12);
    let months = f64::from(interval.months % 12);
    let days = years * 365.25 + months * 30.0 + f64::from(interval.days);
    days * 86_400.0 + interval.nanoseconds as f64 / 1e9
}

fn epoch(args: &FunctionArgs<'_>, at: usize) -> Result<ArrayRef> {
    if is_interval(args, at)? {
        let x = natives::<IntervalMonthDayNanoType>(args, at)?;
        return build::<Float64Type>(args, |row| Ok(x.get(row).map(interval_epoch)));
    }
    let x = natives::<TimestampMicrosecondType>(args, at)?;
    build::<Float64Type>(args, |row| Ok(x.get(row).map(|x| x as f64 / 1e6)))
}

fn named(types: &[SqlType]) -> Option<Signature> {
    let [SqlType::Text | SqlType::Null, ty] = types else {
        return None;
    };
    signature(&[SqlType::Text, parts_of(*ty)?], SqlType::Float64)
}

/// `date_part(name, x)`: DOUBLE for every part, with the fraction of seconds, milliseconds and Julian days.
fn date_part(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let name = texts(args, 0)?;
    let interval = is_interval(args, 1)?;
    let moments = (!interval)
        .then(|| natives::<TimestampMicrosecondType>(args, 1))
        .transpose()?;
    let intervals = interval
        .then(|| natives::<IntervalMonthDayNanoType>(args, 1))
        .transpose()?;
    build::<Float64Type>(args, |row| {
        let Some(name) = name.get(row) else {
            return Ok(None);
        };
        let Some(part) = Part::from_name(name) else {
            return Err(super::args::invalid(
                "date_part",
                format!("unknown part '{name}'"),
            ));
        };
        let within = |micros: i64| (micros % (60 * MICROS_PER_SECOND)) as f64;
        let of_moment = |x: i64| match part {
            Part::Epoch => x as f64 / 1e6,
            Part::Second => within(x.rem_euclid(MICROS_PER_DAY)) / 1e6,
            Part::Millisecond => within(x.rem_euclid(MICROS_PER_DAY)) / 1e3,
            Part::Julian => JULIAN_EPOCH as f64 + x as f64 / MICROS_PER_DAY as f64,
            part => part.of(Moment::new(x)) as f64,
        };
        let of_interval = |x: IntervalMonthDayNano| match part {
            Part::Epoch => Some(interval_epoch(x)),
            Part::Second => Some(within(x.nanoseconds / 1_000) / 1e6),
            Part::Millisecond => Some(within(x.nanoseconds / 1_000) / 1e3),
            part => part.of_interval(x).map(|v| v as f64),
        };
        Ok(match (&moments, &intervals) {
            (Some(x), _) => x.get(row).map(of_moment),
            (_, Some(x)) => x.get(row).and_then(of_interval),
            _ => None,
        })
    })
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// The English name of a month, from 1.
pub(super) fn month_name(month: u8) -> &'static str {
    MONTHS
        .get(usize::from(month).wrapping_sub(1))
        .copied()
        .unwrap_or("")
}

/// The English name of a weekday, Monday being 1.
pub(super) fn weekday_name(weekday: i64) -> &'static str {
    let index = usize::try_from(weekday - 1).unwrap_or(usize::MAX);
    WEEKDAYS.get(index).copied().unwrap_or("")
}

fn name_type(types: &[SqlType]) -> Option<Signature> {
    super::args::exactly(types, &[SqlType::Timestamp], SqlType::Text)
}

fn name(args: &FunctionArgs<'_>, f: impl Fn(Moment) -> &'static str) -> Result<ArrayRef> {
    let x = cast(array(args, 0)?, SqlType::Timestamp, CastMode::Strict)?;
    let moved = [x];
    let moved = FunctionArgs {
        arrays: &moved,
        ..*args
    };
    let x = natives::<TimestampMicrosecondType>(&moved, 0)?;
    build_text(args.rows, |row, out| {
        Ok(x.get(row).map(|x| out.push_str(f(Moment::new(x)))))
    })
}

/// `EXTRACT` of one part.
macro_rules! part {
    ($name:literal, $aliases:expr, $description:literal, $example:expr, $part:expr) => {
        function!(
            $name,
            $aliases,
            "part(x)",
            $description,
            $example,
            whole,
            |args| part(args, $part)
        )
    };
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    part!(
        "millennium",
        &[],
        "The millennium.",
        ("millennium(DATE '2001-01-01')", "3"),
        Part::Millennium
    ),
    part!(
        "century",
        &[],
        "The century.",
        ("century(DATE '2000-01-01')", "20"),
        Part::Century
    ),
    part!(
        "decade",
        &[],
        "The year divided by ten.",
        ("decade(DATE '2024-01-31')", "202"),
        Part::Decade
    ),
    part!(
        "year",
        &[],
        "The year.",
        ("year(DATE '2024-01-31')", "2024"),
        Part::Year
    ),
    part!(
        "isoyear",
        &[],
        "The year that the ISO week belongs to.",
        ("isoyear(DATE '2021-01-01')", "2020"),
        Part::IsoYear
    ),
    part!(
        "quarter",
        &[],
        "The quarter of the year.",
        ("quarter(DATE '2024-05-31')", "2"),
        Part::Quarter
    ),
    part!(
        "month",
        &[],
        "The month.",
        ("month(DATE '2024-01-31')", "1"),
        Part::Month
    ),
    part!(
        "week",
        &["weekofyear"],
        "The ISO week of the year.",
        ("week(DATE '2021-01-04')", "1"),
        Part::Week
    ),
    part!(
        "day",
        &["dayofmonth"],
        "The day of the month.",
        ("day(DATE '2024-01-31')", "31"),
        Part::Day
    ),
    part!(
        "doy",
        &["dayofyear"],
        "The day of the year.",
        ("doy(DATE '2024-03-01')", "61"),
        Part::DayOfYear
    ),
    part!(
        "dow",
        &["weekday", "dayofweek"],
        "The weekday, Sunday being 0.",
        ("dow(DATE '2024-01-31')", "3"),
        Part::Weekday
    ),
    part!(
        "isodow",
        &[],
        "The weekday, Monday being 1.",
        ("isodow(DATE '2024-01-28')", "7"),
        Part::IsoWeekday
    ),
    part!(
        "julian",
        &[],
        "The Julian day.",
        ("julian(DATE '1970-01-01')", "2440588"),
        Part::Julian
    ),
    part!(
        "hour",
        &[],
        "The hour.",
        ("hour(TIMESTAMP '2024-01-31 04:05:06')", "4"),
        Part::Hour
    ),
    part!(
        "minute",
        &[],
        "The minute.",
        ("minute(TIMESTAMP '2024-01-31 04:05:06')", "5"),
        Part::Minute
    ),
    part!(
        "second",
        &[],
        "The second, whole.",
        ("second(TIMESTAMP '2024-01-31 04:05:06.7')", "6"),
        Part::Second
    ),
    part!(
        "millisecond",
        &["milliseconds"],
        "The seconds in milliseconds.",
        ("millisecond(TIMESTAMP '2024-01-31 04:05:06.7')", "6700"),
        Part::Millisecond
    ),
    part!(
        "microsecond",
        &["microseconds"],
        "The seconds in microseconds.",
        ("microsecond(TIMESTAMP '2024-01-31 04:05:06.7')", "6700000"),
        Part::Microsecond
    ),
    function!(
        "epoch",
        &[],
        "epoch(x)",
        "Seconds since 1970-01-01, or of an interval.",
        ("epoch(TIMESTAMP '1970-01-01 00:00:01.5')", "1.5"),
        epoch_type,
        |args| epoch(args, 0)
    ),
    function!(
        "date_part",
        &["datepart"],
        "date_part(part, x)",
        "A part by its name, as DOUBLE.",
        ("date_part('month', DATE '2024-01-31')", "1"),
        named,
        date_part
    ),
    function!(
        "monthname",
        &[],
        "monthname(x)",
        "The English name of the month.",
        ("monthname(DATE '2024-01-31')", "January"),
        name_type,
        |args| name(args, |m| month_name(m.date.month))
    ),
    function!(
        "dayname",
        &[],
        "dayname(x)",
        "The English name of the weekday.",
        ("dayname(DATE '2024-01-31')", "Wednesday"),
        name_type,
        |args| name(args, |m| weekday_name(m.iso_weekday()))
    ),
];
