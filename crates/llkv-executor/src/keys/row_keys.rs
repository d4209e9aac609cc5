//! Keys of any type as comparable rows of bytes.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow_row::{RowConverter, Rows, SortField};
use llkv_result::Result;

/// Turns key columns into rows of bytes; equal rows have equal bytes.
pub(crate) struct RowKeys {
    converter: RowConverter,
}

impl RowKeys {
    pub(crate) fn new(types: &[DataType]) -> Result<Self> {
        let fields = types.iter().cloned().map(SortField::new).collect();
        Ok(Self {
            converter: RowConverter::new(fields)?,
        })
    }

    /// Rows without any yet.
    pub(crate) fn empty(&self) -> Rows {
        self.converter.empty_rows(0, 0)
    }

    /// The rows of `columns`, whose values must be normalized.
    pub(crate) fn encode(&self, columns: &[ArrayRef], out: &mut Rows) -> Result<()> {
        out.clear();
        Ok(self.converter.append(out, columns)?)
    }
}
