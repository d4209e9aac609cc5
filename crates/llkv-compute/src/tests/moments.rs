//! Variances and regressions against two passes over the rows: the mean first, then the distances from it.

use super::col;
use crate::{Groups, RowsByGroup, aggregate_type, create_accumulator};
use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::Float64Type;
use llkv_expr::{AggregateExpr, AggregateFunction as F};
use llkv_types::SqlType;
use proptest::prelude::*;
use std::sync::Arc;

const GROUPS: usize = 3;

/// A group, and a pair of values.
type Row = (u32, f64, f64);

fn call(function: F, arguments: usize) -> AggregateExpr {
    let types = vec![SqlType::Float64; arguments];
    let (_, ty) = aggregate_type(function, &types).unwrap();
    AggregateExpr {
        function,
        args: (0..arguments as u32)
            .map(|at| col(at, SqlType::Float64))
            .collect(),
        distinct: false,
        filter: None,
        order_by: vec![],
        ty,
    }
}

/// The results of all groups: of rows as they come, of rows sorted by group, and of parts that are merged.
fn results(call: &AggregateExpr, args: &[Vec<f64>], groups: &[u32]) -> Vec<Vec<Option<f64>>> {
    let arrays: Vec<ArrayRef> = args
        .iter()
        .map(|values| Arc::new(Float64Array::from(values.clone())) as ArrayRef)
        .collect();
    let slices = |from: usize, to: usize| -> Vec<ArrayRef> {
        arrays.iter().map(|a| a.slice(from, to - from)).collect()
    };
    let finish = |mut accumulator: Box<dyn crate::GroupsAccumulator>| -> Vec<Option<f64>> {
        accumulator.resize(GROUPS);
        let result = accumulator.finish().unwrap();
        result.as_primitive::<Float64Type>().iter().collect()
    };
    let rows = groups.len();
    let mut plain = create_accumulator(call).unwrap();
    let per_row = Groups::PerRow(groups);
    plain.update(&arrays, per_row, GROUPS, None).unwrap();
    let mut sorted = create_accumulator(call).unwrap();
    let mut by_group = RowsByGroup::default();
    let order = Groups::of_rows(groups, GROUPS, 3, &mut by_group);
    sorted.update(&arrays, order, GROUPS, None).unwrap();
    let mut merged = create_accumulator(call).unwrap();
    for part in [0..rows / 3, rows / 3..rows] {
        let mut accumulator = create_accumulator(call).unwrap();
        let of_part = Groups::PerRow(&groups[part.clone()]);
        accumulator
            .update(&slices(part.start, part.end), of_part, GROUPS, None)
            .unwrap();
        accumulator.resize(GROUPS);
        let states = accumulator.state().unwrap();
        merged.merge(&states, &[0, 1, 2], GROUPS).unwrap();
    }
    vec![finish(plain), finish(sorted), finish(merged)]
}

/// Products of the distances of two columns from their means, added up.
fn products(x: &[f64], y: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_x, mean_y) = (mean(x), mean(y));
    x.iter()
        .zip(y)
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum()
}

