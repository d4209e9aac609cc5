//! The seam between the pager and whatever keeps its bytes: a real file system or a simulated one.

mod handle;
mod real;
pub mod sim;

pub(crate) use handle::{FileHandle, io_error};
pub use real::RealDisk;
pub use sim::SimDisk;

use arrow::buffer::Buffer;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// To read; the file must exist and is not changed, whatever is called.
    Read,
    /// To read and write; the file must exist.
    Write,
    /// To read and write; an empty file is made when there is none.
    Create,
}

/// Who else may have a file open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Others that also lock it shared.
    Shared,
    /// Nobody.
    Exclusive,
}

/// A place that holds files by path.
pub trait Disk: Send + Sync + Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when the mode asks for a file that does not exist.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    /// The path of the file that a path leads to by links: files beside it, such as the log, have names like its.
    ///
    /// # Errors
    /// When links lead nowhere in the end, but round and round.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    /// True when the path names a file.
    ///
    /// # Errors
    /// When the folder cannot be looked at.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Gives a file another name, in one step; a file of that name is replaced.
    ///
    /// # Errors
    /// Those of the file system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is none.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes creations, renames and removals in the folder of `path` durable.
    ///
    /// # Errors
    /// Those of the file system.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// A number that nobody can foresee, or, on a simulated disk, one that its seed determines.
    fn entropy(&self) -> u64;
}

/// An open file. All methods take `&self`: threads read and write at their own offsets.
pub trait DiskFile: Send + Sync {
    /// Reads into `bytes` from `offset`; fewer bytes than asked for only at the end of the file.
    ///
    /// # Errors
    /// Those of the device.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes a part of `bytes` at `offset` and tells how much, at least one byte.
    ///
    /// # Errors
    /// Those of the device, and [`io::ErrorKind::StorageFull`].
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Size in bytes.
    ///
    /// # Errors
    /// Those of the device.
    fn size(&self) -> io::Result<u64>;

    /// Cuts or extends (with zeros) to `len` bytes.
    ///
    /// # Errors
    /// Those of the device.
    fn set_size(&self, len: u64) -> io::Result<()>;

    /// Reserves space for the first `len` bytes, so that writing them cannot run out of it. A disk
    /// that has no such operation extends the file only.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`], or those of the device.
    fn reserve(&self, len: u64) -> io::Result<()>;

    /// Gives the space of a range back to the disk; it reads as zeros or as it was. A hint.
    ///
    /// # Errors
    /// Those of the device.
    fn punch(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Makes every write that returned before the call durable.
    ///
    /// # Errors
    /// After a failure it is unknown which writes are.
    fn sync_data(&self) -> io::Result<()>;

    /// The bytes of a range, without copying them where the disk can; `None` where it cannot. The
    /// caller has read them once before and does not write them while the buffer is alive.
    ///
    /// # Errors
    /// Those of the device.
    fn map(&self, offset: u64, len: usize) -> io::Result<Option<Buffer>>;

    /// What tells the file from all others on this machine, if [`DiskFile::map`] lends out bytes that
    /// a later handle of the same file could change.
    fn identity(&self) -> Option<(u64, u64)> {
        None
    }

    /// Takes the lock of the file, held until the file is dropped and, against other processes, until
    /// the last buffer of [`DiskFile::map`] is; `false` when another handle, of
    /// this or of any process, has it in a way that excludes this one.
    ///
    /// # Errors
    /// Where the file system has no locks.
    fn try_lock(&self, mode: LockMode) -> io::Result<bool>;
}
