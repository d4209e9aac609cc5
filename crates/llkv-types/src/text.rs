//! The text form of values: what CAST to VARCHAR, the shell and EXPLAIN print.
//!
//! - DOUBLE and REAL: the shortest digits that read back as the same value; plain between 1e-4 and
//!   1e16 with at least one digit after the point (`1.0`), else with an exponent (`1e+20`, `1.5e-07`);
//!   `inf`, `-inf`, `nan`.
//! - DECIMAL: all digits of its scale.
//! - DATE `2024-01-31`, TIME `04:05:06.5`, TIMESTAMP `2024-01-31 04:05:06`, with time zone `...+00`.
//!   Years beyond four digits or before year 1 have a sign and are astronomical.
//! - INTERVAL: `1 year 2 months 3 days 04:05:06`; `00:00:00` for none.
//! - BLOB: `\x` and hexadecimal digits.

use crate::calendar::{CivilDate, MICROS_PER_DAY};
use arrow::datatypes::IntervalMonthDayNano;
use std::fmt::{Display, LowerExp, Result, Write};

/// Writes a DOUBLE.
///
/// # Errors
/// Those of `out`.
pub fn write_f64(out: &mut dyn Write, value: f64) -> Result {
    if value.is_nan() {
        return out.write_str("nan");
    }
    if value.is_infinite() {
        return out.write_str(if value < 0.0 { "-inf" } else { "inf" });
    }
    match value.abs() {
        magnitude if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) => {
            write_exponent(out, value)
        }
        _ => write!(out, "{value:?}"),
    }
}

/// Writes a REAL.
///
/// # Errors
/// Those of `out`.
pub fn write_f32(out: &mut dyn Write, value: f32) -> Result {
    match value.abs() {
        magnitude if !magnitude.is_finite() => write_f64(out, f64::from(value)),
        magnitude if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) => {
            write_exponent(out, value)
        }
        _ => write!(out, "{value:?}"),
    }
}

/// `1e20` as `1e+20`, `1e-7` as `1e-07`.
fn write_exponent(out: &mut dyn Write, value: impl LowerExp) -> Result {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    write!(out, "{mantissa}e{sign}{digits:0>2}")
}

/// Writes a DECIMAL: `value` times ten to the power of minus `scale`.
///
/// # Errors
/// Those of `out`.
pub fn write_decimal(out: &mut dyn Write, value: i128, scale: u8) -> Result {
    if value < 0 {
        out.write_char('-')?;
    }
    let magnitude = value.unsigned_abs();
    let scale = u32::from(scale);
    match 10u128.checked_pow(scale) {
        _ if scale == 0 => write!(out, "{magnitude}"),
        Some(unit) => {
            let (whole, fraction) = (magnitude / unit, magnitude % unit);
            // Most decimals fit 64 bits, whose formatting is several times faster.
            match (u64::try_from(whole), u64::try_from(fraction)) {
                (Ok(whole), Ok(fraction)) => {
                    write!(out, "{whole}.{fraction:0width$}", width = scale as usize)
                }
                _ => write!(out, "{whole}.{fraction:0width$}", width = scale as usize),
            }
        }
        None => write!(out, "0.{magnitude:0width$}", width = scale as usize),
    }
}

/// Writes a DATE, in days since 1970-01-01.
///
/// # Errors
/// Those of `out`.
pub fn write_date(out: &mut dyn Write, days: i32) -> Result {
    let date = CivilDate::from_days(days);
    match date.year {
        1..=9_999 => write!(out, "{:04}", date.year)?,
        year => write!(out, "{year:+05}")?,
    }
    write!(out, "-{:02}-{:02}", date.month, date.day)
}

/// Writes a TIME, in microseconds since midnight.
///
/// # Errors
/// Those of `out`.
pub fn write_time(out: &mut dyn Write, micros: i64) -> Result {
    write_clock(out, micros.unsigned_abs(), 6)
}

/// Hours (of any count), minutes, seconds and a fraction without trailing zeros, of units of
/// ten to the minus `digits` seconds.
fn write_clock(out: &mut dyn Write, units: u64, digits: u32) -> Result {
    let per_second = 10u64.pow(digits);
    let (seconds, mut fraction) = (units / per_second, units % per_second);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    write!(out, "{hours:02}:{minutes:02}:{:02}", seconds % 60)?;
    if fraction == 0 {
        return Ok(());
    }
    let mut width = digits as usize;
    while fraction % 10 == 0 {
        fraction /= 10;
        width -= 1;
    }
    write!(out, ".{fraction:0width$}")
}

