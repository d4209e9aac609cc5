//! What a reader asks of a table.

use llkv_column_map::{ColumnPredicate, LiveColumn, RowFilter, ScanCounters};
use llkv_types::{Collation, FieldId, IndexId};
use std::sync::Arc;

/// Rows per batch where a request does not say.
pub const DEFAULT_BATCH_ROWS: usize = 8_192;

/// A scan of a table: which columns, which rows, how large the batches.
#[derive(Debug, Clone)]
pub struct ScanRequest {
    /// Columns put out, in this order. None is allowed: batches then carry their row count alone.
    pub columns: Vec<FieldId>,
    /// Put out the row id as a last column, `__row_id` of type UBIGINT.
    pub with_row_id: bool,
    /// Columns of text that may come as dictionary arrays with 32-bit codes, batch by batch; the schema of the
    /// scan shows them plain.
    pub coded: Vec<FieldId>,
    /// Tests that every row put out passes; over any column of the table.
    pub predicates: Vec<ColumnPredicate>,
    /// What remains to be tested of rows that pass the predicates, before the other columns are read.
    pub filter: Option<RowFilter>,
    /// A column of which values beyond a bound that moves are not wanted: rows with such values may be left out.
    pub live: Option<LiveColumn>,
    /// The index to look the rows up with, where the predicates name keys of it. Rows are the same without.
    pub index: Option<IndexId>,
    /// What rows that pass `filter`, or what is tested above the scan, have in common: tests of the keys that
    /// collations make of a column's texts. An index with these collations looks rows up by them.
    pub of_keys: Vec<(ColumnPredicate, Collation)>,
    /// Rows per batch at most; 0 counts as [`DEFAULT_BATCH_ROWS`].
    pub batch_rows: usize,
    /// Where the scan adds up what it did.
    pub counters: Option<Arc<ScanCounters>>,
}

impl ScanRequest {
    /// All rows, with the columns given.
    #[must_use]
    pub fn new(columns: Vec<FieldId>) -> Self {
        Self {
            columns,
            with_row_id: false,
            coded: Vec::new(),
            predicates: Vec::new(),
            filter: None,
            live: None,
            index: None,
            of_keys: Vec::new(),
            batch_rows: DEFAULT_BATCH_ROWS,
            counters: None,
        }
    }

    /// Rows per batch, never 0.
    pub(crate) fn batch_rows(&self) -> usize {
        match self.batch_rows {
            0 => DEFAULT_BATCH_ROWS,
            rows => rows,
        }
    }
}
