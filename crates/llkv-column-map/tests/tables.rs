//! Whole tables: created, altered, dropped, and what is left in the pager afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch};
use llkv_column_map::{ColumnStore, CommitRecord, ScanSpec, StoreOptions, TableChange};
use llkv_storage::{BoxedPager, MemPager, Pager};
use llkv_types::{CancelToken, FieldId, SqlType, TableId};
use std::sync::Arc;

const TABLE: TableId = TableId(3);
const A: (FieldId, SqlType) = (FieldId(1), SqlType::Int64);
const B: (FieldId, SqlType) = (FieldId(2), SqlType::Text);

fn open(pager: &Arc<MemPager>) -> ColumnStore {
    let pager = Arc::clone(pager) as BoxedPager;
    ColumnStore::open(pager, StoreOptions::default()).unwrap()
}

fn commit(store: &ColumnStore, commit_id: u64, changes: Vec<TableChange>) {
    let record = CommitRecord { commit_id, changes };
    store.commit(&record).unwrap();
}

fn numbers(rows: i64) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    RecordBatch::try_from_iter([("a", column)]).unwrap()
}

fn create_and_fill() -> Vec<TableChange> {
    vec![
        TableChange::Create {
            table: TABLE,
            columns: vec![A],
        },
        TableChange::Append {
            table: TABLE,
            first_row_id: 0,
            batch: numbers(10_000),
        },
    ]
}

#[test]
fn a_new_column_is_null_in_older_rows_sealed_or_not() {
    let pager = Arc::new(MemPager::new());
    let store = open(&pager);
    commit(&store, 2, create_and_fill());
    let nulls = |store: &ColumnStore| -> (usize, usize) {
        let version = store.table(TABLE).unwrap().unwrap();
        let scan = version.scan(ScanSpec::new(vec![B.0], 9)).unwrap();
        scan.stream().fold((0, 0), |(rows, nulls), batch| {
            let column = Arc::clone(batch.unwrap().column(0));
            (rows + column.len(), nulls + column.null_count())
        })
    };
    let alter = TableChange::Alter {
        table: TABLE,
        columns: vec![A, B],
        fills: vec![],
    };
    commit(&store, 3, vec![alter]);
    assert_eq!(nulls(&store), (10_000, 10_000));
    assert_eq!(nulls(&open(&pager)), (10_000, 10_000));
    store.checkpoint(3).unwrap();
    assert_eq!(nulls(&store), (10_000, 10_000));
    assert_eq!(nulls(&open(&pager)), (10_000, 10_000));
    assert_eq!(
        store.verify(&CancelToken::new()).unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn a_dropped_table_leaves_nothing_but_the_header() {
    let pager = Arc::new(MemPager::new());
    let store = open(&pager);
    commit(&store, 2, create_and_fill());
    store.checkpoint(2).unwrap();
    commit(&store, 3, vec![TableChange::Drop { table: TABLE }]);
    // A snapshot from before the drop still looks at it.
    store.checkpoint(2).unwrap();
    let version = store.table(TABLE).unwrap().unwrap();
    assert_eq!(version.dropped_by(), Some(3));
    assert_eq!(version.row_count_estimate(), 10_000);
    drop(version);
    drop(store);
    let store = open(&pager);
    store.checkpoint(3).unwrap();
    assert!(store.table(TABLE).unwrap().is_none());
    assert_eq!(pager.stats().key_count, 1);
}

#[test]
fn a_reader_of_an_old_version_reads_on_after_its_row_groups_were_rewritten() {
    let pager = Arc::new(MemPager::new());
    let store = open(&pager);
    commit(&store, 2, create_and_fill());
    store.checkpoint(2).unwrap();
    let old = store.table(TABLE).unwrap().unwrap();
    let delete = TableChange::Delete {
        table: TABLE,
        row_ids: (0..9_000).collect(),
    };
    commit(&store, 3, vec![delete]);
    store.checkpoint(3).unwrap();
    let count = |version: &Arc<llkv_column_map::TableVersion>, snapshot| -> usize {
        let scan = version.scan(ScanSpec::new(vec![A.0], snapshot)).unwrap();
        scan.stream().map(|batch| batch.unwrap().num_rows()).sum()
    };
    assert_eq!(count(&old, 2), 10_000);
    assert_eq!(count(&store.table(TABLE).unwrap().unwrap(), 3), 1_000);
    let keys_before = pager.stats().key_count;
    drop(old);
    store.checkpoint(3).unwrap();
    assert!(pager.stats().key_count < keys_before);
    assert_eq!(
        store.verify(&CancelToken::new()).unwrap(),
        Vec::<String>::new()
    );
}
