//! Semi and anti joins that leave few rows run before the joins below them.

use super::build::replace;
use super::reorder_joins::restore;
use crate::column_set::ColumnSet;
use crate::walk::{NodeKinds, take};
use crate::{Join, JoinKind, LogicalPlan, Rule, RuleContext};
use llkv_result::Result;

/// A semi join moves down where it leaves no more than this part of the rows.
const SELECTIVE: f64 = 0.5;

/// The rule.
pub(super) struct PushDownSemiJoins;

impl Rule for PushDownSemiJoins {
    fn name(&self) -> &'static str {
        "push_down_semi_joins"
    }

    fn description(&self) -> &'static str {
        "Selective semi and anti joins move to the relation that they test."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::OUTER_JOIN
    }

    fn rewrite(&self, plan: &mut LogicalPlan, context: &mut RuleContext<'_>) -> Result<bool> {
        let mut changed = false;
        let columns = plan.columns();
        walk(plan, context, &mut changed);
        if changed {
            restore(plan, columns);
        }
        Ok(changed)
    }
}

fn walk(plan: &mut LogicalPlan, context: &mut RuleContext<'_>, changed: &mut bool) {
    if let LogicalPlan::Join(n) = plan
        && movable(n)
        && is_selective(n, context)
    {
        replace(plan, |plan| match plan {
            LogicalPlan::Join(n) => sink(n),
            other => other,
        });
        *changed = true;
    }
    plan.for_each_input_mut(&mut |input| walk(input, context, changed));
}

/// Columns of the left side that the join tests.
fn tested(n: &Join) -> ColumnSet {
    let mut columns = ColumnSet::new();
    n.on.iter().for_each(|(l, _)| columns.insert_expr(l));
    n.filter.iter().for_each(|f| columns.insert_expr(f));
    columns.retain(&n.left.column_set());
    columns
}

/// The side of an inner join below that has all that is tested.
fn movable(n: &Join) -> bool {
    let kind = matches!(
        n.kind,
        JoinKind::Semi | JoinKind::Anti | JoinKind::NullAwareAnti
    );
    let LogicalPlan::Join(below) = n.left.as_ref() else {
        return false;
    };
    if !kind || below.kind != JoinKind::Inner {
        return false;
    }
    let tested = tested(n);
    !tested.is_empty()
        && (tested.is_subset(&below.left.column_set())
            || tested.is_subset(&below.right.column_set()))
}

fn is_selective(n: &Join, context: &RuleContext<'_>) -> bool {
    let left = context.estimator.of(&n.left);
    let right = context.estimator.of(&n.right);
    let rows = left.rows;
    let after = context.estimator.join_of(n, &left, &right).rows;
    after <= rows * SELECTIVE
}

/// Moves the join below inner joins as far as it goes.
fn sink(mut n: Join) -> LogicalPlan {
    if !movable(&n) {
        return LogicalPlan::Join(n);
    }
    let tested = tested(&n);
    let LogicalPlan::Join(mut below) = take(&mut n.left) else {
        return LogicalPlan::Join(n);
    };
    let side = if tested.is_subset(&below.left.column_set()) {
        &mut below.left
    } else {
        &mut below.right
    };
    *n.left = take(side);
    **side = sink(n);
    LogicalPlan::Join(below)
}
