//! Which types meet in an operator: the questions that the binder asks.
//!
//! The rules are PostgreSQL's where it has the type. Integers widen to the wider of the two; signed
//! and unsigned meet in the next wider signed type (`UBIGINT` with a signed one in DECIMAL); integers
//! and decimals meet in DECIMAL; a float with anything else is DOUBLE; DATE widens to TIMESTAMP, and
//! TIMESTAMP to TIMESTAMP WITH TIME ZONE. TEXT meets only TEXT: a bare literal takes the other side's
//! type before it comes here.

use llkv_expr::BinaryOp;
use llkv_types::SqlType;
use llkv_types::SqlType as T;

const MAX_PRECISION: u8 = SqlType::DECIMAL128_PRECISION;

/// Digits after the point that a quotient of decimals has at least, digits permitting.
const QUOTIENT_SCALE: u8 = 16;

/// Digits after the point that a quotient keeps even where its whole part may need more than is left.
const QUOTIENT_SCALE_MIN: u8 = 6;

/// The DECIMAL that holds every value of an integer type, or the type itself for a decimal.
#[must_use]
pub const fn as_decimal(ty: SqlType) -> Option<(u8, u8)> {
    Some(match ty {
        T::Int8 | T::UInt8 => (3, 0),
        T::Int16 | T::UInt16 => (5, 0),
        T::Int32 | T::UInt32 => (10, 0),
        T::Int64 => (19, 0),
        T::UInt64 => (20, 0),
        T::Decimal { precision, scale } => (precision, scale),
        _ => return None,
    })
}

/// Bits and signedness of an integer type.
const fn integer(ty: SqlType) -> Option<(u8, bool)> {
    Some(match ty {
        T::Int8 => (8, true),
        T::Int16 => (16, true),
        T::Int32 => (32, true),
        T::Int64 => (64, true),
        T::UInt8 => (8, false),
        T::UInt16 => (16, false),
        T::UInt32 => (32, false),
        T::UInt64 => (64, false),
        _ => return None,
    })
}

const fn common_integer(a: SqlType, b: SqlType) -> Option<SqlType> {
    let (Some((a_bits, a_signed)), Some((b_bits, b_signed))) = (integer(a), integer(b)) else {
        return None;
    };
    if a_signed == b_signed {
        return Some(if a_bits >= b_bits { a } else { b });
    }
    let (signed, unsigned) = if a_signed {
        (a_bits, b_bits)
    } else {
        (b_bits, a_bits)
    };
    let needed = if unsigned >= signed {
        unsigned as u16 * 2
    } else {
        signed as u16
    };
    Some(match needed {
        8 | 16 => T::Int16,
        32 => T::Int32,
        64 => T::Int64,
        _ => T::Decimal {
            precision: 20,
            scale: 0,
        },
    })
}

/// The type in which `a` and `b` are compared, and that CASE, COALESCE and UNION give for them.
#[must_use]
pub fn common_type(a: SqlType, b: SqlType) -> Option<SqlType> {
    match (a, b) {
        _ if a == b => Some(a),
        (T::Null, other) | (other, T::Null) => Some(other),
        _ if a.is_integer() && b.is_integer() => common_integer(a, b),
        _ if a.is_numeric() && b.is_numeric() => match (as_decimal(a), as_decimal(b)) {
            (Some(a), Some(b)) => Some(common_decimal(a, b)),
            _ => Some(T::Float64),
        },
        (T::Date, T::Timestamp) | (T::Timestamp, T::Date) => Some(T::Timestamp),
        (T::Date | T::Timestamp, T::TimestampTz) | (T::TimestampTz, T::Date | T::Timestamp) => {
            Some(T::TimestampTz)
        }
        _ => None,
    }
}

/// The common type of several, NULL for none.
#[must_use]
pub fn common_type_of(types: impl IntoIterator<Item = SqlType>) -> Option<SqlType> {
    types.into_iter().try_fold(T::Null, common_type)
}

