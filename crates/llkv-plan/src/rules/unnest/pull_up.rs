//! Lifts the predicates that correlate a subquery to its top, where they become join conditions.
//!
//! For an outer row `o`, the subquery's rows are the rows of the lifted plan for which the lifted
//! predicates hold, cut down to the subquery's columns.

use super::attach::{Link, link_of};
use super::equality_with_outer;
use super::first_row::per_row;
use crate::analysis::{aggregate_of_no_rows, is_never_true};
use crate::column_set::ColumnSet;
use crate::rules::build::{equality, filter, pass, project};
use crate::{
    Aggregate, ApplyKind, Distinct, Join, JoinKind, LogicalPlan, PlanColumn, Project, Projection,
    RuleContext,
};
use hashbrown::HashMap;
use llkv_expr::{ColumnId, Expr};

/// A plan without correlation, and the predicates that had made it.
pub(super) struct Pulled {
    pub(super) plan: LogicalPlan,
    predicates: Vec<Expr>,
    /// Values of the one row that is there when no row satisfies the predicates, for all columns
    /// that the subquery had before.
    default: Option<HashMap<ColumnId, Expr>>,
}

impl Pulled {
    /// Can a subquery of that kind be joined by its predicates?
    pub(super) fn serves(&self, kind: &ApplyKind) -> bool {
        !(self.default.is_some() && matches!(kind, ApplyKind::In { .. }))
    }

    /// Is an outer row without rows that satisfy the predicates a row without rows?
    pub(super) const fn has_no_default(&self) -> bool {
        self.default.is_none()
    }

    pub(super) fn link(&self, outer: &ColumnSet) -> Link {
        let default = self
            .default
            .as_ref()
            .map(|values| values.iter().map(|(id, e)| (*id, e.clone())).collect());
        link_of(self.predicates.clone(), default, outer)
    }
}

fn reads(expr: &Expr, columns: &ColumnSet) -> bool {
    ColumnSet::of_expr(expr).intersects(columns)
}

/// Lifts the correlation of `plan` with the columns of `outer`; None where that is not possible.
pub(super) fn pull_up(
    plan: LogicalPlan,
    outer: &ColumnSet,
    context: &mut RuleContext<'_>,
) -> Option<Pulled> {
    if !plan.depends_on(outer) {
        return Some(Pulled {
            plan,
            predicates: Vec::new(),
            default: None,
        });
    }
    match plan {
        LogicalPlan::Filter(n) => {
            let below = pull_up(*n.input, outer, context)?;
            through_filter(below, n.predicate, outer)
        }
        LogicalPlan::Project(n) => through_project(n, outer, context),
        LogicalPlan::Join(n) => through_join(n, outer, context),
        LogicalPlan::Aggregate(n) => through_aggregate(n, outer, context),
        LogicalPlan::Distinct(n) => through_distinct(n, outer, context),
        LogicalPlan::Sort(n) if n.fetch.is_none() => pull_up(*n.input, outer, context),
        LogicalPlan::Limit(n) => {
            let plan = per_row(n, context).ok()?;
            pull_up(plan, outer, context)
        }
        _ => None,
    }
}

fn through_filter(mut below: Pulled, predicate: Expr, outer: &ColumnSet) -> Option<Pulled> {
    let predicates = predicate.into_conjuncts();
    if let Some(default) = below.default.take() {
        // The default row must be known to fail: then no match is no row.
        let fails = predicates.iter().any(|p| {
            let value = p.clone().map_columns(&mut |id| default.get(&id).cloned());
            is_never_true(&crate::rules::fold(value))
        });
        if !fails {
            return None;
        }
    }
    let (mut lifted, own): (Vec<Expr>, Vec<Expr>) =
        predicates.into_iter().partition(|p| reads(p, outer));
    below.predicates.append(&mut lifted);
    below.plan = filter(below.plan, own);
    Some(below)
}

/// The columns that the lifted predicates read from the plan.
fn read_by(predicates: &[Expr], outer: &ColumnSet) -> ColumnSet {
    let mut read = ColumnSet::new();
    predicates.iter().for_each(|p| read.insert_expr(p));
    read.subtract(outer);
    read
}

fn through_project(
    mut n: Project,
    outer: &ColumnSet,
    context: &mut RuleContext<'_>,
) -> Option<Pulled> {
    let input = std::mem::replace(&mut *n.input, LogicalPlan::one_row());
    let below = pull_up(input, outer, context)?;
    if n.projections.iter().any(|p| reads(&p.expr, outer)) {
        return None;
    }
    let mut missing = read_by(&below.predicates, outer);
    for p in &n.projections {
        missing.remove(p.column.id);
    }
    let default = below.default.map(|values| {
        n.projections
            .iter()
            .map(|p| {
                let value = p
                    .expr
                    .clone()
                    .map_columns(&mut |id| values.get(&id).cloned());
                (p.column.id, crate::rules::fold(value))
            })
            .collect()
    });
    let kept = below.plan.columns();
    n.projections.extend(
        kept.into_iter()
            .filter(|c| missing.contains(c.id))
            .map(pass),
    );
    Some(Pulled {
        plan: project(below.plan, n.projections),
        predicates: below.predicates,
        default,
    })
}

