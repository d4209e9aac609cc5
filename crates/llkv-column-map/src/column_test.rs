//! Tests of a column translated to its physical kind, to be decided on encoded data.

use crate::key_set::KeySet;
use crate::kind::{Kind, Width};
use crate::predicate::ColumnTest;
use arrow::array::{Array, ArrayRef};
use hashbrown::HashSet;
use llkv_result::{Error, Result};
use llkv_types::{Scalar, SqlType};
use std::ops::Bound;
use std::sync::Arc;

/// A test translated to a column's physical kind.
///
/// Booleans, integers, decimals, dates, times and floats are all tested as integers: floats through
/// [`float_key`], an order-preserving map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    /// `low..=high`, empty when `low > high`.
    Range { low: i128, high: i128 },
    /// Anything but this.
    Not(i128),
    /// One of these, sorted and distinct.
    Set(IntSet),
    /// One of many keys, or a stranger.
    Keys(Arc<KeySet>),
    /// Byte strings within bounds.
    BytesRange {
        low: Bound<Vec<u8>>,
        high: Bound<Vec<u8>>,
    },
    /// Byte strings that differ.
    BytesNot(Vec<u8>),
    /// Byte strings of a set, with its least and greatest member.
    BytesSet(BytesSet),
    /// NULLs only.
    Null,
    /// Every value that is not NULL.
    NotNull,
    /// Nothing.
    Never,
}

/// A non-empty set of integers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IntSet {
    pub(crate) sorted: Vec<i128>,
    members: HashSet<i128, foldhash::fast::FixedState>,
}

impl IntSet {
    fn new(mut values: Vec<i128>) -> Self {
        values.sort_unstable();
        values.dedup();
        Self {
            members: values.iter().copied().collect(),
            sorted: values,
        }
    }

    pub(crate) fn contains(&self, value: i128) -> bool {
        self.members.contains(&value)
    }

    pub(crate) fn low(&self) -> i128 {
        self.sorted.first().copied().unwrap_or(i128::MAX)
    }

    pub(crate) fn high(&self) -> i128 {
        self.sorted.last().copied().unwrap_or(i128::MIN)
    }

    /// True when a member lies within `low..=high`.
    pub(crate) fn meets(&self, low: i128, high: i128) -> bool {
        let from = self.sorted.partition_point(|v| *v < low);
        self.sorted.get(from).is_some_and(|v| *v <= high)
    }
}

/// A non-empty set of byte strings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BytesSet {
    pub(crate) sorted: Vec<Vec<u8>>,
    members: HashSet<Vec<u8>, foldhash::fast::FixedState>,
}

impl BytesSet {
    fn new(mut values: Vec<Vec<u8>>) -> Self {
        values.sort_unstable();
        values.dedup();
        Self {
            members: values.iter().cloned().collect(),
            sorted: values,
        }
    }

    pub(crate) fn contains(&self, value: &[u8]) -> bool {
        self.members.contains(value)
    }

    /// True when a member lies within `low..=high`.
    pub(crate) fn meets(&self, low: &[u8], high: Option<&[u8]>) -> bool {
        let from = self.sorted.partition_point(|v| v.as_slice() < low);
        self.sorted
            .get(from)
            .is_some_and(|v| high.is_none_or(|high| v.as_slice() <= high))
    }
}

