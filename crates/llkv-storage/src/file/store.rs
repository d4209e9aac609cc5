//! Reading and writing extents: every byte that comes from the file is verified on first touch.

use super::extent::{Extent, ExtentRef};
use super::options::ReadMode;
use super::page::{self, Entry, MAX_PAGE};
use super::pool::Pool;
use super::space::{MAX_FILE, Space};
use super::tree::{Cell, FANOUT, Loader, Node};
use super::value::Value;
use crate::Blob;
use crate::blob::Origin;
use crate::disk::FileHandle;
use crate::region::lend_from;
use arrow::buffer::Buffer;
use llkv_result::{Result, StorageError};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

/// The main file as a place of extents.
pub(crate) struct Store {
    pub(crate) main: FileHandle,
    pub(crate) space: Arc<Space>,
    mode: ReadMode,
    pool: Pool,
    /// The root generation in preparation, which extents are stamped with.
    generation: AtomicU64,
    /// Counts finished data writes; `synced` of them are known to be durable.
    written: AtomicU64,
    synced: AtomicU64,
}

/// Bytes that verification reads at once: they stay in the second-level cache while hashed.
const VERIFY_BYTES: usize = 256 << 10;

thread_local! {
    static VERIFY_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Store {
    pub(crate) fn new(main: FileHandle, space: Arc<Space>, mode: ReadMode, pool: u64) -> Self {
        Self {
            main,
            space,
            mode,
            pool: Pool::new(pool),
            generation: AtomicU64::new(1),
            written: AtomicU64::new(0),
            synced: AtomicU64::new(0),
        }
    }

    pub(crate) fn set_generation(&self, generation: u64) {
        self.generation.store(generation, Ordering::Release);
    }

    /// The bytes of an extent.
    pub(crate) fn read(&self, extent: &Arc<Extent>, key: Option<u64>) -> Result<Blob> {
        let buffer = match self.mode {
            ReadMode::Map => self.mapped(extent, key)?,
            ReadMode::Pool => None,
        };
        let buffer = match buffer {
            Some(buffer) => buffer,
            None => self.pooled(extent, key)?,
        };
        Ok(Blob::with_origin(buffer, Arc::clone(extent) as Origin))
    }

    /// The map of an extent, verified by ordinary reads the first time. The buffer keeps the extent.
    fn mapped(&self, extent: &Arc<Extent>, key: Option<u64>) -> Result<Option<Buffer>> {
        if extent.region().is_none() {
            self.verify(&extent.at, key)?;
            if let Some(region) = self.main.map(extent.at.offset, extent.at.len as usize)? {
                extent.set_region(region);
            }
        }
        Ok(lend_from(extent, Extent::region))
    }

    fn pooled(&self, extent: &Arc<Extent>, key: Option<u64>) -> Result<Buffer> {
        let at = &extent.at;
        if let Some(buffer) = self.pool.get(at) {
            return Ok(buffer);
        }
        let mut frame = self.pool.frame(at.len as usize);
        self.main
            .read_exact(frame.as_slice_mut(), at.offset)
            .map_err(|e| named(e, key))?;
        if xxh3_64_with_seed(frame.as_slice(), at.generation) != at.checksum {
            return Err(self.mismatch(at, key));
        }
        let buffer = Buffer::from(frame);
        self.pool.insert(at, buffer.clone());
        Ok(buffer)
    }

    /// Reads an extent and compares it with its checksum.
    pub(crate) fn verify(&self, at: &ExtentRef, key: Option<u64>) -> Result<()> {
        let checksum = VERIFY_BUFFER.with_borrow_mut(|buffer| -> Result<u64> {
            buffer.resize(VERIFY_BYTES, 0);
            let mut hasher = Xxh3::with_seed(at.generation);
            let mut done = 0;
            while done < at.len {
                let len = (at.len - done).min(VERIFY_BYTES as u64) as usize;
                let part = buffer.get_mut(..len).unwrap_or_default();
                self.main.read_exact(part, at.offset + done)?;
                hasher.update(part);
                done += len as u64;
            }
            Ok(hasher.digest())
        });
        if checksum.map_err(|e| named(e, key))? != at.checksum {
            return Err(self.mismatch(at, key));
        }
        Ok(())
    }

    fn mismatch(&self, at: &ExtentRef, key: Option<u64>) -> llkv_result::Error {
        let detail = format!("{} bytes do not match their checksum", at.len);
        self.main.corrupt(at.offset, key, detail)
    }

    /// Free space for `len` bytes.
    pub(crate) fn allocate(&self, len: u64) -> Result<u64> {
        let too_large = || StorageError::TooLarge {
            path: self.main.path().to_path_buf(),
            what: "database file",
            size_bytes: MAX_FILE.saturating_add(len),
            limit_bytes: MAX_FILE,
        };
        Ok(self.space.allocate(len).ok_or_else(too_large)?)
    }

    /// Writes `bytes` to free space; nothing refers to them yet.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<Arc<Extent>> {
        let offset = self.allocate(bytes.len() as u64)?;
        self.write_at(bytes, offset)
    }

    /// Writes `bytes` to space that was allocated for as many; after an error it is free again.
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<Arc<Extent>> {
        let len = bytes.len() as u64;
        let generation = self.generation.load(Ordering::Acquire);
        let at = ExtentRef {
            offset,
            len,
            checksum: xxh3_64_with_seed(bytes, generation),
            generation,
        };
        if let Err(error) = self.main.write_all(bytes, offset) {
            self.space.release(offset, len);
            return Err(error);
        }
        let written = self.written.fetch_add(1, Ordering::AcqRel) + 1;
        Ok(Arc::new(Extent::fresh(
            at,
            Arc::clone(&self.space),
            written,
        )))
    }

    /// [`Store::write`], as a blob: mapped where that is possible, else a copy.
    pub(crate) fn write_blob(&self, bytes: &[u8]) -> Result<Blob> {
        let extent = self.write(bytes)?;
        if self.mode == ReadMode::Map
            && let Some(region) = self.main.map(extent.at.offset, bytes.len())?
        {
            // Just written from memory: there is nothing to verify.
            extent.set_region(region);
        }
        let buffer = lend_from(&extent, Extent::region).unwrap_or_else(|| Buffer::from(bytes));
        Ok(Blob::with_origin(buffer, extent as Origin))
    }

    /// Makes the first `upto` data writes durable, unless they are.
    pub(crate) fn sync_written(&self, upto: u64) -> Result<()> {
        if self.synced.load(Ordering::Acquire) >= upto {
            return Ok(());
        }
        let finished = self.written.load(Ordering::Acquire);
        self.main.sync_data()?;
        self.synced.fetch_max(finished, Ordering::AcqRel);
        Ok(())
    }

    /// The stored bytes of a page.
    pub(crate) fn read_page(&self, at: &ExtentRef) -> Result<Vec<u8>> {
        if at.len > MAX_PAGE {
            return Err(self
                .main
                .corrupt(at.offset, None, "a page is over the limit"));
        }
        self.read_plain(at)
    }

    /// The bytes of an extent in plain memory, verified, beside map and pool.
    pub(crate) fn read_plain(&self, at: &ExtentRef) -> Result<Vec<u8>> {
        let mut bytes = vec![0; at.len as usize];
        self.main.read_exact(&mut bytes, at.offset)?;
        if xxh3_64_with_seed(&bytes, at.generation) != at.checksum {
            return Err(self.mismatch(at, None));
        }
        Ok(bytes)
    }
}

