//! Keys of fixed width.

use super::KeyColumn;
use super::nulls::KeyNulls;
use arrow::array::{Array, ArrayData, ArrayRef, AsArray, BooleanArray, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::{ArrowNativeType, DataType};
use llkv_result::{Error, Result};
use std::sync::Arc;

/// Numbers, dates and the like, of which equal ones have equal bits; `N` is as wide as they are.
pub(super) struct Numbers<N> {
    data_type: DataType,
    values: Vec<N>,
    nulls: KeyNulls,
}

impl<N> Numbers<N> {
    pub(super) fn new(data_type: &DataType) -> Self {
        Self {
            data_type: data_type.clone(),
            values: Vec::new(),
            nulls: KeyNulls::default(),
        }
    }
}

impl<N: ArrowNativeType + Eq> KeyColumn for Numbers<N> {
    fn push(&mut self, column: &ArrayRef, rows: &[u32]) -> Result<()> {
        let data = column.to_data();
        let values = data.buffer::<N>(0);
        self.nulls.push(self.values.len(), column, rows);
        self.values
            .extend(rows.iter().map(|row| values[*row as usize]));
        Ok(())
    }

    fn holds(&self, column: &ArrayRef, rows: &[u32], groups: &[u32]) -> Result<bool> {
        let data = column.to_data();
        let values = data.buffer::<N>(0);
        let equal = |row: usize, group: u32| values[row] == self.values[group as usize];
        Ok(self.nulls.all_equal(column, rows, groups, equal))
    }

    fn values(&self, start: usize, count: usize) -> Result<ArrayRef> {
        let values = self.values.get(start..start + count).unwrap_or_default();
        let nulls = self.nulls.buffer(start, values.len());
        let buffer = Buffer::from_slice_ref(values);
        numbers(&self.data_type, values.len(), buffer, nulls)
    }

    fn take(&mut self) -> Result<ArrayRef> {
        let values = std::mem::take(&mut self.values);
        let (count, nulls) = (values.len(), self.nulls.buffer(0, values.len()));
        self.nulls.truncate(0);
        numbers(&self.data_type, count, Buffer::from_vec(values), nulls)
    }

    fn truncate(&mut self, groups: usize) {
        self.values.truncate(groups);
        self.nulls.truncate(groups);
    }

    fn reserve(&mut self, groups: usize) {
        self.values.reserve(groups);
    }

    fn size_bytes(&self) -> usize {
        self.values.capacity() * size_of::<N>() + self.nulls.size_bytes()
    }
}

fn numbers(
    data_type: &DataType,
    count: usize,
    buffer: Buffer,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let data = ArrayData::builder(data_type.clone())
        .len(count)
        .add_buffer(buffer)
        .nulls(nulls)
        .build()?;
    Ok(make_array(data))
}

/// Truth values.
#[derive(Default)]
pub(super) struct Booleans {
    values: Vec<bool>,
    nulls: KeyNulls,
}

fn booleans(column: &ArrayRef) -> Result<&BooleanArray> {
    let values = column.as_boolean_opt();
    values.ok_or_else(|| Error::internal("a key that should be BOOLEAN is not"))
}

impl KeyColumn for Booleans {
    fn push(&mut self, column: &ArrayRef, rows: &[u32]) -> Result<()> {
        let values = booleans(column)?.values();
        self.nulls.push(self.values.len(), column, rows);
        self.values
            .extend(rows.iter().map(|row| values.value(*row as usize)));
        Ok(())
    }

    fn holds(&self, column: &ArrayRef, rows: &[u32], groups: &[u32]) -> Result<bool> {
        let values = booleans(column)?.values();
        let equal = |row: usize, group: u32| values.value(row) == self.values[group as usize];
        Ok(self.nulls.all_equal(column, rows, groups, equal))
    }

    fn values(&self, start: usize, count: usize) -> Result<ArrayRef> {
        let values = self.values.get(start..start + count).unwrap_or_default();
        let nulls = self.nulls.buffer(start, values.len());
        let values: BooleanBuffer = values.iter().copied().collect();
        Ok(Arc::new(BooleanArray::new(values, nulls)))
    }

    fn take(&mut self) -> Result<ArrayRef> {
        let values = self.values(0, self.values.len());
        self.truncate(0);
        values
    }

    fn truncate(&mut self, groups: usize) {
        self.values.truncate(groups);
        self.nulls.truncate(groups);
    }

    fn reserve(&mut self, groups: usize) {
        self.values.reserve(groups);
    }

    fn size_bytes(&self) -> usize {
        self.values.capacity() + self.nulls.size_bytes()
    }
}
