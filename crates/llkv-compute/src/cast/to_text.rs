//! Every type as text.

use crate::arrays::{blob, boolean, primitive, some_nulls};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, StringViewBuilder};
use arrow::datatypes as dt;
use llkv_expr::CastMode;
use llkv_result::{Error, Result};
use llkv_types::{SqlType, text};
use std::fmt::Write;
use std::sync::Arc;

type Writer<'a> = &'a mut dyn Write;

/// Shows the values of an array of type `from`. SQLite takes a blob's bytes as text and
/// shows 15 digits of a real.
pub(crate) fn to_text(array: &ArrayRef, from: SqlType, mode: CastMode) -> Result<ArrayRef> {
    fn integers<T: ArrowPrimitiveType>(array: &ArrayRef) -> Result<ArrayRef>
    where
        T::Native: std::fmt::Display,
    {
        native::<T>(array, |out, v| write!(out, "{v}"))
    }
    use SqlType as T;
    match from {
        T::Boolean => {
            let values = boolean(array.as_ref())?;
            build(array, |out, row| {
                out.write_str(if values.value(row) { "true" } else { "false" })
            })
        }
        T::Int8 => integers::<dt::Int8Type>(array),
        T::Int16 => integers::<dt::Int16Type>(array),
        T::Int32 => integers::<dt::Int32Type>(array),
        T::Int64 => integers::<dt::Int64Type>(array),
        T::UInt8 => integers::<dt::UInt8Type>(array),
        T::UInt16 => integers::<dt::UInt16Type>(array),
        T::UInt32 => integers::<dt::UInt32Type>(array),
        T::UInt64 => integers::<dt::UInt64Type>(array),
        T::Float32 => native::<dt::Float32Type>(array, text::write_f32),
        T::Float64 if mode == CastMode::Sqlite => {
            native::<dt::Float64Type>(array, llkv_types::variant::write_real)
        }
        T::Float64 => native::<dt::Float64Type>(array, text::write_f64),
        T::Decimal { precision, scale } if precision <= T::DECIMAL64_PRECISION => {
            native::<dt::Decimal64Type>(array, |out, v| {
                text::write_decimal(out, i128::from(v), scale)
            })
        }
        T::Decimal { scale, .. } => {
            native::<dt::Decimal128Type>(array, |out, v| text::write_decimal(out, v, scale))
        }
        T::Blob => {
            let values = blob(array.as_ref())?;
            build(array, |out, row| match mode {
                CastMode::Sqlite => out.write_str(&String::from_utf8_lossy(values.value(row))),
                _ => text::write_blob(out, values.value(row)),
            })
        }
        T::Date => native::<dt::Date32Type>(array, text::write_date),
        T::Time => native::<dt::Time64MicrosecondType>(array, text::write_time),
        T::Timestamp => native::<dt::TimestampMicrosecondType>(array, text::write_timestamp),
        T::TimestampTz => native::<dt::TimestampMicrosecondType>(array, text::write_timestamp_tz),
        T::Interval => native::<dt::IntervalMonthDayNanoType>(array, text::write_interval),
        ty => Err(Error::internal(format!("no text form of {ty}"))),
    }
}

fn native<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    write: impl Fn(Writer<'_>, T::Native) -> std::fmt::Result,
) -> Result<ArrayRef> {
    let values = primitive::<T>(array.as_ref())?;
    build(array, |out, row| write(out, values.value(row)))
}

/// Writes the rows that are not NULL.
fn build(
    array: &ArrayRef,
    write: impl Fn(Writer<'_>, usize) -> std::fmt::Result,
) -> Result<ArrayRef> {
    let nulls = some_nulls(array);
    let mut out = StringViewBuilder::with_capacity(array.len());
    let mut buffer = String::new();
    for row in 0..array.len() {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            out.append_null();
            continue;
        }
        buffer.clear();
        write(&mut buffer, row).map_err(|_| Error::internal("a value has no text form"))?;
        out.append_value(&buffer);
    }
    Ok(Arc::new(out.finish()))
}
