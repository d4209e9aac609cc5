//! A result stream whose failure is a failed statement of its transaction.

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use llkv_result::SelectStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rows come while they are pulled, and so do errors: the first one aborts the transaction, as it would
/// have done had the statement run at once.
pub(crate) struct WatchedStream {
    inner: SelectStream,
    is_aborted: Arc<AtomicBool>,
}

impl WatchedStream {
    pub(crate) fn new(inner: SelectStream, is_aborted: Arc<AtomicBool>) -> Self {
        Self { inner, is_aborted }
    }
}

impl Iterator for WatchedStream {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.inner.next();
        if matches!(next, Some(Err(_))) {
            self.is_aborted.store(true, Ordering::Release);
        }
        next
    }
}

impl RecordBatchReader for WatchedStream {
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }
}
