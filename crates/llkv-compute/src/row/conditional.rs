//! What evaluates only the operands that a row reaches: logic, CASE, COALESCE, IN.

use super::{
    Row, RowValue, boolean, by_kernels, evaluate_row, is_true, literal, null, operator, truth,
    typed,
};
use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use llkv_expr::{BinaryOp, Expr, InList};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};

/// AND, or OR where `any` is set: evaluated up to the part that decides.
pub(super) fn logic<'a, R: Row + ?Sized>(
    parts: &'a [Expr],
    any: bool,
    row: &'a R,
) -> Result<RowValue<'a>> {
    let mut is_unknown = false;
    for part in parts {
        match &*evaluate_row(part, row)? {
            Scalar::Boolean(value) if *value == any => return Ok(boolean(any)),
            Scalar::Boolean(_) => {}
            _ => is_unknown = true,
        }
    }
    Ok(truth((!is_unknown).then_some(!any)))
}

/// CASE: the result of the first condition that is true.
pub(super) fn case<'a, R: Row + ?Sized>(
    branches: &'a [(Expr, Expr)],
    otherwise: Option<&'a Expr>,
    ty: SqlType,
    row: &'a R,
) -> Result<RowValue<'a>> {
    for (when, then) in branches {
        if is_true(&*evaluate_row(when, row)?) {
            return Ok(typed(evaluate_row(then, row)?, ty));
        }
    }
    match otherwise {
        Some(expr) => Ok(typed(evaluate_row(expr, row)?, ty)),
        None => Ok(null(ty)),
    }
}

/// The first operand that is not NULL.
pub(super) fn coalesce<'a, R: Row + ?Sized>(
    operands: &'a [Expr],
    ty: SqlType,
    row: &'a R,
) -> Result<RowValue<'a>> {
    for operand in operands {
        let value = evaluate_row(operand, row)?;
        if !value.is_null() {
            return Ok(value);
        }
    }
    Ok(null(ty))
}

/// `x [NOT] IN (...)`: equal to one, or else unknown where a comparison is.
pub(super) fn in_list<'a, R: Row + ?Sized>(
    operand: &'a Expr,
    list: &'a InList,
    negated: bool,
    row: &'a R,
) -> Result<RowValue<'a>> {
    let value = evaluate_row(operand, row)?;
    let found = match list {
        InList::Exprs(items) => among(&value, items, row)?,
        InList::Values(values) => match (&*value, values.data_type()) {
            (Scalar::Int64(value), DataType::Int64) => {
                let values = values.as_primitive::<Int64Type>();
                match values.iter().flatten().any(|item| item == *value) {
                    true => Some(true),
                    false => (values.null_count() == 0).then_some(false),
                }
            }
            _ => {
                return by_kernels(Expr::InList {
                    expr: literal(value),
                    list: list.clone(),
                    negated,
                });
            }
        },
    };
    Ok(truth(found.map(|found| found != negated)))
}

fn among<R: Row + ?Sized>(value: &Scalar, items: &[Expr], row: &R) -> Result<Option<bool>> {
    let mut is_unknown = false;
    for item in items {
        let item = evaluate_row(item, row)?;
        let equal = match operator::comparison(BinaryOp::Eq, value, &item) {
            Some(equal) => equal,
            None => {
                let left = Expr::Literal(value.clone());
                let right = Expr::Literal(item.into_owned());
                by_kernels(Expr::compare(BinaryOp::Eq, left, right))?.into_owned()
            }
        };
        match equal {
            Scalar::Boolean(true) => return Ok(Some(true)),
            Scalar::Boolean(false) => {}
            _ => is_unknown = true,
        }
    }
    Ok((!is_unknown).then_some(false))
}
