//! Texts put together from others.

use super::args::{build_text, exactly, invalid, natives, signature, texts};
use super::conditional::custom;
use super::numeric::function;
use super::string::slice;
use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;
use llkv_expr::{FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;

use SqlType::{Int64, Text};

/// The longest text that one call builds: a typo must not take all memory.
const MAX_BYTES: usize = 256 << 20;

/// Everything is shown as text.
fn all_text(types: &[SqlType]) -> Option<Signature> {
    if types.is_empty() {
        return None;
    }
    signature(&vec![Text; types.len()], Text)
}

fn separated(types: &[SqlType]) -> Option<Signature> {
    if types.len() < 2 {
        None
    } else {
        all_text(types)
    }
}

fn padded(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Int64, Text], Text).or_else(|| exactly(types, &[Text, Int64], Text))
}

/// NULLs are left out.
fn concat(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let parts = (0..args.arrays.len())
        .map(|at| texts(args, at))
        .collect::<Result<Vec<_>>>()?;
    build_text(args.rows, |row, out| {
        parts
            .iter()
            .filter_map(|part| part.get(row))
            .for_each(|part| out.push_str(part));
        Ok(Some(()))
    })
}

/// NULLs are left out; a NULL separator gives NULL.
fn concat_ws(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let separator = texts(args, 0)?;
    let parts = (1..args.arrays.len())
        .map(|at| texts(args, at))
        .collect::<Result<Vec<_>>>()?;
    build_text(args.rows, |row, out| {
        let Some(separator) = separator.get(row) else {
            return Ok(None);
        };
        for (at, part) in parts.iter().filter_map(|part| part.get(row)).enumerate() {
            if at > 0 {
                out.push_str(separator);
            }
            out.push_str(part);
        }
        Ok(Some(()))
    })
}

fn within_limit(function: &'static str, bytes: Option<usize>) -> Result<()> {
    match bytes {
        Some(bytes) if bytes <= MAX_BYTES => Ok(()),
        _ => Err(invalid(
            function,
            format!("the result would exceed {MAX_BYTES} bytes"),
        )),
    }
}

fn repeat(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (x, count) = (texts(args, 0)?, natives::<Int64Type>(args, 1)?);
    build_text(args.rows, |row, out| {
        let (Some(x), Some(count)) = (x.get(row), count.get(row)) else {
            return Ok(None);
        };
        if x.is_empty() {
            return Ok(Some(()));
        }
        let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
        within_limit("repeat", x.len().checked_mul(count))?;
        out.extend(std::iter::repeat_n(x, count));
        Ok(Some(()))
    })
}

/// Fills up to a number of characters, or cuts down to it.
fn pad(args: &FunctionArgs<'_>, function: &'static str, at_left: bool) -> Result<ArrayRef> {
    let (x, length) = (texts(args, 0)?, natives::<Int64Type>(args, 1)?);
    let fill = match args.arrays.len() {
        3 => Some(texts(args, 2)?),
        _ => None,
    };
    build_text(args.rows, |row, out| {
        let (Some(x), Some(length)) = (x.get(row), length.get(row)) else {
            return Ok(None);
        };
        let fill = match &fill {
            None => " ",
            Some(fill) => match fill.get(row) {
                None => return Ok(None),
                Some(fill) => fill,
            },
        };
        let length = usize::try_from(length.max(0)).unwrap_or(usize::MAX);
        let missing = length.saturating_sub(x.chars().count());
        if missing == 0 {
            out.push_str(slice(x, 0, length));
            return Ok(Some(()));
        }
        if fill.is_empty() {
            out.push_str(x);
            return Ok(Some(()));
        }
        within_limit(function, missing.checked_mul(4))?;
        let filling = fill.chars().cycle().take(missing);
        if at_left {
            out.extend(filling);
            out.push_str(x);
        } else {
            out.push_str(x);
            out.extend(filling);
        }
        Ok(Some(()))
    })
}

fn three_texts(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Text, Text], Text)
}

