//! Single values from text. Each function takes the whole text, blanks around it allowed, or gives `None`.

use crate::arithmetic::decimal::power_of_ten;
use llkv_types::SqlType;
use llkv_types::calendar::{CivilDate, MICROS_PER_DAY, MICROS_PER_SECOND};
use std::str::FromStr;

/// An integer of any width: digits with an optional sign, as a literal may be written: `1_000`, `0x1F`.
pub(crate) fn integer<N: FromStr>(text: &str) -> Option<N> {
    let text = text.trim();
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => written_integer(text)?.to_string().parse().ok(),
    }
}

/// An integer, or the one that a number with a fraction or an exponent is nearest to; halves go away from zero.
pub(crate) fn rounded_integer<N: FromStr>(text: &str) -> Option<N> {
    integer(text).or_else(|| decimal(text, 0)?.to_string().parse().ok())
}

/// An integer with underscores between its digits, or in another base.
fn written_integer(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let base = digits.get(..2).map(str::to_ascii_lowercase);
    let (radix, digits) = match base.as_deref() {
        Some("0x") => (16, digits.get(2..)?),
        Some("0o") => (8, digits.get(2..)?),
        Some("0b") => (2, digits.get(2..)?),
        _ if digits.contains('_') => (10, digits),
        _ => return None,
    };
    let is_apart = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_digit(radix));
    if !digits.split('_').all(is_apart) {
        return None;
    }
    let number = i128::from_str_radix(&digits.replace('_', ""), radix).ok()?;
    Some(if text.starts_with('-') {
        -number
    } else {
        number
    })
}

/// Whether a text that did not parse as `ty` has the form of such a number, so that it is out of range.
pub(super) fn is_number(text: &str, ty: SqlType) -> bool {
    let text = text.trim();
    if ty.is_integer() {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        return !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    }
    ty.is_numeric() && text.bytes().any(|byte| byte.is_ascii_digit()) && text.parse::<f64>().is_ok()
}

/// A float; `inf`, `infinity` and `nan` are names, a number beyond the range is none.
pub(crate) fn float(text: &str) -> Option<f64> {
    let text = text.trim();
    let value: f64 = text.parse().ok()?;
    let overflowed = value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit());
    (!overflowed).then_some(value)
}

/// A decimal number, with an optional exponent, times ten to the `scale`; further digits are rounded
/// half away from zero.
pub(crate) fn decimal(text: &str, scale: u8) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (
            digits.get(..at)?,
            digits.get(at + 1..)?.parse::<i32>().ok()?,
        ),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // The digits before this one are kept.
    let kept = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(scale);
    let mut value: i128 = 0;
    let mut round_up = false;
    for (at, digit) in (0i64..).zip(whole.bytes().chain(fraction.bytes())) {
        if !digit.is_ascii_digit() {
            return None;
        }
        let digit = i128::from(digit - b'0');
        if at < kept {
            value = value.checked_mul(10)?.checked_add(digit)?;
        } else if at == kept {
            round_up = digit >= 5;
        }
    }
    let seen = i64::try_from(whole.len() + fraction.len()).ok()?;
    if kept > seen && value != 0 {
        value = value.checked_mul(power_of_ten(u32::try_from(kept - seen).ok()?)?)?;
    }
    value = value.checked_add(i128::from(round_up))?;
    Some(if negative { -value } else { value })
}

/// The names of truth values and their unambiguous beginnings, as in PostgreSQL.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    let text = text.trim().to_ascii_lowercase();
    match text.as_str() {
        "" | "o" => None,
        "1" | "on" => Some(true),
        "0" | "of" | "off" => Some(false),
        name if "true".starts_with(name) || "yes".starts_with(name) => Some(true),
        name if "false".starts_with(name) || "no".starts_with(name) => Some(false),
        _ => None,
    }
}

/// The bytes of a text in which a backslash begins an escape: `\\` is one, `\xNN` a byte by its hexadecimal digits, as DuckDB
/// writes it, `\NNN` one by its octal ones, as PostgreSQL does. `None` for any other.
pub(crate) fn escaped_bytes(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let number = |digits: &[u8], radix| {
            let digits = std::str::from_utf8(digits).ok()?;
            let are_digits = digits.chars().all(|digit| digit.is_digit(radix));
            are_digits
                .then(|| u8::from_str_radix(digits, radix).ok())
                .flatten()
        };
        let (byte, after) = match rest {
            [b'\\', after @ ..] => (b'\\', after),
            [b'x', a, b, after @ ..] => (number(&[*a, *b], 16)?, after),
            [a, b, c, after @ ..] => (number(&[*a, *b, *c], 8)?, after),
            _ => return None,
        };
        out.push(byte);
        rest = after;
    }
    Some(out)
}

/// Bytes from pairs of hexadecimal digits.
pub(crate) fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    digits
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some((digit(*high)? * 16 + digit(*low)?) as u8),
            _ => None,
        })
        .collect()
}

