//! CASE, IN and LIKE with operands that decide them.

use super::logic::{in_list, list_values};
use super::{simplify, taken};
use crate::analysis::{is_always_true, is_never_true};
use llkv_expr::{BinaryOp, Expr, InList, LikeCase, UnaryOp};
use llkv_types::Scalar;

/// Branches whose condition is a constant are taken or dropped.
pub(super) fn constant_branches(expr: &mut Expr) -> bool {
    let Expr::Case {
        branches,
        otherwise,
        ty,
    } = expr
    else {
        return false;
    };
    let before = branches.len();
    branches.retain(|(condition, _)| !is_never_true(condition));
    let sure = branches
        .iter()
        .position(|(condition, _)| is_always_true(condition));
    if let Some(at) = sure {
        branches.truncate(at + 1);
        if let Some((_, result)) = branches.pop() {
            *otherwise = Some(Box::new(result));
        }
    }
    if branches.is_empty() {
        *expr = match otherwise {
            Some(value) => taken(value),
            None => Expr::Literal(Scalar::Null(*ty)),
        };
        return true;
    }
    // CASE WHEN c THEN true ELSE false END
    let decides = otherwise.as_ref().and_then(|e| e.as_literal()) == Some(&Scalar::Boolean(false));
    if let ([(condition, result)], true) = (branches.as_mut_slice(), decides)
        && is_always_true(result)
    {
        *expr = Expr::unary(UnaryOp::IsTrue, taken(condition));
        return true;
    }
    before != branches.len()
}

/// IN with one element is an equality; a list of constants becomes an array.
pub(super) fn short_list(expr: &mut Expr) -> bool {
    let Expr::InList {
        expr: operand,
        list,
        negated,
    } = expr
    else {
        return false;
    };
    let one = match list {
        InList::Exprs(items) if items.len() == 1 => items.pop(),
        InList::Values(values) if values.len() == 1 => Scalar::from_array(values.as_ref(), 0)
            .ok()
            .map(Expr::Literal),
        InList::Exprs(items)
            if items.len() > 1
                && items
                    .iter()
                    .all(|e| e.as_literal().is_some_and(|v| v.sql_type() == operand.ty())) =>
        {
            if let Some(values) = list_values(list) {
                *list = in_list(values);
            }
            return true;
        }
        _ => return false,
    };
    let Some(one) = one else {
        return false;
    };
    let op = if *negated {
        BinaryOp::NotEq
    } else {
        BinaryOp::Eq
    };
    *expr = Expr::compare(op, taken(operand), one);
    simplify(expr);
    true
}

/// LIKE with a pattern that only equals itself.
pub(super) fn like_without_wildcards(expr: &mut Expr) -> bool {
    let Expr::Like {
        expr: operand,
        pattern,
        escape,
        case: LikeCase::Matters,
        negated,
    } = expr
    else {
        return false;
    };
    let plain = match pattern.as_literal() {
        Some(Scalar::Text(text)) => !text.contains(|c| c == '%' || c == '_' || Some(c) == *escape),
        _ => false,
    };
    if !plain {
        return false;
    }
    let op = if *negated {
        BinaryOp::NotEq
    } else {
        BinaryOp::Eq
    };
    *expr = Expr::compare(op, taken(operand), taken(pattern));
    true
}
