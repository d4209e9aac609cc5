//! The part of the rows for which a predicate is true.

use super::{ColumnEstimate, Estimate, scalar_number};
use hashbrown::HashMap;
use llkv_expr::{BinaryOp, ColumnId, Expr, InList, UnaryOp};
use llkv_types::Scalar;

/// A range test on values of unknown distribution.
const RANGE: f64 = 1.0 / 3.0;
/// Any other test of which nothing is known.
const OTHER: f64 = 0.25;
/// LIKE with a fixed beginning, and without.
const LIKE_PREFIX: f64 = 0.05;
const LIKE_ANYWHERE: f64 = 0.1;
/// No test is expected to leave less: estimates of zero make all plans look alike.
const LEAST: f64 = 1e-7;

/// The part of the rows for which `predicate` is expected to be true: 0 to 1.
#[must_use]
pub fn selectivity(predicate: &Expr, input: &Estimate) -> f64 {
    part(predicate, input).clamp(0.0, 1.0)
}

fn part(predicate: &Expr, input: &Estimate) -> f64 {
    match predicate {
        Expr::Literal(Scalar::Boolean(true)) => 1.0,
        Expr::Literal(Scalar::Boolean(false) | Scalar::Null(_)) => 0.0,
        Expr::And(parts) => conjunction(parts, input),
        Expr::Or(parts) => {
            1.0 - parts
                .iter()
                .map(|p| 1.0 - selectivity(p, input))
                .product::<f64>()
        }
        Expr::Unary { op, expr } => match op {
            UnaryOp::Not | UnaryOp::IsNotTrue | UnaryOp::IsFalse => 1.0 - selectivity(expr, input),
            UnaryOp::IsTrue | UnaryOp::IsNotFalse => selectivity(expr, input),
            UnaryOp::IsNull => null_fraction(expr, input),
            UnaryOp::IsNotNull => 1.0 - null_fraction(expr, input),
            UnaryOp::Negate | UnaryOp::BitNot => OTHER,
        },
        Expr::Binary {
            op, left, right, ..
        } => comparison(*op, left, right, input),
        Expr::InList {
            expr,
            list,
            negated,
        } => {
            let count = match list {
                InList::Exprs(items) => items.len(),
                InList::Values(values) => values.len(),
            };
            let hit = (count as f64 / expr_distinct(expr, input)).min(1.0);
            if *negated { 1.0 - hit } else { hit }
        }
        Expr::Like {
            pattern, negated, ..
        } => {
            let anywhere = match pattern.as_literal() {
                Some(Scalar::Text(text)) => text.starts_with(['%', '_']),
                _ => true,
            };
            let hit = if anywhere { LIKE_ANYWHERE } else { LIKE_PREFIX };
            if *negated { 1.0 - hit } else { hit }
        }
        _ => OTHER,
    }
}

fn null_fraction(expr: &Expr, input: &Estimate) -> f64 {
    match expr {
        Expr::Column { id, .. } => input.column(*id).null_fraction,
        _ => 0.0,
    }
}

/// Distinct values of an expression: at most the combinations of its columns' values.
pub(crate) fn expr_distinct(expr: &Expr, input: &Estimate) -> f64 {
    match expr {
        Expr::Column { id, .. } => input.column(*id).distinct,
        Expr::Literal(_) | Expr::Parameter { .. } => 1.0,
        other => {
            let mut product = 1.0;
            other.for_each_child(&mut |child| product *= expr_distinct(child, input));
            product.min(input.rows).max(1.0)
        }
    }
}

/// The column under casts that keep the order of its values.
fn bare_column(expr: &Expr) -> Option<ColumnId> {
    match expr {
        Expr::Column { id, .. } => Some(*id),
        Expr::Cast { expr, .. } => bare_column(expr),
        _ => None,
    }
}

fn comparison(op: BinaryOp, left: &Expr, right: &Expr, input: &Estimate) -> f64 {
    if let (Some(id), Some(value)) = (bare_column(left), right.as_literal()) {
        return with_constant(op, &input.column(id), value);
    }
    let (l, r) = (expr_distinct(left, input), expr_distinct(right, input));
    match op {
        BinaryOp::Eq | BinaryOp::IsNotDistinctFrom => 1.0 / l.max(r).max(1.0),
        BinaryOp::NotEq | BinaryOp::IsDistinctFrom => 1.0 - 1.0 / l.max(r).max(2.0),
        BinaryOp::Lt | BinaryOp::LtEq | BinaryOp::Gt | BinaryOp::GtEq => RANGE,
        _ => OTHER,
    }
}

