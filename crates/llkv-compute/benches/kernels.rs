//! Kernels on one batch of 8,192 rows: filter, arithmetic, LIKE, aggregates, and the cost of one row.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

use arrow::array::{
    ArrayRef, Date32Array, Decimal64Array, Int64Array, RecordBatch, StringViewArray,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use llkv_compute::coercion::binary_signature;
use llkv_compute::{Groups, PreparedExpr, RowsByGroup, create_accumulator, hash_columns};
use llkv_expr::{AggregateExpr, AggregateFunction, BinaryOp, ColumnId, Expr, LikeCase};
use llkv_types::{BATCH_ROWS, Scalar, SqlType};
use std::hint::black_box;
use std::sync::Arc;

const PRICE: SqlType = SqlType::Decimal {
    precision: 15,
    scale: 2,
};

/// Pseudo-random numbers below a bound, the same at each run.
fn numbers(seed: u64, below: u64) -> impl Iterator<Item = i64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(seed | 1);
        ((state >> 33) % below) as i64
    })
}

fn prices(seed: u64, below: u64) -> ArrayRef {
    let values: Vec<i64> = numbers(seed, below).take(BATCH_ROWS).collect();
    let array = Decimal64Array::from(values).with_precision_and_scale(15, 2);
    Arc::new(array.expect("15 digits"))
}

/// price, discount, tax, date, comment, quantity
fn lineitem() -> RecordBatch {
    let words = [
        "special",
        "packages",
        "sleep",
        "requests",
        "carefully",
        "final",
        "deposits",
    ];
    let comments = numbers(5, 5_000_000).take(BATCH_ROWS).map(|n| {
        let word = |k: i64| words[(n / k) as usize % words.len()];
        format!("{} {} {} {}", word(1), word(7), word(49), word(343))
    });
    let comments: StringViewArray = comments.map(Some).collect();
    let dates: Vec<i32> = numbers(4, 2_500)
        .take(BATCH_ROWS)
        .map(|d| 8_000 + d as i32)
        .collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("price", prices(1, 10_000_000)),
        ("discount", prices(2, 11)),
        ("tax", prices(3, 9)),
        ("date", Arc::new(Date32Array::from(dates))),
        ("comment", Arc::new(comments)),
        ("quantity", prices(6, 5_000)),
    ];
    RecordBatch::try_from_iter(columns).expect("equal lengths")
}

fn col(position: u32, ty: SqlType) -> Expr {
    Expr::column(ColumnId(position), ty)
}

fn op(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    let (l, r, ty) = binary_signature(op, left.ty(), right.ty()).expect("a signature");
    Expr::binary(op, left.cast(l), right.cast(r), ty)
}

fn cents(value: i128) -> Expr {
    Expr::Literal(Scalar::Decimal {
        value,
        precision: 15,
        scale: 2,
    })
}

fn prepared(expr: &Expr) -> PreparedExpr {
    PreparedExpr::new(expr).expect("a valid expression")
}

fn discounted() -> Expr {
    let one = Expr::Literal(Scalar::Int32(1));
    let rest = op(BinaryOp::Subtract, one, col(1, PRICE));
    op(BinaryOp::Multiply, col(0, PRICE), rest)
}

fn expressions(c: &mut Criterion) {
    let batch = lineitem();
    let taxed = op(
        BinaryOp::Add,
        Expr::Literal(Scalar::Int32(1)),
        col(2, PRICE),
    );
    let like = |pattern: &str| Expr::Like {
        expr: Box::new(col(4, SqlType::Text)),
        pattern: Box::new(Expr::Literal(Scalar::Text(pattern.into()))),
        escape: None,
        case: LikeCase::Matters,
        negated: false,
    };
    let case = Expr::Case {
        branches: vec![(like("special%"), discounted())],
        otherwise: Some(Box::new(Expr::Literal(Scalar::Decimal {
            value: 0,
            precision: 31,
            scale: 4,
        }))),
        ty: discounted().ty(),
    };
    let cases = [
        ("price * (1 - discount)", discounted()),
        (
            "price * (1 - discount) * (1 + tax)",
            op(BinaryOp::Multiply, discounted(), taxed),
        ),
        ("like prefix", like("special%")),
        ("like contains", like("%requests%")),
        ("like two parts", like("%special%requests%")),
        ("case of like", case),
        (
            "add integers",
            op(BinaryOp::Add, col(0, PRICE), col(5, PRICE)),
        ),
    ];
    let mut group = c.benchmark_group("expression");
    group.throughput(Throughput::Elements(BATCH_ROWS as u64));
    for (name, expr) in &cases {
        let expr = prepared(expr);
        group.bench_function(*name, |b| b.iter(|| expr.evaluate(black_box(&batch))));
    }
    group.finish();
    let one_row = batch.slice(17, 1);
    let mut group = c.benchmark_group("one row");
    for (name, expr) in &cases {
        let expr = prepared(expr);
        group.bench_function(*name, |b| b.iter(|| expr.evaluate(black_box(&one_row))));
    }
    group.finish();
}

