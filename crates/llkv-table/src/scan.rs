//! A scan in morsels, committed rows first, the transaction's own after them.

use crate::memory::MemoryScan;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use llkv_result::{Error, Result};

/// Batches of one morsel.
pub type MorselBatches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// The rows that a [`crate::ScanRequest`] asks for, cut into morsels that any threads may read in any order.
/// A row comes out of exactly one morsel; morsels in their order are the rows in row-id order.
#[derive(Debug)]
pub struct TableScan {
    pub(crate) schema: SchemaRef,
    pub(crate) own: MemoryScan,
}

impl TableScan {
    /// The schema of all batches: the columns asked for, then the row id where it was asked for.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    /// Morsels; 0 for an empty table.
    #[must_use]
    pub fn morsel_count(&self) -> usize {
        self.own.morsel_count()
    }

    /// Streams one morsel. Batches are not empty and have at most the rows asked for.
    ///
    /// # Errors
    /// For a morsel that does not exist, and when stored data cannot be read.
    pub fn read(&self, morsel: usize) -> Result<MorselBatches> {
        let own = self.own.read(morsel);
        let own = own.ok_or_else(|| Error::internal(format!("a scan has no morsel {morsel}")))?;
        Ok(Box::new(own))
    }

    /// Rows before predicates, for the decision whether to use threads.
    #[must_use]
    pub fn estimated_rows(&self) -> u64 {
        self.own.rows()
    }
}
