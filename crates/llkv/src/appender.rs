//! Arrow batches on their way into a table.

use crate::Connection;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{Field, Schema};
use llkv_plan::BatchSource;
use llkv_result::{BindError, Error, Result};
use llkv_types::SqlType;
use std::sync::Arc;

/// The fast way into a table: batch after batch, columns by position. The rows become visible together, when
/// the appender is finished; dropped before, it leaves nothing behind. Within a transaction they are part of it
/// as they come.
pub struct Appender<'c> {
    connection: &'c mut Connection,
    table: String,
    rows: u64,
    /// It began the transaction and ends it.
    owns_transaction: bool,
}

impl<'c> Appender<'c> {
    pub(crate) fn new(connection: &'c mut Connection, table: &str) -> Result<Self> {
        let owns_transaction = !connection.in_transaction();
        if owns_transaction {
            connection.execute("BEGIN")?;
        }
        Ok(Self {
            connection,
            table: table.to_owned(),
            rows: 0,
            owns_transaction,
        })
    }

    /// Appends a batch and gives the number of its rows. A value of another type than its column's is cast.
    ///
    /// # Errors
    /// When there is no such table, columns do not fit, or a constraint refuses a row: the transaction is
    /// aborted then.
    pub fn append(&mut self, batch: RecordBatch) -> Result<u64> {
        let batch = sql_forms(&batch)?;
        let rows = self
            .connection
            .insert_from(&self.table, Arc::new(BatchSource::new("batch", batch)))?;
        self.rows += rows;
        Ok(rows)
    }

    /// Commits, unless a transaction was running, and gives the number of all rows appended.
    ///
    /// # Errors
    /// When the commit fails.
    pub fn finish(mut self) -> Result<u64> {
        if std::mem::take(&mut self.owns_transaction) {
            self.connection.commit()?;
        }
        Ok(self.rows)
    }
}

impl Drop for Appender<'_> {
    fn drop(&mut self) {
        if self.owns_transaction {
            // It fails where there is nothing to roll back any more.
            let _ = self.connection.execute("ROLLBACK");
        }
    }
}

/// The batch with each column in the form of its SQL type: views for strings, microseconds for times.
fn sql_forms(batch: &RecordBatch) -> Result<RecordBatch> {
    let wrong = |field: &Field, why: String| {
        Error::from(BindError::TypeMismatch {
            message: format!("column \"{}\": {why}", field.name()),
            span: None,
        })
    };
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let schema = batch.schema_ref();
    let columns = batch.columns().iter().zip(schema.fields());
    let columns: Vec<(Field, ArrayRef)> = columns
        .map(|(column, field)| {
            let from = field.data_type();
            let ty = match SqlType::from_arrow(from) {
                Some(SqlType::Null) => SqlType::Text,
                Some(ty) => ty,
                None => return Err(wrong(field, format!("no SQL type is like {from}"))),
            };
            let column = cast_with_options(column, &ty.to_arrow(), &options)
                .map_err(|error| wrong(field, error.to_string()))?;
            Ok((Field::new(field.name(), ty.to_arrow(), true), column))
        })
        .collect::<Result<_>>()?;
    let (fields, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let schema = Arc::new(Schema::new(fields));
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}
