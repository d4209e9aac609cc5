//! The next value of an integer key: one more than the highest that the transaction sees, as SQLite numbers
//! rows.

use crate::{ScanRequest, StagedTable, WriteContext};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::max;
use arrow::datatypes::Int64Type;
use llkv_result::{ConstraintError, Error, Result};
use std::sync::Arc;

impl StagedTable {
    /// The rows (all columns of the table, in their order) with numbers in the place of NULLs in the column
    /// of an integer key, the constraint `index` of the table: each one more than the highest key before it.
    ///
    /// # Errors
    /// When there is no higher number, or the store cannot be read.
    pub fn number_rows(
        &mut self,
        context: &WriteContext<'_>,
        index: usize,
        rows: RecordBatch,
    ) -> Result<RecordBatch> {
        let table = Arc::clone(&self.table);
        let Some([at]) = table.keys().get(index).map(|key| key.columns()) else {
            return Err(Error::internal("a numbered key of several columns"));
        };
        let given = rows.columns().get(*at).cloned();
        let Some(given) = given.filter(|column| column.null_count() > 0) else {
            return Ok(rows);
        };
        let Some(keys) = given.as_primitive_opt::<Int64Type>() else {
            return Err(Error::internal("a numbered key that is no integer"));
        };
        let mut highest = self.highest_integer(context, index)?;
        let mut numbered = Vec::with_capacity(keys.len());
        for key in keys {
            let key = match (key, highest) {
                (Some(key), _) => key,
                (None, None) => 1,
                (None, Some(highest)) => highest.checked_add(1).ok_or_else(|| {
                    let table = table.meta().name.clone();
                    Error::from(ConstraintError::KeysUsedUp { table })
                })?,
            };
            highest = highest.max(Some(key));
            numbered.push(key);
        }
        let mut columns = rows.columns().to_vec();
        if let Some(column) = columns.get_mut(*at) {
            *column = Arc::new(Int64Array::from(numbered));
        }
        Ok(RecordBatch::try_new(rows.schema(), columns)?)
    }

    /// The highest key of an integer constraint among the rows that the transaction sees.
    fn highest_integer(&mut self, context: &WriteContext<'_>, index: usize) -> Result<Option<i64>> {
        let table = Arc::clone(&self.table);
        let Some(key) = table.keys().get(index) else {
            return Ok(None);
        };
        let committed = context.store.table(table.id())?;
        let stored = match &committed {
            Some(version) => key.highest_stored(|| self.load_highest(context, key, version))?,
            None => None,
        };
        let own = self.keys.get(index).map(|own| own.footprint());
        let own = own.as_ref().and_then(|own| own.highest());
        // What was ever written: it may have gone, or not be there yet for this transaction.
        let Some(bound) = stored.as_deref().max(own).and_then(integer) else {
            return Ok(None);
        };
        let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![bound]))];
        let encoded = key.encode(&columns)?;
        let found = self.find_existing(context, index, key, &columns, &encoded)?;
        if !found.is_empty() {
            return Ok(Some(bound));
        }
        let handle = self.handle(context.store, committed, context.snapshot.snapshot_id)?;
        let mut highest = None;
        let request = ScanRequest::new(key.meta().fields.clone());
        handle.scan_stream(&request)?.for_each_batch(|batch| {
            let column = batch.columns().first();
            let keys = column.and_then(|column| column.as_primitive_opt::<Int64Type>());
            highest = highest.max(keys.and_then(max));
            Ok(())
        })?;
        Ok(highest)
    }
}

/// The integer that a key's bytes stand for: a mark that it is there, then the number in the order of its
/// bytes, with the sign turned.
fn integer(key: &[u8]) -> Option<i64> {
    match key {
        [1, number @ ..] => {
            let number = u64::from_be_bytes(number.try_into().ok()?);
            Some((number ^ (1 << 63)).cast_signed())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::DataType;
    use arrow::row::{RowConverter, SortField};

    #[test]
    fn the_bytes_of_a_key_are_read_as_they_are_written() {
        let converter = RowConverter::new(vec![SortField::new(DataType::Int64)]).unwrap();
        let numbers = [i64::MIN, -1, 0, 1, 77, i64::MAX];
        let column: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
        let rows = converter.convert_columns(&[column]).unwrap();
        let read: Vec<Option<i64>> = rows.iter().map(|row| integer(row.data())).collect();
        assert_eq!(read, numbers.map(Some));
        assert_eq!(integer(&[]), None);
        assert_eq!(integer(&[0; 9]), None);
    }
}
