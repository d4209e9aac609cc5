//! Functions that keep to the type of their number: integers stay integers, decimals exact.
//!
//! `round` goes half away from zero for exact numbers and half to even for floats, as in PostgreSQL; a
//! float that is rounded to digits after the point goes half away from zero.

use super::args::{array, build, exactly, natives, out_of_range, signature};
use crate::arithmetic::decimal::{divide_rounded, power_of_ten};
use crate::arrays::with_integer;
use crate::cast::cast;
use crate::value::Value;
use arrow::array::{ArrayRef, ArrowPrimitiveType};
use arrow::datatypes::{
    Decimal64Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
};
use llkv_expr::{BinaryOp, CastMode, FunctionArgs, ScalarFunction, Signature};
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use num_traits::AsPrimitive;
use std::sync::Arc;

/// The argument's own type, DOUBLE for a bare NULL.
fn number(types: &[SqlType]) -> Option<SqlType> {
    match types.first()? {
        SqlType::Null => Some(SqlType::Float64),
        ty if ty.is_numeric() => Some(*ty),
        _ => None,
    }
}

fn same(types: &[SqlType]) -> Option<Signature> {
    let ty = number(types)?;
    if types.len() == 1 {
        signature(&[ty], ty)
    } else {
        None
    }
}

/// Whole numbers: a decimal loses its scale and gains a digit for the carry.
fn whole(types: &[SqlType]) -> Option<Signature> {
    let ty = number(types)?;
    if types.len() != 1 {
        return None;
    }
    signature(&[ty], whole_type(ty))
}

fn whole_type(ty: SqlType) -> SqlType {
    match ty {
        SqlType::Decimal { precision, scale } => SqlType::Decimal {
            precision: (precision - scale + 1).min(SqlType::DECIMAL128_PRECISION),
            scale: 0,
        },
        ty => ty,
    }
}

/// With a number of digits the scale stays, as the digits may differ from row to row; there is one more for the carry.
pub(super) fn whole_or_digits(types: &[SqlType]) -> Option<Signature> {
    match types {
        [_] => whole(types),
        [_, digits] if digits.is_integer() || *digits == SqlType::Null => {
            let ty = number(types)?;
            let result = match ty {
                SqlType::Decimal { precision, scale } => SqlType::Decimal {
                    precision: (precision + 1).min(SqlType::DECIMAL128_PRECISION),
                    scale,
                },
                ty => ty,
            };
            signature(&[ty, SqlType::Int32], result)
        }
        _ => None,
    }
}

/// How digits are dropped.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Rounding {
    /// Half away from zero; a float without digits half to even.
    Nearest,
    AwayFromZero,
    Down,
    Up,
    Truncate,
}

impl Rounding {
    /// A float as a whole number.
    fn whole_float(self, x: f64) -> f64 {
        match self {
            Self::Nearest => x.round_ties_even(),
            other => other.float(x),
        }
    }

    fn float(self, x: f64) -> f64 {
        match self {
            Self::Nearest | Self::AwayFromZero => x.round(),
            Self::Down => x.floor(),
            Self::Up => x.ceil(),
            Self::Truncate => x.trunc(),
        }
    }

    /// `value / unit`, whole.
    fn divide(self, value: i128, unit: i128) -> Option<i128> {
        let floor = value.checked_div_euclid(unit)?;
        match self {
            Self::Nearest | Self::AwayFromZero => divide_rounded(value, unit),
            Self::Down => Some(floor),
            Self::Up => floor.checked_add(i128::from(value.checked_rem_euclid(unit)? != 0)),
            Self::Truncate => value.checked_div(unit),
        }
    }

    /// To `digits` after the point.
    fn float_digits(self, x: f64, digits: i32) -> f64 {
        if !x.is_finite() || digits > 308 {
            return x;
        }
        if digits < -308 {
            return 0.0;
        }
        // One power may overflow where the number does not need it: then all digits are kept.
        let unit = 10f64.powi(digits.abs());
        let rounded = if digits >= 0 {
            self.float(x * unit) / unit
        } else {
            self.float(x / unit) * unit
        };
        if rounded.is_finite() { rounded } else { x }
    }
}

