//! Runs over many checkpoints: how many there are, what they still hold, and what becomes of damaged ones.

use super::{IndexAccess, IndexDefinition, IndexVersion, KeyEncoder, KeyRange};
use crate::{ColumnStore, CommitRecord, ScanSpec, StoreOptions, TableChange, TableVersion};
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use llkv_storage::{Blob, BoxedPager, MemPager, WriteBatch};
use llkv_types::{CancelToken, FieldId, IndexId, PhysicalKey, RowId, SqlType, TableId, TxnId};
use std::sync::Arc;

const TABLE: TableId = TableId(3);
const INDEX: IndexId = IndexId(0);
const FIELD: FieldId = FieldId(0);

struct Fixture {
    pager: BoxedPager,
    store: ColumnStore,
    commit_id: TxnId,
}

impl Fixture {
    fn new() -> Self {
        let pager: BoxedPager = Arc::new(MemPager::new());
        let store = ColumnStore::open(Arc::clone(&pager), StoreOptions::default()).unwrap();
        let mut fixture = Self {
            pager,
            store,
            commit_id: 1,
        };
        fixture.commit(TableChange::Create {
            table: TABLE,
            columns: vec![(FIELD, SqlType::Int64)],
        });
        fixture.commit(TableChange::CreateIndex {
            table: TABLE,
            index: IndexDefinition {
                collations: Vec::new(),
                id: INDEX,
                fields: vec![FIELD],
            },
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

    fn append(&mut self, keys: impl IntoIterator<Item = i64>) {
        let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(keys));
        let batch = RecordBatch::try_from_iter([("a", keys)]).unwrap();
        self.commit(TableChange::Append {
            table: TABLE,
            first_row_id: self.version().next_row_id(),
            batch,
        });
    }

    fn delete(&mut self, row_ids: impl IntoIterator<Item = RowId>) {
        self.commit(TableChange::Delete {
            table: TABLE,
            row_ids: row_ids.into_iter().collect(),
        });
    }

    fn checkpoint(&self) {
        self.store.checkpoint(self.commit_id).unwrap();
        assert_eq!(
            self.store.verify(&CancelToken::new()).unwrap(),
            Vec::<String>::new()
        );
    }

    fn index(&self) -> Arc<IndexVersion> {
        Arc::clone(self.version().indexes.first().unwrap())
    }

    fn reopen(&mut self) {
        let pager = Arc::clone(&self.pager);
        self.store = ColumnStore::open(pager, StoreOptions::default()).unwrap();
    }

    /// The rows with a key; `None` without a usable index.
    fn find(&self, key: i64) -> Option<usize> {
        let encoder = KeyEncoder::new([SqlType::Int64]).unwrap();
        let column: ArrayRef = Arc::new(Int64Array::from(vec![key]));
        let keys = encoder.encode(&[column]).unwrap();
        let access = IndexAccess {
            index: INDEX,
            ranges: vec![KeyRange::with_prefix(keys.row(0).data())],
            whole_keys: true,
        };
        let spec = ScanSpec::new(vec![FIELD], self.commit_id);
        let scan = self.version().scan_index(&spec, &access).unwrap()?;
        let rows = (0..scan.morsel_count())
            .flat_map(|morsel| scan.read(morsel).unwrap())
            .map(|batch| batch.unwrap().num_rows());
        Some(rows.sum())
    }
}

fn scattered(from: i64, rows: i64) -> impl Iterator<Item = i64> {
    (from..from + rows).map(|n| n * 7_919 % 100_003)
}

#[test]
fn runs_of_one_size_become_one() {
    let mut fixture = Fixture::new();
    for round in 0..40 {
        fixture.append(scattered(round * 1_500, 1_500));
        fixture.checkpoint();
        let index = fixture.index();
        assert!(index.runs.len() <= 12, "{:?}", index.runs);
        assert!(index.ordered.is_empty());
    }
    let entries: u64 = fixture.index().runs.iter().map(|run| run.entries()).sum();
    assert_eq!(entries, 60_000);
    fixture.reopen();
    assert_eq!(fixture.find(7_919), Some(1));
    assert_eq!(fixture.find(200_000), Some(0));
}

#[test]
fn ordered_parts_go_with_their_rows() {
    let mut fixture = Fixture::new();
    for round in 0..100 {
        let first = fixture.version().next_row_id();
        fixture.append(round * 10..round * 10 + 10);
        // Rows in another order, so that the parts do not become one.
        fixture.append([-3 * round, -3 * round - 1]);
        fixture.checkpoint();
        assert_eq!(fixture.find(round * 10 + 5), Some(1));
        fixture.delete(first..first + 9);
        if round % 25 != 0 {
            fixture.delete([first + 9]);
        }
    }
    fixture.checkpoint();
    let parts = fixture.index().ordered.len();
    assert!((4..40).contains(&parts), "{parts}");
    assert_eq!(fixture.find(25 * 10 + 9), Some(1));
    assert_eq!(fixture.find(26 * 10 + 9), Some(0));
}

#[test]
fn rows_in_key_order_have_no_entries() {
    let mut fixture = Fixture::new();
    for round in 0..5 {
        fixture.append(round * 4_000..(round + 1) * 4_000);
        fixture.checkpoint();
    }
    assert!(fixture.index().runs.is_empty());
    assert_eq!(fixture.index().ordered.len(), 1);
    // New versions of old rows come in another order.
    fixture.delete(100..200);
    fixture.append((100..200).rev());
    fixture.checkpoint();
    assert_eq!(fixture.index().runs.len(), 1);
    fixture.reopen();
    assert_eq!(
        (fixture.find(150), fixture.find(19_999)),
        (Some(1), Some(1))
    );
    assert_eq!(fixture.find(20_000), Some(0));
}

#[test]
fn entries_of_dead_rows_go() {
    let mut fixture = Fixture::new();
    fixture.append(scattered(0, 20_000));
    fixture.checkpoint();
    let last = fixture.version().next_row_id();
    fixture.delete(0..last / 2);
    fixture.checkpoint();
    fixture.append(scattered(20_000, 10));
    fixture.checkpoint();
    let entries: u64 = fixture.index().runs.iter().map(|run| run.entries()).sum();
    assert!(entries < 12_000, "{entries} entries of 10,010 rows");
}

#[test]
fn a_damaged_run_is_not_used_and_is_built_again() {
    for part in 0..3 {
        let mut fixture = Fixture::new();
        fixture.append(scattered(0, 30_000));
        fixture.checkpoint();
        let key = fixture
            .index()
            .runs
            .first()
            .unwrap()
            .keys()
            .get(part)
            .copied();
        let garbage = Blob::from_bytes(&[0xA5; 100]);
        let batch = WriteBatch {
            puts: vec![(PhysicalKey(key.unwrap()), garbage)],
            frees: vec![],
        };
        fixture.pager.commit(batch).unwrap();
        fixture.reopen();
        assert_eq!(fixture.find(7_919), None, "part {part}");
        assert!(
            !fixture
                .store
                .verify(&CancelToken::new())
                .unwrap()
                .is_empty()
        );
        fixture.checkpoint();
        assert_eq!(fixture.find(7_919), Some(1), "part {part}");
        fixture.reopen();
        assert_eq!(fixture.find(7_919), Some(1), "part {part}");
    }
}

#[test]
fn an_index_whose_description_is_damaged_is_built_again() {
    let key = PhysicalKey(super::descriptor_key(TABLE));
    let garbage = Blob::from_bytes(&[0xA5; 100]);
    let damages = [(vec![(key, garbage)], vec![]), (vec![], vec![key])];
    for (puts, frees) in damages {
        let mut fixture = Fixture::new();
        fixture.append(scattered(0, 30_000));
        fixture.checkpoint();
        fixture.pager.commit(WriteBatch { puts, frees }).unwrap();
        fixture.reopen();
        assert_eq!(fixture.find(7_919), None);
        assert!(
            !fixture
                .store
                .verify(&CancelToken::new())
                .unwrap()
                .is_empty()
        );
        fixture.checkpoint();
        assert_eq!(fixture.find(7_919), Some(1));
        fixture.reopen();
        assert_eq!(fixture.find(7_919), Some(1));
    }
}
