//! Small constructors that the rules share.

use crate::analysis::is_always_true;
use crate::{Filter, Join, JoinKind, LogicalPlan, PlanColumn, Project, Projection, Values};
use llkv_expr::{BinaryOp, Expr};

/// A filter, left out where there is nothing to test; two filters become one.
pub(super) fn filter(input: LogicalPlan, predicates: Vec<Expr>) -> LogicalPlan {
    let mut predicates = predicates;
    predicates.retain(|p| !is_always_true(p));
    if predicates.is_empty() {
        return input;
    }
    match input {
        LogicalPlan::Filter(inner) => {
            predicates.retain(|p| !inner.predicate.conjuncts().contains(p));
            LogicalPlan::Filter(Filter {
                input: inner.input,
                predicate: Expr::and([inner.predicate].into_iter().chain(predicates)),
            })
        }
        other => LogicalPlan::Filter(Filter {
            input: Box::new(other),
            predicate: Expr::and(predicates),
        }),
    }
}

/// A conjunction where there is something to test.
pub(super) fn conjunction(predicates: Vec<Expr>) -> Option<Expr> {
    (!predicates.is_empty()).then(|| Expr::and(predicates))
}

/// A reference to a column.
pub(super) fn column(column: &PlanColumn) -> Expr {
    Expr::column(column.id, column.ty)
}

/// A column handed on as it is.
pub(super) fn pass(c: PlanColumn) -> Projection {
    Projection {
        expr: column(&c),
        column: c,
    }
}

/// A projection.
pub(super) fn project(input: LogicalPlan, projections: Vec<Projection>) -> LogicalPlan {
    LogicalPlan::Project(Project {
        input: Box::new(input),
        projections,
    })
}

/// A relation of the given columns without rows.
pub(super) fn empty(columns: Vec<PlanColumn>) -> LogicalPlan {
    LogicalPlan::Values(Values {
        columns,
        batches: Vec::new(),
    })
}

/// A join without a mark; the flags say under which pairs NULL equals NULL.
pub(super) fn join(
    left: LogicalPlan,
    right: LogicalPlan,
    kind: JoinKind,
    on: Vec<(Expr, Expr, bool)>,
    filter: Vec<Expr>,
) -> Join {
    let null_equal = on.iter().map(|(_, _, flag)| *flag).collect();
    Join {
        left: Box::new(left),
        right: Box::new(right),
        kind,
        on: on.into_iter().map(|(l, r, _)| (l, r)).collect(),
        null_equal,
        filter: conjunction(filter),
        mark: None,
        null_aware_mark: false,
        aggregates: Vec::new(),
        left_first: false,
    }
}

/// An equality as a predicate.
pub(super) fn equality(left: Expr, right: Expr, null_equal: bool) -> Expr {
    let op = if null_equal {
        BinaryOp::IsNotDistinctFrom
    } else {
        BinaryOp::Eq
    };
    Expr::compare(op, left, right)
}

/// Rewrites an input where it stands.
pub(super) fn replace(input: &mut LogicalPlan, f: impl FnOnce(LogicalPlan) -> LogicalPlan) {
    let taken = crate::walk::take(input);
    *input = f(taken);
}
