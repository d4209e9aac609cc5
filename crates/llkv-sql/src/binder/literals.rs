//! Literals, and arrays of them.

use super::Binder;
use crate::SqlDialect;
use arrow::array::{
    ArrayRef, BinaryViewBuilder, BooleanBuilder, Decimal64Builder, Decimal128Builder,
    PrimitiveBuilder, StringViewBuilder, new_null_array,
};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use llkv_expr::Expr;
use llkv_result::Result;
use llkv_types::variant::{Variant, VariantBuilder};
use llkv_types::{Scalar, SqlType};
use sqlparser::ast::{Value, ValueWithSpan};
use std::sync::Arc;

impl Binder<'_> {
    pub(super) fn bind_value(&mut self, value: &ValueWithSpan) -> Result<Expr> {
        Ok(Expr::Literal(match &value.value {
            Value::Number(digits, _) => return self.bind_number(digits, value),
            Value::SingleQuotedString(text)
            | Value::EscapedStringLiteral(text)
            | Value::UnicodeStringLiteral(text)
            | Value::NationalStringLiteral(text) => Scalar::Text(text.as_str().into()),
            Value::DollarQuotedString(text) => Scalar::Text(text.value.as_str().into()),
            Value::HexStringLiteral(digits) => match bytes_of_hex(digits) {
                Some(bytes) => Scalar::Blob(bytes.into()),
                None => {
                    return self.invalid("a blob literal has an even number of hex digits", value);
                }
            },
            Value::Boolean(truth) if self.dialect.booleans_are_integers() => {
                Scalar::Int64(i64::from(*truth))
            }
            Value::Boolean(truth) => Scalar::Boolean(*truth),
            Value::Null => Scalar::Null(SqlType::Null),
            Value::Placeholder(name) => return self.bind_parameter(name, value),
            other => return self.unsupported(format!("the literal {other}"), value),
        }))
    }

    /// A number: the narrowest of INTEGER, BIGINT and DECIMAL that holds it; DOUBLE with an exponent.
    fn bind_number(&self, digits: &str, node: &impl super::place::Place) -> Result<Expr> {
        self.literal_number(number(digits, self.dialect), digits, node)
    }

    /// What digits stand for, which may be nothing.
    pub(super) fn literal_number(
        &self,
        number: Option<Scalar>,
        digits: &str,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        match number {
            Some(scalar) => Ok(Expr::Literal(scalar)),
            None => self.invalid(format!("\"{digits}\" is not a number"), node),
        }
    }
}

/// An integer as a literal has it.
const fn integer(value: i64, dialect: SqlDialect) -> Scalar {
    let is_small = value >= i32::MIN as i64 && value <= i32::MAX as i64;
    match is_small && !dialect.integers_are_wide() {
        true => Scalar::Int32(value as i32),
        false => Scalar::Int64(value),
    }
}

/// What the digits of a number stand for.
pub(crate) fn number(digits: &str, dialect: SqlDialect) -> Option<Scalar> {
    if let Ok(value) = digits.parse::<i64>() {
        return Some(integer(value, dialect));
    }
    if digits.contains('_') {
        return number(&digits.replace('_', ""), dialect);
    }
    let hex = digits.strip_prefix("0x");
    if let Some(hex) = hex.or_else(|| digits.strip_prefix("0X")) {
        // SQLite reads 64 bits of two's complement.
        let bits = u64::from_str_radix(hex, 16).ok();
        return bits.map(|bits| Scalar::Int64(bits as i64));
    }
    if !dialect.decimal_literals_are_double()
        && let Some(decimal) = decimal(digits)
    {
        return Some(decimal);
    }
    digits.parse::<f64>().ok().map(Scalar::Float64)
}

/// The same with a minus before it, which is part of the number, so that the smallest one can be written.
pub(crate) fn negative_number(digits: &str, dialect: SqlDialect) -> Option<Scalar> {
    match digits.parse::<i64>() {
        Ok(value) => Some(integer(-value, dialect)),
        Err(_) => number(&format!("-{digits}"), dialect),
    }
}

/// A number with a point, or an integer of more than 64 bits, with as many digits as it has.
fn decimal(text: &str) -> Option<Scalar> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let count = (whole.len() + fraction.len()).max(1);
    if count > usize::from(SqlType::DECIMAL128_PRECISION) {
        return None;
    }
    let mut value = 0i128;
    for digit in whole.bytes().chain(fraction.bytes()) {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i128::from(digit - b'0');
    }
    Some(Scalar::Decimal {
        value: if negative { -value } else { value },
        precision: count as u8,
        scale: fraction.len() as u8,
    })
}

fn bytes_of_hex(digits: &str) -> Option<Vec<u8>> {
    let nibble = |byte: u8| char::from(byte).to_digit(16).map(|d| d as u8);
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
            _ => None,
        })
        .collect()
}

