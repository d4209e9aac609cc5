//! INTERVAL from text: `1 year 2 months 3 days 04:05:06`, `-90 minutes`, `1.5 hours`, `P1Y2M3DT4H5M6S`, the standard's
//! `1-2 3 04:05:06`.

use super::parse::Cursor;
use arrow::datatypes::IntervalMonthDayNano;
use llkv_types::calendar::NANOS_PER_DAY;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// Digits after the point that count.
const FRACTION_DIGITS: u32 = 9;
const FRACTION_UNIT: i128 = 1_000_000_000;

/// What one unit is made of: months, days, nanoseconds.
fn unit(name: &str) -> Option<(i128, i128, i128)> {
    let name = name.to_ascii_lowercase();
    let singular = match name.strip_suffix('s') {
        Some(rest) if !rest.is_empty() && !matches!(name.as_str(), "ms" | "us" | "ns") => rest,
        _ => name.as_str(),
    };
    Some(match singular {
        "millennium" | "millenniu" | "millennia" => (12_000, 0, 0),
        "century" | "centurie" | "c" => (1_200, 0, 0),
        "decade" | "dec" => (120, 0, 0),
        "year" | "y" | "yr" => (12, 0, 0),
        "quarter" => (3, 0, 0),
        "month" | "mon" => (1, 0, 0),
        "week" | "w" => (0, 7, 0),
        "day" | "d" => (0, 1, 0),
        "hour" | "h" | "hr" => (0, 0, 3_600 * NANOS_PER_SECOND),
        "minute" | "m" | "min" => (0, 0, 60 * NANOS_PER_SECOND),
        "second" | "" | "sec" | "s" => (0, 0, NANOS_PER_SECOND),
        "millisecond" | "ms" | "msec" => (0, 0, 1_000_000),
        "microsecond" | "us" | "usec" => (0, 0, 1_000),
        "nanosecond" | "ns" | "nsec" => (0, 0, 1),
        _ => return None,
    })
}

/// Months, days and nanoseconds as they add up.
#[derive(Default)]
struct Sum {
    months: i128,
    days: i128,
    nanos: i128,
}

impl Sum {
    /// Adds `count` units, in billionths; what is left of months becomes days, of days time.
    fn add(&mut self, count: i128, unit: (i128, i128, i128)) -> Option<()> {
        let mut months = count.checked_mul(unit.0)?;
        if unit.0 > 1 {
            // What is left of years is whole months.
            months = round_to(months, FRACTION_UNIT)?;
        }
        let days = count
            .checked_mul(unit.1)?
            .checked_add(months % FRACTION_UNIT * 30)?;
        let nanos = count
            .checked_mul(unit.2)?
            .checked_add(days % FRACTION_UNIT * i128::from(NANOS_PER_DAY))?;
        self.months = self.months.checked_add(months / FRACTION_UNIT)?;
        self.days = self.days.checked_add(days / FRACTION_UNIT)?;
        self.nanos = self.nanos.checked_add(nanos / FRACTION_UNIT)?;
        Some(())
    }

    fn finish(self, sign: i128) -> Option<IntervalMonthDayNano> {
        Some(IntervalMonthDayNano::new(
            i32::try_from(self.months * sign).ok()?,
            i32::try_from(self.days * sign).ok()?,
            i64::try_from(self.nanos * sign).ok()?,
        ))
    }
}

/// The nearest multiple; the one further from zero where two are.
fn round_to(value: i128, unit: i128) -> Option<i128> {
    let half = value.signum() * (unit / 2);
    Some(value.checked_add(half)? / unit * unit)
}

/// A sign, if one comes next.
fn sign(cursor: &mut Cursor<'_>) -> i128 {
    if cursor.take('-') {
        -1
    } else {
        cursor.take('+');
        1
    }
}

/// An unsigned number with an optional fraction, in billionths.
fn count(cursor: &mut Cursor<'_>) -> Option<i128> {
    let whole = if cursor.peek() == Some('.') {
        0
    } else {
        i128::from(cursor.number()?)
    };
    let fraction = if cursor.take('.') {
        i128::from(cursor.fraction(FRACTION_DIGITS))
    } else {
        0
    };
    Some(whole * FRACTION_UNIT + fraction)
}

