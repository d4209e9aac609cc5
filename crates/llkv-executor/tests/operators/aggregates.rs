//! Groups, the functions over them, DISTINCT, FILTER and ORDER BY within a call.

use super::harness::{
    Row, Tuple, col, column, context, display, displayed, int, maybe_int, run_in, run_ordered,
    run_sorted, sorted, text, values,
};
use llkv_expr::{AggregateExpr, AggregateFunction, BinaryOp, Expr, SortKey};
use llkv_plan::{Aggregate, Distinct, LogicalPlan, Projection};
use llkv_types::{Scalar, SqlType};
use proptest::prelude::*;
use std::collections::BTreeMap;

const WIDE: SqlType = SqlType::Decimal {
    precision: 38,
    scale: 0,
};

fn call(function: AggregateFunction, args: Vec<Expr>, ty: SqlType) -> AggregateExpr {
    AggregateExpr {
        function,
        args,
        distinct: false,
        filter: None,
        order_by: vec![],
        ty,
    }
}

fn aggregate(
    input: LogicalPlan,
    keys: &[(u32, SqlType)],
    calls: Vec<AggregateExpr>,
) -> LogicalPlan {
    let groups = keys.iter().map(|(id, ty)| Projection {
        column: column(*id, *ty),
        expr: col(*id, *ty),
    });
    let aggregates = calls.into_iter().zip(100..);
    LogicalPlan::Aggregate(Aggregate {
        input: Box::new(input),
        groups: groups.collect(),
        aggregates: aggregates
            .map(|(call, id)| (column(id, call.ty), call))
            .collect(),
    })
}

/// Key types by the way they take through the group table.
const KEY_TYPES: [SqlType; 4] = [
    SqlType::Int64,
    SqlType::Text,
    SqlType::Boolean,
    SqlType::Interval,
];

fn key(ty: SqlType, value: Option<i64>) -> Scalar {
    let Some(value) = value else {
        return Scalar::Null(ty);
    };
    match ty {
        SqlType::Int64 => int(value),
        SqlType::Text => text(["", "b", "long enough to be no key in a word"][value as usize % 3]),
        SqlType::Boolean => Scalar::Boolean(value % 2 == 0),
        _ => Scalar::Interval(arrow::datatypes::IntervalMonthDayNano::new(
            0,
            value as i32,
            7,
        )),
    }
}

type Shape = (Option<i64>, Option<i64>, Option<i64>);

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let part = || prop::option::weighted(0.8, 0..3_i64);
    let value = prop::option::weighted(0.8, -5..5_i64);
    prop::collection::vec((part(), part(), value), 0..40)
}

fn all_calls() -> Vec<AggregateExpr> {
    use AggregateFunction as F;
    let v = || vec![col(2, SqlType::Int64)];
    let positive = || Expr::compare(BinaryOp::Gt, v().remove(0), Expr::Literal(int(0)));
    vec![
        call(F::CountStar, vec![], SqlType::Int64),
        call(F::Count, v(), SqlType::Int64),
        call(F::Sum, v(), WIDE),
        call(F::Min, v(), SqlType::Int64),
        call(F::Max, v(), SqlType::Int64),
        AggregateExpr {
            distinct: true,
            ..call(F::Count, v(), SqlType::Int64)
        },
        AggregateExpr {
            filter: Some(positive()),
            ..call(F::Sum, v(), WIDE)
        },
        AggregateExpr {
            filter: Some(positive()),
            ..call(F::CountStar, vec![], SqlType::Int64)
        },
    ]
}

