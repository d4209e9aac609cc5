//! How values are written in the files of each dialect.

mod number;
mod sqlite;
mod time;

use crate::cell::Cell;
use crate::dialect::Dialect;
use std::borrow::Cow;
use time::IntervalStyle;

use number::decimal_text;

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

/// DuckDB's rules: booleans as 1 and 0, floats and blobs in its own forms.
fn duckdb(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Boolean(value) => u8::from(*value).to_string(),
        Cell::Real(value) => number::duckdb_float(f64::from(*value), &format!("{value:e}")),
        Cell::Double(value) => number::duckdb_float(*value, &format!("{value:e}")),
        Cell::Blob(bytes) => number::duckdb_blob(bytes),
        Cell::Interval {
            months,
            days,
            nanos,
        } => time::interval(*months, *days, *nanos, IntervalStyle::Duckdb),
        Cell::Text(text) if text.is_empty() => "(empty)".to_owned(),
        Cell::Text(text) => text.replace('\0', "\\0"),
        other => llkv(other),
    }
}

/// LLKV's rules: as the database writes values as text; an empty text is `(empty)`, and what would
/// break a line of the file is escaped.
fn llkv(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Boolean(value) => value.to_string(),
        Cell::Integer(value) => value.to_string(),
        Cell::Real(value) => format!("{value:?}"),
        Cell::Double(value) => format!("{value:?}"),
        Cell::Decimal { value, scale } => decimal_text(*value, *scale),
        Cell::Text(text) if text.is_empty() => "(empty)".to_owned(),
        Cell::Text(text) => escape(text).into_owned(),
        Cell::Blob(bytes) => number::hexadecimal_blob(bytes),
        Cell::Date(days) => time::date(*days),
        Cell::Time(micros) => time::time(*micros),
        Cell::Timestamp { micros, zoned } => time::timestamp(*micros, *zoned),
        Cell::Interval {
            months,
            days,
            nanos,
        } => time::interval(*months, *days, *nanos, IntervalStyle::Postgres),
    }
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
            c if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
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
        assert_eq!(
            both(&Cell::Blob(&[0, b'a', 255])),
            ["\\x00a\\xFF", "\\x0061ff"]
        );
    }

    #[test]
    fn texts_keep_their_line() {
        assert_eq!(both(&text("")), ["(empty)", "(empty)"]);
        assert_eq!(both(&text("a\0b")), ["a\\0b", "a\\0b"]);
        assert_eq!(
            format_cell(&text("a\tb\nc"), b'T', Dialect::Llkv),
            "a\\tb\\nc"
        );
        assert_eq!(both(&text("füße")), ["füße", "füße"]);
    }

    #[test]
    fn floats() {
        assert_eq!(both(&Cell::Double(1.0)), ["1.0", "1.0"]);
        assert_eq!(both(&Cell::Double(1e20)), ["1e+20", "1e20"]);
        assert_eq!(both(&Cell::Double(0.1)), ["0.1", "0.1"]);
        assert_eq!(both(&Cell::Real(0.1)), ["0.1", "0.1"]);
        assert_eq!(both(&Cell::Double(f64::INFINITY)), ["inf", "inf"]);
    }

    #[test]
    fn the_rest_is_common() {
        assert_eq!(both(&Cell::Null), ["NULL", "NULL"]);
        assert_eq!(both(&Cell::Integer(-5)), ["-5", "-5"]);
        let decimal = Cell::Decimal {
            value: -5,
            scale: 2,
        };
        assert_eq!(both(&decimal), ["-0.05", "-0.05"]);
        assert_eq!(both(&Cell::Date(-1)), ["1969-12-31", "1969-12-31"]);
    }
}
