//! Keys of ORDER BY as rows of bytes whose order is the order asked for.

use crate::batch::Batch;
use crate::resolve::Prepared;
use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::SortOptions;
use arrow_row::{RowConverter, Rows, SortField};
use llkv_compute::{key_type, normalized};
use llkv_expr::SortKey;
use llkv_plan::PlanColumn;
use llkv_result::Result;

/// The keys of a sort, ready to be encoded.
pub(crate) struct SortKeys {
    exprs: Vec<Prepared>,
    converter: RowConverter,
}

impl SortKeys {
    /// Keys over rows with these columns.
    pub(crate) fn new(keys: &[SortKey], columns: &[PlanColumn]) -> Result<Self> {
        let exprs = crate::resolve::prepare_all(keys.iter().map(|k| &k.expr), columns)?;
        Self::with_exprs(keys, exprs)
    }

    /// Keys that were computed already: column `position` and those after it.
    pub(crate) fn from_position(keys: &[SortKey], position: usize) -> Result<Self> {
        let exprs = (position..position + keys.len()).map(Prepared::Column);
        Self::with_exprs(keys, exprs.collect())
    }

    fn with_exprs(keys: &[SortKey], exprs: Vec<Prepared>) -> Result<Self> {
        let fields = keys.iter().map(|key| {
            let options = SortOptions {
                descending: key.descending,
                nulls_first: key.nulls_first,
            };
            SortField::new_with_options(key_type(key.expr.ty()), options)
        });
        Ok(Self {
            converter: RowConverter::new(fields.collect())?,
            exprs,
        })
    }

    /// The rows of a batch in order; equal keys stay as they are.
    pub(crate) fn order(&self, batch: &Batch) -> Result<UInt32Array> {
        let keys = self.encode(batch)?;
        let mut order: Vec<u32> = (0..batch.rows as u32).collect();
        order.sort_by(|a, b| keys.row(*a as usize).cmp(&keys.row(*b as usize)));
        Ok(UInt32Array::from(order))
    }

    /// The keys of a batch's rows, comparable byte by byte.
    pub(crate) fn encode(&self, batch: &Batch) -> Result<Rows> {
        let exprs = self.exprs.iter();
        let columns: Result<Vec<ArrayRef>> =
            exprs.map(|e| normalized(&e.evaluate(batch)?)).collect();
        Ok(self.converter.convert_columns(&columns?)?)
    }

    /// Rows without any yet.
    pub(crate) fn empty(&self) -> Rows {
        self.converter.empty_rows(0, 0)
    }
}

/// The first eight bytes of a key: two keys that differ there are ordered by one comparison of integers.
pub(crate) fn prefix(key: &[u8]) -> u64 {
    let mut bytes = [0_u8; 8];
    for (to, from) in bytes.iter_mut().zip(key) {
        *to = *from;
    }
    u64::from_be_bytes(bytes)
}
