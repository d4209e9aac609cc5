//! `to_char`, `to_date`, `to_timestamp`, `to_number`: texts by PostgreSQL's templates.

use super::args::{
    array, build, build_text, exactly, invalid, natives, out_of_range, signature, texts,
};
use super::template::{self, Field, Item, Shown};
use super::{datetime_make, number_template};
use crate::arrays::sql_type;
use arrow::array::ArrayRef;
use arrow::datatypes::{
    Date32Type, Decimal128Type, IntervalMonthDayNanoType, TimestampMicrosecondType,
};
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::{Error, Result};
use llkv_types::calendar::{CivilDate, MICROS_PER_DAY};
use llkv_types::{Scalar, SqlType};

use SqlType::{Date, Float64, Interval, Text, Timestamp, TimestampTz};

/// The type of `to_number`.
const NUMBER: SqlType = SqlType::Decimal {
    precision: SqlType::DECIMAL128_PRECISION,
    scale: number_template::SCALE,
};

/// The parts of the template of a row, which are nearly always those of the row before.
struct Templates {
    function: &'static str,
    known: Option<(String, Vec<Item>)>,
}

impl Templates {
    const fn new(function: &'static str) -> Self {
        Self {
            function,
            known: None,
        }
    }

    fn of(&mut self, template: &str) -> Result<&[Item]> {
        let known = match self.known.take() {
            Some(known) if known.0 == template => known,
            _ => (
                template.to_owned(),
                template::parse(self.function, template)?,
            ),
        };
        Ok(&self.known.insert(known).1)
    }
}

fn shown_type(types: &[SqlType]) -> Option<Signature> {
    let [value, Text | SqlType::Null] = types else {
        return None;
    };
    let value = match value {
        Interval | SqlType::Time => Interval,
        Date | Timestamp | SqlType::Null => Timestamp,
        TimestampTz => TimestampTz,
        ty if ty.is_numeric() => *ty,
        _ => return None,
    };
    signature(&[value, Text], Text)
}

fn to_char(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let ty = sql_type(array(args, 0)?.as_ref())?;
    let template = texts(args, 1)?;
    let mut templates = Templates::new("to_char");
    match ty {
        Timestamp | TimestampTz => {
            let x = natives::<TimestampMicrosecondType>(args, 0)?;
            build_text(args.rows, |row, out| {
                let (Some(x), Some(template)) = (x.get(row), template.get(row)) else {
                    return Ok(None);
                };
                let shown = Shown::of(x, ty == TimestampTz);
                template::write(out, templates.of(template)?, &shown).map(Some)
            })
        }
        Interval => {
            let x = natives::<IntervalMonthDayNanoType>(args, 0)?;
            build_text(args.rows, |row, out| {
                let (Some(x), Some(template)) = (x.get(row), template.get(row)) else {
                    return Ok(None);
                };
                let shown = Shown {
                    year: i64::from(x.months / 12),
                    month: i64::from(x.months % 12),
                    day: i64::from(x.days),
                    clock: x.nanoseconds / 1_000,
                    moment: None,
                    has_zone: false,
                };
                template::write(out, templates.of(template)?, &shown).map(Some)
            })
        }
        _ => build_text(args.rows, |row, out| {
            let Some(template) = template.get(row) else {
                return Ok(None);
            };
            let row = if super::args::is_constant(args, 0) {
                0
            } else {
                row
            };
            match Scalar::from_array(array(args, 0)?.as_ref(), row)? {
                Scalar::Null(_) => Ok(None),
                value => number_template::write(out, template, &value).map(Some),
            }
        }),
    }
}

/// What was read of a date and time.
#[derive(Debug, Clone, Default)]
struct Read {
    year: Option<i64>,
    iso_year: Option<i64>,
    century: Option<i64>,
    before_christ: bool,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    iso_week: Option<i64>,
    iso_weekday: Option<i64>,
    week_of_year: Option<i64>,
    week_of_month: Option<i64>,
    julian: Option<i64>,
    hour: Option<i64>,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    second_of_day: Option<i64>,
    micros: i64,
    offset_hours: i64,
    offset_minutes: i64,
}

