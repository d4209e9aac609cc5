//! SQLite's functions of moments: `date`, `time`, `datetime`, `julianday`, `unixepoch`, `strftime`, `timediff`.

use super::args::{array, build, build_text, is_constant, signature};
use super::datetime_parts::{Moment, Part};
use super::decimals::Decimals;
use super::sqlite_date::{JulianMoment, MILLIS_PER_DAY, now};
use super::sqlite_modifier::moment;
use super::strftime::week_from;
use arrow::array::{ArrayRef, BinaryViewArray};
use arrow::datatypes::{Float64Type, Int64Type};
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;
use llkv_types::variant::{self, Variant};
use std::fmt::Write;

use SqlType::{Float64, Int64, Text};

/// Arguments whose values carry their type.
pub(super) struct Values {
    columns: Vec<(BinaryViewArray, bool)>,
}

impl Values {
    pub(super) fn new(args: &FunctionArgs<'_>) -> Result<Self> {
        let columns = (0..args.arrays.len())
            .map(|at| {
                let encoded = variant::encoded(array(args, at)?.as_ref())?;
                Ok((encoded, is_constant(args, at)))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { columns })
    }

    pub(super) const fn len(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn get(&self, at: usize, row: usize) -> Result<Option<Variant<'_>>> {
        match self.columns.get(at) {
            None => Ok(None),
            Some((column, constant)) => variant::value(column, if *constant { 0 } else { row }),
        }
    }
}

/// Any number of values, from some number on.
pub(super) fn values(types: &[SqlType], at_least: usize, result: SqlType) -> Option<Signature> {
    if types.len() < at_least {
        return None;
    }
    signature(&vec![SqlType::Variant; types.len()], result)
}

/// The moment of the arguments from `first` on, `now` where there are none; NULL among them gives none.
fn of_arguments(values: &Values, first: usize, row: usize) -> Result<Option<(JulianMoment, bool)>> {
    if values.len() <= first {
        return Ok(now().map(|moment| (moment, false)));
    }
    let Some(value) = values.get(first, row)? else {
        return Ok(None);
    };
    let mut texts = Vec::new();
    for at in first + 1..values.len() {
        match values.get(at, row)? {
            None => return Ok(None),
            Some(modifier) => texts.push(modifier.to_string()),
        }
    }
    let modifiers: Vec<&str> = texts.iter().map(String::as_str).collect();
    // `subsec` may take the place of the time value.
    if let Variant::Text(text) = value
        && ["subsec", "subsecond"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word))
    {
        return Ok(moment(Variant::Text("now"), &modifiers).map(|(moment, _)| (moment, true)));
    }
    Ok(moment(value, &modifiers))
}

fn text(
    args: &FunctionArgs<'_>,
    first: usize,
    write: impl Fn(&mut String, JulianMoment, bool),
) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    build_text(args.rows, |row, out| {
        let moment = of_arguments(&values, first, row)?;
        Ok(moment.map(|(moment, subseconds)| write(out, moment, subseconds)))
    })
}

/// A text takes everything.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok());
}

fn write_date(out: &mut String, moment: JulianMoment) {
    let parts = moment.parts();
    if parts.year < 0 {
        out.push('-');
    }
    let year = parts.year.abs();
    put(
        out,
        format_args!("{year:04}-{:02}-{:02}", parts.month, parts.day),
    );
}

fn write_time(out: &mut String, moment: JulianMoment, subseconds: bool) {
    let clock = moment.parts().clock;
    let seconds = clock / 1_000;
    put(
        out,
        format_args!(
            "{:02}:{:02}:{:02}",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60
        ),
    );
    if subseconds {
        put(out, format_args!(".{:03}", clock % 1_000));
    }
}

fn write_datetime(out: &mut String, moment: JulianMoment, subseconds: bool) {
    write_date(out, moment);
    out.push(' ');
    write_time(out, moment, subseconds);
}

fn julian_day(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    build::<Float64Type>(args, |row| {
        let moment = of_arguments(&values, 0, row)?;
        Ok(moment.map(|(moment, _)| moment.millis() as f64 / MILLIS_PER_DAY as f64))
    })
}

