//! A test over several columns at once, decided by whoever asks for the scan, before the other columns are read.

use arrow::array::{ArrayRef, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter;
use llkv_result::{Error, Result};
use llkv_types::FieldId;
use std::sync::Arc;

/// Decides of rows whether they are put out. May fail, and is asked only about rows that the snapshot sees and that pass
/// all other tests.
pub trait RowTest: std::fmt::Debug + Send + Sync {
    /// The rows that pass, a bit for each of `rows` rows.
    ///
    /// # Errors
    /// When the test of a row fails, which ends the scan.
    fn passing(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<BooleanBuffer>;
}

/// A [`RowTest`] and the columns that it reads.
#[derive(Debug, Clone)]
pub struct RowFilter {
    /// The columns, in the order in which the test takes them.
    pub fields: Vec<FieldId>,
    /// The test.
    pub test: Arc<dyn RowTest>,
}

impl RowFilter {
    /// Of the rows `selected`, all where that is absent, those that pass. `columns` are those of the test.
    ///
    /// # Errors
    /// What the test gives.
    pub fn narrow(
        &self,
        columns: Vec<ArrayRef>,
        rows: usize,
        selected: Option<BooleanBuffer>,
    ) -> Result<BooleanBuffer> {
        let Some(selected) = selected else {
            return self.checked(columns, rows);
        };
        let left = selected.count_set_bits();
        let mask = BooleanArray::new(selected.clone(), None);
        let columns = columns.iter().map(|column| filter(column, &mask));
        let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
        let passing = self.checked(columns, left)?;
        let mut bits = passing.iter();
        Ok(BooleanBuffer::collect_bool(rows, |row| {
            selected.value(row) && bits.next() == Some(true)
        }))
    }

    /// A bit for each row.
    fn checked(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<BooleanBuffer> {
        let passing = self.test.passing(columns, rows)?;
        match passing.len() == rows {
            true => Ok(passing),
            false => Err(Error::internal("a test of rows answers for other rows")),
        }
    }
}
