//! Checked views of arrays: the concrete type, or an internal error, never a panic.

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewArray, BooleanArray, PrimitiveArray,
    StringViewArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use llkv_result::{Error, Result};
use llkv_types::SqlType;

fn mismatch(array: &dyn Array, wanted: &str) -> Error {
    Error::internal(format!("expected {wanted}, got {}", array.data_type()))
}

/// The primitive array below.
pub(crate) fn primitive<T: ArrowPrimitiveType>(array: &dyn Array) -> Result<&PrimitiveArray<T>> {
    array
        .as_primitive_opt::<T>()
        .ok_or_else(|| mismatch(array, &T::DATA_TYPE.to_string()))
}

/// The boolean array below.
pub(crate) fn boolean(array: &dyn Array) -> Result<&BooleanArray> {
    array
        .as_boolean_opt()
        .ok_or_else(|| mismatch(array, "Boolean"))
}

/// The text array below.
pub(crate) fn text(array: &dyn Array) -> Result<&StringViewArray> {
    array
        .as_string_view_opt()
        .ok_or_else(|| mismatch(array, "Utf8View"))
}

/// The binary array below.
pub(crate) fn blob(array: &dyn Array) -> Result<&BinaryViewArray> {
    array
        .as_binary_view_opt()
        .ok_or_else(|| mismatch(array, "BinaryView"))
}

/// The SQL type of an array.
pub(crate) fn sql_type(array: &dyn Array) -> Result<SqlType> {
    SqlType::from_arrow(array.data_type()).ok_or_else(|| mismatch(array, "the form of a SQL type"))
}

/// The rows that are TRUE: neither FALSE nor NULL.
pub(crate) fn true_mask(array: &BooleanArray) -> BooleanBuffer {
    match array.nulls() {
        Some(nulls) if nulls.null_count() > 0 => array.values() & nulls.inner(),
        _ => array.values().clone(),
    }
}

/// The array's nulls, where it has any.
pub(crate) fn some_nulls(array: &ArrayRef) -> Option<NullBuffer> {
    array.logical_nulls().filter(|nulls| nulls.null_count() > 0)
}

/// Runs `$call` with the Arrow type of an integer [`SqlType`]; `$other` for any other type.
macro_rules! with_integer {
    ($ty:expr, $call:ident :: <_ $(, $generic:ty)*> $args:tt, $other:expr) => {{
        use arrow::datatypes as dt;
        match $ty {
            llkv_types::SqlType::Int8 => $call::<dt::Int8Type $(, $generic)*> $args,
            llkv_types::SqlType::Int16 => $call::<dt::Int16Type $(, $generic)*> $args,
            llkv_types::SqlType::Int32 => $call::<dt::Int32Type $(, $generic)*> $args,
            llkv_types::SqlType::Int64 => $call::<dt::Int64Type $(, $generic)*> $args,
            llkv_types::SqlType::UInt8 => $call::<dt::UInt8Type $(, $generic)*> $args,
            llkv_types::SqlType::UInt16 => $call::<dt::UInt16Type $(, $generic)*> $args,
            llkv_types::SqlType::UInt32 => $call::<dt::UInt32Type $(, $generic)*> $args,
            llkv_types::SqlType::UInt64 => $call::<dt::UInt64Type $(, $generic)*> $args,
            _ => $other,
        }
    }};
}
pub(crate) use with_integer;