/// The input that is left.
struct Input<'t> {
    function: &'static str,
    text: &'t str,
    rest: &'t str,
}

impl<'t> Input<'t> {
    fn unfit(&self, wanted: &str) -> Error {
        invalid(
            self.function,
            format!(
                "'{}' has no {wanted} where the template asks for one",
                self.text
            ),
        )
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Up to so many digits, with a sign where `signed`.
    fn number(&mut self, digits: usize, signed: bool) -> Result<(i64, usize)> {
        self.skip_blanks();
        let sign = usize::from(signed && self.rest.starts_with(['-', '+']));
        let after = self.rest.get(sign..).unwrap_or("");
        let length = after
            .bytes()
            .take(digits)
            .take_while(u8::is_ascii_digit)
            .count();
        let number = self.rest.get(..sign + length).unwrap_or("");
        let value = number.parse().map_err(|_| self.unfit("number"))?;
        self.rest = after.get(length..).unwrap_or("");
        Ok((value, length))
    }

    /// The number of the name that comes next.
    fn name(&mut self, names: impl Iterator<Item = String>, what: &str) -> Result<i64> {
        self.skip_blanks();
        for (at, name) in (1..).zip(names) {
            let own = self.rest.get(..name.len());
            if own.is_some_and(|own| own.eq_ignore_ascii_case(&name)) {
                self.rest = self.rest.get(name.len()..).unwrap_or("");
                return Ok(at);
            }
        }
        Err(self.unfit(what))
    }

    fn word(&mut self, words: &[&str], what: &str) -> Result<i64> {
        self.name(words.iter().map(|word| (*word).to_owned()), what)
    }
}

fn months(short: bool) -> impl Iterator<Item = String> {
    (1..=12).map(move |month| {
        let name = super::datetime_parts::month_name(month);
        (if short {
            name.get(..3).unwrap_or(name)
        } else {
            name
        })
        .to_owned()
    })
}

fn weekdays(short: bool) -> impl Iterator<Item = String> {
    (1..=7).map(move |day| {
        let name = super::datetime_parts::weekday_name(day);
        (if short {
            name.get(..3).unwrap_or(name)
        } else {
            name
        })
        .to_owned()
    })
}

/// A year of which the last digits are given: the one next to 2020.
const fn near_2020(year: i64, digits: usize) -> i64 {
    match (digits, year) {
        (4.., _) => year,
        (_, 0..70) => year + 2_000,
        (_, 70..100) => year + 1_900,
        (_, 100..520) => year + 2_000,
        _ => year + 1_000,
    }
}

/// A fraction of a second: its first digit is that of tenths.
fn fraction(value: i64, digits: usize) -> i64 {
    let missing = 6u32.saturating_sub(digits as u32);
    value.saturating_mul(10i64.pow(missing)) / 10i64.pow((digits as u32).saturating_sub(6).min(12))
}

/// Digits of a number: where none follows in the template, there may be more than its pattern has.
const fn digits(count: usize, ends: bool) -> usize {
    if ends { 18 } else { count }
}

fn read_field(input: &mut Input<'_>, field: Field, ends: bool, read: &mut Read) -> Result<()> {
    if read_clock(input, field, ends, read)? || read_name(input, field, read)? {
        return Ok(());
    }
    match field {
        Field::Year(width) => {
            let (year, length) = input.number(digits(width as usize, ends), true)?;
            let width = if width == 4 { 4 } else { length };
            read.year = Some(near_2020(year, width));
        }
        Field::YearWithComma => {
            let (thousands, _) = input.number(18, true)?;
            input.word(&[","], "comma")?;
            let (rest, _) = input.number(3, false)?;
            read.year = Some(thousands.saturating_mul(1_000).saturating_add(rest));
        }
        Field::IsoYear(width) => {
            let (year, length) = input.number(digits(width as usize, ends), true)?;
            let width = if width == 4 { 4 } else { length };
            read.iso_year = Some(near_2020(year, width));
        }
        Field::Month => read.month = Some(input.number(digits(2, ends), false)?.0),
        Field::DayOfYear => read.day_of_year = Some(input.number(digits(3, ends), false)?.0),
        Field::Day => read.day = Some(input.number(digits(2, ends), false)?.0),
        Field::IsoWeekday => read.iso_weekday = Some(input.number(1, false)?.0),
        Field::WeekOfMonth => read.week_of_month = Some(input.number(1, false)?.0),
        Field::WeekOfYear => read.week_of_year = Some(input.number(digits(2, ends), false)?.0),
        Field::IsoWeek => read.iso_week = Some(input.number(digits(2, ends), false)?.0),
        Field::Century => read.century = Some(input.number(digits(2, ends), true)?.0),
        Field::Julian => read.julian = Some(input.number(18, false)?.0),
        Field::OffsetHours | Field::Offset => read.offset_hours = input.number(2, true)?.0,
        Field::OffsetMinutes => read.offset_minutes = input.number(2, false)?.0,
        Field::Zone(_) => return Err(invalid(input.function, "TZ is only for output")),
        // What is left does not decide about the date.
        _ => {
            input.number(1, false)?;
        }
    }
    Ok(())
}

/// A part of the time of day; false where the pattern is of something else.
fn read_clock(input: &mut Input<'_>, field: Field, ends: bool, read: &mut Read) -> Result<bool> {
    let part = match field {
        Field::Millisecond => Some(3),
        Field::Microsecond => Some(6),
        Field::Fraction(width) => Some(width as usize),
        _ => None,
    };
    if let Some(width) = part {
        let (value, length) = input.number(width, false)?;
        read.micros = fraction(value, length);
        return Ok(true);
    }
    match field {
        Field::Hour12 => {
            let hour = input.number(digits(2, ends), false)?.0;
            if !(1..=12).contains(&hour) {
                let detail = format!("hour {hour} is none of a clock of 12, for which HH24 stands");
                return Err(invalid(input.function, detail));
            }
            read.hour = Some(hour);
        }
        Field::Hour24 => read.hour = Some(input.number(digits(2, ends), false)?.0),
        Field::Minute => read.minute = input.number(digits(2, ends), false)?.0,
        Field::Second => read.second = input.number(digits(2, ends), false)?.0,
        Field::SecondOfDay => read.second_of_day = Some(input.number(5, false)?.0),
        Field::Meridiem(..) => {
            let words = ["a.m.", "am", "p.m.", "pm"];
            read.afternoon = Some(input.word(&words, "am or pm")? > 2);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// A name; false where the pattern is of a number.
fn read_name(input: &mut Input<'_>, field: Field, read: &mut Read) -> Result<bool> {
    match field {
        Field::Era(..) => {
            let words = ["a.d.", "ad", "b.c.", "bc"];
            read.before_christ = input.word(&words, "ad or bc")? > 2;
        }
        Field::MonthName(_) => read.month = Some(input.name(months(false), "month")?),
        Field::MonthShort(_) => read.month = Some(input.name(months(true), "month")?),
        Field::DayName(_) => {
            input.name(weekdays(false), "weekday")?;
        }
        Field::DayShort(_) => {
            input.name(weekdays(true), "weekday")?;
        }
        Field::Roman(_) => {
            // Longer numerals before those that they begin with.
            let words = [
                "viii", "vii", "vi", "iv", "v", "iii", "ii", "ix", "i", "xii", "xi", "x",
            ];
            let numbers = [8, 7, 6, 4, 5, 3, 2, 9, 1, 12, 11, 10];
            let at = input.word(&words, "month")?;
            read.month = numbers.get(at as usize - 1).copied();
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Takes a text apart by a template.
fn read(function: &'static str, text: &str, items: &[Item]) -> Result<Read> {
    let mut input = Input {
        function,
        text,
        rest: text,
    };
    let mut read = Read::default();
    for (at, item) in items.iter().enumerate() {
        match item {
            Item::Literal(c) if c.is_alphanumeric() => {
                let mut chars = input.rest.chars();
                chars.next();
                input.rest = chars.as_str();
            }
            Item::Literal(c) => {
                if !c.is_whitespace() {
                    input.skip_blanks();
                }
                // A sign of the template stands for any sign; one before a number is left to it.
                let next = input.rest.chars().next();
                let signs = next.is_some_and(|next| !next.is_alphanumeric() && next != '+');
                if signs && !(next == Some('-') && *c != '-' && c.is_whitespace()) {
                    let mut chars = input.rest.chars();
                    chars.next();
                    input.rest = chars.as_str();
                }
            }
            Item::Field {
                field,
                fill,
                ordinal,
            } => {
                let next_is_number = matches!(
                    items.get(at + 1),
                    Some(Item::Field {
                        field: next,
                        ..
                    }) if !matches!(next, Field::Meridiem(..) | Field::Era(..) | Field::MonthName(_) | Field::MonthShort(_))
                );
                read_field(&mut input, *field, !next_is_number || !fill, &mut read)?;
                if ordinal.is_some() {
                    input.rest = input.rest.get(2..).unwrap_or("");
                }
            }
        }
    }
    Ok(read)
}

impl Read {
    fn year_of_date(&self) -> Option<i64> {
        let year = match (self.year, self.century) {
            (Some(year), None) => year,
            (Some(year), Some(century)) => (century.checked_sub(1)?)
                .checked_mul(100)?
                .checked_add(year.rem_euclid(100))?,
            (None, Some(century)) => (century.checked_sub(1)?).checked_mul(100)?.checked_add(1)?,
            (None, None) => return None,
        };
        if self.before_christ || year < 0 {
            return 1i64.checked_sub(year.abs());
        }
        Some(year)
    }

    /// Days since 1970-01-01; `None` for a date that does not exist.
    fn days(&self) -> Option<i64> {
        if let Some(julian) = self.julian {
            return julian.checked_sub(2_440_588);
        }
        if let (Some(year), Some(week)) = (self.iso_year, self.iso_week) {
            if !(1..=53).contains(&week) {
                return None;
            }
            let fourth = i64::from(CivilDate::to_days(year, 1, 4)?);
            let monday = fourth - (fourth + 3).rem_euclid(7);
            return Some(monday + (week - 1) * 7 + self.iso_weekday.unwrap_or(1) - 1);
        }
        let year = self.year_of_date().or(self.iso_year).unwrap_or(0);
        if let Some(day) = self.day_of_year {
            let last = i64::from(CivilDate::to_days(year, 12, 31)?);
            let first = i64::from(CivilDate::to_days(year, 1, 1)?);
            return (day >= 1 && first + day - 1 <= last).then(|| first + day - 1);
        }
        if let (Some(week), None) = (self.week_of_year, self.month) {
            let first = i64::from(CivilDate::to_days(year, 1, 1)?);
            return (1..=53).contains(&week).then(|| first + (week - 1) * 7);
        }
        let day = match (self.day, self.week_of_month) {
            (None, Some(week)) => week.checked_sub(1)?.checked_mul(7)?.checked_add(1)?,
            (day, _) => day.unwrap_or(1),
        };
        CivilDate::to_days(year, self.month.unwrap_or(1), day).map(i64::from)
    }

    /// Microseconds since midnight.
    fn clock(&self) -> Option<i64> {
        if let Some(seconds) = self.second_of_day {
            return (0..86_400)
                .contains(&seconds)
                .then(|| seconds * 1_000_000 + self.micros);
        }
        let hour = match (self.hour.unwrap_or(0), self.afternoon) {
            (hour, None) => hour,
            (hour, Some(_)) if !(1..=12).contains(&hour) => return None,
            (hour, Some(afternoon)) => hour % 12 + if afternoon { 12 } else { 0 },
        };
        let inside = (0..24).contains(&hour)
            && (0..60).contains(&self.minute)
            && (0..60).contains(&self.second);
        let seconds = (hour * 60 + self.minute) * 60 + self.second;
        inside.then(|| seconds * 1_000_000 + self.micros)
    }

    fn micros(&self) -> Option<i64> {
        let minutes = self
            .offset_hours
            .abs()
            .checked_mul(60)?
            .checked_add(self.offset_minutes)?;
        let offset = if self.offset_hours < 0 {
            -minutes
        } else {
            minutes
        };
        self.days()?
            .checked_mul(MICROS_PER_DAY)?
            .checked_add(self.clock()?)?
            .checked_sub(offset.checked_mul(60_000_000)?)
    }
}

fn no_such(function: &'static str, text: &str) -> Error {
    invalid(
        function,
        format!("'{text}' is no date or time that there is"),
    )
}

fn to_date(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "to_date";
    let (x, template) = (texts(args, 0)?, texts(args, 1)?);
    let mut templates = Templates::new(NAME);
    build::<Date32Type>(args, |row| {
        let (Some(text), Some(template)) = (x.get(row), template.get(row)) else {
            return Ok(None);
        };
        let days = read(NAME, text, templates.of(template)?)?.days();
        let days = days.and_then(|days| i32::try_from(days).ok());
        days.map(Some).ok_or_else(|| no_such(NAME, text))
    })
}

fn to_timestamp(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "to_timestamp";
    if args.arrays.len() == 1 {
        return datetime_make::to_timestamp(args);
    }
    let (x, template) = (texts(args, 0)?, texts(args, 1)?);
    let mut templates = Templates::new(NAME);
    build::<TimestampMicrosecondType>(args, |row| {
        let (Some(text), Some(template)) = (x.get(row), template.get(row)) else {
            return Ok(None);
        };
        let micros = read(NAME, text, templates.of(template)?)?.micros();
        micros.map(Some).ok_or_else(|| no_such(NAME, text))
    })
}

fn to_number(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "to_number";
    let (x, template) = (texts(args, 0)?, texts(args, 1)?);
    build::<Decimal128Type>(args, |row| {
        let (Some(text), Some(template)) = (x.get(row), template.get(row)) else {
            return Ok(None);
        };
        match number_template::read(text, template)? {
            Some(value) => Ok(Some(value)),
            None => Err(out_of_range(NAME, NUMBER)),
        }
    })
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "to_char",
        "to_char(x, template)",
        "A moment, interval or number as text, by a template such as YYYY-MM-DD HH24:MI or 9,999.00.",
        ("to_char(TIMESTAMP '2024-01-31 16:05:00', 'FMDay, DD Mon YYYY HH12:MI am')", "Wednesday, 31 Jan 2024 04:05 pm"),
        shown_type,
        to_char,
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "to_date",
        "to_date(text, template)",
        "The date of a text, by a template such as DD Mon YYYY.",
        ("to_date('05 Dec 2000', 'DD Mon YYYY')", "2000-12-05"),
        |types| exactly(types, &[Text, Text], Date),
        to_date,
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "to_timestamp",
        "to_timestamp(seconds), to_timestamp(text, template)",
        "The moment so many seconds after 1970-01-01 UTC; or that of a text, by a template.",
        ("to_timestamp('05 Dec 2000 13:05', 'DD Mon YYYY HH24:MI')", "2000-12-05 13:05:00+00"),
        |types| exactly(types, &[Float64], TimestampTz)
            .or_else(|| exactly(types, &[Text, Text], TimestampTz)),
        to_timestamp,
    )
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    ScalarFunction::new(
        "to_number",
        "to_number(text, template)",
        "The number of a text, by a template such as 9,999.99.",
        ("to_number('12,454.8-', '99G999D9S') = -12454.8", "true"),
        |types| exactly(types, &[Text, Text], NUMBER),
        to_number,
    )
    .only_in(Dialects::LLKV),
];
