//! Operators against arithmetic in 128 bits and IEEE floats.

use super::{batch, col, column, decimal, int, lit, scalars, shown, text};
use crate::coercion::binary_signature;
use crate::{evaluate, fold};
use llkv_expr::{BinaryOp, Expr};
use llkv_result::{Error, EvalError};
use llkv_types::{Scalar, SqlType};
use proptest::prelude::*;

fn op(op: BinaryOp, left: Scalar, right: Scalar) -> Expr {
    let (l, r, ty) = binary_signature(op, left.sql_type(), right.sql_type()).unwrap();
    Expr::binary(op, lit(left).cast(l), lit(right).cast(r), ty)
}

/// The same operator over columns, where only row 1 holds the operands.
fn over_columns(expr: &Expr, left: &Scalar, right: &Scalar) -> Result<Scalar, Error> {
    let Expr::Binary { op, ty, .. } = expr else {
        panic!("no operator")
    };
    let (l, r, _) = binary_signature(*op, left.sql_type(), right.sql_type()).unwrap();
    let null = |s: &Scalar| Scalar::Null(s.sql_type());
    let columns = vec![
        column(left.sql_type(), &[null(left), left.clone(), left.clone()]),
        column(
            right.sql_type(),
            &[right.clone(), right.clone(), null(right)],
        ),
    ];
    let expr = Expr::binary(
        *op,
        col(0, left.sql_type()).cast(l),
        col(1, right.sql_type()).cast(r),
        *ty,
    );
    let values = scalars(&evaluate(&expr, &batch(columns))?);
    assert!(values[0].is_null() && values[2].is_null());
    Ok(values[1].clone())
}

#[test]
fn integer_arithmetic_overflows_with_an_error_that_names_the_operands() {
    let big = Scalar::Int64(i64::MAX);
    let one = Scalar::Int64(1);
    let error = fold(&op(BinaryOp::Add, big, one)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "9223372036854775807 + 1 is out of range for type BIGINT"
    );
    let least = Scalar::Int64(i64::MIN);
    assert!(
        shown(&op(BinaryOp::Divide, least.clone(), Scalar::Int64(-1))).contains("out of range")
    );
    assert_eq!(shown(&op(BinaryOp::Modulo, least, Scalar::Int64(-1))), "0");
    assert_eq!(shown(&op(BinaryOp::Divide, int(-7), int(2))), "-3");
    assert_eq!(shown(&op(BinaryOp::Modulo, int(-7), int(2))), "-1");
}

#[test]
fn dividing_by_zero_is_an_error_but_not_for_null_rows() {
    for op_ in [BinaryOp::Divide, BinaryOp::Modulo] {
        for (left, zero) in [
            (int(1), int(0)),
            (Scalar::Float64(1.0), Scalar::Float64(0.0)),
            (decimal(100, 5, 2), decimal(0, 5, 2)),
        ] {
            let expr = op(op_, left.clone(), zero.clone());
            assert!(matches!(
                fold(&expr),
                Err(Error::Eval(EvalError::DivisionByZero))
            ));
            assert!(over_columns(&expr, &left, &zero).is_err());
        }
    }
    let day = Scalar::Interval(arrow::datatypes::IntervalMonthDayNano::new(0, 1, 0));
    let halved = op(BinaryOp::Divide, day, Scalar::Float64(0.0));
    assert_eq!(shown(&halved), "error: division by zero");
    let null = op(BinaryOp::Divide, Scalar::Null(SqlType::Int32), int(0));
    assert_eq!(shown(&null), "NULL");
}

#[test]
fn decimals_are_exact() {
    let cases = [
        (
            BinaryOp::Multiply,
            decimal(1999, 15, 2),
            decimal(95, 3, 2),
            "18.9905",
        ),
        (BinaryOp::Add, decimal(1999, 15, 2), int(1), "20.99"),
        (BinaryOp::Subtract, int(1), decimal(5, 15, 2), "0.95"),
        (
            BinaryOp::Divide,
            decimal(100, 3, 2),
            decimal(300, 3, 2),
            "0.3333333333333333",
        ),
        (
            BinaryOp::Divide,
            decimal(200, 3, 2),
            decimal(-300, 3, 2),
            "-0.6666666666666667",
        ),
        (
            BinaryOp::Modulo,
            decimal(-750, 3, 2),
            decimal(200, 3, 2),
            "-1.50",
        ),
        (
            BinaryOp::Divide,
            decimal(10i128.pow(36), 38, 4),
            decimal(30_000, 38, 4),
            "33333333333333333333333333333333.333333",
        ),
    ];
    for (operator, left, right, expected) in cases {
        let expr = op(operator, left.clone(), right.clone());
        assert!(
            shown(&expr).starts_with(expected),
            "{expr} gave {}",
            shown(&expr)
        );
        let over = over_columns(&expr, &left, &right).unwrap();
        assert_eq!(over.to_string(), shown(&expr));
    }
    let huge = decimal(10i128.pow(38) - 1, 38, 0);
    assert!(shown(&op(BinaryOp::Multiply, huge.clone(), huge.clone())).contains("out of range"));
    assert!(shown(&op(BinaryOp::Add, huge.clone(), huge)).contains("out of range"));
}

