//! `IN` over constants: a hash set, or a scan of a short list.

use crate::arithmetic::temporal::interval_nanos;
use crate::arrays::{blob, primitive, some_nulls, sql_type, text};
use crate::keys::{normalized, with_small_keys};
use crate::value::Value;
use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::concat;
use arrow::datatypes as dt;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use llkv_result::{Error, Result};
use llkv_types::{Scalar, SqlType};
use std::sync::Arc;

/// Up to this many integers are compared one after another, which vectorises, instead of hashed.
const SCANNED: usize = 8;

/// A set of constants of one type.
#[derive(Debug)]
pub(super) struct InSet {
    keys: Keys,
    ty: SqlType,
    has_null: bool,
}

#[derive(Debug)]
enum Keys {
    Few(Vec<i64>),
    Many(HashSet<i64, FixedState>),
    Wide(HashSet<i128, FixedState>),
    Bytes(HashSet<Box<[u8]>, FixedState>),
}

/// The literals of a list as one array, where all have the type `ty`.
pub(super) fn constants(literals: &[&Scalar], ty: SqlType) -> Option<ArrayRef> {
    if literals.is_empty() {
        return None;
    }
    let arrays = literals
        .iter()
        .map(|literal| match literal {
            Scalar::Null(_) => Scalar::Null(ty).to_array(1).ok(),
            value if value.sql_type() == ty => value.to_array(1).ok(),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()?;
    let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    concat(&arrays).ok()
}

fn valid_rows(array: &dyn Array) -> impl Iterator<Item = usize> + '_ {
    (0..array.len()).filter(|&row| array.is_valid(row))
}

impl InSet {
    /// The set of an array's values.
    pub(super) fn new(values: &ArrayRef) -> Result<Self> {
        let ty = sql_type(values.as_ref())?;
        let array = values.as_ref();
        let small = with_small_keys!(array, ty, |_len, key| {
            valid_rows(array).map(key).collect::<Vec<i64>>()
        });
        let keys = match (small, ty) {
            (Some(keys), _) if keys.len() <= SCANNED => Keys::Few(keys),
            (Some(keys), _) => Keys::Many(keys.into_iter().collect()),
            (None, SqlType::Decimal { .. }) => {
                let values = primitive::<dt::Decimal128Type>(array)?;
                Keys::Wide(values.iter().flatten().collect())
            }
            (None, SqlType::Interval) => {
                let values = primitive::<dt::IntervalMonthDayNanoType>(array)?;
                Keys::Wide(values.iter().flatten().map(interval_nanos).collect())
            }
            (None, SqlType::Text) => {
                let values = text(array)?.iter().flatten();
                Keys::Bytes(values.map(|v| v.as_bytes().into()).collect())
            }
            (None, SqlType::Blob) => {
                let values = blob(array)?.iter().flatten();
                Keys::Bytes(values.map(Into::into).collect())
            }
            (None, SqlType::Variant) => {
                let keys = normalized(values)?;
                Keys::Bytes(
                    blob(keys.as_ref())?
                        .iter()
                        .flatten()
                        .map(Into::into)
                        .collect(),
                )
            }
            (None, SqlType::Null) => Keys::Few(Vec::new()),
            (None, ty) => return Err(Error::internal(format!("no IN over {ty}"))),
        };
        Ok(Self {
            keys,
            ty,
            has_null: array.logical_null_count() > 0,
        })
    }

    fn is_empty(&self) -> bool {
        let empty = match &self.keys {
            Keys::Few(keys) => keys.is_empty(),
            Keys::Many(keys) => keys.is_empty(),
            Keys::Wide(keys) => keys.is_empty(),
            Keys::Bytes(keys) => keys.is_empty(),
        };
        empty && !self.has_null
    }

    /// Which values are in the set; NULL where that is unknown. `IN ()` is FALSE even for NULL.
    pub(super) fn contains(&self, value: &Value, negated: bool) -> Result<Value> {
        if self.is_empty() {
            return Ok(Value::Constant(Arc::new(BooleanArray::from(vec![negated]))));
        }
        if value.is_null_constant() {
            return Ok(Value::null(SqlType::Boolean));
        }
        let found = self.found(value.array())?;
        let mut nulls = some_nulls(value.array());
        if self.has_null {
            // Not among the known ones: it may equal the NULL.
            nulls = NullBuffer::union(nulls.as_ref(), Some(&NullBuffer::new(found.clone())));
        }
        let mask = if negated { !&found } else { found };
        Ok(value.like(Arc::new(BooleanArray::new(mask, nulls))))
    }

    fn found(&self, values: &ArrayRef) -> Result<BooleanBuffer> {
        let array = values.as_ref();
        let ty = sql_type(array)?;
        if ty != self.ty {
            let set = self.ty;
            return if matches!(self.ty, SqlType::Null) {
                Ok(BooleanBuffer::new_unset(array.len()))
            } else {
                Err(Error::internal(format!("{ty} IN a list of {set}")))
            };
        }
        Ok(match &self.keys {
            Keys::Few(keys) => few(array, ty, keys)?,
            Keys::Many(keys) => with_small_keys!(array, ty, |len, key| {
                lookup(len, key, |key| keys.contains(key))
            })
            .unwrap_or_else(|| BooleanBuffer::new_unset(array.len())),
            Keys::Wide(keys) if ty == SqlType::Interval => {
                let values = primitive::<dt::IntervalMonthDayNanoType>(array)?.values();
                lookup(
                    values.len(),
                    |i| interval_nanos(values[i]),
                    |k| keys.contains(k),
                )
            }
            Keys::Wide(keys) => {
                let values = primitive::<dt::Decimal128Type>(array)?.values();
                lookup(values.len(), |i| values[i], |k| keys.contains(k))
            }
            Keys::Bytes(keys) if ty == SqlType::Text => {
                let values = text(array)?;
                lookup_valid(array, |i| keys.contains(values.value(i).as_bytes()))
            }
            Keys::Bytes(keys) => {
                let own = normalized(values)?;
                let values = blob(own.as_ref())?;
                lookup_valid(array, |i| keys.contains(values.value(i)))
            }
        })
    }
}

fn lookup<K>(len: usize, key: impl Fn(usize) -> K, contains: impl Fn(&K) -> bool) -> BooleanBuffer {
    BooleanBuffer::collect_bool(len, |row| contains(&key(row)))
}

fn lookup_valid(array: &dyn Array, contains: impl Fn(usize) -> bool) -> BooleanBuffer {
    BooleanBuffer::collect_bool(array.len(), |row| array.is_valid(row) && contains(row))
}

/// A few keys: a comparison each.
fn few(array: &dyn Array, ty: SqlType, keys: &[i64]) -> Result<BooleanBuffer> {
    let found = with_small_keys!(array, ty, |len, key| {
        lookup(len, key, |value| {
            keys.iter().fold(false, |any, k| any | (k == value))
        })
    });
    Ok(found.unwrap_or_else(|| BooleanBuffer::new_unset(array.len())))
}