/// The decimal with enough digits on either side of the point; beyond 38 whole digits give way, as a
/// value that needs them is reported when it occurs, while a digit cut off after the point would not be.
fn common_decimal(a: (u8, u8), b: (u8, u8)) -> SqlType {
    let scale = a.1.max(b.1);
    let whole = (a.0 - a.1).max(b.0 - b.1);
    decimal(whole + scale, scale)
}

fn decimal(precision: u8, scale: u8) -> SqlType {
    let precision = precision.clamp(1, MAX_PRECISION);
    T::Decimal {
        precision,
        scale: scale.min(precision),
    }
}

/// The types to which the operands of `op` are cast, and the type of the result: `(left, right, result)`.
/// `None` where the operator does not take them.
///
/// Decimals are exact as far as 38 digits go: a sum gets one more digit, a product the digits of
/// both, a quotient at least 16 digits after the point while they fit and never fewer than 6.
#[must_use]
pub fn binary_signature(
    op: BinaryOp,
    left: SqlType,
    right: SqlType,
) -> Option<(SqlType, SqlType, SqlType)> {
    match op {
        _ if op.is_comparison() => {
            let ty = common_type(left, right)?;
            Some((ty, ty, T::Boolean))
        }
        BinaryOp::Concat => concat_signature(left, right),
        BinaryOp::BitAnd | BinaryOp::BitOr | BinaryOp::BitXor => bit_signature(left, right),
        BinaryOp::ShiftLeft | BinaryOp::ShiftRight => {
            let left = if left == T::Null { T::Int64 } else { left };
            let valid = left.is_integer() && (right.is_integer() || right == T::Null);
            valid.then_some((left, T::Int64, left))
        }
        _ => arithmetic_signature(op, left, right),
    }
}

/// `||` joins texts and blobs; anything else beside a text is shown as text.
fn concat_signature(left: SqlType, right: SqlType) -> Option<(SqlType, SqlType, SqlType)> {
    match (left, right) {
        (T::Blob, T::Blob | T::Null) | (T::Null, T::Blob) => Some((T::Blob, T::Blob, T::Blob)),
        (T::Text | T::Null, _) | (_, T::Text | T::Null) => Some((T::Text, T::Text, T::Text)),
        _ => None,
    }
}

fn bit_signature(left: SqlType, right: SqlType) -> Option<(SqlType, SqlType, SqlType)> {
    let ty = match common_type(left, right)? {
        T::Null => T::Int64,
        ty => ty,
    };
    ty.is_integer().then_some((ty, ty, ty))
}

fn arithmetic_signature(
    op: BinaryOp,
    left: SqlType,
    right: SqlType,
) -> Option<(SqlType, SqlType, SqlType)> {
    match (left, right) {
        (T::Null, T::Null) => return Some((T::Int32, T::Int32, T::Int32)),
        (T::Null, other) => return null_beside(op, other).map(|(o, n, r)| (n, o, r)),
        (other, T::Null) => return null_beside(op, other),
        _ => {}
    }
    if left == T::Variant && right == T::Variant {
        return Some((left, right, left));
    }
    if !left.is_numeric() || !right.is_numeric() {
        return temporal_signature(op, left, right);
    }
    if left.is_integer() && right.is_integer() {
        let ty = common_integer(left, right)?;
        if ty.is_integer() {
            return Some((ty, ty, ty));
        }
    }
    match (as_decimal(left), as_decimal(right)) {
        (Some(a), Some(b)) => Some(decimal_signature(op, a, b)),
        _ if left == T::Float32 && right == T::Float32 => Some((left, left, left)),
        _ => Some((T::Float64, T::Float64, T::Float64)),
    }
}

/// A bare NULL takes the type that makes the most ordinary sense: the other side's, or an interval or
/// a number of days beside a date.
fn null_beside(op: BinaryOp, other: SqlType) -> Option<(SqlType, SqlType, SqlType)> {
    let null = match other {
        T::Date | T::Time | T::Timestamp | T::TimestampTz => T::Interval,
        T::Interval if matches!(op, BinaryOp::Multiply | BinaryOp::Divide) => T::Float64,
        _ => other,
    };
    arithmetic_signature(op, other, null)
}

