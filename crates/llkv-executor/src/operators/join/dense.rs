//! Integer keys of a narrow range, which index an array directly.

use super::chains::Chains;
use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
use arrow::compute::kernels::aggregate::{max, min};
use arrow::datatypes::{
    DataType, Date32Type, Decimal64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
};
use arrow::{array::AsArray, datatypes::ArrowPrimitiveType};
use llkv_result::{Error, Result};

/// The range of a build side's keys.
pub(super) struct DenseKeys {
    min: i64,
    /// Width of the range: keys less `min` are below it.
    range: u64,
}

/// Calls `$body` with `$t` as the Arrow type of an integer-like column, or gives `$other`.
macro_rules! for_integer {
    ($data_type:expr, $t:ident => $body:expr, _ => $other:expr) => {
        match $data_type {
            DataType::Int8 => {
                type $t = Int8Type;
                $body
            }
            DataType::Int16 => {
                type $t = Int16Type;
                $body
            }
            DataType::Int32 => {
                type $t = Int32Type;
                $body
            }
            DataType::Int64 => {
                type $t = Int64Type;
                $body
            }
            DataType::UInt8 => {
                type $t = UInt8Type;
                $body
            }
            DataType::UInt16 => {
                type $t = UInt16Type;
                $body
            }
            DataType::UInt32 => {
                type $t = UInt32Type;
                $body
            }
            DataType::Date32 => {
                type $t = Date32Type;
                $body
            }
            DataType::Decimal64(_, _) => {
                type $t = Decimal64Type;
                $body
            }
            DataType::Timestamp(_, _) => {
                type $t = TimestampMicrosecondType;
                $body
            }
            _ => $other,
        }
    };
}

impl DenseKeys {
    /// Entries of the array per build row, at most: beyond, a hash table is smaller and as fast.
    const MAX_SPARSENESS: u64 = 8;
    /// Below this many entries the array is taken however sparse it is.
    const SMALL_RANGE: u64 = 4_096;

    /// The range of a key column where it is worth an array.
    pub(super) fn new(key: &ArrayRef) -> Result<Option<Self>> {
        let bounds = for_integer!(key.data_type(), T => bounds::<T>(key), _ => None);
        let Some((low, high)) = bounds else {
            return Ok(None);
        };
        let widest = (key.len() as u64 * Self::MAX_SPARSENESS).max(Self::SMALL_RANGE);
        let range = high.abs_diff(low);
        Ok((range < widest).then(|| Self {
            min: low,
            range: range + 1,
        }))
    }

    /// The rows of the column by their key.
    pub(super) fn chains(&self, key: &ArrayRef, valid: Option<&NullBuffer>) -> Result<Chains> {
        for_integer!(key.data_type(), T => Ok(self.chains_of::<T>(key, valid)), _ => Err(no_integer(key)))
    }

    fn chains_of<T>(&self, key: &ArrayRef, valid: Option<&NullBuffer>) -> Chains
    where
        T: ArrowPrimitiveType<Native: Into<i64>>,
    {
        let values = key.as_primitive::<T>().values();
        // A range fits: it is at most some eight times the number of rows in memory.
        Chains::build(self.range as usize, values.len(), |row| {
            let value = values.get(row)?;
            let valid = valid.is_none_or(|v| v.is_valid(row));
            valid.then(|| self.bucket((*value).into()))
        })
    }

    /// The bucket of a key; one out of range has a bucket that does not exist.
    fn bucket(&self, value: i64) -> usize {
        // Wrapping: a key far below the minimum becomes a large number, which is out of range too.
        usize::try_from(value.wrapping_sub(self.min) as u64).unwrap_or(usize::MAX)
    }

    /// The first build row of each probe key, plus one.
    pub(super) fn probe(
        &self,
        key: &ArrayRef,
        chains: &Chains,
        first: &mut Vec<u32>,
    ) -> Result<()> {
        for_integer!(key.data_type(), T => {
            self.probe_of::<T>(key, chains, first);
            Ok(())
        }, _ => Err(no_integer(key)))
    }

    fn probe_of<T>(&self, key: &ArrayRef, chains: &Chains, first: &mut Vec<u32>)
    where
        T: ArrowPrimitiveType<Native: Into<i64>>,
    {
        let column = key.as_primitive::<T>();
        let values = column.values().iter();
        first.extend(values.map(|value| chains.head(self.bucket((*value).into()))));
        if let Some(nulls) = column.nulls().filter(|n| n.null_count() > 0) {
            for (row, number) in first.iter_mut().enumerate() {
                if nulls.is_null(row) {
                    *number = 0;
                }
            }
        }
    }
}

fn bounds<T: ArrowPrimitiveType<Native: Into<i64>>>(key: &ArrayRef) -> Option<(i64, i64)> {
    let column = key.as_primitive::<T>();
    Some((min(column)?.into(), max(column)?.into()))
}

/// The least and the greatest row of an integer-like column, `None` without values or for other types.
pub(in crate::operators) fn extremes(key: &ArrayRef) -> Option<(usize, usize)> {
    fn rows<T: ArrowPrimitiveType<Native: Ord>>(key: &ArrayRef) -> Option<(usize, usize)> {
        let column = key.as_primitive::<T>();
        let valid = |row: &usize| column.is_valid(*row);
        let value = |row: &usize| column.values().get(*row).copied();
        let rows = 0..column.len();
        let low = rows.clone().filter(valid).min_by_key(value)?;
        Some((low, rows.filter(valid).max_by_key(value)?))
    }
    for_integer!(key.data_type(), T => rows::<T>(key), _ => None)
}

fn no_integer(key: &ArrayRef) -> Error {
    Error::internal(format!(
        "a join key of type {} against integers",
        key.data_type()
    ))
}
