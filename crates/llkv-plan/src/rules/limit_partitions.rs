//! Of each partition of a window, the first rows only, where a filter above lets no others through: top-k of each group.

use crate::walk::NodeKinds;
use crate::{Filter, LogicalPlan, Rule, RuleContext, Window};
use llkv_expr::{BinaryOp, ColumnId, Expr, WindowCall, WindowExpr, WindowFunction};
use llkv_result::Result;
use llkv_types::Scalar;

/// The rule.
pub(super) struct LimitPartitions;

impl Rule for LimitPartitions {
    fn name(&self) -> &'static str {
        "limit_partitions"
    }

    fn description(&self) -> &'static str {
        "A test like row_number <= 3 tells the window below that later rows of a partition are not wanted."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::WINDOW
    }

    fn rewrite(&self, plan: &mut LogicalPlan, _context: &mut RuleContext<'_>) -> Result<bool> {
        let mut changed = false;
        walk(plan, &mut changed);
        Ok(changed)
    }
}

fn walk(plan: &mut LogicalPlan, changed: &mut bool) {
    if let LogicalPlan::Filter(Filter { input, predicate }) = plan
        && let LogicalPlan::Window(window) = input.as_mut()
        && let Some(wanted) = wanted(window, predicate)
        && window.wanted.is_none_or(|known| known > wanted)
    {
        window.wanted = Some(wanted);
        *changed = true;
    }
    let _ = plan.try_for_each_input_mut::<std::convert::Infallible>(&mut |input| {
        walk(input, changed);
        Ok(())
    });
}

/// The rows of each partition, from the first, beyond which the predicate is not true.
fn wanted(window: &Window, predicate: &Expr) -> Option<u64> {
    // The number of a row depends on those before it alone; other functions would miss the rows that are left out.
    let counts = |call: &WindowExpr| {
        let WindowCall::Function { function, .. } = &call.call else {
            return false;
        };
        let ranks = matches!(function, WindowFunction::RowNumber | WindowFunction::Rank);
        ranks && call.peer_keys == window.order_by.len()
    };
    if !window.functions.iter().all(|(_, call)| counts(call)) {
        return None;
    }
    let is_number = |id: ColumnId| window.functions.iter().any(|(column, _)| column.id == id);
    let bounds = predicate.conjuncts().iter().filter_map(|part| {
        let (column, bound) = upper_bound(part)?;
        is_number(column).then_some(bound)
    });
    bounds.min()
}

/// A column that a predicate holds at or below a number.
fn upper_bound(predicate: &Expr) -> Option<(ColumnId, u64)> {
    let Expr::Binary {
        op, left, right, ..
    } = predicate
    else {
        return None;
    };
    let (op, column, bound) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column { id, .. }, Expr::Literal(Scalar::Int64(bound))) => (*op, *id, *bound),
        (Expr::Literal(Scalar::Int64(bound)), Expr::Column { id, .. }) => {
            let turned = match op {
                BinaryOp::Gt => BinaryOp::Lt,
                BinaryOp::GtEq => BinaryOp::LtEq,
                BinaryOp::Eq => BinaryOp::Eq,
                _ => return None,
            };
            (turned, *id, *bound)
        }
        _ => return None,
    };
    let bound = match op {
        BinaryOp::Lt => bound.saturating_sub(1),
        BinaryOp::LtEq | BinaryOp::Eq => bound,
        _ => return None,
    };
    Some((column, u64::try_from(bound).unwrap_or(0)))
}
