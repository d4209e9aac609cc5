//! Prepared expressions: laziness, three values, sets, patterns, depth, and folding as evaluation.

use super::{batch, col, column, int, lit, scalars, shown, text};
use crate::{LikePattern, PreparedExpr, evaluate, fold};
use arrow::array::{ArrayRef, RecordBatch};
use llkv_expr::{BinaryOp, CastMode, Expr, InList, LikeCase, UnaryOp};
use llkv_types::{Scalar, SqlType};
use proptest::prelude::*;

const INT: SqlType = SqlType::Int32;
const BOOL: SqlType = SqlType::Boolean;

fn ints(values: &[Option<i32>]) -> ArrayRef {
    let values: Vec<_> = values
        .iter()
        .map(|v| v.map_or(Scalar::Null(INT), Scalar::Int32))
        .collect();
    column(INT, &values)
}

fn numbers() -> RecordBatch {
    batch(vec![
        ints(&[Some(1), Some(0), None, Some(-3), Some(7)]),
        ints(&[Some(2), Some(5), Some(0), None, Some(7)]),
    ])
}

fn divide(left: Expr, right: Expr) -> Expr {
    Expr::binary(BinaryOp::Divide, left, right, INT)
}

fn compare(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    Expr::compare(op, left, right)
}

fn values(expr: &Expr, batch: &RecordBatch) -> Vec<String> {
    let array = evaluate(expr, batch).unwrap();
    scalars(&array).iter().map(ToString::to_string).collect()
}

#[test]
fn and_protects_what_comes_after_it() {
    let nonzero = compare(BinaryOp::NotEq, col(0, INT), lit(int(0)));
    let quotient = compare(BinaryOp::Gt, divide(lit(int(10)), col(0, INT)), lit(int(1)));
    let guarded = Expr::and([nonzero, quotient.clone()]);
    assert_eq!(
        values(&guarded, &numbers()),
        ["true", "false", "NULL", "false", "false"]
    );
    let mask = PreparedExpr::new(&guarded)
        .unwrap()
        .filter(&numbers())
        .unwrap();
    assert_eq!(mask, vec![true, false, false, false, false].into());
    assert!(evaluate(&quotient, &numbers()).is_err());
    let zero = compare(BinaryOp::Eq, col(0, INT), lit(int(0)));
    let or = Expr::Or(vec![zero, quotient]);
    assert_eq!(
        values(&or, &numbers()),
        ["true", "true", "NULL", "false", "false"]
    );
}

#[test]
fn case_evaluates_a_branch_for_its_rows_only() {
    let case = Expr::Case {
        branches: vec![
            (
                compare(BinaryOp::Eq, col(0, INT), lit(int(0))),
                lit(int(-1)),
            ),
            (
                compare(BinaryOp::Gt, col(0, INT), lit(int(5))),
                Expr::binary(BinaryOp::Add, col(0, INT), lit(int(100)), INT),
            ),
        ],
        otherwise: Some(Box::new(divide(lit(int(10)), col(0, INT)))),
        ty: INT,
    };
    assert_eq!(values(&case, &numbers()), ["10", "-1", "NULL", "-3", "107"]);
    let guarded = Expr::Case {
        branches: vec![(Expr::boolean(true), lit(int(1)))],
        otherwise: Some(Box::new(divide(lit(int(1)), lit(int(0))))),
        ty: INT,
    };
    assert_eq!(shown(&guarded), "1");
    assert_eq!(values(&guarded, &numbers()), ["1"; 5]);
}

