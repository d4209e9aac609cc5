//! The format of `strptime`: `%` and a letter, as in C and DuckDB.

use super::args::{build, exactly, invalid, texts};
use super::datetime_parts::{month_name, weekday_name};
use arrow::array::ArrayRef;
use arrow::datatypes::TimestampMicrosecondType;
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;
use llkv_types::calendar::{CivilDate, MICROS_PER_DAY};

use SqlType::{Text, Timestamp};

const NAME: &str = "strptime";

/// What was read.
#[derive(Debug, Clone, Copy)]
struct Read {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: Option<i64>,
    hour: i64,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    micros: i64,
    /// Minutes east of UTC.
    offset: i64,
}

impl Read {
    /// Microseconds since 1970-01-01 UTC; `None` for a moment that does not exist.
    fn moment(&self) -> Option<i64> {
        let days = match self.day_of_year {
            None => i64::from(CivilDate::to_days(self.year, self.month, self.day)?),
            Some(day) => {
                let first = i64::from(CivilDate::to_days(self.year, 1, 1)?);
                let last = i64::from(CivilDate::to_days(self.year, 12, 31)?);
                (day >= 1 && first + day - 1 <= last).then(|| first + day - 1)?
            }
        };
        let hour = match self.afternoon {
            None => self.hour,
            Some(_) if !(1..=12).contains(&self.hour) => return None,
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
        };
        let inside = (0..24).contains(&hour)
            && (0..60).contains(&self.minute)
            && (0..60).contains(&self.second);
        let minutes = hour * 60 + self.minute - self.offset;
        let clock = (minutes * 60 + self.second) * 1_000_000 + self.micros;
        inside
            .then(|| days.checked_mul(MICROS_PER_DAY)?.checked_add(clock))
            .flatten()
    }
}

/// Up to so many digits.
fn number(rest: &mut &str, digits: usize) -> Option<(i64, usize)> {
    let length = rest
        .bytes()
        .take(digits)
        .take_while(u8::is_ascii_digit)
        .count();
    let (own, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some((own.parse().ok()?, length))
}

/// The number, from 1, of the name that comes next, whole or its first three letters.
fn name(rest: &mut &str, count: i64, of: impl Fn(i64) -> &'static str, whole: bool) -> Option<i64> {
    (1..=count).find(|at| {
        let name = of(*at);
        let name = if whole {
            name
        } else {
            name.get(..3).unwrap_or(name)
        };
        let own = rest.get(..name.len());
        let found = own.is_some_and(|own| own.eq_ignore_ascii_case(name));
        if found {
            *rest = rest.get(name.len()..).unwrap_or("");
        }
        found
    })
}

/// `Z`, `+HH`, `+HHMM` or `+HH:MM`, in minutes.
fn offset(rest: &mut &str) -> Option<i64> {
    if let Some(after) = rest.strip_prefix(['Z', 'z']) {
        *rest = after;
        return Some(0);
    }
    let sign = match rest.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    *rest = rest.get(1..)?;
    let (hours, _) = number(rest, 2)?;
    *rest = rest.strip_prefix(':').unwrap_or(rest);
    let minutes = number(rest, 2).map_or(0, |(minutes, _)| minutes);
    Some(sign * (hours * 60 + minutes))
}

/// Reads a text by a format: `None` where it does not fit.
///
/// # Errors
/// `InvalidArgument` for a letter that means nothing.
fn read(text: &str, format: &str) -> Result<Option<i64>> {
    let mut read = Read {
        year: 1900,
        month: 1,
        day: 1,
        day_of_year: None,
        hour: 0,
        afternoon: None,
        minute: 0,
        second: 0,
        micros: 0,
        offset: 0,
    };
    let mut rest = text;
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        let fits = match letter {
            '%' => {
                let letter = match letters.next() {
                    Some('-') => letters.next(),
                    other => other,
                };
                let Some(letter) = letter else {
                    return Err(invalid(NAME, "the format ends in %"));
                };
                field(&mut rest, letter, &mut read)?
            }
            blank if blank.is_whitespace() => {
                rest = rest.trim_start();
                Some(())
            }
            other => rest.strip_prefix(other).map(|after| rest = after),
        };
        if fits.is_none() {
            return Ok(None);
        }
    }
    let ends = rest.trim_end().is_empty();
    Ok(if ends { read.moment() } else { None })
}

