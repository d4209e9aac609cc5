//! Expressions evaluated for one row, value by value: for constants, and for tables of so few rows that arrays would
//! take longer than the rows.
//!
//! Logic, comparisons and the arithmetic of plain numbers are computed here. For everything else the operands are
//! computed here and the kernels get the expression with constants in their place, so that no function, cast or
//! pattern has a second implementation. What is computed here is checked against [`PreparedExpr`](crate::PreparedExpr)
//! by generated expressions.

mod conditional;
mod in_list;
mod operator;
mod order;
mod truth;

use crate::prepared::{deep, fold_arrays, is_fallible};
use llkv_expr::{ColumnId, Expr, NullHandling, UnaryOp};
use llkv_result::{Error, Result};
use llkv_types::{Scalar, SqlType};
use std::borrow::Cow;
use truth::{LEVELS, integer, is_predicate, row_truth};

pub use order::{order_of, same_key};
pub use truth::compare_values;

/// A value that stands in a row or a constant, or was computed.
pub type RowValue<'a> = Cow<'a, Scalar>;

/// The values of a row.
pub trait Row {
    /// The value of a column; `None` where the row has no such column.
    fn value(&self, column: ColumnId) -> Option<&Scalar>;
}

/// Columns stand at the places of their numbers.
impl Row for [Scalar] {
    fn value(&self, column: ColumnId) -> Option<&Scalar> {
        self.get(column.0 as usize)
    }
}

/// The value of an expression for a row. The value is of the
/// expression's type.
///
/// # Errors
/// What the evaluation gives for the row; an internal error for a column that the row has not, and for parameters.
///
/// ```
/// use llkv_compute::evaluate_row;
/// use llkv_expr::{BinaryOp, ColumnId, Expr};
/// use llkv_types::{Scalar, SqlType};
///
/// let row = [Scalar::Int64(20), Scalar::Int64(22)];
/// let column = |id| Expr::column(ColumnId(id), SqlType::Int64);
/// let sum = Expr::binary(BinaryOp::Add, column(0), column(1), SqlType::Int64);
/// assert_eq!(*evaluate_row(&sum, &row[..])?, Scalar::Int64(42));
/// # Ok::<(), llkv_result::Error>(())
/// ```
pub fn evaluate_row<'a, R: Row + ?Sized>(expr: &'a Expr, row: &'a R) -> Result<RowValue<'a>> {
    match expr {
        Expr::Column { id, .. } => column(*id, row).map(Cow::Borrowed),
        Expr::Literal(value) => Ok(Cow::Borrowed(value)),
        inner if is_predicate(inner) => row_truth(inner, row).map(truth),
        inner => match integer(inner, row, LEVELS) {
            Some(value) => Ok(Cow::Owned(
                value.map_or(Scalar::Null(SqlType::Int64), Scalar::Int64),
            )),
            None => deep(|| computed(inner, row)),
        },
    }
}

/// Whether a row passes a predicate, for which NULL counts as false.
///
/// # Errors
/// As [`evaluate_row`]. Of a conjunction, parts that cannot fail are tried before those that can, as a filter over
/// arrays tries them.
pub fn row_passes<R: Row + ?Sized>(predicate: &Expr, row: &R) -> Result<bool> {
    let Expr::And(parts) = predicate else {
        return Ok(row_truth(predicate, row)? == Some(true));
    };
    for (at, part) in parts.iter().enumerate() {
        let passes = match part {
            Expr::And(_) => row_passes(part, row),
            part => row_truth(part, row).map(|truth| truth == Some(true)),
        };
        match passes {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) => {
                let later = parts.get(at + 1..).unwrap_or_default();
                return match refused_safely(later, row)? {
                    true => Ok(false),
                    false => Err(error),
                };
            }
        }
    }
    Ok(true)
}

