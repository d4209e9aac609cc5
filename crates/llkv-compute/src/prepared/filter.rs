//! WHERE: the rows for which a predicate is TRUE.

use super::eval::deep;
use super::frame::Frame;
use super::node::{Node, Part};
use crate::arrays::true_mask;
use crate::compare::mask;
use crate::value::Value;
use arrow::buffer::BooleanBuffer;
use llkv_result::Result;

/// A part is evaluated on the surviving rows alone where at most one row in this many survives;
/// above that, gathering its columns costs more than computing all rows.
const SELECT_BELOW_ONE_IN: usize = 4;

/// The rows of `frame` for which `node` is TRUE.
#[inline(never)]
pub(super) fn filter(node: &Node, frame: &Frame<'_>) -> Result<BooleanBuffer> {
    if frame.rows == 0 {
        return Ok(BooleanBuffer::new_unset(0));
    }
    match node {
        Node::Logic { parts, any: false } => deep(|| conjunction(parts, frame)),
        _ => truth(&node.eval(frame)?, frame.rows),
    }
}

/// The rows of `rows` in which a value is TRUE.
pub(super) fn truth(value: &Value, rows: usize) -> Result<BooleanBuffer> {
    if value.is_null_constant() {
        return Ok(BooleanBuffer::new_unset(rows));
    }
    let trues = true_mask(mask(value)?);
    Ok(match value {
        Value::Rows(_) => trues,
        Value::Constant(_) if trues.has_true() => BooleanBuffer::new_set(rows),
        Value::Constant(_) => BooleanBuffer::new_unset(rows),
    })
}

#[inline(never)]
fn conjunction(parts: &[Part], frame: &Frame<'_>) -> Result<BooleanBuffer> {
    let mut order: Vec<&Part> = parts.iter().collect();
    // Stable: parts that may fail keep their order among themselves.
    order.sort_by_key(|part| {
        if part.fallible {
            (true, 0)
        } else {
            (false, part.cost)
        }
    });
    let mut alive: Option<BooleanBuffer> = None;
    for part in order {
        let Some(so_far) = alive.take() else {
            alive = Some(filter(&part.node, frame)?);
            continue;
        };
        let count = so_far.count_set_bits();
        if count == 0 {
            return Ok(so_far);
        }
        let few = count * SELECT_BELOW_ONE_IN <= frame.rows;
        alive = Some(if count < frame.rows && (few || part.fallible) {
            refine(&so_far, part, frame)?
        } else {
            &so_far & &filter(&part.node, frame)?
        });
    }
    Ok(alive.unwrap_or_else(|| BooleanBuffer::new_set(frame.rows)))
}

/// Evaluates a part on the rows that are alive.
#[inline(never)]
fn refine(alive: &BooleanBuffer, part: &Part, frame: &Frame<'_>) -> Result<BooleanBuffer> {
    let selected = Frame::select(frame, alive.clone());
    let kept = filter(&part.node, &selected)?;
    Ok(place(alive, &kept))
}

/// The rows of `within` whose bit in `kept`, counted among the set bits of `within`, is set.
pub(super) fn place(within: &BooleanBuffer, kept: &BooleanBuffer) -> BooleanBuffer {
    let mut out = arrow::array::BooleanBufferBuilder::new(within.len());
    out.append_n(within.len(), false);
    for (row, keep) in within.set_indices().zip(kept.iter()) {
        if keep {
            out.set_bit(row, true);
        }
    }
    out.finish()
}
