//! Encoded, versioned Arrow columns in a key-value pager: chunks, statistics, pruning

mod predicate;

pub use predicate::{ColumnPredicate, ColumnTest, ScanCounters};
