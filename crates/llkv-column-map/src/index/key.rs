//! Keys as bytes: the columns of an index in a form whose bytes compare as the values do.

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::row::{RowConverter, Rows, SortField};
use llkv_result::Result;
use llkv_types::SqlType;
use std::sync::Arc;

/// Turns key columns into bytes: Arrow's row format, ascending, NULLs first. The bytes of the first
/// columns of a key are a prefix of the bytes of the whole.
#[derive(Debug)]
pub struct KeyEncoder {
    converter: RowConverter,
}

impl KeyEncoder {
    /// For columns of these types.
    ///
    /// # Errors
    /// When a type has no order.
    pub fn new(types: impl IntoIterator<Item = SqlType>) -> Result<Self> {
        let fields = types.into_iter().map(|ty| SortField::new(ty.to_arrow()));
        Ok(Self {
            converter: RowConverter::new(fields.collect())?,
        })
    }

    /// True for a type whose values have an order in which they can be keys. Values that carry their own
    /// type have none here: equal ones of two types would have different bytes.
    #[must_use]
    pub fn supports(ty: SqlType) -> bool {
        ty != SqlType::Variant && RowConverter::supports_fields(&[SortField::new(ty.to_arrow())])
    }

    /// The keys of rows, a column each.
    ///
    /// # Errors
    /// When a column is not of its type.
    pub fn encode(&self, columns: &[ArrayRef]) -> Result<Rows> {
        let columns: Vec<ArrayRef> = columns.iter().map(one_zero_one_nan).collect();
        Ok(self.converter.convert_columns(&columns)?)
    }
}

/// The key of one column of integers, days or times that is not NULL: the bytes that [`KeyEncoder`] makes of
/// it, without an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntegerKey {
    bytes: [u8; 9],
    len: usize,
}

impl IntegerKey {
    /// True for the types of which there are such keys.
    #[must_use]
    pub fn supports(ty: SqlType) -> bool {
        Self::width_of(ty).is_some()
    }

    /// The key of a value; `None` for other types and for values that do not fit the type.
    #[must_use]
    pub fn new(ty: SqlType, value: i128) -> Option<Self> {
        let (width, is_signed) = Self::width_of(ty)?;
        let bits = 8 * width as u32;
        // Bytes compare as the values do once the least value is all zeros.
        let shifted = value + if is_signed { 1 << (bits - 1) } else { 0 };
        let raw = u64::try_from(shifted).ok()?;
        if width < 8 && raw >> bits != 0 {
            return None;
        }
        let mut bytes = [0; 9];
        let (first, rest) = bytes.split_first_mut()?;
        *first = 1;
        let raw = raw.to_be_bytes();
        for (to, from) in rest.iter_mut().zip(raw.get(8 - width..)?) {
            *to = *from;
        }
        Some(Self {
            bytes,
            len: 1 + width,
        })
    }

    /// The value of a key.
    #[must_use]
    pub fn value_of(ty: SqlType, key: &[u8]) -> Option<i128> {
        let (width, is_signed) = Self::width_of(ty)?;
        let (first, bytes) = key.split_first()?;
        if *first != 1 || bytes.len() != width {
            return None;
        }
        let raw = bytes
            .iter()
            .fold(0u64, |raw, byte| raw << 8 | u64::from(*byte));
        let least = if is_signed { 1 << (8 * width - 1) } else { 0 };
        Some(i128::from(raw) - least)
    }

    /// Bytes of a value, and whether the type has negative ones.
    fn width_of(ty: SqlType) -> Option<(usize, bool)> {
        Some(match ty {
            SqlType::Int8 => (1, true),
            SqlType::Int16 => (2, true),
            SqlType::Int32 | SqlType::Date => (4, true),
            SqlType::Int64 | SqlType::Time | SqlType::Timestamp | SqlType::TimestampTz => (8, true),
            SqlType::UInt8 => (1, false),
            SqlType::UInt16 => (2, false),
            SqlType::UInt32 => (4, false),
            SqlType::UInt64 => (8, false),
            _ => return None,
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Floats with one zero and one NaN, so that equal keys have equal bytes.
fn one_zero_one_nan(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float32 => {
            let values = column.as_primitive::<Float32Type>();
            let values: PrimitiveArray<Float32Type> =
                values.unary(|v| if v.is_nan() { f32::NAN } else { v + 0.0 });
            Arc::new(values)
        }
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>();
            let values: PrimitiveArray<Float64Type> =
                values.unary(|v| if v.is_nan() { f64::NAN } else { v + 0.0 });
            Arc::new(values)
        }
        _ => Arc::clone(column),
    }
}

/// The keys from `low` on, up to `high` and without it; no `high` is no bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The least key.
    pub low: Box<[u8]>,
    /// The least key above all.
    pub high: Option<Box<[u8]>>,
}

impl KeyRange {
    /// The keys that start with these bytes.
    #[must_use]
    pub fn with_prefix(prefix: &[u8]) -> Self {
        Self {
            low: prefix.into(),
            high: after_prefix(prefix),
        }
    }

