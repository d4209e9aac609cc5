//! Exact column tests over plain arrays: the form in which a transaction's own rows lie in memory.

use arrow::array::{Array, ArrayRef, AsArray, Datum, PrimitiveArray, downcast_primitive_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp;
use arrow::datatypes::{ArrowNativeTypeOp, ArrowPrimitiveType, DataType, Float32Type, Float64Type};
use hashbrown::HashSet;
use llkv_column_map::ColumnTest;
use llkv_result::{Error, Result};
use llkv_types::Scalar;
use std::ops::Bound;
use std::sync::Arc;

/// The rows of `values` that pass `test`. NULL passes `IsNull` only; `-0.0` equals `0.0`, and NaN equals
/// itself and is above every number, as in the column store.
pub(crate) fn passing_rows(test: &ColumnTest, values: &ArrayRef) -> Result<BooleanBuffer> {
    let values = &normalize_floats(values);
    match test {
        ColumnTest::Range { low, high } => in_range(values, low, high),
        ColumnTest::In(list) => in_list(values, &normalize_floats(list)),
        ColumnTest::NotEq(constant) => compare(values, constant, cmp::neq),
        ColumnTest::Keys(_) => test.evaluate(values),
        ColumnTest::IsNull => Ok(match values.logical_nulls() {
            Some(nulls) => !nulls.inner(),
            None => BooleanBuffer::new_unset(values.len()),
        }),
        ColumnTest::IsNotNull => Ok(match values.logical_nulls() {
            Some(nulls) => nulls.into_inner(),
            None => BooleanBuffer::new_set(values.len()),
        }),
    }
}

/// Floats with one zero and one NaN, so that Arrow's total order is SQL's; other arrays as they are.
pub(crate) fn normalize_floats(values: &ArrayRef) -> ArrayRef {
    match values.data_type() {
        DataType::Float32 => Arc::new(
            values
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|v| if v.is_nan() { f32::NAN } else { v + 0.0 }),
        ),
        DataType::Float64 => Arc::new(
            values
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(|v| if v.is_nan() { f64::NAN } else { v + 0.0 }),
        ),
        _ => Arc::clone(values),
    }
}

/// Floats as tables hold them: with one NaN, the one above all numbers in Arrow's total order. Processors make
/// others, with the sign set, of `inf - inf`. `None` where the values are so already.
pub(crate) fn with_one_nan(values: &ArrayRef) -> Option<ArrayRef> {
    match values.data_type() {
        DataType::Float32 => {
            let values = values.as_primitive::<Float32Type>();
            let is_other = |v: &f32| v.is_nan() && v.to_bits() != f32::NAN.to_bits();
            (any(values.values(), |v| v.is_nan()) && values.values().iter().any(is_other)).then(
                || {
                    let one = |v: f32| if v.is_nan() { f32::NAN } else { v };
                    Arc::new(values.unary::<_, Float32Type>(one)) as ArrayRef
                },
            )
        }
        DataType::Float64 => {
            let values = values.as_primitive::<Float64Type>();
            let is_other = |v: &f64| v.is_nan() && v.to_bits() != f64::NAN.to_bits();
            (any(values.values(), |v| v.is_nan()) && values.values().iter().any(is_other)).then(
                || {
                    let one = |v: f64| if v.is_nan() { f64::NAN } else { v };
                    Arc::new(values.unary::<_, Float64Type>(one)) as ArrayRef
                },
            )
        }
        _ => None,
    }
}

/// Values that are tested before one of them ends the search.
const TESTED_AT_ONCE: usize = 256;

/// Whether a test is true of a value. Looked at many at a time, for vector instructions.
fn any<T>(values: &[T], test: impl Fn(&T) -> bool) -> bool {
    let mut parts = values.chunks(TESTED_AT_ONCE);
    parts.any(|part| part.iter().fold(false, |found, value| found | test(value)))
}

type Comparison = fn(
    &dyn Datum,
    &dyn Datum,
) -> std::result::Result<arrow::array::BooleanArray, arrow::error::ArrowError>;

fn compare(values: &dyn Array, constant: &Scalar, op: Comparison) -> Result<BooleanBuffer> {
    let constant = arrow::array::Scalar::new(normalize_floats(&constant.to_array(1)?));
    let (bits, nulls) = op(&values, &constant)?.into_parts();
    Ok(match nulls {
        Some(nulls) => &bits & nulls.inner(),
        None => bits,
    })
}

fn in_range(values: &ArrayRef, low: &Bound<Scalar>, high: &Bound<Scalar>) -> Result<BooleanBuffer> {
    if let (Bound::Included(low), Bound::Included(high)) = (low, high)
        && low == high
    {
        return compare(values, low, cmp::eq);
    }
    let above = match low {
        Bound::Included(low) => Some(compare(values, low, cmp::gt_eq)?),
        Bound::Excluded(low) => Some(compare(values, low, cmp::gt)?),
        Bound::Unbounded => None,
    };
    let below = match high {
        Bound::Included(high) => Some(compare(values, high, cmp::lt_eq)?),
        Bound::Excluded(high) => Some(compare(values, high, cmp::lt)?),
        Bound::Unbounded => None,
    };
    match (above, below) {
        (Some(above), Some(below)) => Ok(&above & &below),
        (Some(one), None) | (None, Some(one)) => Ok(one),
        (None, None) => passing_rows(&ColumnTest::IsNotNull, values),
    }
}

