//! Crash-safe key-value pager for Arrow buffers: one file, a write-ahead log, a simulated disk.

mod blob;
mod mem_pager;
mod pager;

pub use blob::Blob;
pub use mem_pager::MemPager;
pub use pager::{BoxedPager, CommitId, Pager, PagerStats, Pin, WriteBatch};
