//! Bit operators over integers.
//!
//! A shift by a negative count goes the other way, one by the width or more leaves nothing but the
//! sign: total, as in SQLite.

use super::pair::Pair;
use super::unsupported;
use crate::arrays::{primitive, with_integer};
use crate::value::Value;
use arrow::array::{ArrowPrimitiveType, PrimitiveArray};
use arrow::compute::unary;
use arrow::datatypes::Int64Type;
use llkv_expr::BinaryOp;
use llkv_result::Result;
use llkv_types::SqlType;
use num_traits::{PrimInt, Zero};
use std::sync::Arc;

/// Applies a bit operator; the right side of a shift is BIGINT.
pub(super) fn bits(op: BinaryOp, left: &Value, right: &Value, ty: SqlType) -> Result<Value> {
    let pair = Pair::new(left, right);
    match op {
        BinaryOp::ShiftLeft | BinaryOp::ShiftRight => {
            with_integer!(ty, shift::<_>(op, pair, ty), Err(unsupported(op, ty, ty)))
        }
        _ => with_integer!(ty, combine::<_>(op, pair, ty), Err(unsupported(op, ty, ty))),
    }
}

fn combine<T>(op: BinaryOp, pair: Pair<'_>, ty: SqlType) -> Result<Value>
where
    T: ArrowPrimitiveType,
    T::Native: PrimInt,
{
    let left = Pair::side::<T>(pair.left)?;
    let right = Pair::side::<T>(pair.right)?;
    let values = match op {
        BinaryOp::BitAnd => pair.apply(left, right, |l, r| (l & r, false)),
        BinaryOp::BitOr => pair.apply(left, right, |l, r| (l | r, false)),
        _ => pair.apply(left, right, |l, r| (l ^ r, false)),
    };
    let values = values.map_err(|_| unsupported(op, ty, ty))?;
    Ok(pair.finish::<T>(values, ty.to_arrow()))
}

fn shift<T>(op: BinaryOp, pair: Pair<'_>, ty: SqlType) -> Result<Value>
where
    T: ArrowPrimitiveType,
    T::Native: PrimInt,
{
    let left = Pair::side::<T>(pair.left)?;
    let count = Pair::side::<Int64Type>(pair.right)?;
    let towards_left = op == BinaryOp::ShiftLeft;
    let values = pair
        .apply(left, count, |value, count: i64| {
            let left = towards_left == (count >= 0);
            (shifted(value, count.unsigned_abs(), left), false)
        })
        .map_err(|_| unsupported(op, ty, ty))?;
    Ok(pair.finish::<T>(values, ty.to_arrow()))
}

fn shifted<N: PrimInt>(value: N, count: u64, left: bool) -> N {
    let width = N::zero().count_zeros();
    match u32::try_from(count) {
        Ok(count) if count < width => {
            if left {
                value << count as usize
            } else {
                value >> count as usize
            }
        }
        _ if !left && value < N::zero() => !N::zero(),
        _ => Zero::zero(),
    }
}

/// `~x`
pub(super) fn not(operand: &Value, ty: SqlType) -> Result<Value> {
    with_integer!(
        ty,
        complement::<_>(operand),
        Err(unsupported(BinaryOp::BitXor, ty, ty))
    )
}

fn complement<T>(operand: &Value) -> Result<Value>
where
    T: ArrowPrimitiveType,
    T::Native: PrimInt,
{
    let array = primitive::<T>(operand.array().as_ref())?;
    let inverted: PrimitiveArray<T> = unary(array, |v| !v);
    Ok(operand.like(Arc::new(inverted)))
}
