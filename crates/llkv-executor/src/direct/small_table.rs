//! A table of few rows, as values.

use crate::batch::Batch;
use llkv_result::Result;
use llkv_table::{ScanRequest, TableHandle};
use llkv_types::{FieldId, Scalar};

/// The rows of a table that has few, all columns and the row ids, as one snapshot sees them.
#[derive(Debug)]
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
        if columns.len() > Self::MOST_COLUMNS {
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
                rows += batch.rows;
                for row in 0..batch.rows {
                    for column in &batch.columns {
                        values.push(Scalar::from_array(column.as_ref(), row)?);
                    }
                }
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

    /// The values of a row.
    pub(super) fn row(&self, row: usize) -> &[Scalar] {
        let width = self.fields.len() + 1;
        let start = row * width;
        let values = self.values.get(start..start + width);
        values.unwrap_or_default()
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
