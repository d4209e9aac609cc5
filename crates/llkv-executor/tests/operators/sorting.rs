//! ORDER BY: directions, NULLs, stability, and the bound that makes it top-k.

use super::harness::{Tuple, col, column, displayed, int, maybe_int, run_ordered, text, values};
use llkv_expr::SortKey;
use llkv_plan::{LogicalPlan, Sort};
use llkv_types::{Scalar, SqlType};
use proptest::prelude::*;
use std::cmp::Ordering;

fn compare(a: &Scalar, b: &Scalar, descending: bool, nulls_first: bool) -> Ordering {
    let values = match (a, b) {
        (Scalar::Int64(a), Scalar::Int64(b)) => a.cmp(b),
        (Scalar::Text(a), Scalar::Text(b)) => a.cmp(b),
        _ => {
            let nulls = b.is_null().cmp(&a.is_null());
            return if nulls_first { nulls } else { nulls.reverse() };
        }
    };
    if descending { values.reverse() } else { values }
}

fn key(id: u32, ty: SqlType, descending: bool, nulls_first: bool) -> SortKey {
    SortKey {
        expr: col(id, ty),
        descending,
        nulls_first,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_sort_is_stable_and_puts_nulls_where_told(
        shapes in prop::collection::vec((prop::option::weighted(0.8, 0..4_i64), prop::option::weighted(0.8, 0..4_usize)), 0..60),
        flags in any::<[bool; 4]>(),
        fetch in prop::option::of(0..70_u64),
    ) {
        // The first nine bytes of the texts are the same: comparing a prefix does not decide.
        let words = ["same start", "same start and on", "same stars", ""];
        let rows: Vec<Tuple> = shapes
            .iter()
            .zip(0..)
            .map(|((a, b), at)| {
                let word = b.map_or(Scalar::Null(SqlType::Text), |b| text(words[b]));
                vec![maybe_int(*a), word, int(at)]
            })
            .collect();
        let columns = vec![column(0, SqlType::Int64), column(1, SqlType::Text), column(2, SqlType::Int64)];
        let plan = LogicalPlan::Sort(Sort {
            input: Box::new(values(columns, &rows, 7)),
            keys: vec![
                key(1, SqlType::Text, flags[0], flags[1]),
                key(0, SqlType::Int64, flags[2], flags[3]),
            ],
            fetch,
        });
        let mut expected = rows.clone();
        expected.sort_by(|a, b| {
            compare(&a[1], &b[1], flags[0], flags[1])
                .then_with(|| compare(&a[0], &b[0], flags[2], flags[3]))
        });
        expected.truncate(fetch.map_or(usize::MAX, |f| f as usize));
        prop_assert_eq!(run_ordered(&plan), displayed(&expected));
    }
}

#[test]
fn minus_zero_ties_with_zero_and_nan_is_the_greatest() {
    let floats = [0.0, f64::NAN, -0.0, f64::INFINITY, -f64::NAN, -1.0];
    let rows: Vec<Tuple> = floats
        .iter()
        .zip(0..)
        .map(|(v, at)| vec![Scalar::Float64(*v), int(at)])
        .collect();
    let plan = LogicalPlan::Sort(Sort {
        input: Box::new(values(
            vec![column(0, SqlType::Float64), column(1, SqlType::Int64)],
            &rows,
            2,
        )),
        keys: vec![key(0, SqlType::Float64, false, false)],
        fetch: None,
    });
    let places: Vec<_> = run_ordered(&plan)
        .into_iter()
        .map(|r| r[1].clone())
        .collect();
    let expected = [5, 0, 2, 3, 1, 4].map(|at: i32| Some(at.to_string()));
    assert_eq!(places, expected);
}

#[test]
fn a_sort_of_many_rows_merges_its_runs() {
    let rows: Vec<Tuple> = (0..30_000_i64)
        .map(|i| vec![int(i * 7_919 % 1_000), int(i)])
        .collect();
    let columns = vec![column(0, SqlType::Int64), column(1, SqlType::Int64)];
    for fetch in [None, Some(5_000)] {
        let plan = LogicalPlan::Sort(Sort {
            input: Box::new(values(columns.clone(), &rows, 1_000)),
            keys: vec![key(0, SqlType::Int64, true, false)],
            fetch,
        });
        let mut expected = rows.clone();
        expected.sort_by(|a, b| compare(&b[0], &a[0], false, false));
        expected.truncate(fetch.map_or(usize::MAX, |f| f as usize));
        let context = super::harness::context(2, 512);
        let found = super::harness::run_in(&context, &plan).unwrap();
        assert_eq!(found, displayed(&expected));
    }
}
