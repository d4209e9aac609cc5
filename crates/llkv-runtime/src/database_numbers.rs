//! The numbers that an application keeps in the file: `PRAGMA user_version`, `PRAGMA application_id`.

use crate::explain::one_batch;
use crate::transaction::Transaction;
use arrow::array::{ArrayRef, Int64Array};
use arrow::record_batch::RecordBatch;
use llkv_result::{Result, StatementResult};
use llkv_types::DatabaseNumber;
use std::sync::Arc;

/// Sets a number, or gives it back as a row of one column of its name.
pub(crate) fn read_or_set(
    transaction: &mut Transaction,
    number: DatabaseNumber,
    value: Option<i32>,
) -> Result<StatementResult> {
    if let Some(value) = value {
        transaction.set_number(number, value)?;
        return Ok(StatementResult::Utility { tag: "PRAGMA" });
    }
    let value = i64::from(transaction.catalog().number(number));
    let column: ArrayRef = Arc::new(Int64Array::from(vec![value]));
    Ok(one_batch(RecordBatch::try_from_iter([(
        number.name(),
        column,
    )])?))
}