fn decimal_signature(op: BinaryOp, a: (u8, u8), b: (u8, u8)) -> (SqlType, SqlType, SqlType) {
    let own = |(p, s)| decimal(p, s);
    let whole = (a.0 - a.1).max(b.0 - b.1);
    match op {
        BinaryOp::Multiply => (own(a), own(b), decimal(a.0 + b.0, a.1 + b.1)),
        BinaryOp::Divide => {
            let whole = (a.0 - a.1) + b.1;
            let room = MAX_PRECISION.saturating_sub(whole);
            let wanted = QUOTIENT_SCALE.max(a.1).max(b.1);
            let least = QUOTIENT_SCALE_MIN.max(a.1);
            let scale = wanted.min(room.max(least)).min(MAX_PRECISION);
            (own(a), own(b), decimal(whole.saturating_add(scale), scale))
        }
        BinaryOp::Modulo => {
            let ty = common_decimal(a, b);
            (ty, ty, ty)
        }
        _ => {
            let scale = a.1.max(b.1);
            let side = |(p, s): (u8, u8)| decimal(p - s + scale, scale);
            (side(a), side(b), decimal(whole + scale + 1, scale))
        }
    }
}

fn temporal_signature(
    op: BinaryOp,
    left: SqlType,
    right: SqlType,
) -> Option<(SqlType, SqlType, SqlType)> {
    use BinaryOp::{Add, Divide, Multiply, Subtract};
    Some(match (op, left, right) {
        (Add, T::Date, int) if int.is_integer() => (T::Date, T::Int64, T::Date),
        (Add, int, T::Date) if int.is_integer() => (T::Int64, T::Date, T::Date),
        (Subtract, T::Date, int) if int.is_integer() => (T::Date, T::Int64, T::Date),
        (Subtract, T::Date, T::Date) => (T::Date, T::Date, T::Int32),
        (Add, T::Date, T::Time) => (T::Date, T::Time, T::Timestamp),
        (Add, T::Time, T::Date) => (T::Time, T::Date, T::Timestamp),
        (Add | Subtract, T::Date, T::Interval) => (T::Timestamp, T::Interval, T::Timestamp),
        (Add, T::Interval, T::Date) => (T::Interval, T::Timestamp, T::Timestamp),
        (Add | Subtract, T::Timestamp | T::TimestampTz | T::Time, T::Interval) => {
            (left, T::Interval, left)
        }
        (Add, T::Interval, T::Timestamp | T::TimestampTz | T::Time) => (T::Interval, right, right),
        (Subtract, T::Time, T::Time) => (T::Time, T::Time, T::Interval),
        (Subtract, a, b) if a.is_temporal() && b.is_temporal() => {
            let ty = common_type(a, b)?;
            (ty, ty, T::Interval)
        }
        (Add | Subtract, T::Interval, T::Interval) => (T::Interval, T::Interval, T::Interval),
        (Multiply | Divide, T::Interval, n) if n.is_numeric() => {
            (T::Interval, T::Float64, T::Interval)
        }
        (Multiply, n, T::Interval) if n.is_numeric() => (T::Float64, T::Interval, T::Interval),
        _ => return None,
    })
}

