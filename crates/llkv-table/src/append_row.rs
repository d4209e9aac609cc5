//! Appending one row: the checks of [`StagedTable::append`] without arrays, for a row whose keys are new.

use crate::{StagedTable, UniqueKey, WriteContext};
use arrow::array::ArrayRef;
use llkv_column_map::{IndexAccess, IntegerKey, KeyRange, PointRequest};
use llkv_result::{ConstraintError, Error, Result};
use llkv_types::Scalar;
use smallvec::SmallVec;
use std::sync::Arc;

/// The bytes of a key.
pub(crate) type RowKey = SmallVec<[u8; 16]>;

impl StagedTable {
    /// Appends a row: a value for each column of the table, of its type. False where the row has to be
    /// appended as a batch, because its key may exist; nothing has happened then.
    ///
    /// # Errors
    /// When the row violates NOT NULL, or the store fails.
    pub fn append_row(&mut self, context: &WriteContext<'_>, row: &[Scalar]) -> Result<bool> {
        let table = Arc::clone(&self.table);
        for (column, value) in table.schema().columns.iter().zip(row) {
            if !column.nullable && value.is_null() {
                return Err(Error::Constraint(ConstraintError::NotNull {
                    table: table.meta().name.clone(),
                    column: column.name.clone(),
                }));
            }
        }
        // Those are made one when they come as a batch.
        if row.iter().any(is_nan) {
            return Ok(false);
        }
        let mut keys: SmallVec<[(usize, RowKey); 2]> = SmallVec::new();
        for (index, key) in table.keys().iter().enumerate() {
            let Some(bytes) = key.encode_row(row)? else {
                continue;
            };
            let is_new = self.is_new_to_stored(context, key, &bytes)?
                && self.keys.get(index).and_then(|own| own.may_contain(&bytes)) == Some(false);
            if !is_new {
                return Ok(false);
            }
            keys.push((index, bytes));
        }
        if !self.push_row(context.store, row)? {
            return Ok(false);
        }
        for (index, bytes) in keys {
            if let Some(own) = self.keys.get_mut(index) {
                own.insert(&bytes);
            }
        }
        Ok(true)
    }
}

fn is_nan(value: &Scalar) -> bool {
    match value {
        Scalar::Float32(value) => value.is_nan(),
        Scalar::Float64(value) => value.is_nan(),
        _ => false,
    }
}

impl StagedTable {
    /// True for a key that no stored row has which the transaction sees; false where it may be there.
    fn is_new_to_stored(
        &self,
        context: &WriteContext<'_>,
        key: &UniqueKey,
        bytes: &[u8],
    ) -> Result<bool> {
        if key.is_above_stored(bytes) == Some(true) {
            return Ok(true);
        }
        let Some(version) = context.store.table(self.table.id())? else {
            // The transaction has created the table itself.
            return Ok(true);
        };
        if self.has_versions || key.is_above_stored(bytes).is_none() {
            return Ok(false);
        }
        let deletes = self.deletes();
        let found = version.look_up(&PointRequest {
            access: &IndexAccess {
                index: key.index(),
                ranges: vec![KeyRange::with_prefix(bytes)],
                whole_keys: true,
            },
            snapshot: context.snapshot.snapshot_id,
            without: (!deletes.is_empty()).then_some(deletes),
            fields: &[],
        })?;
        Ok(found.is_some_and(|found| found.row_ids.is_empty()))
    }
}

impl UniqueKey {
    /// The key of one row; `None` with a NULL in it.
    fn encode_row(&self, row: &[Scalar]) -> Result<Option<RowKey>> {
        let values: SmallVec<[&Scalar; 4]> = self
            .columns()
            .iter()
            .filter_map(|at| row.get(*at))
            .collect();
        if values.iter().any(|value| value.is_null()) {
            return Ok(None);
        }
        if let [value] = values.as_slice()
            && let Some(integer) = value.as_integer()
            && let Some(key) = IntegerKey::new(value.sql_type(), integer)
        {
            return Ok(Some(key.as_bytes().into()));
        }
        let columns = values.iter().map(|value| value.to_array(1));
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        let keys = self.encode(&columns)?;
        Ok(keys.get(0).map(Into::into))
    }
}
