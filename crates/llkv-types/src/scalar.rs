//! The one literal type.

use crate::variant::{self, Variant};
use crate::{SqlType, text};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Decimal64Array, Decimal128Array,
    PrimitiveArray, StringViewArray, new_null_array,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal64Type, Decimal128Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use llkv_result::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// A single typed value: a literal of the text, a bound parameter, a statistic.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Scalar {
    /// NULL of a type (`SqlType::Null` for a bare NULL).
    Null(SqlType),
    /// BOOLEAN
    Boolean(bool),
    /// TINYINT
    Int8(i8),
    /// SMALLINT
    Int16(i16),
    /// INTEGER
    Int32(i32),
    /// BIGINT
    Int64(i64),
    /// UTINYINT
    UInt8(u8),
    /// USMALLINT
    UInt16(u16),
    /// UINTEGER
    UInt32(u32),
    /// UBIGINT
    UInt64(u64),
    /// REAL
    Float32(f32),
    /// DOUBLE
    Float64(f64),
    /// DECIMAL: the unscaled value.
    Decimal {
        /// Value times ten to the scale.
        value: i128,
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// VARCHAR
    Text(Arc<str>),
    /// BLOB
    Blob(Arc<[u8]>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970-01-01.
    Timestamp(i64),
    /// Microseconds since 1970-01-01 UTC.
    TimestampTz(i64),
    /// INTERVAL
    Interval(IntervalMonthDayNano),
    /// A value that carries its own type, encoded as in [`crate::variant`].
    Variant(Arc<[u8]>),
}

impl Scalar {
    /// The type of the value.
    #[must_use]
    pub fn sql_type(&self) -> SqlType {
        match self {
            Self::Null(ty) => *ty,
            Self::Boolean(_) => SqlType::Boolean,
            Self::Int8(_) => SqlType::Int8,
            Self::Int16(_) => SqlType::Int16,
            Self::Int32(_) => SqlType::Int32,
            Self::Int64(_) => SqlType::Int64,
            Self::UInt8(_) => SqlType::UInt8,
            Self::UInt16(_) => SqlType::UInt16,
            Self::UInt32(_) => SqlType::UInt32,
            Self::UInt64(_) => SqlType::UInt64,
            Self::Float32(_) => SqlType::Float32,
            Self::Float64(_) => SqlType::Float64,
            Self::Decimal {
                precision, scale, ..
            } => SqlType::Decimal {
                precision: *precision,
                scale: *scale,
            },
            Self::Text(_) => SqlType::Text,
            Self::Blob(_) => SqlType::Blob,
            Self::Date(_) => SqlType::Date,
            Self::Time(_) => SqlType::Time,
            Self::Timestamp(_) => SqlType::Timestamp,
            Self::TimestampTz(_) => SqlType::TimestampTz,
            Self::Interval(_) => SqlType::Interval,
            Self::Variant(_) => SqlType::Variant,
        }
    }

    /// A value with its own type.
    #[must_use]
    pub fn variant(value: Variant<'_>) -> Self {
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        Self::Variant(bytes.into())
    }

    /// True for NULL of any type.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null(_))
    }

    /// The number that stands for the value, for integers, days and times.
    #[must_use]
    pub fn as_integer(&self) -> Option<i128> {
        Some(match self {
            Self::Int8(v) => (*v).into(),
            Self::Int16(v) => (*v).into(),
            Self::Int32(v) | Self::Date(v) => (*v).into(),
            Self::Int64(v) | Self::Time(v) | Self::Timestamp(v) | Self::TimestampTz(v) => {
                (*v).into()
            }
            Self::UInt8(v) => (*v).into(),
            Self::UInt16(v) => (*v).into(),
            Self::UInt32(v) => (*v).into(),
            Self::UInt64(v) => (*v).into(),
            _ => return None,
        })
    }

    /// An array of `len` copies, in the type's Arrow form.
    ///
    /// # Errors
    /// Only when Arrow refuses a decimal's precision.
    pub fn to_array(&self, len: usize) -> Result<ArrayRef> {
        fn of<T: ArrowPrimitiveType>(value: T::Native, len: usize) -> ArrayRef {
            Arc::new(PrimitiveArray::<T>::from_value(value, len))
        }
        Ok(match self {
            Self::Null(ty) => new_null_array(&ty.to_arrow(), len),
            Self::Boolean(v) => Arc::new(BooleanArray::from(vec![*v; len])),
            Self::Int8(v) => of::<Int8Type>(*v, len),
            Self::Int16(v) => of::<Int16Type>(*v, len),
            Self::Int32(v) => of::<Int32Type>(*v, len),
            Self::Int64(v) => of::<Int64Type>(*v, len),
            Self::UInt8(v) => of::<UInt8Type>(*v, len),
            Self::UInt16(v) => of::<UInt16Type>(*v, len),
            Self::UInt32(v) => of::<UInt32Type>(*v, len),
            Self::UInt64(v) => of::<UInt64Type>(*v, len),
            Self::Float32(v) => of::<Float32Type>(*v, len),
            Self::Float64(v) => of::<Float64Type>(*v, len),
            Self::Decimal {
                value,
                precision,
                scale,
            } => {
                match (
                    *precision <= SqlType::DECIMAL64_PRECISION,
                    i64::try_from(*value),
                ) {
                    (true, Ok(narrow)) => Arc::new(
                        Decimal64Array::from_value(narrow, len)
                            .with_precision_and_scale(*precision, *scale as i8)?,
                    ),
                    (true, Err(_)) => {
                        return Err(Error::internal(format!(
                            "decimal {value} does not fit precision {precision}"
                        )));
                    }
                    (false, _) => Arc::new(
                        Decimal128Array::from_value(*value, len)
                            .with_precision_and_scale(*precision, *scale as i8)?,
                    ),
                }
            }
            Self::Text(v) => Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(
                v.as_ref(),
                len,
            ))),
            Self::Blob(v) => Arc::new(BinaryViewArray::from_iter_values(std::iter::repeat_n(
                v.as_ref(),
                len,
            ))),
            Self::Date(v) => of::<Date32Type>(*v, len),
            Self::Time(v) => of::<Time64MicrosecondType>(*v, len),
            Self::Timestamp(v) => of::<TimestampMicrosecondType>(*v, len),
            Self::TimestampTz(v) => Arc::new(
                PrimitiveArray::<TimestampMicrosecondType>::from_value(*v, len)
                    .with_timezone("UTC"),
            ),
            Self::Interval(v) => of::<IntervalMonthDayNanoType>(*v, len),
            Self::Variant(v) => variant::from_encoded(BinaryViewArray::from_iter_values(
                std::iter::repeat_n(v.as_ref(), len),
            ))?,
        })
    }

    /// The value at `row` of an array in the Arrow form of a [`SqlType`].
    ///
    /// # Errors
    /// For an Arrow type that is no [`SqlType::to_arrow`], or a row past the end.
    pub fn from_array(array: &dyn Array, row: usize) -> Result<Self> {
        let data_type = array.data_type();
        let ty = SqlType::from_arrow(data_type)
            .filter(|ty| ty.to_arrow() == *data_type)
            .ok_or_else(|| Error::internal(format!("no scalar of Arrow type {data_type}")))?;
        if row >= array.len() {
            return Err(Error::internal(format!(
                "row {row} of an array of {}",
                array.len()
            )));
        }
        if array.is_null(row) {
            return Ok(Self::Null(ty));
        }
        fn at<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
            array.as_primitive::<T>().value(row)
        }
        Ok(match ty {
            SqlType::Null => Self::Null(SqlType::Null),
            SqlType::Boolean => Self::Boolean(array.as_boolean().value(row)),
            SqlType::Int8 => Self::Int8(at::<Int8Type>(array, row)),
            SqlType::Int16 => Self::Int16(at::<Int16Type>(array, row)),
            SqlType::Int32 => Self::Int32(at::<Int32Type>(array, row)),
            SqlType::Int64 => Self::Int64(at::<Int64Type>(array, row)),
            SqlType::UInt8 => Self::UInt8(at::<UInt8Type>(array, row)),
            SqlType::UInt16 => Self::UInt16(at::<UInt16Type>(array, row)),
            SqlType::UInt32 => Self::UInt32(at::<UInt32Type>(array, row)),
            SqlType::UInt64 => Self::UInt64(at::<UInt64Type>(array, row)),
            SqlType::Float32 => Self::Float32(at::<Float32Type>(array, row)),
            SqlType::Float64 => Self::Float64(at::<Float64Type>(array, row)),
            SqlType::Decimal { precision, scale } => Self::Decimal {
                value: if matches!(data_type, DataType::Decimal64(..)) {
                    i128::from(at::<Decimal64Type>(array, row))
                } else {
                    at::<Decimal128Type>(array, row)
                },
                precision,
                scale,
            },
            SqlType::Text => Self::Text(array.as_string_view().value(row).into()),
            SqlType::Blob => Self::Blob(array.as_binary_view().value(row).into()),
            SqlType::Date => Self::Date(at::<Date32Type>(array, row)),
            SqlType::Time => Self::Time(at::<Time64MicrosecondType>(array, row)),
            SqlType::Timestamp => Self::Timestamp(at::<TimestampMicrosecondType>(array, row)),
            SqlType::TimestampTz => Self::TimestampTz(at::<TimestampMicrosecondType>(array, row)),
            SqlType::Interval => Self::Interval(at::<IntervalMonthDayNanoType>(array, row)),
            SqlType::Variant => Self::Variant(variant::encoded(array)?.value(row).into()),
        })
    }
}

