//! Encoding and scanning rows shaped like those of TPC-H's lineitem.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros; a bench may panic"
)]

use arrow::array::{
    ArrayRef, Date32Array, Decimal64Array, Int64Array, RecordBatch, StringViewArray,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use llkv_column_map::{
    ColumnPredicate, ColumnStore, ColumnTest, CommitRecord, Lifetime, ScanSpec, StoreOptions,
    TableChange, TableVersion,
};
use llkv_storage::MemPager;
use llkv_types::{FieldId, ROW_GROUP_ROWS, Scalar, SqlType, TableId};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::hint::black_box;
use std::ops::Bound;
use std::sync::Arc;

const TABLE: TableId = TableId(1);
const GROUPS: usize = 8;
const MONEY: SqlType = SqlType::Decimal {
    precision: 15,
    scale: 2,
};
const LAYOUT: [(FieldId, SqlType); 7] = [
    (FieldId(0), SqlType::Int64),
    (FieldId(1), MONEY),
    (FieldId(2), MONEY),
    (FieldId(3), MONEY),
    (FieldId(4), SqlType::Date),
    (FieldId(5), SqlType::Text),
    (FieldId(6), SqlType::Text),
];
const NAMES: [&str; 7] = [
    "orderkey",
    "quantity",
    "extendedprice",
    "discount",
    "shipdate",
    "shipmode",
    "comment",
];
const MODES: [&str; 7] = ["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"];
const WORDS: [&str; 12] = [
    "furiously",
    "deposits",
    "carefully",
    "packages",
    "sleep",
    "final",
    "requests",
    "blithely",
    "ironic",
    "accounts",
    "haggle",
    "even",
];

fn batch(seed: u64) -> RecordBatch {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut numbers = |low: i64, high: i64| -> Vec<i64> {
        (0..ROW_GROUP_ROWS)
            .map(|_| rng.random_range(low..high))
            .collect()
    };
    let money = |values: Vec<i64>| -> ArrayRef {
        let array = Decimal64Array::from(values);
        Arc::new(array.with_precision_and_scale(15, 2).unwrap())
    };
    let keys: Vec<i64> = (0..ROW_GROUP_ROWS as i64)
        .map(|row| (seed as i64 * ROW_GROUP_ROWS as i64 + row) / 4)
        .collect();
    let quantity = numbers(1, 51).into_iter().map(|q| q * 100).collect();
    let price = numbers(90_000, 10_500_000);
    let discount = numbers(0, 11);
    let dates = numbers(8_036, 10_562).into_iter().map(|d| d as i32);
    let dates: Date32Array = dates.collect::<Vec<_>>().into();
    let modes = numbers(0, 7);
    let modes = StringViewArray::from_iter_values(modes.iter().map(|m| MODES[*m as usize]));
    let words = numbers(0, 12);
    let comments = words.windows(4).chain([&words[..4]; 3]).map(|words| {
        let words: Vec<&str> = words.iter().map(|w| WORDS[*w as usize]).collect();
        words.join(" ")
    });
    let comments = StringViewArray::from_iter_values(comments);
    let columns: [ArrayRef; 7] = [
        Arc::new(Int64Array::from(keys)),
        money(quantity),
        money(price),
        money(discount),
        Arc::new(dates),
        Arc::new(modes),
        Arc::new(comments),
    ];
    RecordBatch::try_from_iter(NAMES.into_iter().zip(columns)).unwrap()
}

fn loaded() -> Arc<TableVersion> {
    let store = ColumnStore::open(Arc::new(MemPager::new()), StoreOptions::default()).unwrap();
    let groups = (0..GROUPS as u64)
        .map(|seed| {
            store
                .stage_row_group(&LAYOUT, &[batch(seed)], Lifetime::Lasting)
                .unwrap()
        })
        .collect();
    store
        .commit(&CommitRecord {
            commit_id: 2,
            changes: vec![
                TableChange::Create {
                    table: TABLE,
                    columns: LAYOUT.to_vec(),
                },
                TableChange::AppendStaged {
                    table: TABLE,
                    first_row_id: 0,
                    groups,
                },
            ],
        })
        .unwrap();
    store.table(TABLE).unwrap().unwrap()
}

fn range(field: u32, low: Bound<Scalar>, high: Bound<Scalar>) -> ColumnPredicate {
    ColumnPredicate {
        field: FieldId(field),
        test: ColumnTest::Range { low, high },
    }
}

/// The predicates of TPC-H Q6: a year of dates, three discounts, half of the quantities.
fn q6() -> Vec<ColumnPredicate> {
    let money = |value| Scalar::Decimal {
        value,
        precision: 15,
        scale: 2,
    };
    vec![
        range(
            4,
            Bound::Included(Scalar::Date(8_766)),
            Bound::Excluded(Scalar::Date(9_131)),
        ),
        range(3, Bound::Included(money(5)), Bound::Included(money(7))),
        range(1, Bound::Unbounded, Bound::Excluded(money(2_400))),
    ]
}

fn scan(
    version: &Arc<TableVersion>,
    projection: &[u32],
    predicates: Vec<ColumnPredicate>,
) -> usize {
    let projection = projection.iter().map(|f| FieldId(*f)).collect();
    let mut spec = ScanSpec::new(projection, 2);
    spec.predicates = predicates;
    let scan = version.scan(spec).unwrap();
    scan.stream().map(|batch| batch.unwrap().num_rows()).sum()
}

fn scans(c: &mut Criterion) {
    let version = loaded();
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::Elements((GROUPS * ROW_GROUP_ROWS) as u64));
    group.bench_function("q6", |b| {
        b.iter(|| black_box(scan(&version, &[2, 3], q6())))
    });
    for (field, name) in NAMES.iter().enumerate() {
        group.bench_function(*name, |b| {
            b.iter(|| black_box(scan(&version, &[field as u32], Vec::new())));
        });
    }
    group.finish();
}

fn points(c: &mut Criterion) {
    let version = loaded();
    let fields: Vec<FieldId> = LAYOUT.iter().map(|(field, _)| *field).collect();
    let mut row = 0;
    c.bench_function("gather one row of seven columns", |b| {
        b.iter(|| {
            row = (row + 7_919) % (GROUPS * ROW_GROUP_ROWS) as u64;
            black_box(version.gather(&[row], &fields).unwrap())
        });
    });
}

fn encoding(c: &mut Criterion) {
    let store = ColumnStore::open(Arc::new(MemPager::new()), StoreOptions::default()).unwrap();
    let batch = batch(1);
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(ROW_GROUP_ROWS as u64));
    for (index, name) in NAMES.iter().enumerate() {
        let layout = [LAYOUT[index]];
        group.bench_function(*name, |b| {
            b.iter_batched(
                || batch.project(&[index]).unwrap(),
                |column| {
                    store
                        .stage_row_group(&layout, &[column], Lifetime::Lasting)
                        .unwrap()
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, scans, points, encoding);
criterion_main!(benches);