#[test]
fn floats_overflow_and_keep_their_zero() {
    let max = Scalar::Float64(f64::MAX);
    assert!(shown(&op(BinaryOp::Multiply, max, Scalar::Float64(2.0))).contains("out of range"));
    let inf = Scalar::Float64(f64::INFINITY);
    assert_eq!(shown(&op(BinaryOp::Add, inf, Scalar::Float64(1.0))), "inf");
    let negated = Expr::unary(llkv_expr::UnaryOp::Negate, lit(Scalar::Float64(0.0)));
    assert_eq!(shown(&negated), "-0.0");
}

#[test]
fn comparisons_of_floats_and_intervals() {
    let nan = Scalar::Float64(f64::NAN);
    let zero = Scalar::Float64(0.0);
    let cases = [
        (BinaryOp::Eq, nan.clone(), nan.clone(), true),
        (
            BinaryOp::Gt,
            nan.clone(),
            Scalar::Float64(f64::INFINITY),
            true,
        ),
        (BinaryOp::Eq, zero.clone(), Scalar::Float64(-0.0), true),
        (BinaryOp::Lt, Scalar::Float64(-0.0), zero, false),
        (BinaryOp::LtEq, nan.clone(), nan, true),
    ];
    for (operator, left, right, expected) in cases {
        let expr = op(operator, left.clone(), right.clone());
        assert_eq!(shown(&expr), expected.to_string(), "{expr}");
        assert_eq!(
            over_columns(&expr, &left, &right).unwrap().to_string(),
            expected.to_string()
        );
    }
    let interval = |value: &str| lit(text(value)).cast(SqlType::Interval);
    let month = Expr::compare(BinaryOp::Eq, interval("1 month"), interval("30 days"));
    assert_eq!(shown(&month), "true");
}

#[test]
fn moments_and_intervals() {
    let date = |value: &str| fold(&lit(text(value)).cast(SqlType::Date)).unwrap();
    let interval = |value: &str| fold(&lit(text(value)).cast(SqlType::Interval)).unwrap();
    let cases = [
        (
            BinaryOp::Add,
            date("2024-01-31"),
            interval("1 month"),
            "2024-02-29 00:00:00",
        ),
        (
            BinaryOp::Subtract,
            date("1998-12-01"),
            interval("90 days"),
            "1998-09-02 00:00:00",
        ),
        (
            BinaryOp::Subtract,
            date("2024-03-01"),
            date("2024-02-01"),
            "29",
        ),
        (BinaryOp::Add, date("2024-01-31"), int(1), "2024-02-01"),
        (
            BinaryOp::Multiply,
            interval("1 month"),
            Scalar::Float64(1.5),
            "1 month 15 days",
        ),
        (
            BinaryOp::Multiply,
            int(3),
            interval("1 day 02:00:00"),
            "3 days 06:00:00",
        ),
    ];
    for (operator, left, right, expected) in cases {
        let expr = op(operator, left.clone(), right.clone());
        assert_eq!(shown(&expr), expected, "{expr}");
        assert_eq!(
            over_columns(&expr, &left, &right).unwrap().to_string(),
            expected
        );
    }
}

#[test]
fn bits_and_shifts() {
    let big = |v| Scalar::Int64(v);
    let cases = [
        (BinaryOp::ShiftLeft, big(1), big(63), i64::MIN.to_string()),
        (BinaryOp::ShiftLeft, big(1), big(64), "0".into()),
        (BinaryOp::ShiftRight, big(-8), big(100), "-1".into()),
        (BinaryOp::ShiftLeft, big(8), big(-2), "2".into()),
        (BinaryOp::BitXor, big(6), big(3), "5".into()),
    ];
    for (operator, left, right, expected) in cases {
        assert_eq!(shown(&op(operator, left, right)), expected);
    }
}

