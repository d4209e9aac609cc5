//! Parts of a plan that cannot give a row vanish, and what depends on them with them.

use super::build::{empty, pass, project, replace};
use crate::analysis::{aggregate_of_no_rows, is_always_true, is_never_true};
use crate::walk::{NodeKinds, take};
use crate::{
    Join, JoinKind, LogicalPlan, PlanColumn, Projection, Rule, RuleContext, SetOpKind, UnionAll,
};
use llkv_expr::{AggregateExpr, Expr};
use llkv_result::Result;
use llkv_types::Scalar;

/// The rule.
pub(super) struct RemoveEmptyRelations;

impl Rule for RemoveEmptyRelations {
    fn name(&self) -> &'static str {
        "remove_empty_relations"
    }

    fn description(&self) -> &'static str {
        "Filters that nothing passes and relations without rows are cut out."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::FILTER.or(NodeKinds::LEAF)
    }

    fn rewrite(&self, plan: &mut LogicalPlan, _context: &mut RuleContext<'_>) -> Result<bool> {
        let mut changed = false;
        walk(plan, &mut changed);
        Ok(changed)
    }
}

fn is_empty(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Values(n) if n.batches.iter().all(|b| b.num_rows() == 0))
}

fn walk(plan: &mut LogicalPlan, changed: &mut bool) {
    plan.for_each_input_mut(&mut |input| walk(input, changed));
    let gone = match plan {
        LogicalPlan::Filter(n) if is_always_true(&n.predicate) => {
            *plan = take(&mut n.input);
            *changed = true;
            return;
        }
        LogicalPlan::Filter(n) => is_never_true(&n.predicate) || is_empty(&n.input),
        LogicalPlan::Scan(n) => n.predicates.iter().any(is_never_true),
        LogicalPlan::Project(n) => is_empty(&n.input),
        LogicalPlan::Aggregate(n) => !n.groups.is_empty() && is_empty(&n.input),
        LogicalPlan::Distinct(n) => is_empty(&n.input),
        LogicalPlan::Window(n) => is_empty(&n.input),
        LogicalPlan::Expand(n) => is_empty(&n.input),
        LogicalPlan::Series(n) => is_empty(&n.input),
        LogicalPlan::Recursive(n) => is_empty(&n.base),
        LogicalPlan::WorkingTable(_) => false,
        LogicalPlan::Sort(n) => is_empty(&n.input),
        LogicalPlan::Limit(n) => n.fetch == Some(0) || is_empty(&n.input),
        LogicalPlan::Shared(n) => is_empty(&n.input),
        LogicalPlan::Join(n) => {
            if join_is_empty(n) {
                true
            } else {
                if is_empty(&n.left) || is_empty(&n.right) {
                    *changed |= without_a_side(plan);
                }
                return;
            }
        }
        LogicalPlan::UnionAll(n) => {
            let before = n.inputs.len();
            n.inputs.retain(|input| !is_empty(input));
            *changed |= before != n.inputs.len();
            if n.inputs.len() == 1 {
                replace(plan, single_input);
                return;
            }
            n.inputs.is_empty()
        }
        LogicalPlan::SetOp(n) => {
            is_empty(&n.left) || (n.kind == SetOpKind::Intersect && is_empty(&n.right))
        }
        LogicalPlan::External(_) | LogicalPlan::Values(_) | LogicalPlan::Apply(_) => false,
    };
    if gone {
        *plan = empty(plan.columns());
        *changed = true;
    }
}

/// A union of one input is a projection that gives the columns their ids.
fn single_input(plan: LogicalPlan) -> LogicalPlan {
    let LogicalPlan::UnionAll(UnionAll {
        mut inputs,
        columns,
    }) = plan
    else {
        return plan;
    };
    let Some(input) = inputs.pop() else {
        return empty(columns);
    };
    let mut own = Vec::with_capacity(columns.len());
    input.for_each_column(&mut |c| own.push(Expr::column(c.id, c.ty)));
    let projections = columns
        .into_iter()
        .zip(own)
        .map(|(column, expr)| Projection { column, expr })
        .collect();
    project(input, projections)
}

fn join_is_empty(n: &Join) -> bool {
    let never = n.filter.as_ref().is_some_and(is_never_true);
    let (left, right) = (is_empty(&n.left), is_empty(&n.right));
    match n.kind {
        JoinKind::Inner => never || left || right,
        JoinKind::Semi => never || left || right,
        JoinKind::Left
        | JoinKind::Single
        | JoinKind::Mark
        | JoinKind::Group
        | JoinKind::Anti
        | JoinKind::NullAwareAnti => left,
        JoinKind::Right => right,
        JoinKind::Full => left && right,
    }
}

/// A join of which one side is empty and the other keeps its rows.
fn without_a_side(plan: &mut LogicalPlan) -> bool {
    let LogicalPlan::Join(n) = plan else {
        return false;
    };
    let keeps_right = is_empty(&n.left);
    let (kept, lost) = if keeps_right {
        (&mut n.right, &n.left)
    } else {
        (&mut n.left, &n.right)
    };
    let nulls = |columns: Vec<PlanColumn>| {
        columns.into_iter().map(|c| Projection {
            expr: Expr::Literal(Scalar::Null(c.ty)),
            column: PlanColumn {
                nullable: true,
                ..c
            },
        })
    };
    let own = kept.columns().into_iter().map(pass);
    let projections: Vec<Projection> = match n.kind {
        JoinKind::Left | JoinKind::Single => own.chain(nulls(lost.columns())).collect(),
        JoinKind::Full if !keeps_right => own.chain(nulls(lost.columns())).collect(),
        JoinKind::Right | JoinKind::Full => nulls(lost.columns()).chain(own).collect(),
        JoinKind::Mark => own
            .chain(n.mark.iter().map(|mark| Projection {
                column: mark.clone(),
                expr: Expr::boolean(false),
            }))
            .collect(),
        JoinKind::Group => {
            let of_none = |(column, call): &(PlanColumn, AggregateExpr)| {
                let expr = aggregate_of_no_rows(call.function, call.ty)?;
                let column = column.clone();
                Some(Projection { column, expr })
            };
            let Some(values) = n.aggregates.iter().map(of_none).collect::<Option<Vec<_>>>() else {
                return false;
            };
            own.chain(values).collect()
        }
        _ => own.collect(),
    };
    let kept = take(kept);
    *plan = project(kept, projections);
    true
}
