//! SQLite's functions of blobs, and of texts and blobs alike: parts, bytes, digits.

use super::args::{build, build_text, exactly, invalid, natives, signature, texts};
use super::sqlite_datetime::{Values, values};
use super::string::{characters, slice};
use crate::cast::sqlite::integer_prefix;
use arrow::array::{ArrayRef, BinaryViewBuilder};
use arrow::datatypes::Int64Type;
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction};
use llkv_result::Result;
use llkv_types::SqlType;
use llkv_types::variant::{Variant, VariantBuilder};
use std::sync::Arc;

use SqlType::{Blob, Int64, Text};

/// The most bytes of a blob that one call makes: a typo must not take all memory.
const MAX_BYTES: i64 = 256 << 20;

/// Where a part begins, from 0, and how long it is: a start below zero counts from the end, a length below
/// zero takes what stands before the start.
fn span(start: i64, length: Option<i64>, all: i64) -> (usize, usize) {
    let negative = length.is_some_and(|length| length < 0);
    let mut count = length.map_or(i64::MAX, i64::saturating_abs);
    let mut from = start;
    if from < 0 {
        from = from.saturating_add(all);
        if from < 0 {
            count = count.saturating_add(from).max(0);
            from = 0;
        }
    } else if from > 0 {
        from -= 1;
    } else if count > 0 && length.is_some() {
        count -= 1;
    }
    if negative {
        from = from.saturating_sub(count);
        if from < 0 {
            count = count.saturating_add(from).max(0);
            from = 0;
        }
    }
    (from as usize, count as usize)
}

fn substr(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    let mut out = VariantBuilder::with_capacity(args.rows);
    for row in 0..args.rows {
        let (value, start) = (values.get(0, row)?, values.get(1, row)?);
        let length = values.get(2, row)?;
        let (Some(value), Some(start)) = (value, start) else {
            out.append(None)?;
            continue;
        };
        if values.len() == 3 && length.is_none() {
            out.append(None)?;
            continue;
        }
        let (start, length) = (integer_prefix(start), length.map(integer_prefix));
        if let Variant::Blob(bytes) = value {
            let (from, count) = span(start, length, bytes.len() as i64);
            let end = from.saturating_add(count).min(bytes.len());
            out.append(Some(Variant::Blob(bytes.get(from..end).unwrap_or(&[]))))?;
            continue;
        }
        let text = value.to_string();
        let (from, count) = span(start, length, characters(&text) as i64);
        out.append(Some(Variant::Text(slice(
            &text,
            from,
            from.saturating_add(count),
        ))))?;
    }
    out.finish()
}

/// The same of a text, with DuckDB's types.
fn substr_of_text(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (x, start) = (texts(args, 0)?, natives::<Int64Type>(args, 1)?);
    let length = match args.arrays.len() {
        3 => Some(natives::<Int64Type>(args, 2)?),
        _ => None,
    };
    build_text(args.rows, |row, out| {
        let (Some(x), Some(start)) = (x.get(row), start.get(row)) else {
            return Ok(None);
        };
        let length = match &length {
            None => None,
            Some(length) => match length.get(row) {
                None => return Ok(None),
                some => some,
            },
        };
        let (from, count) = span(start, length, characters(x) as i64);
        out.push_str(slice(x, from, from.saturating_add(count)));
        Ok(Some(()))
    })
}

/// Bytes where both are blobs, else characters.
fn instr(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    build::<Int64Type>(args, |row| {
        let (Some(whole), Some(part)) = (values.get(0, row)?, values.get(1, row)?) else {
            return Ok(None);
        };
        if let (Variant::Blob(whole), Variant::Blob(part)) = (whole, part) {
            let found = memchr::memmem::find(whole, part);
            return Ok(Some(found.map_or(0, |at| at as i64 + 1)));
        }
        let (whole, part) = (whole.to_string(), part.to_string());
        let before = whole.find(&part).and_then(|at| whole.get(..at));
        Ok(Some(
            before.map_or(0, |before| characters(before) as i64 + 1),
        ))
    })
}

fn zeroblob(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    let mut out = BinaryViewBuilder::with_capacity(args.rows);
    for row in 0..args.rows {
        let length = values.get(0, row)?.map_or(0, integer_prefix).max(0);
        if length > MAX_BYTES {
            return Err(invalid("zeroblob", format!("more than {MAX_BYTES} bytes")));
        }
        out.try_append_value(vec![0u8; length as usize])?;
    }
    Ok(Arc::new(out.finish()))
}

/// The bytes of digits in pairs, with characters of `ignored` between the pairs.
fn unhexed(digits: &str, ignored: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let mut chars = digits.chars();
    while let Some(c) = chars.next() {
        match c.to_digit(16) {
            Some(high) => {
                let low = chars.next()?.to_digit(16)?;
                bytes.push((high * 16 + low) as u8);
            }
            None if ignored.contains(c) => {}
            None => return None,
        }
    }
    Some(bytes)
}

