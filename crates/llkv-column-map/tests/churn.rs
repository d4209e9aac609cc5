//! A file in which rows come and go stays about as large as what lives in it, and shrinks when most of that goes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, UInt64Array};
use llkv_column_map::{ColumnStore, ScanSpec, StoreOptions};
use llkv_storage::{BoxedPager, FilePager, FilePagerOptions, SimDisk};
use llkv_types::{CancelToken, FieldId, SqlType, TableId};
use std::path::Path;
use std::sync::Arc;

const PATH: &str = "churn.llkv";
const TABLE: TableId = TableId(1);
const UNTOUCHED: TableId = TableId(2);
/// Roots, manifest pages, and the rows written since the last checkpoint as the journal has them.
const FIXED_BYTES: u64 = 6 << 20;

struct Fixture {
    disk: SimDisk,
    store: ColumnStore,
    pager: Arc<FilePager>,
}

fn open(disk: &SimDisk) -> Fixture {
    let options = FilePagerOptions {
        background_checkpoint: false,
        ..FilePagerOptions::default()
    };
    let pager = Arc::new(FilePager::open_on(Arc::new(disk.clone()), PATH, options).unwrap());
    let store = ColumnStore::open(Arc::clone(&pager) as BoxedPager, StoreOptions::default());
    Fixture {
        disk: disk.clone(),
        store: store.unwrap(),
        pager,
    }
}

impl Fixture {
    fn create(&self, table: TableId) {
        let columns = [(FieldId(1), SqlType::Int64), (FieldId(2), SqlType::Text)];
        self.store.create(table, &columns).unwrap();
    }

    /// Writes rows of some 40 bytes that hardly compress.
    fn write(&self, table: TableId, ids: impl Iterator<Item = u64> + Clone, tag: u64) {
        let mixed = |id: u64| (id ^ tag << 40).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let numbers = ids.clone().map(|id| mixed(id) as i64);
        let texts = ids.clone().map(|id| {
            let (a, b) = (mixed(id), mixed(id ^ 0x5555));
            format!("{a:016x}{b:016x}")
        });
        let columns = [
            (
                "id",
                Arc::new(UInt64Array::from_iter_values(ids)) as ArrayRef,
            ),
            ("n", Arc::new(Int64Array::from_iter_values(numbers))),
            ("t", Arc::new(StringViewArray::from_iter_values(texts))),
        ];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        self.store.append(table, &rows).unwrap();
    }

    fn checkpoint(&self) {
        self.store.checkpoint(self.store.last_commit()).unwrap();
    }

    fn size(&self) -> u64 {
        self.disk.contents(Path::new(PATH)).unwrap().len() as u64
    }

    fn live_bytes(&self) -> u64 {
        let tables = [TABLE, UNTOUCHED].map(|table| self.store.table(table).unwrap());
        let versions = tables.into_iter().flatten();
        versions
            .flat_map(|version| {
                let fields: Vec<_> = version.layout().iter().map(|column| column.0).collect();
                fields
                    .into_iter()
                    .flat_map(move |field| version.stored_as(field))
            })
            .map(|(_, bytes)| bytes as u64)
            .sum()
    }

    fn count(&self, table: TableId) -> usize {
        let version = self.store.table(table).unwrap().unwrap();
        let spec = ScanSpec::new(Vec::new(), self.store.last_commit());
        let scan = version.scan(spec).unwrap();
        scan.stream().map(|batch| batch.unwrap().num_rows()).sum()
    }

    fn close(self) -> SimDisk {
        drop(self.store);
        Arc::into_inner(self.pager).unwrap().close().unwrap();
        self.disk
    }
}

#[test]
fn rows_that_come_and_go_leave_no_room_behind() {
    let fixture = open(&SimDisk::new(1));
    fixture.create(TABLE);
    fixture.create(UNTOUCHED);
    fixture.write(TABLE, 0..150_000, 0);
    fixture.write(UNTOUCHED, 0..30_000, 0);
    fixture.checkpoint();
    for round in 1..28u64 {
        // Some rows change, a stretch is replaced, a stretch goes and comes back.
        fixture.write(TABLE, (round % 7..150_000).step_by(23), round);
        let from = round * 2_311 % 130_000;
        fixture.write(TABLE, from..from + 9_000, round);
        let gone: Vec<u64> = (from / 2..from / 2 + 4_000).collect();
        fixture.store.delete(TABLE, &gone).unwrap();
        fixture.write(TABLE, gone.iter().copied(), round);
        if round % 3 == 0 {
            fixture.checkpoint();
            let (size, live) = (fixture.size(), fixture.live_bytes());
            assert!(
                size <= 2 * live + FIXED_BYTES,
                "round {round}: {size} for {live}"
            );
        }
    }
    fixture.checkpoint();
    assert_eq!(fixture.count(TABLE), 150_000);

    let gone: Vec<u64> = (0..150_000).filter(|id| id % 20 != 0).collect();
    fixture.store.delete(TABLE, &gone).unwrap();
    fixture.checkpoint();
    let live = fixture.live_bytes();
    let fixture = open(&fixture.close());
    assert!(
        fixture.size() <= live * 3 / 2 + (1 << 20),
        "{} for {live}",
        fixture.size()
    );
    assert_eq!(fixture.count(TABLE), 7_500);
    assert_eq!(fixture.count(UNTOUCHED), 30_000);
    assert_eq!(
        fixture.store.verify(&CancelToken::new()).unwrap(),
        Vec::<String>::new()
    );
    fixture.pager.verify().unwrap();
}

#[test]
fn dead_rows_that_a_snapshot_held_back_go_after_reopening_though_nobody_touches_their_table() {
    let fixture = open(&SimDisk::new(2));
    fixture.create(TABLE);
    fixture.write(TABLE, 0..200_000, 0);
    fixture.checkpoint();
    let snapshot = fixture.store.last_commit();
    let gone: Vec<u64> = (0..200_000).filter(|id| id % 10 != 0).collect();
    fixture.store.delete(TABLE, &gone).unwrap();
    // A snapshot still sees the deleted rows.
    fixture.store.checkpoint(snapshot).unwrap();
    let before = fixture.live_bytes();
    let fixture = open(&fixture.close());
    let size = fixture.size();
    fixture.checkpoint();
    assert!(fixture.live_bytes() * 5 < before);
    let fixture = open(&fixture.close());
    assert!(fixture.size() * 3 < size, "{} of {size}", fixture.size());
    assert_eq!(fixture.count(TABLE), 20_000);
}
