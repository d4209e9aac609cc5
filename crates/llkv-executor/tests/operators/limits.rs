//! LIMIT and OFFSET: at the top of a plan, below other operators, and as a reason to stop reading.

use super::harness::{Tuple, col, column, context, displayed, int, run_in, run_ordered, values};
use super::lifecycle::Endless;
use llkv_expr::{BinaryOp, Expr};
use llkv_plan::{ExternalScan, Filter, Limit, LogicalPlan, Project, Projection, UnionAll};
use llkv_types::SqlType;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;

fn rows(range: std::ops::Range<i64>) -> Vec<Tuple> {
    range.map(|v| vec![int(v)]).collect()
}

fn side(id: u32, range: std::ops::Range<i64>) -> LogicalPlan {
    values(vec![column(id, SqlType::Int64)], &rows(range), 10)
}

fn limit(input: LogicalPlan, skip: u64, fetch: Option<u64>) -> LogicalPlan {
    LogicalPlan::Limit(Limit {
        input: Box::new(input),
        skip,
        fetch,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_limit_keeps_a_slice_of_the_rows(
        outer in (0..120_u64, prop::option::of(0..120_u64)),
        inner in (0..120_u64, prop::option::of(0..120_u64)),
    ) {
        // Two limits with a filter between them: the inner one is carried out before the filter.
        let even = |v: &i64| v % 2 == 0;
        let filtered = LogicalPlan::Filter(Filter {
            input: Box::new(limit(side(0, 0..100), inner.0, inner.1)),
            predicate: Expr::compare(
                BinaryOp::Eq,
                Expr::binary(
                    BinaryOp::Modulo,
                    col(0, SqlType::Int64),
                    Expr::Literal(int(2)),
                    SqlType::Int64,
                ),
                Expr::Literal(int(0)),
            ),
        });
        let plan = limit(filtered, outer.0, outer.1);
        let cut = |rows: Vec<i64>, (skip, fetch): (u64, Option<u64>)| -> Vec<i64> {
            let fetch = fetch.map_or(usize::MAX, |f| f as usize);
            rows.into_iter().skip(skip as usize).take(fetch).collect()
        };
        let kept = cut((0..100).collect(), inner).into_iter().filter(even).collect();
        let expected: Vec<Tuple> = cut(kept, outer).into_iter().map(|v| vec![int(v)]).collect();
        prop_assert_eq!(run_ordered(&plan), displayed(&expected));
    }
}

#[test]
fn a_limit_below_a_projection_and_in_a_union_counts_its_own_rows() {
    let project = LogicalPlan::Project(Project {
        input: Box::new(limit(side(0, 0..50), 3, Some(4))),
        projections: vec![Projection {
            column: column(1, SqlType::Int64),
            expr: Expr::unary(llkv_expr::UnaryOp::Negate, col(0, SqlType::Int64)),
        }],
    });
    let union = LogicalPlan::UnionAll(UnionAll {
        inputs: vec![project, side(2, 7..9), limit(side(3, 0..50), 0, Some(1))],
        columns: vec![column(4, SqlType::Int64)],
    });
    let expected: Vec<Tuple> = [-3, -4, -5, -6, 7, 8, 0].map(|v| vec![int(v)]).to_vec();
    assert_eq!(run_ordered(&union), displayed(&expected));
}

#[test]
fn a_limit_stops_its_sources() {
    for threads in [1, 2] {
        let source = Endless::new(4);
        let scan = LogicalPlan::External(ExternalScan {
            source: Arc::clone(&source) as _,
            columns: vec![(0, column(0, SqlType::Int64))],
        });
        let found = run_in(&context(threads, 100), &limit(scan, 50, Some(500))).unwrap();
        let expected: Vec<Tuple> = (50..550).map(|v| vec![int(v)]).collect();
        assert_eq!(found, displayed(&expected));
        // Each thread may have run ahead by what the queue holds, and no further.
        let read = source.batches_read.load(Ordering::Relaxed);
        assert!(read < 64, "{read} batches were read for 550 rows");
    }
}
