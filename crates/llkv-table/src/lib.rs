//! Tables, system catalog, constraints and versioned scans over llkv-column-map

mod filter;
mod handle;
mod lower;
mod memory;
mod request;
mod scan;

pub use handle::{OWN_ROW_ID_BASE, ROW_ID_NAME, TableHandle};
pub use llkv_column_map::{ColumnPredicate, ColumnTest, ScanCounters};
pub use lower::lower_predicate;
pub use request::{DEFAULT_BATCH_ROWS, ScanRequest};
pub use scan::{MorselBatches, TableScan};
