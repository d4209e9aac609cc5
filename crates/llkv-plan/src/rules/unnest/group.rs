//! Aggregates of the rows that go with an outer row, computed as the pairs are found.
//!
//! `(SELECT count(*) FROM u WHERE u.a < t.a)` cannot be grouped before the join: no equality tells the group. Each
//! row of `t` meets the rows of `u` that satisfy the condition anyway, and what is computed of them goes with the row. The
//! general method computes the same once for each different value of `t.a`; it needs that set three times, so
//! that it is better only where many rows have few values.

use super::pull_up::pull_up;
use crate::analysis::aggregate_of_no_rows;
use crate::column_set::ColumnSet;
use crate::rules::build::{join, pass, project};
use crate::{Aggregate, ApplyKind, Join, JoinKind, LogicalPlan, Projection, RuleContext};
use llkv_expr::Expr;

/// Outer rows up to which it does not matter how many of them are alike.
const FEW_ROWS: f64 = 4_096.0;

/// The join that stands for a scalar subquery, or both plans as they were.
pub(super) fn group(
    outer: LogicalPlan,
    inner: LogicalPlan,
    kind: &ApplyKind,
    around: &ColumnSet,
    context: &mut RuleContext<'_>,
) -> Result<LogicalPlan, (LogicalPlan, LogicalPlan)> {
    let is_scalar = matches!(kind, ApplyKind::Scalar { .. });
    let Some(aggregate) = aggregate_of(&inner).filter(|_| is_scalar) else {
        return Err((outer, inner));
    };
    if !aggregate
        .aggregates
        .iter()
        .all(|(_, call)| can_be_grouped(call, around))
        || context.estimator.of(&outer).rows > FEW_ROWS
    {
        return Err((outer, inner));
    }
    let pulled = pull_up((*aggregate.input).clone(), around, context);
    let Some(pulled) = pulled.filter(|pulled| pulled.has_no_default()) else {
        return Err((outer, inner));
    };
    let link = pulled.link(around);
    let mut projections: Vec<Projection> = outer.columns().into_iter().map(pass).collect();
    let (above, aggregates) = taken_apart(inner);
    let joined = LogicalPlan::Join(Join {
        aggregates,
        ..join(outer, pulled.plan, JoinKind::Group, link.keys, link.filter)
    });
    Ok(match above {
        None => joined,
        Some(above) => {
            projections.extend(above);
            project(joined, projections)
        }
    })
}

/// The aggregate without groups that the plan puts out, as it is or as part of expressions.
fn aggregate_of(plan: &LogicalPlan) -> Option<&Aggregate> {
    match plan {
        LogicalPlan::Aggregate(n) => (n.groups.is_empty() && !n.aggregates.is_empty()).then_some(n),
        LogicalPlan::Project(n) => match n.input.as_ref() {
            LogicalPlan::Aggregate(_) => aggregate_of(&n.input),
            _ => None,
        },
        // There is one row.
        LogicalPlan::Limit(n) if n.skip == 0 && n.fetch.is_none_or(|rows| rows > 0) => {
            aggregate_of(&n.input)
        }
        _ => None,
    }
}

/// The parts of a plan that [`aggregate_of`] accepts: expressions over the values, and the values.
fn taken_apart(
    plan: LogicalPlan,
) -> (
    Option<Vec<Projection>>,
    Vec<(crate::PlanColumn, llkv_expr::AggregateExpr)>,
) {
    match plan {
        LogicalPlan::Aggregate(n) => (None, n.aggregates),
        LogicalPlan::Project(n) => (Some(n.projections), taken_apart(*n.input).1),
        LogicalPlan::Limit(n) => taken_apart(*n.input),
        _ => (None, Vec::new()),
    }
}

/// Can the call be fed pairs as they come? It reads inner columns only, and has a value of no rows.
fn can_be_grouped(call: &llkv_expr::AggregateExpr, around: &ColumnSet) -> bool {
    let is_inner = |expr: &Expr| !ColumnSet::of_expr(expr).intersects(around);
    call.order_by.is_empty()
        && !call.function.depends_on_order()
        && aggregate_of_no_rows(call.function, call.ty).is_some()
        && call.args.iter().chain(&call.filter).all(is_inner)
}
