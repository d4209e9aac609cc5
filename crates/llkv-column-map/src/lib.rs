//! Encoded, versioned Arrow columns in a key-value pager: chunks, statistics, pruning.
//!
//! A [`ColumnStore`] keeps tables of Arrow columns. It knows no SQL and no transactions: it appends rows, marks
//! rows as deleted, and scans what a snapshot sees of them.

mod bytes;
mod chunk;
mod column_buffer;
mod column_test;
mod commit;
mod descriptor;
mod encoding;
mod journal;
mod kind;
mod marks;
mod predicate;
mod row_group;
mod scan;
mod stats;
mod store;
mod table_version;
mod tail;

mod views;

pub use commit::{CommitRecord, CommitTicket, StagedRowGroup, TableChange};
pub use predicate::{ColumnPredicate, ColumnTest, ScanCounters};
pub use scan::{ColumnScan, MorselReader, ROW_ID_COLUMN, ScanSpec};
pub use stats::ColumnStatistics;
pub use store::{ColumnStore, StoreOptions};
pub use table_version::TableVersion;
