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
    fn what_follows_a_prefix() {
        assert_eq!(after_prefix(&[1, 255]).as_deref(), Some([2].as_slice()));
        assert_eq!(after_prefix(&[255, 255]), None);
        assert!(!KeyRange::with_prefix(&[3]).is_empty());
    }
}