fn unix_epoch(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    build::<Int64Type>(args, |row| {
        let moment = of_arguments(&values, 0, row)?;
        Ok(moment.map(|(moment, _)| moment.unix_millis().div_euclid(1_000)))
    })
}

/// Writes by a format; `None` for a letter that means nothing.
fn format(out: &mut String, format: &str, moment: JulianMoment) -> Option<()> {
    let parts = moment.parts();
    let seconds = parts.clock / 1_000;
    let hour = seconds / 3_600;
    let at = Moment::new(moment.unix_millis().checked_mul(1_000)?);
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        let hour_12 = (hour + 11) % 12 + 1;
        match letters.next()? {
            'd' => put(out, format_args!("{:02}", parts.day)),
            'e' => put(out, format_args!("{:2}", parts.day)),
            'f' => {
                let second = (parts.clock % 60_000).min(59_999);
                put(
                    out,
                    format_args!("{:02}.{:03}", second / 1_000, second % 1_000),
                );
            }
            'F' => write_date(out, moment),
            'g' => put(
                out,
                format_args!("{:02}", Part::IsoYear.of(at).rem_euclid(100)),
            ),
            'G' => put(out, format_args!("{:04}", Part::IsoYear.of(at))),
            'H' => put(out, format_args!("{hour:02}")),
            'I' => put(out, format_args!("{hour_12:02}")),
            'j' => put(out, format_args!("{:03}", Part::DayOfYear.of(at))),
            'J' => {
                let days = moment.millis() as f64 / MILLIS_PER_DAY as f64;
                out.push_str(&super::printf::general(days, 16, false, Decimals::HalfUp));
            }
            'k' => put(out, format_args!("{hour:2}")),
            'l' => put(out, format_args!("{hour_12:2}")),
            'm' => put(out, format_args!("{:02}", parts.month)),
            'M' => put(out, format_args!("{:02}", seconds / 60 % 60)),
            'p' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
            'P' => out.push_str(if hour < 12 { "am" } else { "pm" }),
            'R' => put(out, format_args!("{hour:02}:{:02}", seconds / 60 % 60)),
            's' => put(
                out,
                format_args!("{}", moment.unix_millis().div_euclid(1_000)),
            ),
            'S' => put(out, format_args!("{:02}", seconds % 60)),
            'T' => write_time(out, moment, false),
            'u' => put(out, format_args!("{}", Part::IsoWeekday.of(at))),
            'U' => put(out, format_args!("{:02}", week_from(at, 0))),
            'V' => put(out, format_args!("{:02}", Part::Week.of(at))),
            'w' => put(out, format_args!("{}", Part::Weekday.of(at))),
            'W' => put(out, format_args!("{:02}", week_from(at, 1))),
            'Y' => put(out, format_args!("{:04}", parts.year)),
            '%' => out.push('%'),
            _ => return None,
        }
    }
    Some(())
}

fn strftime(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    build_text(args.rows, |row, out| {
        let Some(pattern) = values.get(0, row)? else {
            return Ok(None);
        };
        let moment = of_arguments(&values, 1, row)?;
        Ok(moment.and_then(|(moment, _)| format(out, &pattern.to_string(), moment)))
    })
}

/// `±YYYY-MM-DD HH:MM:SS.SSS` that leads from the second moment to the first.
fn difference(out: &mut String, later: JulianMoment, earlier: JulianMoment) -> Option<()> {
    let negative = later.millis() < earlier.millis();
    let (mut from, to) = (earlier.parts(), later.parts());
    // Whole months, as many as do not lead past the other moment.
    let mut months = (to.year - from.year) * 12 + to.month - from.month;
    let step = if negative { 1 } else { -1 };
    let moved = |months: i64| {
        let mut parts = earlier.parts();
        parts.month += months;
        parts.moment()
    };
    let past = |moment: JulianMoment| match negative {
        false => moment.millis() > later.millis(),
        true => moment.millis() < later.millis(),
    };
    while past(moved(months)?) {
        months += step;
    }
    from.month += months;
    let rest = (later.millis() - from.moment()?.millis()).abs();
    let months = months.abs();
    let clock = rest % MILLIS_PER_DAY;
    let seconds = clock / 1_000;
    put(
        out,
        format_args!(
            "{}{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}",
            if negative { '-' } else { '+' },
            months / 12,
            months % 12,
            rest / MILLIS_PER_DAY,
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60,
            clock % 1_000
        ),
    );
    Some(())
}