/// A filter may try `a = 1` first and skip the division; a CASE must fail as its folded rows do.
#[test]
fn the_condition_of_a_case_is_evaluated_as_written() {
    let quotient = |a: Expr| compare(BinaryOp::Eq, divide(lit(int(1)), a), lit(int(1)));
    let case = |a: Expr, b: Expr| Expr::Case {
        branches: vec![(
            Expr::And(vec![quotient(a), compare(BinaryOp::Eq, b, lit(int(1)))]),
            lit(int(1)),
        )],
        otherwise: None,
        ty: INT,
    };
    let rows = batch(vec![ints(&[Some(1), Some(0)]), ints(&[Some(1), None])]);
    let whole = evaluate(&case(col(0, INT), col(1, INT)), &rows);
    let single = fold(&case(lit(int(0)), lit(Scalar::Null(INT))));
    assert_eq!(whole.unwrap_err().to_string(), "division by zero");
    assert_eq!(single.unwrap_err().to_string(), "division by zero");
    assert_eq!(
        values(&case(col(0, INT), col(1, INT)), &rows.slice(0, 1)),
        ["1"]
    );
}

#[test]
fn nothing_is_evaluated_for_no_rows() {
    let empty = numbers().slice(0, 0);
    let expr = divide(lit(int(1)), lit(int(0)));
    assert_eq!(evaluate(&expr, &empty).unwrap().len(), 0);
    let predicate = compare(BinaryOp::Eq, expr, lit(int(1)));
    assert_eq!(
        PreparedExpr::new(&predicate)
            .unwrap()
            .filter(&empty)
            .unwrap()
            .len(),
        0
    );
}

#[test]
fn in_is_three_valued() {
    let list = |values: &[Option<i32>]| InList::Values(ints(values));
    let is_in = |list, negated| Expr::InList {
        expr: Box::new(col(0, INT)),
        list,
        negated,
    };
    let rows = numbers();
    assert_eq!(
        values(&is_in(list(&[Some(1), Some(7)]), false), &rows),
        ["true", "false", "NULL", "false", "true"]
    );
    assert_eq!(
        values(&is_in(list(&[Some(1), None]), false), &rows),
        ["true", "NULL", "NULL", "NULL", "NULL"]
    );
    assert_eq!(
        values(&is_in(list(&[Some(1), None]), true), &rows),
        ["false", "NULL", "NULL", "NULL", "NULL"]
    );
    assert_eq!(values(&is_in(list(&[]), false), &rows), ["false"; 5]);
    assert_eq!(values(&is_in(list(&[]), true), &rows), ["true"; 5]);
    let exprs = InList::Exprs(vec![col(1, INT), lit(int(0))]);
    assert_eq!(
        values(&is_in(exprs, false), &rows),
        ["false", "true", "NULL", "NULL", "true"]
    );
    let many: Vec<_> = (0..100_000).map(|v| Some(v * 2 + 1)).collect();
    assert_eq!(
        values(&is_in(list(&many), false), &rows),
        ["true", "false", "NULL", "false", "true"]
    );
}

#[test]
fn in_over_every_kind_of_key() {
    let cases: Vec<(SqlType, Vec<Scalar>, Scalar)> = vec![
        (
            SqlType::Text,
            vec![text("a"), text("a much longer text than fits")],
            text("a much longer text than fits"),
        ),
        (
            SqlType::Blob,
            vec![Scalar::Blob([1u8].as_slice().into())],
            Scalar::Blob([1u8].as_slice().into()),
        ),
        (
            SqlType::Float64,
            vec![Scalar::Float64(0.0), Scalar::Float64(f64::NAN)],
            Scalar::Float64(-0.0),
        ),
        (
            SqlType::Decimal {
                precision: 38,
                scale: 2,
            },
            vec![super::decimal(5, 38, 2)],
            super::decimal(5, 38, 2),
        ),
        (
            SqlType::Boolean,
            vec![Scalar::Boolean(true)],
            Scalar::Boolean(true),
        ),
        (SqlType::Date, vec![Scalar::Date(3)], Scalar::Date(3)),
    ];
    for (ty, list, probe) in cases {
        let expr = Expr::InList {
            expr: Box::new(col(0, ty)),
            list: InList::Values(column(ty, &list)),
            negated: false,
        };
        let rows = batch(vec![column(ty, &[probe, Scalar::Null(ty)])]);
        assert_eq!(values(&expr, &rows), ["true", "NULL"], "{ty}");
    }
}

