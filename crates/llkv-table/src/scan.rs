//! A scan in morsels, committed rows first, the transaction's own after them.

use crate::memory::MemoryScan;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use llkv_column_map::{ColumnScan, IndexScan};
use llkv_result::{Error, Result};

/// Batches of one morsel.
pub type MorselBatches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// The rows that a [`crate::ScanRequest`] asks for, cut into morsels that any threads may read in any order.
/// A row comes out of exactly one morsel; morsels in their order are the rows in row-id order.
#[derive(Debug)]
pub struct TableScan {
    schema: SchemaRef,
    /// Committed rows, then own rows that were written early.
    stored: Vec<StoredScan>,
    own: MemoryScan,
}

/// Stored rows, all of them looked through or looked up.
#[derive(Debug)]
pub(crate) enum StoredScan {
    Columns(ColumnScan),
    Index(IndexScan),
}

impl StoredScan {
    fn morsel_count(&self) -> usize {
        match self {
            Self::Columns(scan) => scan.morsel_count(),
            Self::Index(scan) => scan.morsel_count(),
        }
    }

    fn estimated_rows(&self) -> u64 {
        match self {
            Self::Columns(scan) => scan.estimated_rows(),
            Self::Index(scan) => scan.estimated_rows(),
        }
    }

    fn read(&self, morsel: usize) -> Result<MorselBatches> {
        Ok(match self {
            Self::Columns(scan) => Box::new(scan.read(morsel)?),
            Self::Index(scan) => Box::new(scan.read(morsel)?),
        })
    }
}

impl TableScan {
    pub(crate) fn new(
        schema: SchemaRef,
        committed: Option<StoredScan>,
        own_groups: Option<StoredScan>,
        own: MemoryScan,
    ) -> Self {
        Self {
            schema,
            stored: committed.into_iter().chain(own_groups).collect(),
            own,
        }
    }

    /// The schema of all batches: the columns asked for, then the row id where it was asked for.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    /// Morsels; 0 for an empty table.
    #[must_use]
    pub fn morsel_count(&self) -> usize {
        let stored = self.stored.iter().map(StoredScan::morsel_count);
        stored.sum::<usize>() + self.own.morsel_count()
    }

    /// Reads morsel after morsel and calls `each` on each batch, on this thread.
    ///
    /// # Errors
    /// When stored data cannot be read, or what `each` gives.
    pub fn for_each_batch(&self, mut each: impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        for morsel in 0..self.morsel_count() {
            for batch in self.read(morsel)? {
                each(&batch?)?;
            }
        }
        Ok(())
    }

    /// Streams one morsel. Batches are not empty and have at most the rows asked for.
    ///
    /// # Errors
    /// For a morsel that does not exist, and when stored data cannot be read.
    pub fn read(&self, morsel: usize) -> Result<MorselBatches> {
        let mut at = morsel;
        for scan in &self.stored {
            if at < scan.morsel_count() {
                return scan.read(at);
            }
            at -= scan.morsel_count();
        }
        let own = self.own.read(at);
        let own = own.ok_or_else(|| Error::internal(format!("a scan has no morsel {morsel}")))?;
        Ok(Box::new(own))
    }

    /// The morsels in the order in which the bound of [`crate::ScanRequest::live`] gets good soonest; `None` where
    /// that is their own order.
    ///
    /// # Errors
    /// When the table has no column of the bound.
    pub fn best_first(&self) -> Result<Option<Vec<usize>>> {
        let [StoredScan::Columns(scan)] = self.stored.as_slice() else {
            return Ok(None);
        };
        // Own rows come first: their values are anything.
        let stored = scan.morsel_count();
        let own = stored..stored + self.own.morsel_count();
        Ok(Some(own.chain(scan.best_first()?).collect()))
    }

    /// Rows before predicates, for the decision whether to use threads.
    #[must_use]
    pub fn estimated_rows(&self) -> u64 {
        let stored = self.stored.iter().map(StoredScan::estimated_rows);
        stored.sum::<u64>() + self.own.rows()
    }
}
