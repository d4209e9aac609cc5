//! Text as every other type.

use super::{Conversion, interval, parse};
use crate::arithmetic::decimal::limit;
use crate::arrays::{some_nulls, text};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BinaryViewBuilder, BooleanBuilder};
use arrow::datatypes as dt;
use llkv_result::Result;
use llkv_types::SqlType;
use std::str::FromStr;
use std::sync::Arc;

/// Parses the texts of an array.
pub(super) fn from_text(conversion: Conversion, array: &ArrayRef) -> Result<ArrayRef> {
    use SqlType as T;
    fn number<D: ArrowPrimitiveType>(conversion: Conversion, array: &ArrayRef) -> Result<ArrayRef>
    where
        D::Native: FromStr,
    {
        match conversion.mode.rounds_text() {
            true => parsed::<D>(conversion, array, parse::rounded_integer),
            false => parsed::<D>(conversion, array, parse::integer),
        }
    }
    match conversion.to {
        T::Boolean => booleans(conversion, array),
        T::Int8 => number::<dt::Int8Type>(conversion, array),
        T::Int16 => number::<dt::Int16Type>(conversion, array),
        T::Int32 => number::<dt::Int32Type>(conversion, array),
        T::Int64 => number::<dt::Int64Type>(conversion, array),
        T::UInt8 => number::<dt::UInt8Type>(conversion, array),
        T::UInt16 => number::<dt::UInt16Type>(conversion, array),
        T::UInt32 => number::<dt::UInt32Type>(conversion, array),
        T::UInt64 => number::<dt::UInt64Type>(conversion, array),
        T::Float32 => parsed::<dt::Float32Type>(conversion, array, |v| {
            let value = parse::float(v)?;
            let narrow = value as f32;
            (narrow.is_finite() || !value.is_finite()).then_some(narrow)
        }),
        T::Float64 => parsed::<dt::Float64Type>(conversion, array, parse::float),
        T::Decimal { precision, scale } => decimals(conversion, array, precision, scale),
        T::Date => parsed::<dt::Date32Type>(conversion, array, parse::date),
        T::Time => parsed::<dt::Time64MicrosecondType>(conversion, array, parse::time),
        T::Timestamp => parsed::<dt::TimestampMicrosecondType>(conversion, array, parse::timestamp),
        T::TimestampTz => {
            parsed::<dt::TimestampMicrosecondType>(conversion, array, parse::timestamp_tz)
        }
        T::Interval => parsed::<dt::IntervalMonthDayNanoType>(conversion, array, interval::parse),
        T::Blob => blobs(conversion, array),
        _ => Err(conversion.refuse("a text")),
    }
}

fn parsed<D: ArrowPrimitiveType>(
    conversion: Conversion,
    array: &ArrayRef,
    parse: impl Fn(&str) -> Option<D::Native>,
) -> Result<ArrayRef> {
    let texts = text(array.as_ref())?;
    conversion.rows::<D>(array, |row| parse(texts.value(row)))
}

fn decimals(
    conversion: Conversion,
    array: &ArrayRef,
    precision: u8,
    scale: u8,
) -> Result<ArrayRef> {
    let limit = limit(precision);
    let parse = |v: &str| parse::decimal(v, scale).filter(|v| -limit < *v && *v < limit);
    if precision <= SqlType::DECIMAL64_PRECISION {
        parsed::<dt::Decimal64Type>(conversion, array, |v| parse(v).map(|v| v as i64))
    } else {
        parsed::<dt::Decimal128Type>(conversion, array, parse)
    }
}

fn booleans(conversion: Conversion, array: &ArrayRef) -> Result<ArrayRef> {
    let texts = text(array.as_ref())?;
    let mut out = BooleanBuilder::with_capacity(array.len());
    for (row, value) in texts.iter().enumerate() {
        match value.map(parse::boolean) {
            None => out.append_null(),
            Some(Some(value)) => out.append_value(value),
            Some(None) if conversion.mode.is_strict() => {
                return Err(conversion.refuse_row(array.as_ref(), row));
            }
            Some(None) => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

/// `\x` and hexadecimal digits, else the bytes of the text with its escapes read.
fn blobs(conversion: Conversion, array: &ArrayRef) -> Result<ArrayRef> {
    let texts = text(array.as_ref())?;
    let nulls = some_nulls(array);
    let mut out = BinaryViewBuilder::with_capacity(array.len());
    for row in 0..array.len() {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            out.append_null();
            continue;
        }
        let value = texts.value(row);
        if !value.contains('\\') {
            out.append_value(value.as_bytes());
            continue;
        }
        let hex = value.strip_prefix("\\x").and_then(parse::hex);
        match hex.or_else(|| parse::escaped_bytes(value)) {
            Some(bytes) => out.append_value(bytes),
            None if conversion.mode.is_strict() => {
                return Err(conversion.refuse_row(array.as_ref(), row));
            }
            None => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}
