//! Encoded, versioned Arrow columns in a key-value pager: chunks, statistics, pruning.
//!
#![doc = include_str!("../README.md")]
//!
//! # Where to start reading
//! [`ColumnStore`] keeps the published [`TableVersion`]s. `journal` is what a commit writes, `tail` the rows committed
//! since the last checkpoint, `store/checkpoint` and `store/compaction` what seals them. `row_group` is rows that lie
//! together, `chunk` one of their columns, `encoding` a file for each way to lay out its values. `scan/morsel` is the
//! loop that all reading goes through: statistics, predicates, versions, then the columns asked for.
//!
//! # What this crate does not know
//! Expressions (the table lowers predicates to [`ColumnTest`]s), transactions (commits come numbered and in order),
//! names of columns, and which pager is below.

mod bytes;
mod chunk;
mod coded_array;
mod column_buffer;
mod column_test;
mod commit;
mod deletes;
mod descriptor;
mod encoding;
mod fill;
mod index;
mod journal;
mod key_set;
mod kind;
mod marks;
mod packed_group;
mod predicate;
mod row_group;
mod row_ids;
mod scan;
mod sealed;
mod sketch;
mod stats;
mod store;
mod summary;
mod table_version;
mod tail;

mod views;

pub use commit::{CommitRecord, CommitTicket, StagedRowGroup, TableChange};
pub use encoding::Lifetime;
pub use index::{
    IndexAccess, IndexDefinition, IndexMorsel, IndexScan, IntegerKey, KeyEncoder, KeyRange,
    PointRequest, PointRows, after_prefix,
};
pub use key_set::KeySet;
pub use predicate::{ColumnPredicate, ColumnTest, ScanCounters};
pub use scan::{
    ColumnScan, LiveBound, LiveColumn, MorselReader, ROW_ID_COLUMN, RowFilter, RowTest, ScanSpec,
};
pub use stats::ColumnStatistics;
pub use store::{ColumnStore, ROW_ID_FIELD, StoreOptions};
pub use table_version::TableVersion;
