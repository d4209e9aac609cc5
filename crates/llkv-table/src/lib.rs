//! Tables, system catalog, constraints and versioned scans over llkv-column-map.
//!
//! - A [`Table`] is what all transactions share of a table: its definition, its unique keys, its row locks.
//! - A [`TableHandle`] is the table as one transaction sees it at one moment: the rows committed at its
//!   snapshot, and its own. [`TableHandle::scan_stream`] cuts it into morsels.
//! - A [`StagedTable`] holds what a transaction has written and not committed. Nothing of it is in the
//!   file but full row groups, to which nothing refers; [`StagedTable::changes`] is what a commit logs.
//! - [`SysCatalog`] is table 0, an ordinary table whose rows describe all others. [`CatalogState`] is what
//!   they say at one moment.
//! - [`lower_predicate`] turns a conjunct of a WHERE clause into a test that storage decides exactly.
//!
//! Two snapshots over one table:
//!
//! ```
//! use arrow::array::{ArrayRef, Int32Array, RecordBatch};
//! use llkv_storage::MemPager;
//! use llkv_table::{ColMeta, ColumnStore, ScanRequest, StoreOptions, Table, TableMeta};
//! use llkv_transaction::TxnIdManager;
//! use llkv_types::{FieldId, SqlType, TableId};
//! use std::sync::Arc;
//!
//! let store = Arc::new(ColumnStore::open(Arc::new(MemPager::new()), StoreOptions::default())?);
//! let transactions = TxnIdManager::new(store.last_commit());
//! let meta = TableMeta {
//!     id: TableId(1),
//!     name: "t".into(),
//!     columns: vec![ColMeta {
//!         field: FieldId(0),
//!         name: "a".into(),
//!         ty: SqlType::Int32,
//!         nullable: true,
//!         default_sql: None,
//!         generated: None,
//!         declared: None,
//!         collation: llkv_types::Collation::Binary,
//!     }],
//!     keys: vec![],
//!     checks: vec![],
//!     next_field: 1,
//!     dialect: "llkv".into(),
//!     foreign_keys: vec![],
//!     next_index: 0,
//!     schema: llkv_table::MAIN_SCHEMA,
//! };
//! let table = Table::create(&store, &transactions, meta)?;
//! let before = transactions.begin_transaction();
//! let values: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
//! table.append(&store, &transactions, RecordBatch::try_from_iter([("a", values)])?)?;
//! let after = transactions.begin_transaction();
//!
//! let count = |snapshot| -> llkv_result::Result<usize> {
//!     let scan = table.scan_stream(&store, snapshot, &ScanRequest::new(vec![]))?;
//!     let mut rows = 0;
//!     scan.for_each_batch(|batch| {
//!         rows += batch.num_rows();
//!         Ok(())
//!     })?;
//!     Ok(rows)
//! };
//! assert_eq!(count(before.snapshot())?, 0);
//! assert_eq!(count(after.snapshot())?, 3);
//! # Ok::<(), llkv_result::Error>(())
//! ```

mod append_row;
mod catalog;
mod catalog_diff;
mod catalog_numbers;
mod catalog_object;
mod filter;
mod group_encoder;
mod handle;
mod insert;
mod key_ranges;
mod keys;
mod lower;
mod memory;
mod meta;
mod meta_former;
mod next_key;
mod own_keys;
mod own_places;
mod patience;
mod point;
mod references;
mod request;
mod row_buffer;
mod scan;
mod schemas;
mod sequence;
mod staged;
mod standalone;
mod table;
mod temporary;
mod triggers;
mod unique_check;
mod upsert;

pub use catalog::{CatalogState, SysCatalog};
pub use catalog_diff::CatalogDiff;
pub use catalog_object::CatalogObject;
pub use handle::{OWN_ROW_ID_BASE, ROW_ID_NAME, TableHandle};
pub use insert::{Appended, OnConflict};
pub use keys::UniqueKey;
pub use llkv_column_map::PointRows;
pub use llkv_column_map::{
    ColumnPredicate, ColumnStore, ColumnTest, CommitRecord, CommitTicket, KeySet, LiveBound,
    LiveColumn, RowFilter, RowTest, ScanCounters, StoreOptions, TableChange, TableVersion,
};
pub use lower::{lower_predicate, lower_test_of_keys};
pub use meta::{
    CheckMeta, ColMeta, ForeignKeyMeta, Generated, IndexColumnMeta, IndexMeta, KeyMeta,
    MAIN_SCHEMA, ReferentialAction, SCHEMAS, SchemaMeta, SequenceMeta, TableMeta, TriggerMeta,
    ViewMeta, unless_binary,
};
pub use patience::Patience;
pub use point::PointLookup;
pub use references::{Reference, ReferenceFootprint, ReferredKeys};
pub use request::{DEFAULT_BATCH_ROWS, ScanRequest};
pub use scan::{MorselBatches, TableScan};
pub use sequence::{Given, RESERVED_AHEAD, Sequence};
pub use staged::{StagedMark, StagedTable, WriteContext};
pub use table::Table;
pub use temporary::TemporaryObjects;
pub use triggers::TriggersByTable;
pub use upsert::KeyMatches;