#[test]
fn truth_tests_and_distinctness_are_never_null() {
    let rows = batch(vec![column(
        BOOL,
        &[
            Scalar::Boolean(true),
            Scalar::Boolean(false),
            Scalar::Null(BOOL),
        ],
    )]);
    let cases = [
        (UnaryOp::IsTrue, ["true", "false", "false"]),
        (UnaryOp::IsNotTrue, ["false", "true", "true"]),
        (UnaryOp::IsFalse, ["false", "true", "false"]),
        (UnaryOp::IsNotFalse, ["true", "false", "true"]),
        (UnaryOp::Not, ["false", "true", "NULL"]),
        (UnaryOp::IsNull, ["false", "false", "true"]),
    ];
    for (op, expected) in cases {
        assert_eq!(
            values(&Expr::unary(op, col(0, BOOL)), &rows),
            expected,
            "{op:?}"
        );
    }
    let distinct = compare(BinaryOp::IsDistinctFrom, col(0, INT), col(1, INT));
    assert_eq!(
        values(&distinct, &numbers()),
        ["true", "true", "true", "true", "false"]
    );
    let null = compare(
        BinaryOp::IsNotDistinctFrom,
        col(0, INT),
        lit(Scalar::Null(INT)),
    );
    assert_eq!(
        values(&null, &numbers()),
        ["false", "false", "true", "false", "false"]
    );
}

/// LIKE, spelled out.
fn reference_like(value: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => value.is_empty(),
        ['%', rest @ ..] => (0..=value.len()).any(|at| reference_like(&value[at..], rest)),
        ['_', rest @ ..] => !value.is_empty() && reference_like(&value[1..], rest),
        [c, rest @ ..] => value.first() == Some(c) && reference_like(&value[1..], rest),
    }
}

#[test]
fn like_with_escape_and_case() {
    let like = |value: &str, pattern: &str, escape, case| {
        LikePattern::parse(pattern, escape, case)
            .map(|p| p.is_match(value))
            .ok()
    };
    assert_eq!(
        like("50%", "50!%", Some('!'), LikeCase::Matters),
        Some(true)
    );
    assert_eq!(
        like("500", "50!%", Some('!'), LikeCase::Matters),
        Some(false)
    );
    assert_eq!(
        like("Straße", "STRASSE", None, LikeCase::Ignored),
        Some(false)
    );
    assert_eq!(like("ÄPFEL", "äp%", None, LikeCase::Ignored), Some(true));
    assert_eq!(like("a", "a!", Some('!'), LikeCase::Matters), None);
    assert_eq!(
        like(
            "special packages requests",
            "%special%requests%",
            None,
            LikeCase::Matters
        ),
        Some(true)
    );
    assert_eq!(like("ababc", "%abc", None, LikeCase::Matters), Some(true));
    assert_eq!(like("aa", "a%a%a", None, LikeCase::Matters), Some(false));
    let ascii = LikeCase::IgnoredInAscii;
    assert_eq!(like("ÄPFEL", "äpfel", None, ascii), Some(false));
    assert_eq!(like("ÄPFEL", "Äpf_l", None, ascii), Some(true));
    assert_eq!(like("a", "a!", Some('!'), ascii), Some(false));
    // An escape is the very character, and a letter at the end of a word the same as elsewhere.
    assert_eq!(like("axb", "axb", Some('X'), LikeCase::Ignored), Some(true));
    assert_eq!(like("ΟΔΟΣ", "οδοσ", None, LikeCase::Ignored), Some(true));
}

fn with_like(pattern: Expr) -> Expr {
    Expr::Like {
        expr: Box::new(col(0, SqlType::Text)),
        pattern: Box::new(pattern),
        escape: None,
        case: LikeCase::Matters,
        negated: false,
    }
}

