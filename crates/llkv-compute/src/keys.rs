//! Values as keys: equal values have equal keys.

use crate::arithmetic::temporal::interval_nanos;
use crate::arrays::{primitive, sql_type};
use arrow::array::{
    Array, ArrayRef, BinaryViewArray, BinaryViewBuilder, Decimal128Array, Float32Array,
    Float64Array,
};
use arrow::compute::unary;
use arrow::datatypes::{DataType, Float32Type, Float64Type, IntervalMonthDayNanoType};
use llkv_result::Result;
use llkv_types::{SqlType, variant};
use std::sync::Arc;

/// The Arrow type of [`normalized`] arrays of a type.
#[must_use]
pub fn key_type(ty: SqlType) -> DataType {
    match ty {
        SqlType::Interval => DataType::Decimal128(38, 0),
        SqlType::Variant => DataType::BinaryView,
        ty => ty.to_arrow(),
    }
}

/// An array in which equal values are equal bit for bit, and whose Arrow order is SQL's: one NaN, one
/// zero, intervals by their length, values that carry their own type as bytes. For hashing, grouping and `arrow-row` keys; NULLs stay.
///
/// # Errors
/// For an array that is not in the Arrow form of a SQL type.
pub fn normalized(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match sql_type(array.as_ref())? {
        SqlType::Float64 => {
            let values: Float64Array = unary(primitive::<Float64Type>(array.as_ref())?, |v| {
                if v.is_nan() { f64::NAN } else { v + 0.0 }
            });
            Arc::new(values)
        }
        SqlType::Float32 => {
            let values: Float32Array = unary(primitive::<Float32Type>(array.as_ref())?, |v| {
                if v.is_nan() { f32::NAN } else { v + 0.0 }
            });
            Arc::new(values)
        }
        SqlType::Interval => {
            let values = primitive::<IntervalMonthDayNanoType>(array.as_ref())?;
            let lengths: Decimal128Array = unary(values, interval_nanos);
            Arc::new(lengths.with_data_type(key_type(SqlType::Interval)))
        }
        SqlType::Variant => Arc::new(variant_keys(array)?),
        _ => array.clone(),
    })
}

/// Values that carry their own type without the byte that tells an integer from an equal real: what is
/// left decides equality and order.
fn variant_keys(array: &ArrayRef) -> Result<BinaryViewArray> {
    let values = variant::encoded(array.as_ref())?;
    let mut keys = BinaryViewBuilder::with_capacity(values.len());
    for value in values.iter() {
        match value {
            None => keys.append_null(),
            Some(bytes) => keys.try_append_value(variant::key(bytes))?,
        }
    }
    Ok(keys.finish())
}

/// A float's bits, the same for all NaNs and for both zeros.
pub(crate) fn float_bits(value: f64) -> i64 {
    if value.is_nan() {
        f64::NAN.to_bits() as i64
    } else {
        (value + 0.0).to_bits() as i64
    }
}

/// `$body` with the array's length and a function from a row to its value as an `i64`, the same for
/// equal values; `None` for the types that need more.
macro_rules! with_small_keys {
    ($array:expr, $ty:expr, |$len:ident, $key:ident| $body:expr) => {{
        use arrow::datatypes as dt;
        let array: &dyn arrow::array::Array = $array;
        macro_rules! with_values {
            ($t:ty) => {
                with_values!($t, |value| value as i64)
            };
            ($t:ty, |$v:ident| $convert:expr) => {{
                let values = crate::arrays::primitive::<$t>(array)?.values();
                let $len = values.len();
                let $key = |row: usize| {
                    let $v = values[row];
                    $convert
                };
                Some($body)
            }};
        }
        match $ty {
            llkv_types::SqlType::Int8 => with_values!(dt::Int8Type),
            llkv_types::SqlType::Int16 => with_values!(dt::Int16Type),
            llkv_types::SqlType::Int32 => with_values!(dt::Int32Type),
            llkv_types::SqlType::Int64 => with_values!(dt::Int64Type),
            llkv_types::SqlType::UInt8 => with_values!(dt::UInt8Type),
            llkv_types::SqlType::UInt16 => with_values!(dt::UInt16Type),
            llkv_types::SqlType::UInt32 => with_values!(dt::UInt32Type),
            llkv_types::SqlType::UInt64 => with_values!(dt::UInt64Type),
            llkv_types::SqlType::Date => with_values!(dt::Date32Type),
            llkv_types::SqlType::Time => with_values!(dt::Time64MicrosecondType),
            llkv_types::SqlType::Timestamp | llkv_types::SqlType::TimestampTz => {
                with_values!(dt::TimestampMicrosecondType)
            }
            llkv_types::SqlType::Decimal { precision, .. }
                if precision <= llkv_types::SqlType::DECIMAL64_PRECISION =>
            {
                with_values!(dt::Decimal64Type)
            }
            llkv_types::SqlType::Float64 => {
                with_values!(dt::Float64Type, |value| $crate::keys::float_bits(value))
            }
            llkv_types::SqlType::Float32 => {
                with_values!(dt::Float32Type, |value| $crate::keys::float_bits(
                    f64::from(value)
                ))
            }
            llkv_types::SqlType::Boolean => {
                let values = crate::arrays::boolean(array)?.values();
                let $len = values.len();
                let $key = |row: usize| i64::from(values.value(row));
                Some($body)
            }
            _ => None,
        }
    }};
}

pub(crate) use with_small_keys;