/// The same error with the key that was being read.
fn named(error: llkv_result::Error, read: Option<u64>) -> llkv_result::Error {
    match error {
        llkv_result::Error::Storage(StorageError::Corrupt {
            path,
            offset,
            key,
            detail,
        }) => StorageError::Corrupt {
            path,
            offset,
            key: key.or(read),
            detail,
        }
        .into(),
        other => other,
    }
}

impl Loader for Store {
    fn load(&self, page: &Arc<Extent>, level: u8, first: u64) -> Result<Node> {
        let at = &page.at;
        let bytes = self.read_page(at)?;
        let (end, _) = self.space.totals();
        let entries = page::decode(&bytes, level, first, end)
            .map_err(|detail| self.main.corrupt(at.offset, None, detail))?;
        let stored = |at| Arc::new(Extent::stored(at, Arc::clone(&self.space)));
        if level == 0 {
            let mut slots: Box<[Option<Arc<Value>>; FANOUT]> = Box::new([const { None }; FANOUT]);
            for (slot, (_, entry)) in slots_of(&mut *slots, entries) {
                *slot = Some(match entry {
                    Entry::Extent(at) => Value::stored(stored(at)),
                    Entry::Inline(bytes) => Value::memory(Blob::from_bytes(bytes)),
                });
            }
            return Ok(Node::Leaf(slots));
        }
        let mut slots: Box<[Option<Arc<Cell>>; FANOUT]> = Box::new([const { None }; FANOUT]);
        for (slot, (_, entry)) in slots_of(&mut *slots, entries) {
            if let Entry::Extent(at) = entry {
                *slot = Some(Cell::stored(stored(at)));
            }
        }
        Ok(Node::Inner(slots))
    }
}

/// The slots that the entries (ascending) belong to, each with its entry.
fn slots_of<T, E>(
    slots: &mut [Option<T>],
    entries: Vec<(usize, E)>,
) -> impl Iterator<Item = (&mut Option<T>, (usize, E))> {
    let mut entries = entries.into_iter().peekable();
    slots
        .iter_mut()
        .enumerate()
        .filter_map(move |(index, slot)| {
            let entry = entries.next_if(|(at, _)| *at == index)?;
            Some((slot, entry))
        })
}
