//! What rows hold in a column that is younger than they are: one value for all, kept beside the rows.

use crate::bytes::damaged;
use crate::chunk::Chunk;
use crate::column_buffer::ColumnBuffer;
use crate::encoding::Lifetime;
use crate::encoding::{self, Scratch};
use crate::stats::Stats;
use crate::summary::Summary;
use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;
use llkv_result::{Error, Result};
use llkv_storage::Blob;
use llkv_types::{FieldId, ROW_GROUP_ROWS, SqlType, TxnId};
use std::sync::{Arc, OnceLock};

/// The value of a column in the rows that were written before it was added.
pub(crate) struct Fill {
    ty: SqlType,
    /// One row.
    value: ArrayRef,
    /// That row as a chunk.
    bytes: Vec<u8>,
    stats: Stats,
    /// The value for as many rows as a row group has, made when it is first read.
    chunk: OnceLock<Arc<Chunk>>,
}

/// A column as it is read: rows that lack it hold the fill, or NULL where there is none.
#[derive(Debug, Clone)]
pub(crate) struct StoredColumn {
    pub(crate) field: FieldId,
    pub(crate) ty: SqlType,
    pub(crate) fill: Option<Arc<Fill>>,
}

/// What a table knows of columns beside their places in the layout.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fills {
    fills: Vec<(FieldId, Arc<Fill>)>,
    /// Columns that went, for snapshots that still see them.
    former: Vec<Former>,
}

/// A column that went.
#[derive(Debug, Clone, Copy)]
struct Former {
    field: FieldId,
    ty: SqlType,
    dropped_by: TxnId,
}

impl Fill {
    /// The value of an array of one row in the type's Arrow form.
    ///
    /// # Errors
    /// When the array is of another form or length.
    pub(crate) fn new(ty: SqlType, value: &ArrayRef) -> Result<Self> {
        if value.len() != 1 || *value.data_type() != ty.to_arrow() {
            return Err(Error::internal(
                "the value of a new column is not one row of it",
            ));
        }
        let encoded = encoding::encode(ty, value, None, Lifetime::Lasting)?;
        Ok(Self {
            ty,
            value: Arc::clone(value),
            bytes: encoded.bytes,
            stats: encoded.stats,
            chunk: OnceLock::new(),
        })
    }

    /// Reads what [`Fill::bytes`] gave.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub(crate) fn open(ty: SqlType, bytes: &[u8]) -> Result<Self> {
        let chunk = Chunk::open(ty, &Blob::from_bytes(bytes).buffer(), 1)?;
        let mut column = ColumnBuffer::new(ty, 1)?;
        column.reserve();
        chunk.append(0, 1, &mut column, &mut Scratch::default())?;
        let value = column.finish()?;
        match value.len() {
            1 => Self::new(ty, &value),
            rows => Err(damaged(format!(
                "the value of a new column has {rows} rows"
            ))),
        }
    }

    /// The stored form.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Statistics of any number of rows that hold the value, but for the count of NULLs: there are none.
    pub(crate) fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The summary of some rows that hold the value.
    pub(crate) fn summary(&self, rows: usize) -> Result<Summary> {
        let one = Summary::of(self.ty, &self.value)?;
        Ok(Summary { rows, ..one })
    }

    fn chunk(&self) -> Result<Arc<Chunk>> {
        if let Some(chunk) = self.chunk.get() {
            return Ok(Arc::clone(chunk));
        }
        let rows = UInt32Array::from(vec![0; ROW_GROUP_ROWS]);
        let values = take(&self.value, &rows, None)?;
        let encoded = encoding::encode(self.ty, &values, None, Lifetime::Lasting)?;
        let blob = Blob::from_bytes(&encoded.bytes);
        let chunk = Arc::new(Chunk::open(self.ty, &blob.buffer(), ROW_GROUP_ROWS)?);
        Ok(Arc::clone(self.chunk.get_or_init(|| chunk)))
    }
}

impl StoredColumn {
    /// The chunk of rows that lack the column.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn missing(&self) -> Result<Arc<Chunk>> {
        match &self.fill {
            Some(fill) => fill.chunk(),
            None => Ok(Arc::new(Chunk::nulls(self.ty))),
        }
    }
}

impl Fills {
    /// As a descriptor has them.
    ///
    /// # Errors
    /// When one is damaged.
    pub(crate) fn open(
        layout: &[(FieldId, SqlType)],
        stored: &[(FieldId, Vec<u8>)],
    ) -> Result<Self> {
        let open = |(field, bytes): &(FieldId, Vec<u8>)| {
            let ty = layout.iter().find(|(known, _)| known == field);
            let (_, ty) = ty.ok_or_else(|| damaged("a value for a column that is not there"))?;
            Ok((*field, Arc::new(Fill::open(*ty, bytes)?)))
        };
        Ok(Self {
            fills: stored.iter().map(open).collect::<Result<_>>()?,
            former: Vec::new(),
        })
    }