/// Writes a TIMESTAMP, in microseconds since 1970-01-01.
///
/// # Errors
/// Those of `out`.
pub fn write_timestamp(out: &mut dyn Write, micros: i64) -> Result {
    write_date(out, micros.div_euclid(MICROS_PER_DAY) as i32)?;
    out.write_char(' ')?;
    write_time(out, micros.rem_euclid(MICROS_PER_DAY))
}

/// Writes a TIMESTAMP WITH TIME ZONE, in microseconds since 1970-01-01 UTC, as UTC.
///
/// # Errors
/// Those of `out`.
pub fn write_timestamp_tz(out: &mut dyn Write, micros: i64) -> Result {
    write_timestamp(out, micros)?;
    out.write_str("+00")
}

/// Writes an INTERVAL.
///
/// # Errors
/// Those of `out`.
pub fn write_interval(out: &mut dyn Write, interval: IntervalMonthDayNano) -> Result {
    let mut first = true;
    let parts = [
        (interval.months / 12, "year"),
        (interval.months % 12, "month"),
        (interval.days, "day"),
    ];
    for (count, unit) in parts {
        if count != 0 {
            let plural = if count == 1 || count == -1 { "" } else { "s" };
            let space = if first { "" } else { " " };
            write!(out, "{space}{count} {unit}{plural}")?;
            first = false;
        }
    }
    if interval.nanoseconds == 0 && !first {
        return Ok(());
    }
    if !first {
        out.write_char(' ')?;
    }
    if interval.nanoseconds < 0 {
        out.write_char('-')?;
    }
    write_clock(out, interval.nanoseconds.unsigned_abs(), 9)
}

/// Writes a BLOB.
///
/// # Errors
/// Those of `out`.
pub fn write_blob(out: &mut dyn Write, bytes: &[u8]) -> Result {
    out.write_str("\\x")?;
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
}

/// A value that is shown by one of the functions of this module.
pub struct Shown<F: Fn(&mut dyn Write) -> Result>(pub F);

impl<F: Fn(&mut dyn Write) -> Result> Display for Shown<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> Result {
        (self.0)(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(f: impl Fn(&mut dyn Write) -> Result) -> String {
        Shown(f).to_string()
    }

    #[test]
    fn floats_are_short_and_read_back() {
        let cases = [
            (1.0, "1.0"),
            (1.5, "1.5"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.000_015, "1.5e-05"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1e20, "1e+20"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, expected) in cases {
            let shown = text(|out| write_f64(out, value));
            assert_eq!(shown, expected);
            assert_eq!(shown.parse::<f64>().unwrap(), value);
        }
        assert_eq!(text(|out| write_f64(out, f64::NAN)), "nan");
        assert_eq!(text(|out| write_f32(out, 0.1)), "0.1");
        assert_eq!(text(|out| write_f32(out, 1e20)), "1e+20");
        assert_eq!(text(|out| write_f32(out, f32::NEG_INFINITY)), "-inf");
    }

    #[test]
    fn decimals_keep_their_scale() {
        let shown = |value, scale| text(|out| write_decimal(out, value, scale));
        assert_eq!(shown(1999, 2), "19.99");
        assert_eq!(shown(-5, 2), "-0.05");
        assert_eq!(shown(500, 0), "500");
        assert_eq!(
            shown(i128::from(i64::MAX) * 1_000_000_000_000, 20),
            "92233720368.54775807000000000000"
        );
        assert_eq!(shown(1, 38), format!("0.{}1", "0".repeat(37)));
    }

    #[test]
    fn dates_and_times() {
        assert_eq!(text(|out| write_date(out, 19_753)), "2024-01-31");
        assert_eq!(text(|out| write_date(out, -719_529)), "-0001-12-31");
        assert_eq!(text(|out| write_date(out, i32::MAX)), "+5881580-07-11");
        assert_eq!(
            text(|out| write_timestamp(out, -1)),
            "1969-12-31 23:59:59.999999"
        );
        assert_eq!(
            text(|out| write_timestamp(out, 500_000)),
            "1970-01-01 00:00:00.5"
        );
        assert_eq!(
            text(|out| write_timestamp_tz(out, 0)),
            "1970-01-01 00:00:00+00"
        );
        assert!(text(|out| write_timestamp(out, i64::MIN)).starts_with("-290308-12-21"));
    }

    #[test]
    fn intervals() {
        let shown = |m, d, n| text(|out| write_interval(out, IntervalMonthDayNano::new(m, d, n)));
        assert_eq!(
            shown(14, 3, 14_706_000_000_000),
            "1 year 2 months 3 days 04:05:06"
        );
        assert_eq!(shown(0, 0, 0), "00:00:00");
        assert_eq!(shown(0, 90, 0), "90 days");
        assert_eq!(shown(-1, 0, -1_500_000_000), "-1 month -00:00:01.5");
        assert_eq!(shown(0, 0, 360_000_000_000_000), "100:00:00");
    }
}
