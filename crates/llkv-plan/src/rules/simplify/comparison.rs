//! Comparisons: the column on the left, the constant on the right, no cast between them.

use super::taken;
use llkv_expr::{BinaryOp, CastMode, Expr, UnaryOp};
use llkv_types::{Scalar, SqlType};

/// `5 < x` becomes `x > 5`.
pub(super) fn constant_right(expr: &mut Expr) -> bool {
    let Expr::Binary {
        op, left, right, ..
    } = expr
    else {
        return false;
    };
    match op.swapped() {
        Some(swapped)
            if op.is_comparison()
                && left.as_literal().is_some()
                && right.as_literal().is_none() =>
        {
            *op = swapped;
            std::mem::swap(left, right);
            true
        }
        _ => false,
    }
}

/// `b = TRUE` becomes `b`, `b = FALSE` becomes `NOT b`: NULL stays NULL.
pub(super) fn with_truth_value(expr: &mut Expr) -> bool {
    let Expr::Binary {
        op: op @ (BinaryOp::Eq | BinaryOp::NotEq),
        left,
        right,
        ..
    } = expr
    else {
        return false;
    };
    let Some(Scalar::Boolean(value)) = right.as_literal() else {
        return false;
    };
    let negated = *value != (*op == BinaryOp::Eq);
    let operand = taken(left);
    *expr = if negated {
        let mut not = Expr::unary(UnaryOp::Not, operand);
        super::simplify(&mut not);
        not
    } else {
        operand
    };
    true
}

/// `CAST(x AS wide) < constant` becomes `x < narrow constant`, where no value is lost: scans test
/// columns, not casts of columns.
pub(super) fn without_cast(expr: &mut Expr) -> bool {
    match expr {
        Expr::Binary {
            op, left, right, ..
        } if op.is_comparison() => {
            let Some(value) = right.as_literal() else {
                return false;
            };
            let Some((operand, ty)) = widened(left) else {
                return false;
            };
            let Some(narrow) = narrowed(value, ty) else {
                return false;
            };
            **right = Expr::Literal(narrow);
            **left = operand;
            true
        }
        Expr::InList { expr, list, .. } => {
            let Some((operand, ty)) = widened(expr) else {
                return false;
            };
            let Some(values) = super::logic::list_values(list) else {
                return false;
            };
            let narrow: Option<Vec<Scalar>> = values.iter().map(|v| narrowed(v, ty)).collect();
            let Some(narrow) = narrow.filter(|n| !n.is_empty()) else {
                return false;
            };
            *list = super::logic::in_list(narrow);
            **expr = operand;
            true
        }
        _ => false,
    }
}

/// The operand of a cast that keeps every value and the order, and its type.
fn widened(expr: &Expr) -> Option<(Expr, SqlType)> {
    let Expr::Cast {
        expr: operand,
        ty: wide,
        mode,
    } = expr
    else {
        return None;
    };
    if *mode == CastMode::Sqlite {
        return None;
    }
    let narrow = operand.ty();
    let lossless = match (narrow, *wide) {
        (SqlType::Date, SqlType::Timestamp) => true,
        (
            SqlType::Decimal { precision, scale },
            SqlType::Decimal {
                precision: wide_precision,
                scale: wide_scale,
            },
        ) => wide_scale >= scale && wide_precision - wide_scale >= precision - scale,
        (from, to) if from.is_integer() && to.is_integer() => {
            let ((low, high), (wide_low, wide_high)) = (integer_range(from)?, integer_range(to)?);
            wide_low <= low && high <= wide_high
        }
        (from, SqlType::Decimal { precision, scale }) if from.is_integer() => {
            let (low, high) = integer_range(from)?;
            let most = 10i128.checked_pow(u32::from(precision - scale))?;
            -most < low && high < most
        }
        _ => false,
    };
    lossless.then(|| ((**operand).clone(), narrow))
}

fn integer_range(ty: SqlType) -> Option<(i128, i128)> {
    Some(match ty {
        SqlType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        SqlType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        SqlType::Int32 => (i32::MIN.into(), i32::MAX.into()),
        SqlType::Int64 => (i64::MIN.into(), i64::MAX.into()),
        SqlType::UInt8 => (0, u8::MAX.into()),
        SqlType::UInt16 => (0, u16::MAX.into()),
        SqlType::UInt32 => (0, u32::MAX.into()),
        SqlType::UInt64 => (0, u64::MAX.into()),
        _ => return None,
    })
}

fn integer(value: &Scalar) -> Option<i128> {
    Some(match value {
        Scalar::Int8(v) => i128::from(*v),
        Scalar::Int16(v) => i128::from(*v),
        Scalar::Int32(v) => i128::from(*v),
        Scalar::Int64(v) => i128::from(*v),
        Scalar::UInt8(v) => i128::from(*v),
        Scalar::UInt16(v) => i128::from(*v),
        Scalar::UInt32(v) => i128::from(*v),
        Scalar::UInt64(v) => i128::from(*v),
        Scalar::Decimal { value, scale, .. } => {
            let unit = 10i128.checked_pow(u32::from(*scale))?;
            (value % unit == 0).then_some(value / unit)?
        }
        _ => return None,
    })
}

/// The constant in the narrow type, where that type has the very value.
fn narrowed(value: &Scalar, ty: SqlType) -> Option<Scalar> {
    if value.is_null() {
        return Some(Scalar::Null(ty));
    }
    const DAY_US: i64 = 86_400_000_000;
    Some(match ty {
        SqlType::Date => match value {
            Scalar::Timestamp(us) if us % DAY_US == 0 => {
                Scalar::Date(i32::try_from(us / DAY_US).ok()?)
            }
            _ => return None,
        },
        SqlType::Decimal { precision, scale } => match value {
            Scalar::Decimal {
                value,
                scale: wide_scale,
                ..
            } => {
                let unit = 10i128.checked_pow(u32::from(wide_scale.checked_sub(scale)?))?;
                let narrow = (value % unit == 0).then_some(value / unit)?;
                let most = 10i128.checked_pow(u32::from(precision))?;
                if narrow.abs() >= most {
                    return None;
                }
                Scalar::Decimal {
                    value: narrow,
                    precision,
                    scale,
                }
            }
            _ => return None,
        },
        SqlType::Int8 => Scalar::Int8(integer(value)?.try_into().ok()?),
        SqlType::Int16 => Scalar::Int16(integer(value)?.try_into().ok()?),
        SqlType::Int32 => Scalar::Int32(integer(value)?.try_into().ok()?),
        SqlType::Int64 => Scalar::Int64(integer(value)?.try_into().ok()?),
        SqlType::UInt8 => Scalar::UInt8(integer(value)?.try_into().ok()?),
        SqlType::UInt16 => Scalar::UInt16(integer(value)?.try_into().ok()?),
        SqlType::UInt32 => Scalar::UInt32(integer(value)?.try_into().ok()?),
        SqlType::UInt64 => Scalar::UInt64(integer(value)?.try_into().ok()?),
        _ => return None,
    })
}
