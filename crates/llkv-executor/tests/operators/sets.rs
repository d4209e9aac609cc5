//! UNION ALL, EXCEPT and INTERSECT, as sets and as multisets.

use super::harness::{
    Tuple, column, displayed, maybe_int, run_ordered, run_sorted, sorted, text, values,
};
use llkv_plan::{LogicalPlan, SetOp, SetOpKind, UnionAll};
use llkv_types::{Scalar, SqlType};
use proptest::prelude::*;

type Shape = (Option<i64>, Option<i64>);

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let part = || prop::option::weighted(0.7, 0..3_i64);
    prop::collection::vec((part(), part()), 0..20)
}

fn tuples(shapes: &[Shape]) -> Vec<Tuple> {
    let word = |v: i64| text(["x", "y", "a text too long for a packed key"][v as usize]);
    let shapes = shapes.iter();
    shapes
        .map(|(a, b)| vec![maybe_int(*a), b.map_or(Scalar::Null(SqlType::Text), word)])
        .collect()
}

fn side(first: u32, rows: &[Tuple]) -> LogicalPlan {
    let columns = vec![
        column(first, SqlType::Int64),
        column(first + 1, SqlType::Text),
    ];
    values(columns, rows, 3)
}

fn output() -> Vec<llkv_plan::PlanColumn> {
    vec![column(20, SqlType::Int64), column(21, SqlType::Text)]
}

/// How often the operation puts out a row that the sides have this often.
fn times(kind: SetOpKind, all: bool, left: usize, right: usize) -> usize {
    match (kind, all) {
        (SetOpKind::Except, true) => left.saturating_sub(right),
        (SetOpKind::Except, false) => usize::from(left > 0 && right == 0),
        (SetOpKind::Intersect, true) => left.min(right),
        (SetOpKind::Intersect, false) => usize::from(left > 0 && right > 0),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn set_operations_count_rows(left in shapes(), right in shapes(), except in any::<bool>(), all in any::<bool>()) {
        let kind = if except { SetOpKind::Except } else { SetOpKind::Intersect };
        let (left, right) = (tuples(&left), tuples(&right));
        let plan = LogicalPlan::SetOp(SetOp {
            kind,
            all,
            left: Box::new(side(0, &left)),
            right: Box::new(side(10, &right)),
            columns: output(),
        });
        let (left, right) = (displayed(&left), displayed(&right));
        let mut rows = left.clone();
        rows.sort();
        rows.dedup();
        let count = |rows: &[_], row| rows.iter().filter(|r| *r == row).count();
        let expected: Vec<_> = rows
            .iter()
            .flat_map(|row| std::iter::repeat_n(row.clone(), times(kind, all, count(&left, row), count(&right, row))))
            .collect();
        prop_assert_eq!(run_sorted(&plan), sorted(expected));
    }

    #[test]
    fn a_union_has_the_rows_of_its_inputs_one_after_the_other(inputs in prop::collection::vec(shapes(), 1..4)) {
        let tables: Vec<Vec<Tuple>> = inputs.iter().map(|shapes| tuples(shapes)).collect();
        let plan = LogicalPlan::UnionAll(UnionAll {
            inputs: tables.iter().zip(0..).map(|(rows, at)| side(at * 2, rows)).collect(),
            columns: output(),
        });
        prop_assert_eq!(run_ordered(&plan), displayed(&tables.concat()));
    }
}
