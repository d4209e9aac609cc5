//! Rust values as scalars, and scalars as Rust values.

use crate::{Scalar, SqlType};

macro_rules! from {
    ($($Native:ty => $Variant:ident),+ $(,)?) => {
        $(impl From<$Native> for Scalar {
            fn from(value: $Native) -> Self {
                Self::$Variant(value.into())
            }
        })+
    };
}

from! {
    bool => Boolean,
    i8 => Int8,
    i16 => Int16,
    i32 => Int32,
    i64 => Int64,
    u8 => UInt8,
    u16 => UInt16,
    u32 => UInt32,
    u64 => UInt64,
    f32 => Float32,
    f64 => Float64,
    &str => Text,
    String => Text,
    &[u8] => Blob,
    Vec<u8> => Blob,
}

/// `None` is NULL.
impl<T: Into<Scalar>> From<Option<T>> for Scalar {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null(SqlType::Null), Into::into)
    }
}

/// What a value of a row can be taken as.
pub trait FromScalar: Sized {
    /// The value; `None` where it is of another kind, or does not fit.
    fn from_scalar(scalar: &Scalar) -> Option<Self>;
}

macro_rules! integers {
    ($($Native:ty),+) => {
        $(impl FromScalar for $Native {
            fn from_scalar(scalar: &Scalar) -> Option<Self> {
                match scalar {
                    Scalar::Decimal { value, scale: 0, .. } => (*value).try_into().ok(),
                    Scalar::Date(_)
                    | Scalar::Time(_)
                    | Scalar::Timestamp(_)
                    | Scalar::TimestampTz(_) => None,
                    other => other.as_integer()?.try_into().ok(),
                }
            }
        })+
    };
}

integers!(i8, i16, i32, i64, i128, u8, u16, u32, u64, usize);

impl FromScalar for f64 {
    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Float64(value) => Some(*value),
            Scalar::Float32(value) => Some(Self::from(*value)),
            Scalar::Decimal { value, scale, .. } => {
                Some(*value as Self / 10_f64.powi(i32::from(*scale)))
            }
            other => i128::from_scalar(other).map(|value| value as Self),
        }
    }
}

impl FromScalar for bool {
    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Boolean(value) => Some(*value),
            _ => None,
        }
    }
}

impl FromScalar for String {
    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Text(text) => Some(text.as_ref().into()),
            _ => None,
        }
    }
}

impl FromScalar for Vec<u8> {
    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Blob(bytes) => Some(bytes.to_vec()),
            _ => None,
        }
    }
}

/// NULL is `None`.
impl<T: FromScalar> FromScalar for Option<T> {
    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Null(_) => Some(None),
            other => T::from_scalar(other).map(Some),
        }
    }
}

impl FromScalar for Scalar {
    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        Some(scalar.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back<T: Into<Scalar> + FromScalar + Clone + PartialEq + std::fmt::Debug>(
        value: T,
    ) {
        assert_eq!(T::from_scalar(&value.clone().into()), Some(value));
    }

    #[test]
    fn values_come_back() {
        there_and_back(true);
        there_and_back(i64::MIN);
        there_and_back(u64::MAX);
        there_and_back(1.5_f64);
        there_and_back(String::from("a text"));
        there_and_back(vec![0_u8, 255]);
        there_and_back(Some(7_i32));
        there_and_back(None::<i32>);
    }

    #[test]
    fn what_does_not_fit_is_no_value() {
        assert_eq!(i32::from_scalar(&Scalar::Int64(1 << 40)), None);
        assert_eq!(u8::from_scalar(&Scalar::Int64(-1)), None);
        assert_eq!(i64::from_scalar(&Scalar::Null(SqlType::Int64)), None);
        assert_eq!(i64::from_scalar(&Scalar::Date(3)), None);
        assert_eq!(String::from_scalar(&Scalar::Int32(3)), None);
        let price = Scalar::Decimal {
            value: 1250,
            precision: 9,
            scale: 2,
        };
        assert_eq!(f64::from_scalar(&price), Some(12.5));
        assert_eq!(i64::from_scalar(&price), None);
    }
}
