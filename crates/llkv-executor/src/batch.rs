//! The form in which rows travel between operators: arrays of equal length, without a schema.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{FilterBuilder, prep_null_mask_filter, take};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::{array::BooleanArray, array::UInt32Array, compute::concat};
use llkv_result::{Error, Result};
use std::sync::Arc;

/// Rows between operators. The row count stands beside the columns, for there may be none.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    /// The columns, each of `rows` values.
    pub(crate) columns: Vec<ArrayRef>,
    /// How many rows.
    pub(crate) rows: usize,
}

impl Batch {
    /// A batch of `rows` rows.
    pub(crate) fn new(columns: Vec<ArrayRef>, rows: usize) -> Self {
        debug_assert!(columns.iter().all(|c| c.len() == rows));
        Self { columns, rows }
    }

    /// The column at a position that the plan promised.
    pub(crate) fn column(&self, position: usize) -> Result<&ArrayRef> {
        self.columns.get(position).ok_or_else(|| {
            Error::internal(format!(
                "column {position} of a batch of {} columns",
                self.columns.len()
            ))
        })
    }

    /// The rows `offset .. offset + rows`, sharing the arrays.
    pub(crate) fn slice(&self, offset: usize, rows: usize) -> Self {
        if offset == 0 && rows == self.rows {
            return self.clone();
        }
        let columns = self.columns.iter().map(|c| c.slice(offset, rows)).collect();
        Self::new(columns, rows)
    }

    /// The rows at `indices`; a null index gives a row of NULLs.
    pub(crate) fn take(&self, indices: &UInt32Array) -> Result<Self> {
        let columns: Result<Vec<_>> = self.columns.iter().map(|c| take_one(c, indices)).collect();
        Ok(Self::new(columns?, indices.len()))
    }

    /// The rows for which `mask` is true; NULL counts as false.
    pub(crate) fn filter(self, mask: &BooleanArray) -> Result<Self> {
        let prepared;
        let mask = if mask.null_count() > 0 {
            prepared = prep_null_mask_filter(mask);
            &prepared
        } else {
            mask
        };
        let kept = mask.true_count();
        if kept == self.rows {
            return Ok(self);
        }
        let builder = FilterBuilder::new(mask);
        // Finding the kept rows once pays from the second column on.
        let filter = match self.columns.len() {
            0 | 1 => builder.build(),
            _ => builder.optimize().build(),
        };
        let columns: Result<Vec<_>> = self.columns.iter().map(|c| Ok(filter.filter(c)?)).collect();
        Ok(Self::new(columns?, kept))
    }

    /// A schema with the types that the columns have.
    pub(crate) fn schema_like(&self, schema: &SchemaRef) -> SchemaRef {
        let fields = schema.fields().iter().zip(&self.columns);
        let fields = fields.map(
            |(field, column)| match field.data_type() == column.data_type() {
                true => Arc::clone(field),
                false => {
                    let field = field.as_ref().clone();
                    Arc::new(field.with_data_type(column.data_type().clone()))
                }
            },
        );
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// As a record batch of `schema`.
    pub(crate) fn into_record_batch(self, schema: &SchemaRef) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(schema),
            self.columns,
            &options,
        )?)
    }

    /// Bytes of the values where they are of fixed width; views count as the view.
    pub(crate) fn width_bytes(&self) -> u64 {
        let bits: usize = self
            .columns
            .iter()
            .map(|c| width_bits(c.data_type()) * self.rows)
            .sum();
        (bits / 8) as u64
    }

    /// Bytes that keeping the batch costs: fixed-width values, and what views point to and lists hold.
    /// Buffers shared with other batches are counted by what this batch uses of them.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let text: u64 = self.columns.iter().map(text_bytes).sum();
        self.width_bytes() + text
    }
}

impl From<RecordBatch> for Batch {
    fn from(batch: RecordBatch) -> Self {
        let (_, columns, rows) = batch.into_parts();
        Self::new(columns, rows)
    }
}