fn with_three(
    args: &FunctionArgs<'_>,
    f: impl Fn(&str, &str, &str, &mut String),
) -> Result<ArrayRef> {
    let (x, y, z) = (texts(args, 0)?, texts(args, 1)?, texts(args, 2)?);
    build_text(args.rows, |row, out| {
        let (Some(x), Some(y), Some(z)) = (x.get(row), y.get(row), z.get(row)) else {
            return Ok(None);
        };
        f(x, y, z, out);
        Ok(Some(()))
    })
}

fn replace(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    with_three(args, |x, from, to, out| {
        if from.is_empty() {
            out.push_str(x);
            return;
        }
        for (at, part) in x.split(from).enumerate() {
            if at > 0 {
                out.push_str(to);
            }
            out.push_str(part);
        }
    })
}

/// Characters without a counterpart are dropped.
fn translate(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    with_three(args, |x, from, to, out| {
        out.extend(
            x.chars()
                .filter_map(|c| match from.chars().position(|f| f == c) {
                    None => Some(c),
                    Some(at) => to.chars().nth(at),
                }),
        );
    })
}

fn part_signature(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Text, Int64], Text)
}

/// Parts count from 1, or from the end with -1.
fn split_part(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (x, separator, at) = (
        texts(args, 0)?,
        texts(args, 1)?,
        natives::<Int64Type>(args, 2)?,
    );
    build_text(args.rows, |row, out| {
        let (Some(x), Some(separator), Some(at)) = (x.get(row), separator.get(row), at.get(row))
        else {
            return Ok(None);
        };
        if at == 0 {
            return Err(invalid("split_part", "parts are counted from 1"));
        }
        let index = usize::try_from(at.unsigned_abs() - 1).unwrap_or(usize::MAX);
        let part = if separator.is_empty() {
            (index == 0).then_some(x)
        } else if at > 0 {
            x.split(separator).nth(index)
        } else {
            x.rsplit(separator).nth(index)
        };
        out.push_str(part.unwrap_or(""));
        Ok(Some(()))
    })
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    custom!(
        "concat",
        &[],
        "concat(x, ...)",
        "The arguments as one text, NULLs left out.",
        ("concat('a', NULL, 1)", "a1"),
        all_text,
        concat
    ),
    custom!(
        "concat_ws",
        &[],
        "concat_ws(separator, x, ...)",
        "The arguments with a separator between them, NULLs left out.",
        ("concat_ws('-', 'a', NULL, 'b')", "a-b"),
        separated,
        concat_ws
    ),
    function!(
        "repeat",
        &[],
        "repeat(text, count)",
        "The text so many times.",
        ("repeat('ab', 3)", "ababab"),
        |types| exactly(types, &[Text, Int64], Text),
        repeat
    ),
    function!(
        "lpad",
        &[],
        "lpad(text, length [, fill])",
        "The text filled up at its start, or cut.",
        ("lpad('7', 3, '0')", "007"),
        padded,
        |args| pad(args, "lpad", true)
    ),
    function!(
        "rpad",
        &[],
        "rpad(text, length [, fill])",
        "The text filled up at its end, or cut.",
        ("rpad('hi', 4, 'xy')", "hixy"),
        padded,
        |args| pad(args, "rpad", false)
    ),
    function!(
        "replace",
        &[],
        "replace(text, from, to)",
        "The text with every occurrence replaced.",
        ("replace('banana', 'an', 'o')", "booa"),
        three_texts,
        replace
    ),
    function!(
        "translate",
        &[],
        "translate(text, from, to)",
        "The text with characters replaced one by one.",
        ("translate('12345', '143', 'ax')", "a2x5"),
        three_texts,
        translate
    ),
    function!(
        "split_part",
        &[],
        "split_part(text, separator, n)",
        "The n-th part, from the end for a negative n.",
        ("split_part('a,b,c', ',', 2)", "b"),
        part_signature,
        split_part
    ),
];
