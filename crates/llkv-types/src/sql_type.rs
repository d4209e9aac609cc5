//! Logical SQL types and their Arrow form.

use crate::variant;
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use bitcode::{Decode, Encode};
use std::fmt;

/// A SQL type. Each has exactly one Arrow form, [`SqlType::to_arrow`], at every layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[non_exhaustive]
pub enum SqlType {
    /// The type of a bare NULL. Columns never have it.
    Null,
    /// BOOLEAN
    Boolean,
    /// TINYINT
    Int8,
    /// SMALLINT
    Int16,
    /// INTEGER
    Int32,
    /// BIGINT
    Int64,
    /// UTINYINT
    UInt8,
    /// USMALLINT
    UInt16,
    /// UINTEGER
    UInt32,
    /// UBIGINT
    UInt64,
    /// REAL
    Float32,
    /// DOUBLE PRECISION
    Float64,
    /// DECIMAL(precision, scale): `1 <= precision <= 38`, `0 <= scale <= precision`.
    /// Up to 18 digits it is 64 bits wide, above that 128.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// VARCHAR, TEXT: UTF-8, no length limit.
    Text,
    /// BLOB
    Blob,
    /// DATE: days since 1970-01-01.
    Date,
    /// TIME: microseconds since midnight.
    Time,
    /// TIMESTAMP without time zone: microseconds since 1970-01-01.
    Timestamp,
    /// TIMESTAMP WITH TIME ZONE: microseconds since 1970-01-01 UTC.
    TimestampTz,
    /// INTERVAL: months, days, nanoseconds.
    Interval,
    /// A value that carries its own type, as SQLite's do: see [`crate::variant`]. Only the `sqlite` dialect
    /// makes such columns.
    Variant,
}

impl SqlType {
    /// Digits that a `Decimal64` holds.
    pub const DECIMAL64_PRECISION: u8 = 18;
    /// Digits that a `Decimal128` holds.
    pub const DECIMAL128_PRECISION: u8 = 38;

    /// The Arrow type in which values of this type travel and are stored plain.
    #[must_use]
    pub fn to_arrow(self) -> DataType {
        match self {
            Self::Null => DataType::Null,
            Self::Boolean => DataType::Boolean,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::UInt8 => DataType::UInt8,
            Self::UInt16 => DataType::UInt16,
            Self::UInt32 => DataType::UInt32,
            Self::UInt64 => DataType::UInt64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Decimal { precision, scale } if precision <= Self::DECIMAL64_PRECISION => {
                DataType::Decimal64(precision, scale as i8)
            }
            Self::Decimal { precision, scale } => DataType::Decimal128(precision, scale as i8),
            Self::Text => DataType::Utf8View,
            Self::Blob => DataType::BinaryView,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Variant => variant::data_type(),
        }
    }

    /// The SQL type into which a foreign Arrow type is read, or `None` where there is none. The value
    /// may need a cast to [`Self::to_arrow`] (a `Utf8` array to `Utf8View`, say).
    #[must_use]
    pub fn from_arrow(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean,
            DataType::Int8 => Self::Int8,
            DataType::Int16 => Self::Int16,
            DataType::Int32 => Self::Int32,
            DataType::Int64 => Self::Int64,
            DataType::UInt8 => Self::UInt8,
            DataType::UInt16 => Self::UInt16,
            DataType::UInt32 => Self::UInt32,
            DataType::UInt64 => Self::UInt64,
            DataType::Float16 | DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s)
                if *s >= 0 && *p >= 1 && (*s as u8) <= *p =>
            {
                Self::Decimal {
                    precision: *p,
                    scale: *s as u8,
                }
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Self::Blob,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Timestamp(_, None) => Self::Timestamp,
            DataType::Timestamp(_, Some(_)) => Self::TimestampTz,
            DataType::Interval(_) => Self::Interval,
            DataType::Dictionary(_, values) => return Self::from_arrow(values),
            DataType::RunEndEncoded(_, values) => return Self::from_arrow(values.data_type()),
            other if variant::is_variant(other) => Self::Variant,
            _ => return None,
        })
    }

    /// True for the integers of all widths.
    #[must_use]
    pub const fn is_integer(self) -> bool {
        matches!(
            self,
            Self::Int8
                | Self::Int16
                | Self::Int32
                | Self::Int64
                | Self::UInt8
                | Self::UInt16
                | Self::UInt32
                | Self::UInt64
        )
    }

    /// True for REAL and DOUBLE.
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(self, Self::Float32 | Self::Float64)
    }

    /// True for integers, decimals and floats.
    #[must_use]
    pub const fn is_numeric(self) -> bool {
        self.is_integer() || self.is_float() || matches!(self, Self::Decimal { .. })
    }

    /// True for DATE, TIME and the timestamps.
    #[must_use]
    pub const fn is_temporal(self) -> bool {
        matches!(
            self,
            Self::Date | Self::Time | Self::Timestamp | Self::TimestampTz
        )
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "NULL",
            Self::Boolean => "BOOLEAN",
            Self::Int8 => "TINYINT",
            Self::Int16 => "SMALLINT",
            Self::Int32 => "INTEGER",
            Self::Int64 => "BIGINT",
            Self::UInt8 => "UTINYINT",
            Self::UInt16 => "USMALLINT",
            Self::UInt32 => "UINTEGER",
            Self::UInt64 => "UBIGINT",
            Self::Float32 => "REAL",
            Self::Float64 => "DOUBLE",
            Self::Decimal { precision, scale } => return write!(f, "DECIMAL({precision},{scale})"),
            Self::Text => "VARCHAR",
            Self::Blob => "BLOB",
            Self::Date => "DATE",
            Self::Time => "TIME",
            Self::Timestamp => "TIMESTAMP",
            Self::TimestampTz => "TIMESTAMP WITH TIME ZONE",
            Self::Interval => "INTERVAL",
            Self::Variant => "ANY",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_comes_back_from_its_arrow_form() {
        let types = [
            SqlType::Null,
            SqlType::Boolean,
            SqlType::Int8,
            SqlType::Int16,
            SqlType::Int32,
            SqlType::Int64,
            SqlType::UInt8,
            SqlType::UInt16,
            SqlType::UInt32,
            SqlType::UInt64,
            SqlType::Float32,
            SqlType::Float64,
            SqlType::Decimal {
                precision: 18,
                scale: 2,
            },
            SqlType::Decimal {
                precision: 19,
                scale: 19,
            },
            SqlType::Text,
            SqlType::Blob,
            SqlType::Date,
            SqlType::Time,
            SqlType::Timestamp,
            SqlType::TimestampTz,
            SqlType::Interval,
            SqlType::Variant,
        ];
        for ty in types {
            assert_eq!(SqlType::from_arrow(&ty.to_arrow()), Some(ty), "{ty}");
        }
    }
}
