//! What the binder writes for SQLite's rules about values that carry their own type. None of these has a
//! name in SQL.

use super::args::{array, exactly};
use super::numeric::function;
use crate::cast::sqlite::{Number, exact_integer, number, number_prefix};
use crate::coercion::common_type_of;
use crate::value::Value;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array};
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::Float64Type;
use llkv_expr::{BinaryOp, CastMode, FunctionArgs, ScalarFunction, Signature};
use llkv_result::{Error, EvalError, Result};
use llkv_types::variant::{self, Variant, VariantBuilder};
use llkv_types::{Scalar, SqlType};
use std::sync::Arc;

/// One value of any type in, one out.
fn any(types: &[SqlType]) -> Option<Signature> {
    match types {
        [_] => super::args::signature(&[SqlType::Variant], SqlType::Variant),
        _ => None,
    }
}

/// All arguments in one type.
fn alike(types: &[SqlType]) -> Option<Signature> {
    let ty = common_type_of(types.iter().copied())?;
    super::args::signature(&vec![ty; types.len()], ty)
}

/// Maps the values that are there.
pub(super) fn map(
    args: &FunctionArgs<'_>,
    f: impl Fn(Variant<'_>, &mut VariantBuilder) -> Result<()>,
) -> Result<ArrayRef> {
    let values = variant::encoded(array(args, 0)?.as_ref())?;
    let mut out = VariantBuilder::with_capacity(values.len());
    for row in 0..values.len() {
        match variant::value(&values, row)? {
            None => out.append(None)?,
            Some(value) => f(value, &mut out)?,
        }
    }
    out.finish()
}

/// A text that is a number as that number, an integer where nothing is lost.
fn numeric_affinity(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    map(args, |value, out| {
        let number = match value {
            Variant::Text(_) => number(value),
            _ => None,
        };
        out.append(Some(match number {
            Some(Number::Integer(value)) => Variant::Integer(value),
            Some(Number::Real(value)) => {
                exact_integer(value).map_or(Variant::Real(value), Variant::Integer)
            }
            None => value,
        }))
    })
}

/// A value as a NUMERIC column holds it: a text that is a number as that number, a real without a fraction as
/// an integer.
fn numeric_column(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    map(args, |value, out| {
        let number = match value {
            Variant::Text(_) | Variant::Real(_) => number(value),
            _ => None,
        };
        out.append(Some(match number {
            Some(Number::Integer(value)) => Variant::Integer(value),
            Some(Number::Real(value)) => {
                exact_integer(value).map_or(Variant::Real(value), Variant::Integer)
            }
            None => value,
        }))
    })
}

/// A value as a REAL column whose values carry their type holds it: a number, and a text that is one, as a real.
fn real_column(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    map(args, |value, out| {
        let number = match value {
            Variant::Blob(_) => None,
            value => number(value),
        };
        out.append(Some(
            number.map_or(value, |number| Variant::Real(number.real())),
        ))
    })
}

/// A value in the type of its column, which is the result's; the table's and the column's names come with it.
fn column_value(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let values = array(args, 0)?;
    let stored = crate::cast::cast(values, args.result, CastMode::Strict);
    stored.map_err(|error| {
        let value = match &error {
            Error::Eval(EvalError::InvalidCast { value, .. }) => value.clone(),
            Error::Eval(EvalError::OutOfRange { operation, .. }) => operation.clone(),
            _ => return error,
        };
        let name = |at| match array(args, at).map(|names| Scalar::from_array(names.as_ref(), 0)) {
            Ok(Ok(Scalar::Text(name))) => name.to_string(),
            _ => String::new(),
        };
        EvalError::ColumnType {
            table: name(1),
            column: name(2),
            ty: args.result.to_string(),
            value,
        }
        .into()
    })
}

/// What arithmetic of reals gives: there is no NaN among SQLite's values.
fn real_result(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let values = array(args, 0)?;
    let reals = values.as_primitive::<Float64Type>();
    if !reals.values().iter().any(|value| value.is_nan()) {
        return Ok(Arc::clone(values));
    }
    let results = reals
        .iter()
        .map(|value| value.filter(|value| !value.is_nan()));
    Ok(Arc::new(results.collect::<Float64Array>()))
}

/// A number as the text of it.
fn text_affinity(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    map(args, |value, out| match value {
        Variant::Integer(_) | Variant::Real(_) => {
            out.append(Some(Variant::Text(&value.to_string())))
        }
        other => out.append(Some(other)),
    })
}

/// `CAST(x AS NUMERIC)`
fn cast_numeric(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    map(args, |value, out| {
        out.append(Some(match value {
            Variant::Integer(_) | Variant::Real(_) => value,
            other => match number_prefix(other) {
                Number::Integer(value) => Variant::Integer(value),
                Number::Real(value) => {
                    exact_integer(value).map_or(Variant::Real(value), Variant::Integer)
                }
            },
        }))
    })
}

/// `abs(x)`: a text counts as a real.
pub(super) fn abs(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    map(args, |value, out| {
        out.append(match value {
            Variant::Integer(value) => {
                Some(Variant::Integer(value.checked_abs().ok_or_else(|| {
                    EvalError::OutOfRange {
                        operation: format!("abs({value})"),
                        ty: SqlType::Int64.to_string(),
                    }
                })?))
            }
            other => Variant::real(number_prefix(other).real().abs()),
        })
    })
}

/// The best argument; the first of equals for `Gt`, the last for `LtEq`.
fn best(args: &FunctionArgs<'_>, wins: BinaryOp) -> Result<ArrayRef> {
    let value = |at: usize| -> Result<Value> {
        let array = array(args, at)?.clone();
        let constant = args.constants.get(at).copied().unwrap_or(false);
        let rows = if constant {
            Value::Constant(array).into_rows(args.rows)?
        } else {
            array
        };
        Ok(Value::Rows(rows))
    };
    let mut result = value(0)?;
    for at in 1..args.arrays.len() {
        let candidate = value(at)?;
        let mask = crate::compare::compare(wins, &candidate, &result)?.into_rows(args.rows)?;
        let mask = crate::arrays::true_mask(crate::arrays::boolean(mask.as_ref())?);
        result = Value::Rows(zip(&BooleanArray::new(mask, None), &candidate, &result)?);
    }
    // NULL in any argument is NULL.
    let mut nulls = None;
    for at in 0..args.arrays.len() {
        let own = value(at)?.array().logical_nulls();
        nulls = arrow::buffer::NullBuffer::union(nulls.as_ref(), own.as_ref());
    }
    let result = result.into_rows(args.rows)?;
    match nulls {
        None => Ok(result),
        Some(nulls) => {
            let absent = Value::null(args.result);
            let mask = BooleanArray::new(nulls.into_inner(), None);
            Ok(zip(&mask, &Value::Rows(result), &absent)?)
        }
    }
}

/// The functions, by the names that the binder asks for.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    function!(
        "numeric_affinity",
        &[],
        "numeric_affinity(x)",
        "A text that is a number as that number, anything else as it is.",
        ("numeric_affinity('12')", "12"),
        any,
        numeric_affinity
    ),
    function!(
        "numeric_column",
        &[],
        "numeric_column(x)",
        "A text that is a number as that number, a real without a fraction as an integer.",
        ("numeric_column('12.0')", "12"),
        any,
        numeric_column
    ),
    function!(
        "real_column",
        &[],
        "real_column(x)",
        "A number, and a text that is one, as a real, anything else as it is.",
        ("real_column('12')", "12.0"),
        any,
        real_column
    ),
    function!(
        "column_value",
        &[],
        "column_value(x, table, column)",
        "A value in the type of its column.",
        ("column_value(12, 't', 'a')", "12"),
        |types| match types {
            [_, SqlType::Text, SqlType::Text] => super::args::signature(
                &[SqlType::Variant, SqlType::Text, SqlType::Text],
                SqlType::Int64
            ),
            _ => None,
        },
        column_value
    ),
    function!(
        "real_result",
        &[],
        "real_result(x)",
        "A real, NULL where it is no number.",
        ("real_result(1.5)", "1.5"),
        |types| exactly(types, &[SqlType::Float64], SqlType::Float64),
        real_result
    ),
    function!(
        "text_affinity",
        &[],
        "text_affinity(x)",
        "A number as its text, anything else as it is.",
        ("text_affinity(12)", "12"),
        any,
        text_affinity
    ),
    function!(
        "cast_numeric",
        &[],
        "cast_numeric(x)",
        "A text or blob as the number that it begins with, or 0.",
        ("cast_numeric('12ab')", "12"),
        any,
        cast_numeric
    ),
    function!(
        "scalar_max",
        &[],
        "scalar_max(x, ...)",
        "The greatest argument, NULL where one is NULL.",
        ("scalar_max(1, 2)", "2"),
        alike,
        |args| best(args, BinaryOp::Gt)
    ),
    function!(
        "scalar_min",
        &[],
        "scalar_min(x, ...)",
        "The least argument, NULL where one is NULL.",
        ("scalar_min(1, 2)", "1"),
        alike,
        |args| best(args, BinaryOp::LtEq)
    ),
];