/// Far from zero, near to one another; and, now and then, one that is far from the others, mostly the first.
fn values() -> impl Strategy<Value = (f64, Vec<Row>, Option<(usize, f64)>)> {
    let offset = prop_oneof![Just(0.0), Just(1e4), Just(-3e5), Just(0.1)];
    let row = (0..GROUPS as u32, -100_i32..100, -100_i32..100);
    let row = row.prop_map(|(group, x, y)| (group, f64::from(x) / 8.0, f64::from(y) / 4.0));
    let odd = prop::option::weighted(
        0.3,
        (
            prop_oneof![2 => Just(0_usize), 1 => 0_usize..500],
            -1e5..1e5,
        ),
    );
    (offset, prop::collection::vec(row, 1..900), odd)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn moments_are_those_of_two_passes((offset, rows, odd) in values()) {
        let groups: Vec<u32> = rows.iter().map(|row| row.0).collect();
        let mut x: Vec<f64> = rows.iter().map(|row| row.1 + offset).collect();
        let y: Vec<f64> = rows.iter().map(|row| row.2 - offset).collect();
        if let Some((at, value)) = odd && let Some(slot) = x.get_mut(at) {
            *slot = value;
        }
        let of_group = |values: &[f64], group: u32| -> Vec<f64> {
            let pairs = values.iter().zip(&groups);
            pairs.filter(|(_, of)| **of == group).map(|(value, _)| *value).collect()
        };
        for function in [F::VarPop, F::RegrSxx, F::RegrSyy, F::RegrSxy, F::CovarPop, F::RegrAvgX, F::Corr] {
            let args = match function {
                F::VarPop => vec![x.clone()],
                _ => vec![y.clone(), x.clone()],
            };
            for found in results(&call(function, args.len()), &args, &groups) {
                for group in 0..GROUPS as u32 {
                    let (x, y) = (of_group(&x, group), of_group(&y, group));
                    let count = x.len() as f64;
                    let (xx, yy, xy) = (products(&x, &x), products(&y, &y), products(&x, &y));
                    let expected = match function {
                        F::VarPop => xx / count,
                        F::RegrSxx => xx,
                        F::RegrSyy => yy,
                        F::RegrSxy => xy,
                        F::CovarPop => xy / count,
                        F::RegrAvgX => x.iter().sum::<f64>() / count,
                        _ => xy / (xx * yy).sqrt(),
                    };
                    let size = match function {
                        F::VarPop => xx / count,
                        F::RegrSxx => xx,
                        F::RegrSyy => yy,
                        F::RegrSxy => (xx * yy).sqrt(),
                        F::CovarPop => (xx * yy).sqrt() / count,
                        F::RegrAvgX => expected.abs(),
                        _ => 1.0,
                    };
                    match found[group as usize] {
                        None => prop_assert!(x.is_empty() || xx < 1e-12 || yy < 1e-12),
                        // The two passes themselves round means of numbers that are far from zero.
                        Some(found) => prop_assert!(
                            (found - expected).abs() <= 1e-9 * size + 1e-9,
                            "{function:?}: {found}, not {expected}, of {} rows", x.len()
                        ),
                    }
                }
            }
        }
    }
}

#[test]
fn equal_values_have_no_variance_and_whole_numbers_an_exact_one() {
    let groups = vec![0; 1_000];
    for value in [0.1, 1e300, -7.3] {
        for found in results(&call(F::VarPop, 1), &[vec![value; 1_000]], &groups) {
            assert_eq!(found[0], Some(0.0), "{value}");
        }
    }
    let values: Vec<f64> = (1..=5).map(f64::from).collect();
    let doubled: Vec<f64> = values.iter().map(|value| 2.0 * value).collect();
    let groups = vec![0; 5];
    let args = [doubled, values.clone()];
    for (function, expected) in [(F::Corr, 1.0), (F::RegrSlope, 2.0), (F::RegrIntercept, 0.0)] {
        for found in results(&call(function, 2), &args, &groups) {
            assert!((found[0].unwrap() - expected).abs() < 1e-15, "{function:?}");
        }
    }
    for found in results(&call(F::VarSamp, 1), &[values], &groups) {
        assert_eq!(found[0], Some(2.5));
    }
}

#[test]
fn what_is_no_number_reaches_the_result() {
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for at in [0, 1, 70, 99] {
            let mut x = vec![1.0; 100];
            x[at] = odd;
            let y: Vec<f64> = (0..100).map(f64::from).collect();
            let groups = vec![0; 100];
            for found in results(&call(F::VarPop, 1), &[x.clone()], &groups) {
                assert!(found[0].unwrap().is_nan());
            }
            for function in [F::RegrSxx, F::RegrSxy, F::Corr] {
                for found in results(&call(function, 2), &[y.clone(), x.clone()], &groups) {
                    assert!(found[0].unwrap().is_nan(), "{function:?} {odd} {at}");
                }
            }
        }
    }
    for found in results(
        &call(F::RegrSxx, 2),
        &[vec![1.0], vec![f64::INFINITY]],
        &[0],
    ) {
        assert!(found[0].unwrap().is_nan());
    }
}
