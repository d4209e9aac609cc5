//! Comparisons of two values of one type.
//!
//! Arrow's kernels where their order is SQL's; our own loops for floats (NaN equals itself and is
//! greater than every number, -0.0 equals 0.0) and intervals (compared by length).

use crate::arithmetic::pair::{Pair, Side};
use crate::arithmetic::temporal::interval_nanos;
use crate::arithmetic::unsupported;
use crate::arrays::{boolean, primitive, some_nulls, sql_type};
use crate::value::Value;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::kernels::cmp;
use arrow::compute::{is_not_null, is_null};
use arrow::datatypes::{
    DataType, Decimal64Type, Decimal128Type, Float32Type, Float64Type, IntervalMonthDayNanoType,
};
use llkv_expr::{BinaryOp, CastMode};
use llkv_result::Result;
use llkv_types::SqlType;
use num_traits::Float;
use std::cmp::Ordering;
use std::sync::Arc;

/// The order of floats: numbers as usual, NaN above all and equal to itself.
pub(crate) fn float_order<F: Float>(left: F, right: F) -> Ordering {
    match left.partial_cmp(&right) {
        Some(order) => order,
        None => left.is_nan().cmp(&right.is_nan()),
    }
}

/// The value of `left op right` for a comparison.
pub(crate) fn compare(op: BinaryOp, left: &Value, right: &Value) -> Result<Value> {
    if left.is_null_constant() || right.is_null_constant() {
        return compare_null(op, left, right);
    }
    let (left_ty, right_ty) = (
        sql_type(left.array().as_ref())?,
        sql_type(right.array().as_ref())?,
    );
    let mask = match (left_ty, right_ty) {
        (SqlType::Float64, SqlType::Float64) => {
            let test = order_test(op);
            ordered::<Float64Type>(op, left, right, |l, r| test(float_order(l, r)))?
        }
        (SqlType::Float32, SqlType::Float32) => {
            let test = order_test(op);
            ordered::<Float32Type>(op, left, right, |l, r| test(float_order(l, r)))?
        }
        (SqlType::Interval, SqlType::Interval) => {
            let test = order_test(op);
            ordered::<IntervalMonthDayNanoType>(op, left, right, |l, r| {
                test(interval_nanos(l).cmp(&interval_nanos(r)))
            })?
        }
        (SqlType::Decimal { .. }, SqlType::Decimal { .. }) if left_ty != right_ty => {
            let (left, right) = same_decimal(left, right, left_ty, right_ty)?;
            arrow_compare(op, &left, &right)?
        }
        (SqlType::Variant, SqlType::Variant) => {
            let (left, right) = (variant_keys(left)?, variant_keys(right)?);
            arrow_compare(op, &left, &right)?
        }
        (l, r) if l == r => arrow_compare(op, left, right)?,
        (l, r) => return Err(unsupported(op, l, r)),
    };
    let mask: ArrayRef = Arc::new(mask);
    Ok(if left.is_constant() && right.is_constant() {
        Value::Constant(mask)
    } else {
        Value::Rows(mask)
    })
}

/// Values that carry their own type, by the bytes that decide their order.
fn variant_keys(value: &Value) -> Result<Value> {
    Ok(value.like(crate::keys::normalized(value.array())?))
}

fn arrow_compare(op: BinaryOp, left: &Value, right: &Value) -> Result<BooleanArray> {
    let kernel = match op {
        BinaryOp::Eq => cmp::eq,
        BinaryOp::NotEq => cmp::neq,
        BinaryOp::Lt => cmp::lt,
        BinaryOp::LtEq => cmp::lt_eq,
        BinaryOp::Gt => cmp::gt,
        BinaryOp::GtEq => cmp::gt_eq,
        BinaryOp::IsDistinctFrom => cmp::distinct,
        BinaryOp::IsNotDistinctFrom => cmp::not_distinct,
        _ => return Err(unsupported(op, SqlType::Null, SqlType::Null)),
    };
    Ok(kernel(left, right)?)
}

/// A comparison with a constant NULL.
fn compare_null(op: BinaryOp, left: &Value, right: &Value) -> Result<Value> {
    let other = if left.is_null_constant() { right } else { left };
    Ok(match op {
        BinaryOp::IsDistinctFrom => other.like(Arc::new(is_not_null(other.array())?)),
        BinaryOp::IsNotDistinctFrom => other.like(Arc::new(is_null(other.array())?)),
        _ => Value::null(SqlType::Boolean),
    })
}