/// A tree of operators over two integer columns.
fn trees() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        (0u32..2).prop_map(|at| col(at, INT)),
        (-3i32..4).prop_map(|v| lit(int(v))),
        Just(lit(Scalar::Null(INT))),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let condition = (
            inner.clone(),
            inner.clone(),
            prop::sample::select(vec![
                BinaryOp::Eq,
                BinaryOp::Lt,
                BinaryOp::GtEq,
                BinaryOp::IsDistinctFrom,
            ]),
        )
            .prop_map(|(l, r, op)| Expr::compare(op, l, r));
        let conditions = prop::collection::vec(condition, 1..3);
        let operators = prop::sample::select(vec![
            BinaryOp::Add,
            BinaryOp::Multiply,
            BinaryOp::Divide,
            BinaryOp::Modulo,
            BinaryOp::BitAnd,
        ]);
        prop_oneof![
            (operators, inner.clone(), inner.clone())
                .prop_map(|(op, l, r)| Expr::binary(op, l, r, INT)),
            (conditions, inner.clone(), inner.clone(), any::<bool>()).prop_map(
                |(parts, then, or, any)| {
                    let when = match parts.len() {
                        1 => parts[0].clone(),
                        _ if any => Expr::Or(parts),
                        _ => Expr::And(parts),
                    };
                    Expr::Case {
                        branches: vec![(when, then)],
                        otherwise: Some(Box::new(or)),
                        ty: INT,
                    }
                }
            ),
            inner.prop_map(|e| Expr::unary(UnaryOp::Negate, e)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_folded_constant_is_its_evaluation(
        tree in trees(),
        rows in prop::collection::vec((prop::option::of(-3i32..4), prop::option::of(-3i32..4)), 1..6),
    ) {
        let (a, b): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
        let whole = evaluate(&tree, &batch(vec![ints(&a), ints(&b)]));
        let single: Vec<_> = rows.iter().map(|(a, b)| {
            let literal = |v: Option<i32>| lit(v.map_or(Scalar::Null(INT), Scalar::Int32));
            fold(&tree.clone().map_columns(&mut |id| {
                Some(literal(if id.0 == 0 { *a } else { *b }))
            }))
        }).collect();
        match whole {
            Ok(array) => {
                let folded: Result<Vec<_>, _> = single.into_iter().collect();
                prop_assert_eq!(scalars(&array), folded.unwrap());
            }
            Err(_) => prop_assert!(single.iter().any(Result::is_err)),
        }
    }

    #[test]
    fn like_agrees_with_its_definition(
        values in prop::collection::vec(prop::option::of("[abß]{0,8}"), 1..5),
        pattern in "[abß%_]{0,6}",
    ) {
        let expected: Vec<_> = values.iter().map(|value| value.as_ref().map_or("NULL".to_owned(), |value| {
            let value: Vec<char> = value.chars().collect();
            reference_like(&value, &pattern.chars().collect::<Vec<_>>()).to_string()
        })).collect();
        let texts: Vec<_> = values.iter().map(|v| v.as_ref().map_or(Scalar::Null(SqlType::Text), |v| text(v))).collect();
        let patterns = vec![text(&pattern); values.len()];
        let rows = batch(vec![column(SqlType::Text, &texts), column(SqlType::Text, &patterns)]);
        let constant = with_like(lit(text(&pattern)));
        let dynamic = with_like(col(1, SqlType::Text));
        prop_assert_eq!(&self::values(&constant, &rows), &expected);
        prop_assert_eq!(&self::values(&dynamic, &rows), &expected);
    }

    #[test]
    fn a_filter_keeps_the_rows_whose_value_is_true(
        tree in prop::collection::vec(trees(), 1..4),
        a in prop::collection::vec(prop::option::of(-3i32..4), 1..20),
    ) {
        let rows = batch(vec![ints(&a), ints(&a)]);
        let predicate = Expr::and(tree.into_iter().map(|t| Expr::compare(BinaryOp::Gt, t, lit(int(0)))));
        // A filter may skip an error that a plain evaluation meets, never the other way round.
        if let Ok(array) = evaluate(&predicate, &rows) {
            let mask = PreparedExpr::new(&predicate).unwrap().filter(&rows);
            if let Ok(mask) = mask {
                let expected: Vec<_> = scalars(&array).iter().map(|v| *v == Scalar::Boolean(true)).collect();
                prop_assert_eq!(mask, expected.into());
            }
        }
    }
}

/// Runs on a stack of 2 MiB, the smallest that a thread of ours has.
fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(f)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn a_thousand_levels_fit_a_small_stack() {
    on_a_small_stack(|| {
        let mut sum = col(0, INT);
        let mut case = col(0, INT);
        let mut logic = compare(BinaryOp::Gt, col(0, INT), lit(int(0)));
        for _ in 0..1_000 {
            sum = Expr::binary(BinaryOp::Add, sum, lit(int(1)), INT);
            case = Expr::Case {
                branches: vec![(
                    compare(BinaryOp::Gt, divide(lit(int(1)), lit(int(1))), lit(int(3))),
                    lit(int(1)),
                )],
                otherwise: Some(Box::new(divide(case, lit(int(1))))),
                ty: INT,
            };
            let other = Expr::Or(vec![
                logic,
                compare(BinaryOp::Lt, divide(lit(int(1)), col(1, INT)), lit(int(-9))),
            ]);
            logic = Expr::And(vec![
                compare(
                    BinaryOp::LtEq,
                    divide(lit(int(1)), col(1, INT)),
                    lit(int(3)),
                ),
                other,
            ]);
        }
        let rows = batch(vec![ints(&[Some(5), Some(-5)]), ints(&[Some(2), Some(3)])]);
        assert_eq!(values(&sum, &rows), ["1005", "995"]);
        assert_eq!(values(&case, &rows), ["5", "-5"]);
        assert_eq!(values(&logic, &rows), ["true", "false"]);
        let mask = PreparedExpr::new(&logic).unwrap().filter(&rows).unwrap();
        assert_eq!(mask, vec![true, false].into());
    });
}

#[test]
fn a_prepared_expression_is_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<PreparedExpr>();
}

