//! COPY ... TO a file.

use crate::transaction::Transaction;
use crate::{RuntimeSession, query};
use arrow::array::RecordBatchReader;
use llkv_files::open_sink;
use llkv_plan::{FileOptions, LogicalPlan};
use llkv_result::{Result, StatementResult};
use std::path::Path;

/// Writes the rows of a plan to a file, batch by batch. An error leaves the file as it was.
pub(crate) fn copy_to(
    session: &mut RuntimeSession,
    transaction: &Transaction,
    source: LogicalPlan,
    path: &Path,
    options: &FileOptions,
) -> Result<StatementResult> {
    let mut execution = query::execute(session, transaction, source)?;
    let mut sink = open_sink(path, options, execution.schema())?;
    while let Some(batch) = execution.next_batch()? {
        sink.write(&batch)?;
    }
    let rows = sink.finish()?;
    Ok(StatementResult::Copy { rows })
}
