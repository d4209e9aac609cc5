//! A checkpoint that the filling log asks for does not hold committers up.
//!
//! The main file's syncs take half a second each here, so a checkpoint takes one and a half; commits,
//! which sync the log only, must go on meanwhile.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use arrow::buffer::Buffer;
use common::{get, puts};
use llkv_storage::disk::sim::SimDisk;
use llkv_storage::disk::{LockMode, OpenMode};
use llkv_storage::{Disk, DiskFile, FilePager, FilePagerOptions, Pager};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SYNC: Duration = Duration::from_millis(500);

/// A disk on which syncing the main file takes long.
#[derive(Debug)]
struct SlowDisk(SimDisk);

struct SlowFile {
    file: Arc<dyn DiskFile>,
    slow: bool,
}

impl Disk for SlowDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.0.open(path, mode)?;
        let slow = path == Path::new("slow.llkv");
        Ok(Arc::new(SlowFile { file, slow }))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.0.exists(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.0.sync_folder(path)
    }

    fn entropy(&self) -> u64 {
        self.0.entropy()
    }
}

impl DiskFile for SlowFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
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
        if self.slow {
            std::thread::sleep(SYNC);
        }
        self.file.sync_data()
    }

    fn map(&self, offset: u64, len: usize) -> io::Result<Option<Buffer>> {
        self.file.map(offset, len)
    }

    fn try_lock(&self, mode: LockMode) -> io::Result<bool> {
        self.file.try_lock(mode)
    }
}

#[test]
fn commits_go_on_while_the_log_is_folded_in() {
    let disk = SimDisk::new(1);
    // Made on the quick disk: creation syncs too.
    drop(FilePager::open_on(Arc::new(disk.clone()), "slow.llkv", options()).unwrap());
    let slow = Arc::new(SlowDisk(disk));
    let pager = FilePager::open_on(slow, "slow.llkv", options()).unwrap();
    let mut worst = Duration::ZERO;
    let mut folded = false;
    for number in 0..260_u64 {
        let before = pager.stats().log_bytes;
        let start = Instant::now();
        pager
            .commit(puts(&[(number % 50, &number.to_le_bytes())]))
            .unwrap();
        worst = worst.max(start.elapsed());
        folded |= pager.stats().log_bytes < before;
        std::thread::sleep(Duration::from_millis(15));
    }
    assert!(folded, "no checkpoint ran");
    assert!(worst < SYNC * 4 / 5, "a commit waited for {worst:?}");
    assert_eq!(get(&pager, 9).unwrap(), 259_u64.to_le_bytes());
}

fn options() -> FilePagerOptions {
    FilePagerOptions {
        log_bytes: 128 << 10,
        ..FilePagerOptions::default()
    }
}