#[test]
fn a_cast_in_a_branch_that_no_row_reaches_does_not_fail() {
    let cast = Expr::Cast {
        expr: Box::new(col(0, SqlType::Text)),
        ty: INT,
        mode: CastMode::Strict,
    };
    let digits = with_like(lit(text("_")));
    let case = Expr::Case {
        branches: vec![(digits, cast)],
        otherwise: None,
        ty: INT,
    };
    let rows = batch(vec![column(
        SqlType::Text,
        &[text("7"), text("not a number")],
    )]);
    assert_eq!(values(&case, &rows), ["7", "NULL"]);
}

proptest! {
    /// Literals are folded to what a row of the same values gives, errors included.
    #[test]
    fn integers_fold_as_rows_do(
        left in prop_oneof![any::<i64>(), -9_i64..9, Just(i64::MIN), Just(i64::MAX)],
        right in prop_oneof![any::<i64>(), -9_i64..9],
        op in prop::sample::select(&[
            BinaryOp::Add, BinaryOp::Subtract, BinaryOp::Multiply, BinaryOp::Divide, BinaryOp::Modulo,
        ][..]),
    ) {
        let big = SqlType::Int64;
        let row = batch(vec![column(big, &[Scalar::Int64(left)]), column(big, &[Scalar::Int64(right)])]);
        let folded = |expr: &Expr| fold(expr).map(|value| vec![value]).map_err(|e| e.to_string());
        let of_row = |expr: &Expr| evaluate(expr, &row).map(|array| scalars(&array)).map_err(|e| e.to_string());
        let literal = |value: i64| lit(Scalar::Int64(value));
        let operation = |l: Expr, r: Expr| Expr::binary(op, l, r, big);
        prop_assert_eq!(
            folded(&operation(literal(left), literal(right))),
            of_row(&operation(col(0, big), col(1, big)))
        );
        let negated = |e: Expr| Expr::unary(UnaryOp::Negate, e);
        prop_assert_eq!(folded(&negated(literal(left))), of_row(&negated(col(0, big))));
    }
}
