//! Rows of small results, value by value.

use arrow::array::RecordBatch;
use llkv_result::{BindError, Error, Result, SelectStream};
use llkv_types::{FromScalar, Scalar};
use std::sync::Arc;

/// A row of a result that was read to its end. Large results are read batch by batch instead.
#[derive(Debug, Clone)]
pub struct Row {
    batch: Arc<RecordBatch>,
    at: usize,
}

/// A column of a row: its position, or its name.
pub trait ColumnIndex: std::fmt::Display {
    /// The position in the batch.
    fn position(&self, batch: &RecordBatch) -> Option<usize>;
}

impl ColumnIndex for usize {
    fn position(&self, batch: &RecordBatch) -> Option<usize> {
        (*self < batch.num_columns()).then_some(*self)
    }
}

impl ColumnIndex for &str {
    fn position(&self, batch: &RecordBatch) -> Option<usize> {
        let schema = batch.schema_ref();
        let mut fields = schema.fields().iter();
        fields.position(|field| field.name().eq_ignore_ascii_case(self))
    }
}

impl Row {
    /// The value of a column, by position or name. NULL is a value of an `Option` only.
    ///
    /// # Errors
    /// When there is no such column, or its value is of another kind or does not fit.
    pub fn get<T: FromScalar>(&self, column: impl ColumnIndex) -> Result<T> {
        let scalar = self.scalar(&column)?;
        T::from_scalar(&scalar).ok_or_else(|| {
            let wanted = std::any::type_name::<T>();
            let message = format!(
                "column {column} holds {scalar} of type {}, which is no {wanted}",
                scalar.sql_type()
            );
            BindError::TypeMismatch {
                message,
                span: None,
            }
            .into()
        })
    }

    fn scalar(&self, column: &impl ColumnIndex) -> Result<Scalar> {
        let found = column.position(&self.batch);
        let array = found.and_then(|position| self.batch.columns().get(position));
        let array = array.ok_or_else(|| {
            let message = format!("the row has no column {column}");
            Error::from(BindError::Invalid {
                message,
                span: None,
            })
        })?;
        Scalar::from_array(array.as_ref(), self.at)
    }
}

/// All rows of a result.
pub(crate) fn rows(stream: SelectStream) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for batch in stream {
        let batch = Arc::new(batch.map_err(Error::from_arrow)?);
        rows.extend((0..batch.num_rows()).map(|at| Row {
            batch: Arc::clone(&batch),
            at,
        }));
    }
    Ok(rows)
}