fn through_join(mut n: Join, outer: &ColumnSet, context: &mut RuleContext<'_>) -> Option<Pulled> {
    let left = std::mem::replace(&mut *n.left, LogicalPlan::one_row());
    if n.kind != JoinKind::Inner {
        let keeps_left = !matches!(n.kind, JoinKind::Right | JoinKind::Full);
        let condition_reads = n.on.iter().any(|(l, r)| reads(l, outer) || reads(r, outer))
            || n.filter.iter().any(|f| reads(f, outer));
        if !keeps_left || condition_reads || n.right.depends_on(outer) {
            return None;
        }
        let below = pull_up(left, outer, context).filter(|p| p.default.is_none())?;
        *n.left = below.plan;
        return Some(Pulled {
            plan: LogicalPlan::Join(n),
            predicates: below.predicates,
            default: None,
        });
    }
    let right = std::mem::replace(&mut *n.right, LogicalPlan::one_row());
    let left = pull_up(left, outer, context).filter(|p| p.default.is_none())?;
    let right = pull_up(right, outer, context).filter(|p| p.default.is_none())?;
    let mut predicates = left.predicates;
    predicates.extend(right.predicates);
    let mut on = Vec::new();
    for ((l, r), null_equal) in n.on.into_iter().zip(n.null_equal) {
        if reads(&l, outer) || reads(&r, outer) {
            predicates.push(equality(l, r, null_equal));
        } else {
            on.push((l, r, null_equal));
        }
    }
    let (lifted, own): (Vec<Expr>, Vec<Expr>) = n
        .filter
        .map(Expr::into_conjuncts)
        .unwrap_or_default()
        .into_iter()
        .partition(|p| reads(p, outer));
    predicates.extend(lifted);
    let join = crate::rules::build::join(left.plan, right.plan, JoinKind::Inner, on, own);
    Some(Pulled {
        plan: LogicalPlan::Join(join),
        predicates,
        default: None,
    })
}

fn through_aggregate(
    mut n: Aggregate,
    outer: &ColumnSet,
    context: &mut RuleContext<'_>,
) -> Option<Pulled> {
    let scalar = n.groups.is_empty();
    let input = std::mem::replace(&mut *n.input, LogicalPlan::one_row());
    let below = pull_up(input, outer, context).filter(|p| p.default.is_none())?;
    *n.input = below.plan;
    let mut correlated = false;
    let plan = LogicalPlan::Aggregate(n);
    plan.for_each_expr(&mut |e| correlated |= reads(e, outer));
    let LogicalPlan::Aggregate(mut n) = plan else {
        return None;
    };
    if correlated {
        return None;
    }
    let mut keys: ColumnSet = n
        .groups
        .iter()
        .filter(|g| matches!(&g.expr, Expr::Column { id, .. } if *id == g.column.id))
        .map(|g| g.column.id)
        .collect();
    let mut predicates = Vec::with_capacity(below.predicates.len());
    for predicate in below.predicates {
        let mut inner = ColumnSet::of_expr(&predicate);
        inner.subtract(outer);
        if inner.is_subset(&keys) {
            predicates.push(predicate);
            continue;
        }
        // An equality fixes the value for an outer row: grouping by it splits no group.
        let (outside, inside, null_equal) = equality_with_outer(&predicate, outer)?;
        let key = match &inside {
            Expr::Column { id, .. } => n.input.columns().into_iter().find(|c| c.id == *id)?,
            other => context.fresh("key", other.ty(), true),
        };
        keys.insert(key.id);
        predicates.push(equality(outside, Expr::column(key.id, key.ty), null_equal));
        n.groups.push(Projection {
            column: key,
            expr: inside,
        });
    }
    let default = if scalar {
        Some(
            n.aggregates
                .iter()
                .map(|(c, call)| Some((c.id, aggregate_of_no_rows(call.function, call.ty)?)))
                .collect::<Option<HashMap<_, _>>>()?,
        )
    } else {
        None
    };
    Some(Pulled {
        plan: LogicalPlan::Aggregate(n),
        predicates,
        default,
    })
}

fn through_distinct(
    n: Distinct,
    outer: &ColumnSet,
    context: &mut RuleContext<'_>,
) -> Option<Pulled> {
    let own: Vec<PlanColumn> = n.input.columns();
    let below = pull_up(*n.input, outer, context)?;
    let mut more = read_by(&below.predicates, outer);
    for c in &own {
        more.remove(c.id);
    }
    // A column that is added must have one value for an outer row, or it splits rows that are equal.
    let fixed = below.predicates.iter().all(|p| {
        !reads(p, &more)
            || equality_with_outer(p, outer)
                .is_some_and(|(_, inside, _)| matches!(inside, Expr::Column { .. }))
    });
    if !fixed {
        return None;
    }
    let added = below
        .plan
        .columns()
        .into_iter()
        .filter(|c| more.contains(c.id));
    let projections = own.into_iter().chain(added).map(pass).collect();
    Some(Pulled {
        plan: LogicalPlan::Distinct(Distinct {
            input: Box::new(project(below.plan, projections)),
        }),
        predicates: below.predicates,
        default: below.default,
    })
}
