//! When one value is what a file expects.

use super::ValueKind;
use crate::dialect::Dialect;
use crate::pattern::matches_regex;

/// Compares one value. SQLite's and LLKV's files mean the very text. DuckDB's may write a number in
/// another form (`1` for `1.0`), a float with fewer digits, a boolean as a word, or a `<REGEX>:`.
pub(super) fn values_match(
    got: &str,
    expected: &str,
    kind: Option<ValueKind>,
    dialect: Dialect,
) -> bool {
    if got == expected {
        return true;
    }
    if dialect == Dialect::Sqlite {
        return false;
    }
    if let Some(verdict) = matches_regex(got, expected) {
        return verdict;
    }
    if dialect != Dialect::Duckdb {
        return false;
    }
    match kind {
        Some(ValueKind::Boolean) => matches!(
            (got, expected.to_ascii_lowercase().as_str()),
            ("1", "true") | ("0", "false")
        ),
        Some(ValueKind::Exact) => same_decimal(got, expected),
        Some(ValueKind::Real) => same_float(got, expected, f32::DIGITS as usize),
        Some(ValueKind::Double) => same_float(got, expected, f64::DIGITS as usize),
        Some(ValueKind::Text) | None => false,
    }
}

/// Equal once zeros that carry no value are taken away.
fn same_decimal(left: &str, right: &str) -> bool {
    match (normal(left), normal(right)) {
        (Some(left), Some(right)) => left == right,
        _ => false,
    }
}

/// Sign, whole digits and fraction of a plain decimal number.
fn normal(text: &str) -> Option<(bool, &str, &str)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let zero = whole.is_empty() && fraction.is_empty();
    Some((negative && !zero, whole, fraction))
}

/// Equal to as many significant digits as the expectation has, and not more than the type can hold.
fn same_float(got: &str, expected: &str, type_digits: usize) -> bool {
    let (Ok(got), Ok(wanted)) = (got.parse::<f64>(), expected.parse::<f64>()) else {
        return false;
    };
    if got == wanted || (got.is_nan() && wanted.is_nan()) {
        return true;
    }
    let mantissa = expected.split(['e', 'E']).next().unwrap_or_default();
    let significant = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let leading_zeros = mantissa
        .bytes()
        .take_while(|byte| !matches!(byte, b'1'..=b'9'))
        .filter(|&byte| byte == b'0')
        .count();
    let digits = significant
        .saturating_sub(leading_zeros)
        .clamp(1, type_digits);
    let rounded = |value: f64| format!("{value:.places$e}", places = digits - 1);
    got.is_finite() && wanted.is_finite() && rounded(got) == rounded(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duckdb(got: &str, expected: &str, kind: ValueKind) -> bool {
        values_match(got, expected, Some(kind), Dialect::Duckdb)
    }

    #[test]
    fn duckdb_numbers_are_numbers() {
        assert!(duckdb("1.00", "1", ValueKind::Exact));
        assert!(duckdb("-0.50", "-.5", ValueKind::Exact));
        assert!(!duckdb("1.01", "1", ValueKind::Exact));
        assert!(!duckdb("1", "NULL", ValueKind::Exact));
        assert!(!duckdb("NULL", "0", ValueKind::Exact));
    }

    #[test]
    fn duckdb_floats_to_the_digits_given() {
        assert!(duckdb("0.3333333333333333", "0.333", ValueKind::Double));
        assert!(duckdb("0.30000000000000004", "0.3", ValueKind::Double));
        assert!(duckdb("2.0", "2", ValueKind::Double));
        assert!(!duckdb("0.3343333333333333", "0.333", ValueKind::Double));
        assert!(!duckdb("0.3", "0.30000000001", ValueKind::Double));
        assert!(duckdb("nan", "NaN", ValueKind::Double));
        assert!(!duckdb("inf", "1", ValueKind::Double));
    }

    #[test]
    fn booleans_and_patterns() {
        assert!(duckdb("1", "True", ValueKind::Boolean));
        assert!(!duckdb("1", "true", ValueKind::Exact));
        assert!(duckdb("hello world", "<REGEX>:hello.*", ValueKind::Text));
        assert!(!duckdb("hello world", "<!REGEX>:.*wor.*", ValueKind::Text));
    }

    #[test]
    fn the_other_dialects_mean_the_text() {
        for dialect in [Dialect::Sqlite, Dialect::Llkv] {
            for kind in [ValueKind::Exact, ValueKind::Double, ValueKind::Boolean] {
                assert!(!values_match("1.0", "1", Some(kind), dialect));
                assert!(!values_match("1", "true", Some(kind), dialect));
            }
        }
    }
}
