//! How values are written in the files of each dialect.

mod sqlite;

use crate::cell::Cell;
use crate::dialect::Dialect;
use arrow::datatypes::IntervalMonthDayNano;
use llkv_types::text::{self, Shown};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Writes a value as a file of the dialect would; `letter` is the column's letter in the record's
/// head, which only SQLite's rules look at.
#[must_use]
pub fn format_cell(cell: &Cell<'_>, letter: u8, dialect: Dialect) -> String {
    match dialect {
        Dialect::Sqlite => sqlite::format(cell, letter),
        Dialect::Duckdb => duckdb(cell),
        Dialect::Llkv => llkv(cell),
    }
}

/// DuckDB's rules: booleans as 1 and 0, blobs with their printable bytes.
fn duckdb(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Boolean(value) => u8::from(*value).to_string(),
        Cell::Blob(bytes) => duckdb_blob(bytes),
        Cell::Text(text) if text.is_empty() => "(empty)".to_owned(),
        Cell::Text(text) => text.replace('\0', "\\0"),
        other => llkv(other),
    }
}

/// LLKV's rules: the text form of the database, an empty text as `(empty)`, and what would break a
/// line of the file escaped.
fn llkv(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Boolean(value) => value.to_string(),
        Cell::Integer(value) => value.to_string(),
        Cell::Real(value) => Shown(|out| text::write_f32(out, *value)).to_string(),
        Cell::Double(value) => Shown(|out| text::write_f64(out, *value)).to_string(),
        Cell::Decimal { value, scale } => decimal_text(*value, *scale),
        Cell::Text(text) if text.is_empty() => "(empty)".to_owned(),
        Cell::Text(text) => escape(text).into_owned(),
        Cell::Blob(bytes) => Shown(|out| text::write_blob(out, bytes)).to_string(),
        Cell::Date(days) => Shown(|out| text::write_date(out, *days)).to_string(),
        Cell::Time(micros) => Shown(|out| text::write_time(out, *micros)).to_string(),
        Cell::Timestamp {
            micros,
            zoned: false,
        } => Shown(|out| text::write_timestamp(out, *micros)).to_string(),
        Cell::Timestamp {
            micros,
            zoned: true,
        } => Shown(|out| text::write_timestamp_tz(out, *micros)).to_string(),
        Cell::Interval {
            months,
            days,
            nanos,
        } => {
            let interval = IntervalMonthDayNano::new(*months, *days, *nanos);
            Shown(|out| text::write_interval(out, interval)).to_string()
        }
    }
}

fn decimal_text(value: i128, scale: u8) -> String {
    Shown(|out| text::write_decimal(out, value, scale)).to_string()
}

/// Printable ASCII as it is, other bytes as `\xHH`.
fn duckdb_blob(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "(empty)".to_owned();
    }
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if (b' '..=b'~').contains(&byte) && !matches!(byte, b'\\' | b'\'' | b'"') {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    text
}

fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c.is_control()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(cell: &Cell<'_>) -> [String; 2] {
        [Dialect::Duckdb, Dialect::Llkv].map(|dialect| format_cell(cell, b'T', dialect))
    }

    fn text(value: &str) -> Cell<'_> {
        Cell::Text(value.into())
    }

    #[test]
    fn booleans_and_blobs_differ() {
        assert_eq!(both(&Cell::Boolean(true)), ["1", "true"]);
        let blob = Cell::Blob(&[0, b'a', b'\\', 255]);
        assert_eq!(both(&blob), ["\\x00a\\x5C\\xFF", "\\x00615cff"]);
        assert_eq!(both(&Cell::Blob(b"")), ["(empty)", "\\x"]);
    }

    #[test]
    fn texts_keep_their_line() {
        assert_eq!(both(&text("")), ["(empty)", "(empty)"]);
        assert_eq!(both(&text("a\0b")), ["a\\0b", "a\\0b"]);
        assert_eq!(both(&text("a\tb\nc"))[1], "a\\tb\\nc");
        assert_eq!(both(&text("füße")), ["füße", "füße"]);
    }

    #[test]
    fn the_rest_is_the_text_form_of_the_database() {
        let alike = |cell: Cell<'_>, expected: &str| assert_eq!(both(&cell), [expected; 2]);
        alike(Cell::Null, "NULL");
        alike(Cell::Integer(-5), "-5");
        alike(Cell::Double(1e20), "1e+20");
        alike(Cell::Real(0.1), "0.1");
        let (value, scale) = (-5, 2);
        alike(Cell::Decimal { value, scale }, "-0.05");
        alike(Cell::Date(-1), "1969-12-31");
        alike(Cell::Time(1_500_000), "00:00:01.5");
        let micros = -1;
        let zoned = false;
        alike(
            Cell::Timestamp { micros, zoned },
            "1969-12-31 23:59:59.999999",
        );
        let zoned = true;
        alike(
            Cell::Timestamp { micros, zoned },
            "1969-12-31 23:59:59.999999+00",
        );
        let interval = Cell::Interval {
            months: 14,
            days: 3,
            nanos: 14_706_000_000_000,
        };
        alike(interval, "1 year 2 months 3 days 04:05:06");
    }
}
