//! The file pager: roots, manifest, extents, free space and log of one database file.

mod bytes;
mod check;
mod checkpoint;
mod core;
mod extent;
mod frame;
mod lent;
mod log;
mod options;
mod pack;
mod page;
mod pager;
mod pool;
mod record;
mod recovery;
mod root;
mod space;
mod store;
mod sync;
mod tree;
mod value;
mod write;

pub use check::Verified;
pub use options::{FilePagerOptions, PlantedBug, ReadMode};
pub use pager::FilePager;

/// Extents start at multiples of this and occupy whole multiples.
pub(crate) const GRANULE: u64 = 4096;

/// The newest format that this build writes and reads.
pub(crate) const FORMAT: u32 = 1;
