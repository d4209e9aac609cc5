//! The keys of groups by column: values that the rows of a batch are compared with, in the form of Arrow's arrays.

mod bytes;
mod fixed;
mod nulls;

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::datatypes::DataType;
use llkv_result::{Error, Result};

/// One column of the keys, by group number.
pub(super) trait KeyColumn: Send + Sync {
    /// Adds the values of `rows` as the keys of as many new groups.
    fn push(&mut self, column: &ArrayRef, rows: &[u32]) -> Result<()>;

    /// Whether each of `rows` has the key of its group; `groups` has one for every row of the column. NULLs are equal.
    fn holds(&self, column: &ArrayRef, rows: &[u32], groups: &[u32]) -> Result<bool>;

    /// The keys of the groups `start .. start + count`.
    fn values(&self, start: usize, count: usize) -> Result<ArrayRef>;

    /// The keys of all groups, which are forgotten.
    fn take(&mut self) -> Result<ArrayRef>;

    /// Readies all values for [`Self::values`], which copies less then.
    fn settle(&mut self) {}

    /// Forgets all groups but the first so many.
    fn truncate(&mut self, groups: usize);

    /// Makes room for so many more groups.
    fn reserve(&mut self, groups: usize);

    /// Bytes held.
    fn size_bytes(&self) -> usize;
}

/// An empty column for normalized keys of a type.
pub(super) fn key_column(data_type: &DataType) -> Result<Box<dyn KeyColumn>> {
    Ok(match data_type {
        DataType::Null => Box::new(NoValues::default()),
        DataType::Boolean => Box::new(fixed::Booleans::default()),
        DataType::Utf8View | DataType::BinaryView => Box::new(bytes::Texts::new(data_type)),
        other => match other.primitive_width() {
            Some(1) => Box::new(fixed::Numbers::<u8>::new(other)),
            Some(2) => Box::new(fixed::Numbers::<u16>::new(other)),
            Some(4) => Box::new(fixed::Numbers::<u32>::new(other)),
            Some(8) => Box::new(fixed::Numbers::<u64>::new(other)),
            Some(16) => Box::new(fixed::Numbers::<i128>::new(other)),
            _ => return Err(Error::internal(format!("no keys of {other}"))),
        },
    })
}

/// Marks the rows whose value may differ from that of the row before: those whose bits differ. Marks stay.
pub(super) fn mark_changes(column: &ArrayRef, changes: &mut [bool]) -> Result<()> {
    match column.data_type() {
        DataType::Null => return Ok(()),
        DataType::Boolean => changes.fill(true),
        DataType::Utf8View | DataType::BinaryView => mark(bytes::parts(column)?.0, changes),
        other => {
            let data = column.to_data();
            match other.primitive_width() {
                Some(1) => mark(data.buffer::<u8>(0), changes),
                Some(2) => mark(data.buffer::<u16>(0), changes),
                Some(4) => mark(data.buffer::<u32>(0), changes),
                Some(8) => mark(data.buffer::<u64>(0), changes),
                Some(16) => mark(data.buffer::<i128>(0), changes),
                _ => changes.fill(true),
            }
        }
    }
    if let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) {
        // What stands in the place of NULL means nothing, so the row after it differs too.
        let mut before = false;
        for (row, change) in changes.iter_mut().enumerate() {
            let is_null = nulls.is_null(row);
            *change |= is_null || before;
            before = is_null;
        }
    }
    Ok(())
}

fn mark<N: PartialEq>(values: &[N], changes: &mut [bool]) {
    for (pair, change) in values.windows(2).zip(changes.iter_mut().skip(1)) {
        if let [before, value] = pair {
            *change |= before != value;
        }
    }
}

/// A column that has nothing but NULL.
#[derive(Default)]
struct NoValues {
    groups: usize,
}

impl KeyColumn for NoValues {
    fn push(&mut self, _: &ArrayRef, rows: &[u32]) -> Result<()> {
        self.groups += rows.len();
        Ok(())
    }

    fn holds(&self, _: &ArrayRef, _: &[u32], _: &[u32]) -> Result<bool> {
        Ok(true)
    }

    fn values(&self, _: usize, count: usize) -> Result<ArrayRef> {
        Ok(new_null_array(&DataType::Null, count))
    }

    fn take(&mut self) -> Result<ArrayRef> {
        Ok(new_null_array(
            &DataType::Null,
            std::mem::take(&mut self.groups),
        ))
    }

    fn truncate(&mut self, groups: usize) {
        self.groups = self.groups.min(groups);
    }

    fn reserve(&mut self, _: usize) {}

    fn size_bytes(&self) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;
    use std::sync::Arc;

    #[test]
    fn a_value_after_null_is_a_change() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(0), Some(0), None, None]));
        let mut changes = vec![false; 5];
        mark_changes(&column, &mut changes).unwrap();
        assert_eq!(changes, [true, true, false, true, true]);
    }
}
