//! Rows that a statement keeps until it has read all others.

use super::{RowBuffer, Spiller};
use crate::batch::Batch;
use crate::context::ExecutionContext;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use llkv_result::Result;

/// Batches of one schema in the order in which they came: in memory while they fit, else in a temporary file.
pub struct KeptRows {
    rows: RowBuffer,
    schema: Option<SchemaRef>,
    batch_rows: usize,
}

impl KeptRows {
    /// No rows yet; `operator` is who keeps them, for errors.
    #[must_use]
    pub fn new(context: &ExecutionContext, operator: &'static str) -> Self {
        let memory = context.memory.reserve(operator);
        let spiller = Spiller::within(context, operator, Default::default());
        Self {
            rows: RowBuffer::new(memory, spiller),
            schema: None,
            batch_rows: context.batch_rows,
        }
    }

    /// Keeps a batch.
    ///
    /// # Errors
    /// When the rows neither fit the budget nor can be written.
    pub fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.schema.get_or_insert_with(|| batch.schema());
        self.rows.push(Batch::from(batch))
    }

    /// Hands over the rows, in batches that need not be those that came.
    ///
    /// # Errors
    /// When they cannot be read, or that of `each`.
    pub fn for_each(self, mut each: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        let Some(schema) = self.schema else {
            return Ok(());
        };
        let source = self.rows.into_source(self.batch_rows)?;
        for morsel in 0..source.morsels() {
            for batch in source.read(morsel)? {
                let batch = batch?;
                let schema = batch.schema_like(&schema);
                each(batch.into_record_batch(&schema)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryBudget, NoTables, SpillSpace};
    use arrow::array::{ArrayRef, AsArray, Int64Array, StringViewArray};
    use std::sync::Arc;

    #[test]
    fn rows_come_back_in_order_from_memory_and_from_files() {
        for limit_bytes in [u64::MAX, 4 << 20] {
            let folder = tempfile::tempdir().unwrap();
            let memory = MemoryBudget::new(limit_bytes);
            let spill = SpillSpace::new(folder.path());
            let tables = Arc::new(NoTables);
            let context = ExecutionContext::within(tables, Arc::clone(&memory), spill);
            let mut kept = KeptRows::new(&context, "UPDATE");
            for batch in 0..100_i64 {
                let numbers = Int64Array::from_iter_values(batch * 5_000..(batch + 1) * 5_000);
                let texts = numbers
                    .values()
                    .iter()
                    .map(|n| format!("a text of the row {n}"));
                let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
                let numbers: ArrayRef = Arc::new(numbers);
                let rows = RecordBatch::try_from_iter([("n", numbers), ("s", texts)]).unwrap();
                kept.push(rows).unwrap();
            }
            let mut next = 0;
            let read = kept.for_each(|batch| {
                let texts = batch.column(1);
                for (row, text) in texts.as_string_view().iter().enumerate() {
                    assert_eq!(
                        text,
                        Some(format!("a text of the row {}", next + row).as_str())
                    );
                }
                next += batch.num_rows();
                Ok(())
            });
            read.unwrap();
            assert_eq!(next, 500_000);
            assert_eq!(memory.used_bytes(), 0);
        }
    }
}
