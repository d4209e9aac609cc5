//! Evaluation of compiled expressions.
//!
//! A tree may be as deep as the statement that it came from: where the stack runs short, [`deep`]
//! continues on another.

use super::frame::Frame;
use super::node::Node;
use crate::arrays::{boolean, true_mask};
use crate::context::within_clock;
use crate::value::Value;
use crate::{arithmetic, cast, compare};
use arrow::array::BooleanArray;
use arrow::compute::{is_not_null, is_null, not};
use llkv_expr::{BinaryOp, CastMode, FunctionArgs, NullHandling, ScalarFunction, UnaryOp};
use llkv_result::Result;
use llkv_types::SqlType;
use std::sync::Arc;

/// Bytes of stack that one level of the tree may need at most, in a debug build.
const RED_ZONE: usize = 128 << 10;

/// Bytes of stack that are added when fewer are left.
const STACK_SEGMENT: usize = 1 << 20;

/// Runs one level of a recursion over a tree, on a new stack segment where the old one runs short.
pub(crate) fn deep<T>(level: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE, STACK_SEGMENT, level)
}

impl Node {
    /// The value for the rows of a frame, of which there is at least one.
    pub(super) fn eval(&self, frame: &Frame<'_>) -> Result<Value> {
        match self {
            Self::Column { position, .. } => frame.column(*position).map(Value::Rows),
            Self::Constant(array) => Ok(Value::Constant(array.clone())),
            inner => deep(|| inner.eval_inner(frame)),
        }
    }

    fn eval_inner(&self, frame: &Frame<'_>) -> Result<Value> {
        match self {
            Self::Column { .. } | Self::Constant(_) => self.eval(frame),
            Self::Unary { op, operand } => unary(*op, operand, frame),
            Self::Compare(inner) => {
                let (left, right) = operands(&inner.1, &inner.2, frame)?;
                compare::compare(inner.0, &left, &right)
            }
            Self::Binary { inner, ty, .. } => binary(inner, *ty, frame),
            Self::Logic { parts, any } => super::logic::logic(parts, *any, frame),
            Self::Cast {
                operand, ty, mode, ..
            } => convert(operand, *ty, *mode, frame),
            Self::Case(case) => super::case::case(case, frame),
            Self::Coalesce { operands, ty } => super::case::coalesce(operands, *ty, frame),
            Self::InSet {
                operand,
                set,
                negated,
            } => set.contains(&operand.eval(frame)?, *negated),
            Self::Like {
                operand,
                pattern,
                negated,
            } => pattern.matches(&operand.eval(frame)?, *negated),
            Self::DynamicLike(like) => like.eval(frame),
            Self::Function {
                function,
                args,
                ty,
                clock,
            } => match clock {
                None => call(function, args, *ty, frame),
                Some(clock) => within_clock(clock, || call(function, args, *ty, frame)),
            },
        }
    }
}

#[inline(never)]
fn operands(left: &Node, right: &Node, frame: &Frame<'_>) -> Result<(Value, Value)> {
    let left = left.eval(frame)?;
    Ok((left, right.eval(frame)?))
}

#[inline(never)]
fn binary(inner: &(BinaryOp, Node, Node), ty: SqlType, frame: &Frame<'_>) -> Result<Value> {
    let (left, right) = operands(&inner.1, &inner.2, frame)?;
    arithmetic::binary(inner.0, &left, &right, ty)
}

#[inline(never)]
fn convert(operand: &Node, ty: SqlType, mode: CastMode, frame: &Frame<'_>) -> Result<Value> {
    let value = operand.eval(frame)?;
    Ok(value.like(cast::cast(value.array(), ty, mode)?))
}

#[inline(never)]
fn unary(op: UnaryOp, operand: &Node, frame: &Frame<'_>) -> Result<Value> {
    apply_unary(op, operand.eval(frame)?)
}

fn apply_unary(op: UnaryOp, value: Value) -> Result<Value> {
    let array = value.array();
    let mask: BooleanArray = match op {
        UnaryOp::Negate | UnaryOp::BitNot => return arithmetic::unary(op, &value),
        UnaryOp::IsNull => is_null(array)?,
        UnaryOp::IsNotNull => is_not_null(array)?,
        // A bare NULL has a type of its own; its truth value is unknown all the same.
        _ if value.is_null_constant() => match op {
            UnaryOp::Not => return Ok(Value::null(SqlType::Boolean)),
            UnaryOp::IsTrue | UnaryOp::IsFalse => vec![false].into(),
            _ => vec![true].into(),
        },
        UnaryOp::Not => not(boolean(array.as_ref())?)?,
        UnaryOp::IsTrue => BooleanArray::new(true_mask(boolean(array.as_ref())?), None),
        UnaryOp::IsNotTrue => BooleanArray::new(!&true_mask(boolean(array.as_ref())?), None),
        UnaryOp::IsFalse => BooleanArray::new(true_mask(&not(boolean(array.as_ref())?)?), None),
        UnaryOp::IsNotFalse => {
            BooleanArray::new(!&true_mask(&not(boolean(array.as_ref())?)?), None)
        }
    };
    Ok(value.like(Arc::new(mask)))
}

#[inline(never)]
fn call(
    function: &'static ScalarFunction,
    args: &[Node],
    ty: SqlType,
    frame: &Frame<'_>,
) -> Result<Value> {
    let values = args
        .iter()
        .map(|arg| arg.eval(frame))
        .collect::<Result<Vec<_>>>()?;
    apply_function(function, &values, ty, frame.rows)
}

/// Calls a kernel; a volatile function is called for every row, though its arguments are constants.
fn apply_function(
    function: &'static ScalarFunction,
    values: &[Value],
    ty: SqlType,
    rows: usize,
) -> Result<Value> {
    if function.nulls == NullHandling::Strict && values.iter().any(Value::is_null_constant) {
        return Ok(Value::null(ty));
    }
    let volatile = function.volatility == llkv_expr::Volatility::Volatile;
    let constant = !volatile && values.iter().all(Value::is_constant);
    let rows = if constant { 1 } else { rows };
    let arrays: Vec<_> = values.iter().map(|value| value.array().clone()).collect();
    let constants: Vec<_> = values.iter().map(Value::is_constant).collect();
    let result = (function.kernel)(&FunctionArgs {
        arrays: &arrays,
        constants: &constants,
        rows,
        result: ty,
    })?;
    Ok(if constant {
        Value::Constant(result)
    } else {
        Value::Rows(result)
    })
}

impl super::node::DynamicLike {
    #[inline(never)]
    fn eval(&self, frame: &Frame<'_>) -> Result<Value> {
        let (left, pattern) = operands(&self.operand, &self.pattern, frame)?;
        super::like::matches_each(&left, &pattern, (self.escape, self.case), self.negated)
    }
}
