//! Crash-safe key-value pager for Arrow buffers: one file, a write-ahead log, a simulated disk.

mod blob;
pub mod disk;
mod file;
mod instrumented;
mod mem_pager;
mod pager;
mod region;

pub use blob::Blob;
pub use disk::{Disk, DiskFile, RealDisk, SimDisk};
#[doc(hidden)]
pub use file::PlantedBug;
pub use file::{FilePager, FilePagerOptions, ReadMode, Verified};
pub use instrumented::{InstrumentedPager, PagerCounts};
pub use mem_pager::MemPager;
pub use pager::{BoxedPager, CommitId, Pager, PagerStats, Pin, WriteBatch};
