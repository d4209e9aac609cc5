//! What a scan may be asked to leave out: tests of one column, decided exactly and without expressions.

use crate::key_set::KeySet;
use arrow::array::{Array, ArrayRef, AsArray, Datum, downcast_primitive_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp;
use arrow::datatypes::ArrowNativeTypeOp;
use hashbrown::HashSet;
use llkv_result::{Error, Result};
use llkv_types::{FieldId, Scalar};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A test that rows must pass to be put out.
#[derive(Debug, Clone)]
pub struct ColumnPredicate {
    /// The column.
    pub field: FieldId,
    /// The test of its values.
    pub test: ColumnTest,
}

/// A test of a value. Exact: a row that fails it, or whose value is NULL (but for [`Self::IsNull`]), is
/// never put out. Constants have the type of the column and are not NULL; floating-point numbers are
/// compared in IEEE total order (`-0.0 < 0.0`, NaN above infinity).
#[derive(Debug, Clone)]
pub enum ColumnTest {
    /// Between two bounds.
    Range {
        /// Lower bound.
        low: Bound<Scalar>,
        /// Upper bound.
        high: Bound<Scalar>,
    },
    /// Equal to a value of the array; its NULLs match nothing.
    In(ArrayRef),
    /// Not equal to the constant.
    NotEq(Scalar),
    /// One of many keys, which are integers, dates, timestamps or decimals up to 18 digits, as their 64-bit
    /// values. The exception to exactness: rows that are no keys may pass, since the join whose keys these are
    /// decides; a scan stops asking when nearly all rows pass.
    Keys(Arc<KeySet>),
    /// NULL.
    IsNull,
    /// Not NULL.
    IsNotNull,
}

/// What a scan did, added up over threads.
#[derive(Debug, Default)]
pub struct ScanCounters {
    /// Row groups (and tails) of which at least one value was read.
    pub row_groups_read: AtomicU64,
    /// Row groups (and tails) left out by statistics.
    pub row_groups_pruned: AtomicU64,
    /// Blocks of at most 8,192 rows that were read, of the row groups read.
    pub blocks_read: AtomicU64,
    /// Blocks left out by statistics of their own, in row groups that were read.
    pub blocks_pruned: AtomicU64,
    /// Rows looked at, before predicates and visibility.
    pub rows_scanned: AtomicU64,
    /// Rows put out.
    pub rows_out: AtomicU64,
    /// Batches put out.
    pub batches_out: AtomicU64,
    /// Stored bytes decoded.
    pub bytes_read: AtomicU64,
}

impl ScanCounters {
    /// Counts a block of `rows` rows: read, or left out by statistics.
    pub(crate) fn count_window(&self, rows: usize, is_read: bool) {
        if is_read {
            self.blocks_read.fetch_add(1, Ordering::Relaxed);
            self.rows_scanned.fetch_add(rows as u64, Ordering::Relaxed);
        } else {
            self.blocks_pruned.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl ColumnTest {
    /// The rows of a plain array that pass.
    ///
    /// # Errors
    /// When a constant is not of the array's type.
    pub fn evaluate(&self, values: &dyn Array) -> Result<BooleanBuffer> {
        match self {
            Self::Range { low, high } => evaluate_range(values, low, high),
            Self::In(list) => evaluate_in(values, list),
            Self::NotEq(constant) => compare(values, constant, cmp::neq),
            Self::Keys(keys) => keys.passing(values),
            Self::IsNull => Ok(match values.logical_nulls() {
                Some(nulls) => !nulls.inner(),
                None => BooleanBuffer::new_unset(values.len()),
            }),
            Self::IsNotNull => Ok(match values.logical_nulls() {
                Some(nulls) => nulls.into_inner(),
                None => BooleanBuffer::new_set(values.len()),
            }),
        }
    }
}

type Comparison = fn(
    &dyn Datum,
    &dyn Datum,
) -> std::result::Result<arrow::array::BooleanArray, arrow::error::ArrowError>;

fn compare(values: &dyn Array, constant: &Scalar, op: Comparison) -> Result<BooleanBuffer> {
    let constant = arrow::array::Scalar::new(constant.to_array(1)?);
    let (bits, nulls) = op(&values, &constant)?.into_parts();
    Ok(match nulls {
        Some(nulls) => &bits & nulls.inner(),
        None => bits,
    })
}

fn evaluate_range(
    values: &dyn Array,
    low: &Bound<Scalar>,
    high: &Bound<Scalar>,
) -> Result<BooleanBuffer> {
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
        (None, None) => ColumnTest::IsNotNull.evaluate(values),
    }
}

fn evaluate_in(values: &dyn Array, list: &ArrayRef) -> Result<BooleanBuffer> {
    if values.data_type() != list.data_type() {
        return Err(Error::internal(format!(
            "an IN list of {} for a column of {}",
            list.data_type(),
            values.data_type()
        )));
    }
    macro_rules! primitive {
        ($values:ident) => {{
            let list = as_same(list, $values);
            let mut sorted: Vec<_> = list.iter().flatten().collect();
            sorted.sort_unstable_by(|a, b| a.compare(*b));
            passing($values, |row| {
                let value = $values.values().get(row).copied().unwrap_or_default();
                sorted.binary_search_by(|x| x.compare(value)).is_ok()
            })
        }};
    }
    Ok(downcast_primitive_array! {
        values => primitive!(values),
        arrow::datatypes::DataType::Boolean => {
            let (values, list) = (values.as_boolean(), list.as_boolean());
            let (with_false, with_true) = (list.false_count() > 0, list.true_count() > 0);
            passing(values, |row| if values.value(row) { with_true } else { with_false })
        },
        arrow::datatypes::DataType::Utf8View => {
            let (values, list) = (values.as_string_view(), list.as_string_view());
            let set: HashSet<&str> = list.iter().flatten().collect();
            passing(values, |row| set.contains(values.value(row)))
        },
        arrow::datatypes::DataType::BinaryView => {
            let (values, list) = (values.as_binary_view(), list.as_binary_view());
            let set: HashSet<&[u8]> = list.iter().flatten().collect();
            passing(values, |row| set.contains(values.value(row)))
        },
        other => return Err(Error::internal(format!("no IN test of {other}")))
    })
}

/// Lends the type of one primitive array to another whose data type was found equal.
fn as_same<'a, T: arrow::datatypes::ArrowPrimitiveType>(
    list: &'a ArrayRef,
    _like: &arrow::array::PrimitiveArray<T>,
) -> &'a arrow::array::PrimitiveArray<T> {
    list.as_primitive::<T>()
}

fn passing(values: &dyn Array, mut test: impl FnMut(usize) -> bool) -> BooleanBuffer {
    BooleanBuffer::collect_bool(values.len(), |row| values.is_valid(row) && test(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int32Array, StringViewArray};
    use std::sync::Arc;

    fn rows(test: &ColumnTest, values: &dyn Array) -> Vec<usize> {
        test.evaluate(values).unwrap().set_indices().collect()
    }

    #[test]
    fn ranges_leave_out_nulls() {
        let values = Int32Array::from(vec![Some(1), None, Some(3), Some(5)]);
        let range = |low, high| ColumnTest::Range { low, high };
        let (one, five) = (Scalar::Int32(1), Scalar::Int32(5));
        let test = range(Bound::Excluded(one.clone()), Bound::Included(five.clone()));
        assert_eq!(rows(&test, &values), [2, 3]);
        let test = range(Bound::Included(one), Bound::Excluded(five));
        assert_eq!(rows(&test, &values), [0, 2]);
        let test = range(Bound::Unbounded, Bound::Unbounded);
        assert_eq!(rows(&test, &values), [0, 2, 3]);
    }

    #[test]
    fn nulls_and_inequality() {
        let values = Int32Array::from(vec![Some(1), None, Some(3)]);
        assert_eq!(rows(&ColumnTest::IsNull, &values), [1]);
        assert_eq!(rows(&ColumnTest::IsNotNull, &values), [0, 2]);
        assert_eq!(rows(&ColumnTest::NotEq(Scalar::Int32(1)), &values), [2]);
    }

    #[test]
    fn lists_of_each_kind() {
        let values = Int32Array::from(vec![Some(1), None, Some(3), Some(0)]);
        let list: ArrayRef = Arc::new(Int32Array::from(vec![Some(3), None, Some(7)]));
        assert_eq!(rows(&ColumnTest::In(list), &values), [2]);
        let values = StringViewArray::from(vec![Some("a"), None, Some("a longer text than 12")]);
        let list: ArrayRef = Arc::new(StringViewArray::from(vec!["a longer text than 12"]));
        assert_eq!(rows(&ColumnTest::In(list), &values), [2]);
        let values = Float64Array::from(vec![f64::NAN, 1.0, -0.0]);
        let list: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, 0.0]));
        assert_eq!(rows(&ColumnTest::In(list), &values), [0]);
        let list: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        assert!(ColumnTest::In(list).evaluate(&values).is_err());
    }
}
