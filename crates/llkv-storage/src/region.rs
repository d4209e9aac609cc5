//! The fence around mapped memory: the only unsafe code of the crate.
#![allow(
    unsafe_code,
    reason = "mapping a file and lending its bytes to Arrow have no safe interface"
)]

use arrow::alloc::Allocation;
use arrow::buffer::Buffer;
use memmap2::{Mmap, MmapOptions};
use std::fs::File;
use std::io;
use std::panic::AssertUnwindSafe;
use std::ptr::NonNull;
use std::sync::Arc;

/// A read-only map of a file from its start, possibly reaching beyond its present end.
pub(crate) struct Mapping {
    map: Mmap,
    /// Keeps other processes from changing the file, where it was locked.
    _lock: Option<Arc<OsLock>>,
}

/// The operating system's lock of a file, until dropped.
#[derive(Debug)]
pub(crate) struct OsLock {
    file: File,
}

impl OsLock {
    /// For a file that was locked. `file` shares its open description, and with it the lock.
    pub(crate) fn new(file: File) -> Self {
        Self { file }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for OsLock {
    fn drop(&mut self) {
        // Closing the last handle of the open description does the same.
        let _ = self.file.unlock();
    }
}

impl Mapping {
    /// Maps the first `len` bytes. The address range is reserved; no memory is used by it.
    pub(crate) fn new(file: &File, len: u64, lock: Option<Arc<OsLock>>) -> io::Result<Self> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // SAFETY: the map is shared and read-only. Bytes are lent out by `buffer` alone, and the
        // pager asks for extents that lie within the file, were read and verified before, and are
        // neither written nor cut off while a buffer of them lives. Another process that breaks the
        // advisory lock and truncates the file can still raise a signal: for such disks there is
        // the buffer-pool mode.
        let map = unsafe { MmapOptions::new().len(len).map(file)? };
        Ok(Self { map, _lock: lock })
    }

    /// The bytes at `offset..offset + len`, alive as long as the buffer; `None` outside the map.
    pub(crate) fn buffer(self: &Arc<Self>, offset: u64, len: usize) -> Option<Buffer> {
        let start = usize::try_from(offset).ok()?;
        let bytes = self.map.get(start..start.checked_add(len)?)?;
        Some(lend(bytes, Arc::new(AssertUnwindSafe(Arc::clone(self)))))
    }
}

/// A buffer of the same bytes as `bytes`, kept alive by `owner` in addition.
///
/// `owner` must own a buffer (or map) that contains `bytes`; both callers in this crate do.
fn lend(bytes: &[u8], owner: Arc<dyn Allocation>) -> Buffer {
    let start = NonNull::from(bytes).cast::<u8>();
    // SAFETY: `start` is valid for `bytes.len()` bytes as long as the memory behind `bytes` is, and
    // `owner`, which the buffer keeps, keeps that memory. Nobody writes it: maps are read-only and
    // the extents behind them immutable while referenced.
    unsafe { Buffer::from_custom_allocation(start, bytes.len(), owner) }
}

/// Lets `holder` live as long as the returned buffer, which has the bytes of the buffer that
/// `bytes_of` finds in it.
pub(crate) fn lend_from<H: Send + Sync + 'static>(
    holder: &Arc<H>,
    bytes_of: impl Fn(&H) -> Option<&Buffer>,
) -> Option<Buffer> {
    struct Owner<H> {
        // The buffer itself is kept too: what `bytes_of` finds need not stay in the holder.
        _bytes: Buffer,
        _holder: Arc<H>,
    }
    let bytes = bytes_of(holder)?.clone();
    let slice: &[u8] = bytes.as_slice();
    let owner = Owner {
        _bytes: bytes.clone(),
        _holder: Arc::clone(holder),
    };
    Some(lend(slice, Arc::new(AssertUnwindSafe(owner))))
}