/// Whether one of the parts that cannot fail refuses the row.
fn refused_safely<R: Row + ?Sized>(parts: &[Expr], row: &R) -> Result<bool> {
    for part in parts {
        if !is_fallible(part)? && !row_passes(part, row)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn column<R: Row + ?Sized>(id: ColumnId, row: &R) -> Result<&Scalar> {
    row.value(id)
        .ok_or_else(|| Error::internal(format!("a row has no column #{}", id.0)))
}

fn null<'a>(ty: SqlType) -> RowValue<'a> {
    Cow::Owned(Scalar::Null(ty))
}

/// TRUE, FALSE, or unknown for `None`.
fn truth<'a>(value: Option<bool>) -> RowValue<'a> {
    Cow::Owned(value.map_or(Scalar::Null(SqlType::Boolean), Scalar::Boolean))
}

fn computed<'a, R: Row + ?Sized>(expr: &'a Expr, row: &'a R) -> Result<RowValue<'a>> {
    match expr {
        Expr::Unary { op, expr: operand } => unary(*op, operand, expr, row),
        Expr::Binary {
            op,
            left,
            right,
            ty,
        } => {
            let (l, r) = (evaluate_row(left, row)?, evaluate_row(right, row)?);
            match operator::binary(*op, &l, &r, *ty) {
                Some(value) => Ok(Cow::Owned(value)),
                None => by_kernels(Expr::Binary {
                    op: *op,
                    left: literal(l),
                    right: literal(r),
                    ty: *ty,
                }),
            }
        }
        Expr::Case {
            branches,
            otherwise,
            ty,
        } => conditional::case(branches, otherwise.as_deref(), *ty, row),
        Expr::Cast {
            expr: operand,
            ty,
            mode,
        } => {
            let value = evaluate_row(operand, row)?;
            match operator::cast(&value, *ty) {
                Some(cast) => Ok(Cow::Owned(cast)),
                None => by_kernels(Expr::Cast {
                    expr: literal(value),
                    ty: *ty,
                    mode: *mode,
                }),
            }
        }
        Expr::Like {
            expr: operand,
            pattern,
            escape,
            case,
            negated,
        } => by_kernels(Expr::Like {
            expr: literal(evaluate_row(operand, row)?),
            pattern: literal(evaluate_row(pattern, row)?),
            escape: *escape,
            case: *case,
            negated: *negated,
        }),
        Expr::Function { .. } => function(expr, row),
        other => by_kernels(other.clone()),
    }
}

fn unary<'a, R: Row + ?Sized>(
    op: UnaryOp,
    operand: &'a Expr,
    expr: &'a Expr,
    row: &'a R,
) -> Result<RowValue<'a>> {
    let value = evaluate_row(operand, row)?;
    if let Some(result) = operator::negation(op, &value, expr.ty()) {
        return Ok(Cow::Owned(result));
    }
    by_kernels(Expr::Unary {
        op,
        expr: literal(value),
    })
}

fn function<'a, R: Row + ?Sized>(expr: &'a Expr, row: &'a R) -> Result<RowValue<'a>> {
    let Expr::Function { function, args, ty } = expr else {
        return Err(Error::internal("not a function"));
    };
    match (function.name, args.as_slice()) {
        ("coalesce" | "ifnull", _) => return conditional::coalesce(args, *ty, row),
        ("if", [when, then, otherwise]) => {
            let chosen = match row_truth(when, row)? {
                Some(true) => then,
                _ => otherwise,
            };
            return Ok(typed(evaluate_row(chosen, row)?, *ty));
        }
        _ => {}
    }
    let mut values = Vec::with_capacity(args.len());
    for arg in args {
        values.push(evaluate_row(arg, row)?);
    }
    if function.nulls == NullHandling::Strict && values.iter().any(|value| value.is_null()) {
        return Ok(null(*ty));
    }
    if let (true, Some(Scalar::Int64(value))) = (
        function.name == "abs" && *ty == SqlType::Int64,
        values.first().map(AsRef::as_ref),
    ) && let Some(value) = value.checked_abs()
    {
        return Ok(Cow::Owned(Scalar::Int64(value)));
    }
    // Every division of integers asks for it where a zero below is no error.
    if function.name == "nullif"
        && *ty == SqlType::Int64
        && let [value, other] = values.as_slice()
        && let (Scalar::Int64(left), Scalar::Int64(right)) = (value.as_ref(), other.as_ref())
    {
        return Ok(match left == right {
            true => null(*ty),
            false => Cow::Owned(Scalar::Int64(*left)),
        });
    }
    by_kernels(Expr::Function {
        function,
        args: values
            .into_iter()
            .map(|value| Expr::Literal(value.into_owned()))
            .collect(),
        ty: *ty,
    })
}

/// A NULL takes the type of the whole.
fn typed(value: RowValue<'_>, ty: SqlType) -> RowValue<'_> {
    match value.is_null() {
        true => null(ty),
        false => value,
    }
}

fn literal(value: RowValue<'_>) -> Box<Expr> {
    Box::new(Expr::Literal(value.into_owned()))
}

/// The value of an expression over constants, as kernels over arrays compute it.
#[inline(never)]
fn by_kernels<'a>(expr: Expr) -> Result<RowValue<'a>> {
    fold_arrays(&expr).map(Cow::Owned)
}
