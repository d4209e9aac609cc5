//! SQLite's mathematics: NULL for what is no number and where there is no result.

use super::args::build;
use super::sqlite_datetime::{Values, values};
use crate::cast::sqlite::{Number, number};
use arrow::array::ArrayRef;
use arrow::datatypes::{Float64Type, Int64Type};
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;
use llkv_types::variant::{Variant, VariantBuilder};

use SqlType::{Float64, Int64};

/// The number of an argument; `None` for what is none.
fn number_at(values: &Values, at: usize, row: usize) -> Result<Option<Number>> {
    Ok(values.get(at, row)?.and_then(|value| match value {
        Variant::Blob(_) => None,
        value => number(value),
    }))
}

fn map(args: &FunctionArgs<'_>, f: impl Fn(f64) -> f64) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    build::<Float64Type>(args, |row| {
        let x = number_at(&values, 0, row)?;
        Ok(x.map(|x| f(x.real())).filter(|value| !value.is_nan()))
    })
}

fn map_two(args: &FunctionArgs<'_>, f: impl Fn(f64, f64) -> f64) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    build::<Float64Type>(args, |row| {
        let both = number_at(&values, 0, row)?.zip(number_at(&values, 1, row)?);
        Ok(both
            .map(|(x, y)| f(x.real(), y.real()))
            .filter(|value| !value.is_nan()))
    })
}

/// An integer stays one.
fn rounded(args: &FunctionArgs<'_>, f: impl Fn(f64) -> f64) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    let mut out = VariantBuilder::with_capacity(args.rows);
    for row in 0..args.rows {
        out.append(match number_at(&values, 0, row)? {
            None => None,
            Some(Number::Integer(value)) => Some(Variant::Integer(value)),
            Some(Number::Real(value)) => Variant::real(f(value)),
        })?;
    }
    out.finish()
}

fn sign(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let values = Values::new(args)?;
    build::<Int64Type>(args, |row| {
        Ok(number_at(&values, 0, row)?.map(|x| match x {
            Number::Integer(value) => value.signum(),
            Number::Real(0.0) => 0,
            Number::Real(value) => value.signum() as i64,
        }))
    })
}

/// A logarithm; there is none of what is not above zero.
fn positive(x: f64, f: impl Fn(f64) -> f64) -> f64 {
    if x > 0.0 { f(x) } else { f64::NAN }
}

fn log(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    match args.arrays.len() {
        1 => map(args, |x| positive(x, f64::log10)),
        _ => map_two(args, |base, x| {
            let base = positive(base, f64::ln);
            let quotient = positive(x, f64::ln) / base;
            if base > 0.0 { quotient } else { f64::NAN }
        }),
    }
}

fn count(types: &[SqlType], wanted: usize, result: SqlType) -> Option<Signature> {
    (types.len() == wanted)
        .then(|| values(types, wanted, result))
        .flatten()
}

/// A function of one number.
macro_rules! of_one {
    ($name:literal, $description:literal, $example:expr, $f:expr) => {
        ScalarFunction::new(
            $name,
            concat!($name, "(x)"),
            $description,
            $example,
            |types| count(types, 1, Float64),
            |args| map(args, $f),
        )
        .taking_nulls()
        .only_in(Dialects::SQLITE)
    };
}

/// A function of two numbers.
macro_rules! of_two {
    ($name:literal, $usage:literal, $description:literal, $example:expr, $f:expr) => {
        ScalarFunction::new(
            $name,
            $usage,
            $description,
            $example,
            |types| count(types, 2, Float64),
            |args| map_two(args, $f),
        )
        .taking_nulls()
        .only_in(Dialects::SQLITE)
    };
}

