//! SQLite's reading of text as a number: the longest prefix that is one, else zero.

use super::{Conversion, parse};
use crate::arithmetic::decimal::limit;
use crate::arrays::text;
use arrow::array::{ArrayRef, Float64Array, StringViewArray};
use arrow::datatypes::{Decimal64Type, Decimal128Type, Int64Type};
use llkv_expr::CastMode;
use llkv_result::Result;
use llkv_types::SqlType;
use std::sync::Arc;

/// The part of a text that reads as a number; `integer` stops before a point.
fn prefix(text: &str, integer: bool) -> &str {
    let text = text.trim_start();
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
    }
}