/// A literal in another type, where that takes no cast: integers of another width, an integer as a
/// decimal or double, a decimal with another number of digits, NULL.
pub(crate) fn convert(scalar: &Scalar, ty: SqlType) -> Option<Scalar> {
    if scalar.sql_type() == ty {
        return Some(scalar.clone());
    }
    if scalar.is_null() {
        return Some(Scalar::Null(ty));
    }
    if ty == SqlType::Variant {
        return Some(Scalar::variant(match scalar {
            Scalar::Int64(value) => Variant::Integer(*value),
            Scalar::Int32(value) => Variant::Integer(i64::from(*value)),
            Scalar::Boolean(value) => Variant::Integer(i64::from(*value)),
            Scalar::Float64(value) => Variant::real(*value)?,
            Scalar::Text(text) => Variant::Text(text),
            Scalar::Blob(bytes) => Variant::Blob(bytes),
            _ => return None,
        }));
    }
    let (value, scale) = match scalar {
        Scalar::Int8(v) => (i128::from(*v), 0),
        Scalar::Int16(v) => (i128::from(*v), 0),
        Scalar::Int32(v) => (i128::from(*v), 0),
        Scalar::Int64(v) => (i128::from(*v), 0),
        Scalar::UInt64(v) => (i128::from(*v), 0),
        Scalar::Decimal { value, scale, .. } => (*value, *scale),
        _ => return None,
    };
    if let SqlType::Decimal {
        precision,
        scale: wanted,
    } = ty
    {
        let shift = wanted.checked_sub(scale)?;
        let value = value.checked_mul(10i128.checked_pow(u32::from(shift))?)?;
        let limit = 10i128.checked_pow(u32::from(precision))?;
        return (value.abs() < limit).then_some(Scalar::Decimal {
            value,
            precision,
            scale: wanted,
        });
    }
    if scale != 0 {
        return None;
    }
    Some(match ty {
        SqlType::Int8 => Scalar::Int8(value.try_into().ok()?),
        SqlType::Int16 => Scalar::Int16(value.try_into().ok()?),
        SqlType::Int32 => Scalar::Int32(value.try_into().ok()?),
        SqlType::Int64 => Scalar::Int64(value.try_into().ok()?),
        SqlType::UInt8 => Scalar::UInt8(value.try_into().ok()?),
        SqlType::UInt16 => Scalar::UInt16(value.try_into().ok()?),
        SqlType::UInt32 => Scalar::UInt32(value.try_into().ok()?),
        SqlType::UInt64 => Scalar::UInt64(value.try_into().ok()?),
        SqlType::Float64 if value.abs() <= 1 << 53 => Scalar::Float64(value as f64),
        SqlType::Float32 if value.abs() <= 1 << 24 => Scalar::Float32(value as f32),
        _ => return None,
    })
}

/// The DECIMAL that holds an integer literal with no digit to spare.
pub(super) fn tight_decimal(scalar: &Scalar) -> Option<SqlType> {
    let value = match scalar {
        Scalar::Int8(v) => i64::from(*v),
        Scalar::Int16(v) => i64::from(*v),
        Scalar::Int32(v) => i64::from(*v),
        Scalar::Int64(v) => *v,
        _ => return None,
    };
    let digits = value.unsigned_abs().checked_ilog10().map_or(1, |n| n + 1);
    Some(SqlType::Decimal {
        precision: u8::try_from(digits).ok()?,
        scale: 0,
    })
}