/// What is left of a text while it is parsed.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text.trim() }
    }

    /// Takes a byte, if it comes next.
    pub(super) fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes the characters for which `test` holds; possibly none.
    pub(super) fn take_while(&mut self, test: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !test(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// Takes an unsigned number.
    pub(super) fn number(&mut self) -> Option<i64> {
        self.take_while(|c| c.is_ascii_digit()).parse().ok()
    }

    /// Takes digits after a point as units of ten to the minus `digits`, the rest rounded.
    pub(super) fn fraction(&mut self, digits: u32) -> i64 {
        let text = self.take_while(|c| c.is_ascii_digit());
        let mut value = 0;
        let mut taken = 0;
        for byte in text.bytes().take(digits as usize) {
            value = value * 10 + i64::from(byte - b'0');
            taken += 1;
        }
        let round_up = text
            .as_bytes()
            .get(digits as usize)
            .is_some_and(|b| *b >= b'5');
        value * 10i64.pow(digits - taken) + i64::from(round_up)
    }

    pub(super) fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }
}

fn date_part(cursor: &mut Cursor<'_>) -> Option<i32> {
    let negative = cursor.take('-') || {
        cursor.take('+');
        false
    };
    let year = cursor.number()?;
    let separator = match cursor.peek()? {
        '-' => '-',
        '/' => '/',
        _ => return None,
    };
    cursor.take(separator);
    let month = cursor.number()?;
    if !cursor.take(separator) {
        return None;
    }
    let day = cursor.number()?;
    CivilDate::to_days(if negative { -year } else { year }, month, day)
}

/// `HH:MM[:SS[.ffffff]]` as microseconds; `24:00:00` is the end of the day.
fn clock_part(cursor: &mut Cursor<'_>) -> Option<i64> {
    let hours = cursor.number()?;
    if !cursor.take(':') {
        return None;
    }
    let minutes = cursor.number()?;
    let (mut seconds, mut micros) = (0, 0);
    if cursor.take(':') {
        seconds = cursor.number()?;
        if cursor.take('.') {
            micros = cursor.fraction(6);
        }
    }
    let in_day = hours < 24 || (hours == 24 && minutes == 0 && seconds == 0 && micros == 0);
    if !in_day || minutes > 59 || seconds > 59 {
        return None;
    }
    Some(((hours * 60 + minutes) * 60 + seconds) * MICROS_PER_SECOND + micros)
}

/// `Z`, `UTC` or `+HH[[:]MM[:SS]]` as microseconds east of UTC; zero where there is none.
fn zone_part(cursor: &mut Cursor<'_>) -> Option<i64> {
    cursor.skip_blanks();
    if cursor.is_at_end() {
        return Some(0);
    }
    let sign = match cursor.peek()? {
        '+' => 1,
        '-' => -1,
        _ => {
            let name = cursor.take_while(|c| c.is_ascii_alphabetic());
            let utc = ["z", "utc", "gmt"]
                .iter()
                .any(|n| n.eq_ignore_ascii_case(name));
            return utc.then_some(0);
        }
    };
    cursor.take(if sign > 0 { '+' } else { '-' });
    let digits = cursor.take_while(|c| c.is_ascii_digit());
    let (hours, mut minutes) = match digits.len() {
        1 | 2 => (digits.parse::<i64>().ok()?, 0),
        4 => (
            digits.get(..2)?.parse().ok()?,
            digits.get(2..)?.parse().ok()?,
        ),
        _ => return None,
    };
    if digits.len() < 4 && cursor.take(':') {
        minutes = cursor.number()?;
    }
    let seconds = if cursor.take(':') {
        cursor.number()?
    } else {
        0
    };
    let valid = hours <= 15 && minutes <= 59 && seconds <= 59;
    valid.then_some(sign * ((hours * 60 + minutes) * 60 + seconds) * MICROS_PER_SECOND)
}

/// Local microseconds since 1970-01-01 and the zone's offset.
fn timestamp_parts(text: &str) -> Option<(i64, i64)> {
    let mut cursor = Cursor::new(text);
    let days = date_part(&mut cursor)?;
    let mut clock = 0;
    let mut offset = 0;
    if !cursor.is_at_end() {
        if !cursor.take('T') && !cursor.take('t') {
            if !cursor.take(' ') {
                return None;
            }
            cursor.skip_blanks();
        }
        clock = clock_part(&mut cursor)?;
        offset = zone_part(&mut cursor)?;
    }
    let micros = i64::from(days)
        .checked_mul(MICROS_PER_DAY)?
        .checked_add(clock)?;
    cursor.is_at_end().then_some((micros, offset))
}

/// `YYYY-MM-DD`; a time after it is allowed and ignored.
pub(crate) fn date(text: &str) -> Option<i32> {
    let mut cursor = Cursor::new(text);
    let days = date_part(&mut cursor)?;
    if cursor.is_at_end() {
        return Some(days);
    }
    let (micros, _) = timestamp_parts(text)?;
    i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok()
}

/// `HH:MM[:SS[.ffffff]]`
pub(crate) fn time(text: &str) -> Option<i64> {
    let mut cursor = Cursor::new(text);
    let micros = clock_part(&mut cursor)?;
    cursor.is_at_end().then_some(micros)
}

/// `YYYY-MM-DD[ HH:MM[:SS[.ffffff]]]`; a zone is allowed and, without one in the type, ignored.
pub(crate) fn timestamp(text: &str) -> Option<i64> {
    timestamp_parts(text).map(|(micros, _)| micros)
}

/// As [`timestamp`], in UTC; a text without a zone is in UTC.
pub(crate) fn timestamp_tz(text: &str) -> Option<i64> {
    let (micros, offset) = timestamp_parts(text)?;
    micros.checked_sub(offset)
}
