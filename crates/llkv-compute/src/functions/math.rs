//! Functions of DOUBLE.

use super::args::{build, exactly, invalid, natives, out_of_range};
use arrow::array::ArrayRef;
use arrow::datatypes::Float64Type;
use llkv_expr::{Dialects, FunctionArgs, NullHandling, ScalarFunction, Signature, Volatility};
use llkv_result::Result;
use llkv_types::SqlType;
use std::f64::consts::PI;

fn one(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[SqlType::Float64], SqlType::Float64)
}

fn two(types: &[SqlType]) -> Option<Signature> {
    exactly(
        types,
        &[SqlType::Float64, SqlType::Float64],
        SqlType::Float64,
    )
}

fn none(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[], SqlType::Float64)
}

fn one_or_two(types: &[SqlType]) -> Option<Signature> {
    one(types).or_else(|| two(types))
}

/// A function of one number; an infinite result of a finite argument is out of range.
pub(super) fn map(
    args: &FunctionArgs<'_>,
    name: &'static str,
    f: impl Fn(f64) -> Result<f64>,
) -> Result<ArrayRef> {
    let x = natives::<Float64Type>(args, 0)?;
    build::<Float64Type>(args, |row| {
        let Some(x) = x.get(row) else {
            return Ok(None);
        };
        let value = f(x)?;
        if value.is_infinite() && x.is_finite() {
            return Err(out_of_range(format!("{name}({x})"), SqlType::Float64));
        }
        Ok(Some(value))
    })
}

pub(super) fn map_two(
    args: &FunctionArgs<'_>,
    name: &'static str,
    f: impl Fn(f64, f64) -> Result<f64>,
) -> Result<ArrayRef> {
    let (x, y) = (
        natives::<Float64Type>(args, 0)?,
        natives::<Float64Type>(args, 1)?,
    );
    build::<Float64Type>(args, |row| {
        let (Some(x), Some(y)) = (x.get(row), y.get(row)) else {
            return Ok(None);
        };
        let value = f(x, y)?;
        if value.is_infinite() && x.is_finite() && y.is_finite() {
            return Err(out_of_range(format!("{name}({x}, {y})"), SqlType::Float64));
        }
        Ok(Some(value))
    })
}

/// An argument within a domain.
pub(super) fn within(name: &'static str, inside: bool, x: f64) -> Result<f64> {
    if inside || x.is_nan() {
        Ok(x)
    } else {
        Err(invalid(name, format!("{x} is outside its domain")))
    }
}

fn logarithm(name: &'static str, x: f64) -> Result<f64> {
    within(name, x > 0.0, x)
}

fn log(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    if args.arrays.len() == 1 {
        return map(args, "log", |x| Ok(logarithm("log", x)?.log10()));
    }
    map_two(args, "log", |base, x| {
        let base = logarithm("log", base)?;
        let base = within("log", base != 1.0, base)?;
        Ok(logarithm("log", x)?.ln() / base.ln())
    })
}

fn power(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    map_two(args, "power", |x, y| {
        if x == 0.0 && y < 0.0 {
            return Err(invalid("power", "zero to a negative power is undefined"));
        }
        if x < 0.0 && y.fract() != 0.0 && y.is_finite() {
            return Err(invalid(
                "power",
                "a negative number to a fraction is complex",
            ));
        }
        Ok(x.powf(y))
    })
}

fn pi(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    build::<Float64Type>(args, |_| Ok(Some(PI)))
}

