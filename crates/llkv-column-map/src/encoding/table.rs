//! A short list of distinct or repeated values inside a chunk: dictionary entries, values of runs, constants.

use super::kind_mismatch;
use super::plain::{PlainBytes, write_strings};
use crate::bytes::damaged;
use crate::chunk::{BodyReader, ChunkWriter};
use crate::column_buffer::typed;
use crate::column_test::{Test, float_key, float32_key};
use crate::kind::{Kind, Width};
use crate::views::{array, shift_buffer, view_bytes};
use arrow::array::ArrayRef;
use arrow::buffer::Buffer;
use llkv_result::Result;

/// Values by index, plain.
#[derive(Debug)]
pub(crate) enum Table {
    /// Fixed-width values.
    Fixed {
        kind: Kind,
        len: usize,
        buffer: Buffer,
    },
    /// Strings: their views, and the one buffer that these point into.
    Strings { views: Vec<u128>, data: Buffer },
}

/// Writes fixed-width values given by their keys (integers as they are, floats by `float_key`).
///
/// # Errors
/// For kinds without a key.
pub(crate) fn write_keys(
    kind: Kind,
    keys: impl Iterator<Item = i128>,
    out: &mut ChunkWriter,
) -> Result<()> {
    let mut bytes = Vec::new();
    for key in keys {
        let raw = raw_of(kind, key).to_le_bytes();
        let width = kind.width().ok_or_else(kind_mismatch)?.bytes();
        bytes.extend_from_slice(raw.get(..width).unwrap_or_default());
    }
    out.buffer(&bytes);
    Ok(())
}

/// The bits that stand for a key.
fn raw_of(kind: Kind, key: i128) -> u128 {
    match kind {
        Kind::Float(Width::W4) => {
            let key = key as i32;
            u128::from((key ^ (((key >> 31) as u32) >> 1) as i32) as u32)
        }
        Kind::Float(_) => {
            let key = key as i64;
            u128::from((key ^ (((key >> 63) as u64) >> 1) as i64) as u64)
        }
        _ => key as u128,
    }
}

/// Writes strings.
///
/// # Errors
/// When they are too long for a chunk.
pub(crate) fn write_bytes(strings: &[&[u8]], out: &mut ChunkWriter) -> Result<()> {
    let total = strings.iter().map(|s| s.len()).sum();
    write_strings(strings.iter().copied(), strings.len(), total, out)
}

impl Table {
    /// Opens `len` values.
    ///
    /// # Errors
    /// When buffers are too short or strings are not valid.
    pub(crate) fn open(kind: Kind, len: usize, body: &mut BodyReader<'_>) -> Result<Self> {
        match kind {
            Kind::Bytes { utf8 } => {
                let (offsets, data) = (body.buffer()?, body.buffer()?);
                let plain = PlainBytes::new(offsets, data, len, utf8)?;
                Ok(Self::Strings {
                    views: plain.views(),
                    data: plain.data().clone(),
                })
            }
            kind => {
                let width = kind.width().ok_or_else(kind_mismatch)?.bytes();
                let buffer = body.buffer()?;
                if len.checked_mul(width).is_none_or(|n| n > buffer.len()) {
                    return Err(damaged("a table of values is too short"));
                }
                Ok(Self::Fixed { kind, len, buffer })
            }
        }
    }

    /// The strings as an array; `None` for other values.
    ///
    /// # Errors
    /// Never for an open table.
    pub(crate) fn strings(&self, utf8: bool) -> Result<Option<ArrayRef>> {
        match self {
            Self::Strings { views, data } => {
                let array = array(views.clone().into(), vec![data.clone()], None, utf8)?;
                Ok(Some(array))
            }
            Self::Fixed { .. } => Ok(None),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Fixed { len, .. } => *len,
            Self::Strings { views, .. } => views.len(),
        }
    }

