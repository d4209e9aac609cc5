//! What changing one row of a large table costs in bytes: through the log, and through the checkpoint.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray};
use llkv_column_map::{
    ColumnStore, CommitRecord, Lifetime, ScanSpec, StoreOptions, TableChange, TableVersion,
};
use llkv_storage::disk::{LockMode, OpenMode};
use llkv_storage::{Disk, DiskFile, FilePager, FilePagerOptions, SimDisk};
use llkv_types::{FieldId, ROW_GROUP_ROWS, SqlType, TableId};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A disk that counts the bytes written to it.
#[derive(Debug)]
struct Counted {
    disk: Arc<dyn Disk>,
    written: Arc<AtomicU64>,
}

struct CountedFile {
    file: Arc<dyn DiskFile>,
    written: Arc<AtomicU64>,
}

impl Disk for Counted {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(CountedFile {
            file: self.disk.open(path, mode)?,
            written: Arc::clone(&self.written),
        }))
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.disk.exists(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_folder(path)
    }
    fn entropy(&self) -> u64 {
        self.disk.entropy()
    }
}

impl DiskFile for CountedFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(bytes, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let len = self.file.write_at(bytes, offset)?;
        self.written.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn set_size(&self, len: u64) -> io::Result<()> {
        self.file.set_size(len)
    }
    fn reserve(&self, len: u64) -> io::Result<()> {
        self.file.reserve(len)
    }
    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        self.file.punch(offset, len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn map(&self, offset: u64, len: usize) -> io::Result<Option<arrow::buffer::Buffer>> {
        self.file.map(offset, len)
    }
    fn try_lock(&self, mode: LockMode) -> io::Result<bool> {
        self.file.try_lock(mode)
    }
}

const TABLE: TableId = TableId(1);

fn layout() -> Vec<(FieldId, SqlType)> {
    let types = [
        SqlType::Int64,
        SqlType::Int64,
        SqlType::Text,
        SqlType::Float64,
    ];
    (1..)
        .map(FieldId)
        .zip(types.into_iter().cycle().take(16))
        .collect()
}

fn rows(from: usize, count: usize) -> RecordBatch {
    let range = from as i64..(from + count) as i64;
    let columns = (0..16).map(|column: i64| {
        let scramble = move |n: i64| (n * 7_919 + column).wrapping_mul(104_729) % 1_000_003;
        let array: ArrayRef = match column % 4 {
            0 => Arc::new(Int64Array::from_iter_values(range.clone())),
            1 => Arc::new(Int64Array::from_iter_values(range.clone().map(scramble))),
            2 => Arc::new(StringViewArray::from_iter_values(
                range
                    .clone()
                    .map(|n| format!("customer number {}", scramble(n))),
            )),
            _ => Arc::new(Float64Array::from_iter_values(
                range.clone().map(|n| n as f64 / 7.0),
            )),
        };
        (format!("c{column}"), array)
    });
    RecordBatch::try_from_iter(columns).unwrap()
}

struct Fixture {
    store: ColumnStore,
    written: Arc<AtomicU64>,
    commit_id: u64,
}

impl Fixture {
    fn new(table_rows: usize) -> Self {
        let written = Arc::new(AtomicU64::new(0));
        let disk: Arc<dyn Disk> = Arc::new(Counted {
            disk: Arc::new(SimDisk::new(1)),
            written: Arc::clone(&written),
        });
        let options = FilePagerOptions {
            background_checkpoint: false,
            ..FilePagerOptions::default()
        };
        let pager = FilePager::open_on(disk, "rows.llkv", options).unwrap();
        let store = ColumnStore::open(Arc::new(pager), StoreOptions::default()).unwrap();
        let mut fixture = Self {
            store,
            written,
            commit_id: 1,
        };
        let groups = (0..table_rows).step_by(ROW_GROUP_ROWS).map(|from| {
            let batch = rows(from, ROW_GROUP_ROWS.min(table_rows - from));
            fixture
                .store
                .stage_row_group(&layout(), &[batch], Lifetime::Lasting)
                .unwrap()
        });
        let groups = groups.collect();
        fixture.commit(vec![
            TableChange::Create {
                table: TABLE,
                columns: layout(),
            },
            TableChange::AppendStaged {
                table: TABLE,
                first_row_id: 0,
                groups,
            },
        ]);
        fixture.checkpoint();
        fixture
    }

    fn commit(&mut self, changes: Vec<TableChange>) -> u64 {
        self.commit_id += 1;
        let record = CommitRecord {
            commit_id: self.commit_id,
            changes,
        };
        self.store.commit(&record).unwrap();
        self.written.swap(0, Ordering::Relaxed)
    }

    fn checkpoint(&mut self) -> u64 {
        self.store.checkpoint(self.commit_id).unwrap();
        self.written.swap(0, Ordering::Relaxed)
    }

    fn version(&self) -> Arc<TableVersion> {
        self.store.table(TABLE).unwrap().unwrap()
    }

    fn count(&self) -> usize {
        let version = self.version();
        let scan = version
            .scan(ScanSpec::new(Vec::new(), self.commit_id))
            .unwrap();
        scan.stream().map(|batch| batch.unwrap().num_rows()).sum()
    }
}

fn delete(row_id: u64) -> TableChange {
    TableChange::Delete {
        table: TABLE,
        row_ids: vec![row_id],
    }
}

/// A root slot is 4 KiB, and a checkpoint writes two.
const ROOTS_BYTES: u64 = 8 << 10;

/// The most that deleting and updating single rows cost: bytes of log, bytes of checkpoint but for the roots.
fn costs(rows_in_table: usize) -> [(u64, u64); 2] {
    let mut fixture = Fixture::new(rows_in_table);
    let mut worst = [(0, 0); 2];
    for round in 0..4u64 {
        let deleted = vec![delete(rows_in_table as u64 / 2 + round * 7)];
        let next_row_id = fixture.version().next_row_id();
        let updated = vec![
            delete(rows_in_table as u64 / 4 + round),
            TableChange::Append {
                table: TABLE,
                first_row_id: next_row_id,
                batch: rows(rows_in_table / 4, 1),
            },
        ];
        for (worst, changes) in worst.iter_mut().zip([deleted, updated]) {
            let log = fixture.commit(changes);
            let checkpoint = fixture.checkpoint() - ROOTS_BYTES;
            *worst = (worst.0.max(log), worst.1.max(checkpoint));
        }
    }
    assert_eq!(fixture.count(), rows_in_table - 4);
    worst
}

#[test]
fn one_row_of_a_million_costs_its_row_and_not_a_chunk() {
    let [deleted, updated] = costs(1_000_000);
    // One sector of log each.
    assert_eq!((deleted.0, updated.0), (512, 512));
    assert!(deleted.1 <= 9 << 10, "{deleted:?}");
    assert!(updated.1 <= 13 << 10, "{updated:?}");
    // And the same in a smaller table: only the manifest's page and the free list are a little shorter.
    let [small_deleted, small_updated] = costs(130_000);
    assert!(
        deleted.1 <= small_deleted.1 + (5 << 10),
        "{deleted:?} {small_deleted:?}"
    );
    assert!(
        updated.1 <= small_updated.1 + (5 << 10),
        "{updated:?} {small_updated:?}"
    );
}
