//! The format of `printf`: `%` with flags, width, precision and a letter, as in C and SQLite.

use super::args::invalid;
use super::decimals::Decimals;
use crate::cast::sqlite::{integer_prefix, number_prefix};
use llkv_result::Result;
use llkv_types::Scalar;
use llkv_types::variant::Variant;
use std::iter::Peekable;
use std::str::Chars;

const NAME: &str = "printf";

/// The widest field and longest fraction: a typo must not take all memory.
const MAX_WIDTH: usize = 10_000;

/// What stands between `%` and the letter.
#[derive(Default)]
struct Field {
    left: bool,
    zeros: bool,
    plus: bool,
    space: bool,
    comma: bool,
    /// `!`: all digits of a double.
    exact: bool,
    /// `#`: a hexadecimal number with `0x`, an octal one with `0`.
    prefix: bool,
    width: usize,
    precision: Option<usize>,
}

/// Writes arguments by a format; arguments that are missing are NULL. Doubles are rounded as `decimals` says.
///
/// # Errors
/// `InvalidArgument` for a field that means nothing.
pub(super) fn write(
    out: &mut String,
    format: &str,
    mut args: impl Iterator<Item = Scalar>,
    decimals: Decimals,
) -> Result<()> {
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let field = field(&mut chars, &mut args)?;
        let letter = loop {
            match chars.next() {
                // Lengths mean nothing here.
                Some('l' | 'h') if chars.peek().is_some() => {}
                Some(letter) => break letter,
                None => return Err(invalid(NAME, "the format ends within a field")),
            }
        };
        if letter == '%' {
            out.push('%');
            continue;
        }
        let value = args
            .next()
            .unwrap_or(Scalar::Null(llkv_types::SqlType::Null));
        let decimals = if field.exact {
            Decimals::Exact
        } else {
            decimals
        };
        let body = body(letter, &field, &value, decimals)?;
        pad(
            out,
            &field,
            &body,
            !matches!(letter, 's' | 'z' | 'c' | 'q' | 'Q' | 'w'),
        );
    }
    Ok(())
}

fn field(
    chars: &mut Peekable<Chars<'_>>,
    args: &mut impl Iterator<Item = Scalar>,
) -> Result<Field> {
    let mut field = Field::default();
    loop {
        match chars.peek() {
            Some('-') => field.left = true,
            Some('0') => field.zeros = true,
            Some('+') => field.plus = true,
            Some(' ') => field.space = true,
            Some(',') => field.comma = true,
            Some('!') => field.exact = true,
            Some('#') => field.prefix = true,
            _ => break,
        }
        chars.next();
    }
    if chars.next_if_eq(&'*').is_some() {
        let width = argument(args)?;
        field.left |= width < 0;
        field.width = width.unsigned_abs() as usize;
    } else {
        field.width = number(chars)?.unwrap_or(0);
    }
    if chars.next_if_eq(&'.').is_some() {
        field.precision = Some(if chars.next_if_eq(&'*').is_some() {
            argument(args)?.unsigned_abs() as usize
        } else {
            number(chars)?.unwrap_or(0)
        });
    }
    Ok(field)
}

/// A width or precision that an argument gives.
fn argument(args: &mut impl Iterator<Item = Scalar>) -> Result<i64> {
    let value = args.next().map_or(0, |value| integer(&value));
    match i64::try_from(value) {
        Ok(value) if value.unsigned_abs() <= MAX_WIDTH as u64 => Ok(value),
        _ => Err(invalid(NAME, format!("a field wider than {MAX_WIDTH}"))),
    }
}

fn number(chars: &mut Peekable<Chars<'_>>) -> Result<Option<usize>> {
    let mut value = None;
    while let Some(digit) = chars
        .next_if(char::is_ascii_digit)
        .and_then(|c| c.to_digit(10))
    {
        let next = value.unwrap_or(0) * 10 + digit as usize;
        if next > MAX_WIDTH {
            return Err(invalid(NAME, format!("a field wider than {MAX_WIDTH}")));
        }
        value = Some(next);
    }
    Ok(value)
}

pub(super) fn integer(value: &Scalar) -> i128 {
    match value {
        Scalar::Boolean(v) => i128::from(*v),
        Scalar::Int8(v) => i128::from(*v),
        Scalar::Int16(v) => i128::from(*v),
        Scalar::Int32(v) => i128::from(*v),
        Scalar::Int64(v) => i128::from(*v),
        Scalar::UInt8(v) => i128::from(*v),
        Scalar::UInt16(v) => i128::from(*v),
        Scalar::UInt32(v) => i128::from(*v),
        Scalar::UInt64(v) => i128::from(*v),
        Scalar::Decimal { value, scale, .. } => {
            let unit = 10i128.checked_pow(u32::from(*scale));
            unit.map_or(0, |unit| value / unit)
        }
        Scalar::Null(_) => 0,
        Scalar::Text(text) => i128::from(integer_prefix(Variant::Text(text))),
        Scalar::Variant(bytes) => match Variant::decode(bytes) {
            Some(Variant::Real(value)) => value as i128,
            Some(value) => i128::from(integer_prefix(value)),
            None => 0,
        },
        other => float(other) as i128,
    }
}

