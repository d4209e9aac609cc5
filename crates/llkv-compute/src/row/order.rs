//! The order of two values of one plain type.

use crate::compare::float_order;
use llkv_types::Scalar;
use std::cmp::Ordering;

/// How two values that are not NULL stand in SQL's order; `None` for NULL, for values of two types and for types whose
/// order only the kernels know.
#[must_use]
pub fn order_of(left: &Scalar, right: &Scalar) -> Option<Ordering> {
    Some(match (left, right) {
        (Scalar::Int64(l), Scalar::Int64(r)) => l.cmp(r),
        (Scalar::Int32(l), Scalar::Int32(r)) => l.cmp(r),
        (Scalar::Float64(l), Scalar::Float64(r)) => float_order(*l, *r),
        (Scalar::Text(l), Scalar::Text(r)) => l.as_bytes().cmp(r.as_bytes()),
        (Scalar::Boolean(l), Scalar::Boolean(r)) => l.cmp(r),
        (Scalar::Int16(l), Scalar::Int16(r)) => l.cmp(r),
        (Scalar::Int8(l), Scalar::Int8(r)) => l.cmp(r),
        (Scalar::Blob(l), Scalar::Blob(r)) => l.cmp(r),
        (Scalar::Date(l), Scalar::Date(r)) => l.cmp(r),
        (Scalar::Time(l), Scalar::Time(r)) => l.cmp(r),
        (Scalar::Timestamp(l), Scalar::Timestamp(r)) => l.cmp(r),
        (Scalar::TimestampTz(l), Scalar::TimestampTz(r)) => l.cmp(r),
        _ => return None,
    })
}

/// Whether two values are one key, for which NULL equals NULL; `None` as for [`order_of`].
#[must_use]
pub fn same_key(left: &Scalar, right: &Scalar) -> Option<bool> {
    match (left.is_null(), right.is_null()) {
        (false, false) => order_of(left, right).map(Ordering::is_eq),
        (l, r) => Some(l == r),
    }
}
