//! Digests: MD5, SHA-1 and the SHA-2 family.

use super::args::{array, blobs, build_text, exactly, signature, texts};
use crate::arrays::sql_type;
use arrow::array::{ArrayRef, BinaryViewBuilder};
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use std::fmt::Write;
use std::sync::Arc;

use SqlType::{Blob, Text};

/// Where the functions that SQLite lacks are known.
const OTHERS: Dialects = Dialects::LLKV.or(Dialects::DUCKDB);

/// Digits for a text or blob.
fn in_digits(types: &[SqlType]) -> Option<Signature> {
    match types {
        [Blob] => signature(&[Blob], Text),
        _ => exactly(types, &[Text], Text),
    }
}

/// Digits for a text, as in DuckDB; bytes for a blob, as in PostgreSQL.
fn in_kind(types: &[SqlType]) -> Option<Signature> {
    match types {
        [Blob] => signature(&[Blob], Blob),
        _ => exactly(types, &[Text], Text),
    }
}

fn digest<D: Digest>(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (bytes, text) = match sql_type(array(args, 0)?.as_ref())? {
        Blob => (Some(blobs(args, 0)?), None),
        _ => (None, Some(texts(args, 0)?)),
    };
    let input = |row: usize| -> Option<&[u8]> {
        match (&bytes, &text) {
            (Some(bytes), _) => bytes.get(row),
            (None, Some(text)) => text.get(row).map(str::as_bytes),
            _ => None,
        }
    };
    if args.result == Blob {
        let mut out = BinaryViewBuilder::with_capacity(args.rows);
        for row in 0..args.rows {
            match input(row) {
                Some(bytes) => out.try_append_value(D::digest(bytes))?,
                None => out.append_null(),
            }
        }
        return Ok(Arc::new(out.finish()));
    }
    build_text(args.rows, |row, out| {
        let Some(bytes) = input(row) else {
            return Ok(None);
        };
        D::digest(bytes)
            .iter()
            .try_for_each(|byte| write!(out, "{byte:02x}"))
            .map_err(|_| Error::internal("a text refused a value"))?;
        Ok(Some(()))
    })
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "md5",
        "md5(x)",
        "The MD5 digest in hexadecimal digits.",
        ("md5('abc')", "900150983cd24fb0d6963f7d28e17f72"),
        in_digits,
        digest::<Md5>,
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "sha1",
        "sha1(x)",
        "The SHA-1 digest in hexadecimal digits.",
        ("sha1('abc')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        in_digits,
        digest::<Sha1>,
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "sha224",
        "sha224(x)",
        "The SHA-224 digest: digits for a text, bytes for a blob.",
        (
            "sha224('abc')",
            "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
        ),
        in_kind,
        digest::<Sha224>,
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "sha256",
        "sha256(x)",
        "The SHA-256 digest: digits for a text, bytes for a blob.",
        (
            "sha256('abc')",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        in_kind,
        digest::<Sha256>,
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "sha384",
        "sha384(x)",
        "The SHA-384 digest: digits for a text, bytes for a blob.",
        ("length(sha384('abc'))", "96"),
        in_kind,
        digest::<Sha384>,
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "sha512",
        "sha512(x)",
        "The SHA-512 digest: digits for a text, bytes for a blob.",
        ("length(sha512('abc'))", "128"),
        in_kind,
        digest::<Sha512>,
    )
    .only_in(Dialects::LLKV),
];
