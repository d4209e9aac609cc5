//! Build rows that no probe row matched, for the kinds that keep them.

use super::BuiltJoin;
use crate::batch::{Batch, take_one};
use crate::pipeline::{MorselReader, Source};
use arrow::array::{UInt32Array, new_null_array};
use arrow::datatypes::DataType;
use llkv_result::Result;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The unmatched build rows; to be read after all probe rows have gone by.
pub(super) struct UnmatchedSource {
    pub(super) join: Arc<BuiltJoin>,
    /// Types of the left columns put out, all NULL here.
    pub(super) left_types: Vec<DataType>,
}

impl Source for UnmatchedSource {
    fn morsels(&self) -> usize {
        usize::from(self.join.build.rows > 0)
    }

    fn estimated_rows(&self) -> u64 {
        self.join.build.rows as u64
    }

    fn read(&self, _: usize) -> Result<MorselReader> {
        Ok(Box::new(UnmatchedReader::new(&self.join, &self.left_types)))
    }
}

/// Puts out unmatched build rows.
pub(super) struct UnmatchedReader {
    join: Arc<BuiltJoin>,
    left_types: Vec<DataType>,
    row: usize,
}

impl Iterator for UnmatchedReader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let matched = self.join.matched.as_ref()?;
        let limit = self.join.run.batch_rows();
        let mut rows = Vec::new();
        while let Some(flag) = matched.get(self.row).filter(|_| rows.len() < limit) {
            if !flag.load(Ordering::Relaxed) {
                rows.push(self.row as u32);
            }
            self.row += 1;
        }
        (!rows.is_empty()).then(|| self.output(rows))
    }
}

impl UnmatchedReader {
    pub(super) fn new(join: &Arc<BuiltJoin>, left_types: &[DataType]) -> Self {
        Self {
            join: Arc::clone(join),
            left_types: left_types.to_vec(),
            row: 0,
        }
    }

    fn output(&self, rows: Vec<u32>) -> Result<Batch> {
        let count = rows.len();
        let rows = UInt32Array::from(rows);
        let nulls = self.left_types.iter().map(|t| new_null_array(t, count));
        let mut columns: Vec<_> = nulls.collect();
        for position in &self.join.spec.right_output {
            columns.push(take_one(self.join.build.column(*position)?, &rows)?);
        }
        Ok(Batch::new(columns, count))
    }
}
