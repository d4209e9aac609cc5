//! SQLite's value rules: the column's letter decides the form, whatever the value's type.

use super::llkv;
use crate::cell::Cell;

/// Formats by letter: I as a 32-bit integer, R with three digits after the point, T as text with `@`
/// for what is not printable.
pub(super) fn format(cell: &Cell<'_>, letter: u8) -> String {
    if matches!(cell, Cell::Null) {
        return "NULL".to_owned();
    }
    match letter {
        b'I' => integer(cell).to_string(),
        b'R' => real(cell),
        _ => text(cell),
    }
}

/// The low 32 bits of the value as an integer, which is what SQLite's C interface hands out.
fn integer(cell: &Cell<'_>) -> i32 {
    let wide = match cell {
        Cell::Integer(value) => *value as i64,
        Cell::Boolean(value) => i64::from(*value),
        // Rust's cast truncates and saturates like SQLite's.
        Cell::Real(value) => *value as i64,
        Cell::Double(value) => *value as i64,
        Cell::Decimal { value, scale } => {
            let one = 10i128.checked_pow(u32::from(*scale)).unwrap_or(i128::MAX);
            (value / one) as i64
        }
        Cell::Text(text) => integer_prefix(text.as_bytes()),
        Cell::Blob(bytes) => integer_prefix(bytes),
        other => integer_prefix(llkv(other).as_bytes()),
    };
    wide as i32
}

fn real(cell: &Cell<'_>) -> String {
    let value = match cell {
        Cell::Integer(value) => *value as f64,
        Cell::Boolean(value) => f64::from(u8::from(*value)),
        Cell::Real(value) => f64::from(*value),
        Cell::Double(value) => *value,
        Cell::Decimal { value, scale } => {
            // Through text: dividing would round twice.
            super::decimal_text(*value, *scale).parse().unwrap_or(0.0)
        }
        Cell::Text(text) => real_prefix(text.as_bytes()),
        Cell::Blob(bytes) => real_prefix(bytes),
        other => real_prefix(llkv(other).as_bytes()),
    };
    if value.is_infinite() {
        return if value > 0.0 { "Inf" } else { "-Inf" }.to_owned();
    }
    // One zero.
    three_places(value + 0.0)
}

