//! Operators on two values of plain types; `None` for those that the kernels compute, errors among them.

use super::order::order_of;
use crate::arithmetic::integer::of_two;
use llkv_expr::{BinaryOp, UnaryOp};
use llkv_types::{Scalar, SqlType};

/// The value of `left op right`, of type `ty`.
pub(super) fn binary(op: BinaryOp, left: &Scalar, right: &Scalar, ty: SqlType) -> Option<Scalar> {
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

/// Whether a comparison holds, unknown being `Some(None)`; `None` for types whose order only the kernels know.
#[inline]
pub(super) fn holds(op: BinaryOp, left: &Scalar, right: &Scalar) -> Option<Option<bool>> {
    if let (Scalar::Int64(left), Scalar::Int64(right)) = (left, right) {
        return Some(Some(op.accepts(left.cmp(right))));
    }
    other_holds(op, left, right)
}

fn other_holds(op: BinaryOp, left: &Scalar, right: &Scalar) -> Option<Option<bool>> {
    if left.is_null() || right.is_null() {
        let are_both = left.is_null() && right.is_null();
        return Some(match op {
            BinaryOp::IsDistinctFrom => Some(!are_both),
            BinaryOp::IsNotDistinctFrom => Some(are_both),
            _ => None,
        });
    }
    order_of(left, right).map(|order| Some(op.accepts(order)))
}

/// Whether a value is NULL, true, false, or its negation; `None` where the kernels are to tell.
pub(super) fn tested(op: UnaryOp, value: &Scalar) -> Option<Option<bool>> {
    let truth = match value {
        Scalar::Boolean(value) => Some(*value),
        Scalar::Null(_) => None,
        _ if matches!(op, UnaryOp::IsNull | UnaryOp::IsNotNull) => None,
        _ => return None,
    };
    Some(Some(match op {
        UnaryOp::IsNull => value.is_null(),
        UnaryOp::IsNotNull => !value.is_null(),
        UnaryOp::IsTrue => truth == Some(true),
        UnaryOp::IsNotTrue => truth != Some(true),
        UnaryOp::IsFalse => truth == Some(false),
        UnaryOp::IsNotFalse => truth != Some(false),
        UnaryOp::Not => return Some(truth.map(|value| !value)),
        UnaryOp::Negate | UnaryOp::BitNot => return None,
    }))
}

/// The negative of a number, of type `ty`, or its bits turned over.
pub(super) fn negation(op: UnaryOp, value: &Scalar, ty: SqlType) -> Option<Scalar> {
    match (op, value) {
        (_, Scalar::Null(_)) => Some(Scalar::Null(ty)),
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
