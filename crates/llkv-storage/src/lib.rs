//! Crash-safe key-value pager for Arrow buffers: one file, a write-ahead log, a simulated disk.
//!
//! A [`Pager`] maps [`PhysicalKey`](llkv_types::PhysicalKey)s to [`Blob`]s: immutable bytes at a
//! 64-byte-aligned address that an Arrow [`Buffer`](arrow::buffer::Buffer) borrows without a copy.
//! Batches of changes are atomic, ordered and durable on return. It knows nothing of tables or SQL.
//!
//! - [`FilePager`] keeps everything in one file, with a log beside it while it is open. A small commit
//!   is one log frame and one sync, shared by all who wait; large values are written once, to where
//!   they stay. Nothing that a valid root names is ever overwritten, every byte read is verified by a
//!   checksum kept elsewhere, and a crash at any instant loses no acknowledged batch.
//! - [`MemPager`] keeps the same contract in memory.
//! - [`InstrumentedPager`] counts what is asked of another pager.
//! - [`Disk`] is the seam below: [`RealDisk`], and [`SimDisk`], which drops, reorders, tears and
//!   garbles unsynced writes, fails, fills up and flips bits, all by a seed.
//!
//! The file is described byte by byte in `docs/format.md` of the repository.
//!
//! ```
//! use arrow::array::{Array, Int64Array};
//! use arrow::buffer::ScalarBuffer;
//! use llkv_storage::{Blob, FilePager, FilePagerOptions, Pager, WriteBatch};
//! use llkv_types::PhysicalKey;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("numbers.llkv");
//!
//! let numbers = Int64Array::from_iter_values(0..100_000);
//! let pager = FilePager::open(&path, FilePagerOptions::default())?;
//! let key = PhysicalKey(pager.alloc_many(1)?.start);
//! let blob = Blob::from(numbers.values().inner().clone());
//! pager.commit(WriteBatch { puts: vec![(key, blob)], frees: vec![] })?;
//! pager.close()?;
//!
//! let pager = FilePager::open_read_only(&path, FilePagerOptions::default())?;
//! let found = pager.batch_get(&[key])?;
//! let buffer = found[0].as_ref().ok_or("no value")?.buffer();
//! let again = Int64Array::new(ScalarBuffer::new(buffer, 0, numbers.len()), None);
//! assert_eq!(again, numbers); // read from the mapped file: no byte was copied
//! # Ok(())
//! # }
//! ```
//!
//! # The life of a batch
//!
//! 1. `FilePager::log` stages it: large values go to free extents (`Store::write`), followed by one
//!    sync of the data file, and the rest is encoded as the payload of a log frame.
//! 2. `Core::place` takes the commit lock, gives the batch its number, writes the frame, and sets the
//!    keys in the copy-on-write tree: from here on it is readable.
//! 3. `FilePager::sync` makes it durable: the first who waits syncs the log for all.
//! 4. `Core::run_checkpoint`, on a thread of its own, writes what is dirty of the tree to free extents
//!    and both roots one after the other; then log and replaced extents are used again.
//! 5. After a crash, `recovery::open_writer` takes the newest valid root and replays the log.

mod backup;
mod blob;
pub mod disk;
mod file;
mod instrumented;
mod mem_pager;
mod pager;
mod region;

pub use backup::{Progress, backup};
pub use blob::Blob;
pub use disk::{Disk, DiskFile, RealDisk, SimDisk};
#[doc(hidden)]
pub use file::PlantedBug;
pub use file::{FilePager, FilePagerOptions, ReadMode, Verified};
pub use instrumented::{InstrumentedPager, PagerCounts};
pub use mem_pager::MemPager;
pub use pager::{BoxedPager, CommitId, Pager, PagerStats, Pin, WriteBatch};
