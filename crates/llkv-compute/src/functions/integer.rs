//! Functions of whole numbers: factorials, histograms, digits in other bases.

use super::args::{
    array, build, build_text, exactly, invalid, natives, out_of_range, signature, texts,
};
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int32Type, Int64Type};
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;

use SqlType::{Float64, Int32, Int64, Text};

/// Whole numbers of 38 digits.
const WIDE: SqlType = SqlType::Decimal {
    precision: SqlType::DECIMAL128_PRECISION,
    scale: 0,
};

/// The greatest number whose factorial has 38 digits.
const MAX_FACTORIAL: i64 = 33;

fn factorial(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let x = natives::<Int64Type>(args, 0)?;
    build::<Decimal128Type>(args, |row| match x.get(row) {
        None => Ok(None),
        Some(x) if x < 0 => Err(invalid("factorial", format!("{x} is negative"))),
        Some(x) if x > MAX_FACTORIAL => Err(out_of_range(format!("factorial({x})"), WIDE)),
        Some(x) => Ok(Some((1..=i128::from(x)).product())),
    })
}

fn bucket_type(types: &[SqlType]) -> Option<Signature> {
    let [numbers @ .., count] = types else {
        return None;
    };
    let bounds = [Float64, Float64, Float64];
    exactly(numbers, &bounds, Int32)?;
    exactly(&[*count], &[Int64], Int32)?;
    signature(&[Float64, Float64, Float64, Int32], Int32)
}

/// The bucket of a histogram of equal widths; 0 below it, `count + 1` above.
fn width_bucket(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "width_bucket";
    let [x, low, high] = [
        natives::<Float64Type>(args, 0)?,
        natives::<Float64Type>(args, 1)?,
        natives::<Float64Type>(args, 2)?,
    ];
    let count = natives::<Int32Type>(args, 3)?;
    build::<Int32Type>(args, |row| {
        let (Some(x), Some(low), Some(high), Some(count)) =
            (x.get(row), low.get(row), high.get(row), count.get(row))
        else {
            return Ok(None);
        };
        if count <= 0 {
            return Err(invalid(NAME, "there must be at least one bucket"));
        }
        if x.is_nan() || !low.is_finite() || !high.is_finite() || low == high {
            return Err(invalid(
                NAME,
                "bounds must be finite and differ, and x a number",
            ));
        }
        let above = count
            .checked_add(1)
            .ok_or_else(|| out_of_range(NAME, Int32))?;
        let (before, after) = if low < high {
            (x < low, x >= high)
        } else {
            (x > low, x <= high)
        };
        Ok(Some(if before {
            0
        } else if after {
            above
        } else {
            let share = (x - low) / (high - low);
            ((share * f64::from(count)).floor() as i32).min(count - 1) + 1
        }))
    })
}

fn even(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let x = natives::<Float64Type>(args, 0)?;
    build::<Float64Type>(args, |row| {
        Ok(x.get(row).map(|x| {
            let away = if x < 0.0 { x.floor() } else { x.ceil() };
            if away % 2.0 == 0.0 {
                away
            } else {
                away + 1f64.copysign(x)
            }
        }))
    })
}

/// The quotient, cut towards zero.
fn div(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let (x, y) = (
        natives::<Int64Type>(args, 0)?,
        natives::<Int64Type>(args, 1)?,
    );
    build::<Int64Type>(args, |row| {
        let (Some(x), Some(y)) = (x.get(row), y.get(row)) else {
            return Ok(None);
        };
        if y == 0 {
            return Err(llkv_result::EvalError::DivisionByZero.into());
        }
        match x.checked_div(y) {
            Some(value) => Ok(Some(value)),
            None => Err(out_of_range(format!("div({x}, {y})"), Int64)),
        }
    })
}

/// Two's complement in digits of a power of two, lower case.
fn unsigned(args: &FunctionArgs<'_>, bits: u32) -> Result<ArrayRef> {
    if *array(args, 0)?.data_type() == DataType::Int32 {
        let x = natives::<Int32Type>(args, 0)?;
        return build_text(args.rows, |row, out| {
            Ok(x.get(row)
                .map(|x| write_digits(out, u128::from(x as u32), 1 << bits, 1)))
        });
    }
    let x = natives::<Int64Type>(args, 0)?;
    build_text(args.rows, |row, out| {
        Ok(x.get(row)
            .map(|x| write_digits(out, u128::from(x as u64), 1 << bits, 1)))
    })
}

