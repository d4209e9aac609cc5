//! Predicates for one row: true, false or unknown, without a value for every step on the way.

use super::in_list::in_list;
use super::operator::{holds, tested};
use super::{Row, by_kernels, evaluate_row, literal};
use crate::arithmetic::integer::of_two;
use crate::prepared::deep;
use llkv_expr::{BinaryOp, Expr, UnaryOp};
use llkv_result::Result;
use llkv_types::variant::Variant;
use llkv_types::{Scalar, SqlType};

/// Levels of integer arithmetic that are computed without values: what does not come out that way is computed again.
pub(super) const LEVELS: u32 = 6;

/// Whether a predicate holds for a row; `None` where that is unknown, and for what is no truth value.
///
/// # Errors
/// As [`evaluate_row`].
#[inline]
pub(super) fn row_truth<R: Row + ?Sized>(predicate: &Expr, row: &R) -> Result<Option<bool>> {
    match simple(predicate, row) {
        Some(truth) => Ok(truth),
        None => composed(predicate, row),
    }
}

/// The truth of what looks at columns and constants alone; `None` for all else.
#[inline]
fn simple<R: Row + ?Sized>(predicate: &Expr, row: &R) -> Option<Option<bool>> {
    match predicate {
        Expr::Binary {
            op, left, right, ..
        } if op.is_comparison() => holds(*op, standing(left, row)?, standing(right, row)?),
        Expr::Unary { op, expr } => tested(*op, standing(expr, row)?),
        _ => None,
    }
}

fn composed<R: Row + ?Sized>(predicate: &Expr, row: &R) -> Result<Option<bool>> {
    match predicate {
        Expr::Binary {
            op, left, right, ..
        } if op.is_comparison() => deep(|| comparison(*op, left, right, row)),
        Expr::And(parts) => deep(|| logic(parts, false, row)),
        Expr::Or(parts) => deep(|| logic(parts, true, row)),
        Expr::Unary { op, expr } if is_test(*op) => deep(|| test(*op, expr, row)),
        Expr::InList {
            expr,
            list,
            negated,
        } => deep(|| in_list(expr, list, *negated, row)),
        other => Ok(truth_of(&*evaluate_row(other, row)?)),
    }
}

/// AND, or OR where `any` is set: evaluated up to the part that decides.
fn logic<R: Row + ?Sized>(parts: &[Expr], any: bool, row: &R) -> Result<Option<bool>> {
    let mut is_unknown = false;
    for part in parts {
        match row_truth(part, row)? {
            Some(value) if value == any => return Ok(Some(any)),
            Some(_) => {}
            None => is_unknown = true,
        }
    }
    Ok((!is_unknown).then_some(!any))
}

fn test<R: Row + ?Sized>(op: UnaryOp, operand: &Expr, row: &R) -> Result<Option<bool>> {
    if is_predicate(operand) {
        let truth = row_truth(operand, row)?;
        return Ok(match op {
            UnaryOp::IsNull => Some(truth.is_none()),
            UnaryOp::IsNotNull => Some(truth.is_some()),
            UnaryOp::IsTrue => Some(truth == Some(true)),
            UnaryOp::IsNotTrue => Some(truth != Some(true)),
            UnaryOp::IsFalse => Some(truth == Some(false)),
            UnaryOp::IsNotFalse => Some(truth != Some(false)),
            _ => truth.map(|value| !value),
        });
    }
    let value = evaluate_row(operand, row)?;
    if let Some(truth) = tested(op, &value) {
        return Ok(truth);
    }
    let expr = literal(value);
    Ok(truth_of(&*by_kernels(Expr::Unary { op, expr })?))
}