/// Maps a double to an integer of the same order: IEEE total order, as Arrow's kernels compare.
#[inline]
pub(crate) fn float_key(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// Maps a real to an integer of the same order, like [`float_key`].
#[inline]
pub(crate) fn float32_key(value: f32) -> i32 {
    let bits = value.to_bits() as i32;
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

/// A scalar's place in its kind's order; `None` for NULL and for kinds that are not integers.
pub(crate) fn scalar_key(scalar: &Scalar) -> Option<i128> {
    Some(match scalar {
        Scalar::Boolean(v) => i128::from(*v),
        Scalar::Int8(v) => i128::from(*v),
        Scalar::Int16(v) => i128::from(*v),
        Scalar::Int32(v) | Scalar::Date(v) => i128::from(*v),
        Scalar::Int64(v) | Scalar::Time(v) | Scalar::Timestamp(v) | Scalar::TimestampTz(v) => {
            i128::from(*v)
        }
        Scalar::UInt8(v) => i128::from(*v),
        Scalar::UInt16(v) => i128::from(*v),
        Scalar::UInt32(v) => i128::from(*v),
        Scalar::UInt64(v) => i128::from(*v),
        Scalar::Decimal { value, .. } => *value,
        Scalar::Float32(v) => i128::from(float32_key(*v)),
        Scalar::Float64(v) => i128::from(float_key(*v)),
        _ => return None,
    })
}

/// The value that [`scalar_key`] would map to `key`, for a column of type `ty`.
pub(crate) fn scalar_from_key(ty: SqlType, key: i128) -> Option<Scalar> {
    Some(match ty {
        SqlType::Boolean => Scalar::Boolean(key != 0),
        SqlType::Int8 => Scalar::Int8(i8::try_from(key).ok()?),
        SqlType::Int16 => Scalar::Int16(i16::try_from(key).ok()?),
        SqlType::Int32 => Scalar::Int32(i32::try_from(key).ok()?),
        SqlType::Int64 => Scalar::Int64(i64::try_from(key).ok()?),
        SqlType::UInt8 => Scalar::UInt8(u8::try_from(key).ok()?),
        SqlType::UInt16 => Scalar::UInt16(u16::try_from(key).ok()?),
        SqlType::UInt32 => Scalar::UInt32(u32::try_from(key).ok()?),
        SqlType::UInt64 => Scalar::UInt64(u64::try_from(key).ok()?),
        SqlType::Decimal { precision, scale } => Scalar::Decimal {
            value: key,
            precision,
            scale,
        },
        SqlType::Date => Scalar::Date(i32::try_from(key).ok()?),
        SqlType::Time => Scalar::Time(i64::try_from(key).ok()?),
        SqlType::Timestamp => Scalar::Timestamp(i64::try_from(key).ok()?),
        SqlType::TimestampTz => Scalar::TimestampTz(i64::try_from(key).ok()?),
        SqlType::Float32 => {
            let bits = i32::try_from(key).ok()?;
            Scalar::Float32(f32::from_bits(
                (bits ^ (((bits >> 31) as u32) >> 1) as i32) as u32,
            ))
        }
        SqlType::Float64 => {
            let bits = i64::try_from(key).ok()?;
            Scalar::Float64(f64::from_bits(
                (bits ^ (((bits >> 63) as u64) >> 1) as i64) as u64,
            ))
        }
        _ => return None,
    })
}

pub(crate) fn scalar_bytes(scalar: &Scalar) -> Option<&[u8]> {
    match scalar {
        Scalar::Text(text) => Some(text.as_bytes()),
        Scalar::Blob(bytes) => Some(bytes),
        _ => None,
    }
}

fn mismatch(kind: Kind, scalar: &Scalar) -> Error {
    Error::internal(format!(
        "a predicate compares a column of kind {kind:?} with {}",
        scalar.sql_type()
    ))
}

fn int_of(kind: Kind, scalar: &Scalar) -> Result<i128> {
    let fits = match kind {
        Kind::Bit | Kind::Signed(_) | Kind::Unsigned(_) => {
            !matches!(scalar, Scalar::Float32(_) | Scalar::Float64(_))
        }
        Kind::Float(Width::W4) => matches!(scalar, Scalar::Float32(_)),
        Kind::Float(_) => matches!(scalar, Scalar::Float64(_)),
        Kind::Opaque | Kind::Bytes { .. } => false,
    };
    scalar_key(scalar)
        .filter(|_| fits)
        .ok_or_else(|| mismatch(kind, scalar))
}

fn bytes_of(kind: Kind, scalar: &Scalar) -> Result<Vec<u8>> {
    scalar_bytes(scalar)
        .map(<[u8]>::to_vec)
        .ok_or_else(|| mismatch(kind, scalar))
}

impl Test {
    /// Translates a test for a column of `kind`.
    ///
    /// # Errors
    /// When a scalar is of another kind, or the kind has no order (INTERVAL).
    pub(crate) fn compile(test: &ColumnTest, kind: Kind) -> Result<Self> {
        let bytes = matches!(kind, Kind::Bytes { .. });
        Ok(match test {
            ColumnTest::IsNull => Self::Null,
            ColumnTest::IsNotNull => Self::NotNull,
            ColumnTest::Range { low, high } => {
                let null = |bound: &Bound<Scalar>| match bound {
                    Bound::Included(s) | Bound::Excluded(s) => s.is_null(),
                    Bound::Unbounded => false,
                };
                if null(low) || null(high) {
                    Self::Never
                } else if bytes {
                    Self::bytes_range(kind, low, high)?
                } else {
                    Self::int_range(kind, low, high)?
                }
            }
            ColumnTest::NotEq(scalar) if scalar.is_null() => Self::Never,
            ColumnTest::NotEq(scalar) if bytes => Self::BytesNot(bytes_of(kind, scalar)?),
            ColumnTest::NotEq(scalar) => Self::Not(int_of(kind, scalar)?),
            ColumnTest::In(array) => Self::set(kind, array)?,
            ColumnTest::Keys(keys) => Self::Keys(Arc::clone(keys)),
        })
    }

    fn int_range(kind: Kind, low: &Bound<Scalar>, high: &Bound<Scalar>) -> Result<Self> {
        let low = match low {
            Bound::Included(s) => int_of(kind, s)?,
            Bound::Excluded(s) => match int_of(kind, s)?.checked_add(1) {
                Some(low) => low,
                None => return Ok(Self::Never),
            },
            Bound::Unbounded => i128::MIN,
        };
        let high = match high {
            Bound::Included(s) => int_of(kind, s)?,
            Bound::Excluded(s) => match int_of(kind, s)?.checked_sub(1) {
                Some(high) => high,
                None => return Ok(Self::Never),
            },
            Bound::Unbounded => i128::MAX,
        };
        Ok(match (low, high) {
            (i128::MIN, i128::MAX) => Self::NotNull,
            (low, high) if low > high => Self::Never,
            (low, high) => Self::Range { low, high },
        })
    }

    fn bytes_range(kind: Kind, low: &Bound<Scalar>, high: &Bound<Scalar>) -> Result<Self> {
        let bound = |bound: &Bound<Scalar>| {
            Ok::<_, Error>(match bound {
                Bound::Included(s) => Bound::Included(bytes_of(kind, s)?),
                Bound::Excluded(s) => Bound::Excluded(bytes_of(kind, s)?),
                Bound::Unbounded => Bound::Unbounded,
            })
        };
        Ok(match (bound(low)?, bound(high)?) {
            (Bound::Unbounded, Bound::Unbounded) => Self::NotNull,
            (low, high) => Self::BytesRange { low, high },
        })
    }

    fn set(kind: Kind, array: &ArrayRef) -> Result<Self> {
        let valid = (0..array.len()).filter(|row| array.is_valid(*row));
        if matches!(kind, Kind::Bytes { .. }) {
            let values = valid
                .map(|row| bytes_of(kind, &Scalar::from_array(array, row)?))
                .collect::<Result<Vec<_>>>()?;
            return Ok(if values.is_empty() {
                Self::Never
            } else {
                Self::BytesSet(BytesSet::new(values))
            });
        }
        let values = valid
            .map(|row| int_of(kind, &Scalar::from_array(array, row)?))
            .collect::<Result<Vec<_>>>()?;
        if values.is_empty() {
            return Ok(Self::Never);
        }
        let set = IntSet::new(values);
        // A set without gaps is a range, which is cheaper to test.
        let span = set.high().checked_sub(set.low());
        Ok(if span == Some(set.sorted.len() as i128 - 1) {
            Self::Range {
                low: set.low(),
                high: set.high(),
            }
        } else {
            Self::Set(set)
        })
    }

    /// Whether an integer (or float key) that is not NULL passes.
    pub(crate) fn accepts_int(&self, value: i128) -> bool {
        match self {
            Self::Range { low, high } => *low <= value && value <= *high,
            Self::Not(other) => value != *other,
            Self::Set(set) => set.contains(value),
            Self::Keys(keys) => i64::try_from(value).is_ok_and(|value| keys.contains(value)),
            Self::NotNull => true,
            _ => false,
        }
    }

    /// Whether a byte string that is not NULL passes.
    pub(crate) fn accepts_bytes(&self, value: &[u8]) -> bool {
        match self {
            Self::BytesRange { low, high } => {
                (match low {
                    Bound::Included(low) => value >= low.as_slice(),
                    Bound::Excluded(low) => value > low.as_slice(),
                    Bound::Unbounded => true,
                }) && (match high {
                    Bound::Included(high) => value <= high.as_slice(),
                    Bound::Excluded(high) => value < high.as_slice(),
                    Bound::Unbounded => true,
                })
            }
            Self::BytesNot(other) => value != other.as_slice(),
            Self::BytesSet(set) => set.contains(value),
            Self::NotNull => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn float_keys_keep_the_order() {
        let ordered = [
            f64::NEG_INFINITY,
            f64::MIN,
            -1.5,
            -f64::MIN_POSITIVE,
            -0.0,
            0.0,
            f64::MIN_POSITIVE,
            1.5,
            f64::MAX,
            f64::INFINITY,
            f64::NAN,
        ];
        for pair in ordered.windows(2) {
            assert!(float_key(pair[0]) < float_key(pair[1]), "{pair:?}");
        }
        for value in ordered {
            let key = scalar_key(&Scalar::Float64(value)).unwrap();
            let Some(Scalar::Float64(back)) = scalar_from_key(SqlType::Float64, key) else {
                panic!("not a float");
            };
            assert_eq!(back.to_bits(), value.to_bits());
        }
    }

    #[test]
    fn a_set_without_gaps_becomes_a_range() {
        let array: ArrayRef = std::sync::Arc::new(arrow::array::Int32Array::from(vec![
            Some(3),
            Some(1),
            None,
            Some(2),
        ]));
        let kind = Kind::of(SqlType::Int32).unwrap();
        let test = Test::compile(&ColumnTest::In(array), kind).unwrap();
        assert_eq!(test, Test::Range { low: 1, high: 3 });
    }
}
