//! AND and OR, three-valued, with a short circuit.
//!
//! A part that may fail is evaluated only for the rows that the parts before it leave open, so that
//! `b <> 0 AND a / b > 1` never divides by zero.

use super::frame::Frame;
use super::node::Part;
use crate::arrays::true_mask;
use crate::compare::mask;
use crate::value::{Value, repeat};
use arrow::array::{Array, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{and_kleene, not, or_kleene};
use llkv_result::Result;
use llkv_types::SqlType;
use std::sync::Arc;

/// The value of a conjunction, or of a disjunction where `any` is set.
#[inline(never)]
pub(super) fn logic(parts: &[Part], any: bool, frame: &Frame<'_>) -> Result<Value> {
    let mut result: Option<Value> = None;
    for part in parts {
        let Some(so_far) = result.take() else {
            result = Some(part.node.eval(frame)?);
            continue;
        };
        let decided = decided_rows(&so_far, any)?;
        if decided.has_false() {
            result = Some(step(so_far, part, any, &decided, frame)?);
        } else {
            return Ok(so_far);
        }
    }
    Ok(result.unwrap_or_else(|| constant(!any)))
}

fn constant(value: bool) -> Value {
    Value::Constant(Arc::new(BooleanArray::from(vec![value])))
}

/// Rows whose result no further part can change: FALSE for AND, TRUE for OR.
fn decided_rows(value: &Value, any: bool) -> Result<BooleanBuffer> {
    if value.is_null_constant() {
        return Ok(BooleanBuffer::new_unset(1));
    }
    let array = mask(value)?;
    Ok(if any {
        true_mask(array)
    } else {
        true_mask(&not(array)?)
    })
}

#[inline(never)]
fn step(
    so_far: Value,
    part: &Part,
    any: bool,
    decided: &BooleanBuffer,
    frame: &Frame<'_>,
) -> Result<Value> {
    if so_far.is_constant() || !part.fallible || !decided.has_true() {
        let next = part.node.eval(frame)?;
        return combine(&so_far, &next, any);
    }
    let open = !decided;
    let selected = Frame::select(frame, open.clone());
    let next = part.node.eval(&selected)?.into_rows(selected.rows)?;
    let next = scatter(&open, mask(&Value::Rows(next))?, any);
    combine(&so_far, &Value::Rows(Arc::new(next)), any)
}

/// Puts the values of selected rows back in place; the others get what changes nothing.
fn scatter(open: &BooleanBuffer, values: &BooleanArray, any: bool) -> BooleanArray {
    let mut at = 0;
    open.iter()
        .map(|selected| {
            if !selected {
                return Some(!any);
            }
            let value = (at < values.len() && values.is_valid(at)).then(|| values.value(at));
            at += 1;
            value
        })
        .collect()
}

fn combine(left: &Value, right: &Value, any: bool) -> Result<Value> {
    if left.is_constant() && right.is_constant() {
        let (left, right) = (boolean_constant(left)?, boolean_constant(right)?);
        return Ok(Value::Constant(Arc::new(kleene(
            mask(&left)?,
            mask(&right)?,
            any,
        )?)));
    }
    let rows = if left.is_constant() {
        right.array().len()
    } else {
        left.array().len()
    };
    let (left, right) = (spread(left, rows)?, spread(right, rows)?);
    let combined = kleene(mask(&left)?, mask(&right)?, any)?;
    Ok(Value::Rows(Arc::new(combined)))
}

fn kleene(left: &BooleanArray, right: &BooleanArray, any: bool) -> Result<BooleanArray> {
    Ok(if any {
        or_kleene(left, right)?
    } else {
        and_kleene(left, right)?
    })
}

/// A bare NULL becomes a BOOLEAN one.
fn boolean_constant(value: &Value) -> Result<Value> {
    Ok(if value.is_null_constant() {
        Value::null(SqlType::Boolean)
    } else {
        value.clone()
    })
}

fn spread(value: &Value, rows: usize) -> Result<Value> {
    Ok(match boolean_constant(value)? {
        Value::Constant(array) => Value::Rows(repeat(&array, rows)?),
        value => value,
    })
}