fn timediff(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    build_text(args.rows, |row, out| {
        let (Some(later), Some(earlier)) = (values.get(0, row)?, values.get(1, row)?) else {
            return Ok(None);
        };
        let both = moment(later, &[]).zip(moment(earlier, &[]));
        Ok(both.and_then(|((later, _), (earlier, _))| difference(out, later, earlier)))
    })
}

/// What stands for the statement's time, as text.
macro_rules! current {
    ($name:literal, $description:literal, $example:expr, $write:expr) => {
        ScalarFunction::new(
            $name,
            $name,
            $description,
            $example,
            |types| super::args::exactly(types, &[], Text),
            |args| text(args, 0, $write),
        )
        .stable()
        .only_in(Dialects::SQLITE)
    };
}

/// A function of a time value and its modifiers.
macro_rules! of_moment {
    ($name:literal, $usage:literal, $description:literal, $example:expr, $result:expr, $kernel:expr) => {
        ScalarFunction::new(
            $name,
            $usage,
            $description,
            $example,
            |types| values(types, 0, $result),
            $kernel,
        )
        .taking_nulls()
        .stable()
        .only_in(Dialects::SQLITE)
    };
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    of_moment!(
        "date",
        "date([time value [, modifier ...]])",
        "The date as YYYY-MM-DD.",
        (
            "date('2024-01-31', '+1 month', 'start of month')",
            "2024-03-01"
        ),
        Text,
        |args| text(args, 0, |out, moment, _| write_date(out, moment))
    ),
    of_moment!(
        "time",
        "time([time value [, modifier ...]])",
        "The time of day as HH:MM:SS.",
        ("time('2024-01-31 16:05', '+90 minutes')", "17:35:00"),
        Text,
        |args| text(args, 0, write_time)
    ),
    of_moment!(
        "datetime",
        "datetime([time value [, modifier ...]])",
        "The date and time as YYYY-MM-DD HH:MM:SS.",
        ("datetime(1092941466, 'unixepoch')", "2004-08-19 18:51:06"),
        Text,
        |args| text(args, 0, write_datetime)
    ),
    of_moment!(
        "julianday",
        "julianday([time value [, modifier ...]])",
        "Days since noon of 24 November 4714 BC.",
        ("julianday('2000-01-01 12:00')", "2451545.0"),
        Float64,
        julian_day
    ),
    of_moment!(
        "unixepoch",
        "unixepoch([time value [, modifier ...]])",
        "Seconds since 1970-01-01.",
        ("unixepoch('1970-01-02')", "86400"),
        Int64,
        unix_epoch
    ),
    ScalarFunction::new(
        "strftime",
        "strftime(format [, time value [, modifier ...]])",
        "A moment by a format such as %Y-%m-%d %H:%M:%S.",
        (
            "strftime('%d.%m.%Y, week %W', '2024-01-31')",
            "31.01.2024, week 05",
        ),
        |types| values(types, 1, Text),
        strftime,
    )
    .taking_nulls()
    .stable()
    .only_in(Dialects::SQLITE),
    ScalarFunction::new(
        "timediff",
        "timediff(time value, time value)",
        "The modifier that leads from the second moment to the first.",
        (
            "timediff('2024-03-01', '2023-01-31 12:00')",
            "+0001-00-29 12:00:00.000",
        ),
        |types| match types {
            [_, _] => values(types, 2, Text),
            _ => None,
        },
        timediff,
    )
    .taking_nulls()
    .stable()
    .only_in(Dialects::SQLITE),
    current!(
        "current_timestamp",
        "The date and time of the statement, in UTC, as YYYY-MM-DD HH:MM:SS.",
        ("length(current_timestamp)", "19"),
        write_datetime
    ),
    current!(
        "current_date",
        "The date of the statement, in UTC, as YYYY-MM-DD.",
        ("length(current_date)", "10"),
        |out, moment, _| write_date(out, moment)
    ),
    current!(
        "current_time",
        "The time of the statement, in UTC, as HH:MM:SS.",
        ("length(current_time)", "8"),
        write_time
    ),
];
