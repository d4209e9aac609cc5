//! Bytes as text and back: hexadecimal digits, base64, escapes.

use super::args::{array, blobs, build_text, exactly, invalid, texts};
use crate::cast::parse;
use arrow::array::{ArrayRef, BinaryViewBuilder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::{Error, Result};
use llkv_types::{SqlType, text};
use std::fmt::Write;
use std::sync::Arc;

use SqlType::{Blob, Text};

/// Where the functions that SQLite lacks are known.
const OTHERS: Dialects = Dialects::LLKV.or(Dialects::DUCKDB);

/// Characters in a line of base64, as in MIME.
const LINE: usize = 76;

fn refused(_: std::fmt::Error) -> Error {
    Error::internal("a text refused a value")
}

/// `encode(text)` gives bytes, `encode(blob, form)` text.
fn encoding(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text], Blob).or_else(|| exactly(types, &[Blob, Text], Text))
}

/// `decode(blob)` gives text, `decode(text, form)` bytes.
fn decoding(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Blob], Text).or_else(|| exactly(types, &[Text, Text], Blob))
}

fn unknown(function: &'static str, form: &str) -> Error {
    invalid(
        function,
        format!("unknown form '{form}'; hex, base64 and escape are known"),
    )
}

/// Bytes that are no printable ASCII as `\ooo`, a backslash doubled.
fn write_escaped(out: &mut String, bytes: &[u8]) -> Result<()> {
    for byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            0 | 0x80.. => write!(out, "\\{byte:03o}").map_err(refused)?,
            byte => out.push(char::from(*byte)),
        }
    }
    Ok(())
}

fn encode(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    if args.arrays.len() == 1 {
        return Ok(Arc::new(
            crate::arrays::text(array(args, 0)?)?
                .clone()
                .to_binary_view(),
        ));
    }
    let (x, form) = (blobs(args, 0)?, texts(args, 1)?);
    build_text(args.rows, |row, out| {
        let (Some(bytes), Some(form)) = (x.get(row), form.get(row)) else {
            return Ok(None);
        };
        match form.to_ascii_lowercase().as_str() {
            "hex" => bytes
                .iter()
                .try_for_each(|byte| write!(out, "{byte:02x}"))
                .map_err(refused)?,
            "base64" => {
                for (at, c) in STANDARD.encode(bytes).chars().enumerate() {
                    if at > 0 && at.is_multiple_of(LINE) {
                        out.push('\n');
                    }
                    out.push(c);
                }
            }
            "escape" => write_escaped(out, bytes)?,
            _ => return Err(unknown("encode", form)),
        }
        Ok(Some(()))
    })
}

fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(digits).ok()
}

/// Each row's bytes, an error where there are none.
fn build_blobs(
    args: &FunctionArgs<'_>,
    function: &'static str,
    f: impl Fn(usize, &str) -> Result<Option<Vec<u8>>>,
) -> Result<ArrayRef> {
    let x = texts(args, 0)?;
    let mut out = BinaryViewBuilder::with_capacity(args.rows);
    for row in 0..args.rows {
        let Some(text) = x.get(row) else {
            out.append_null();
            continue;
        };
        match f(row, text)? {
            Some(bytes) => out.try_append_value(bytes)?,
            None => return Err(invalid(function, format!("'{text}' is not of that form"))),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn decode(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    if args.arrays.len() == 1 {
        return decode_text(args);
    }
    let form = texts(args, 1)?;
    build_blobs(args, "decode", |row, text| {
        let form = form.get(row).unwrap_or("hex");
        Ok(match form.to_ascii_lowercase().as_str() {
            "hex" => parse::hex(text),
            "base64" => base64_bytes(text),
            "escape" => parse::escaped_bytes(text),
            _ => return Err(unknown("decode", form)),
        })
    })
}

/// A blob's bytes as text.
fn decode_text(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let x = blobs(args, 0)?;
    build_text(args.rows, |row, out| {
        let Some(bytes) = x.get(row) else {
            return Ok(None);
        };
        match std::str::from_utf8(bytes) {
            Ok(text) => out.push_str(text),
            Err(_) => {
                let shown = text::Shown(|out| text::write_blob(out, bytes));
                return Err(invalid("decode", format!("{shown} is no UTF-8")));
            }
        }
        Ok(Some(()))
    })
}

fn to_base64(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let x = blobs(args, 0)?;
    build_text(args.rows, |row, out| {
        Ok(x.get(row).map(|bytes| STANDARD.encode_string(bytes, out)))
    })
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "encode",
        "encode(text), encode(blob, form)",
        "The bytes of a text; or a blob as text in the form hex, base64 or escape.",
        ("encode('\\x4142'::blob, 'base64')", "QUI="),
        encoding,
        encode,
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "decode",
        "decode(blob), decode(text, form)",
        "A text from its bytes; or the bytes of a text in the form hex, base64 or escape.",
        ("decode('QUI=', 'base64')", "\\x4142"),
        decoding,
        decode,
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "to_base64",
        "to_base64(blob)",
        "A blob in base64.",
        ("to_base64(encode('AB'))", "QUI="),
        |types| exactly(types, &[Blob], Text),
        to_base64,
    )
    .also(&["base64"])
    .only_in(OTHERS),
    ScalarFunction::new(
        "from_base64",
        "from_base64(text)",
        "The bytes of base64.",
        ("from_base64('QUI=')", "\\x4142"),
        |types| exactly(types, &[Text], Blob),
        |args| build_blobs(args, "from_base64", |_, text| Ok(base64_bytes(text))),
    )
    .only_in(OTHERS),
];
