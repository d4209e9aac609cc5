//! A table as one transaction sees it.

use crate::memory::{MemoryBatch, MemoryScan, scan_schema};
use crate::{ScanRequest, TableScan};
use arrow::array::RecordBatch;
use llkv_result::Result;
use llkv_types::TableSchema;
use roaring::RoaringTreemap;
use std::sync::Arc;

/// The name of the row-id column in batches that carry one.
pub const ROW_ID_NAME: &str = "__row_id";

/// Row ids from here on are the transaction's own rows, which have no place in the table yet.
pub const OWN_ROW_ID_BASE: u64 = 1 << 63;

/// One table as one transaction sees it at one moment: the rows committed at its snapshot and its own
/// uncommitted rows, without those that it deleted. Immutable: what the transaction writes later is
/// not in it, so a statement may read and write one table.
#[derive(Debug, Clone)]
pub struct TableHandle {
    schema: Arc<TableSchema>,
    own: Vec<MemoryBatch>,
    own_deletes: Arc<RoaringTreemap>,
}

impl TableHandle {
    /// A table that lies in memory alone. The batches hold all columns of the schema in their order.
    #[must_use]
    pub fn in_memory(schema: Arc<TableSchema>, batches: Vec<RecordBatch>) -> Self {
        let mut first_row_id = OWN_ROW_ID_BASE;
        let own = batches.into_iter().map(|rows| {
            let batch = MemoryBatch { first_row_id, rows };
            first_row_id += batch.rows.num_rows() as u64;
            batch
        });
        Self {
            own: own.collect(),
            schema,
            own_deletes: Arc::default(),
        }
    }

    /// The table's columns.
    #[must_use]
    pub fn schema(&self) -> &TableSchema {
        &self.schema
    }

    /// Opens a scan. Nothing is read before [`TableScan::read`].
    ///
    /// # Errors
    /// For columns that the table has not.
    pub fn scan_stream(&self, request: &ScanRequest) -> Result<TableScan> {
        let schema = scan_schema(&self.schema, request)?;
        let own = MemoryScan::new(
            &self.schema,
            Arc::clone(&schema),
            request,
            self.own.clone(),
            Arc::clone(&self.own_deletes),
        )?;
        Ok(TableScan { schema, own })
    }
}
