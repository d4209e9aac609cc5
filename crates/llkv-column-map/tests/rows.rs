//! Rows under ids of the caller's choice against a map: the last writer of an id wins, for every snapshot.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, UInt64Array};
use arrow::datatypes::{Int64Type, UInt64Type};
use llkv_column_map::{
    ColumnStore, CommitRecord, ROW_ID_FIELD, ScanSpec, StoreOptions, TableChange,
};
use llkv_storage::{BoxedPager, MemPager};
use llkv_types::{CancelToken, FieldId, SqlType, TableId, TxnId};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const TABLE: TableId = TableId(4);
const VALUE: FieldId = FieldId(1);

type Rows = BTreeMap<u64, i64>;

fn open(pager: &BoxedPager) -> ColumnStore {
    ColumnStore::open(Arc::clone(pager), StoreOptions::default()).unwrap()
}

fn batch(rows: &[(u64, i64)]) -> RecordBatch {
    let ids = UInt64Array::from_iter_values(rows.iter().map(|row| row.0));
    let values = Int64Array::from_iter_values(rows.iter().map(|row| row.1));
    let columns = [("id", Arc::new(ids) as ArrayRef), ("v", Arc::new(values))];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// What a snapshot sees; an id that it sees twice is a failure.
fn rows(store: &ColumnStore, snapshot: TxnId) -> Rows {
    let version = store.table(TABLE).unwrap().unwrap();
    let scan = version.scan(ScanSpec::new(vec![ROW_ID_FIELD, VALUE], snapshot));
    let mut rows = Rows::new();
    for batch in scan.unwrap().stream() {
        let batch = batch.unwrap();
        let ids = batch.column(0).as_primitive::<UInt64Type>().values().iter();
        let values = batch.column(1).as_primitive::<Int64Type>().values().iter();
        for (id, value) in ids.zip(values) {
            assert_eq!(rows.insert(*id, *value), None, "row {id} is there twice");
        }
    }
    rows
}

#[derive(Debug, Clone)]
enum Step {
    Scattered(Vec<(u64, i64)>),
    Range(u64, u64, i64),
    Delete(Vec<u64>),
    Checkpoint,
    Reopen,
}

fn steps() -> impl Strategy<Value = Step> {
    let scattered = prop::collection::vec((0u64..2_000, any::<i64>()), 0..30);
    prop_oneof![
        4 => scattered.prop_map(Step::Scattered),
        2 => (0u64..20_000, 1u64..3_000, any::<i64>()).prop_map(|(a, n, v)| Step::Range(a, n, v)),
        2 => prop::collection::vec(0u64..20_000, 0..200).prop_map(Step::Delete),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_last_writer_of_an_id_wins(steps in prop::collection::vec(steps(), 1..30)) {
        let pager: BoxedPager = Arc::new(MemPager::new());
        let mut store = open(&pager);
        let mut model = Rows::new();
        let mut snapshots = vec![(store.create(TABLE, &[(VALUE, SqlType::Int64)]).unwrap(), Rows::new())];
        for step in steps {
            let commit = match step {
                Step::Scattered(rows) => {
                    model.extend(rows.iter().copied());
                    store.append(TABLE, &batch(&rows)).unwrap()
                }
                Step::Range(first, count, value) => {
                    let rows: Vec<_> = (first..first + count).map(|id| (id, value ^ id as i64)).collect();
                    model.extend(rows.iter().copied());
                    store.append(TABLE, &batch(&rows)).unwrap()
                }
                Step::Delete(ids) => {
                    model.retain(|id, _| !ids.contains(id));
                    store.delete(TABLE, &ids).unwrap()
                }
                Step::Checkpoint => {
                    // The two last snapshots stay readable.
                    let keep = snapshots.len().saturating_sub(2);
                    snapshots.drain(..keep);
                    store.checkpoint(snapshots[0].0).unwrap();
                    prop_assert_eq!(store.verify(&CancelToken::new()).unwrap(), Vec::<String>::new());
                    continue;
                }
                Step::Reopen => {
                    drop(store);
                    store = open(&pager);
                    continue;
                }
            };
            prop_assert_eq!(&rows(&store, commit), &model);
            snapshots.push((commit, model.clone()));
        }
        for (snapshot, expected) in snapshots {
            prop_assert_eq!(rows(&store, snapshot), expected);
        }
    }
}

#[test]
fn more_than_a_row_group_is_replaced_in_one_commit() {
    let pager: BoxedPager = Arc::new(MemPager::new());
    let store = open(&pager);
    store.create(TABLE, &[(VALUE, SqlType::Int64)]).unwrap();
    let all = |value: i64| -> Vec<_> { (0..200_000).map(|id| (id, value)).collect() };
    let first = store.append(TABLE, &batch(&all(1))).unwrap();
    let second = store.append(TABLE, &batch(&all(2))).unwrap();
    assert_eq!(rows(&store, first), all(1).into_iter().collect());
    assert_eq!(rows(&store, second), all(2).into_iter().collect());
    store.checkpoint(second).unwrap();
    assert_eq!(rows(&store, second).len(), 200_000);
    assert_eq!(
        store.table(TABLE).unwrap().unwrap().row_count_estimate(),
        200_000
    );
}

#[test]
fn tables_without_row_ids_and_rows_without_ids_are_refused() {
    let pager: BoxedPager = Arc::new(MemPager::new());
    let store = open(&pager);
    assert!(store.append(TABLE, &batch(&[(1, 1)])).is_err());
    store.create(TABLE, &[(VALUE, SqlType::Int64)]).unwrap();
    assert!(store.create(TABLE, &[]).is_err());
    let no_ids = batch(&[(1, 1)]).project(&[1]).unwrap();
    assert!(store.append(TABLE, &no_ids).is_err());
    let plain = TableId(9);
    let columns = vec![(VALUE, SqlType::Int64)];
    let create = TableChange::Create {
        table: plain,
        columns,
    };
    let commit_id = store.last_commit() + 1;
    store
        .commit(&CommitRecord {
            commit_id,
            changes: vec![create],
        })
        .unwrap();
    assert!(store.append(plain, &batch(&[(1, 1)])).is_err());
    assert!(store.delete(plain, &[1]).is_err());
}
