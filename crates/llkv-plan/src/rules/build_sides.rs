//! The smaller input of an outer join becomes the build side, the right one; a small left input that decides which
//! rows of the right one matter is read first.

use super::reorder_joins::restore;
use crate::walk::NodeKinds;
use crate::{Join, JoinKind, LogicalPlan, Rule, RuleContext};
use llkv_result::Result;

/// Sides are exchanged where the build side is expected to be larger by this factor: estimates of
/// near equal sides are no reason.
const LARGER: f64 = 1.5;

/// A left side is read first where it is expected to be smaller by this factor, ...
const FAR_SMALLER: f64 = 4.0;

/// ... and to have no more rows than are lightly kept in memory.
const FEW_ROWS: f64 = 1_000_000.0;

/// The rule.
pub(super) struct ChooseBuildSides;

impl Rule for ChooseBuildSides {
    fn name(&self) -> &'static str {
        "choose_build_sides"
    }

    fn description(&self) -> &'static str {
        "Exchanges the inputs of outer joins so that the smaller one is the build side; reads a small left input first."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::OUTER_JOIN
    }

    fn rewrite(&self, plan: &mut LogicalPlan, context: &mut RuleContext<'_>) -> Result<bool> {
        let mut changed = false;
        walk(plan, true, context, &mut changed);
        Ok(changed)
    }
}

/// `exact`: somebody counts on the order of the columns.
fn walk(plan: &mut LogicalPlan, exact: bool, context: &mut RuleContext<'_>, changed: &mut bool) {
    let columns = match plan {
        LogicalPlan::Join(n) if reads_left_first(n, context) => {
            n.left_first = true;
            *changed = true;
            Vec::new()
        }
        LogicalPlan::Join(n) if swaps(n, context) => {
            let columns = if exact { plan.columns() } else { Vec::new() };
            if let LogicalPlan::Join(n) = plan {
                swap(n);
                *changed = true;
            }
            columns
        }
        _ => Vec::new(),
    };
    let below = match plan {
        LogicalPlan::Project(_) | LogicalPlan::Aggregate(_) => false,
        LogicalPlan::UnionAll(_)
        | LogicalPlan::SetOp(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Recursive(_) => true,
        _ => exact && columns.is_empty(),
    };
    plan.for_each_input_mut(&mut |input| walk(input, below, context, changed));
    if !columns.is_empty() {
        restore(plan, columns);
    }
}

fn swaps(n: &Join, context: &RuleContext<'_>) -> bool {
    matches!(n.kind, JoinKind::Left | JoinKind::Right | JoinKind::Full) && {
        let left = context.estimator.of(&n.left).rows;
        let right = context.estimator.of(&n.right).rows;
        right > left * LARGER
    }
}

/// Kinds that put out left rows alone, or with at most one right row: the right side cannot be the smaller one.
fn reads_left_first(n: &Join, context: &RuleContext<'_>) -> bool {
    let right_rows_need_left = match n.kind {
        JoinKind::Semi | JoinKind::Anti | JoinKind::Single => true,
        JoinKind::Mark => !n.null_aware_mark,
        _ => false,
    };
    right_rows_need_left && !n.left_first && !n.on.is_empty() && {
        let left = context.estimator.of(&n.left).rows;
        left <= FEW_ROWS && left * FAR_SMALLER < context.estimator.of(&n.right).rows
    }
}

fn swap(n: &mut Join) {
    std::mem::swap(&mut n.left, &mut n.right);
    for (l, r) in &mut n.on {
        std::mem::swap(l, r);
    }
    n.kind = match n.kind {
        JoinKind::Left => JoinKind::Right,
        JoinKind::Right => JoinKind::Left,
        other => other,
    };
}
