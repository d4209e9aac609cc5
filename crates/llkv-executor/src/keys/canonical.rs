//! One form for values that SQL calls equal: -0.0 is 0.0, and every NaN is the same.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use std::sync::Arc;

/// The column with its floats in their canonical form; other columns as they are.
pub(crate) fn canonical(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float32 => {
            let floats = column.as_primitive::<Float32Type>();
            if floats.values().iter().all(|v| !odd32(*v)) {
                return Arc::clone(column);
            }
            Arc::new(
                floats.unary::<_, Float32Type>(|v| if v.is_nan() { f32::NAN } else { v + 0.0 }),
            )
        }
        DataType::Float64 => {
            let floats = column.as_primitive::<Float64Type>();
            if floats.values().iter().all(|v| !odd64(*v)) {
                return Arc::clone(column);
            }
            Arc::new(
                floats.unary::<_, Float64Type>(|v| if v.is_nan() { f64::NAN } else { v + 0.0 }),
            )
        }
        _ => Arc::clone(column),
    }
}

fn odd32(value: f32) -> bool {
    value.is_nan() || value.to_bits() == (-0.0_f32).to_bits()
}

fn odd64(value: f64) -> bool {
    value.is_nan() || value.to_bits() == (-0.0_f64).to_bits()
}
