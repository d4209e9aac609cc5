//! SQLite's reading of text as a number: the longest prefix that is one, else zero.

use super::{Conversion, parse};
use crate::arithmetic::decimal::limit;
use crate::arrays::text;
use arrow::array::{ArrayRef, Float64Array, StringViewArray};
use arrow::datatypes::{Decimal64Type, Decimal128Type, Int64Type};
use llkv_expr::CastMode;
use llkv_result::Result;
use llkv_types::SqlType;
use llkv_types::variant::Variant;
use std::borrow::Cow;
use std::sync::Arc;

/// A number of either kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// A 64-bit integer.
    Integer(i64),
    /// A double.
    Real(f64),
}

impl Number {
    /// As a double.
    pub(crate) const fn real(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Real(value) => value,
        }
    }

    /// As an integer: without the fraction, the nearest bound where it is out of range.
    pub(crate) const fn integer(self) -> i64 {
        match self {
            Self::Integer(value) => value,
            Self::Real(value) => value as i64,
        }
    }

    /// A number in digits: a real where it has a point or an exponent, or does not fit 64 bits.
    fn parse(digits: &str) -> Self {
        match digits.parse() {
            Ok(value) => Self::Integer(value),
            Err(_) => Self::Real(digits.parse().unwrap_or(0.0)),
        }
    }
}

/// The integer that a real is, where it is one of 64 bits.
pub(crate) fn exact_integer(value: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (value.fract() == 0.0 && (-LIMIT..LIMIT).contains(&value)).then_some(value as i64)
}

fn text_of<'a>(value: &Variant<'a>) -> Cow<'a, str> {
    match value {
        Variant::Text(text) => Cow::Borrowed(text),
        Variant::Blob(bytes) => String::from_utf8_lossy(bytes),
        _ => Cow::Borrowed(""),
    }
}

/// The number that a value is, or that its text is as a whole but for blanks around it.
pub(crate) fn number(value: Variant<'_>) -> Option<Number> {
    match value {
        Variant::Integer(value) => Some(Number::Integer(value)),
        Variant::Real(value) => Some(Number::Real(value)),
        Variant::Text(text) => {
            let text = text.trim_matches(is_blank);
            let digits = prefix(text, false);
            (!digits.is_empty() && digits.len() == text.len()).then(|| Number::parse(digits))
        }
        Variant::Blob(_) => None,
    }
}

/// The number that a value is or begins with, 0 where there is none: what arithmetic makes of it.
pub(crate) fn number_prefix(value: Variant<'_>) -> Number {
    match value {
        Variant::Integer(value) => Number::Integer(value),
        Variant::Real(value) => Number::Real(value),
        other => match prefix(&text_of(&other), false) {
            "" => Number::Integer(0),
            digits => Number::parse(digits),
        },
    }
}

/// The integer that a text or blob begins with: CAST's reading.
pub(crate) fn integer_prefix(value: Variant<'_>) -> i64 {
    match value {
        Variant::Integer(value) => value,
        Variant::Real(value) => value as i64,
        other => integer(&text_of(&other)),
    }
}

/// What SQLite takes for blank space.
const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

/// The part of a text that reads as a number; `integer` stops before a point.
fn prefix(text: &str, integer: bool) -> &str {
    let text = text.trim_start_matches(is_blank);
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let start = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let mut end = digits(start);
    let mut count = end - start;
    if !integer {
        if bytes.get(end) == Some(&b'.') {
            let after = digits(end + 1);
            count += after - end - 1;
            if count > 0 {
                end = after;
            }
        }
        if count > 0 && matches!(bytes.get(end), Some(b'e' | b'E')) {
            let signed = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
            if digits(signed) > signed {
                end = digits(signed);
            }
        }
    }
    if count == 0 {
        ""
    } else {
        text.get(..end).unwrap_or("")
    }
}

fn integer(text: &str) -> i64 {
    let digits = prefix(text, true);
    match digits.parse() {
        Ok(value) => value,
        Err(_) if digits.is_empty() => 0,
        Err(_) if digits.starts_with('-') => i64::MIN,
        Err(_) => i64::MAX,
    }
}

fn float(text: &str) -> f64 {
    prefix(text, false).parse().unwrap_or(0.0)
}

/// The numeric prefix of each text, in the target type.
pub(super) fn numeric_prefix(conversion: Conversion, array: &ArrayRef) -> Result<ArrayRef> {
    let texts = text(array.as_ref())?;
    match conversion.to {
        SqlType::Decimal { precision, scale } => {
            let limit = limit(precision);
            let parse = |row: usize| {
                let digits = prefix(texts.value(row), false);
                let beyond = || match float(digits) {
                    x if x.abs() < 1.0 => 0,
                    x if x < 0.0 => -limit,
                    _ => limit,
                };
                let value = parse::decimal(digits, scale).unwrap_or_else(beyond);
                value.clamp(1 - limit, limit - 1)
            };
            if precision <= SqlType::DECIMAL64_PRECISION {
                conversion.rows::<Decimal64Type>(array, |row| Some(parse(row) as i64))
            } else {
                conversion.rows::<Decimal128Type>(array, |row| Some(parse(row)))
            }
        }
        to if to.is_float() => {
            let values: Float64Array = texts.iter().map(|v| v.map(float)).collect();
            super::cast(&(Arc::new(values) as ArrayRef), to, CastMode::Sqlite)
        }
        SqlType::Int64 => integers(array, texts),
        to => super::cast(&integers(array, texts)?, to, CastMode::Sqlite),
    }
}

fn integers(array: &ArrayRef, texts: &StringViewArray) -> Result<ArrayRef> {
    let conversion = Conversion {
        from: SqlType::Text,
        to: SqlType::Int64,
        mode: CastMode::Sqlite,
    };
    conversion.rows::<Int64Type>(array, |row| Some(integer(texts.value(row))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        assert_eq!(integer("12abc"), 12);
        assert_eq!(integer(" -7.9"), -7);
        assert_eq!(integer("abc"), 0);
        assert_eq!(integer("99999999999999999999"), i64::MAX);
        assert_eq!(float("1.5e2x"), 150.0);
        assert_eq!(float("1.5e"), 1.5);
        assert_eq!(float(".5"), 0.5);
        assert_eq!(float("."), 0.0);
        assert_eq!(float("-"), 0.0);
        for (text, expected) in [
            ("12abc", Number::Integer(12)),
            ("1.5abc", Number::Real(1.5)),
            ("abc", Number::Integer(0)),
            ("99999999999999999999", Number::Real(1e20)),
        ] {
            assert_eq!(number_prefix(Variant::Text(text)), expected, "{text}");
        }
        assert_eq!(number(Variant::Text(" 7 ")), Some(Number::Integer(7)));
        assert_eq!(number(Variant::Text("7x")), None);
        assert_eq!(exact_integer(9_223_372_036_854_775_808.0), None);
    }
}
