//! AND, OR and NOT, three-valued.

use super::{simplify, taken};
use arrow::array::Array;
use llkv_expr::{BinaryOp, Expr, InList, UnaryOp};
use llkv_types::Scalar;

/// Parts above which no search for equal ones is made: it is quadratic.
const SEARCHED_PARTS: usize = 64;

/// NOT moves to where it vanishes into an operator.
pub(super) fn push_not_down(expr: &mut Expr) -> bool {
    let Expr::Unary {
        op: UnaryOp::Not,
        expr: operand,
    } = expr
    else {
        return false;
    };
    let negated = match operand.as_mut() {
        Expr::Unary { op, expr: inner } => {
            let inner_op = match op {
                UnaryOp::Not => {
                    *expr = taken(inner);
                    return true;
                }
                UnaryOp::IsNull => UnaryOp::IsNotNull,
                UnaryOp::IsNotNull => UnaryOp::IsNull,
                UnaryOp::IsTrue => UnaryOp::IsNotTrue,
                UnaryOp::IsNotTrue => UnaryOp::IsTrue,
                UnaryOp::IsFalse => UnaryOp::IsNotFalse,
                UnaryOp::IsNotFalse => UnaryOp::IsFalse,
                UnaryOp::Negate | UnaryOp::BitNot => return false,
            };
            *op = inner_op;
            taken(operand)
        }
        Expr::Binary { op, .. } => {
            let Some(opposite) = opposite(*op) else {
                return false;
            };
            *op = opposite;
            taken(operand)
        }
        Expr::And(parts) => Expr::Or(negate_all(parts)),
        Expr::Or(parts) => Expr::And(negate_all(parts)),
        Expr::InList { negated, .. } | Expr::Like { negated, .. } => {
            *negated = !*negated;
            taken(operand)
        }
        _ => return false,
    };
    *expr = negated;
    true
}

fn negate_all(parts: &mut Vec<Expr>) -> Vec<Expr> {
    std::mem::take(parts)
        .into_iter()
        .map(|part| {
            let mut part = Expr::unary(UnaryOp::Not, part);
            simplify(&mut part);
            part
        })
        .collect()
}

/// The comparison that is true where `op` is false.
fn opposite(op: BinaryOp) -> Option<BinaryOp> {
    Some(match op {
        BinaryOp::Eq => BinaryOp::NotEq,
        BinaryOp::NotEq => BinaryOp::Eq,
        BinaryOp::Lt => BinaryOp::GtEq,
        BinaryOp::LtEq => BinaryOp::Gt,
        BinaryOp::Gt => BinaryOp::LtEq,
        BinaryOp::GtEq => BinaryOp::Lt,
        BinaryOp::IsDistinctFrom => BinaryOp::IsNotDistinctFrom,
        BinaryOp::IsNotDistinctFrom => BinaryOp::IsDistinctFrom,
        _ => return None,
    })
}

/// Flattens AND and OR, drops neutral and repeated parts, stops at a part that decides.
pub(super) fn flatten(expr: &mut Expr) -> bool {
    let (conjunction, parts) = match expr {
        Expr::And(parts) => (true, parts),
        Expr::Or(parts) => (false, parts),
        _ => return false,
    };
    let before = parts.len();
    let nested = parts.iter().any(|p| match p {
        Expr::And(_) => conjunction,
        Expr::Or(_) => !conjunction,
        _ => false,
    });
    if nested {
        let mut flat = Vec::with_capacity(before + 2);
        for part in std::mem::take(parts) {
            match (conjunction, part) {
                (true, Expr::And(inner)) | (false, Expr::Or(inner)) => flat.extend(inner),
                (_, other) => flat.push(other),
            }
        }
        *parts = flat;
    }
    let decides = Scalar::Boolean(!conjunction);
    if parts.iter().any(|p| p.as_literal() == Some(&decides)) {
        *expr = Expr::Literal(decides);
        return true;
    }
    let neutral = Scalar::Boolean(conjunction);
    parts.retain(|p| p.as_literal() != Some(&neutral));
    if parts.len() <= SEARCHED_PARTS {
        let mut kept: Vec<Expr> = Vec::with_capacity(parts.len());
        for part in std::mem::take(parts) {
            if part.is_volatile() || !kept.contains(&part) {
                kept.push(part);
            }
        }
        *parts = kept;
    }
    match parts.len() {
        0 => *expr = Expr::Literal(neutral),
        1 => *expr = parts.swap_remove(0),
        now => return nested || now != before,
    }
    true
}

