//! The loops below all binary kernels: two operands, each an array or a constant.

use crate::arrays::{primitive, some_nulls};
use crate::value::Value;
use arrow::array::{ArrowPrimitiveType, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use llkv_result::Result;
use std::sync::Arc;

/// The native values of an operand.
#[derive(Clone, Copy)]
pub(crate) enum Side<'a, T> {
    /// One per row.
    Rows(&'a [T]),
    /// The same for all rows.
    One(T),
}

impl<T: Copy> Side<'_, T> {
    pub(super) fn fold<A>(&self, start: A, mut f: impl FnMut(A, T) -> A) -> A {
        match self {
            Self::Rows(values) => values.iter().fold(start, |all, value| f(all, *value)),
            Self::One(value) => f(start, *value),
        }
    }

    fn at(&self, row: usize) -> Option<T> {
        match self {
            Self::Rows(values) => values.get(row).copied(),
            Self::One(value) => Some(*value),
        }
    }
}

/// A row whose operands a kernel refuses.
pub(crate) struct Refused<L, R> {
    pub(crate) left: L,
    pub(crate) right: R,
}

/// Two operands and the rows where both are there.
pub(crate) struct Pair<'a> {
    pub(crate) left: &'a Value,
    pub(crate) right: &'a Value,
    nulls: Option<NullBuffer>,
    constant: bool,
}

impl<'a> Pair<'a> {
    /// Pairs two values of the same batch. Neither may be a constant NULL.
    pub(crate) fn new(left: &'a Value, right: &'a Value) -> Self {
        let nulls = |value: &Value| match value {
            Value::Rows(array) => some_nulls(array),
            Value::Constant(_) => None,
        };
        Self {
            left,
            right,
            nulls: NullBuffer::union(nulls(left).as_ref(), nulls(right).as_ref()),
            constant: left.is_constant() && right.is_constant(),
        }
    }

    /// The values of an operand.
    pub(crate) fn side<T: ArrowPrimitiveType>(value: &Value) -> Result<Side<'_, T::Native>> {
        let array = primitive::<T>(value.array().as_ref())?;
        Ok(match (value, array.values().first()) {
            (Value::Constant(_), Some(&only)) => Side::One(only),
            _ => Side::Rows(array.values()),
        })
    }

    /// Applies `op`, which gives a value and whether it is invalid, to all rows. It is called for
    /// NULL rows too, with whatever lies there; an invalid value counts only where no operand is NULL.
    pub(crate) fn apply<L: Copy, R: Copy, O>(
        &self,
        left: Side<'_, L>,
        right: Side<'_, R>,
        op: impl Fn(L, R) -> (O, bool),
    ) -> Result<Vec<O>, Refused<L, R>> {
        let mut invalid = false;
        let mut step = |l: L, r: R| {
            let (value, bad) = op(l, r);
            invalid |= bad;
            value
        };
        let values: Vec<O> = match (left, right) {
            (Side::Rows(l), Side::Rows(r)) => l.iter().zip(r).map(|(&l, &r)| step(l, r)).collect(),
            (Side::Rows(l), Side::One(r)) => l.iter().map(|&l| step(l, r)).collect(),
            (Side::One(l), Side::Rows(r)) => r.iter().map(|&r| step(l, r)).collect(),
            (Side::One(l), Side::One(r)) => vec![step(l, r)],
        };
        if invalid {
            self.refused(values.len(), left, right, op)?;
        }
        Ok(values)
    }

    /// Looks for the first row that is invalid and not NULL.
    #[cold]
    fn refused<L: Copy, R: Copy, O>(
        &self,
        rows: usize,
        left: Side<'_, L>,
        right: Side<'_, R>,
        op: impl Fn(L, R) -> (O, bool),
    ) -> Result<(), Refused<L, R>> {
        for row in 0..rows {
            if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            if let (Some(l), Some(r)) = (left.at(row), right.at(row))
                && op(l, r).1
            {
                return Err(Refused { left: l, right: r });
            }
        }
        Ok(())
    }

    /// Puts values into an array of `data_type`, NULL where an operand is.
    pub(crate) fn finish<O: ArrowPrimitiveType>(
        self,
        values: Vec<O::Native>,
        data_type: DataType,
    ) -> Value {
        let array = PrimitiveArray::<O>::new(values.into(), self.nulls).with_data_type(data_type);
        if self.constant {
            Value::Constant(Arc::new(array))
        } else {
            Value::Rows(Arc::new(array))
        }
    }
}
