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
    /// Bytes of a key, but for texts and the like.
    fixed_bytes: u64,
    /// Some key is as long as its value.
    is_variable: bool,
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
        let fields: Vec<SortField> = fields.collect();
        let types = keys.iter().map(|key| key_type(key.expr.ty()));
        let widths: Vec<Option<usize>> = types.map(|t| t.primitive_width()).collect();
        Ok(Self {
            converter: RowConverter::new(fields)?,
            exprs,
            // A byte for NULL before each value, and the offset of the row.
            fixed_bytes: widths
                .iter()
                .map(|w| w.unwrap_or(1) as u64 + 1)
                .sum::<u64>()
                + 8,
            is_variable: widths.contains(&None),
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

    /// Bytes that the keys of a batch will take, about.
    pub(crate) fn estimated_bytes(&self, batch: &Batch) -> u64 {
        let texts = if self.is_variable {
            batch.memory_bytes()
        } else {
            0
        };
        batch.rows as u64 * self.fixed_bytes + texts
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