fn in_list(values: &dyn Array, list: &ArrayRef) -> Result<BooleanBuffer> {
    if values.data_type() != list.data_type() {
        return Err(Error::internal(format!(
            "an IN list of {} for a column of {}",
            list.data_type(),
            values.data_type()
        )));
    }
    Ok(downcast_primitive_array! {
        values => in_primitive_list(values, list),
        DataType::Boolean => {
            let (values, list) = (values.as_boolean(), list.as_boolean());
            let (with_false, with_true) = (list.false_count() > 0, list.true_count() > 0);
            collect(values, |row| if values.value(row) { with_true } else { with_false })
        },
        DataType::Utf8View => {
            let (values, list) = (values.as_string_view(), list.as_string_view());
            let set: HashSet<&str> = list.iter().flatten().collect();
            collect(values, |row| set.contains(values.value(row)))
        },
        DataType::BinaryView => {
            let (values, list) = (values.as_binary_view(), list.as_binary_view());
            let set: HashSet<&[u8]> = list.iter().flatten().collect();
            collect(values, |row| set.contains(values.value(row)))
        },
        other => return Err(Error::internal(format!("no IN test of {other}")))
    })
}

fn in_primitive_list<T: ArrowPrimitiveType>(
    values: &PrimitiveArray<T>,
    list: &ArrayRef,
) -> BooleanBuffer {
    let mut sorted: Vec<T::Native> = list.as_primitive::<T>().iter().flatten().collect();
    sorted.sort_unstable_by(|a, b| a.compare(*b));
    collect(values, |row| {
        let value = values.value(row);
        sorted.binary_search_by(|x| x.compare(value)).is_ok()
    })
}

/// The valid rows for which `test` holds.
fn collect(values: &dyn Array, test: impl Fn(usize) -> bool) -> BooleanBuffer {
    BooleanBuffer::collect_bool(values.len(), |row| values.is_valid(row) && test(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int32Array, StringViewArray};

    fn rows(test: &ColumnTest, values: impl Array + 'static) -> Vec<usize> {
        let values: ArrayRef = Arc::new(values);
        passing_rows(test, &values).unwrap().set_indices().collect()
    }

    #[test]
    fn ranges_leave_out_nulls() {
        let values = Int32Array::from(vec![Some(1), None, Some(3), Some(5)]);
        let range = |low, high| ColumnTest::Range { low, high };
        let (one, five) = (Scalar::Int32(1), Scalar::Int32(5));
        let test = range(Bound::Excluded(one.clone()), Bound::Included(five.clone()));
        assert_eq!(rows(&test, values.clone()), [2, 3]);
        let test = range(Bound::Included(one), Bound::Excluded(five));
        assert_eq!(rows(&test, values.clone()), [0, 2]);
        let test = range(Bound::Unbounded, Bound::Unbounded);
        assert_eq!(rows(&test, values), [0, 2, 3]);
    }

    #[test]
    fn nulls_and_inequality() {
        let values = Int32Array::from(vec![Some(1), None, Some(3)]);
        assert_eq!(rows(&ColumnTest::IsNull, values.clone()), [1]);
        assert_eq!(rows(&ColumnTest::IsNotNull, values.clone()), [0, 2]);
        assert_eq!(rows(&ColumnTest::NotEq(Scalar::Int32(1)), values), [2]);
    }

    #[test]
    fn lists_of_each_kind() {
        let values = Int32Array::from(vec![Some(1), None, Some(3), Some(0)]);
        let list: ArrayRef = Arc::new(Int32Array::from(vec![Some(3), None, Some(7)]));
        assert_eq!(rows(&ColumnTest::In(list), values), [2]);
        let values = StringViewArray::from(vec![Some("a"), None, Some("a longer text than 12")]);
        let list: ArrayRef = Arc::new(StringViewArray::from(vec!["a longer text than 12"]));
        assert_eq!(rows(&ColumnTest::In(list), values), [2]);
    }

    #[test]
    fn floats_have_one_zero_and_one_nan() {
        let values = Float64Array::from(vec![-f64::NAN, 1.0, -0.0, 0.0]);
        let list: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, -0.0]));
        assert_eq!(rows(&ColumnTest::In(list), values.clone()), [0, 2, 3]);
        let test = ColumnTest::Range {
            low: Bound::Excluded(Scalar::Float64(-0.0)),
            high: Bound::Unbounded,
        };
        assert_eq!(rows(&test, values), [0, 1]);
    }
}
