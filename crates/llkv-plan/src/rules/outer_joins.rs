//! Outer joins become inner ones where a filter above throws away the rows filled up with NULLs.

use crate::analysis::{null_rejected, strict_columns};
use crate::column_set::ColumnSet;
use crate::walk::NodeKinds;
use crate::{Join, JoinKind, LogicalPlan, Rule, RuleContext};
use llkv_expr::ColumnId;
use llkv_result::Result;

/// The rule.
pub(super) struct SimplifyOuterJoins;

impl Rule for SimplifyOuterJoins {
    fn name(&self) -> &'static str {
        "simplify_outer_joins"
    }

    fn description(&self) -> &'static str {
        "An outer join whose NULL rows a filter rejects becomes an inner join, or a one-sided one."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::OUTER_JOIN
    }

    fn rewrite(&self, plan: &mut LogicalPlan, _context: &mut RuleContext<'_>) -> Result<bool> {
        let mut changed = false;
        walk(plan, ColumnSet::new(), &mut changed);
        Ok(changed)
    }
}

/// `rejected`: a row with NULL in one of these columns does not get through to the result.
fn walk(plan: &mut LogicalPlan, mut rejected: ColumnSet, changed: &mut bool) {
    match plan {
        LogicalPlan::Filter(n) => {
            rejected.extend(&null_rejected(&n.predicate));
            walk(&mut n.input, rejected, changed);
        }
        LogicalPlan::Project(n) => {
            let mut below = ColumnSet::new();
            for p in n
                .projections
                .iter()
                .filter(|p| rejected.contains(p.column.id))
            {
                below.extend(&strict_columns(&p.expr));
            }
            walk(&mut n.input, below, changed);
        }
        LogicalPlan::Aggregate(n) => {
            let mut below = ColumnSet::new();
            for g in n.groups.iter().filter(|g| rejected.contains(g.column.id)) {
                below.extend(&strict_columns(&g.expr));
            }
            walk(&mut n.input, below, changed);
        }
        LogicalPlan::Distinct(n) => walk(&mut n.input, rejected, changed),
        LogicalPlan::Sort(n) if n.fetch.is_none() => walk(&mut n.input, rejected, changed),
        LogicalPlan::Join(n) => join(n, rejected, changed),
        LogicalPlan::UnionAll(n) => {
            for input in &mut n.inputs {
                let mut ids: Vec<ColumnId> = Vec::new();
                input.for_each_column(&mut |c| ids.push(c.id));
                let below = n
                    .columns
                    .iter()
                    .zip(ids)
                    .filter(|(c, _)| rejected.contains(c.id))
                    .map(|(_, id)| id)
                    .collect();
                walk(input, below, changed);
            }
        }
        other => {
            other.for_each_input_mut(&mut |input| walk(input, ColumnSet::new(), changed));
        }
    }
}

fn join(n: &mut Join, mut rejected: ColumnSet, changed: &mut bool) {
    let rejects = |side: &LogicalPlan| rejected.intersects(&side.column_set());
    let kind = match n.kind {
        JoinKind::Left if rejects(&n.right) => JoinKind::Inner,
        JoinKind::Right if rejects(&n.left) => JoinKind::Inner,
        JoinKind::Full => match (rejects(&n.left), rejects(&n.right)) {
            (true, true) => JoinKind::Inner,
            (true, false) => JoinKind::Left,
            (false, true) => JoinKind::Right,
            (false, false) => JoinKind::Full,
        },
        kind => kind,
    };
    if kind != n.kind {
        n.kind = kind;
        *changed = true;
    }
    // What the condition itself rejects: rows of a side that must match to get through.
    let mut condition = n.filter.as_ref().map(null_rejected).unwrap_or_default();
    for ((left, right), null_equal) in n.on.iter().zip(&n.null_equal) {
        if !null_equal {
            condition.extend(&strict_columns(left));
            condition.extend(&strict_columns(right));
        }
    }
    let (left, right) = match n.kind {
        JoinKind::Inner | JoinKind::Semi => {
            rejected.extend(&condition);
            (rejected.clone(), rejected)
        }
        JoinKind::Left => (rejected, condition),
        JoinKind::Right => (condition, rejected),
        JoinKind::Anti | JoinKind::Mark if !n.null_aware_mark => (rejected, condition),
        JoinKind::Single
        | JoinKind::Mark
        | JoinKind::NullAwareAnti
        | JoinKind::Anti
        | JoinKind::Group => (rejected, ColumnSet::new()),
        JoinKind::Full => (ColumnSet::new(), ColumnSet::new()),
    };
    walk(&mut n.left, left, changed);
    walk(&mut n.right, right, changed);
}
