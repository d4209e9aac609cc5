//! A table of few rows, as values.

use crate::batch::Batch;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use llkv_result::Result;
use llkv_table::{ScanRequest, TableHandle};
use llkv_types::{FieldId, RowId, Scalar, SqlType};

/// The rows of a table that has few, all columns and the row ids, as one snapshot sees them.
#[derive(Debug, Clone)]
pub struct SmallTable {
    fields: Vec<FieldId>,
    rows: usize,
    /// Row by row; behind the columns stands the row id.
    values: Vec<Scalar>,
}

impl SmallTable {
    /// Rows above which a table is not small.
    const MOST_ROWS: u64 = 256;
    /// Columns above which it is not.
    const MOST_COLUMNS: usize = 64;
    /// Bytes of values above which it is not.
    const MOST_BYTES: u64 = 64 << 10;

    /// The rows of a table; `None` where it is not small.
    ///
    /// # Errors
    /// When stored rows cannot be read.
    pub fn read(handle: &TableHandle) -> Result<Option<Self>> {
        let columns = &handle.schema().columns;
        // Nothing is opened for a table that is not.
        if columns.len() > Self::MOST_COLUMNS || handle.row_count_estimate() > Self::MOST_ROWS {
            return Ok(None);
        }
        let fields: Vec<FieldId> = columns.iter().map(|column| column.field).collect();
        let request = ScanRequest {
            with_row_id: true,
            ..ScanRequest::new(fields.clone())
        };
        let scan = handle.scan_stream(&request)?;
        if scan.estimated_rows() > Self::MOST_ROWS {
            return Ok(None);
        }
        let (mut rows, mut bytes) = (0, 0);
        let mut values = Vec::new();
        for morsel in 0..scan.morsel_count() {
            for batch in scan.read(morsel)? {
                let batch = Batch::from(batch?);
                bytes += batch.memory_bytes();
                if bytes > Self::MOST_BYTES {
                    return Ok(None);
                }
                let (first, width) = (values.len(), fields.len() + 1);
                values.resize(first + batch.rows * width, Scalar::Null(SqlType::Null));
                for (position, column) in batch.columns.iter().enumerate() {
                    let cells = values.iter_mut().skip(first + position);
                    fill(cells.step_by(width), column)?;
                }
                rows += batch.rows;
            }
        }
        Ok(Some(Self {
            fields,
            rows,
            values,
        }))
    }

    /// How many rows.
    pub(super) const fn len(&self) -> usize {
        self.rows
    }

    /// The values of each row.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[Scalar]> {
        self.values.chunks_exact(self.width())
    }

    /// Drops the rows of these ids, where they are there.
    pub fn remove(&mut self, ids: &mut [RowId]) {
        ids.sort_unstable();
        let width = self.width();
        let mut kept = 0;
        for row in 0..self.rows {
            let id = self.values.get(row * width + width - 1);
            let goes = matches!(id, Some(Scalar::UInt64(id)) if ids.binary_search(id).is_ok());
            if goes {
                continue;
            }
            if kept < row {
                for position in 0..width {
                    let (to, from) = (kept * width + position, row * width + position);
                    self.values.swap(to, from);
                }
            }
            kept += 1;
        }
        self.rows = kept;
        self.values.truncate(kept * width);
    }

    /// Values of a row.
    const fn width(&self) -> usize {
        self.fields.len() + 1
    }

    /// Where a column stands in the rows.
    pub(super) fn position(&self, field: FieldId) -> Option<usize> {
        self.fields.iter().position(|own| *own == field)
    }

    /// Where the row id stands.
    pub(super) const fn row_id_position(&self) -> usize {
        self.fields.len()
    }
}

/// Puts the values of a column into cells.
fn fill<'v>(cells: impl Iterator<Item = &'v mut Scalar>, column: &ArrayRef) -> Result<()> {
    macro_rules! plain {
        ($column:expr, $kind:ident) => {
            for (cell, value) in cells.zip($column.values()) {
                *cell = Scalar::$kind(*value);
            }
        };
    }
    match column.data_type() {
        DataType::Int64 if column.null_count() == 0 => {
            plain!(column.as_primitive::<Int64Type>(), Int64);
        }
        DataType::Float64 if column.null_count() == 0 => {
            plain!(column.as_primitive::<Float64Type>(), Float64);
        }
        DataType::UInt64 if column.null_count() == 0 => {
            plain!(column.as_primitive::<UInt64Type>(), UInt64);
        }
        _ => {
            for (row, cell) in cells.enumerate().take(column.len()) {
                *cell = Scalar::from_array(column.as_ref(), row)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array, RecordBatch, StringViewArray};
    use llkv_table::OWN_ROW_ID_BASE;
    use llkv_types::{Column, TableSchema};
    use std::sync::Arc;

    fn table() -> SmallTable {
        let types = [SqlType::Int64, SqlType::Float64, SqlType::Text];
        let columns = types.iter().zip(1..).map(|(ty, field)| Column {
            field: FieldId(field),
            name: format!("c{field}"),
            ty: *ty,
            nullable: true,
        });
        let schema = Arc::new(TableSchema {
            columns: columns.collect(),
        });
        let integers: Int64Array = (0..5_i64).map(|n| (n != 3).then_some(n)).collect();
        let reals: Float64Array = (0..5_i32).map(|n| Some(f64::from(n) / 2.0)).collect();
        let texts: StringViewArray = (0..5).map(|n| Some(n.to_string())).collect();
        let rows = RecordBatch::try_new(
            schema.to_arrow(),
            vec![Arc::new(integers), Arc::new(reals), Arc::new(texts)],
        );
        let handle = TableHandle::in_memory(schema, vec![rows.unwrap()]);
        SmallTable::read(&handle).unwrap().unwrap()
    }

    #[test]
    fn rows_are_read_with_their_ids() {
        let table = table();
        assert_eq!(table.len(), 5);
        let rows: Vec<&[Scalar]> = table.rows().collect();
        let id = |row| Scalar::UInt64(OWN_ROW_ID_BASE + row);
        assert_eq!(
            rows[3],
            [
                Scalar::Null(SqlType::Int64),
                Scalar::Float64(1.5),
                Scalar::Text("3".into()),
                id(3),
            ]
        );
        assert_eq!(rows[4][0], Scalar::Int64(4));
        assert_eq!(rows[4][table.row_id_position()], id(4));
        assert_eq!(table.position(FieldId(2)), Some(1));
    }

    #[test]
    fn rows_that_are_gone_leave_the_others_as_they_were() {
        let mut rest = table();
        let [one, two, other] = [2, 1, 7].map(|row| OWN_ROW_ID_BASE + row);
        rest.remove(&mut [one, other, two]);
        assert_eq!(rest.len(), 3);
        let ids = |table: &SmallTable| -> Vec<u64> {
            let ids = table.rows().map(|row| match row.last() {
                Some(Scalar::UInt64(id)) => id - OWN_ROW_ID_BASE,
                other => panic!("{other:?}"),
            });
            ids.collect()
        };
        assert_eq!(ids(&rest), [0, 3, 4]);
        let texts = rest.rows().map(|row| row[2].clone());
        let expected = ["0", "3", "4"].map(|text| Scalar::Text(text.into()));
        assert!(texts.eq(expected));
        rest.remove(&mut [0, 3, 4].map(|row| OWN_ROW_ID_BASE + row));
        assert_eq!((rest.len(), rest.rows().count()), (0, 0));
    }
}
