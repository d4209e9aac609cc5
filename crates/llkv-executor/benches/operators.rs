//! The operators on rows in memory: throughput on a million rows, and the fixed cost of a tiny query.
#![allow(clippy::unwrap_used)] // a benchmark may stop at the first surprise

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use llkv_executor::{ExecutionContext, QueryExecutor};
use llkv_expr::{AggregateExpr, AggregateFunction, BinaryOp, ColumnId, Expr, SortKey};
use llkv_plan::{
    Aggregate, Filter, Join, JoinKind, LogicalPlan, PlanColumn, Projection, Sort, Values,
};
use llkv_types::{BATCH_ROWS, Scalar, SqlType};
use std::hint::black_box;
use std::sync::Arc;

const ROWS: i64 = 1_000_000;
const INT: SqlType = SqlType::Int64;

fn column(id: u32, ty: SqlType) -> PlanColumn {
    PlanColumn {
        id: ColumnId(id),
        name: format!("c{id}").into(),
        ty,
        nullable: false,
    }
}

fn col(id: u32, ty: SqlType) -> Expr {
    Expr::column(ColumnId(id), ty)
}

/// Rows (key, value, one-letter word); the keys are `key(row)`.
fn table(first: u32, rows: i64, key: impl Fn(i64) -> i64) -> Box<LogicalPlan> {
    let words = ["A", "N", "R"];
    let starts = (0..rows).step_by(BATCH_ROWS);
    let batches = starts.map(|start| {
        let range = start..(start + BATCH_ROWS as i64).min(rows);
        let keys: ArrayRef = Arc::new(range.clone().map(&key).collect::<Int64Array>());
        let values: ArrayRef = Arc::new(range.clone().collect::<Int64Array>());
        let words: ArrayRef = Arc::new(StringViewArray::from_iter_values(
            range.map(|i| words[(i * 7 % 3) as usize]),
        ));
        RecordBatch::try_from_iter([("k", keys), ("v", values), ("w", words)]).unwrap()
    });
    Box::new(LogicalPlan::Values(Values {
        columns: vec![
            column(first, INT),
            column(first + 1, INT),
            column(first + 2, SqlType::Text),
        ],
        batches: batches.collect(),
    }))
}

/// Spreads numbers over 64 bits.
fn scatter(i: i64) -> i64 {
    i.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64)
}

fn sum(input: Box<LogicalPlan>, groups: &[(u32, SqlType)], value: u32) -> LogicalPlan {
    let ty = SqlType::Decimal {
        precision: 38,
        scale: 0,
    };
    let call = AggregateExpr {
        function: AggregateFunction::Sum,
        args: vec![col(value, INT)],
        distinct: false,
        filter: None,
        order_by: vec![],
        ty,
    };
    let groups = groups.iter().map(|(id, ty)| Projection {
        column: column(*id, *ty),
        expr: col(*id, *ty),
    });
    LogicalPlan::Aggregate(Aggregate {
        input,
        groups: groups.collect(),
        aggregates: vec![(column(100, ty), call)],
    })
}

fn join(left: Box<LogicalPlan>, right: Box<LogicalPlan>) -> Box<LogicalPlan> {
    Box::new(LogicalPlan::Join(Join {
        left,
        right,
        kind: JoinKind::Inner,
        on: vec![(col(0, INT), col(10, INT))],
        null_equal: vec![false],
        filter: None,
        mark: None,
        null_aware_mark: false,
        aggregates: Vec::new(),
        left_first: false,
    }))
}

fn below(input: Box<LogicalPlan>, bound: i64) -> LogicalPlan {
    LogicalPlan::Filter(Filter {
        input,
        predicate: Expr::compare(
            BinaryOp::Lt,
            col(1, INT),
            Expr::Literal(Scalar::Int64(bound)),
        ),
    })
}

fn sort(fetch: Option<u64>) -> LogicalPlan {
    LogicalPlan::Sort(Sort {
        input: table(0, ROWS, scatter),
        keys: vec![SortKey {
            expr: col(0, INT),
            descending: false,
            nulls_first: false,
        }],
        fetch,
    })
}

fn run(context: &ExecutionContext, plan: &LogicalPlan) -> usize {
    let mut execution = QueryExecutor::new(context.clone()).execute(plan).unwrap();
    let mut rows = 0;
    while let Some(batch) = execution.next_batch().unwrap() {
        rows += black_box(batch).num_rows();
    }
    rows
}

fn million_rows(c: &mut Criterion) {
    let plans = [
        ("filter", below(table(0, ROWS, |i| i), ROWS / 2)),
        ("sum", sum(table(0, ROWS, |i| i), &[], 1)),
        (
            "group by 3 words",
            sum(table(0, ROWS, |i| i), &[(2, SqlType::Text)], 1),
        ),
        (
            "group by 1000 keys",
            sum(table(0, ROWS, |i| i % 1000), &[(0, INT)], 1),
        ),
        (
            "group by 1M keys",
            sum(table(0, ROWS, scatter), &[(0, INT)], 1),
        ),
        (
            "join 100k dense keys",
            sum(
                join(table(0, ROWS, |i| i % 100_000), table(10, 100_000, |i| i)),
                &[],
                11,
            ),
        ),
        (
            "join 100k scattered keys",
            sum(
                join(
                    table(0, ROWS, |i| scatter(i % 200_000)),
                    table(10, 100_000, scatter),
                ),
                &[],
                11,
            ),
        ),
        ("sort", sort(None)),
        ("top 10", sort(Some(10))),
    ];
    let mut group = c.benchmark_group("million rows");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.sample_size(10);
    for (name, plan) in &plans {
        for threads in [1, 2] {
            let context = ExecutionContext::without_tables().with_threads(threads);
            group.bench_with_input(BenchmarkId::new(*name, threads), plan, |b, plan| {
                b.iter(|| run(&context, plan));
            });
        }
    }
    group.finish();
}

fn tiny(c: &mut Criterion) {
    let context = ExecutionContext::without_tables();
    let one = below(table(0, 10, |i| i), 1);
    c.bench_function("one row of ten by filter", |b| {
        b.iter(|| run(&context, &one))
    });
    let grouped = sum(table(0, 10, |i| i % 3), &[(0, INT)], 1);
    c.bench_function("ten rows in three groups", |b| {
        b.iter(|| run(&context, &grouped))
    });
}

criterion_group!(benches, million_rows, tiny);
criterion_main!(benches);
