//! The contract of a pager: atomic, durable, ordered batches of key-value writes; zero-copy reads.

use crate::Blob;
use llkv_result::Result;
use llkv_types::{CancelToken, PhysicalKey};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A pager as it travels through the layers above: shared and without its concrete type.
pub type BoxedPager = Arc<dyn Pager>;

/// The position of a batch in the order of all batches of a pager: 1, 2, 3, ... without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CommitId(pub u64);

/// Writes that become durable together or not at all.
#[derive(Debug, Clone, Default)]
pub struct WriteBatch {
    /// Values to store. A key that exists is replaced; the last put of a key wins.
    pub puts: Vec<(PhysicalKey, Blob)>,
    /// Keys to forget, before the puts. A key that does not exist is no error.
    pub frees: Vec<PhysicalKey>,
}

impl WriteBatch {
    /// True when the batch changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.frees.is_empty()
    }
}

/// A snapshot: what readers see at this moment stays readable, and is not overwritten, until the
/// pin is dropped.
pub trait Pin: Send + Sync {
    /// The last batch that the pin sees.
    fn commit_id(&self) -> CommitId;

    /// The values of `keys` as of [`Pin::commit_id`]: also those freed or replaced since.
    ///
    /// # Errors
    /// On I/O errors and on values that do not match their checksum.
    fn batch_get(&self, keys: &[PhysicalKey]) -> Result<Vec<Option<Blob>>>;

    /// The keys within `range` that hold a value as of [`Pin::commit_id`], ascending.
    ///
    /// # Errors
    /// On I/O errors and damaged manifests.
    fn keys_in(&self, range: Range<PhysicalKey>) -> Result<Vec<PhysicalKey>>;
}

/// A crash-safe key-value store of Arrow-sized values.
///
/// Batches are ordered: [`Pager::log`] gives a batch its place and makes it readable at once, and
/// [`Pager::sync`] makes everything up to a place durable, sharing one disk sync among all who wait.
/// A batch is readable before it is durable, so a caller acknowledges only after `sync`.
pub trait Pager: Send + Sync {
    /// Reserves `count` fresh keys. They are neither reused nor handed out again, also after a
    /// crash once anything was stored under a key at or above them.
    ///
    /// # Errors
    /// On a read-only or poisoned pager, or when the key space is used up.
    fn alloc_many(&self, count: usize) -> Result<Range<u64>>;

    /// The values of `keys`, in their order; `None` for a key that holds nothing. No value is copied
    /// when it is mapped: a [`Blob`] borrows the file and keeps its extent from being reused.
    ///
    /// # Errors
    /// On I/O errors and on values that do not match their checksum.
    fn batch_get(&self, keys: &[PhysicalKey]) -> Result<Vec<Option<Blob>>>;

    /// The keys within `range` that hold a value, ascending.
    ///
    /// # Errors
    /// On I/O errors and damaged manifests.
    fn keys_in(&self, range: Range<PhysicalKey>) -> Result<Vec<PhysicalKey>>;

    /// Writes a large value to free space at once, without making it reachable: no log frame carries
    /// its bytes. The returned blob, put under a key by a later [`WriteBatch`], is stored by reference.
    /// Dropped without that, its space is free again; so it is after a crash.
    ///
    /// # Errors
    /// On I/O errors, on a full disk, on a read-only or poisoned pager.
    fn write_early(&self, value: &[u8]) -> Result<Blob>;

    /// Gives the batch its place in the order and makes it readable; not yet durable.
    ///
    /// # Errors
    /// On I/O errors, on a full disk, on a read-only or poisoned pager: then nothing of it was kept.
    /// Only when the pager is poisoned by this very call, which it says, is the outcome unknown.
    fn log(&self, batch: WriteBatch) -> Result<CommitId>;

    /// Returns when every batch up to `upto` is durable. Callers that wait together share one sync.
    ///
    /// # Errors
    /// A failed sync poisons the pager: the outcome of the waiting batches is unknown until reopening.
    fn sync(&self, upto: CommitId) -> Result<()>;

    /// [`Pager::log`] and [`Pager::sync`]: atomic, durable on return, ordered.
    ///
    /// # Errors
    /// Those of the two.
    fn commit(&self, batch: WriteBatch) -> Result<CommitId> {
        let id = self.log(batch)?;
        self.sync(id)?;
        Ok(id)
    }

    /// Keeps every value readable now from being overwritten until the pin is dropped.
    fn pin(&self) -> Box<dyn Pin>;

    /// Folds the log into the manifest and recycles it. Readers and writers go on meanwhile.
    ///
    /// # Errors
    /// On I/O errors; the state before the checkpoint then stays valid.
    fn checkpoint(&self) -> Result<()>;

    /// Moves values to free space before them, however many, and gives the free end of the file back to
    /// the disk. Readers and writers go on meanwhile; what a reader holds stays where it is.
    ///
    /// # Errors
    /// On I/O errors, and when it was cancelled; all values stay readable.
    fn compact(&self, cancel: &CancelToken) -> Result<()>;

    /// Reads every stored byte, compares it with its checksum, and accounts for all space.
    ///
    /// # Errors
    /// The first damage found, by file, key and offset; when it was cancelled.
    fn check(&self, cancel: &CancelToken) -> Result<()>;

    /// Sizes and counts, for statistics, tests and the decision to checkpoint.
    fn stats(&self) -> PagerStats;

    /// The file that everything lies in, for errors that name it; none in memory.
    fn path(&self) -> Option<&Path> {
        None
    }
}

/// Sizes of a pager, in bytes unless the name says otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PagerStats {
    /// The last batch that was logged.
    pub last_commit: CommitId,
    /// The last batch that is durable.
    pub durable_commit: CommitId,
    /// Size of the main file (for memory: of the values).
    pub file_bytes: u64,
    /// Free space within the main file.
    pub free_bytes: u64,
    /// Bytes in the log since the last checkpoint.
    pub log_bytes: u64,
    /// Keys that hold a value.
    pub key_count: u64,
}