/// A function of one DOUBLE, from an expression of `x`.
macro_rules! of_one {
    ($name:literal, $aliases:expr, $description:literal, $example:expr, |$x:ident| $body:expr) => {
        ScalarFunction {
            name: $name,
            aliases: $aliases,
            usage: concat!($name, "(x)"),
            description: $description,
            example: $example,
            nulls: NullHandling::Strict,
            volatility: Volatility::Immutable,
            dialects: Dialects::ALL,
            resolve: one,
            kernel: |args| map(args, $name, |$x| Ok($body)),
        }
    };
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    of_one!("sqrt", &[], "The square root.", ("sqrt(16)", "4.0"), |x| {
        within("sqrt", x >= 0.0, x)?.sqrt()
    }),
    of_one!("cbrt", &[], "The cube root.", ("cbrt(27)", "3.0"), |x| x
        .cbrt()),
    of_one!("exp", &[], "e to the power of x.", ("exp(0)", "1.0"), |x| x
        .exp()),
    of_one!("ln", &[], "The natural logarithm.", ("ln(1)", "0.0"), |x| {
        logarithm("ln", x)?.ln()
    }),
    of_one!(
        "log10",
        &[],
        "The logarithm to base 10.",
        ("log10(1000)", "3.0"),
        |x| logarithm("log10", x)?.log10()
    ),
    of_one!(
        "log2",
        &[],
        "The logarithm to base 2.",
        ("log2(8)", "3.0"),
        |x| logarithm("log2", x)?.log2()
    ),
    of_one!(
        "sin",
        &[],
        "The sine of an angle in radians.",
        ("sin(0)", "0.0"),
        |x| x.sin()
    ),
    of_one!(
        "cos",
        &[],
        "The cosine of an angle in radians.",
        ("cos(0)", "1.0"),
        |x| x.cos()
    ),
    of_one!(
        "tan",
        &[],
        "The tangent of an angle in radians.",
        ("tan(0)", "0.0"),
        |x| x.tan()
    ),
    of_one!(
        "cot",
        &[],
        "The cotangent of an angle in radians.",
        ("cot(pi() / 2) < 0.000001", "true"),
        |x| x.tan().recip()
    ),
    of_one!(
        "asin",
        &[],
        "The angle whose sine is x.",
        ("asin(0)", "0.0"),
        |x| within("asin", x.abs() <= 1.0, x)?.asin()
    ),
    of_one!(
        "acos",
        &[],
        "The angle whose cosine is x.",
        ("acos(1)", "0.0"),
        |x| within("acos", x.abs() <= 1.0, x)?.acos()
    ),
    of_one!(
        "atan",
        &[],
        "The angle whose tangent is x.",
        ("atan(0)", "0.0"),
        |x| x.atan()
    ),
    of_one!(
        "sinh",
        &[],
        "The hyperbolic sine.",
        ("sinh(0)", "0.0"),
        |x| x.sinh()
    ),
    of_one!(
        "cosh",
        &[],
        "The hyperbolic cosine.",
        ("cosh(0)", "1.0"),
        |x| x.cosh()
    ),
    of_one!(
        "tanh",
        &[],
        "The hyperbolic tangent.",
        ("tanh(0)", "0.0"),
        |x| x.tanh()
    ),
    of_one!(
        "degrees",
        &[],
        "Radians as degrees.",
        ("degrees(pi())", "180.0"),
        |x| x.to_degrees()
    ),
    of_one!(
        "radians",
        &[],
        "Degrees as radians.",
        ("radians(0)", "0.0"),
        |x| x.to_radians()
    ),
    ScalarFunction {
        name: "log",
        aliases: &[],
        usage: "log([base,] x)",
        description: "The logarithm to base 10, or to another base.",
        example: ("log(100)", "2.0"),
        nulls: NullHandling::Strict,
        volatility: Volatility::Immutable,
        dialects: Dialects::ALL,
        resolve: one_or_two,
        kernel: log,
    },
    ScalarFunction {
        name: "power",
        aliases: &["pow"],
        usage: "power(x, y)",
        description: "x to the power of y.",
        example: ("power(2, 10)", "1024.0"),
        nulls: NullHandling::Strict,
        volatility: Volatility::Immutable,
        dialects: Dialects::ALL,
        resolve: two,
        kernel: power,
    },
    ScalarFunction {
        name: "atan2",
        aliases: &[],
        usage: "atan2(y, x)",
        description: "The angle of the point (x, y).",
        example: ("atan2(0, 1)", "0.0"),
        nulls: NullHandling::Strict,
        volatility: Volatility::Immutable,
        dialects: Dialects::ALL,
        resolve: two,
        kernel: |args| map_two(args, "atan2", |y, x| Ok(y.atan2(x))),
    },
    ScalarFunction {
        name: "pi",
        aliases: &[],
        usage: "pi()",
        description: "The ratio of a circle's circumference to its diameter.",
        example: ("pi()", "3.141592653589793"),
        nulls: NullHandling::Strict,
        volatility: Volatility::Immutable,
        dialects: Dialects::ALL,
        resolve: none,
        kernel: pi,
    },
];