fn filters(c: &mut Criterion) {
    let batch = lineitem();
    let date = |days| Expr::Literal(Scalar::Date(days));
    let q6 = Expr::and([
        Expr::compare(BinaryOp::GtEq, col(3, SqlType::Date), date(8_766)),
        Expr::compare(BinaryOp::Lt, col(3, SqlType::Date), date(9_131)),
        Expr::compare(BinaryOp::GtEq, col(1, PRICE), cents(5)),
        Expr::compare(BinaryOp::LtEq, col(1, PRICE), cents(7)),
        Expr::compare(BinaryOp::Lt, col(5, PRICE), cents(2_400)),
    ]);
    let q6 = prepared(&q6);
    let mut group = c.benchmark_group("filter");
    group.throughput(Throughput::Elements(BATCH_ROWS as u64));
    group.bench_function("TPC-H Q6", |b| b.iter(|| q6.filter(black_box(&batch))));
    group.finish();
}

fn aggregates(c: &mut Criterion) {
    let batch = lineitem();
    let groups: Vec<u32> = numbers(9, 4).take(BATCH_ROWS).map(|g| g as u32).collect();
    let call = |function, ty, result| AggregateExpr {
        function,
        args: vec![col(0, ty)],
        distinct: false,
        filter: None,
        order_by: vec![],
        ty: result,
    };
    let wide = |scale| SqlType::Decimal {
        precision: 38,
        scale,
    };
    let product = prepared(&discounted())
        .evaluate(&batch)
        .expect("no overflow");
    let integers: ArrayRef = Arc::new(Int64Array::from_iter_values(
        numbers(8, 1 << 31).take(BATCH_ROWS),
    ));
    let cases = [
        (
            "sum decimal64",
            call(AggregateFunction::Sum, PRICE, wide(2)),
            batch.column(0).clone(),
        ),
        (
            "sum decimal128",
            call(AggregateFunction::Sum, discounted().ty(), wide(4)),
            product,
        ),
        (
            "sum bigint",
            call(AggregateFunction::Sum, SqlType::Int64, wide(0)),
            integers,
        ),
        (
            "max decimal64",
            call(AggregateFunction::Max, PRICE, PRICE),
            batch.column(0).clone(),
        ),
        (
            "min text",
            call(AggregateFunction::Min, SqlType::Text, SqlType::Text),
            batch.column(4).clone(),
        ),
    ];
    let mut group = c.benchmark_group("aggregate");
    group.throughput(Throughput::Elements(BATCH_ROWS as u64));
    for (name, call, values) in &cases {
        let fresh = || create_accumulator(call).expect("an accumulator");
        let args = [values.clone()];
        group.bench_function(format!("{name}, 4 groups"), |b| {
            b.iter_batched_ref(
                fresh,
                |accumulator| {
                    accumulator.update(black_box(&args), Groups::PerRow(&groups), 4, None)
                },
                BatchSize::SmallInput,
            );
        });
        let mut by_group = RowsByGroup::default();
        let sorted = Groups::of_rows(&groups, 4, 1, &mut by_group);
        group.bench_function(format!("{name}, 4 groups, sorted"), |b| {
            b.iter_batched_ref(
                fresh,
                |accumulator| accumulator.update(black_box(&args), sorted, 4, None),
                BatchSize::SmallInput,
            );
        });
        group.bench_function(format!("{name}, ungrouped"), |b| {
            b.iter_batched_ref(
                fresh,
                |accumulator| {
                    accumulator.update(black_box(&args), Groups::Single(BATCH_ROWS), 1, None)
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn hashes(c: &mut Criterion) {
    let batch = lineitem();
    let mut group = c.benchmark_group("hash");
    group.throughput(Throughput::Elements(BATCH_ROWS as u64));
    let mut out = Vec::new();
    for (name, column) in [("decimal64", 0), ("date", 3), ("text", 4)] {
        let columns = [batch.column(column).clone()];
        group.bench_function(name, |b| {
            b.iter(|| hash_columns(black_box(&columns), &mut out))
        });
    }
    group.finish();
}

criterion_group!(benches, expressions, filters, aggregates, hashes);
criterion_main!(benches);