/// `%.3f` as SQLite prints it: sixteen significant digits, zeros after them.
fn three_places(value: f64) -> String {
    const SIGNIFICANT: i32 = 16;
    let scientific = format!("{value:.15e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent + 1 + 3 <= SIGNIFICANT {
        return format!("{value:.3}");
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let whole = usize::try_from(exponent + 1).unwrap_or(0);
    let padded = format!("{digits:0<width$}", width = whole + 3);
    let (whole, fraction) = padded.split_at(whole);
    format!("{sign}{whole}.{fraction}")
}

fn text(cell: &Cell<'_>) -> String {
    let bytes = match cell {
        Cell::Text(text) => text.as_bytes().to_vec(),
        Cell::Blob(bytes) => bytes.to_vec(),
        Cell::Boolean(value) => u8::from(*value).to_string().into_bytes(),
        Cell::Real(value) => real_text(f64::from(*value)).into_bytes(),
        Cell::Double(value) => real_text(*value).into_bytes(),
        other => llkv(other).into_bytes(),
    };
    if bytes.is_empty() {
        return "(empty)".to_owned();
    }
    let printable = bytes.iter().map(|&byte| match byte {
        b' '..=b'~' => char::from(byte),
        _ => '@',
    });
    printable.collect()
}

/// The number that a text begins with, as SQLite reads it: spaces, a sign, digits; saturating.
fn integer_prefix(bytes: &[u8]) -> i64 {
    let bytes = bytes.trim_ascii_start();
    let (negative, digits) = match bytes.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, bytes),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let magnitude = digits.fold(0i128, |value, byte| {
        (value * 10 + i128::from(byte - b'0')).min(i128::from(i64::MAX) + 1)
    });
    let value = if negative { -magnitude } else { magnitude };
    value.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// The real number that a text begins with; zero when it begins with none.
fn real_prefix(bytes: &[u8]) -> f64 {
    let bytes = bytes.trim_ascii_start();
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let signed = |at: usize| usize::from(matches!(bytes.get(at), Some(b'-' | b'+')));
    let mut end = signed(0);
    end += digits(end);
    if bytes.get(end) == Some(&b'.') {
        end += 1;
        end += digits(end);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let start = end + 1 + signed(end + 1);
        let count = digits(start);
        if count > 0 {
            end = start + count;
        }
    }
    let prefix = bytes
        .get(..end)
        .and_then(|prefix| std::str::from_utf8(prefix).ok());
    prefix.and_then(|prefix| prefix.parse().ok()).unwrap_or(0.0)
}

/// SQLite's text of a REAL: fifteen significant digits, no trailing zeros, always a point.
fn real_text(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "Inf" } else { "-Inf" }.to_owned();
    }
    // One zero.
    let value = value + 0.0;
    let scientific = format!("{value:.14e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..15).contains(&exponent) {
        let places = usize::try_from(14 - exponent).unwrap_or(0);
        return with_point(&format!("{value:.places$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", with_point(mantissa), exponent.abs())
}

fn with_point(text: &str) -> String {
    if !text.contains('.') {
        return format!("{text}.0");
    }
    let trimmed = text.trim_end_matches('0');
    if trimmed.ends_with('.') {
        return format!("{trimmed}0");
    }
    trimmed.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cell: Cell<'_>) -> [String; 3] {
        [b'I', b'R', b'T'].map(|letter| format(&cell, letter))
    }

    #[test]
    fn null_whatever_the_letter() {
        assert_eq!(of(Cell::Null), ["NULL", "NULL", "NULL"]);
    }

    #[test]
    fn integers_are_cut_to_32_bits() {
        assert_eq!(of(Cell::Integer(42)), ["42", "42.000", "42"]);
        assert_eq!(
            of(Cell::Integer(1 << 32)),
            ["0", "4294967296.000", "4294967296"]
        );
        assert_eq!(of(Cell::Integer(3_000_000_000))[0], "-1294967296");
    }

    #[test]
    fn reals_are_truncated_under_i() {
        assert_eq!(of(Cell::Double(-1.9)), ["-1", "-1.900", "-1.9"]);
        assert_eq!(of(Cell::Double(2.0)), ["2", "2.000", "2.0"]);
        assert_eq!(of(Cell::Double(1e300))[0], "-1", "saturated, then cut");
        assert_eq!(of(Cell::Double(1e300))[2], "1.0e+300");
        assert_eq!(of(Cell::Double(0.1 + 0.2))[2], "0.3");
        assert_eq!(of(Cell::Double(123_456_789.123))[2], "123456789.123");
        assert_eq!(of(Cell::Double(0.000_01))[2], "1.0e-05");
    }

    #[test]
    fn reals_have_sixteen_significant_digits() {
        assert_eq!(
            of(Cell::Double(-9_223_372_036_854_775_808.0))[1],
            "-9223372036854776000.000"
        );
        assert_eq!(
            of(Cell::Double(1_234_567_890_123.456_7))[1],
            "1234567890123.457"
        );
        assert_eq!(
            of(Cell::Double(12_345_678_901_234.567))[1],
            "12345678901234.570"
        );
        assert_eq!(of(Cell::Double(-0.000_4))[1], "-0.000");
    }

    #[test]
    fn texts_give_the_number_they_begin_with() {
        assert_eq!(of(Cell::Text("12abc".into())), ["12", "12.000", "12abc"]);
        assert_eq!(
            of(Cell::Text(" -3.75e1x".into())),
            ["-3", "-37.500", " -3.75e1x"]
        );
        assert_eq!(of(Cell::Text("abc".into())), ["0", "0.000", "abc"]);
        assert_eq!(of(Cell::Text("99999999999999999999".into()))[0], "-1");
        assert_eq!(of(Cell::Text("1e".into()))[1], "1.000");
    }

    #[test]
    fn texts_show_what_is_not_printable() {
        assert_eq!(of(Cell::Text("".into()))[2], "(empty)");
        assert_eq!(of(Cell::Text("a\tb\u{e9}".into()))[2], "a@b@@");
    }

    #[test]
    fn decimals_and_booleans() {
        let decimal = Cell::Decimal {
            value: -12_345,
            scale: 2,
        };
        assert_eq!(of(decimal), ["-123", "-123.450", "-123.45"]);
        assert_eq!(of(Cell::Boolean(true)), ["1", "1.000", "1"]);
    }
}