/// True where a cast from one type to the other exists, whatever becomes of single values.
#[must_use]
pub const fn can_cast(from: SqlType, to: SqlType) -> bool {
    match (from, to) {
        (T::Null, _) => true,
        (_, T::Null) => false,
        (_, T::Text | T::Variant) | (T::Text | T::Variant, _) => true,
        (T::Boolean | T::Blob, T::Boolean) | (T::Blob, T::Blob) => true,
        (T::Boolean, to) => to.is_numeric(),
        (from, T::Boolean) if from.is_numeric() => true,
        (T::Date, T::Date | T::Timestamp | T::TimestampTz) => true,
        (T::Time, T::Time | T::Interval) | (T::Interval, T::Interval | T::Time) => true,
        (T::Timestamp | T::TimestampTz, T::Date | T::Time | T::Timestamp | T::TimestampTz) => true,
        (from, to) => from.is_numeric() && to.is_numeric(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn dec(precision: u8, scale: u8) -> SqlType {
        T::Decimal { precision, scale }
    }

    #[test]
    fn common_types() {
        let cases = [
            (T::Int32, T::Int64, Some(T::Int64)),
            (T::Int32, T::UInt32, Some(T::Int64)),
            (T::UInt8, T::Int8, Some(T::Int16)),
            (T::UInt8, T::Int32, Some(T::Int32)),
            (T::UInt64, T::Int8, Some(dec(20, 0))),
            (T::Int32, dec(15, 2), Some(dec(15, 2))),
            (T::Int64, dec(15, 2), Some(dec(21, 2))),
            (dec(38, 0), dec(38, 10), Some(dec(38, 10))),
            (T::Float32, T::Int32, Some(T::Float64)),
            (T::Date, T::Timestamp, Some(T::Timestamp)),
            (T::Null, T::Text, Some(T::Text)),
            (T::Text, T::Int32, None),
            (T::Boolean, T::Int32, None),
        ];
        for (a, b, expected) in cases {
            assert_eq!(common_type(a, b), expected, "{a} and {b}");
            assert_eq!(common_type(b, a), expected, "{b} and {a}");
        }
    }

    #[test]
    fn decimal_results_have_the_digits_they_need() {
        let result = |op, a, b| binary_signature(op, a, b).map(|(_, _, r)| r);
        let price = dec(15, 2);
        assert_eq!(
            binary_signature(BinaryOp::Subtract, T::Int32, price),
            Some((dec(12, 2), price, dec(16, 2)))
        );
        assert_eq!(
            result(BinaryOp::Multiply, price, dec(16, 2)),
            Some(dec(31, 4))
        );
        assert_eq!(
            result(BinaryOp::Multiply, dec(38, 30), dec(38, 30)),
            Some(dec(38, 38))
        );
        assert_eq!(result(BinaryOp::Divide, price, price), Some(dec(31, 16)));
        assert_eq!(
            result(BinaryOp::Divide, dec(38, 4), dec(38, 4)),
            Some(dec(38, 6))
        );
        assert_eq!(
            result(BinaryOp::Divide, dec(38, 38), dec(38, 38)),
            Some(dec(38, 38))
        );
        assert_eq!(result(BinaryOp::Add, T::UInt64, T::Int64), Some(dec(21, 0)));
    }

    #[test]
    fn every_signature_casts_and_names_a_valid_decimal() {
        let mut types = vec![
            T::Null,
            T::Boolean,
            T::Int8,
            T::Int16,
            T::Int32,
            T::Int64,
            T::UInt8,
            T::UInt16,
            T::UInt32,
            T::UInt64,
            T::Float32,
            T::Float64,
            T::Text,
            T::Blob,
            T::Date,
            T::Time,
            T::Timestamp,
            T::TimestampTz,
            T::Interval,
            T::Variant,
        ];
        for precision in 1..=38 {
            types.extend((0..=precision).map(|scale| dec(precision, scale)));
        }
        let ops = [
            BinaryOp::Add,
            BinaryOp::Subtract,
            BinaryOp::Multiply,
            BinaryOp::Divide,
            BinaryOp::Modulo,
            BinaryOp::Eq,
            BinaryOp::BitAnd,
            BinaryOp::ShiftLeft,
            BinaryOp::Concat,
        ];
        for (&left, &right) in types.iter().flat_map(|l| types.iter().map(move |r| (l, r))) {
            for op in ops {
                let Some((l, r, result)) = binary_signature(op, left, right) else {
                    continue;
                };
                assert!(
                    l == left || can_cast(left, l),
                    "{left} {op} {right}: {left} to {l}"
                );
                assert!(
                    r == right || can_cast(right, r),
                    "{left} {op} {right}: {right} to {r}"
                );
                for ty in [l, r, result] {
                    if let T::Decimal { precision, scale } = ty {
                        assert!((1..=38).contains(&precision) && scale <= precision);
                    }
                }
            }
        }
    }
}