fn unhex(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    let mut out = BinaryViewBuilder::with_capacity(args.rows);
    for row in 0..args.rows {
        let ignored = match values.len() {
            2 => values.get(1, row)?.map(|value| value.to_string()),
            _ => Some(String::new()),
        };
        let digits = values.get(0, row)?.map(|value| value.to_string());
        let bytes = digits
            .zip(ignored)
            .and_then(|(digits, ignored)| unhexed(&digits, &ignored));
        match bytes {
            Some(bytes) => out.try_append_value(bytes)?,
            None => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

/// What a planner of another kind would make use of; the value stays.
fn hint(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let array = super::args::array(args, 0)?.clone();
    let value = if super::args::is_constant(args, 0) {
        crate::value::Value::Constant(array)
    } else {
        crate::value::Value::Rows(array)
    };
    value.into_rows(args.rows)
}

/// `likely(x)` and its like.
macro_rules! hint {
    ($name:literal, $usage:literal, $description:literal, $example:expr, $arguments:pat) => {
        ScalarFunction::new(
            $name,
            $usage,
            $description,
            $example,
            |types| match types {
                $arguments => signature(types, *types.first()?),
                _ => None,
            },
            hint,
        )
        .taking_nulls()
        .only_in(Dialects::SQLITE)
    };
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "substr",
        "substr(x, start [, length])",
        "A part of a text or blob; a start below zero counts from the end, a length below zero takes what is before.",
        ("substr('database', -4, 2)", "ba"),
        |types| match types {
            [_, _] | [_, _, _] => values(types, 2, SqlType::Variant),
            _ => None,
        },
        substr,
    )
    .also(&["substring"])
    .taking_nulls()
    .only_in(Dialects::SQLITE),
    ScalarFunction::new(
        "substr",
        "substr(text, start [, length])",
        "A part of a text; a start below zero counts from the end, a length below zero takes what is before.",
        ("substr('database', -4, 2)", "ba"),
        |types| {
            exactly(types, &[Text, Int64, Int64], Text)
                .or_else(|| exactly(types, &[Text, Int64], Text))
        },
        substr_of_text,
    )
    .also(&["substring"])
    .only_in(Dialects::DUCKDB),
    ScalarFunction::new(
        "instr",
        "instr(x, part)",
        "Where a part starts, counted from 1; 0 for nowhere. Bytes are counted where both are blobs.",
        ("instr('database', 'base')", "5"),
        |types| match types {
            [_, _] => values(types, 2, Int64),
            _ => None,
        },
        instr,
    )
    .taking_nulls()
    .only_in(Dialects::SQLITE),
    ScalarFunction::new(
        "zeroblob",
        "zeroblob(length)",
        "A blob of zeros.",
        ("hex(zeroblob(2))", "0000"),
        |types| match types {
            [_] => values(types, 1, Blob),
            _ => None,
        },
        zeroblob,
    )
    .taking_nulls()
    .only_in(Dialects::SQLITE),
    ScalarFunction::new(
        "unhex",
        "unhex(text [, ignored])",
        "Bytes from pairs of hexadecimal digits, with characters to ignore between them; NULL for anything else.",
        ("hex(unhex('41-42', '-'))", "4142"),
        |types| match types {
            [_] | [_, _] => values(types, 1, Blob),
            _ => None,
        },
        unhex,
    )
    .taking_nulls()
    .only_in(Dialects::SQLITE),
    hint!(
        "likely",
        "likely(x)",
        "x: a hint for the planner, of which this one has no need.",
        ("likely(5)", "5"),
        [_]
    ),
    hint!(
        "unlikely",
        "unlikely(x)",
        "x: a hint for the planner, of which this one has no need.",
        ("unlikely(5)", "5"),
        [_]
    ),
    hint!(
        "likelihood",
        "likelihood(x, share)",
        "x: a hint for the planner, of which this one has no need.",
        ("likelihood(5, 0.5)", "5"),
        [_, _]
    ),
];

#[cfg(test)]
mod tests {
    use super::{span, unhexed};

    #[test]
    fn spans_of_all_signs() {
        assert_eq!(span(2, Some(3), 8), (1, 3));
        assert_eq!(span(0, Some(3), 8), (0, 2));
        assert_eq!(span(-3, Some(2), 8), (5, 2));
        assert_eq!(span(-10, Some(4), 8), (0, 2));
        assert_eq!(span(4, Some(-2), 8), (1, 2));
        assert_eq!(span(2, Some(-5), 8), (0, 1));
        let (from, count) = span(i64::MIN, Some(i64::MIN), 8);
        assert_eq!((from, count), (0, 0));
    }

    #[test]
    fn digits_in_pairs() {
        assert_eq!(unhexed("41 42", " "), Some(vec![0x41, 0x42]));
        assert_eq!(unhexed("4 142", " "), None);
        assert_eq!(unhexed("414", ""), None);
    }
}
