//! What can be told of expressions and plans without running them.

use crate::column_set::ColumnSet;
use crate::{JoinKind, LogicalPlan};
use llkv_expr::{AggregateFunction, BinaryOp, Expr, InList, NullHandling, UnaryOp};
use llkv_types::{Scalar, SqlType};

/// Columns of which a NULL makes the expression NULL.
pub(crate) fn strict_columns(expr: &Expr) -> ColumnSet {
    match expr {
        Expr::Column { id, .. } => ColumnSet::from_iter([*id]),
        Expr::Binary {
            op: BinaryOp::IsDistinctFrom | BinaryOp::IsNotDistinctFrom,
            ..
        } => ColumnSet::new(),
        Expr::Binary { left, right, .. } => {
            let mut set = strict_columns(left);
            set.extend(&strict_columns(right));
            set
        }
        Expr::Cast { expr, .. } => strict_columns(expr),
        Expr::Unary {
            op: UnaryOp::Negate | UnaryOp::Not | UnaryOp::BitNot,
            expr,
        } => strict_columns(expr),
        Expr::And(parts) | Expr::Or(parts) => common(parts, &strict_columns),
        Expr::Like { expr, pattern, .. } => {
            let mut set = strict_columns(expr);
            set.extend(&strict_columns(pattern));
            set
        }
        Expr::InList { expr, list, .. } => {
            let empty = match list {
                InList::Exprs(items) => items.is_empty(),
                InList::Values(values) => values.is_empty(),
            };
            if empty {
                ColumnSet::new()
            } else {
                strict_columns(expr)
            }
        }
        Expr::Function { function, args, .. } if function.nulls == NullHandling::Strict => {
            let mut set = ColumnSet::new();
            for arg in args {
                set.extend(&strict_columns(arg));
            }
            set
        }
        _ => ColumnSet::new(),
    }
}

/// Columns of which a NULL keeps the predicate from being true.
pub(crate) fn null_rejected(predicate: &Expr) -> ColumnSet {
    match predicate {
        Expr::And(parts) => {
            let mut set = ColumnSet::new();
            for part in parts {
                set.extend(&null_rejected(part));
            }
            set
        }
        Expr::Or(parts) => common(parts, &null_rejected),
        Expr::Unary {
            op: UnaryOp::IsTrue,
            expr,
        } => null_rejected(expr),
        Expr::Unary {
            op: UnaryOp::IsNotNull | UnaryOp::IsFalse,
            expr,
        } => strict_columns(expr),
        Expr::Binary {
            op: BinaryOp::IsNotDistinctFrom,
            left,
            right,
            ..
        } => match (left.as_literal(), right.as_literal()) {
            (None, Some(value)) if !value.is_null() => strict_columns(left),
            (Some(value), None) if !value.is_null() => strict_columns(right),
            _ => ColumnSet::new(),
        },
        other => strict_columns(other),
    }
}

fn common(parts: &[Expr], of: &dyn Fn(&Expr) -> ColumnSet) -> ColumnSet {
    let mut sets = parts.iter().map(of);
    let mut set = sets.next().unwrap_or_default();
    for more in sets {
        set.retain(&more);
    }
    set
}

/// True for a constant that lets no row through a filter.
pub(crate) fn is_never_true(predicate: &Expr) -> bool {
    matches!(
        predicate,
        Expr::Literal(Scalar::Boolean(false) | Scalar::Null(_))
    )
}

/// True for the constant TRUE.
pub(crate) fn is_always_true(predicate: &Expr) -> bool {
    matches!(predicate, Expr::Literal(Scalar::Boolean(true)))
}

/// Can the plan give no more than one row?
pub(crate) fn at_most_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(n) => n.groups.is_empty(),
        LogicalPlan::Limit(n) => n.fetch.is_some_and(|f| f <= 1) || at_most_one_row(&n.input),
        LogicalPlan::Values(n) => n.batches.iter().map(|b| b.num_rows()).sum::<usize>() <= 1,
        LogicalPlan::Project(n) => at_most_one_row(&n.input),
        LogicalPlan::Filter(n) => at_most_one_row(&n.input),
        LogicalPlan::Sort(n) => at_most_one_row(&n.input),
        LogicalPlan::Distinct(n) => at_most_one_row(&n.input),
        LogicalPlan::Window(n) => at_most_one_row(&n.input),
        LogicalPlan::Join(n) => match n.kind {
            JoinKind::Inner | JoinKind::Left => {
                at_most_one_row(&n.left) && at_most_one_row(&n.right)
            }
            JoinKind::Semi
            | JoinKind::Anti
            | JoinKind::NullAwareAnti
            | JoinKind::Mark
            | JoinKind::Group
            | JoinKind::Single => at_most_one_row(&n.left),
            JoinKind::Right | JoinKind::Full => false,
        },
        _ => false,
    }
}

/// Does the plan give one row, whatever is in the tables?
pub(crate) fn exactly_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(n) => n.groups.is_empty(),
        LogicalPlan::Values(n) => n.batches.iter().map(|b| b.num_rows()).sum::<usize>() == 1,
        LogicalPlan::Project(n) => exactly_one_row(&n.input),
        LogicalPlan::Sort(n) => exactly_one_row(&n.input) && n.fetch != Some(0),
        LogicalPlan::Distinct(n) => exactly_one_row(&n.input),
        LogicalPlan::Window(n) => exactly_one_row(&n.input),
        LogicalPlan::Limit(n) => {
            exactly_one_row(&n.input) && n.skip == 0 && n.fetch.is_none_or(|f| f > 0)
        }
        LogicalPlan::Join(n) => match n.kind {
            JoinKind::Inner => {
                n.on.is_empty()
                    && n.filter.is_none()
                    && exactly_one_row(&n.left)
                    && exactly_one_row(&n.right)
            }
            JoinKind::Mark | JoinKind::Group => exactly_one_row(&n.left),
            _ => false,
        },
        _ => false,
    }
}

/// The value of an aggregate of no rows.
#[must_use]
pub fn aggregate_of_no_rows(function: AggregateFunction, ty: SqlType) -> Option<Expr> {
    use AggregateFunction::Total;
    let value = match (function, ty) {
        (count, SqlType::Int64) if count.is_count() => Scalar::Int64(0),
        (Total, SqlType::Float64) => Scalar::Float64(0.0),
        (function, _) if function.is_count() || function == Total => return None,
        _ => Scalar::Null(ty),
    };
    Some(Expr::Literal(value))
}
