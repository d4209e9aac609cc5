//! Arithmetic: `+ - * / %` over numbers, dates and intervals, bit operators and `||`.
//!
//! Results that do not fit their type and division by zero are errors, but only for rows where both
//! operands are there. Integer division truncates; a float result that overflows is an error too.

mod bits;
mod concat;
pub(crate) mod decimal;
mod float;
pub(crate) mod integer;
pub(crate) mod pair;
pub(crate) mod temporal;
mod variant;

use crate::arrays::{sql_type, with_integer};
use crate::value::Value;
use llkv_expr::{BinaryOp, UnaryOp};
use llkv_result::{Error, EvalError, Result};
use llkv_types::{Scalar, SqlType};
use pair::Pair;

/// The value of `left op right`, of type `ty`, for an operator that is no comparison.
pub(crate) fn binary(op: BinaryOp, left: &Value, right: &Value, ty: SqlType) -> Result<Value> {
    if left.is_null_constant() || right.is_null_constant() {
        return Ok(Value::null(ty));
    }
    match op {
        BinaryOp::Concat => concat::concat(left, right, ty),
        BinaryOp::BitAnd
        | BinaryOp::BitOr
        | BinaryOp::BitXor
        | BinaryOp::ShiftLeft
        | BinaryOp::ShiftRight => bits::bits(op, left, right, ty),
        _ => arithmetic(op, left, right, ty),
    }
}

fn arithmetic(op: BinaryOp, left: &Value, right: &Value, ty: SqlType) -> Result<Value> {
    let types = (
        sql_type(left.array().as_ref())?,
        sql_type(right.array().as_ref())?,
    );
    if variant::takes(types.0, types.1) {
        return variant::arithmetic(op, left, right);
    }
    let pair = Pair::new(left, right);
    match types {
        (SqlType::Decimal { .. }, SqlType::Decimal { .. }) => decimal::decimal(op, pair, ty),
        (SqlType::Float64, SqlType::Float64) => float::double(op, pair),
        (SqlType::Float32, SqlType::Float32) => float::real(op, pair),
        (l, r) if l == r && l == ty && l.is_integer() => {
            with_integer!(
                ty,
                checked_integer::<_>(op, pair, ty),
                Err(unsupported(op, l, r))
            )
        }
        (l, r) => temporal::temporal(op, pair, l, r, ty),
    }
}

fn checked_integer<T>(op: BinaryOp, pair: Pair<'_>, ty: SqlType) -> Result<Value>
where
    T: arrow::array::ArrowPrimitiveType,
    T::Native: integer::CheckedInteger,
{
    integer::integer::<T>(op, pair, ty)
}

/// True where no operands give an error: the operator may run on rows that a condition leaves out.
pub(crate) fn is_total(op: BinaryOp, left: SqlType, right: SqlType, ty: SqlType) -> bool {
    let digits = |ty| match ty {
        SqlType::Decimal { precision, scale } => Some((precision, scale)),
        _ => None,
    };
    match op {
        _ if ty == SqlType::Variant => true,
        BinaryOp::Divide | BinaryOp::Modulo => false,
        BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply => {
            match (digits(left), digits(right), digits(ty)) {
                (Some(l), Some(r), Some(out)) if op == BinaryOp::Multiply => {
                    l.0 + r.0 <= out.0 && l.1 + r.1 == out.1
                }
                (Some(l), Some(r), Some(out)) => {
                    l.1 == out.1 && r.1 == out.1 && l.0.max(r.0) < out.0
                }
                _ => false,
            }
        }
        _ => true,
    }
}

/// The value of `-x` or `~x`.
pub(crate) fn unary(op: UnaryOp, operand: &Value) -> Result<Value> {
    let ty = sql_type(operand.array().as_ref())?;
    if operand.is_null_constant() {
        return Ok(Value::null(ty));
    }
    match op {
        UnaryOp::BitNot => bits::not(operand, ty),
        _ => negate(operand, ty),
    }
}

/// `-x` is `0 - x`, but for floats, where zero has a sign.
fn negate(operand: &Value, ty: SqlType) -> Result<Value> {
    match ty {
        SqlType::Float64 | SqlType::Float32 => float::negate(operand),
        SqlType::Interval => temporal::negate(operand),
        SqlType::Variant => variant::negate(operand),
        SqlType::Decimal { .. } => decimal::negate(operand, ty),
        _ => {
            let zero =
                crate::cast::cast_scalar(&Scalar::Int32(0), ty, llkv_expr::CastMode::Strict)?;
            let zero = Value::Constant(zero.to_array(1)?);
            arithmetic(BinaryOp::Subtract, &zero, operand, ty)
        }
    }
}

/// The binder let through what no kernel takes.
pub(crate) fn unsupported(op: BinaryOp, left: SqlType, right: SqlType) -> Error {
    Error::internal(format!("no kernel for {left} {op} {right}"))
}

/// `left op right` does not fit `ty`.
#[cold]
pub(crate) fn out_of_range(
    op: BinaryOp,
    left: impl std::fmt::Display,
    right: impl std::fmt::Display,
    ty: SqlType,
) -> Error {
    EvalError::OutOfRange {
        operation: format!("{left} {op} {right}"),
        ty: ty.to_string(),
    }
    .into()
}
