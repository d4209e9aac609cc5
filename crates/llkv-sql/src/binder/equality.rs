//! When two bound expressions are the same: for GROUP BY, DISTINCT and ORDER BY.

use llkv_expr::{Expr, InList, Volatility};
use std::sync::Arc;

/// True where both always have the same value: equal trees over the same columns, and nothing in them
/// that gives another value at each call.
pub(super) fn same(a: &Expr, b: &Expr) -> bool {
    match (a, b) {
        (Expr::Column { id: a, .. }, Expr::Column { id: b, .. }) => a == b,
        (Expr::Literal(a), Expr::Literal(b)) => a == b,
        (Expr::Parameter { index: a, ty: t }, Expr::Parameter { index: b, ty: u }) => {
            a == b && t == u
        }
        (Expr::Unary { op: o, expr: a }, Expr::Unary { op: p, expr: b }) => o == p && same(a, b),
        (
            Expr::Binary {
                op: o,
                left: a,
                right: b,
                ..
            },
            Expr::Binary {
                op: p,
                left: c,
                right: d,
                ..
            },
        ) => o == p && same(a, c) && same(b, d),
        (Expr::And(a), Expr::And(b)) | (Expr::Or(a), Expr::Or(b)) => all_same(a, b),
        (
            Expr::Cast {
                expr: a,
                ty: t,
                mode: m,
            },
            Expr::Cast {
                expr: b,
                ty: u,
                mode: n,
            },
        ) => t == u && m == n && same(a, b),
        (
            Expr::Case {
                branches: a,
                otherwise: x,
                ty: t,
            },
            Expr::Case {
                branches: b,
                otherwise: y,
                ty: u,
            },
        ) => {
            t == u
                && a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|((ac, ar), (bc, br))| same(ac, bc) && same(ar, br))
                && match (x, y) {
                    (None, None) => true,
                    (Some(x), Some(y)) => same(x, y),
                    _ => false,
                }
        }
        (
            Expr::InList {
                expr: a,
                list: x,
                negated: n,
            },
            Expr::InList {
                expr: b,
                list: y,
                negated: m,
            },
        ) => n == m && same(a, b) && same_list(x, y),
        (
            Expr::Like {
                expr: a,
                pattern: p,
                escape: e,
                case: c,
                negated: n,
            },
            Expr::Like {
                expr: b,
                pattern: q,
                escape: f,
                case: d,
                negated: m,
            },
        ) => e == f && c == d && n == m && same(a, b) && same(p, q),
        (
            Expr::Function {
                function: f,
                args: a,
                ..
            },
            Expr::Function {
                function: g,
                args: b,
                ..
            },
        ) => f.name == g.name && f.volatility != Volatility::Volatile && all_same(a, b),
        _ => false,
    }
}

fn all_same(a: &[Expr], b: &[Expr]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

fn same_list(a: &InList, b: &InList) -> bool {
    match (a, b) {
        (InList::Exprs(a), InList::Exprs(b)) => all_same(a, b),
        (InList::Values(a), InList::Values(b)) => Arc::ptr_eq(a, b) || a.to_data() == b.to_data(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llkv_expr::{BinaryOp, ColumnId};
    use llkv_types::{Scalar, SqlType};

    #[test]
    fn trees_are_compared_by_shape_and_columns() {
        let a = || Expr::column(ColumnId(1), SqlType::Int32);
        let one = || Expr::Literal(Scalar::Int32(1));
        let sum = |l, r| Expr::binary(BinaryOp::Add, l, r, SqlType::Int32);
        assert!(same(&sum(a(), one()), &sum(a(), one())));
        assert!(!same(&sum(a(), one()), &sum(one(), a())));
        assert!(!same(&a(), &Expr::column(ColumnId(2), SqlType::Int32)));
    }
}
