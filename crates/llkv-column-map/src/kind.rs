//! How the values of a SQL type lie in memory: the handful of physical kinds that encodings know.

use llkv_types::SqlType;

/// A physical kind. Several SQL types share one: DATE is a 32-bit integer, TIMESTAMP a 64-bit one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One bit a value.
    Bit,
    /// Signed integers of 1, 2, 4, 8 or 16 bytes.
    Signed(Width),
    /// Unsigned integers of 1, 2, 4 or 8 bytes.
    Unsigned(Width),
    /// IEEE 754, 4 or 8 bytes.
    Float(Width),
    /// 16 bytes that have no order of their own: INTERVAL.
    Opaque,
    /// Byte strings; UTF-8 where `utf8`.
    Bytes {
        /// Every value is valid UTF-8.
        utf8: bool,
    },
}

/// Bytes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Width {
    W1,
    W2,
    W4,
    W8,
    W16,
}

impl Width {
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::W1 => 1,
            Self::W2 => 2,
            Self::W4 => 4,
            Self::W8 => 8,
            Self::W16 => 16,
        }
    }
}

impl Kind {
    /// The kind of a column's type; `None` for types that columns never have.
    pub(crate) fn of(ty: SqlType) -> Option<Self> {
        use Width::{W1, W2, W4, W8, W16};
        Some(match ty {
            SqlType::Boolean => Self::Bit,
            SqlType::Int8 => Self::Signed(W1),
            SqlType::Int16 => Self::Signed(W2),
            SqlType::Int32 | SqlType::Date => Self::Signed(W4),
            SqlType::Int64 | SqlType::Time | SqlType::Timestamp | SqlType::TimestampTz => {
                Self::Signed(W8)
            }
            SqlType::UInt8 => Self::Unsigned(W1),
            SqlType::UInt16 => Self::Unsigned(W2),
            SqlType::UInt32 => Self::Unsigned(W4),
            SqlType::UInt64 => Self::Unsigned(W8),
            SqlType::Float32 => Self::Float(W4),
            SqlType::Float64 => Self::Float(W8),
            SqlType::Decimal { precision, .. } if precision <= SqlType::DECIMAL64_PRECISION => {
                Self::Signed(W8)
            }
            SqlType::Decimal { .. } => Self::Signed(W16),
            SqlType::Text => Self::Bytes { utf8: true },
            // Values that carry their own type are stored as the bytes that they are encoded in.
            SqlType::Blob | SqlType::Variant => Self::Bytes { utf8: false },
            SqlType::Interval => Self::Opaque,
            _ => return None,
        })
    }

    /// Bytes of a value, for the kinds whose values are of one size of whole bytes.
    pub(crate) const fn width(self) -> Option<Width> {
        match self {
            Self::Signed(width) | Self::Unsigned(width) | Self::Float(width) => Some(width),
            Self::Opaque => Some(Width::W16),
            Self::Bit | Self::Bytes { .. } => None,
        }
    }

    /// The number of the kind in files.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Bit => 1,
            Self::Signed(width) => 0x10 | width as u8,
            Self::Unsigned(width) => 0x20 | width as u8,
            Self::Float(width) => 0x30 | width as u8,
            Self::Opaque => 2,
            Self::Bytes { utf8: false } => 3,
            Self::Bytes { utf8: true } => 4,
        }
    }
}