impl fmt::Display for Scalar {
    /// The value as text without quotes; NULL as `NULL`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null(_) => f.write_str("NULL"),
            Self::Boolean(v) => v.fmt(f),
            Self::Int8(v) => v.fmt(f),
            Self::Int16(v) => v.fmt(f),
            Self::Int32(v) => v.fmt(f),
            Self::Int64(v) => v.fmt(f),
            Self::UInt8(v) => v.fmt(f),
            Self::UInt16(v) => v.fmt(f),
            Self::UInt32(v) => v.fmt(f),
            Self::UInt64(v) => v.fmt(f),
            Self::Float32(v) => text::write_f32(f, *v),
            Self::Float64(v) => text::write_f64(f, *v),
            Self::Text(v) => v.fmt(f),
            Self::Blob(v) => text::write_blob(f, v),
            Self::Decimal { value, scale, .. } => text::write_decimal(f, *value, *scale),
            Self::Date(v) => text::write_date(f, *v),
            Self::Time(v) => text::write_time(f, *v),
            Self::Timestamp(v) => text::write_timestamp(f, *v),
            Self::TimestampTz(v) => text::write_timestamp_tz(f, *v),
            Self::Interval(v) => text::write_interval(f, *v),
            Self::Variant(bytes) => match Variant::decode(bytes) {
                Some(Variant::Real(v)) => text::write_f64(f, v),
                Some(Variant::Blob(v)) => text::write_blob(f, v),
                Some(other) => other.fmt(f),
                None => text::write_blob(f, bytes),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_survives_the_trip_through_an_array() {
        let scalars = [
            Scalar::Null(SqlType::Text),
            Scalar::Boolean(true),
            Scalar::Int8(-1),
            Scalar::UInt64(u64::MAX),
            Scalar::Float64(1.5),
            Scalar::Decimal {
                value: -12345,
                precision: 18,
                scale: 2,
            },
            Scalar::Decimal {
                value: i128::from(i64::MAX) * 10,
                precision: 38,
                scale: 10,
            },
            Scalar::Text("a text longer than twelve bytes".into()),
            Scalar::Blob([1u8, 2, 255].as_slice().into()),
            Scalar::Date(19_000),
            Scalar::Timestamp(1_700_000_000_000_000),
            Scalar::TimestampTz(1),
            Scalar::Interval(IntervalMonthDayNano::new(1, -2, 3)),
            Scalar::variant(Variant::Integer(-7)),
            Scalar::variant(Variant::Text("a text longer than twelve bytes")),
        ];
        for scalar in scalars {
            let array = scalar.to_array(3).unwrap();
            assert_eq!(array.data_type(), &scalar.sql_type().to_arrow());
            assert_eq!(Scalar::from_array(array.as_ref(), 2).unwrap(), scalar);
        }
    }

    #[test]
    fn text_forms() {
        assert_eq!(Scalar::Date(0).to_string(), "1970-01-01");
        assert_eq!(
            Scalar::Blob([0u8, 255].as_slice().into()).to_string(),
            "\\x00ff"
        );
    }
}
