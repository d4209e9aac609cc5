//! All kinds of join with NULLs, duplicates, residual filters, over all forms of keys.

use super::harness::{
    Tuple, assert_nothing_is_left, col, column, configurations, displayed, int, maybe_int, run_in,
    run_ordered, run_sorted, sorted, spilling, values,
};
use super::reference::Reference;
use arrow::datatypes::IntervalMonthDayNano;
use llkv_expr::{BinaryOp, Expr};
use llkv_plan::{Join, JoinKind, LogicalPlan};
use llkv_result::{Error, ExecError};
use llkv_types::{Scalar, SqlType};
use proptest::prelude::*;

const KINDS: [JoinKind; 9] = [
    JoinKind::Inner,
    JoinKind::Left,
    JoinKind::Right,
    JoinKind::Full,
    JoinKind::Semi,
    JoinKind::Anti,
    JoinKind::NullAwareAnti,
    JoinKind::Mark,
    JoinKind::Single,
];

/// Types of keys, each of which takes another way through the join table.
const KEY_TYPES: [SqlType; 6] = [
    SqlType::Int32,
    SqlType::UInt64,
    SqlType::Float64,
    SqlType::Text,
    SqlType::Blob,
    SqlType::Interval,
];

fn key(ty: SqlType, value: Option<i64>) -> Scalar {
    let Some(value) = value else {
        return Scalar::Null(ty);
    };
    match ty {
        SqlType::Int32 => Scalar::Int32(value as i32 - 1),
        SqlType::UInt64 => Scalar::UInt64(value as u64 * 0x1234_5678_9abc_def1),
        // Zero and minus zero are equal; the reference sees only one of them.
        SqlType::Float64 => Scalar::Float64(value as f64 * 0.5),
        // The third is too long to be packed.
        SqlType::Text => {
            Scalar::Text(["", "a", "a text of over twelve bytes", "d"][value as usize].into())
        }
        SqlType::Blob => Scalar::Blob(vec![value as u8; 3].into()),
        SqlType::Interval => Scalar::Interval(IntervalMonthDayNano::new(value as i32, 0, 0)),
        other => panic!("no key of type {other}"),
    }
}

/// Two keys and a value.
type Shape = (Option<i64>, Option<i64>, Option<i64>);

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let part = prop::option::weighted(0.8, 0..4_i64);
    let value = prop::option::weighted(0.8, 0..5_i64);
    prop::collection::vec((part.clone(), part, value), 0..12)
}

fn tuples(shapes: &[Shape], types: [SqlType; 2]) -> Vec<Tuple> {
    let shapes = shapes.iter();
    shapes
        .map(|(a, b, v)| vec![key(types[0], *a), key(types[1], *b), maybe_int(*v)])
        .collect()
}

#[derive(Debug, Clone)]
struct Case {
    left: Vec<Shape>,
    right: Vec<Shape>,
    kind: JoinKind,
    types: [SqlType; 2],
    keys: usize,
    null_equal: [bool; 2],
    filtered: bool,
    null_aware: bool,
    left_first: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let ty = || prop::sample::select(KEY_TYPES.to_vec());
    (
        (shapes(), shapes()),
        prop::sample::select(KINDS.to_vec()),
        [ty(), ty()],
        0..3_usize,
        any::<[bool; 2]>(),
        any::<(bool, bool, bool)>(),
    )
        .prop_map(
            |((left, right), kind, types, keys, null_equal, (filtered, aware, left_first))| {
                let null_aware = match kind {
                    JoinKind::NullAwareAnti => true,
                    JoinKind::Mark => aware,
                    _ => false,
                };
                let keys = if null_aware { keys.max(1) } else { keys };
                let mut case = Case {
                    left,
                    right,
                    kind,
                    types,
                    keys,
                    null_equal,
                    filtered,
                    null_aware,
                    left_first: false,
                };
                case.left_first = left_first
                    && match kind {
                        JoinKind::Semi | JoinKind::Anti | JoinKind::Single => true,
                        JoinKind::Mark => !null_aware,
                        _ => false,
                    };
                if null_aware {
                    case.null_equal[keys - 1] = false;
                }
                case
            },
        )
}

fn plan(case: &Case) -> LogicalPlan {
    let side = |first: u32, rows: &[Shape]| {
        let columns = vec![
            column(first, case.types[0]),
            column(first + 1, case.types[1]),
            column(first + 2, SqlType::Int64),
        ];
        Box::new(values(columns, &tuples(rows, case.types), 3))
    };
    let on = (0..case.keys as u32).map(|at| {
        let ty = case.types[at as usize];
        (col(at, ty), col(10 + at, ty))
    });
    let filter = case.filtered.then(|| {
        let (l, r) = (col(2, SqlType::Int64), col(12, SqlType::Int64));
        Expr::compare(BinaryOp::LtEq, l, r)
    });
    LogicalPlan::Join(Join {
        left: side(0, &case.left),
        right: side(10, &case.right),
        kind: case.kind,
        on: on.collect(),
        null_equal: case.null_equal[..case.keys].to_vec(),
        filter,
        mark: (case.kind == JoinKind::Mark).then(|| column(20, SqlType::Boolean)),
        null_aware_mark: case.null_aware,
        aggregates: Vec::new(),
        left_first: case.left_first,
    })
}