fn comparison<R: Row + ?Sized>(
    op: BinaryOp,
    left: &Expr,
    right: &Expr,
    row: &R,
) -> Result<Option<bool>> {
    if let (Some(l), Some(r)) = (integer(left, row, LEVELS), integer(right, row, LEVELS)) {
        let value = |value: Option<i64>| value.map_or(Scalar::Null(SqlType::Int64), Scalar::Int64);
        if let Some(truth) = holds(op, &value(l), &value(r)) {
            return Ok(truth);
        }
    }
    if let (Some(left), Some(right)) = (with_own_type(left), with_own_type(right)) {
        let (l, r) = (evaluate_row(left, row)?, evaluate_row(right, row)?);
        if is_nan(&l) || is_nan(&r) {
            // As a value that carries its type NaN is NULL: the conversion knows.
        } else if l.is_null() || r.is_null() {
            if let Some(truth) = holds(op, &l, &r) {
                return Ok(truth);
            }
        } else if let (Some(l), Some(r)) = (variant(&l), variant(&r)) {
            return Ok(Some(op.accepts(l.order(&r))));
        }
    }
    compare_values(op, &*evaluate_row(left, row)?, &*evaluate_row(right, row)?)
}

/// Whether a comparison holds for two values of one type; `None` where that is unknown.
///
/// # Errors
/// For values that cannot be compared.
pub fn compare_values(op: BinaryOp, left: &Scalar, right: &Scalar) -> Result<Option<bool>> {
    if let Some(truth) = holds(op, left, right) {
        return Ok(truth);
    }
    let (left, right) = (Expr::Literal(left.clone()), Expr::Literal(right.clone()));
    Ok(truth_of(&*by_kernels(Expr::compare(op, left, right))?))
}

fn is_nan(value: &Scalar) -> bool {
    matches!(value, Scalar::Float64(value) if value.is_nan())
}

/// What is converted to a value that carries its own type.
fn with_own_type(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Cast { expr, ty, .. } if *ty == SqlType::Variant => Some(expr),
        _ => None,
    }
}

/// What the conversion makes of a value, for plain types; `None` for NULL, NaN too.
fn variant(value: &Scalar) -> Option<Variant<'_>> {
    match value {
        Scalar::Int64(value) => Some(Variant::Integer(*value)),
        Scalar::Int32(value) => Some(Variant::Integer((*value).into())),
        Scalar::Float64(value) => Variant::real(*value),
        Scalar::Text(text) => Some(Variant::Text(text)),
        Scalar::Blob(bytes) => Some(Variant::Blob(bytes)),
        _ => None,
    }
}

/// The value of a column or a constant.
#[inline]
pub(super) fn standing<'a, R: Row + ?Sized>(expr: &'a Expr, row: &'a R) -> Option<&'a Scalar> {
    match expr {
        Expr::Column { id, .. } => row.value(*id),
        Expr::Literal(value) => Some(value),
        _ => None,
    }
}

/// The value of arithmetic on 64-bit integers, `Some(None)` for NULL; `None` for all else, errors among it.
pub(super) fn integer<R: Row + ?Sized>(expr: &Expr, row: &R, levels: u32) -> Option<Option<i64>> {
    let Expr::Binary {
        op,
        left,
        right,
        ty: SqlType::Int64,
    } = expr
    else {
        return standing_integer(expr, row);
    };
    let operand = |operand: &Expr| match operand {
        Expr::Binary { .. } if levels > 0 => integer(operand, row, levels - 1),
        leaf => standing_integer(leaf, row),
    };
    match (operand(left)?, operand(right)?) {
        (Some(left), Some(right)) => of_two(*op, left, right).map(Some),
        _ => Some(None),
    }
}

#[inline]
fn standing_integer<R: Row + ?Sized>(expr: &Expr, row: &R) -> Option<Option<i64>> {
    match standing(expr, row)? {
        Scalar::Int64(value) => Some(Some(*value)),
        Scalar::Null(SqlType::Int64) => Some(None),
        _ => None,
    }
}

/// Whether an expression is one of those that are computed here.
pub(super) const fn is_predicate(expr: &Expr) -> bool {
    match expr {
        Expr::Binary { op, .. } => op.is_comparison(),
        Expr::Unary { op, .. } => is_test(*op),
        Expr::And(_) | Expr::Or(_) | Expr::InList { .. } => true,
        _ => false,
    }
}

const fn is_test(op: UnaryOp) -> bool {
    !matches!(op, UnaryOp::Negate | UnaryOp::BitNot)
}

pub(super) const fn truth_of(value: &Scalar) -> Option<bool> {
    match value {
        Scalar::Boolean(value) => Some(*value),
        _ => None,
    }
}
