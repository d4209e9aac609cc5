//! More functions of texts: overlaying, counting, NULLs among arguments.

use super::args::{array, build, build_text, exactly, invalid, natives, signature, texts};
use super::string::{characters, slice};
use arrow::array::ArrayRef;
use arrow::datatypes::{Int32Type, Int64Type};
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;

use SqlType::{Int32, Int64, Text};

/// Where the functions that SQLite lacks are known.
const OTHERS: Dialects = Dialects::LLKV.or(Dialects::DUCKDB);

fn overlaid(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Text, Int64], Text)
        .or_else(|| exactly(types, &[Text, Text, Int64, Int64], Text))
}

/// `overlay(text placing new from start for count)`
fn overlay(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (x, new) = (texts(args, 0)?, texts(args, 1)?);
    let start = natives::<Int64Type>(args, 2)?;
    let count = match args.arrays.len() {
        4 => Some(natives::<Int64Type>(args, 3)?),
        _ => None,
    };
    build_text(args.rows, |row, out| {
        let (Some(x), Some(new), Some(start)) = (x.get(row), new.get(row), start.get(row)) else {
            return Ok(None);
        };
        let count = match &count {
            None => characters(new) as i64,
            Some(count) => match count.get(row) {
                None => return Ok(None),
                Some(count) => count,
            },
        };
        if start <= 0 {
            return Err(invalid("overlay", format!("position {start} is below 1")));
        }
        let before = (start - 1) as usize;
        // As in PostgreSQL: what comes after may begin before the place, where the count is negative.
        let after = (start - 1).saturating_add(count).max(0) as usize;
        out.push_str(slice(x, 0, before));
        out.push_str(new);
        out.push_str(slice(x, after, usize::MAX));
        Ok(Some(()))
    })
}

/// Every argument, whatever its type.
fn any(types: &[SqlType]) -> Option<Signature> {
    (!types.is_empty())
        .then(|| signature(types, Int32))
        .flatten()
}

/// How many arguments are NULL, or are not.
fn count_nulls(args: &FunctionArgs<'_>, nulls: bool) -> Result<ArrayRef> {
    let masks = (0..args.arrays.len())
        .map(|at| {
            let constant = super::args::is_constant(args, at);
            Ok((array(args, at)?.logical_nulls(), constant))
        })
        .collect::<Result<Vec<_>>>()?;
    build::<Int32Type>(args, |row| {
        let is_null = |(mask, constant): &(Option<arrow::buffer::NullBuffer>, bool)| {
            let row = if *constant { 0 } else { row };
            mask.as_ref()
                .is_some_and(|mask| row < mask.len() && mask.is_null(row))
        };
        let count = masks.iter().filter(|mask| is_null(mask) == nulls).count();
        Ok(Some(count as i32))
    })
}

/// The text of bytes, by the binary system of 1,024.
fn format_bytes(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let x = natives::<Int64Type>(args, 0)?;
    build_text(args.rows, |row, out| {
        let Some(x) = x.get(row) else {
            return Ok(None);
        };
        let size = x.unsigned_abs();
        if x < 0 {
            out.push('-');
        }
        // The greatest unit that the size reaches.
        let power = (63 - (size | 1).leading_zeros()) / 10;
        let text = match (power as usize).checked_sub(1).and_then(|at| UNITS.get(at)) {
            None if size == 1 => "1 byte".to_owned(),
            None => format!("{size} bytes"),
            Some(unit) => {
                let tenths = u128::from(size) * 10 / (1u128 << (10 * power));
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            }
        };
        out.push_str(&text);
        Ok(Some(()))
    })
}

/// Characters that a URL may hold as they are.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

fn url_encode(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let x = texts(args, 0)?;
    build_text(args.rows, |row, out| {
        let Some(x) = x.get(row) else {
            return Ok(None);
        };
        for byte in x.bytes() {
            if is_unreserved(byte) {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
        Ok(Some(()))
    })
}

fn url_decode(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let x = texts(args, 0)?;
    build_text(args.rows, |row, out| {
        let Some(x) = x.get(row) else {
            return Ok(None);
        };
        let mut bytes = Vec::with_capacity(x.len());
        let mut rest = x.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            let digits = after.get(..2).and_then(|d| std::str::from_utf8(d).ok());
            let byte = digits.and_then(|d| u8::from_str_radix(d, 16).ok());
            match byte {
                Some(byte) if *first == b'%' => {
                    bytes.push(byte);
                    rest = after.get(2..).unwrap_or_default();
                }
                _ => {
                    bytes.push(*first);
                    rest = after;
                }
            }
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => out.push_str(text),
            Err(_) => return Err(invalid("url_decode", format!("'{x}' is no UTF-8"))),
        }
        Ok(Some(()))
    })
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "overlay",
        "overlay(text, new, start [, count])",
        "The text with the characters from a position on replaced, as many as the new text has or the count says.",
        ("overlay('Txxxxas' PLACING 'hom' FROM 2 FOR 4)", "Thomas"),
        overlaid,
        overlay,
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "num_nulls",
        "num_nulls(x, ...)",
        "How many arguments are NULL.",
        ("num_nulls(1, NULL, 'a')", "1"),
        any,
        |args| count_nulls(args, true),
    )
    .taking_nulls()
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "num_nonnulls",
        "num_nonnulls(x, ...)",
        "How many arguments are not NULL.",
        ("num_nonnulls(1, NULL, 'a')", "2"),
        any,
        |args| count_nulls(args, false),
    )
    .taking_nulls()
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "format_bytes",
        "format_bytes(size)",
        "A number of bytes for people, in units of 1,024.",
        ("format_bytes(16384)", "16.0 KiB"),
        |types| exactly(types, &[Int64], Text),
        format_bytes,
    )
    .also(&["formatreadablesize"])
    .only_in(OTHERS),
    ScalarFunction::new(
        "url_encode",
        "url_encode(text)",
        "The text as a part of a URL.",
        ("url_encode('a b&c')", "a%20b%26c"),
        |types| exactly(types, &[Text], Text),
        url_encode,
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "url_decode",
        "url_decode(text)",
        "The text that a part of a URL stands for.",
        ("url_decode('a%20b%26c')", "a b&c"),
        |types| exactly(types, &[Text], Text),
        url_decode,
    )
    .only_in(OTHERS),
];