/// The values at `indices`.
pub(crate) fn take_one(column: &ArrayRef, indices: &UInt32Array) -> Result<ArrayRef> {
    Ok(take(column.as_ref(), indices, None)?)
}

/// Bytes of text and blobs too long to stand in their views, and of what stands in lists.
pub(crate) fn text_bytes(column: &ArrayRef) -> u64 {
    let views = match column.data_type() {
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            let bounds = [lists.offsets().first(), lists.offsets().last()];
            let [start, end] = bounds.map(|offset| offset.copied().unwrap_or_default() as usize);
            let values = lists.values().slice(start, end - start);
            let bits = width_bits(values.data_type()) * values.len();
            return (bits / 8) as u64 + text_bytes(&values);
        }
        DataType::Utf8View => column.as_string_view().views(),
        DataType::BinaryView => column.as_binary_view().views(),
        // Values that carry their own type are blobs below.
        DataType::Struct(_) => return column.as_struct().columns().iter().map(text_bytes).sum(),
        _ => return 0,
    };
    // The low 32 bits of a view are its length; up to 12 bytes stand in the view itself.
    let lengths = views.iter().map(|v| (*v & 0xffff_ffff) as u64);
    lengths.filter(|length| *length > 12).sum()
}

/// Bits of a value, and of its validity.
pub(crate) fn width_bits(data_type: &DataType) -> usize {
    match data_type {
        DataType::Null => 0,
        DataType::Boolean => 1,
        DataType::Utf8View | DataType::BinaryView => 128,
        DataType::Struct(fields) => fields.iter().map(|f| width_bits(f.data_type())).sum(),
        other => other.primitive_width().map_or(64, |bytes| bytes * 8),
    }
}

/// All rows of `batches` in one; `types` tells the columns where there is no batch.
pub(crate) fn concat_batches(batches: &[Batch], types: &[DataType]) -> Result<Batch> {
    let rows = batches.iter().map(|b| b.rows).sum();
    if let [one] = batches {
        return Ok(one.clone());
    }
    let mut columns = Vec::with_capacity(types.len());
    for (position, data_type) in types.iter().enumerate() {
        if batches.is_empty() {
            columns.push(new_null_array(data_type, 0));
            continue;
        }
        let parts: Result<Vec<&dyn Array>> = batches
            .iter()
            .map(|b| Ok(b.column(position)?.as_ref()))
            .collect();
        columns.push(compact(concat(&parts?)?));
    }
    Ok(Batch::new(columns, rows))
}

/// Copies the text of a view column together where it hangs on many buffers, so that each later
/// `take` carries few of them along and no foreign chunk stays alive for a few rows.
fn compact(column: ArrayRef) -> ArrayRef {
    const MANY_BUFFERS: usize = 8;
    match column.data_type() {
        DataType::Utf8View if column.as_string_view().data_buffers().len() > MANY_BUFFERS => {
            Arc::new(column.as_string_view().gc())
        }
        DataType::BinaryView if column.as_binary_view().data_buffers().len() > MANY_BUFFERS => {
            Arc::new(column.as_binary_view().gc())
        }
        _ => column,
    }
}

/// Rows that are valid in every one of `columns`; none where all rows are.
pub(crate) fn all_valid<'a>(columns: impl Iterator<Item = &'a ArrayRef>) -> Option<NullBuffer> {
    let mut valid: Option<NullBuffer> = None;
    for column in columns {
        let nulls = column.logical_nulls().filter(|n| n.null_count() > 0);
        valid = NullBuffer::union(valid.as_ref(), nulls.as_ref());
    }
    valid
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Builder, ListBuilder};

    #[test]
    fn lists_take_the_bytes_of_their_values() {
        let mut lists = ListBuilder::new(Int64Builder::new());
        for row in 0..4 {
            lists.append_value((0..100 * row).map(Some));
        }
        let all = Batch::new(vec![Arc::new(lists.finish())], 4);
        assert!(all.memory_bytes() >= 600 * 8);
        let some = all.slice(1, 2);
        assert!((300 * 8..400 * 8).contains(&some.memory_bytes()));
    }
}