/// Rounds every type of number.
pub(super) fn rounded(args: &FunctionArgs<'_>, rounding: Rounding) -> Result<ArrayRef> {
    let source = crate::arrays::sql_type(array(args, 0)?.as_ref())?;
    let by_digits = args.arrays.len() == 2;
    match source {
        SqlType::Float64 => float_rounded::<Float64Type>(args, rounding),
        SqlType::Float32 => float_rounded::<Float32Type>(args, rounding),
        SqlType::Decimal { precision, scale } if precision <= SqlType::DECIMAL64_PRECISION => {
            decimal_rounded::<Decimal64Type>(args, rounding, scale)
        }
        SqlType::Decimal { scale, .. } => decimal_rounded::<Decimal128Type>(args, rounding, scale),
        ty if by_digits => with_integer!(
            ty,
            integer_rounded::<_>(args, rounding, ty),
            Err(Error::internal(format!("cannot round {ty}")))
        ),
        _ => Ok(array(args, 0)?.clone()),
    }
}

fn float_rounded<T>(args: &FunctionArgs<'_>, rounding: Rounding) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: AsPrimitive<f64> + num_traits::NumCast,
{
    let x = natives::<T>(args, 0)?;
    if args.arrays.len() == 1 {
        return build::<T>(args, |row| {
            Ok(x.get(row)
                .and_then(|x| num_traits::cast(rounding.whole_float(x.as_()))))
        });
    }
    let digits = natives::<Int32Type>(args, 1)?;
    build::<T>(args, |row| {
        let (Some(x), Some(digits)) = (x.get(row), digits.get(row)) else {
            return Ok(None);
        };
        Ok(num_traits::cast(rounding.float_digits(x.as_(), digits)))
    })
}

fn decimal_rounded<T>(args: &FunctionArgs<'_>, rounding: Rounding, scale: u8) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: AsPrimitive<i128>,
{
    let x = natives::<T>(args, 0)?;
    let SqlType::Decimal {
        precision,
        scale: result_scale,
    } = args.result
    else {
        return Err(Error::internal("a rounded decimal is a decimal"));
    };
    let digits = match args.arrays.len() {
        1 => None,
        _ => Some(natives::<Int32Type>(args, 1)?),
    };
    let limit = crate::arithmetic::decimal::limit(precision);
    let value = |row: usize| -> Result<Option<i128>> {
        let Some(x) = x.get(row) else {
            return Ok(None);
        };
        let kept = match &digits {
            None => 0,
            Some(digits) => match digits.get(row) {
                None => return Ok(None),
                Some(digits) => digits.min(i32::from(scale)),
            },
        };
        let value = decimal_to_digits(x.as_(), scale, kept, result_scale, rounding);
        match value.filter(|value| value.abs() < limit) {
            Some(value) => Ok(Some(value)),
            None => Err(out_of_range("round", args.result)),
        }
    };
    if precision <= SqlType::DECIMAL64_PRECISION {
        build::<Decimal64Type>(args, |row| Ok(value(row)?.map(|v| v as i64)))
    } else {
        build::<Decimal128Type>(args, value)
    }
}

/// A decimal of `scale` with `kept` digits after the point, as a decimal of `result_scale`.
fn decimal_to_digits(
    value: i128,
    scale: u8,
    kept: i32,
    result_scale: u8,
    rounding: Rounding,
) -> Option<i128> {
    // Beyond this all digits are dropped anyway.
    let kept = kept.max(-100);
    let dropped = u32::try_from(i32::from(scale) - kept).ok()?;
    let Some(unit) = power_of_ten(dropped) else {
        return Some(0);
    };
    let whole = rounding.divide(value, unit)?;
    let back = u32::try_from(i32::from(result_scale) - kept).ok()?;
    if whole == 0 {
        return Some(0);
    }
    whole.checked_mul(power_of_ten(back)?)
}

/// Integers change only for a negative number of digits.
fn integer_rounded<T>(args: &FunctionArgs<'_>, rounding: Rounding, ty: SqlType) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: AsPrimitive<i128> + num_traits::NumCast,
{
    let (x, digits) = (natives::<T>(args, 0)?, natives::<Int32Type>(args, 1)?);
    build::<T>(args, |row| {
        let (Some(x), Some(digits)) = (x.get(row), digits.get(row)) else {
            return Ok(None);
        };
        if digits >= 0 {
            return Ok(Some(x));
        }
        let value = decimal_to_digits(x.as_(), 0, digits, 0, rounding);
        match value.and_then(num_traits::cast) {
            Some(value) => Ok(Some(value)),
            None => Err(out_of_range("round", ty)),
        }
    })
}

fn abs(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    if args.result == SqlType::Variant {
        return super::variant::abs(args);
    }
    let ty = args.result;
    match ty {
        SqlType::Float64 => {
            let x = natives::<Float64Type>(args, 0)?;
            build::<Float64Type>(args, |row| Ok(x.get(row).map(f64::abs)))
        }
        SqlType::Float32 => {
            let x = natives::<Float32Type>(args, 0)?;
            build::<Float32Type>(args, |row| Ok(x.get(row).map(f32::abs)))
        }
        SqlType::Decimal { precision, .. } if precision <= SqlType::DECIMAL64_PRECISION => {
            let x = natives::<Decimal64Type>(args, 0)?;
            build::<Decimal64Type>(args, |row| Ok(x.get(row).map(i64::wrapping_abs)))
        }
        SqlType::Decimal { .. } => {
            let x = natives::<Decimal128Type>(args, 0)?;
            build::<Decimal128Type>(args, |row| Ok(x.get(row).map(i128::wrapping_abs)))
        }
        ty => with_integer!(
            ty,
            integer_abs::<_>(args, ty),
            Err(Error::internal(format!("no absolute value of {ty}")))
        ),
    }
}

fn integer_abs<T>(args: &FunctionArgs<'_>, ty: SqlType) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: AsPrimitive<i128> + num_traits::NumCast,
{
    let x = natives::<T>(args, 0)?;
    build::<T>(args, |row| {
        let Some(x) = x.get(row) else {
            return Ok(None);
        };
        let magnitude: i128 = AsPrimitive::<i128>::as_(x).abs();
        match num_traits::cast(magnitude) {
            Some(value) => Ok(Some(value)),
            None => Err(out_of_range(format!("abs(-{magnitude})"), ty)),
        }
    })
}

fn sign_type(types: &[SqlType]) -> Option<Signature> {
    let ty = number(types)?;
    let arg = if ty.is_float() { SqlType::Float64 } else { ty };
    let result = if ty.is_float() {
        SqlType::Float64
    } else {
        SqlType::Int32
    };
    if types.len() == 1 {
        signature(&[arg], result)
    } else {
        None
    }
}

fn sign(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    if args.result == SqlType::Float64 {
        let x = natives::<Float64Type>(args, 0)?;
        return build::<Float64Type>(args, |row| {
            Ok(x.get(row).map(|x| match x {
                x if x > 0.0 => 1.0,
                x if x < 0.0 => -1.0,
                x => x,
            }))
        });
    }
    let wide = SqlType::Decimal {
        precision: SqlType::DECIMAL128_PRECISION,
        scale: match crate::arrays::sql_type(array(args, 0)?.as_ref())? {
            SqlType::Decimal { scale, .. } => scale,
            _ => 0,
        },
    };
    let wide = [cast(array(args, 0)?, wide, CastMode::Strict)?];
    let wide = FunctionArgs {
        arrays: &wide,
        ..*args
    };
    let x = natives::<Decimal128Type>(&wide, 0)?;
    build::<Int32Type>(args, |row| Ok(x.get(row).map(|x| x.signum() as i32)))
}

fn modulo_type(types: &[SqlType]) -> Option<Signature> {
    let [left, right] = types else {
        return None;
    };
    let (left, right, result) = crate::coercion::binary_signature(BinaryOp::Modulo, *left, *right)?;
    signature(&[left, right], result)
}

/// Runs an operator as a function.
pub(super) fn operator(op: BinaryOp, args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let value = |at| -> Result<Value> {
        let array = array(args, at)?.clone();
        Ok(if super::args::is_constant(args, at) {
            Value::Constant(array)
        } else {
            Value::Rows(array)
        })
    };
    crate::arithmetic::binary(op, &value(0)?, &value(1)?, args.result)?.into_rows(args.rows)
}

fn two_integers(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[SqlType::Int64, SqlType::Int64], SqlType::Int64)
}

/// Euclid's algorithm on magnitudes.
const fn common_divisor(a: i64, b: i64) -> u64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn integers(
    args: &FunctionArgs<'_>,
    name: &'static str,
    f: impl Fn(i64, i64) -> Option<i64>,
) -> Result<ArrayRef> {
    let (a, b) = (
        natives::<Int64Type>(args, 0)?,
        natives::<Int64Type>(args, 1)?,
    );
    build::<Int64Type>(args, |row| {
        let (Some(a), Some(b)) = (a.get(row), b.get(row)) else {
            return Ok(None);
        };
        match f(a, b) {
            Some(value) => Ok(Some(value)),
            None => Err(out_of_range(format!("{name}({a}, {b})"), SqlType::Int64)),
        }
    })
}

fn gcd(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    integers(args, "gcd", |a, b| i64::try_from(common_divisor(a, b)).ok())
}

fn lcm(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    integers(args, "lcm", |a, b| {
        if a == 0 || b == 0 {
            return Some(0);
        }
        let part = a.unsigned_abs() / common_divisor(a, b);
        i64::try_from(part.checked_mul(b.unsigned_abs())?).ok()
    })
}

fn float_test(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[SqlType::Float64], SqlType::Boolean)
}

fn test(args: &FunctionArgs<'_>, f: impl Fn(f64) -> bool) -> Result<ArrayRef> {
    let x = natives::<Float64Type>(args, 0)?;
    let values = (0..args.rows).map(|row| x.get(row).map(&f));
    Ok(Arc::new(values.collect::<arrow::array::BooleanArray>()))
}

/// A strict, immutable function.
macro_rules! function {
    ($name:literal, $aliases:expr, $usage:literal, $description:literal, $example:expr,
     $resolve:expr, $kernel:expr) => {
        ScalarFunction::new($name, $usage, $description, $example, $resolve, $kernel).also($aliases)
    };
}
pub(super) use function;

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    function!(
        "abs",
        &[],
        "abs(x)",
        "The absolute value.",
        ("abs(-5)", "5"),
        |types| match types {
            [SqlType::Variant] => signature(types, SqlType::Variant),
            _ => same(types),
        },
        abs
    ),
    function!(
        "ceil",
        &["ceiling"],
        "ceil(x)",
        "The least whole number not below x.",
        ("ceil(1.2)", "2"),
        whole,
        |args| rounded(args, Rounding::Up)
    ),
    function!(
        "floor",
        &[],
        "floor(x)",
        "The greatest whole number not above x.",
        ("floor(-1.2)", "-2"),
        whole,
        |args| rounded(args, Rounding::Down)
    ),
    function!(
        "round",
        &[],
        "round(x [, digits])",
        "The nearest number with so many digits after the point, half away from zero; \
         a float without digits half to even.",
        ("round(2.5)", "3"),
        whole_or_digits,
        |args| rounded(args, Rounding::Nearest)
    ),
    function!(
        "trunc",
        &["truncate"],
        "trunc(x [, digits])",
        "The number without further digits after the point.",
        ("trunc(-1.7)", "-1"),
        whole_or_digits,
        |args| rounded(args, Rounding::Truncate)
    ),
    function!(
        "sign",
        &["signum"],
        "sign(x)",
        "-1, 0 or 1.",
        ("sign(-3)", "-1"),
        sign_type,
        sign
    ),
    function!(
        "mod",
        &[],
        "mod(x, y)",
        "The remainder of x / y, with the sign of x.",
        ("mod(-7, 3)", "-1"),
        modulo_type,
        |args| operator(BinaryOp::Modulo, args)
    ),
    function!(
        "gcd",
        &["greatest_common_divisor"],
        "gcd(x, y)",
        "The greatest common divisor.",
        ("gcd(12, 18)", "6"),
        two_integers,
        gcd
    ),
    function!(
        "lcm",
        &["least_common_multiple"],
        "lcm(x, y)",
        "The least common multiple.",
        ("lcm(4, 6)", "12"),
        two_integers,
        lcm
    ),
    function!(
        "isnan",
        &[],
        "isnan(x)",
        "Whether x is not a number.",
        ("isnan(1)", "false"),
        float_test,
        |args| test(args, f64::is_nan)
    ),
    function!(
        "isinf",
        &[],
        "isinf(x)",
        "Whether x is infinite.",
        ("isinf(1)", "false"),
        float_test,
        |args| test(args, f64::is_infinite)
    ),
];
