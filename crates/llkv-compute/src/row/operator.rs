//! Operators on two values of plain types; `None` for those that the kernels compute, errors among them.

use super::order::order_of;
use crate::arithmetic::integer::of_two;
use llkv_expr::{BinaryOp, UnaryOp};
use llkv_types::{Scalar, SqlType};

/// The value of `left op right`, of type `ty`.
pub(super) fn binary(op: BinaryOp, left: &Scalar, right: &Scalar, ty: SqlType) -> Option<Scalar> {
    if op.is_comparison() {
        return comparison(op, left, right);
    }
    match (left, right) {
        (Scalar::Null(_), _) | (_, Scalar::Null(_)) => Some(Scalar::Null(ty)),
        (Scalar::Int64(left), Scalar::Int64(right)) if ty == SqlType::Int64 => {
            of_two(op, *left, *right).map(Scalar::Int64)
        }
        (Scalar::Int32(left), Scalar::Int32(right)) if ty == SqlType::Int32 => {
            let wide = of_two(op, (*left).into(), (*right).into())?;
            i32::try_from(wide).ok().map(Scalar::Int32)
        }
        (Scalar::Float64(left), Scalar::Float64(right)) if ty == SqlType::Float64 => {
            of_floats(op, *left, *right).map(Scalar::Float64)
        }
        _ => None,
    }
}

/// Only what stays finite: an overflow is an error, and so is a division by zero.
fn of_floats(op: BinaryOp, left: f64, right: f64) -> Option<f64> {
    let value = match op {
        BinaryOp::Add => left + right,
        BinaryOp::Subtract => left - right,
        BinaryOp::Multiply => left * right,
        BinaryOp::Divide if right != 0.0 => left / right,
        _ => return None,
    };
    value.is_finite().then_some(value)
}

/// The value of a comparison.
pub(super) fn comparison(op: BinaryOp, left: &Scalar, right: &Scalar) -> Option<Scalar> {
    let (is_distinct, is_not_distinct) = (
        op == BinaryOp::IsDistinctFrom,
        op == BinaryOp::IsNotDistinctFrom,
    );
    if left.is_null() || right.is_null() {
        let are_both = left.is_null() && right.is_null();
        return Some(match is_distinct || is_not_distinct {
            true => Scalar::Boolean(are_both == is_not_distinct),
            false => Scalar::Null(SqlType::Boolean),
        });
    }
    let order = order_of(left, right)?;
    Some(Scalar::Boolean(match op {
        BinaryOp::Eq | BinaryOp::IsNotDistinctFrom => order.is_eq(),
        BinaryOp::NotEq | BinaryOp::IsDistinctFrom => order.is_ne(),
        BinaryOp::Lt => order.is_lt(),
        BinaryOp::LtEq => order.is_le(),
        BinaryOp::Gt => order.is_gt(),
        BinaryOp::GtEq => order.is_ge(),
        _ => return None,
    }))
}

/// The value of an operator with one operand, of type `ty`.
pub(super) fn unary(op: UnaryOp, value: &Scalar, ty: SqlType) -> Option<Scalar> {
    let truth = match value {
        Scalar::Boolean(value) => Some(*value),
        Scalar::Null(_) => None,
        _ if matches!(op, UnaryOp::IsNull | UnaryOp::IsNotNull) => None,
        _ => return negation(op, value, ty),
    };
    Some(Scalar::Boolean(match op {
        UnaryOp::IsNull => value.is_null(),
        UnaryOp::IsNotNull => !value.is_null(),
        UnaryOp::IsTrue => truth == Some(true),
        UnaryOp::IsNotTrue => truth != Some(true),
        UnaryOp::IsFalse => truth == Some(false),
        UnaryOp::IsNotFalse => truth != Some(false),
        UnaryOp::Not => match truth {
            Some(value) => !value,
            None => return Some(Scalar::Null(SqlType::Boolean)),
        },
        UnaryOp::Negate | UnaryOp::BitNot => return value.is_null().then_some(Scalar::Null(ty)),
    }))
}

fn negation(op: UnaryOp, value: &Scalar, ty: SqlType) -> Option<Scalar> {
    match (op, value) {
        (UnaryOp::Negate, Scalar::Int64(value)) if ty == SqlType::Int64 => {
            value.checked_neg().map(Scalar::Int64)
        }
        (UnaryOp::Negate, Scalar::Int32(value)) if ty == SqlType::Int32 => {
            value.checked_neg().map(Scalar::Int32)
        }
        (UnaryOp::Negate, Scalar::Float64(value)) => Some(Scalar::Float64(-value)),
        (UnaryOp::BitNot, Scalar::Int64(value)) if ty == SqlType::Int64 => {
            Some(Scalar::Int64(!value))
        }
        _ => None,
    }
}

/// Casts that no mode knows otherwise.
pub(super) fn cast(value: &Scalar, ty: SqlType) -> Option<Scalar> {
    match (value, ty) {
        (Scalar::Null(_), ty) => Some(Scalar::Null(ty)),
        (Scalar::Int32(value), SqlType::Int64) => Some(Scalar::Int64((*value).into())),
        (Scalar::Int32(value), SqlType::Float64) => Some(Scalar::Float64((*value).into())),
        (Scalar::Int64(value), SqlType::Float64) => Some(Scalar::Float64(*value as f64)),
        (value, ty) if value.sql_type() == ty => Some(value.clone()),
        _ => None,
    }
}
