//! Constants: what does not depend on a row is evaluated once.

use llkv_expr::{BinaryOp, Expr, InList, Volatility};
use llkv_types::Scalar;

/// The value of a constant expression; the expression itself where it is none or its evaluation
/// fails: the error belongs to the row that is evaluated, if there is one.
pub(in crate::rules) fn fold(mut expr: Expr) -> Expr {
    super::simplify(&mut expr);
    expr
}

/// An operation on literals becomes a literal.
pub(super) fn fold_constant(expr: &mut Expr) -> bool {
    let foldable = match expr {
        Expr::Column { .. } | Expr::Literal(_) | Expr::Parameter { .. } => false,
        Expr::Function { function, .. } => function.volatility == Volatility::Immutable,
        _ => true,
    };
    if !foldable {
        return false;
    }
    let mut constant = true;
    expr.for_each_child(&mut |child| constant &= child.as_literal().is_some());
    if !constant {
        return false;
    }
    match llkv_compute::fold(expr) {
        Ok(value) if value.sql_type() == expr.ty() => {
            *expr = Expr::Literal(value);
            true
        }
        Ok(value) if value.is_null() => {
            *expr = Expr::Literal(Scalar::Null(expr.ty()));
            true
        }
        _ => false,
    }
}

/// NULL in an operand that makes the result NULL whatever the others are.
pub(super) fn strict_null(expr: &mut Expr) -> bool {
    let is_null = |e: &Expr| e.as_literal().is_some_and(Scalar::is_null);
    let null = match expr {
        Expr::Binary {
            op, left, right, ..
        } => {
            !matches!(op, BinaryOp::IsDistinctFrom | BinaryOp::IsNotDistinctFrom)
                && (is_null(left) || is_null(right))
        }
        Expr::InList { expr, list, .. } => {
            is_null(expr)
                && match list {
                    InList::Exprs(items) => !items.is_empty(),
                    InList::Values(values) => !values.is_empty(),
                }
        }
        Expr::Like { expr, pattern, .. } => is_null(expr) || is_null(pattern),
        _ => false,
    };
    if null && !expr.is_volatile() {
        *expr = Expr::Literal(Scalar::Null(expr.ty()));
        return true;
    }
    false
}