/// Parses the forms above; `ago` at the end turns the sign. A number without a unit is days before a time of day, else, once,
/// seconds.
pub(super) fn parse(text: &str) -> Option<IntervalMonthDayNano> {
    let mut cursor = Cursor::new(text);
    cursor.take('@');
    let mut sum = Sum::default();
    let (mut parts, mut has_bare) = (0, false);
    cursor.skip_blanks();
    if cursor.take('P') || cursor.take('p') {
        return designators(&mut cursor);
    }
    while !cursor.is_at_end() {
        if matches!(cursor.peek(), Some('a' | 'A')) {
            let ago = cursor.take_while(|c| c.is_ascii_alphabetic());
            let valid = ago.eq_ignore_ascii_case("ago") && cursor.is_at_end() && parts > 0;
            return if valid { sum.finish(-1) } else { None };
        }
        let sign = sign(&mut cursor);
        cursor.skip_blanks();
        let number = count(&mut cursor)?;
        if cursor.take(':') {
            let clock = clock(&mut cursor, number / FRACTION_UNIT)?;
            sum.nanos = sum.nanos.checked_add(clock * sign)?;
        } else if cursor.take('-') {
            let months = years_and_months(&mut cursor, number)?;
            sum.months = sum.months.checked_add(months * sign)?;
        } else {
            cursor.skip_blanks();
            let name = cursor.take_while(|c| c.is_ascii_alphabetic());
            let name = match name {
                "" if is_before_clock(cursor.clone()) => "day",
                "" if std::mem::replace(&mut has_bare, true) => return None,
                name => name,
            };
            sum.add(number * sign, unit(name)?)?;
        }
        parts += 1;
        cursor.skip_blanks();
    }
    if parts == 0 { None } else { sum.finish(1) }
}

/// `MM` after years, given in billionths, and a `-`: months.
fn years_and_months(cursor: &mut Cursor<'_>, years: i128) -> Option<i128> {
    let months = i128::from(cursor.number()?);
    let is_whole = years % FRACTION_UNIT == 0;
    (is_whole && months < 12).then_some(years / FRACTION_UNIT * 12 + months)
}

/// True where a time of day comes next.
fn is_before_clock(mut cursor: Cursor<'_>) -> bool {
    sign(&mut cursor);
    count(&mut cursor).is_some() && cursor.take(':')
}

/// `[HH:]MM[:SS[.f]]` after the hours: nanoseconds.
fn clock(cursor: &mut Cursor<'_>, hours: i128) -> Option<i128> {
    let minutes = i128::from(cursor.number()?);
    let seconds = if cursor.take(':') { count(cursor)? } else { 0 };
    if minutes > 59 || seconds >= 60 * FRACTION_UNIT {
        return None;
    }
    Some((hours * 60 + minutes) * 60 * NANOS_PER_SECOND + seconds)
}

/// ISO 8601: `1Y2M3DT4H5M6S` after the `P`.
fn designators(cursor: &mut Cursor<'_>) -> Option<IntervalMonthDayNano> {
    let mut sum = Sum::default();
    let mut in_time = false;
    let mut parts = 0;
    while !cursor.is_at_end() {
        if cursor.take('T') || cursor.take('t') {
            if in_time {
                return None;
            }
            in_time = true;
            continue;
        }
        let sign = sign(cursor);
        let number = count(cursor)? * sign;
        let name = cursor.take_while(|c| c.is_ascii_alphabetic() && c != 'T' && c != 't');
        let size = match (name.to_ascii_uppercase().as_str(), in_time) {
            ("Y", false) => (12, 0, 0),
            ("M", false) => (1, 0, 0),
            ("W", false) => (0, 7, 0),
            ("D", false) => (0, 1, 0),
            ("H", true) => (0, 0, 3_600 * NANOS_PER_SECOND),
            ("M", true) => (0, 0, 60 * NANOS_PER_SECOND),
            ("S", true) => (0, 0, NANOS_PER_SECOND),
            _ => return None,
        };
        sum.add(number, size)?;
        parts += 1;
    }
    if parts == 0 { None } else { sum.finish(1) }
}
