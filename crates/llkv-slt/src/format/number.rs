//! Numbers and bytes as text.

/// A decimal with exactly `scale` digits after the point.
pub(super) fn decimal_text(value: i128, scale: u8) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// DuckDB's form of a float: the shortest digits that read back, an exponent from 1e16 up and below
/// 1e-4, always with a sign and two digits. `scientific` is Rust's `{:e}` form of the value.
pub(super) fn duckdb_float(value: f64, scientific: &str) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        return plain(mantissa, exponent);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// Moves the point of `d.ddd` by `exponent` places; at least one digit stays after it.
fn plain(mantissa: &str, exponent: i32) -> String {
    let (sign, mantissa) = mantissa
        .strip_prefix('-')
        .map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    }
    let whole = exponent as usize + 1;
    let padded = format!("{digits:0<whole$}");
    let (whole, fraction) = padded.split_at(whole);
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    format!("{sign}{whole}.{fraction}")
}

/// LLKV's form of bytes: `\xHHHH...`
pub(super) fn hexadecimal_blob(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("\\x");
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// DuckDB's form of bytes: printable ASCII as it is, the rest as `\xHH`.
pub(super) fn duckdb_blob(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "(empty)".to_owned();
    }
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if (b' '..=b'~').contains(&byte) && !matches!(byte, b'\\' | b'\'' | b'"') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(value: f64) -> String {
        duckdb_float(value, &format!("{value:e}"))
    }

    #[test]
    fn decimals_keep_their_scale() {
        assert_eq!(decimal_text(0, 0), "0");
        assert_eq!(decimal_text(-12345, 2), "-123.45");
        assert_eq!(decimal_text(5, 3), "0.005");
        assert_eq!(
            decimal_text(i128::MIN, 38),
            "-1.70141183460469231731687303715884105728"
        );
    }

    #[test]
    fn floats_change_to_exponents_where_duckdb_does() {
        assert_eq!(float(0.0), "0.0");
        assert_eq!(float(-1.5), "-1.5");
        assert_eq!(float(1e15), "1000000000000000.0");
        assert_eq!(float(1e16), "1e+16");
        assert_eq!(float(0.0001), "0.0001");
        assert_eq!(float(0.000_012_5), "1.25e-05");
        assert_eq!(float(1.7976931348623157e308), "1.7976931348623157e+308");
        assert_eq!(float(123_456.789), "123456.789");
        assert_eq!(float(f64::NEG_INFINITY), "-inf");
    }

    #[test]
    fn blobs_escape_what_is_not_printable() {
        assert_eq!(duckdb_blob(b""), "(empty)");
        assert_eq!(duckdb_blob(b"a\\b\n"), "a\\x5Cb\\x0A");
    }
}
