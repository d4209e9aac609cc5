//! What a table version knows of its columns, with rows of the tail among them, and what scans leave out for it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use llkv_column_map::{
    ColumnPredicate, ColumnStore, ColumnTest, CommitRecord, ScanCounters, ScanSpec, StoreOptions,
    TableChange, TableVersion,
};
use llkv_storage::MemPager;
use llkv_types::{FieldId, Scalar, SqlType, TableId};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const TABLE: TableId = TableId(5);
const NUMBER: FieldId = FieldId(1);
const TEXT: FieldId = FieldId(2);
const LAYOUT: [(FieldId, SqlType); 2] = [(NUMBER, SqlType::Int64), (TEXT, SqlType::Text)];

struct Fixture {
    store: ColumnStore,
    commit_id: u64,
}

impl Fixture {
    fn new() -> Self {
        let pager = Arc::new(MemPager::new());
        let store = ColumnStore::open(pager, StoreOptions::default()).unwrap();
        let mut fixture = Self {
            store,
            commit_id: 1,
        };
        fixture.commit(TableChange::Create {
            table: TABLE,
            columns: LAYOUT.to_vec(),
        });
        fixture
    }

    fn commit(&mut self, change: TableChange) {
        self.commit_id += 1;
        let record = CommitRecord {
            commit_id: self.commit_id,
            changes: vec![change],
        };
        self.store.commit(&record).unwrap();
    }

    fn version(&self) -> Arc<TableVersion> {
        self.store.table(TABLE).unwrap().unwrap()
    }

    fn append(&mut self, values: &[Option<i64>]) {
        let first_row_id = self.version().next_row_id();
        let numbers: Int64Array = values.iter().copied().collect();
        let texts: StringViewArray = values.iter().map(|v| v.map(text)).collect();
        let columns = [
            ("a", Arc::new(numbers) as ArrayRef, true),
            ("b", Arc::new(texts) as ArrayRef, true),
        ];
        self.commit(TableChange::Append {
            table: TABLE,
            first_row_id,
            batch: RecordBatch::try_from_iter_with_nullable(columns).unwrap(),
        });
    }

    /// Rows put out, and what the scan counted.
    fn count(&self, low: i64, high: i64) -> (usize, Arc<ScanCounters>) {
        let counters = Arc::new(ScanCounters::default());
        let mut spec = ScanSpec::new(vec![TEXT], self.commit_id);
        spec.counters = Some(Arc::clone(&counters));
        spec.predicates = vec![ColumnPredicate {
            field: NUMBER,
            test: ColumnTest::Range {
                low: Bound::Included(Scalar::Int64(low)),
                high: Bound::Included(Scalar::Int64(high)),
            },
        }];
        let scan = self.version().scan(spec).unwrap();
        let rows = scan.stream().map(|batch| batch.unwrap().num_rows()).sum();
        (rows, counters)
    }
}

fn text(value: i64) -> String {
    format!("{value:07}")
}

fn loaded(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Compares what the version knows with the values themselves.
fn check(fixture: &Fixture, values: &[Option<i64>]) {
    let known = fixture.version().statistics(NUMBER).unwrap();
    let valid: BTreeSet<i64> = values.iter().flatten().copied().collect();
    assert_eq!(known.rows, values.len() as u64);
    assert_eq!(
        known.null_count,
        values.iter().filter(|v| v.is_none()).count() as u64
    );
    assert_eq!(known.min, valid.first().map(|v| Scalar::Int64(*v)));
    assert_eq!(known.max, valid.last().map(|v| Scalar::Int64(*v)));
    assert!(known.distinct_estimate <= known.rows - known.null_count);
    assert_eq!(known.distinct_estimate == 0, valid.is_empty());
    let texts = fixture.version().statistics(TEXT).unwrap();
    assert_eq!(texts.null_count, known.null_count);
    let least = valid.iter().map(|v| text(*v)).min();
    assert_eq!(texts.min, least.map(|t| Scalar::Text(t.as_str().into())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sealed_rows_and_the_tail_are_known_together(
        steps in prop::collection::vec(
            (prop::collection::vec(prop::option::weighted(0.8, 0i64..5_000), 0..40), 0u8..10),
            1..40,
        ),
    ) {
        let mut fixture = Fixture::new();
        let mut values = Vec::new();
        for (rows, what) in steps {
            fixture.append(&rows);
            values.extend(rows);
            // Asked for after some commits alone: runs merge with and without what is known of them.
            if what < 4 {
                check(&fixture, &values);
            }
            if what == 9 {
                fixture.store.checkpoint(fixture.commit_id).unwrap();
            }
        }
        check(&fixture, &values);
        let inside = |low: i64, high: i64| values.iter().flatten().filter(|v| (low..=high).contains(*v)).count();
        for (low, high) in [(0, 5_000), (100, 900), (4_000, 4_100), (-9, -1), (6_000, 7_000)] {
            let (rows, counters) = fixture.count(low, high);
            prop_assert_eq!(rows, inside(low, high));
            if !(0..=5_000).contains(&low) {
                prop_assert_eq!(loaded(&counters.rows_scanned), 0);
            }
        }
    }
}

#[test]
fn a_tail_out_of_range_is_left_out_and_counts_once() {
    let mut fixture = Fixture::new();
    let sealed: Vec<_> = (0..30_000).map(Some).collect();
    fixture.append(&sealed);
    fixture.store.checkpoint(fixture.commit_id).unwrap();
    for value in 100_000..100_005 {
        fixture.append(&[Some(value)]);
    }
    let (rows, counters) = fixture.count(100_001, 100_002);
    assert_eq!(rows, 2);
    assert_eq!(loaded(&counters.row_groups_read), 1);
    assert_eq!(loaded(&counters.row_groups_pruned), 1);
    // The five commits are read as one run.
    assert_eq!(loaded(&counters.rows_scanned), 5);

    // Two of the four blocks of the sealed group are read; the tail is not.
    let (rows, counters) = fixture.count(8_000, 8_400);
    assert_eq!(rows, 401);
    assert_eq!(loaded(&counters.row_groups_read), 1);
    assert_eq!(loaded(&counters.row_groups_pruned), 1);
    assert_eq!(loaded(&counters.blocks_read), 2);
    assert_eq!(loaded(&counters.blocks_pruned), 2);
    assert_eq!(loaded(&counters.rows_scanned), 2 * 8_192);

    let (rows, counters) = fixture.count(-5, -1);
    assert_eq!(rows, 0);
    assert_eq!(loaded(&counters.row_groups_read), 0);
    assert_eq!(loaded(&counters.row_groups_pruned), 2);
}

#[test]
fn distinct_values_of_a_tail_are_estimated_well() {
    let mut fixture = Fixture::new();
    for step in 0..50 {
        let rows: Vec<_> = (0..1_000)
            .map(|n| Some((step * 1_000 + n) % 4_000))
            .collect();
        fixture.append(&rows);
    }
    let distinct = fixture
        .version()
        .statistics(NUMBER)
        .unwrap()
        .distinct_estimate;
    assert!((3_600..=4_000).contains(&distinct), "{distinct}");
    fixture.store.checkpoint(fixture.commit_id).unwrap();
    let distinct = fixture
        .version()
        .statistics(NUMBER)
        .unwrap()
        .distinct_estimate;
    assert_eq!(distinct, 4_000);
    fixture.append(&[Some(-1), Some(17)]);
    let known = fixture.version().statistics(NUMBER).unwrap();
    assert!((4_000..=4_001).contains(&known.distinct_estimate));
    assert_eq!(known.min, Some(Scalar::Int64(-1)));
}
