//! Choices: `coalesce`, `if`, `nullif`, `greatest`, `least`.

use super::args::{array, booleans, is_constant, signature};
use super::numeric::function;
use crate::coercion::common_type_of;
use crate::value::Value;
use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{is_not_null, is_null, nullif as arrow_nullif, or};
use llkv_expr::{BinaryOp, FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;

/// All arguments in their common type.
fn common(types: &[SqlType]) -> Option<Signature> {
    if types.is_empty() {
        return None;
    }
    let ty = common_type_of(types.iter().copied())?;
    signature(&vec![ty; types.len()], ty)
}

fn common_of_two(types: &[SqlType]) -> Option<Signature> {
    if types.len() == 2 {
        common(types)
    } else {
        None
    }
}

fn choice(types: &[SqlType]) -> Option<Signature> {
    let [SqlType::Boolean | SqlType::Null, then, otherwise] = types else {
        return None;
    };
    let ty = crate::coercion::common_type(*then, *otherwise)?;
    signature(&[SqlType::Boolean, ty, ty], ty)
}

fn value(args: &FunctionArgs<'_>, at: usize) -> Result<Value> {
    let array = array(args, at)?.clone();
    Ok(if is_constant(args, at) {
        Value::Constant(array)
    } else {
        Value::Rows(array)
    })
}

/// `truthy` where the mask is TRUE.
fn choose(mask: &BooleanArray, truthy: &Value, falsy: &Value) -> Result<ArrayRef> {
    Ok(zip(mask, truthy, falsy)?)
}

/// The evaluator takes the lazy way; this one serves callers of the bare kernel.
fn coalesce(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let mut result = value(args, 0)?.into_rows(args.rows)?;
    for at in 1..args.arrays.len() {
        if result.logical_null_count() == 0 {
            break;
        }
        let present = is_not_null(&result)?;
        result = choose(&present, &Value::Rows(result), &value(args, at)?)?;
    }
    Ok(result)
}

fn if_kernel(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let when = booleans(args, 0)?;
    let mask: BooleanArray = (0..args.rows)
        .map(|row| Some(when.get(row) == Some(true)))
        .collect();
    choose(&mask, &value(args, 1)?, &value(args, 2)?)
}

fn nullif(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (left, right) = (value(args, 0)?, value(args, 1)?);
    let equal = crate::compare::compare(BinaryOp::Eq, &left, &right)?;
    let left = left.into_rows(args.rows)?;
    if equal.is_null_constant() {
        return Ok(left);
    }
    let equal = equal.into_rows(args.rows)?;
    Ok(arrow_nullif(
        &left,
        crate::arrays::boolean(equal.as_ref())?,
    )?)
}

/// The best of the arguments that are not NULL, by an order.
fn best(args: &FunctionArgs<'_>, better: BinaryOp) -> Result<ArrayRef> {
    let mut result = value(args, 0)?.into_rows(args.rows)?;
    for at in 1..args.arrays.len() {
        let candidate = value(args, at)?.into_rows(args.rows)?;
        let wins = crate::compare::compare(
            better,
            &Value::Rows(candidate.clone()),
            &Value::Rows(result.clone()),
        )?
        .into_rows(args.rows)?;
        let wins = crate::arrays::true_mask(crate::arrays::boolean(wins.as_ref())?);
        let wins = or(&BooleanArray::new(wins, None), &is_null(&result)?)?;
        result = choose(&wins, &Value::Rows(candidate), &Value::Rows(result))?;
    }
    Ok(result)
}

/// A function that meets NULL in its own way.
macro_rules! custom {
    ($($function:tt)*) => {
        function!($($function)*).taking_nulls()
    };
}
pub(super) use custom;

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    custom!(
        "coalesce",
        &[],
        "coalesce(x, ...)",
        "The first argument that is not NULL.",
        ("coalesce(NULL, 2, 3)", "2"),
        common,
        coalesce
    ),
    custom!(
        "ifnull",
        &["nvl"],
        "ifnull(x, y)",
        "x, or y where x is NULL.",
        ("ifnull(NULL, 2)", "2"),
        common_of_two,
        coalesce
    ),
    custom!(
        "if",
        &["iif"],
        "if(condition, x, y)",
        "x where the condition is true, else y.",
        ("if(1 < 2, 'yes', 'no')", "yes"),
        choice,
        if_kernel
    ),
    custom!(
        "nullif",
        &[],
        "nullif(x, y)",
        "NULL where x equals y, else x.",
        ("nullif(1, 2)", "1"),
        common_of_two,
        nullif
    ),
    custom!(
        "greatest",
        &[],
        "greatest(x, ...)",
        "The greatest argument that is not NULL.",
        ("greatest(1, 3, 2)", "3"),
        common,
        |args| best(args, BinaryOp::Gt)
    ),
    custom!(
        "least",
        &[],
        "least(x, ...)",
        "The least argument that is not NULL.",
        ("least(3, 1, 2)", "1"),
        common,
        |args| best(args, BinaryOp::Lt)
    ),
];