/// An array of scalars that all have the type `ty` or are NULL; `None` where one has another.
pub(super) fn array_of<'s>(
    ty: SqlType,
    scalars: impl ExactSizeIterator<Item = &'s Scalar>,
) -> Option<ArrayRef> {
    macro_rules! primitive {
        ($arrow:ty, $variant:ident) => {
            primitives::<$arrow>(scalars, |scalar| match scalar {
                Scalar::$variant(v) => Some(*v),
                _ => None,
            })
            .map(|array| Arc::new(array) as ArrayRef)
        };
    }
    match ty {
        SqlType::Null => {
            let rows = scalars.len();
            let mut scalars = scalars;
            scalars
                .all(Scalar::is_null)
                .then(|| new_null_array(&ty.to_arrow(), rows))
        }
        SqlType::Int8 => primitive!(Int8Type, Int8),
        SqlType::Int16 => primitive!(Int16Type, Int16),
        SqlType::Int32 => primitive!(Int32Type, Int32),
        SqlType::Int64 => primitive!(Int64Type, Int64),
        SqlType::UInt8 => primitive!(UInt8Type, UInt8),
        SqlType::UInt16 => primitive!(UInt16Type, UInt16),
        SqlType::UInt32 => primitive!(UInt32Type, UInt32),
        SqlType::UInt64 => primitive!(UInt64Type, UInt64),
        SqlType::Float32 => primitive!(Float32Type, Float32),
        SqlType::Float64 => primitive!(Float64Type, Float64),
        SqlType::Date => primitive!(Date32Type, Date),
        SqlType::Time => primitive!(Time64MicrosecondType, Time),
        SqlType::Timestamp => primitive!(TimestampMicrosecondType, Timestamp),
        SqlType::TimestampTz => primitives::<TimestampMicrosecondType>(scalars, |s| match s {
            Scalar::TimestampTz(v) => Some(*v),
            _ => None,
        })
        .map(|array| Arc::new(array.with_timezone("UTC")) as ArrayRef),
        SqlType::Interval => primitive!(IntervalMonthDayNanoType, Interval),
        SqlType::Boolean => {
            let mut builder = BooleanBuilder::with_capacity(scalars.len());
            for scalar in scalars {
                match scalar {
                    Scalar::Boolean(v) => builder.append_value(*v),
                    Scalar::Null(_) => builder.append_null(),
                    _ => return None,
                }
            }
            Some(Arc::new(builder.finish()))
        }
        SqlType::Text => {
            let mut builder = StringViewBuilder::with_capacity(scalars.len());
            for scalar in scalars {
                match scalar {
                    Scalar::Text(v) => builder.append_value(v),
                    Scalar::Null(_) => builder.append_null(),
                    _ => return None,
                }
            }
            Some(Arc::new(builder.finish()))
        }
        SqlType::Blob => {
            let mut builder = BinaryViewBuilder::with_capacity(scalars.len());
            for scalar in scalars {
                match scalar {
                    Scalar::Blob(v) => builder.append_value(v),
                    Scalar::Null(_) => builder.append_null(),
                    _ => return None,
                }
            }
            Some(Arc::new(builder.finish()))
        }
        SqlType::Decimal { precision, scale } => decimals(scalars, precision, scale),
        SqlType::Variant => {
            let mut builder = VariantBuilder::with_capacity(scalars.len());
            for scalar in scalars {
                let bytes = match scalar {
                    Scalar::Variant(bytes) => Some(bytes.as_ref()),
                    Scalar::Null(_) => None,
                    _ => return None,
                };
                builder.append_encoded(bytes).ok()?;
            }
            builder.finish().ok()
        }
        _ => None,
    }
}

fn primitives<'s, T: ArrowPrimitiveType>(
    scalars: impl ExactSizeIterator<Item = &'s Scalar>,
    value: impl Fn(&Scalar) -> Option<T::Native>,
) -> Option<arrow::array::PrimitiveArray<T>> {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(scalars.len());
    for scalar in scalars {
        match (scalar, value(scalar)) {
            (_, Some(native)) => builder.append_value(native),
            (Scalar::Null(_), None) => builder.append_null(),
            _ => return None,
        }
    }
    Some(builder.finish())
}

fn decimals<'s>(
    scalars: impl ExactSizeIterator<Item = &'s Scalar>,
    precision: u8,
    scale: u8,
) -> Option<ArrayRef> {
    let values = scalars.map(|scalar| match scalar {
        Scalar::Decimal {
            value,
            precision: p,
            scale: s,
        } if (*p, *s) == (precision, scale) => Some(Some(*value)),
        Scalar::Null(_) => Some(None),
        _ => None,
    });
    if precision <= SqlType::DECIMAL64_PRECISION {
        let mut builder = Decimal64Builder::with_capacity(values.len());
        for value in values {
            match value? {
                Some(wide) => builder.append_value(i64::try_from(wide).ok()?),
                None => builder.append_null(),
            }
        }
        let array = builder
            .finish()
            .with_precision_and_scale(precision, scale as i8);
        return Some(Arc::new(array.ok()?));
    }
    let mut builder = Decimal128Builder::with_capacity(values.len());
    for value in values {
        builder.append_option(value?);
    }
    let array = builder
        .finish()
        .with_precision_and_scale(precision, scale as i8);
    Some(Arc::new(array.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_the_digits_that_were_written() {
        let of = |text| decimal(text).map(|d| (d.sql_type().to_string(), d.to_string()));
        assert_eq!(of("0.05"), Some(("DECIMAL(2,2)".into(), "0.05".into())));
        assert_eq!(of("-12.50"), Some(("DECIMAL(4,2)".into(), "-12.50".into())));
        assert_eq!(of("1e3"), None);
        assert_eq!(of(&"9".repeat(39)), None);
    }

    #[test]
    fn literals_convert_only_where_nothing_is_lost() {
        assert_eq!(convert(&Scalar::Int32(300), SqlType::Int8), None);
        assert_eq!(
            convert(&Scalar::Int32(3), SqlType::Int64),
            Some(Scalar::Int64(3))
        );
        let ty = SqlType::Decimal {
            precision: 4,
            scale: 2,
        };
        assert_eq!(convert(&Scalar::Int32(100), ty), None);
        assert_eq!(
            convert(&Scalar::Int32(-99), ty),
            Some(Scalar::Decimal {
                value: -9900,
                precision: 4,
                scale: 2
            })
        );
    }
}