fn field(rest: &mut &str, letter: char, read: &mut Read) -> Result<Option<()>> {
    let mut set = |place: fn(&mut Read) -> &mut i64, digits| {
        let (value, _) = number(rest, digits)?;
        *place(read) = value;
        Some(())
    };
    Ok(match letter {
        'Y' => set(|r| &mut r.year, 4),
        'm' => set(|r| &mut r.month, 2),
        'd' => set(|r| &mut r.day, 2),
        'H' | 'I' => set(|r| &mut r.hour, 2),
        'M' => set(|r| &mut r.minute, 2),
        'S' => set(|r| &mut r.second, 2),
        'y' => number(rest, 2).map(|(year, _)| {
            read.year = if year < 69 { 2000 + year } else { 1900 + year };
        }),
        'j' => number(rest, 3).map(|(day, _)| read.day_of_year = Some(day)),
        'f' | 'g' | 'n' => number(rest, 9).map(|(value, length)| {
            let scale = 10i64.pow(9 - length as u32);
            read.micros = value * scale / 1_000;
        }),
        'B' => name(rest, 12, |at| month_name(at as u8), true).map(|month| read.month = month),
        'b' | 'h' => {
            name(rest, 12, |at| month_name(at as u8), false).map(|month| read.month = month)
        }
        'A' => name(rest, 7, weekday_name, true).map(|_| ()),
        'a' => name(rest, 7, weekday_name, false).map(|_| ()),
        'p' => {
            let half = |at| if at == 1 { "AM" } else { "PM" };
            name(rest, 2, half, true).map(|half| read.afternoon = Some(half == 2))
        }
        'z' => offset(rest).map(|minutes| read.offset = minutes),
        'Z' => rest.strip_prefix("UTC").map(|after| *rest = after),
        'w' | 'u' => number(rest, 1).map(|_| ()),
        'T' => several(rest, "H:M:S", read)?,
        'F' => several(rest, "Y-m-d", read)?,
        'R' => several(rest, "H:M", read)?,
        'D' | 'x' => several(rest, "m/d/y", read)?,
        'X' => several(rest, "H:M:S", read)?,
        'c' => several(rest, "Y-m-d H:M:S", read)?,
        '%' => rest.strip_prefix('%').map(|after| *rest = after),
        other => return Err(invalid(NAME, format!("unknown field %{other}"))),
    })
}

/// Fields with signs between them.
fn several(rest: &mut &str, fields: &str, read: &mut Read) -> Result<Option<()>> {
    for letter in fields.chars() {
        let fits = if letter.is_ascii_alphabetic() {
            field(rest, letter, read)?
        } else {
            rest.strip_prefix(letter).map(|after| *rest = after)
        };
        if fits.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(()))
}

fn strptime(args: &FunctionArgs<'_>, strict: bool) -> Result<ArrayRef> {
    let (x, format) = (texts(args, 0)?, texts(args, 1)?);
    build::<TimestampMicrosecondType>(args, |row| {
        let (Some(x), Some(format)) = (x.get(row), format.get(row)) else {
            return Ok(None);
        };
        match read(x, format)? {
            None if strict => Err(invalid(
                NAME,
                format!("'{x}' is no moment of the form '{format}'"),
            )),
            moment => Ok(moment),
        }
    })
}

fn two_texts(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Text], Timestamp)
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "strptime",
        "strptime(text, format)",
        "The moment of a text, by a format such as %d/%m/%Y %H:%M:%S; UTC where it has an offset.",
        (
            "strptime('31.01.2024 4:05 PM', '%d.%m.%Y %I:%M %p')",
            "2024-01-31 16:05:00",
        ),
        two_texts,
        |args| strptime(args, true),
    )
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    ScalarFunction::new(
        "try_strptime",
        "try_strptime(text, format)",
        "The moment of a text, by a format; NULL where the text does not fit it.",
        ("try_strptime('x', '%Y') IS NULL", "true"),
        two_texts,
        |args| strptime(args, false),
    )
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
];

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn formats() {
        let micros = |text, format| read(text, format).unwrap();
        assert_eq!(micros("1970-01-02", "%Y-%m-%d"), Some(86_400_000_000));
        assert_eq!(
            micros("1/2/70 00:00:01.5", "%-m/%-d/%y %H:%M:%S.%f"),
            Some(86_401_500_000)
        );
        assert_eq!(
            micros("Fri, 2 Jan 1970 02:00:00 +0200", "%a, %d %b %Y %T %z"),
            Some(86_400_000_000)
        );
        assert_eq!(micros("1970-02-30", "%F"), None);
        assert_eq!(micros("1970-01-01x", "%F"), None);
        assert!(read("1", "%k").is_err());
    }
}