    /// For each value whether it passes.
    ///
    /// # Errors
    /// For kinds that are not tested.
    pub(crate) fn accepts(&self, test: &Test) -> Result<Vec<bool>> {
        match self {
            Self::Strings { views, data } => Ok(views
                .iter()
                .map(|view| {
                    view_bytes(view, std::slice::from_ref(data))
                        .is_some_and(|bytes| test.accepts_bytes(bytes))
                })
                .collect()),
            Self::Fixed { kind, len, buffer } => {
                fn go<T: arrow::datatypes::ArrowNativeType>(
                    buffer: &Buffer,
                    len: usize,
                    test: &Test,
                    key: impl Fn(T) -> i128,
                ) -> Result<Vec<bool>> {
                    let values = typed::<T>(buffer, len)?;
                    Ok(values.iter().map(|v| test.accepts_int(key(*v))).collect())
                }
                match kind {
                    Kind::Signed(Width::W1) => go::<i8>(buffer, *len, test, i128::from),
                    Kind::Signed(Width::W2) => go::<i16>(buffer, *len, test, i128::from),
                    Kind::Signed(Width::W4) => go::<i32>(buffer, *len, test, i128::from),
                    Kind::Signed(Width::W8) => go::<i64>(buffer, *len, test, i128::from),
                    Kind::Signed(Width::W16) => go::<i128>(buffer, *len, test, |v| v),
                    Kind::Unsigned(Width::W1) => go::<u8>(buffer, *len, test, i128::from),
                    Kind::Unsigned(Width::W2) => go::<u16>(buffer, *len, test, i128::from),
                    Kind::Unsigned(Width::W4) => go::<u32>(buffer, *len, test, i128::from),
                    Kind::Unsigned(_) => go::<u64>(buffer, *len, test, i128::from),
                    Kind::Float(Width::W4) => {
                        go::<f32>(buffer, *len, test, |v| float32_key(v).into())
                    }
                    Kind::Float(_) => go::<f64>(buffer, *len, test, |v| float_key(v).into()),
                    Kind::Opaque | Kind::Bit | Kind::Bytes { .. } => Err(kind_mismatch()),
                }
            }
        }
    }
}

/// The views of a string table as they stand in an output: shifted once, borrowed when they need not be.
pub(crate) fn shifted(views: &[u128], by: u32) -> std::borrow::Cow<'_, [u128]> {
    match by {
        0 => views.into(),
        by => views.iter().map(|view| shift_buffer(*view, by)).collect(),
    }
}

/// Hands the table's values, typed, and the matching output vector to `$body`.
macro_rules! with_table {
    ($table:expr, $out:expr, |$values:ident, $vec:ident| $body:expr) => {{
        use crate::column_buffer::{Values, typed};
        match ($table, $out) {
            (crate::encoding::table::Table::Fixed { kind, len, buffer }, out) => {
                match (kind.width(), out) {
                    (Some(crate::kind::Width::W1), Values::W1($vec)) => {
                        let $values = &typed::<u8>(buffer, *len)?[..];
                        $body
                    }
                    (Some(crate::kind::Width::W2), Values::W2($vec)) => {
                        let $values = &typed::<u16>(buffer, *len)?[..];
                        $body
                    }
                    (Some(crate::kind::Width::W4), Values::W4($vec)) => {
                        let $values = &typed::<u32>(buffer, *len)?[..];
                        $body
                    }
                    (Some(crate::kind::Width::W8), Values::W8($vec)) => {
                        let $values = &typed::<u64>(buffer, *len)?[..];
                        $body
                    }
                    (Some(crate::kind::Width::W16), Values::W16($vec)) => {
                        let words = typed::<i128>(buffer, *len)?;
                        let words: Vec<u128> = words.iter().map(|v| *v as u128).collect();
                        let $values = &words[..];
                        $body
                    }
                    _ => return Err(crate::encoding::kind_mismatch()),
                }
            }
            (crate::encoding::table::Table::Strings { views, data }, Values::Views(out)) => {
                let by = out.buffer_index(data);
                let shifted = crate::encoding::table::shifted(views, by);
                let $values = &shifted[..];
                let $vec = &mut out.views;
                $body
            }
            _ => return Err(crate::encoding::kind_mismatch()),
        }
    }};
}
pub(crate) use with_table;
