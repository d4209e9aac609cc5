//! Functions of bits.

use super::args::{array, blobs, build, exactly, natives, signature, texts};
use crate::arrays::sql_type;
use arrow::array::ArrayRef;
use arrow::datatypes::{Int32Type, Int64Type};
use llkv_expr::{BinaryOp, Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::{Error, Result};
use llkv_types::SqlType;

use SqlType::{Blob, Int32, Int64, Text};

/// Integers keep their width: -1 has as many ones as its type has bits.
fn counted(types: &[SqlType]) -> Option<Signature> {
    match types {
        [ty] if ty.is_integer() => signature(&[*ty], Int64),
        [Blob] => signature(&[Blob], Int64),
        _ => exactly(types, &[Int64], Int64),
    }
}

fn bit_count(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    macro_rules! ones {
        ($native:ident) => {{
            let x = natives::<arrow::datatypes::$native>(args, 0)?;
            build::<Int64Type>(args, |row| {
                Ok(x.get(row).map(|x| i64::from(x.count_ones())))
            })
        }};
    }
    match sql_type(array(args, 0)?.as_ref())? {
        SqlType::Int8 => ones!(Int8Type),
        SqlType::Int16 => ones!(Int16Type),
        SqlType::Int32 => ones!(Int32Type),
        SqlType::Int64 => ones!(Int64Type),
        SqlType::UInt8 => ones!(UInt8Type),
        SqlType::UInt16 => ones!(UInt16Type),
        SqlType::UInt32 => ones!(UInt32Type),
        SqlType::UInt64 => ones!(UInt64Type),
        Blob => {
            let x = blobs(args, 0)?;
            build::<Int64Type>(args, |row| {
                let ones = |bytes: &[u8]| bytes.iter().map(|b| i64::from(b.count_ones())).sum();
                Ok(x.get(row).map(ones))
            })
        }
        other => Err(Error::internal(format!("no bits of {other}"))),
    }
}

fn measured(types: &[SqlType]) -> Option<Signature> {
    match types {
        [Blob] => signature(&[Blob], Int64),
        _ => exactly(types, &[Text], Int64),
    }
}

fn bit_length(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    if sql_type(array(args, 0)?.as_ref())? == Blob {
        let x = blobs(args, 0)?;
        return build::<Int64Type>(args, |row| Ok(x.get(row).map(|x| x.len() as i64 * 8)));
    }
    let x = texts(args, 0)?;
    build::<Int64Type>(args, |row| Ok(x.get(row).map(|x| x.len() as i64 * 8)))
}

fn exclusive(types: &[SqlType]) -> Option<Signature> {
    let [left, right] = types else {
        return None;
    };
    let (left, right, result) = crate::coercion::binary_signature(BinaryOp::BitXor, *left, *right)?;
    signature(&[left, right], result)
}

/// A byte of a blob, from 0.
fn get_byte(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (x, at) = (blobs(args, 0)?, natives::<Int64Type>(args, 1)?);
    build::<Int32Type>(args, |row| {
        let (Some(x), Some(at)) = (x.get(row), at.get(row)) else {
            return Ok(None);
        };
        match usize::try_from(at).ok().and_then(|at| x.get(at)) {
            Some(byte) => Ok(Some(i32::from(*byte))),
            None => Err(super::args::invalid(
                "get_byte",
                format!(
                    "index {at} is not within 0 and {}",
                    x.len().saturating_sub(1)
                ),
            )),
        }
    })
}

/// A bit of a blob, from 0, the least of each byte first.
fn get_bit(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (x, at) = (blobs(args, 0)?, natives::<Int64Type>(args, 1)?);
    build::<Int32Type>(args, |row| {
        let (Some(x), Some(at)) = (x.get(row), at.get(row)) else {
            return Ok(None);
        };
        let byte = usize::try_from(at).ok().and_then(|at| x.get(at / 8));
        match byte {
            Some(byte) => Ok(Some(i32::from((byte >> (at % 8)) & 1))),
            None => Err(super::args::invalid(
                "get_bit",
                format!(
                    "index {at} is not within {} bits",
                    x.len().saturating_mul(8)
                ),
            )),
        }
    })
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "bit_count",
        "bit_count(x)",
        "How many bits of an integer or blob are set.",
        ("bit_count(7)", "3"),
        counted,
        bit_count,
    ),
    ScalarFunction::new(
        "bit_length",
        "bit_length(x)",
        "The length of a text in UTF-8, or of a blob, in bits.",
        ("bit_length('abc')", "24"),
        measured,
        bit_length,
    ),
    ScalarFunction::new(
        "xor",
        "xor(x, y)",
        "The bits that are set in one of two integers only.",
        ("xor(5, 3)", "6"),
        exclusive,
        |args| super::numeric::operator(BinaryOp::BitXor, args),
    )
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    ScalarFunction::new(
        "get_byte",
        "get_byte(blob, index)",
        "A byte of a blob, counted from 0.",
        ("get_byte('\\x0aff'::blob, 1)", "255"),
        |types| exactly(types, &[Blob, Int64], Int32),
        get_byte,
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "get_bit",
        "get_bit(blob, index)",
        "A bit of a blob, counted from 0, the least of each byte first.",
        ("get_bit('\\x02'::blob, 1)", "1"),
        |types| exactly(types, &[Blob, Int64], Int32),
        get_bit,
    )
    .only_in(Dialects::LLKV),
];
