//! The value of an expression over a batch: one per row, or one for all rows.

use arrow::array::{Array, ArrayRef, Datum, UInt32Array, new_null_array};
use arrow::compute::take;
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};

/// An array of as many values as the batch has rows, or of a single value that stands for all rows.
/// Kernels take it as an Arrow [`Datum`], so a literal is never spread out.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// One value per row.
    Rows(ArrayRef),
    /// One value, in an array of length 1.
    Constant(ArrayRef),
}

impl Value {
    /// NULL for all rows.
    pub(crate) fn null(ty: SqlType) -> Self {
        Self::Constant(new_null_array(&ty.to_arrow(), 1))
    }

    /// The array below, of length 1 for a constant.
    pub(crate) fn array(&self) -> &ArrayRef {
        match self {
            Self::Rows(array) | Self::Constant(array) => array,
        }
    }

    /// True for a single value.
    pub(crate) const fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }

    /// True for a constant NULL.
    pub(crate) fn is_null_constant(&self) -> bool {
        match self {
            Self::Constant(array) => array.logical_null_count() == array.len(),
            Self::Rows(_) => false,
        }
    }

    /// The same kind of value around another array of the same length.
    pub(crate) fn like(&self, array: ArrayRef) -> Self {
        match self {
            Self::Rows(_) => Self::Rows(array),
            Self::Constant(_) => Self::Constant(array),
        }
    }

    /// One value per row.
    pub(crate) fn into_rows(self, rows: usize) -> Result<ArrayRef> {
        match self {
            Self::Rows(array) => Ok(array),
            Self::Constant(array) if rows == 1 => Ok(array),
            Self::Constant(array) => repeat(&array, rows),
        }
    }
}

/// `rows` copies of the only value of `array`.
pub(crate) fn repeat(array: &ArrayRef, rows: usize) -> Result<ArrayRef> {
    match SqlType::from_arrow(array.data_type()) {
        _ if array.logical_null_count() > 0 => Ok(new_null_array(array.data_type(), rows)),
        // Views of long values share one buffer this way.
        Some(SqlType::Text | SqlType::Blob) | None => {
            Ok(take(array, &UInt32Array::from_value(0, rows), None)?)
        }
        Some(_) => Scalar::from_array(array.as_ref(), 0)?.to_array(rows),
    }
}

impl Datum for Value {
    fn get(&self) -> (&dyn Array, bool) {
        (self.array().as_ref(), self.is_constant())
    }
}
