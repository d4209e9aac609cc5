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
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SYNC: Duration = Duration::from_millis(500);

/// A disk on which syncing the main file takes long.
#[derive(Debug)]
struct SlowDisk {
    disk: SimDisk,
    commits: Arc<AtomicU64>,
    /// How many commits went through during each sync of the main file.
    meanwhile: Arc<Mutex<Vec<u64>>>,
}

struct SlowFile {
    file: Arc<dyn DiskFile>,
    commits: Arc<AtomicU64>,
    /// For the main file.
    meanwhile: Option<Arc<Mutex<Vec<u64>>>>,
}

impl Disk for SlowDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let is_main = path == Path::new("slow.llkv");
        Ok(Arc::new(SlowFile {
            file: self.disk.open(path, mode)?,
            commits: Arc::clone(&self.commits),
            meanwhile: is_main.then(|| Arc::clone(&self.meanwhile)),
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
        if let Some(meanwhile) = &self.meanwhile {
            let before = self.commits.load(Ordering::SeqCst);
            std::thread::sleep(SYNC);
            let after = self.commits.load(Ordering::SeqCst);
            meanwhile.lock().unwrap().push(after - before);
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
    let commits = Arc::new(AtomicU64::new(0));
    let meanwhile = Arc::new(Mutex::new(Vec::new()));
    let slow = SlowDisk {
        disk,
        commits: Arc::clone(&commits),
        meanwhile: Arc::clone(&meanwhile),
    };
    let pager = FilePager::open_on(Arc::new(slow), "slow.llkv", options()).unwrap();
    // The first fill the log to where it asks for a checkpoint; the others come while that runs.
    for number in 0..560_u64 {
        pager
            .commit(puts(&[(number % 50, &number.to_le_bytes())]))
            .unwrap();
        commits.fetch_add(1, Ordering::SeqCst);
        if number > 370 {
            std::thread::sleep(Duration::from_millis(15));
        }
    }
    let meanwhile = std::mem::take(&mut *meanwhile.lock().unwrap());
    assert!(meanwhile.len() >= 3, "no checkpoint ran");
    assert!(
        meanwhile.iter().all(|count| *count > 0),
        "commits waited: {meanwhile:?}"
    );
    assert_eq!(get(&pager, 9).unwrap(), 559_u64.to_le_bytes());
}

fn options() -> FilePagerOptions {
    FilePagerOptions {
        log_bytes: 512 << 10,
        ..FilePagerOptions::default()
    }
}
