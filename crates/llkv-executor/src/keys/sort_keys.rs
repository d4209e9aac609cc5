//! Keys of ORDER BY as rows of bytes whose order is the order asked for.

use crate::batch::Batch;
use crate::resolve::{Column, Prepared};
use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::SortOptions;
use arrow_row::{RowConverter, Rows, SortField};
use llkv_compute::{key_type, normalized};
use llkv_expr::SortKey;
use llkv_result::Result;
use llkv_types::SqlType;

/// The keys of a sort, ready to be encoded.
pub(crate) struct SortKeys {
    exprs: Vec<Prepared>,
    /// Bytes of the value of each key; none for texts and the like.
    widths: Vec<Option<usize>>,
    converter: RowConverter,
    /// The type and the order of the first key.
    first: Option<(SqlType, SortOptions)>,
}

impl SortKeys {
    /// Keys over rows with these columns.
    pub(crate) fn new(keys: &[SortKey], columns: &[Column]) -> Result<Self> {
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
            first: keys.first().map(|key| {
                let options = SortOptions {
                    descending: key.descending,
                    nulls_first: key.nulls_first,
                };
                (key.expr.ty(), options)
            }),
            converter: RowConverter::new(fields)?,
            exprs,
            widths,
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
        let texts = if self.widths.contains(&None) {
            batch.memory_bytes()
        } else {
            0
        };
        // A byte for NULL before each value, and the offset of the row.
        let widths = self.widths.iter().map(|w| w.unwrap_or(1) as u64 + 1);
        batch.rows as u64 * (widths.sum::<u64>() + 8) + texts
    }

    /// Bytes of the first `keys` keys in each row; none where they are not the same in all.
    pub(crate) fn fixed_bytes_of(&self, keys: usize) -> Option<usize> {
        let widths = self.widths.iter().take(keys);
        // A byte for NULL before each value.
        widths.map(|width| Some(1 + (*width)?)).sum()
    }

    /// Position, type and order of the first key, where it is a column.
    pub(crate) fn first_column(&self) -> Option<(usize, SqlType, SortOptions)> {
        let position = self.exprs.first()?.as_column()?;
        let (ty, options) = self.first?;
        Some((position, ty, options))
    }

    /// Rows without any yet.
    pub(crate) fn empty(&self) -> Rows {
        self.converter.empty_rows(0, 0)
    }
}
