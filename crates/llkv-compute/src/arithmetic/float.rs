//! DOUBLE and REAL arithmetic: IEEE, but dividing by zero and overflowing are errors.

use super::pair::Pair;
use super::{out_of_range, unsupported};
use crate::arrays::primitive;
use crate::value::Value;
use arrow::array::{ArrowPrimitiveType, PrimitiveArray};
use arrow::compute::unary;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use llkv_expr::BinaryOp;
use llkv_result::{EvalError, Result};
use llkv_types::SqlType;
use num_traits::{Float, Zero};
use std::sync::Arc;

/// DOUBLE with DOUBLE.
pub(super) fn double(op: BinaryOp, pair: Pair<'_>) -> Result<Value> {
    float::<Float64Type>(op, pair, SqlType::Float64)
}

/// REAL with REAL.
pub(super) fn real(op: BinaryOp, pair: Pair<'_>) -> Result<Value> {
    float::<Float32Type>(op, pair, SqlType::Float32)
}

/// An infinite result of finite operands.
fn checked<F: Float>(left: F, right: F, value: F) -> (F, bool) {
    let overflow = value.is_infinite() & left.is_finite() & right.is_finite();
    (value, overflow)
}

fn float<T>(op: BinaryOp, pair: Pair<'_>, ty: SqlType) -> Result<Value>
where
    T: ArrowPrimitiveType,
    T::Native: Float + std::fmt::Display,
{
    let left = Pair::side::<T>(pair.left)?;
    let right = Pair::side::<T>(pair.right)?;
    let values = match op {
        BinaryOp::Add => pair.apply(left, right, |l, r| checked(l, r, l + r)),
        BinaryOp::Subtract => pair.apply(left, right, |l, r| checked(l, r, l - r)),
        BinaryOp::Multiply => pair.apply(left, right, |l, r| checked(l, r, l * r)),
        BinaryOp::Divide => pair.apply(left, right, |l, r| {
            let (value, overflow) = checked(l, r, l / r);
            (value, overflow | r.is_zero())
        }),
        BinaryOp::Modulo => pair.apply(left, right, |l, r| (l % r, r.is_zero())),
        _ => return Err(unsupported(op, ty, ty)),
    };
    match values {
        Ok(values) => Ok(pair.finish::<T>(values, T::DATA_TYPE)),
        Err(refused) if divides(op) && refused.right.is_zero() => {
            Err(EvalError::DivisionByZero.into())
        }
        Err(refused) => Err(out_of_range(op, refused.left, refused.right, ty)),
    }
}

const fn divides(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Divide | BinaryOp::Modulo)
}

/// `-x`, where zero changes its sign too.
pub(super) fn negate(operand: &Value) -> Result<Value> {
    let array = operand.array().as_ref();
    Ok(operand.like(match array.data_type() {
        DataType::Float32 => {
            let negated: PrimitiveArray<Float32Type> =
                unary(primitive::<Float32Type>(array)?, |v| -v);
            Arc::new(negated)
        }
        _ => {
            let negated: PrimitiveArray<Float64Type> =
                unary(primitive::<Float64Type>(array)?, |v| -v);
            Arc::new(negated)
        }
    }))
}
