//! What fits no other family.

use super::args::{array, build_text, exactly, invalid, is_constant, signature, texts};
use super::conditional::custom;
use super::decimals::Decimals;
use super::numeric::function;
use super::printf;
use crate::arrays::sql_type;
use crate::cast::parse;
use arrow::array::{ArrayRef, BinaryViewBuilder};
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::{Error, Result};
use llkv_types::variant::{self, Variant};
use llkv_types::{Scalar, SqlType};
use std::fmt::Write;
use std::sync::Arc;

use SqlType::Text;

/// One argument of any type, text out.
fn any_to_text(types: &[SqlType]) -> Option<Signature> {
    match types {
        [ty] => signature(&[*ty], Text),
        _ => None,
    }
}

/// The argument's value in a row.
fn scalar(args: &FunctionArgs<'_>, at: usize, row: usize) -> Result<Scalar> {
    let row = if is_constant(args, at) { 0 } else { row };
    Scalar::from_array(array(args, at)?.as_ref(), row)
}

fn type_of(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    if sql_type(array(args, 0)?.as_ref())? == SqlType::Variant {
        return type_of_variants(args);
    }
    let name = sql_type(array(args, 0)?.as_ref())?.to_string();
    build_text(args.rows, |_, out| {
        out.push_str(&name);
        Ok(Some(()))
    })
}

/// Each value's own type.
fn type_of_variants(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let values = variant::encoded(array(args, 0)?.as_ref())?;
    build_text(args.rows, |row, out| {
        let row = if is_constant(args, 0) { 0 } else { row };
        let value = variant::value(&values, row)?;
        out.push_str(value.map_or("null", |value| value.type_name()));
        Ok(Some(()))
    })
}

/// The value as a SQL literal.
fn quote(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    build_text(args.rows, |row, out| {
        let value = plain(scalar(args, 0, row)?)?;
        match &value {
            Scalar::Text(text) => {
                out.push('\'');
                out.push_str(&text.replace('\'', "''"));
                out.push('\'');
            }
            Scalar::Blob(bytes) => {
                out.push_str("X'");
                write_hex(out, bytes)?;
                out.push('\'');
            }
            Scalar::Float64(value) => quote_real(out, *value).map_err(refused)?,
            other => write!(out, "{other}").map_err(refused)?,
        }
        Ok(Some(()))
    })
}

/// The real as it is shown, or with all the digits that it needs to be read again.
fn quote_real(out: &mut String, value: f64) -> std::fmt::Result {
    let start = out.len();
    variant::write_real(out, value)?;
    let shown = out.get(start..).and_then(|text| text.parse::<f64>().ok());
    if shown != Some(value) {
        out.truncate(start);
        write!(out, "{}", Scalar::Float64(value))?;
    }
    Ok(())
}

/// A value that carries its own type as one of that type.
fn plain(value: Scalar) -> Result<Scalar> {
    let Scalar::Variant(bytes) = &value else {
        return Ok(value);
    };
    Ok(match Variant::decode(bytes) {
        Some(Variant::Integer(value)) => Scalar::Int64(value),
        Some(Variant::Real(value)) => Scalar::Float64(value),
        Some(Variant::Text(text)) => Scalar::Text(text.into()),
        Some(Variant::Blob(bytes)) => Scalar::Blob(bytes.into()),
        None => return Err(Error::internal("bytes that are no variant")),
    })
}

fn refused(_: std::fmt::Error) -> Error {
    Error::internal("a text refused a value")
}

fn write_hex(out: &mut String, bytes: &[u8]) -> Result<()> {
    bytes
        .iter()
        .try_for_each(|byte| write!(out, "{byte:02X}"))
        .map_err(refused)
}

/// The bytes of a text or blob, the digits of an integer.
fn hex(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    build_text(args.rows, |row, out| {
        match scalar(args, 0, row)? {
            Scalar::Null(_) => return Ok(None),
            Scalar::Text(text) => write_hex(out, text.as_bytes())?,
            Scalar::Blob(bytes) => write_hex(out, &bytes)?,
            Scalar::Variant(bytes) => match Variant::decode(&bytes) {
                Some(Variant::Blob(bytes)) => write_hex(out, bytes)?,
                Some(other) => write_hex(out, other.to_string().as_bytes())?,
                None => return Err(Error::internal("bytes that are no variant")),
            },
            Scalar::Int64(v) => write!(out, "{v:X}").map_err(refused)?,
            other => write_hex(out, other.to_string().as_bytes())?,
        }
        Ok(Some(()))
    })
}

fn hex_type(types: &[SqlType]) -> Option<Signature> {
    match types {
        [ty] if ty.is_integer() => signature(&[SqlType::Int64], Text),
        _ => any_to_text(types),
    }
}

fn unhex(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let x = texts(args, 0)?;
    let mut out = BinaryViewBuilder::with_capacity(args.rows);
    for row in 0..args.rows {
        match x.get(row) {
            None => out.append_null(),
            Some(digits) => match parse::hex(digits) {
                Some(bytes) => out.append_value(bytes),
                None => return Err(invalid("unhex", format!("'{digits}' is not hexadecimal"))),
            },
        }
    }
    Ok(Arc::new(out.finish()))
}

/// A format and any arguments.
fn formatted(types: &[SqlType]) -> Option<Signature> {
    let (Text | SqlType::Null, rest) = types.split_first()? else {
        return None;
    };
    let mut args = vec![Text];
    args.extend_from_slice(rest);
    signature(&args, Text)
}

fn format(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let pattern = texts(args, 0)?;
    build_text(args.rows, |row, out| {
        let Some(pattern) = pattern.get(row) else {
            return Ok(None);
        };
        let values = (1..args.arrays.len())
            .map(|at| scalar(args, at, row))
            .collect::<Result<Vec<_>>>()?;
        printf::write(out, pattern, values.into_iter(), Decimals::Exact)?;
        Ok(Some(()))
    })
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    custom!(
        "typeof",
        &["pg_typeof"],
        "typeof(x)",
        "The name of the type.",
        ("typeof(1.5)", "DECIMAL(2,1)"),
        any_to_text,
        type_of
    ),
    custom!(
        "quote",
        &[],
        "quote(x)",
        "The value as a SQL literal.",
        ("quote('it''s')", "'it''s'"),
        any_to_text,
        quote
    ),
    function!(
        "hex",
        &[],
        "hex(x)",
        "Bytes or an integer in hexadecimal digits.",
        ("hex('AB')", "4142"),
        hex_type,
        hex
    ),
    function!(
        "unhex",
        &["from_hex"],
        "unhex(text)",
        "Bytes from hexadecimal digits.",
        ("unhex('4142')", "\\x4142"),
        |types| exactly(types, &[Text], SqlType::Blob),
        unhex
    ),
    ScalarFunction::new(
        "to_hex",
        "to_hex(x)",
        "Bytes or an integer in hexadecimal digits.",
        ("to_hex(255)", "FF"),
        hex_type,
        hex,
    )
    .only_in(Dialects::DUCKDB),
    custom!(
        "printf",
        &[],
        "printf(format, x, ...)",
        "Values by a format such as %d, %5.2f or %-10s.",
        ("printf('%03d|%.2f|%s', 7, 1.5, 'x')", "007|1.50|x"),
        formatted,
        format
    ),
];
