//! More functions of DOUBLE: inverse hyperbolic ones, angles in degrees, the gamma function.

use super::args::exactly;
use super::math::{map, map_two, within};
use llkv_expr::{Dialects, ScalarFunction, Signature};
use llkv_types::SqlType;

use SqlType::Float64;

/// Where the functions that SQLite lacks are known.
const OTHERS: Dialects = Dialects::LLKV.or(Dialects::DUCKDB);

fn one(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Float64], Float64)
}

fn two(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Float64, Float64], Float64)
}

/// The sine of whole and half quarters is exact, as people expect of degrees.
fn sine_of_degrees(x: f64) -> f64 {
    let turn = x.rem_euclid(360.0);
    match turn {
        0.0 | 180.0 => 0.0,
        30.0 | 150.0 => 0.5,
        90.0 => 1.0,
        210.0 | 330.0 => -0.5,
        270.0 => -1.0,
        other => other.to_radians().sin(),
    }
}

fn tangent_of_degrees(x: f64) -> f64 {
    match x.rem_euclid(180.0) {
        0.0 => 0.0,
        45.0 => 1.0,
        90.0 => f64::INFINITY,
        135.0 => -1.0,
        other => other.to_radians().tan(),
    }
}

/// Lanczos' approximation of the logarithm of the gamma function for x >= 0.5, with g = 7 and nine
/// coefficients (as tabulated by Paul Godfrey, 2001): some 15 digits.
fn log_gamma_above_half(x: f64) -> f64 {
    const SERIES: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let t = x + 7.5;
    let (first, rest) = SERIES.split_first().unwrap_or((&1.0, &[]));
    let sum = rest
        .iter()
        .zip(1u8..)
        .fold(*first, |sum, (c, i)| sum + c / (x + f64::from(i)));
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

fn log_gamma(x: f64) -> f64 {
    if x < 0.5 {
        let reflected = (std::f64::consts::PI * x).sin().abs();
        return std::f64::consts::PI.ln() - reflected.ln() - log_gamma_above_half(1.0 - x);
    }
    log_gamma_above_half(x)
}

fn gamma(x: f64) -> f64 {
    // Factorials are exact.
    if x.fract() == 0.0 && (1.0..=23.0).contains(&x) {
        return (1..x as u64).map(|n| n as f64).product();
    }
    if x < 0.5 {
        return std::f64::consts::PI / ((std::f64::consts::PI * x).sin() * gamma(1.0 - x));
    }
    log_gamma_above_half(x).exp()
}

/// The angle of a sine. Measured by that of one half, so that 0.5 is of 30 degrees and 1 of 90 to the last digit.
fn sine_in_degrees(x: f64) -> f64 {
    if x < 0.0 {
        return -sine_in_degrees(-x);
    }
    match x <= 0.5 {
        true => x.asin() / 0.5f64.asin() * 30.0,
        false => 90.0 - x.acos() / 0.5f64.acos() * 60.0,
    }
}

/// The angle of a cosine, likewise.
fn cosine_in_degrees(x: f64) -> f64 {
    if x < 0.0 {
        return 90.0 + sine_in_degrees(-x);
    }
    match x <= 0.5 {
        true => 90.0 - x.asin() / 0.5f64.asin() * 30.0,
        false => x.acos() / 0.5f64.acos() * 60.0,
    }
}

/// A function of one DOUBLE, from an expression of `x`.
macro_rules! of_one {
    ($name:literal, $description:literal, $example:expr, |$x:ident| $body:expr) => {
        ScalarFunction::new(
            $name,
            concat!($name, "(x)"),
            $description,
            $example,
            one,
            |args| map(args, $name, |$x| Ok($body)),
        )
    };
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    of_one!(
        "asinh",
        "The inverse hyperbolic sine.",
        ("asinh(0)", "0.0"),
        |x| x.asinh()
    ),
    of_one!(
        "acosh",
        "The inverse hyperbolic cosine.",
        ("acosh(1)", "0.0"),
        |x| within("acosh", x >= 1.0, x)?.acosh()
    ),
    of_one!(
        "atanh",
        "The inverse hyperbolic tangent.",
        ("atanh(0)", "0.0"),
        |x| within("atanh", x.abs() <= 1.0, x)?.atanh()
    ),
    of_one!(
        "sind",
        "The sine of an angle in degrees.",
        ("sind(30)", "0.5"),
        |x| sine_of_degrees(x)
    )
    .only_in(Dialects::LLKV),
    of_one!(
        "cosd",
        "The cosine of an angle in degrees.",
        ("cosd(60)", "0.5"),
        |x| sine_of_degrees(x + 90.0)
    )
    .only_in(Dialects::LLKV),
    of_one!(
        "tand",
        "The tangent of an angle in degrees.",
        ("tand(45)", "1.0"),
        |x| tangent_of_degrees(x)
    )
    .only_in(Dialects::LLKV),
    of_one!(
        "cotd",
        "The cotangent of an angle in degrees.",
        ("cotd(45)", "1.0"),
        |x| tangent_of_degrees(x).recip()
    )
    .only_in(Dialects::LLKV),
    of_one!(
        "asind",
        "The angle in degrees whose sine is x.",
        ("asind(1)", "90.0"),
        |x| sine_in_degrees(within("asind", x.abs() <= 1.0, x)?)
    )
    .only_in(Dialects::LLKV),
    of_one!(
        "acosd",
        "The angle in degrees whose cosine is x.",
        ("acosd(0)", "90.0"),
        |x| cosine_in_degrees(within("acosd", x.abs() <= 1.0, x)?)
    )
    .only_in(Dialects::LLKV),
    of_one!(
        "atand",
        "The angle in degrees whose tangent is x.",
        ("atand(1)", "45.0"),
        |x| x.atan() / 1f64.atan() * 45.0
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "atan2d",
        "atan2d(y, x)",
        "The angle in degrees of the point (x, y).",
        ("atan2d(1, 0)", "90.0"),
        two,
        |args| map_two(args, "atan2d", |y, x| Ok(y.atan2(x).to_degrees())),
    )
    .only_in(Dialects::LLKV),
    of_one!(
        "gamma",
        "The gamma function: gamma(n + 1) is the factorial of n.",
        ("gamma(5)", "24.0"),
        |x| gamma(within("gamma", x != 0.0, x)?)
    )
    .only_in(OTHERS),
    of_one!(
        "lgamma",
        "The logarithm of the gamma function's absolute value.",
        ("round(lgamma(5), 6)", "3.178054"),
        |x| log_gamma(within("lgamma", x != 0.0, x)?)
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "nextafter",
        "nextafter(x, y)",
        "The next DOUBLE after x towards y.",
        ("nextafter(1, 2) > 1", "true"),
        two,
        |args| {
            map_two(args, "nextafter", |x, y| {
                Ok(if x < y {
                    x.next_up()
                } else if x > y {
                    x.next_down()
                } else {
                    y
                })
            })
        },
    )
    .only_in(OTHERS),
];

#[cfg(test)]
mod tests {
    use super::{gamma, log_gamma};

    #[test]
    fn gamma_agrees_with_known_values() {
        let close = |a: f64, b: f64| assert!((a - b).abs() <= 1e-12 * b.abs(), "{a} {b}");
        close(gamma(0.5), std::f64::consts::PI.sqrt());
        close(gamma(1.5), std::f64::consts::PI.sqrt() / 2.0);
        close(gamma(-0.5), -2.0 * std::f64::consts::PI.sqrt());
        close(gamma(10.0), 362_880.0);
        close(log_gamma(100.0), 359.134_205_369_575_4);
    }
}
