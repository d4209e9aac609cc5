//! Tables, system catalog, constraints and versioned scans over llkv-column-map

mod catalog;
mod filter;
mod handle;
mod insert;
mod keys;
mod lower;
mod memory;
mod meta;
mod own_keys;
mod request;
mod scan;
mod staged;
mod table;

pub use catalog::{CatalogDiff, CatalogObject, CatalogState, SysCatalog};
pub use handle::{OWN_ROW_ID_BASE, ROW_ID_NAME, TableHandle};
pub use insert::{Appended, OnConflict};
pub use keys::UniqueKey;
pub use llkv_column_map::{
    ColumnPredicate, ColumnStore, ColumnTest, CommitRecord, CommitTicket, ScanCounters,
    StoreOptions, TableChange, TableVersion,
};
pub use lower::lower_predicate;
pub use meta::{CheckMeta, ColMeta, KeyMeta, TableMeta, ViewMeta};
pub use request::{DEFAULT_BATCH_ROWS, ScanRequest};
pub use scan::{MorselBatches, TableScan};
pub use staged::{StagedMark, StagedTable, WriteContext};
pub use table::Table;
