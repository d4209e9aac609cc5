//! Values of which only the operands that a row reaches are evaluated: CASE, COALESCE.

use super::{Row, RowValue, evaluate_row, null, row_truth, typed};
use llkv_expr::Expr;
use llkv_result::Result;
use llkv_types::SqlType;

/// CASE: the result of the first condition that is true.
pub(super) fn case<'a, R: Row + ?Sized>(
    branches: &'a [(Expr, Expr)],
    otherwise: Option<&'a Expr>,
    ty: SqlType,
    row: &'a R,
) -> Result<RowValue<'a>> {
    for (when, then) in branches {
        if row_truth(when, row)? == Some(true) {
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