    /// For a descriptor.
    pub(crate) fn stored(&self) -> Vec<(FieldId, Vec<u8>)> {
        let fills = self.fills.iter();
        fills
            .map(|(field, fill)| (*field, fill.bytes().to_vec()))
            .collect()
    }

    /// After a change of the layout by a commit. A value that is known already stays.
    pub(crate) fn altered(
        &self,
        before: &[(FieldId, SqlType)],
        after: &[(FieldId, SqlType)],
        given: &[(FieldId, Arc<Fill>)],
        commit_id: TxnId,
    ) -> Self {
        let stays = |field: FieldId| after.iter().any(|(known, _)| *known == field);
        let mut next = self.clone();
        next.fills.retain(|(field, _)| stays(*field));
        for (field, fill) in given {
            if stays(*field) && next.fill(*field).is_none() {
                next.fills.push((*field, Arc::clone(fill)));
            }
        }
        let gone = before.iter().filter(|(field, _)| !stays(*field));
        next.former.extend(gone.map(|(field, ty)| Former {
            field: *field,
            ty: *ty,
            dropped_by: commit_id,
        }));
        // A snapshot that sees a former column may look at rows that lack it.
        let of_former = self.fills.iter().filter(|(field, _)| !stays(*field));
        next.fills.extend(of_former.cloned());
        next
    }

    /// The value of a column in rows that lack it.
    pub(crate) fn fill(&self, field: FieldId) -> Option<&Arc<Fill>> {
        let mut fills = self.fills.iter();
        fills
            .find(|(known, _)| *known == field)
            .map(|(_, fill)| fill)
    }

    /// The type of a column that went.
    pub(crate) fn former(&self, field: FieldId) -> Option<SqlType> {
        let mut former = self.former.iter();
        former.find(|gone| gone.field == field).map(|gone| gone.ty)
    }

    /// The columns that went and that a snapshot from `bound` on may still see.
    pub(crate) fn former_after(&self, bound: TxnId) -> impl Iterator<Item = (FieldId, SqlType)> {
        let former = self.former.iter();
        former
            .filter(move |gone| gone.dropped_by > bound)
            .map(|gone| (gone.field, gone.ty))
    }

    /// Without what no snapshot from `bound` on sees.
    pub(crate) fn pruned(&self, bound: TxnId) -> Self {
        let is_gone = |field: FieldId| {
            let mut former = self.former.iter();
            former.any(|gone| gone.field == field && gone.dropped_by <= bound)
        };
        let mut next = self.clone();
        next.fills.retain(|(field, _)| !is_gone(*field));
        next.former.retain(|gone| gone.dropped_by > bound);
        next
    }

    /// What of it belongs to a layout: a descriptor has no snapshots to serve.
    pub(crate) fn of_layout(&self, layout: &[(FieldId, SqlType)]) -> Self {
        let stays = |field: FieldId| layout.iter().any(|(known, _)| *known == field);
        let mut next = self.clone();
        next.fills.retain(|(field, _)| stays(*field));
        next.former.clear();
        next
    }
}

impl std::fmt::Debug for Fill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fill")
            .field("ty", &self.ty)
            .field("value", &self.value)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, BooleanArray, Int64Array, StringViewArray};
    use arrow::datatypes::Int64Type;

    fn repeated(fill: &Fill, rows: usize) -> ArrayRef {
        let mut column = ColumnBuffer::new(fill.ty, rows).unwrap();
        column.reserve();
        let chunk = fill.chunk().unwrap();
        chunk
            .append(0, rows, &mut column, &mut Scratch::default())
            .unwrap();
        column.finish().unwrap()
    }

    #[test]
    fn a_value_comes_back_and_repeats() {
        let number: ArrayRef = Arc::new(Int64Array::from(vec![42]));
        let fill = Fill::new(SqlType::Int64, &number).unwrap();
        let again = Fill::open(SqlType::Int64, fill.bytes()).unwrap();
        let values = repeated(&again, 5);
        assert_eq!(values.as_primitive::<Int64Type>().values(), &[42; 5]);
        let text: ArrayRef = Arc::new(StringViewArray::from(vec!["longer than twelve bytes"]));
        let fill = Fill::new(SqlType::Text, &text).unwrap();
        let again = Fill::open(SqlType::Text, fill.bytes()).unwrap();
        assert_eq!(
            repeated(&again, 3).as_string_view().value(2),
            text.as_string_view().value(0)
        );
        let truth: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
        let fill = Fill::new(SqlType::Boolean, &truth).unwrap();
        let again = Fill::open(SqlType::Boolean, fill.bytes()).unwrap();
        assert_eq!(repeated(&again, 1_000).as_boolean().true_count(), 1_000);
    }
}