/// What an operator makes of an order. `IS DISTINCT FROM` is decided where neither side is NULL.
fn order_test(op: BinaryOp) -> fn(Ordering) -> bool {
    match op {
        BinaryOp::Eq | BinaryOp::IsNotDistinctFrom => Ordering::is_eq,
        BinaryOp::Lt => Ordering::is_lt,
        BinaryOp::LtEq => Ordering::is_le,
        BinaryOp::Gt => Ordering::is_gt,
        BinaryOp::GtEq => Ordering::is_ge,
        _ => Ordering::is_ne,
    }
}

/// Compares native values with `test`.
fn ordered<T: ArrowPrimitiveType>(
    op: BinaryOp,
    left: &Value,
    right: &Value,
    test: impl Fn(T::Native, T::Native) -> bool,
) -> Result<BooleanArray> {
    let mask = match (Pair::side::<T>(left)?, Pair::side::<T>(right)?) {
        (Side::Rows(l), Side::Rows(r)) => {
            let rows = l.len().min(r.len());
            let (l, r) = (&l[..rows], &r[..rows]);
            BooleanBuffer::collect_bool(rows, |i| test(l[i], r[i]))
        }
        (Side::Rows(l), Side::One(r)) => BooleanBuffer::collect_bool(l.len(), |i| test(l[i], r)),
        (Side::One(l), Side::Rows(r)) => BooleanBuffer::collect_bool(r.len(), |i| test(l, r[i])),
        (Side::One(l), Side::One(r)) => BooleanBuffer::collect_bool(1, |_| test(l, r)),
    };
    let nulls = |value: &Value| match value {
        Value::Rows(array) => some_nulls(array),
        Value::Constant(_) => None,
    };
    let (left, right) = (nulls(left), nulls(right));
    let distinct = op == BinaryOp::IsDistinctFrom;
    if !distinct && op != BinaryOp::IsNotDistinctFrom {
        let nulls = NullBuffer::union(left.as_ref(), right.as_ref());
        return Ok(BooleanArray::new(mask, nulls));
    }
    if left.is_none() && right.is_none() {
        return Ok(BooleanArray::new(mask, None));
    }
    let valid = |nulls: &Option<NullBuffer>, row| nulls.as_ref().is_none_or(|n| n.is_valid(row));
    let mask = BooleanBuffer::collect_bool(mask.len(), |row| {
        match (valid(&left, row), valid(&right, row)) {
            (true, true) => mask.value(row),
            (l, r) => (l == r) != distinct,
        }
    });
    Ok(BooleanArray::new(mask, None))
}

/// Two decimals in one Arrow type, digits permitting.
fn same_decimal(
    left: &Value,
    right: &Value,
    left_ty: SqlType,
    right_ty: SqlType,
) -> Result<(Value, Value)> {
    let ty = crate::coercion::common_type(left_ty, right_ty)
        .ok_or_else(|| unsupported(BinaryOp::Eq, left_ty, right_ty))?;
    let to = |value: &Value| -> Result<Value> { Ok(value.like(relabel(value.array(), ty)?)) };
    Ok((to(left)?, to(right)?))
}

/// Another precision for decimals of the same width and scale costs nothing; else it is a cast.
fn relabel(array: &ArrayRef, ty: SqlType) -> Result<ArrayRef> {
    let target = ty.to_arrow();
    Ok(match (array.data_type(), &target) {
        (DataType::Decimal64(_, a), DataType::Decimal64(_, b)) if a == b => Arc::new(
            primitive::<Decimal64Type>(array.as_ref())?
                .clone()
                .with_data_type(target),
        ),
        (DataType::Decimal128(_, a), DataType::Decimal128(_, b)) if a == b => Arc::new(
            primitive::<Decimal128Type>(array.as_ref())?
                .clone()
                .with_data_type(target),
        ),
        _ => crate::cast::cast(array, ty, CastMode::Strict)?,
    })
}

/// The mask below a BOOLEAN value.
pub(crate) fn mask(value: &Value) -> Result<&BooleanArray> {
    boolean(value.array().as_ref())
}
