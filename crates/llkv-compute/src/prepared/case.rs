//! CASE and COALESCE: each branch for the rows that reach it.

use super::filter::{place, truth};
use super::frame::Frame;
use super::node::{CaseNode, Node};
use crate::arrays::true_mask;
use crate::compare::mask;
use crate::value::Value;
use arrow::array::{Array, ArrayRef, BooleanArray, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::zip::zip;
use arrow::compute::{interleave, is_not_null};
use llkv_result::Result;
use llkv_types::SqlType;

/// The value of a CASE.
#[inline(never)]
pub(super) fn case(case: &CaseNode, frame: &Frame<'_>) -> Result<Value> {
    if case.eager {
        return eager(case, frame);
    }
    let mut merge = Merge::new(frame.rows, case.ty);
    for (when, then) in &case.branches {
        let Some(chosen) = choose(when, &merge.open, frame)? else {
            continue;
        };
        fill(&mut merge, then, chosen, frame)?;
        if merge.is_complete() {
            return merge.finish();
        }
    }
    let rest = merge.open.clone();
    fill(&mut merge, &case.otherwise, rest, frame)?;
    merge.finish()
}

/// The open rows for which `when` is TRUE; `None` for none.
///
/// The condition is evaluated as written, not in the order that a filter would take: whether a row
/// gives an error must not depend on its being folded or one of many.
#[inline(never)]
fn choose(when: &Node, open: &BooleanBuffer, frame: &Frame<'_>) -> Result<Option<BooleanBuffer>> {
    let chosen = if open.has_false() {
        let selected = Frame::select(frame, open.clone());
        place(open, &truth(&when.eval(&selected)?, selected.rows)?)
    } else {
        truth(&when.eval(frame)?, frame.rows)?
    };
    Ok(chosen.has_true().then_some(chosen))
}

/// Evaluates a result for the chosen rows.
#[inline(never)]
fn fill(merge: &mut Merge, then: &Node, chosen: BooleanBuffer, frame: &Frame<'_>) -> Result<()> {
    if !chosen.has_true() {
        return Ok(());
    }
    let value = if chosen.has_false() {
        then.eval(&Frame::select(frame, chosen.clone()))?
    } else {
        then.eval(frame)?
    };
    merge.add(&chosen, value);
    Ok(())
}

/// All branches on all rows, the last first.
#[inline(never)]
fn eager(case: &CaseNode, frame: &Frame<'_>) -> Result<Value> {
    let mut result = typed(case.otherwise.eval(frame)?, case.ty);
    for (when, then) in case.branches.iter().rev() {
        let when = when.eval(frame)?;
        if when.is_null_constant() {
            continue;
        }
        let trues = true_mask(mask(&when)?);
        if !trues.has_true() {
            continue;
        }
        let then = typed(then.eval(frame)?, case.ty);
        if !trues.has_false() {
            result = then;
            continue;
        }
        result = Value::Rows(zip(&BooleanArray::new(trues, None), &then, &result)?);
    }
    Ok(result)
}

/// A bare NULL takes the type of the whole.
fn typed(value: Value, ty: SqlType) -> Value {
    if value.is_null_constant() {
        Value::null(ty)
    } else {
        value
    }
}

/// The first operand that is not NULL, each evaluated only where those before it are NULL.
#[inline(never)]
pub(super) fn coalesce(operands: &[Node], ty: SqlType, frame: &Frame<'_>) -> Result<Value> {
    let mut merge = Merge::new(frame.rows, ty);
    for operand in operands {
        coalesce_step(&mut merge, operand, frame)?;
        if merge.is_complete() {
            break;
        }
    }
    merge.finish()
}

#[inline(never)]
fn coalesce_step(merge: &mut Merge, operand: &Node, frame: &Frame<'_>) -> Result<()> {
    let open = merge.open.clone();
    let value = if open.has_false() {
        operand.eval(&Frame::select(frame, open.clone()))?
    } else {
        operand.eval(frame)?
    };
    if value.is_null_constant() {
        return Ok(());
    }
    match &value {
        Value::Constant(_) => merge.add(&open, value),
        Value::Rows(array) => {
            let present = is_not_null(array)?;
            if present.values().has_false() {
                let kept = arrow::compute::filter(array, &present)?;
                merge.add(&place(&open, present.values()), Value::Rows(kept));
            } else {
                merge.add(&open, value);
            }
        }
    }
    Ok(())
}

/// Values of disjoint sets of rows, to be put together.
struct Merge {
    /// The rows that have no value yet.
    open: BooleanBuffer,
    /// The arrays; the first holds a single NULL.
    pieces: Vec<ArrayRef>,
    /// Where each row's value lies: piece and place. Empty until a second piece comes.
    places: Vec<(usize, usize)>,
    /// The value, as long as it covers all rows.
    whole: Option<Value>,
    ty: SqlType,
}

impl Merge {
    fn new(rows: usize, ty: SqlType) -> Self {
        Self {
            open: BooleanBuffer::new_set(rows),
            pieces: Vec::new(),
            places: Vec::new(),
            whole: None,
            ty,
        }
    }

    fn is_complete(&self) -> bool {
        !self.open.has_true()
    }

    /// Takes the values of the rows in `chosen`: as many as bits are set there, or a constant.
    fn add(&mut self, chosen: &BooleanBuffer, value: Value) {
        self.open = &self.open & &!chosen;
        if value.is_null_constant() {
            return;
        }
        if !chosen.has_false() {
            self.whole = Some(value);
            return;
        }
        if self.pieces.is_empty() {
            self.pieces.push(new_null_array(&self.ty.to_arrow(), 1));
            self.places = vec![(0, 0); chosen.len()];
        }
        let piece = self.pieces.len();
        for (at, row) in chosen.set_indices().enumerate() {
            if let Some(place) = self.places.get_mut(row) {
                *place = (piece, if value.is_constant() { 0 } else { at });
            }
        }
        self.pieces.push(value.array().clone());
    }

    fn finish(self) -> Result<Value> {
        if let Some(whole) = self.whole {
            return Ok(whole);
        }
        if self.pieces.is_empty() {
            return Ok(Value::null(self.ty));
        }
        let pieces: Vec<&dyn Array> = self.pieces.iter().map(AsRef::as_ref).collect();
        Ok(Value::Rows(interleave(&pieces, &self.places)?))
    }
}
