//! `x [NOT] IN (...)` for one row.

use super::truth::{compare_values, truth_of};
use super::{Row, by_kernels, evaluate_row, literal};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use llkv_expr::{BinaryOp, Expr, InList};
use llkv_result::Result;
use llkv_types::Scalar;

/// Whether a value is in a list: equal to one, or else unknown where a comparison is.
pub(super) fn in_list<R: Row + ?Sized>(
    operand: &Expr,
    list: &InList,
    negated: bool,
    row: &R,
) -> Result<Option<bool>> {
    let value = evaluate_row(operand, row)?;
    let found = match list {
        InList::Exprs(items) => among(&value, items, row)?,
        InList::Values(values) => match among_constants(&value, values) {
            Some(found) => found,
            None => {
                let by_kernels = by_kernels(Expr::InList {
                    expr: literal(value),
                    list: list.clone(),
                    negated,
                });
                return Ok(truth_of(&*by_kernels?));
            }
        },
    };
    Ok(found.map(|found| found != negated))
}

/// Whether a value is among constants of its type; `None` where the kernels are to tell.
fn among_constants(value: &Scalar, values: &ArrayRef) -> Option<Option<bool>> {
    let is_there = match (value, values.data_type()) {
        (Scalar::Int64(value), DataType::Int64) => {
            let mut values = values.as_primitive::<Int64Type>().iter().flatten();
            values.any(|item| item == *value)
        }
        (Scalar::Float64(value), DataType::Float64) if !value.is_nan() => {
            let mut values = values.as_primitive::<Float64Type>().iter().flatten();
            values.any(|item| item == *value)
        }
        (Scalar::Text(value), DataType::Utf8View) => {
            let mut values = values.as_string_view().iter().flatten();
            values.any(|item| item == &**value)
        }
        _ => return None,
    };
    Some(match is_there {
        true => Some(true),
        false => (values.null_count() == 0).then_some(false),
    })
}

fn among<R: Row + ?Sized>(value: &Scalar, items: &[Expr], row: &R) -> Result<Option<bool>> {
    let mut is_unknown = false;
    for item in items {
        match compare_values(BinaryOp::Eq, value, &*evaluate_row(item, row)?)? {
            Some(true) => return Ok(Some(true)),
            Some(false) => {}
            None => is_unknown = true,
        }
    }
    Ok((!is_unknown).then_some(false))
}