/// A function that keeps integers.
macro_rules! keeping {
    ($name:literal, $description:literal, $example:expr, $f:expr) => {
        ScalarFunction::new(
            $name,
            concat!($name, "(x)"),
            $description,
            $example,
            |types| count(types, 1, SqlType::Variant),
            |args| rounded(args, $f),
        )
        .taking_nulls()
        .only_in(Dialects::SQLITE)
    };
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    keeping!(
        "ceil",
        "The least whole number not below x.",
        ("ceil(1.2)", "2.0"),
        f64::ceil
    )
    .also(&["ceiling"]),
    keeping!(
        "floor",
        "The greatest whole number not above x.",
        ("floor(-1.2)", "-2.0"),
        f64::floor
    ),
    keeping!(
        "trunc",
        "The number without digits after the point.",
        ("trunc(-1.7)", "-1.0"),
        f64::trunc
    ),
    ScalarFunction::new(
        "sign",
        "sign(x)",
        "-1, 0 or 1; NULL for what is no number.",
        ("sign('-3.5')", "-1"),
        |types| count(types, 1, Int64),
        sign,
    )
    .taking_nulls()
    .only_in(Dialects::SQLITE),
    of_one!(
        "sqrt",
        "The square root; NULL of a negative number.",
        ("sqrt(16)", "4.0"),
        f64::sqrt
    ),
    of_one!("exp", "e to the power of x.", ("exp(0)", "1.0"), f64::exp),
    of_one!(
        "ln",
        "The natural logarithm; NULL of what is not above zero.",
        ("ln(1)", "0.0"),
        |x| { positive(x, f64::ln) }
    ),
    of_one!(
        "log10",
        "The logarithm to base 10.",
        ("log10(1000)", "3.0"),
        |x| positive(x, f64::log10)
    ),
    of_one!(
        "log2",
        "The logarithm to base 2.",
        ("log2(8)", "3.0"),
        |x| positive(x, f64::log2)
    ),
    ScalarFunction::new(
        "log",
        "log([base,] x)",
        "The logarithm to base 10, or to another base; NULL of what is not above zero.",
        ("log(100)", "2.0"),
        |types| count(types, 1, Float64).or_else(|| count(types, 2, Float64)),
        log,
    )
    .taking_nulls()
    .only_in(Dialects::SQLITE),
    of_two!(
        "pow",
        "pow(x, y)",
        "x to the power of y.",
        ("pow(2, 10)", "1024.0"),
        f64::powf
    )
    .also(&["power"]),
    of_two!(
        "mod",
        "mod(x, y)",
        "The remainder of x / y as a real.",
        ("mod(7, 3)", "1.0"),
        |x, y| x % y
    ),
    of_two!(
        "atan2",
        "atan2(y, x)",
        "The angle of the point (x, y).",
        ("atan2(0, 1)", "0.0"),
        f64::atan2
    ),
    of_one!(
        "sin",
        "The sine of an angle in radians.",
        ("sin(0)", "0.0"),
        f64::sin
    ),
    of_one!(
        "cos",
        "The cosine of an angle in radians.",
        ("cos(0)", "1.0"),
        f64::cos
    ),
    of_one!(
        "tan",
        "The tangent of an angle in radians.",
        ("tan(0)", "0.0"),
        f64::tan
    ),
    of_one!(
        "asin",
        "The angle whose sine is x.",
        ("asin(0)", "0.0"),
        f64::asin
    ),
    of_one!(
        "acos",
        "The angle whose cosine is x.",
        ("acos(1)", "0.0"),
        f64::acos
    ),
    of_one!(
        "atan",
        "The angle whose tangent is x.",
        ("atan(0)", "0.0"),
        f64::atan
    ),
    of_one!(
        "sinh",
        "The hyperbolic sine.",
        ("sinh(0)", "0.0"),
        f64::sinh
    ),
    of_one!(
        "cosh",
        "The hyperbolic cosine.",
        ("cosh(0)", "1.0"),
        f64::cosh
    ),
    of_one!(
        "tanh",
        "The hyperbolic tangent.",
        ("tanh(0)", "0.0"),
        f64::tanh
    ),
    of_one!(
        "asinh",
        "The inverse hyperbolic sine.",
        ("asinh(0)", "0.0"),
        f64::asinh
    ),
    of_one!(
        "acosh",
        "The inverse hyperbolic cosine.",
        ("acosh(1)", "0.0"),
        f64::acosh
    ),
    of_one!(
        "atanh",
        "The inverse hyperbolic tangent.",
        ("atanh(0)", "0.0"),
        f64::atanh
    ),
    of_one!(
        "degrees",
        "Radians as degrees.",
        ("degrees(pi())", "180.0"),
        f64::to_degrees
    ),
    of_one!(
        "radians",
        "Degrees as radians.",
        ("radians(0)", "0.0"),
        f64::to_radians
    ),
];