fn expected(case: &Case) -> Option<Vec<Tuple>> {
    let types = [case.types[0], case.types[1], SqlType::Int64];
    let filter = |l: &Tuple, r: &Tuple| match (&l[2], &r[2]) {
        _ if !case.filtered => Some(true),
        (Scalar::Int64(l), Scalar::Int64(r)) => Some(l <= r),
        _ => None,
    };
    let reference = Reference {
        kind: case.kind,
        keys: &[(0, 0), (1, 1)][..case.keys],
        null_equal: &case.null_equal[..case.keys],
        filter: &filter,
        null_aware: case.null_aware,
        left_types: &types,
        right_types: &types,
    };
    reference.rows(
        &tuples(&case.left, case.types),
        &tuples(&case.right, case.types),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_join_gives_what_looking_at_every_pair_gives(case in cases()) {
        let plan = plan(&case);
        match expected(&case) {
            Some(rows) => prop_assert_eq!(run_sorted(&plan), sorted(displayed(&rows))),
            None => for context in [configurations(), spilling()].concat() {
                let error = run_in(&context, &plan).unwrap_err();
                prop_assert!(matches!(error, Error::Exec(ExecError::TooManyRows)), "{error} in {context:?}");
                assert_nothing_is_left(&context);
            }
        }
    }
}

fn int_side(first: u32, rows: impl Iterator<Item = i64>) -> Box<LogicalPlan> {
    let rows: Vec<Tuple> = rows.map(|v| vec![int(v)]).collect();
    Box::new(values(vec![column(first, SqlType::Int64)], &rows, 1000))
}

fn int_join(kind: JoinKind, left: Box<LogicalPlan>, right: Box<LogicalPlan>) -> LogicalPlan {
    LogicalPlan::Join(Join {
        left,
        right,
        kind,
        on: vec![(col(0, SqlType::Int64), col(1, SqlType::Int64))],
        null_equal: vec![false],
        filter: None,
        mark: None,
        null_aware_mark: false,
        aggregates: Vec::new(),
        left_first: false,
    })
}

#[test]
fn pairs_come_in_the_order_of_the_left_rows_then_of_the_right() {
    // Keys far apart take the hash table, near ones the array.
    for scale in [1, 1_000_003] {
        let left = int_side(0, (0..500).map(|i| (i % 7) * scale));
        let right = int_side(1, (0..20).map(|i| (i % 5) * scale));
        let rows = run_ordered(&int_join(JoinKind::Inner, left, right));
        let mut expected = Vec::new();
        for l in (0..500).map(|i| (i % 7) * scale) {
            for r in (0..20).map(|i| (i % 5) * scale) {
                if l == r {
                    expected.push(vec![int(l), int(r)]);
                }
            }
        }
        assert_eq!(rows, displayed(&expected));
    }
}

#[test]
fn a_large_full_join_loses_and_doubles_no_row() {
    let left = int_side(0, (0..20_000).map(|i| i * 2));
    let right = int_side(1, (0..20_000).map(|i| i * 3));
    let plan = int_join(JoinKind::Full, left, right);
    let context = super::harness::context(2, 1024);
    let rows = run_in(&context, &plan).unwrap();
    let matched = rows.iter().filter(|r| r[0].is_some() && r[1].is_some());
    let both = matched.filter(|r| r[0] == r[1]).count();
    assert_eq!(both, 6_667);
    assert_eq!(rows.len(), 20_000 + 20_000 - both);
}

#[test]
fn floats_join_by_value_whatever_their_sign_bit_or_nan_says() {
    let side = |id: u32, floats: [f64; 3]| {
        let rows: Vec<Tuple> = floats.iter().map(|v| vec![Scalar::Float64(*v)]).collect();
        Box::new(values(vec![column(id, SqlType::Float64)], &rows, 2))
    };
    let plan = LogicalPlan::Join(Join {
        left: side(0, [0.0, f64::NAN, 1.0]),
        right: side(1, [-0.0, -f64::NAN, 2.0]),
        kind: JoinKind::Semi,
        on: vec![(col(0, SqlType::Float64), col(1, SqlType::Float64))],
        null_equal: vec![false],
        filter: None,
        mark: None,
        null_aware_mark: false,
        aggregates: Vec::new(),
        left_first: false,
    });
    assert_eq!(run_ordered(&plan).len(), 2);
}