pub(super) fn float(value: &Scalar) -> f64 {
    match value {
        Scalar::Float64(v) => *v,
        Scalar::Float32(v) => f64::from(*v),
        Scalar::Decimal { value, scale, .. } => {
            crate::cast::decimal::decimal_to_f64(*value, *scale)
        }
        Scalar::Text(text) => number_prefix(Variant::Text(text)).real(),
        Scalar::Variant(bytes) => {
            Variant::decode(bytes).map_or(0.0, |value| number_prefix(value).real())
        }
        Scalar::Date(_)
        | Scalar::Time(_)
        | Scalar::Timestamp(_)
        | Scalar::TimestampTz(_)
        | Scalar::Interval(_)
        | Scalar::Blob(_) => 0.0,
        other => integer(other) as f64,
    }
}

fn body(letter: char, field: &Field, value: &Scalar, decimals: Decimals) -> Result<String> {
    let precision = field.precision.unwrap_or(6);
    let prefixed = |prefix: &str, digits: String| match field.prefix && integer(value) != 0 {
        true => format!("{prefix}{digits}"),
        false => digits,
    };
    Ok(match letter {
        'd' | 'i' => signed(
            field,
            integer(value) < 0,
            grouped(field, integer(value).unsigned_abs().to_string()),
        ),
        'u' => grouped(field, (integer(value) as u64).to_string()),
        'x' => prefixed("0x", format!("{:x}", integer(value) as u64)),
        'X' => prefixed("0X", format!("{:X}", integer(value) as u64)),
        'o' => prefixed("0", format!("{:o}", integer(value) as u64)),
        'f' | 'F' => {
            let x = float(value);
            let text = decimals.fixed(x.abs(), precision);
            signed(field, x.is_sign_negative(), text)
        }
        'e' | 'E' => {
            let x = float(value);
            let text = exponent(&decimals.scientific(x.abs(), precision));
            let text = if letter == 'E' {
                text.to_uppercase()
            } else {
                text
            };
            signed(field, x.is_sign_negative(), text)
        }
        'g' | 'G' => {
            let x = float(value);
            let text = general(x.abs(), precision, letter == 'G', decimals);
            signed(field, x.is_sign_negative() && x != 0.0, text)
        }
        'q' | 'Q' | 'w' => quoted(letter, value),
        's' | 'z' | 'c' if value.is_null() => String::new(),
        's' | 'z' | 'c' => {
            let shown = shown(value);
            let limit = if letter == 'c' {
                Some(1)
            } else {
                field.precision
            };
            limit.map_or(shown.clone(), |limit| shown.chars().take(limit).collect())
        }
        other => return Err(invalid(NAME, format!("unknown field %{other}"))),
    })
}

/// The text with its quotes doubled: of a literal, of a literal with quotes around it, of a name.
fn quoted(letter: char, value: &Scalar) -> String {
    match (letter, value.is_null()) {
        ('Q', true) => "NULL".to_owned(),
        (_, true) => "(NULL)".to_owned(),
        ('w', false) => shown(value).replace('"', "\"\""),
        ('Q', false) => format!("'{}'", shown(value).replace('\'', "''")),
        _ => shown(value).replace('\'', "''"),
    }
}

/// The text of a value, as a cast gives it.
fn shown(value: &Scalar) -> String {
    match value {
        Scalar::Variant(bytes) => {
            Variant::decode(bytes).map_or_else(|| value.to_string(), |value| value.to_string())
        }
        _ => value.to_string(),
    }
}

/// C's `%g`: so many significant digits, with an exponent below `0.0001` and where they do not reach the point.
pub(super) fn general(x: f64, precision: usize, upper: bool, decimals: Decimals) -> String {
    if !x.is_finite() {
        return if x.is_nan() {
            "nan".into()
        } else {
            "inf".into()
        };
    }
    let significant = precision.max(1);
    let scientific = decimals.scientific(x, significant - 1);
    let power: i32 = scientific
        .split_once('e')
        .and_then(|(_, power)| power.parse().ok())
        .unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let text = if power < -4 || power >= significant as i32 {
        let (mantissa, digits) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        exponent(&format!("{}e{digits}", trimmed(mantissa)))
    } else {
        let places = (significant as i32 - 1 - power).max(0) as usize;
        trimmed(&decimals.fixed(x, places))
    };
    if upper { text.to_uppercase() } else { text }
}

/// `1e5` as `1e+05`.
pub(super) fn exponent(text: &str) -> String {
    match text.split_once('e') {
        Some((mantissa, digits)) => match digits.strip_prefix('-') {
            Some(digits) => format!("{mantissa}e-{digits:0>2}"),
            None => format!("{mantissa}e+{digits:0>2}"),
        },
        None => text.to_owned(),
    }
}

fn signed(field: &Field, negative: bool, magnitude: String) -> String {
    match (negative, field.plus, field.space) {
        (true, ..) => format!("-{magnitude}"),
        (false, true, _) => format!("+{magnitude}"),
        (false, false, true) => format!(" {magnitude}"),
        _ => magnitude,
    }
}

/// Digits in groups of three, with the flag `,`.
fn grouped(field: &Field, digits: String) -> String {
    if !field.comma {
        return digits;
    }
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn pad(out: &mut String, field: &Field, body: &str, number: bool) {
    let missing = field.width.saturating_sub(body.chars().count());
    if field.left {
        out.push_str(body);
        out.extend(std::iter::repeat_n(' ', missing));
    } else if field.zeros && number {
        let digits = body.trim_start_matches(['-', '+', ' ']);
        let sign = body.len() - digits.len();
        out.push_str(body.get(..sign).unwrap_or(""));
        out.extend(std::iter::repeat_n('0', missing));
        out.push_str(digits);
    } else {
        out.extend(std::iter::repeat_n(' ', missing));
        out.push_str(body);
    }
}
