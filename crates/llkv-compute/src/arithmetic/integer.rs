//! Integer arithmetic of all widths.

use super::pair::{Pair, Refused};
use super::{out_of_range, unsupported};
use crate::value::Value;
use arrow::array::ArrowPrimitiveType;
use llkv_expr::BinaryOp;
use llkv_result::{EvalError, Result};
use llkv_types::SqlType;
use std::fmt::Display;

/// An integer whose operations report overflow instead of wrapping silently.
pub(crate) trait CheckedInteger: Copy + Display + PartialEq + Default {
    /// The sum and whether it overflowed.
    fn add(self, other: Self) -> (Self, bool);
    /// The difference and whether it overflowed.
    fn sub(self, other: Self) -> (Self, bool);
    /// The product and whether it overflowed.
    fn mul(self, other: Self) -> (Self, bool);
    /// The truncated quotient and whether there is none.
    fn div(self, other: Self) -> (Self, bool);
    /// The remainder, with the sign of the dividend, and whether there is none.
    fn rem(self, other: Self) -> (Self, bool);
}

macro_rules! checked_integer {
    ($($native:ty),*) => {$(
        impl CheckedInteger for $native {
            fn add(self, other: Self) -> (Self, bool) {
                self.overflowing_add(other)
            }
            fn sub(self, other: Self) -> (Self, bool) {
                self.overflowing_sub(other)
            }
            fn mul(self, other: Self) -> (Self, bool) {
                self.overflowing_mul(other)
            }
            fn div(self, other: Self) -> (Self, bool) {
                self.checked_div(other).map_or((0, true), |value| (value, false))
            }
            fn rem(self, other: Self) -> (Self, bool) {
                if other == 0 { (0, true) } else { (self.wrapping_rem(other), false) }
            }
        }
    )*};
}

checked_integer!(i8, i16, i32, i64, u8, u16, u32, u64);

/// What the loops of [`integer`] compute of one row; `None` where they refuse it, and for other operators.
#[inline]
pub(crate) fn of_two(op: BinaryOp, left: i64, right: i64) -> Option<i64> {
    let (value, is_invalid) = match op {
        BinaryOp::Add => CheckedInteger::add(left, right),
        BinaryOp::Subtract => CheckedInteger::sub(left, right),
        BinaryOp::Multiply => CheckedInteger::mul(left, right),
        BinaryOp::Divide => CheckedInteger::div(left, right),
        BinaryOp::Modulo => CheckedInteger::rem(left, right),
        _ => return None,
    };
    (!is_invalid).then_some(value)
}

/// Applies an operator to two operands of the Arrow type `T`.
pub(super) fn integer<T>(op: BinaryOp, pair: Pair<'_>, ty: SqlType) -> Result<Value>
where
    T: ArrowPrimitiveType,
    T::Native: CheckedInteger,
{
    let left = Pair::side::<T>(pair.left)?;
    let right = Pair::side::<T>(pair.right)?;
    let values = match op {
        BinaryOp::Add => pair.apply(left, right, T::Native::add),
        BinaryOp::Subtract => pair.apply(left, right, T::Native::sub),
        BinaryOp::Multiply => pair.apply(left, right, T::Native::mul),
        BinaryOp::Divide => pair.apply(left, right, T::Native::div),
        BinaryOp::Modulo => pair.apply(left, right, T::Native::rem),
        _ => return Err(unsupported(op, ty, ty)),
    };
    match values {
        Ok(values) => Ok(pair.finish::<T>(values, ty.to_arrow())),
        Err(refused) => Err(refuse(op, &refused, ty)),
    }
}

fn refuse<N: CheckedInteger>(
    op: BinaryOp,
    refused: &Refused<N, N>,
    ty: SqlType,
) -> llkv_result::Error {
    let divides = matches!(op, BinaryOp::Divide | BinaryOp::Modulo);
    if divides && refused.right == N::default() {
        return EvalError::DivisionByZero.into();
    }
    out_of_range(op, refused.left, refused.right, ty)
}
