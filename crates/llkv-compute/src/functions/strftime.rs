//! The format of `strftime`: `%` and a letter, as in C.

use super::args::invalid;
use super::datetime_parts::{Moment, Part, month_name, weekday_name};
use llkv_result::{Error, Result};
use std::fmt::Write;

const NAME: &str = "strftime";

/// Writes a moment, in microseconds since 1970-01-01, by a format.
///
/// # Errors
/// `InvalidArgument` for a letter that means nothing.
pub(super) fn write(out: &mut String, format: &str, micros: i64) -> Result<()> {
    let moment = Moment::new(micros);
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let Some(mut letter) = chars.next() else {
            return Err(invalid(NAME, "the format ends in %"));
        };
        // `%-d` is `%d` without the zero in front.
        let padded = letter != '-';
        if !padded {
            letter = chars
                .next()
                .ok_or_else(|| invalid(NAME, "the format ends in %-"))?;
        }
        field(out, letter, padded, moment)?;
    }
    Ok(())
}

fn field(out: &mut String, letter: char, padded: bool, moment: Moment) -> Result<()> {
    let part = |part: Part| part.of(moment);
    let hour_12 = (part(Part::Hour) + 11) % 12 + 1;
    let micros = moment.clock % 1_000_000;
    let number = match letter {
        'm' => (part(Part::Month), 2),
        'd' => (part(Part::Day), 2),
        'H' => (part(Part::Hour), 2),
        'I' => (hour_12, 2),
        'M' => (part(Part::Minute), 2),
        'S' => (part(Part::Second), 2),
        'j' => (part(Part::DayOfYear), 3),
        'f' => (micros, 6),
        'g' => (micros / 1_000, 3),
        'y' => (part(Part::Year).rem_euclid(100), 2),
        'Y' => (part(Part::Year), 4),
        'G' => (part(Part::IsoYear), 4),
        'V' => (part(Part::Week), 2),
        'u' => (part(Part::IsoWeekday), 1),
        'w' => (part(Part::Weekday), 1),
        's' => (part(Part::Epoch), 1),
        'J' => (part(Part::Julian), 1),
        'U' => (week_from(moment, 0), 2),
        'W' => (week_from(moment, 1), 2),
        _ => return named(out, letter, moment),
    };
    let width = if padded { number.1 } else { 1 };
    write!(out, "{:0width$}", number.0).map_err(|_| Error::internal("a text refused a number"))
}

/// The week of the year, where weeks begin on a weekday (Sunday is 0) and days before the first are in week 0.
pub(super) fn week_from(moment: Moment, first: i64) -> i64 {
    let weekday = (Part::Weekday.of(moment) - first).rem_euclid(7);
    (moment.day_of_year() - 1 + 7 - weekday) / 7
}

fn named(out: &mut String, letter: char, moment: Moment) -> Result<()> {
    let month = month_name(moment.date.month);
    let weekday = weekday_name(moment.iso_weekday());
    match letter {
        'B' => out.push_str(month),
        'b' | 'h' => out.push_str(month.get(..3).unwrap_or(month)),
        'A' => out.push_str(weekday),
        'a' => out.push_str(weekday.get(..3).unwrap_or(weekday)),
        'p' => out.push_str(if Part::Hour.of(moment) < 12 {
            "AM"
        } else {
            "PM"
        }),
        'F' => return write(out, "%Y-%m-%d", moment.micros()),
        'T' => return write(out, "%H:%M:%S", moment.micros()),
        'R' => return write(out, "%H:%M", moment.micros()),
        'D' | 'x' => return write(out, "%m/%d/%y", moment.micros()),
        'X' => return write(out, "%H:%M:%S", moment.micros()),
        'c' => return write(out, "%Y-%m-%d %H:%M:%S", moment.micros()),
        'z' => out.push_str("+00"),
        'Z' => out.push_str("UTC"),
        'n' => out.push('\n'),
        't' => out.push('\t'),
        '%' => out.push('%'),
        other => return Err(invalid(NAME, format!("unknown field %{other}"))),
    }
    Ok(())
}