/// `(a AND b) OR (a AND c)` becomes `a AND (b OR c)`.
pub(super) fn factor_or(expr: &mut Expr) -> bool {
    let Expr::Or(parts) = expr else {
        return false;
    };
    let conjuncts = |e: &Expr| match e {
        Expr::And(inner) => inner.len(),
        _ => 1,
    };
    if parts.iter().map(conjuncts).sum::<usize>() > SEARCHED_PARTS {
        return false;
    }
    let Some((first, rest)) = parts.split_first() else {
        return false;
    };
    let common: Vec<Expr> = first
        .conjuncts()
        .iter()
        .filter(|c| !c.is_volatile())
        .filter(|c| rest.iter().all(|part| part.conjuncts().contains(c)))
        .cloned()
        .collect();
    if common.is_empty() {
        return false;
    }
    let mut branches = Vec::with_capacity(parts.len());
    for part in std::mem::take(parts) {
        let mut own = part.into_conjuncts();
        own.retain(|c| !common.contains(c));
        branches.push(Expr::and(own));
    }
    let mut either = Expr::Or(branches);
    simplify(&mut either);
    *expr = Expr::and(common.into_iter().chain([either]));
    flatten(expr);
    true
}

/// `x = 1 OR x = 2 OR x IN (3, 4)` becomes `x IN (1, 2, 3, 4)`.
pub(super) fn or_of_equalities(expr: &mut Expr) -> bool {
    let Expr::Or(parts) = expr else {
        return false;
    };
    let mut lists: Vec<(Expr, Vec<Scalar>, usize)> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let Some((operand, values)) = tested_values(part) else {
            continue;
        };
        let known = lists.iter().position(|(known, _, _)| known == operand);
        if known.is_none() && lists.len() < SEARCHED_PARTS {
            lists.push((operand.clone(), values, at));
        } else if let Some((_, list, _)) = known.and_then(|known| lists.get_mut(known)) {
            list.extend(values);
        }
    }
    lists.retain(|(_, values, _)| values.len() > 1);
    let merges = |part: &Expr| {
        tested_values(part).is_some_and(|(operand, _)| lists.iter().any(|(k, _, _)| k == operand))
    };
    if parts.iter().filter(|p| merges(p)).count() <= lists.len() {
        return false;
    }
    let mut kept = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        if let Some((operand, values, _)) = lists.iter().find(|(_, _, first)| *first == at) {
            kept.push(Expr::InList {
                expr: Box::new(operand.clone()),
                list: in_list(values.clone()),
                negated: false,
            });
        } else if !merges(part) {
            kept.push(part.clone());
        }
    }
    *expr = Expr::Or(kept);
    flatten(expr);
    true
}

/// The values of which an operand is asked whether it is one, NULLs excepted.
fn tested_values(expr: &Expr) -> Option<(&Expr, Vec<Scalar>)> {
    let (operand, values) = match expr {
        Expr::Binary {
            op: BinaryOp::Eq,
            left,
            right,
            ..
        } => (left.as_ref(), vec![right.as_literal()?.clone()]),
        Expr::InList {
            expr,
            list,
            negated: false,
        } => (expr.as_ref(), list_values(list)?),
        _ => return None,
    };
    let fits = values
        .iter()
        .all(|v| !v.is_null() && v.sql_type() == operand.ty());
    (fits && operand.as_literal().is_none() && !operand.is_volatile()).then_some((operand, values))
}

/// The values of a short list of constants.
pub(super) fn list_values(list: &InList) -> Option<Vec<Scalar>> {
    match list {
        InList::Exprs(items) => items.iter().map(|e| e.as_literal().cloned()).collect(),
        InList::Values(values) if values.len() <= SEARCHED_PARTS => (0..values.len())
            .map(|row| Scalar::from_array(values.as_ref(), row).ok())
            .collect(),
        InList::Values(_) => None,
    }
}

/// A list in the form that evaluation and scans like best: one array.
pub(super) fn in_list(values: Vec<Scalar>) -> InList {
    let arrays: Option<Vec<_>> = values.iter().map(|v| v.to_array(1).ok()).collect();
    let array = arrays.and_then(|arrays| {
        let parts: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
        arrow::compute::concat(&parts).ok()
    });
    match array {
        Some(array) => InList::Values(array),
        None => InList::Exprs(values.into_iter().map(Expr::Literal).collect()),
    }
}