    /// True when no key can be in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.high.as_ref().is_some_and(|high| *high <= self.low)
    }
}

/// The least bytes above everything that starts with `prefix`; none where there are no such bytes.
#[must_use]
pub fn after_prefix(prefix: &[u8]) -> Option<Box<[u8]>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut after = prefix.get(..=last)?.to_vec();
    if let Some(byte) = after.last_mut() {
        *byte += 1;
    }
    Some(after.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array, StringViewArray};

    #[test]
    fn bytes_compare_as_values_and_first_columns_are_prefixes() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(-5), Some(0), Some(7)]));
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec!["b", "a", "", "zz"]));
        let one = KeyEncoder::new([SqlType::Int64]).unwrap();
        let both = KeyEncoder::new([SqlType::Int64, SqlType::Text]).unwrap();
        let short = one.encode(&[Arc::clone(&numbers)]).unwrap();
        let long = both.encode(&[numbers, texts]).unwrap();
        for row in 0..4 {
            assert!(long.row(row).data().starts_with(short.row(row).data()));
            assert!(row == 0 || short.row(row - 1) < short.row(row));
        }
    }

    #[test]
    fn equal_floats_have_equal_bytes() {
        let encoder = KeyEncoder::new([SqlType::Float64]).unwrap();
        let values: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN]));
        let rows = encoder.encode(&[values]).unwrap();
        assert_eq!(rows.row(0), rows.row(1));
        assert_eq!(rows.row(2), rows.row(3));
    }

    #[test]
    fn an_integer_key_is_what_the_encoder_makes() {
        let values: [i128; 8] = [
            0,
            1,
            -1,
            100,
            i128::from(i32::MIN),
            i128::from(u32::MAX),
            i128::from(i64::MAX),
            i128::from(u64::MAX),
        ];
        let types = [
            SqlType::Int8,
            SqlType::Int16,
            SqlType::Int32,
            SqlType::Int64,
            SqlType::UInt8,
            SqlType::UInt16,
            SqlType::UInt32,
            SqlType::UInt64,
            SqlType::Date,
            SqlType::Time,
            SqlType::Timestamp,
            SqlType::TimestampTz,
        ];
        for ty in types {
            assert!(IntegerKey::supports(ty) && KeyEncoder::supports(ty));
            let encoder = KeyEncoder::new([ty]).unwrap();
            for value in values {
                let as_text = StringViewArray::from(vec![value.to_string()]);
                let number = arrow::compute::cast(&as_text, &DataType::Decimal128(38, 0)).unwrap();
                // Days and times are their numbers.
                let plain = match ty {
                    SqlType::Date => DataType::Int32,
                    SqlType::Time | SqlType::Timestamp | SqlType::TimestampTz => DataType::Int64,
                    ty => ty.to_arrow(),
                };
                let fitting = arrow::compute::cast(&number, &plain).unwrap();
                let fits = fitting.is_valid(0);
                let array = arrow::compute::cast(&fitting, &ty.to_arrow()).unwrap();
                let key = IntegerKey::new(ty, value);
                assert_eq!(key.is_some(), fits, "{value} as {ty}");
                if let Some(key) = key {
                    let rows = encoder.encode(&[array]).unwrap();
                    assert_eq!(key.as_bytes(), rows.row(0).data(), "{value} as {ty}");
                    assert_eq!(IntegerKey::value_of(ty, key.as_bytes()), Some(value));
                }
            }
        }
        assert!(IntegerKey::new(SqlType::Text, 1).is_none());
    }

    #[test]
    fn what_follows_a_prefix() {
        assert_eq!(after_prefix(&[1, 255]).as_deref(), Some([2].as_slice()));
        assert_eq!(after_prefix(&[255, 255]), None);
        assert!(!KeyRange::with_prefix(&[3]).is_empty());
    }
}
