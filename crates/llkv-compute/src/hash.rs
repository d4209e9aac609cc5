//! Hashes of rows, for joins and groupings.
//!
//! Fixed-width values are mixed by a folded 128-bit multiplication (as wyhash and foldhash do); equal
//! integers, dates and decimals of different widths hash equal. Texts up to twelve bytes are hashed as
//! the view they travel in, longer ones by their bytes.

use crate::arithmetic::temporal::interval_nanos;
use crate::arrays::{blob, primitive, some_nulls, sql_type, text};
use crate::keys::{normalized, with_small_keys};
use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{ByteViewType, Decimal128Type, IntervalMonthDayNanoType};
use foldhash::fast::FixedState;
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use std::hash::BuildHasher;

/// Odd constants with about as many ones as zeros: digits of pi.
const FIRST: u64 = 0x243f_6a88_85a3_08d3;
const SECOND: u64 = 0x1319_8a2e_0370_7345;

/// What NULL hashes to.
const NULL: u64 = 0xa409_3822_299f_31d1;

/// The longest text that a view holds itself.
const INLINE: usize = 12;

/// Both halves of a 128-bit product, folded.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

fn mix(value: u64) -> u64 {
    fold(value ^ FIRST, SECOND)
}

fn mix_wide(value: i128) -> u64 {
    match i64::try_from(value) {
        // As the same number in 64 bits.
        Ok(narrow) => mix(narrow as u64),
        Err(_) => fold(mix(value as u64) ^ ((value >> 64) as u64), FIRST),
    }
}

/// Hashes the rows of columns of equal length into `hashes`, one per row; what it held is dropped.
/// Equal rows hash equal, across batches and for every run of the program.
///
/// # Errors
/// For an array that is not in the Arrow form of a SQL type.
///
/// ```
/// use arrow::array::{ArrayRef, Float64Array};
/// use std::sync::Arc;
///
/// let column: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.0), Some(-0.0), None]));
/// let mut hashes = Vec::new();
/// llkv_compute::hash_columns(&[column], &mut hashes)?;
/// assert_eq!(hashes[0], hashes[1]);
/// assert_ne!(hashes[0], hashes[2]);
/// # Ok::<(), llkv_result::Error>(())
/// ```
pub fn hash_columns(columns: &[ArrayRef], hashes: &mut Vec<u64>) -> Result<()> {
    hashes.clear();
    for (at, column) in columns.iter().enumerate() {
        if at == 0 {
            hashes.resize(column.len(), 0);
            hash_column(column, hashes, |_, hash| hash)?;
        } else {
            hash_column(column, hashes, |before, hash| {
                fold(before.rotate_left(23) ^ hash, SECOND)
            })?;
        }
    }
    Ok(())
}

fn hash_column(
    column: &ArrayRef,
    hashes: &mut [u64],
    combine: impl Fn(u64, u64) -> u64 + Copy,
) -> Result<()> {
    let ty = sql_type(column.as_ref())?;
    let nulls = some_nulls(column);
    let nulls = nulls.as_ref();
    let array: &dyn Array = column.as_ref();
    if hashes.len() != array.len() {
        return Err(Error::internal(
            "columns of unequal length are hashed together",
        ));
    }
    let small = with_small_keys!(array, ty, |_len, key| {
        each(hashes, nulls, combine, |row| mix(key(row) as u64))
    });
    if small.is_some() {
        return Ok(());
    }
    match ty {
        SqlType::Text => {
            let texts = text(array)?;
            hash_views(texts, hashes, nulls, combine, |row| {
                texts.value(row).as_bytes()
            });
        }
        SqlType::Blob => {
            let blobs = blob(array)?;
            hash_views(blobs, hashes, nulls, combine, |row| blobs.value(row));
        }
        SqlType::Decimal { .. } => {
            let values = primitive::<Decimal128Type>(array)?.values();
            each(hashes, nulls, combine, |row| mix_wide(values[row]));
        }
        SqlType::Interval => {
            let values = primitive::<IntervalMonthDayNanoType>(array)?.values();
            each(hashes, nulls, combine, |row| {
                mix_wide(interval_nanos(values[row]))
            });
        }
        SqlType::Variant => {
            let keys = normalized(column)?;
            let keys = blob(keys.as_ref())?;
            hash_views(keys, hashes, nulls, combine, |row| keys.value(row));
        }
        SqlType::Null => each(hashes, nulls, combine, |_| NULL),
        ty => return Err(Error::internal(format!("no hash of {ty}"))),
    }
    Ok(())
}

fn each(
    hashes: &mut [u64],
    nulls: Option<&NullBuffer>,
    combine: impl Fn(u64, u64) -> u64,
    hash: impl Fn(usize) -> u64,
) {
    match nulls {
        None => {
            for (row, out) in hashes.iter_mut().enumerate() {
                *out = combine(*out, hash(row));
            }
        }
        Some(nulls) => {
            for (row, out) in hashes.iter_mut().enumerate() {
                let value = if nulls.is_valid(row) { hash(row) } else { NULL };
                *out = combine(*out, value);
            }
        }
    }
}

/// Views hold their length in the low 32 bits and short values, padded with zeros, in the rest.
fn hash_views<'a, T: ByteViewType>(
    array: &'a arrow::array::GenericByteViewArray<T>,
    hashes: &mut [u64],
    nulls: Option<&NullBuffer>,
    combine: impl Fn(u64, u64) -> u64,
    bytes: impl Fn(usize) -> &'a [u8],
) {
    let views = array.views();
    let state = FixedState::default();
    each(hashes, nulls, combine, |row| {
        let view = views[row];
        if (view as u32) as usize <= INLINE {
            fold((view as u64) ^ FIRST, ((view >> 64) as u64) ^ SECOND)
        } else {
            state.hash_one(bytes(row))
        }
    });
}
