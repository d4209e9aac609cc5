//! Window functions over sorted rows, column-wise.
//!
//! The caller sorts rows by partition and order and tells which neighbours belong together
//! ([`RowRuns`]: partitions, and peers within them). [`Frames`] are then ranges of rows, and everything
//! is computed for all rows of all partitions at once: numbers of rows by `ranking`, values of other rows by
//! `navigation`, aggregates over frames by [`aggregate_over`].

mod aggregates;
mod frames;
mod navigation;
mod prefix;
mod range;
mod ranking;
mod runs;
mod short;
mod tree;

pub use aggregates::aggregate_over;
pub use frames::{Bound, FrameRows, Frames, Offset};
pub use navigation::{Navigation, navigate};
pub use range::RangeKeys;
pub use ranking::rank_rows;
pub use runs::RowRuns;