/// An integer of 32 bits, or of 64 where it is wider.
fn as_wide(types: &[SqlType]) -> Option<Signature> {
    match types {
        [SqlType::Int8 | SqlType::Int16 | Int32] => signature(&[Int32], Text),
        _ => exactly(types, &[Int64], Text),
    }
}

/// A number in a base of up to 36, with at least so many digits.
fn write_digits(out: &mut String, mut value: u128, base: u32, least: usize) {
    let mut digits = Vec::new();
    while value > 0 || digits.len() < least {
        let digit = (value % u128::from(base)) as u32;
        digits.push(char::from_digit(digit, base).unwrap_or('?'));
        value /= u128::from(base);
    }
    out.extend(digits.into_iter().rev());
}

fn to_base(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    const NAME: &str = "to_base";
    let (x, base) = (
        natives::<Int64Type>(args, 0)?,
        natives::<Int64Type>(args, 1)?,
    );
    let least = match args.arrays.len() {
        3 => Some(natives::<Int64Type>(args, 2)?),
        _ => None,
    };
    build_text(args.rows, |row, out| {
        let (Some(x), Some(base)) = (x.get(row), base.get(row)) else {
            return Ok(None);
        };
        let least = match &least {
            None => 1,
            Some(least) => match least.get(row) {
                None => return Ok(None),
                Some(least) => least,
            },
        };
        if x < 0 || !(2..=36).contains(&base) || !(0..=64).contains(&least) {
            return Err(invalid(
                NAME,
                "x must not be negative, the base from 2 to 36, the digits at most 64",
            ));
        }
        write_digits(out, x as u128, base as u32, (least as usize).max(1));
        out.make_ascii_uppercase();
        Ok(Some(()))
    })
}

/// The number that digits of a base stand for.
fn from_base(args: &FunctionArgs<'_>, name: &'static str, base: u32) -> Result<ArrayRef> {
    let x = texts(args, 0)?;
    build::<Int64Type>(args, |row| match x.get(row) {
        None => Ok(None),
        Some(digits) => match u64::from_str_radix(digits, base) {
            Ok(value) => Ok(Some(value as i64)),
            Err(_) => Err(invalid(
                name,
                format!("'{digits}' has other digits, or too many"),
            )),
        },
    })
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "factorial",
        "factorial(n)",
        "The product of the whole numbers from 1 to n, up to 33.",
        ("factorial(20)", "2432902008176640000"),
        |types| exactly(types, &[Int64], WIDE),
        factorial,
    )
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    ScalarFunction::new(
        "width_bucket",
        "width_bucket(x, low, high, count)",
        "The number of the bucket, of so many of equal width, in which x lies; 0 below, count + 1 above.",
        ("width_bucket(5.35, 0.024, 10.06, 5)", "3"),
        bucket_type,
        width_bucket,
    )
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    ScalarFunction::new(
        "even",
        "even(x)",
        "The next even whole number away from zero.",
        ("even(2.9)", "4.0"),
        |types| exactly(types, &[Float64], Float64),
        even,
    )
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    ScalarFunction::new(
        "div",
        "div(x, y)",
        "The quotient of whole numbers, cut towards zero.",
        ("div(-7, 2)", "-3"),
        |types| exactly(types, &[Int64, Int64], Int64),
        div,
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "to_hex",
        "to_hex(n)",
        "An integer in hexadecimal digits, negative ones in two's complement.",
        ("to_hex(255)", "ff"),
        as_wide,
        |args| unsigned(args, 4),
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "to_oct",
        "to_oct(n)",
        "An integer in octal digits, negative ones in two's complement.",
        ("to_oct(8)", "10"),
        |types| exactly(types, &[Int64], Text),
        |args| unsigned(args, 3),
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "bin",
        "bin(n)",
        "An integer in binary digits, negative ones in two's complement.",
        ("bin(10)", "1010"),
        |types| exactly(types, &[Int64], Text),
        |args| unsigned(args, 1),
    )
    .also(&["to_binary", "to_bin"])
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
    ScalarFunction::new(
        "unbin",
        "unbin(text)",
        "The integer of binary digits.",
        ("unbin('1010')", "10"),
        |types| exactly(types, &[Text], Int64),
        |args| from_base(args, "unbin", 2),
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "to_base",
        "to_base(n, base [, digits])",
        "A number in the digits of a base from 2 to 36, with at least so many of them.",
        ("to_base(42, 16, 4)", "002A"),
        |types| {
            exactly(types, &[Int64, Int64], Text)
                .or_else(|| exactly(types, &[Int64, Int64, Int64], Text))
        },
        to_base,
    )
    .only_in(Dialects::LLKV.or(Dialects::DUCKDB)),
];