/// The values of [`all_calls`] for the values of one group.
fn reference(group: &[Option<i64>]) -> Row {
    let valid: Vec<i64> = group.iter().flatten().copied().collect();
    let sum = |values: &[i64]| (!values.is_empty()).then(|| values.iter().sum::<i64>().to_string());
    let positive: Vec<i64> = valid.iter().copied().filter(|v| *v > 0).collect();
    let distinct: std::collections::BTreeSet<i64> = valid.iter().copied().collect();
    vec![
        Some(group.len().to_string()),
        Some(valid.len().to_string()),
        sum(&valid),
        valid.iter().min().map(i64::to_string),
        valid.iter().max().map(i64::to_string),
        Some(distinct.len().to_string()),
        sum(&positive),
        Some(positive.len().to_string()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn groups_have_the_values_of_their_rows(
        shapes in shapes(),
        types in [prop::sample::select(KEY_TYPES.to_vec()), prop::sample::select(KEY_TYPES.to_vec())],
        keys in 0..3_usize,
    ) {
        let columns = vec![column(0, types[0]), column(1, types[1]), column(2, SqlType::Int64)];
        let rows: Vec<Tuple> = shapes
            .iter()
            .map(|(a, b, v)| vec![key(types[0], *a), key(types[1], *b), maybe_int(*v)])
            .collect();
        let ids: Vec<(u32, SqlType)> = (0..keys).map(|k| (k as u32, types[k])).collect();
        let plan = aggregate(values(columns, &rows, 5), &ids, all_calls());

        let mut groups: BTreeMap<Row, Vec<Option<i64>>> = BTreeMap::new();
        if keys == 0 {
            groups.insert(vec![], vec![]);
        }
        for (row, shape) in rows.iter().zip(&shapes) {
            let key: Row = row[..keys].iter().map(display).collect();
            groups.entry(key).or_default().push(shape.2);
        }
        let expected: Vec<Row> = groups
            .into_iter()
            .map(|(key, group)| key.into_iter().chain(reference(&group)).collect())
            .collect();
        prop_assert_eq!(run_sorted(&plan), sorted(expected));
    }

    #[test]
    fn distinct_keeps_each_row_once(shapes in shapes()) {
        let rows: Vec<Tuple> = shapes
            .iter()
            .map(|(a, b, _)| vec![maybe_int(*a), key(SqlType::Text, *b)])
            .collect();
        let columns = vec![column(0, SqlType::Int64), column(1, SqlType::Text)];
        let plan = LogicalPlan::Distinct(Distinct { input: Box::new(values(columns, &rows, 4)) });
        let mut expected = sorted(displayed(&rows));
        expected.dedup();
        prop_assert_eq!(run_sorted(&plan), expected);
    }

    #[test]
    fn texts_are_put_together_in_the_order_of_the_call(shapes in shapes(), distinct in any::<bool>()) {
        let columns = vec![column(0, SqlType::Int64), column(1, SqlType::Int64), column(2, SqlType::Text)];
        let rows: Vec<Tuple> = shapes
            .iter()
            .enumerate()
            .map(|(at, (a, b, v))| {
                // Texts tell where their row stood, unless they are to meet their like.
                let word = if distinct { format!("{v:?}") } else { format!("{v:?}@{at}") };
                vec![maybe_int(*a), maybe_int(*b), text(&word)]
            })
            .collect();
        let order = SortKey { expr: col(1, SqlType::Int64), descending: true, nulls_first: true };
        let calls = vec![AggregateExpr {
            distinct,
            order_by: vec![order],
            ..call(
                AggregateFunction::StringAgg,
                vec![col(2, SqlType::Text), Expr::Literal(text("|"))],
                SqlType::Text,
            )
        }];
        let plan = aggregate(values(columns, &rows, 4), &[(0, SqlType::Int64)], calls);

        let mut groups: BTreeMap<Row, Vec<(Option<i64>, String)>> = BTreeMap::new();
        for (row, shape) in rows.iter().zip(&shapes) {
            let word = row[2].to_string();
            groups.entry(vec![display(&row[0])]).or_default().push((shape.1, word));
        }
        let expected: Vec<Row> = groups
            .into_iter()
            .map(|(mut row, mut words)| {
                // NULLs first, then descending; the sort is stable.
                words.sort_by_key(|(order, _)| (order.is_some(), order.map(|o| -o)));
                let mut texts: Vec<String> = Vec::new();
                for (_, word) in words {
                    if !distinct || !texts.contains(&word) {
                        texts.push(word);
                    }
                }
                row.push(Some(texts.join("|")));
                row
            })
            .collect();
        prop_assert_eq!(run_sorted(&plan), sorted(expected));
    }
}

#[test]
fn functions_that_look_at_the_order_see_the_order_of_the_rows() {
    let rows: Vec<Tuple> = (0..50)
        .map(|i| vec![int(i % 3), text(&format!("{i}"))])
        .collect();
    let columns = vec![column(0, SqlType::Int64), column(1, SqlType::Text)];
    let calls = vec![
        call(
            AggregateFunction::First,
            vec![col(1, SqlType::Text)],
            SqlType::Text,
        ),
        call(
            AggregateFunction::StringAgg,
            vec![col(1, SqlType::Text)],
            SqlType::Text,
        ),
    ];
    let plan = aggregate(values(columns, &rows, 4), &[(0, SqlType::Int64)], calls);
    let expected: Vec<Row> = (0..3)
        .map(|group| {
            let words: Vec<String> = (0..50)
                .filter(|i| i % 3 == group)
                .map(|i| i.to_string())
                .collect();
            vec![
                Some(group.to_string()),
                Some(words[0].clone()),
                Some(words.join(",")),
            ]
        })
        .collect();
    assert_eq!(run_ordered(&plan), expected);
}

#[test]
fn groups_that_do_not_fit_the_cache_meet_again_in_their_partitions() {
    // Each key twice, far apart, so that its halves are put aside by different tables.
    let count = 200_000_i64;
    let rows: Vec<Tuple> = (0..2 * count)
        .map(|i| vec![int(i % count * 7), int(i)])
        .collect();
    let columns = vec![column(0, SqlType::Int64), column(1, SqlType::Int64)];
    let calls = vec![
        call(AggregateFunction::CountStar, vec![], SqlType::Int64),
        call(
            AggregateFunction::Min,
            vec![col(1, SqlType::Int64)],
            SqlType::Int64,
        ),
        AggregateExpr {
            distinct: true,
            ..call(
                AggregateFunction::Count,
                vec![col(1, SqlType::Int64)],
                SqlType::Int64,
            )
        },
    ];
    let plan = aggregate(
        values(columns, &rows, 50_000),
        &[(0, SqlType::Int64)],
        calls,
    );
    let mut rows = run_in(&context(2, 8192), &plan).unwrap();
    assert_eq!(rows.len(), count as usize);
    rows.sort_by_key(|row| row[0].as_ref().and_then(|k| k.parse::<i64>().ok()));
    for (at, row) in rows.iter().enumerate() {
        let expected = [at as i64 * 7, 2, at as i64, 2].map(|v| Some(v.to_string()));
        assert_eq!(row, &expected);
    }
}

#[test]
fn no_row_gives_one_group_without_keys_and_none_with_keys() {
    let columns = || vec![column(0, SqlType::Int64), column(2, SqlType::Int64)];
    let ungrouped = aggregate(values(columns(), &[], 1), &[], all_calls());
    assert_eq!(run_ordered(&ungrouped), [reference(&[])]);
    let grouped = aggregate(
        values(columns(), &[], 1),
        &[(0, SqlType::Int64)],
        all_calls(),
    );
    assert!(run_ordered(&grouped).is_empty());
}
