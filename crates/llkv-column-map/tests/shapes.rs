//! Options change how rows are stored and never which rows there are.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use llkv_column_map::{ColumnStore, CommitRecord, ScanSpec, StoreOptions, TableChange};
use llkv_storage::{BoxedPager, MemPager};
use llkv_types::{CancelToken, FieldId, SqlType, TableId, TxnId};
use std::sync::Arc;

const TABLE: TableId = TableId(3);
const NUMBER: FieldId = FieldId(1);
const TEXT: FieldId = FieldId(2);

fn open(change: impl FnOnce(&mut StoreOptions)) -> ColumnStore {
    let mut options = StoreOptions::default();
    change(&mut options);
    ColumnStore::open(Arc::new(MemPager::new()), options).unwrap()
}

fn commit(store: &ColumnStore, commit_id: TxnId, change: TableChange) {
    let changes = vec![change];
    store.commit(&CommitRecord { commit_id, changes }).unwrap();
}

/// Rows `numbers`, each with a text, one in seven NULL.
fn append(store: &ColumnStore, commit_id: TxnId, numbers: std::ops::Range<i64>) {
    let value = |n: i64| (n % 7 != 3).then_some(n / 4);
    let texts = numbers
        .clone()
        .map(|n| value(n).map(|v| format!("text {v}")));
    let texts: ArrayRef = Arc::new(StringViewArray::from_iter(texts));
    let first_row_id = numbers.start as u64;
    let numbers: ArrayRef = Arc::new(numbers.map(value).collect::<Int64Array>());
    let change = TableChange::Append {
        table: TABLE,
        first_row_id,
        batch: RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("t", texts, true)])
            .unwrap(),
    };
    commit(store, commit_id, change);
}

/// What the table holds as text, after appends, a delete and checkpoints between them.
fn story(store: &ColumnStore) -> String {
    let columns = vec![(NUMBER, SqlType::Int64), (TEXT, SqlType::Text)];
    let table = TABLE;
    commit(store, 2, TableChange::Create { table, columns });
    append(store, 3, 0..20);
    store.checkpoint(3).unwrap();
    append(store, 4, 20..25);
    let row_ids = vec![0, 4, 5, 6, 21];
    commit(store, 5, TableChange::Delete { table, row_ids });
    store.checkpoint(5).unwrap();
    assert_eq!(
        store.verify(&CancelToken::new()).unwrap(),
        Vec::<String>::new()
    );
    let version = store.table(TABLE).unwrap().unwrap();
    let scan = version.scan(ScanSpec::new(vec![NUMBER, TEXT], 5)).unwrap();
    let batches: Vec<RecordBatch> = scan.stream().map(|batch| batch.unwrap()).collect();
    let shown = arrow::util::pretty::pretty_format_batches(&batches);
    shown.unwrap().to_string()
}

#[test]
fn tiny_row_groups_hold_the_same_rows() {
    let tiny = open(|options| options.row_group_rows = 3);
    assert_eq!(story(&tiny), story(&open(|_| {})));
    let groups = tiny.table(TABLE).unwrap().unwrap().stored_as(NUMBER);
    assert!(groups.len() >= 20 / 3, "{groups:?}");
}

#[test]
fn without_a_journal_the_pager_has_what_a_checkpoint_wrote() {
    let without = |options: &mut StoreOptions| options.journal = false;
    assert_eq!(story(&open(without)), story(&open(|_| {})));

    let pager: BoxedPager = Arc::new(MemPager::new());
    let mut options = StoreOptions::default();
    without(&mut options);
    let open = || ColumnStore::open(Arc::clone(&pager), options.clone()).unwrap();
    let store = open();
    let columns = vec![(NUMBER, SqlType::Int64), (TEXT, SqlType::Text)];
    let table = TABLE;
    commit(&store, 2, TableChange::Create { table, columns });
    append(&store, 3, 0..20);
    // The header that bounds the keys.
    assert_eq!(pager.stats().key_count, 1);
    assert!(open().table(TABLE).unwrap().is_none());
    store.checkpoint(3).unwrap();
    append(&store, 4, 20..25);
    let version = open().table(TABLE).unwrap().unwrap();
    let scan = version.scan(ScanSpec::new(vec![NUMBER], 9)).unwrap();
    let rows: usize = scan.stream().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!((rows, open().last_commit()), (20, 3));
}

#[test]
fn every_encoding_holds_the_same_rows() {
    let expected = story(&open(|_| {}));
    let names = [
        "constant",
        "sequence",
        "plain",
        "bit-packed",
        "delta",
        "dictionary",
        "run-end",
        "fsst",
        "decimal",
        "numbered",
    ];
    for name in names {
        let store = open(|options| options.encoding = Some(name.into()));
        assert_eq!(story(&store), expected, "{name}");
    }
    // FSST is for more text than this.
    for (name, field) in [("plain", NUMBER), ("dictionary", TEXT)] {
        let store = open(|options| options.encoding = Some(name.into()));
        story(&store);
        let stored = store.table(TABLE).unwrap().unwrap().stored_as(field);
        assert!(stored.iter().all(|(own, _)| *own == name), "{stored:?}");
    }
}

#[test]
fn an_unknown_encoding_is_refused() {
    let mut options = StoreOptions::default();
    options.encoding = Some("no such encoding".into());
    assert!(ColumnStore::open(Arc::new(MemPager::new()), options).is_err());
}
