//! Accumulators against a map from group to values, in one piece, in parts and merged.

use super::{col, column, decimal, int, lit, scalars, text};
use crate::{Groups, RowsByGroup, aggregate_type, create_accumulator, hash_columns};
use arrow::array::{ArrayRef, BooleanArray};
use llkv_expr::{AggregateExpr, AggregateFunction as F};
use llkv_types::{Scalar, SqlType};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn call(function: F, ty: SqlType, distinct: bool) -> AggregateExpr {
    let types = if function == F::CountStar {
        vec![]
    } else {
        vec![ty]
    };
    let (args, result) = aggregate_type(function, &types).unwrap();
    AggregateExpr {
        function,
        args: args.iter().map(|ty| col(0, *ty)).collect(),
        distinct,
        filter: None,
        order_by: vec![],
        ty: result,
    }
}

/// Groups 0 to 3 of `values`, the last without a row, in two parts that are merged.
fn grouped(
    call: &AggregateExpr,
    values: &ArrayRef,
    groups: &[u32],
    filter: &BooleanArray,
) -> Result<Vec<String>, String> {
    let args = |from: usize, len: usize| -> Vec<ArrayRef> {
        if call.args.is_empty() {
            vec![]
        } else {
            vec![values.slice(from, len)]
        }
    };
    let text = |array: ArrayRef| {
        scalars(&array)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    let run = || -> llkv_result::Result<(Vec<String>, Vec<String>)> {
        let rows = groups.len();
        let mut whole = create_accumulator(call)?;
        let mut by_group = RowsByGroup::default();
        let sorted = Groups::of_rows(groups, 4, 1, &mut by_group);
        let all = (filter.false_count() > 0).then_some(filter);
        whole.update(&args(0, rows), sorted, 4, all)?;
        let half = rows / 2;
        let mut merged = create_accumulator(call)?;
        for (from, len) in [(0, half), (half, rows - half)] {
            let mut part = create_accumulator(call)?;
            part.update(
                &args(from, len),
                Groups::PerRow(&groups[from..from + len]),
                4,
                Some(&filter.slice(from, len)),
            )?;
            let types = part.state_types();
            let states = part.state()?;
            assert_eq!(
                types,
                states
                    .iter()
                    .map(|s| s.data_type().clone())
                    .collect::<Vec<_>>()
            );
            merged.merge(&states, &[0, 1, 2, 3], 4)?;
        }
        Ok((text(whole.finish()?), text(merged.finish()?)))
    };
    let (whole, merged) = run().map_err(|e| e.to_string())?;
    assert_eq!(whole, merged, "{call}");
    Ok(whole)
}

fn single(call: &AggregateExpr, values: &ArrayRef) -> Result<String, String> {
    let run = || -> llkv_result::Result<Scalar> {
        let mut accumulator = create_accumulator(call)?;
        let groups = Groups::Single(values.len());
        accumulator.update(std::slice::from_ref(values), groups, 1, None)?;
        Scalar::from_array(accumulator.finish()?.as_ref(), 0)
    };
    run().map(|v| v.to_string()).map_err(|e| e.to_string())
}

#[test]
fn results_and_their_types() {
    let big = |v: i64| Scalar::Int64(v);
    let nan = Scalar::Float64(f64::NAN);
    let cases: Vec<(F, SqlType, Vec<Scalar>, &str)> = vec![
        (
            F::Sum,
            SqlType::Int32,
            vec![int(i32::MAX), int(i32::MAX)],
            "4294967294",
        ),
        (
            F::Sum,
            SqlType::Int64,
            vec![big(i64::MAX), big(i64::MAX)],
            "18446744073709551614",
        ),
        (
            F::Sum,
            SqlType::Decimal {
                precision: 15,
                scale: 2,
            },
            vec![decimal(150, 15, 2), decimal(-25, 15, 2)],
            "1.25",
        ),
        (
            F::Sum,
            SqlType::Int32,
            vec![Scalar::Null(SqlType::Int32)],
            "NULL",
        ),
        (F::Sum, SqlType::Int32, vec![], "NULL"),
        (F::Total, SqlType::Float64, vec![], "0.0"),
        (
            F::Avg,
            SqlType::Int32,
            vec![int(1), int(2), Scalar::Null(SqlType::Int32)],
            "1.5",
        ),
        (
            F::Avg,
            SqlType::Decimal {
                precision: 15,
                scale: 2,
            },
            vec![decimal(100, 15, 2), decimal(201, 15, 2)],
            "1.505",
        ),
        (F::Avg, SqlType::Float64, vec![], "NULL"),
        (
            F::Count,
            SqlType::Text,
            vec![text("a"), Scalar::Null(SqlType::Text)],
            "1",
        ),
        (
            F::Min,
            SqlType::Text,
            vec![text("b"), text("a much longer text"), text("ab")],
            "a much longer text",
        ),
        (F::Max, SqlType::Text, vec![text("b"), text("a")], "b"),
        (
            F::Max,
            SqlType::Float64,
            vec![Scalar::Float64(f64::INFINITY), nan.clone()],
            "nan",
        ),
        (
            F::Min,
            SqlType::Float64,
            vec![nan, Scalar::Float64(1.0)],
            "1.0",
        ),
        (
            F::Min,
            SqlType::Date,
            vec![Scalar::Date(5), Scalar::Date(3)],
            "1970-01-04",
        ),
        (
            F::Max,
            SqlType::Boolean,
            vec![Scalar::Boolean(false), Scalar::Boolean(true)],
            "true",
        ),
        (
            F::Min,
            SqlType::Blob,
            vec![
                Scalar::Blob([2u8].as_slice().into()),
                Scalar::Blob([1u8, 9].as_slice().into()),
            ],
            "\\x0109",
        ),
        (
            F::StringAgg,
            SqlType::Text,
            vec![text("a"), Scalar::Null(SqlType::Text), text("b")],
            "a,b",
        ),
        (
            F::AnyValue,
            SqlType::Int32,
            vec![Scalar::Null(SqlType::Int32), int(7)],
            "7",
        ),
        (
            F::First,
            SqlType::Int32,
            vec![Scalar::Null(SqlType::Int32), int(7)],
            "NULL",
        ),
        (
            F::BoolAnd,
            SqlType::Boolean,
            vec![Scalar::Boolean(true), Scalar::Boolean(false)],
            "false",
        ),
        (F::BoolOr, SqlType::Boolean, vec![], "NULL"),
    ];
    for (function, ty, values, expected) in cases {
        let call = call(function, ty, false);
        let values = column(ty, &values);
        assert_eq!(
            single(&call, &values).as_deref(),
            Ok(expected),
            "{call} over {ty}"
        );
        let groups = vec![0; values.len()];
        let all = BooleanArray::from(vec![true; values.len()]);
        assert_eq!(
            grouped(&call, &values, &groups, &all).unwrap()[0],
            expected,
            "{call} over {ty}"
        );
    }
}

#[test]
fn a_sum_that_does_not_fit_is_an_error() {
    let mut sqlite = call(F::Sum, SqlType::Int64, false);
    sqlite.ty = SqlType::Int64;
    let values = column(SqlType::Int64, &[Scalar::Int64(i64::MAX), Scalar::Int64(1)]);
    assert_eq!(
        single(&sqlite, &values).unwrap_err(),
        "sum is out of range for type BIGINT"
    );
    let back = column(
        SqlType::Int64,
        &[Scalar::Int64(i64::MAX), Scalar::Int64(1), Scalar::Int64(-1)],
    );
    assert_eq!(single(&sqlite, &back).unwrap(), i64::MAX.to_string());
    let ty = SqlType::Decimal {
        precision: 38,
        scale: 0,
    };
    let huge = decimal(10i128.pow(38) - 1, 38, 0);
    let values = column(ty, &[huge.clone(), huge]);
    assert!(
        single(&call(F::Sum, ty, false), &values)
            .unwrap_err()
            .contains("out of range")
    );
}

#[test]
fn a_separator_of_its_own() {
    let mut call = call(F::StringAgg, SqlType::Text, true);
    call.args.push(lit(text(" / ")));
    let values = column(SqlType::Text, &[text("a"), text("b"), text("a")]);
    assert_eq!(single(&call, &values).unwrap(), "a / b");
}

fn reference(function: F, distinct: bool, values: &[Option<i32>]) -> String {
    let mut present: Vec<i64> = values.iter().flatten().map(|v| i64::from(*v)).collect();
    if distinct {
        let mut seen = std::collections::HashSet::new();
        present.retain(|v| seen.insert(*v));
    }
    let shown = |v: Option<i64>| v.map_or("NULL".to_owned(), |v| v.to_string());
    let sum: i64 = present.iter().sum();
    match function {
        F::CountStar => values.len().to_string(),
        F::Count => present.len().to_string(),
        F::Sum => shown((!present.is_empty()).then_some(sum)),
        F::Min => shown(present.iter().min().copied()),
        F::Max => shown(present.iter().max().copied()),
        F::AnyValue => shown(present.first().copied()),
        F::First => shown(values.first().copied().flatten().map(i64::from)),
        F::Avg if present.is_empty() => "NULL".into(),
        _ => Scalar::Float64(sum as f64 / present.len() as f64).to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn groups_agree_with_a_map(
        rows in prop::collection::vec((prop::option::of(-9i32..9), 0u32..3, any::<bool>()), 0..60),
        // The same rows again and again: enough of them to be sorted by their groups.
        times in prop_oneof![Just(1_usize), Just(9)],
        keep_all in any::<bool>(),
        distinct in any::<bool>(),
    ) {
        let mut rows = rows.repeat(times);
        rows.iter_mut().for_each(|row| row.2 |= keep_all);
        let mut by_group: BTreeMap<u32, Vec<Option<i32>>> = (0..4).map(|g| (g, vec![])).collect();
        for (value, group, keep) in &rows {
            if *keep {
                by_group.entry(*group).or_default().push(*value);
            }
        }
        let values: Vec<_> = rows.iter().map(|r| r.0.map_or(Scalar::Null(SqlType::Int32), Scalar::Int32)).collect();
        let groups: Vec<_> = rows.iter().map(|r| r.1).collect();
        let filter: BooleanArray = rows.iter().map(|r| Some(r.2)).collect();
        for function in [F::CountStar, F::Count, F::Sum, F::Min, F::Max, F::Avg, F::AnyValue, F::First] {
            let distinct = distinct && function != F::CountStar;
            let expected: Vec<_> = by_group.values().map(|v| reference(function, distinct, v)).collect();
            let column = column(SqlType::Int32, &values);
            let found = grouped(&call(function, SqlType::Int32, distinct), &column, &groups, &filter);
            prop_assert_eq!(found, Ok(expected), "{:?}", function);
        }
        let texts: Vec<_> = rows.iter().map(|r| r.0.map_or(Scalar::Null(SqlType::Text), |v| text(&format!("a rather long text {v}")))).collect();
        let expected: Vec<_> = by_group.values().map(|v| reference(F::Count, true, v)).collect();
        let found = grouped(&call(F::Count, SqlType::Text, true), &column(SqlType::Text, &texts), &groups, &filter);
        prop_assert_eq!(found, Ok(expected));
    }

    #[test]
    fn equal_rows_hash_equal(a in prop::option::of(-1000i64..1000), b in "\\PC{0,20}") {
        let number = |ty: SqlType| {
            let value = a.map_or(Scalar::Null(SqlType::Int64), Scalar::Int64);
            let value = crate::cast_scalar(&value, ty, llkv_expr::CastMode::Strict).unwrap();
            column(ty, &[value])
        };
        let long = column(SqlType::Text, &[text("x"), text(&b), text(&b)]);
        let hash = |columns: &[ArrayRef]| {
            let mut hashes = vec![99; 7];
            hash_columns(columns, &mut hashes).unwrap();
            hashes
        };
        let expected = hash(&[number(SqlType::Int64), column(SqlType::Text, &[text(&b)])]);
        let wide = SqlType::Decimal { precision: 38, scale: 0 };
        for ty in [SqlType::Int32, SqlType::Int16, wide, SqlType::Decimal { precision: 18, scale: 0 }] {
            prop_assert_eq!(&hash(&[number(ty), long.slice(1, 1)]), &expected);
        }
    }
}