/// What an operator gives in 128 bits.
fn reference(operator: BinaryOp, a: i128, b: i128) -> Option<i128> {
    match operator {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Subtract => a.checked_sub(b),
        BinaryOp::Multiply => a.checked_mul(b),
        BinaryOp::Divide => a.checked_div(b),
        _ => a.checked_rem(b),
    }
}

fn operators() -> impl Strategy<Value = BinaryOp> {
    prop::sample::select(vec![
        BinaryOp::Add,
        BinaryOp::Subtract,
        BinaryOp::Multiply,
        BinaryOp::Divide,
        BinaryOp::Modulo,
    ])
}

/// Small numbers and bounds, where things happen.
fn numbers() -> impl Strategy<Value = i64> {
    prop_oneof![
        -5i64..5,
        any::<i64>(),
        prop::sample::select(vec![
            i64::MIN,
            i64::MAX,
            i64::from(i32::MIN),
            i64::from(i32::MAX)
        ]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn integers_agree_with_128_bits(operator in operators(), a in numbers(), b in numbers()) {
        let (left, right) = (Scalar::Int64(a), Scalar::Int64(b));
        let expr = op(operator, left.clone(), right.clone());
        let expected = reference(operator, a.into(), b.into())
            .and_then(|v| i64::try_from(v).ok());
        prop_assert_eq!(fold(&expr).ok(), expected.map(Scalar::Int64));
        prop_assert_eq!(over_columns(&expr, &left, &right).ok(), expected.map(Scalar::Int64));
        let (left, right) = (int(a as i32), int(b as i32));
        let expr = op(operator, left.clone(), right.clone());
        let expected = reference(operator, (a as i32).into(), (b as i32).into())
            .and_then(|v| i32::try_from(v).ok());
        prop_assert_eq!(over_columns(&expr, &left, &right).ok(), expected.map(Scalar::Int32));
    }

    #[test]
    fn decimals_agree_with_scaled_integers(
        operator in operators(),
        a in -999_999_999i128..999_999_999,
        b in -99_999i128..99_999,
        scales in (0u8..9, 0u8..5),
    ) {
        let (left, right) = (decimal(a, 9, scales.0), decimal(b, 5, scales.1));
        let expr = op(operator, left.clone(), right.clone());
        let SqlType::Decimal { scale, .. } = expr.ty() else { panic!("not a decimal") };
        // Everything in units of ten to the minus scale of the result.
        let unit = |s: u8| 10i128.pow(u32::from(scale.abs_diff(s)));
        let expected = match operator {
            BinaryOp::Multiply => Some(a * b),
            BinaryOp::Divide if b == 0 => None,
            BinaryOp::Divide => {
                let shift = u32::from(scale) + u32::from(scales.1) - u32::from(scales.0);
                let twice = a * 10i128.pow(shift) * 2;
                let rounded = (twice.abs() / b.abs() + 1) / 2;
                Some(if (a < 0) == (b < 0) { rounded } else { -rounded })
            }
            _ => reference(operator, a * unit(scales.0), b * unit(scales.1)),
        };
        let value = |r: Result<Scalar, Error>| match r {
            Ok(Scalar::Decimal { value, .. }) => Some(value),
            _ => None,
        };
        prop_assert_eq!(value(fold(&expr)), expected);
        prop_assert_eq!(value(over_columns(&expr, &left, &right)), expected);
    }

    #[test]
    fn comparisons_agree_with_rust(a in numbers(), b in numbers()) {
        let cases = [
            (BinaryOp::Eq, a == b), (BinaryOp::NotEq, a != b), (BinaryOp::Lt, a < b),
            (BinaryOp::LtEq, a <= b), (BinaryOp::Gt, a > b), (BinaryOp::GtEq, a >= b),
            (BinaryOp::IsDistinctFrom, a != b),
        ];
        for (operator, expected) in cases {
            let expr = op(operator, Scalar::Int64(a), Scalar::Int64(b));
            prop_assert_eq!(fold(&expr).unwrap(), Scalar::Boolean(expected));
            let texts = op(operator, text(&a.to_string()), text(&b.to_string()));
            let expected = match operator {
                BinaryOp::Lt => a.to_string() < b.to_string(),
                BinaryOp::LtEq => a.to_string() <= b.to_string(),
                BinaryOp::Gt => a.to_string() > b.to_string(),
                BinaryOp::GtEq => a.to_string() >= b.to_string(),
                _ => expected,
            };
            prop_assert_eq!(fold(&texts).unwrap(), Scalar::Boolean(expected));
        }
    }
}
