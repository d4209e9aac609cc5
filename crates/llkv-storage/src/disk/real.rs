//! The operating system's files: positioned I/O, fdatasync, advisory locks, maps that grow.

use super::{Disk, DiskFile, LockMode, OpenMode};
use crate::region::{Mapping, OsLock};
use arrow::buffer::Buffer;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

/// Links that lead to links, as in Linux.
const MOST_LINKS: usize = 40;

impl Disk for RealDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(mode != OpenMode::Read)
            .create(mode == OpenMode::Create)
            .truncate(false)
            .open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        Ok(Arc::new(RealFile {
            file,
            identity: (meta.dev(), meta.ino()),
            held: Mutex::new(None),
            mapping: Mutex::new(None),
        }))
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            match std::fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_symlink() => {
                    let target = std::fs::read_link(&path)?;
                    path.pop();
                    path.push(target);
                }
                // What is wrong with it, opening it tells.
                _ => return Ok(path),
            }
        }
        Err(io::Error::other("too many symbolic links"))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(folder)?.sync_all()
    }

    fn entropy(&self) -> u64 {
        // The standard library's hash keys come from the system's random source.
        RandomState::new().hash_one(std::process::id())
    }
}

/// Who holds which file within this process. Advisory locks that belong to processes (on network
/// file systems) do not see a second handle of the same one, and those that belong to handles would
/// keep this process from a file of which only blobs are left.
static HOLDERS: LazyLock<Mutex<HashMap<(u64, u64), Holders>>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Holders {
    /// `-1` a writer, else the number of readers.
    count: i64,
    /// The system's lock, kept by handles and by the maps behind blobs.
    lock: Weak<OsLock>,
}

impl Holders {
    /// The system's lock of `file` in `mode`: the one that this process has, converted if need be.
    fn lock(&mut self, file: &File, mode: LockMode) -> io::Result<Option<Arc<OsLock>>> {
        let kept = self.lock.upgrade();
        let target = kept.as_ref().map_or(file, |lock| lock.file());
        let locked = match mode {
            LockMode::Exclusive => target.try_lock(),
            LockMode::Shared => target.try_lock_shared(),
        };
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(e),
        }
        let lock = match kept {
            Some(lock) => lock,
            None => Arc::new(OsLock::new(file.try_clone()?)),
        };
        self.lock = Arc::downgrade(&lock);
        Ok(Some(lock))
    }
}

/// The smallest address range that is mapped: files grow into it without a new map.
const MIN_MAP_BYTES: u64 = 256 << 20;

struct RealFile {
    file: File,
    identity: (u64, u64),
    held: Mutex<Option<(LockMode, Arc<OsLock>)>>,
    mapping: Mutex<Option<Arc<Mapping>>>,
}

impl DiskFile for RealFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_size(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        match fallocate(&self.file, FallocateFlags::empty(), 0, len) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP) => {
                if self.size()? < len {
                    self.file.set_len(len)?;
                }
                Ok(())
            }
            Err(e) => Err(e.into()),
        }
    }

    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match fallocate(&self.file, flags, offset, len) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn map(&self, offset: u64, len: usize) -> io::Result<Option<Buffer>> {
        let end = offset.saturating_add(len as u64);
        let mut current = self.mapping.lock();
        if let Some(buffer) = current.as_ref().and_then(|m| m.buffer(offset, len)) {
            return Ok(Some(buffer));
        }
        let size = end.saturating_mul(2).max(MIN_MAP_BYTES);
        let lock = self.held.lock().as_ref().map(|(_, lock)| Arc::clone(lock));
        let mapping = Arc::new(Mapping::new(&self.file, size, lock)?);
        let buffer = mapping.buffer(offset, len);
        *current = Some(mapping);
        Ok(buffer)
    }

    fn identity(&self) -> Option<(u64, u64)> {
        Some(self.identity)
    }

    fn try_lock(&self, mode: LockMode) -> io::Result<bool> {
        let mut held = self.held.lock();
        if let Some((have, _)) = &*held {
            return Ok(*have == mode);
        }
        let mut holders = HOLDERS.lock();
        let entry = holders.entry(self.identity).or_default();
        let count = match mode {
            LockMode::Exclusive if entry.count == 0 => -1,
            LockMode::Shared if entry.count >= 0 => entry.count + 1,
            _ => return Ok(false),
        };
        let Some(lock) = entry.lock(&self.file, mode)? else {
            return Ok(false);
        };
        entry.count = count;
        *held = Some((mode, lock));
        Ok(true)
    }
}

impl Drop for RealFile {
    fn drop(&mut self) {
        let mut holders = HOLDERS.lock();
        let Some((mode, lock)) = self.held.lock().take() else {
            return;
        };
        if let Some(entry) = holders.get_mut(&self.identity) {
            entry.count = match mode {
                LockMode::Exclusive => 0,
                LockMode::Shared => entry.count - 1,
            };
        }
        // The system's lock goes before the register opens, unless blobs keep it.
        drop(lock);
        drop(self.mapping.lock().take());
        holders.retain(|_, entry| entry.count != 0 || entry.lock.strong_count() > 0);
    }
}