fn with_constant(op: BinaryOp, column: &ColumnEstimate, value: &Scalar) -> f64 {
    let number = scalar_number(value);
    let outside = match (number, column.min, column.max) {
        (Some(n), Some(min), Some(max)) => n < min || n > max,
        _ => false,
    };
    let filled = 1.0 - column.null_fraction;
    let equal = if outside {
        LEAST
    } else {
        filled / column.distinct.max(1.0)
    };
    match op {
        BinaryOp::Eq | BinaryOp::IsNotDistinctFrom => equal,
        BinaryOp::NotEq | BinaryOp::IsDistinctFrom => filled - equal,
        BinaryOp::Lt | BinaryOp::LtEq => filled * below(column, number).unwrap_or(RANGE),
        BinaryOp::Gt | BinaryOp::GtEq => {
            filled * below(column, number).map_or(RANGE, |part| 1.0 - part)
        }
        _ => OTHER,
    }
    .max(LEAST)
}

/// The part of a column's range that lies below a number.
fn below(column: &ColumnEstimate, number: Option<f64>) -> Option<f64> {
    let (min, max, number) = (column.min?, column.max?, number?);
    if max <= min {
        return Some(if number > min { 1.0 } else { 0.0 });
    }
    Some(((number - min) / (max - min)).clamp(0.0, 1.0))
}

/// A one-sided test of a column against a constant: column, is it an upper bound, part it leaves.
fn range_test(predicate: &Expr, input: &Estimate) -> Option<(ColumnId, bool, f64)> {
    let Expr::Binary {
        op, left, right, ..
    } = predicate
    else {
        return None;
    };
    let upper = match op {
        BinaryOp::Lt | BinaryOp::LtEq => true,
        BinaryOp::Gt | BinaryOp::GtEq => false,
        _ => return None,
    };
    let id = bare_column(left)?;
    let part = below(&input.column(id), scalar_number(right.as_literal()?))?;
    Some((id, upper, if upper { part } else { 1.0 - part }))
}

/// A lower and an upper bound of one column cut out a slice; all else is independent.
fn conjunction(parts: &[Expr], input: &Estimate) -> f64 {
    let mut product = 1.0;
    let mut ranges: HashMap<ColumnId, (f64, f64)> = HashMap::new();
    for predicate in parts {
        match range_test(predicate, input) {
            Some((id, upper, part)) => {
                let bounds = ranges.entry(id).or_insert((1.0, 1.0));
                let side = if upper { &mut bounds.0 } else { &mut bounds.1 };
                *side = side.min(part);
            }
            None => product *= selectivity(predicate, input),
        }
    }
    for (id, (upper, lower)) in ranges {
        let least = 1.0 / input.column(id).distinct.max(1.0);
        product *= (upper + lower - 1.0).max(least).max(LEAST);
    }
    product
}

/// The rows that pass all predicates, with what the predicates say of the columns.
pub(crate) fn apply_predicates(input: Estimate, predicates: &[Expr]) -> Estimate {
    if predicates.is_empty() {
        return input;
    }
    let rows = input.rows * conjunction(predicates, &input).clamp(0.0, 1.0);
    let mut output = input;
    for predicate in predicates {
        narrow(predicate, &mut output);
    }
    output.with_rows(rows)
}

fn narrow(predicate: &Expr, output: &mut Estimate) {
    let Expr::Binary {
        op, left, right, ..
    } = predicate
    else {
        return;
    };
    let (Some(id), Some(value)) = (bare_column(left), right.as_literal()) else {
        return;
    };
    let mut column = output.column(id);
    let number = scalar_number(value);
    let before = column.max.zip(column.min).map(|(max, min)| max - min);
    match op {
        BinaryOp::Eq => {
            column.distinct = 1.0;
            column.min = number.or(column.min);
            column.max = number.or(column.max);
        }
        BinaryOp::Lt | BinaryOp::LtEq => {
            column.max = match (column.max, number) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        BinaryOp::Gt | BinaryOp::GtEq => {
            column.min = match (column.min, number) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
        }
        _ => return,
    }
    let after = column.max.zip(column.min).map(|(max, min)| max - min);
    if let (Some(before), Some(after)) = (before, after)
        && before > 0.0
        && *op != BinaryOp::Eq
    {
        column.distinct = (column.distinct * (after / before).clamp(0.0, 1.0)).max(1.0);
    }
    column.null_fraction = 0.0;
    output.columns.insert(id, column);
}
