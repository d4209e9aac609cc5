//! Views of what the database does at this moment: transactions, memory, the file.

use crate::SessionCatalog;
use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use llkv_result::Result;
use std::sync::Arc;

/// A batch of columns of numbers.
fn numbers<const N: usize>(columns: [(&str, Vec<Option<u64>>); N]) -> Result<RecordBatch> {
    let columns = columns.map(|(name, values)| {
        let values: ArrayRef = Arc::new(UInt64Array::from(values));
        (name, values, true)
    });
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

/// Snapshots in use, the oldest first: how many transactions and open results look at each, and how many
/// commits came since. Rows that were deleted after the oldest one stay in the file.
pub(crate) fn transactions(catalog: &SessionCatalog) -> Result<RecordBatch> {
    let manager = &catalog.context().transactions;
    let live = manager.live_snapshots();
    let last = manager.last_committed();
    let column = |value: fn(&(u64, usize)) -> u64| live.iter().map(|s| Some(value(s))).collect();
    let behind = live.iter().map(|(id, _)| Some(last.saturating_sub(*id)));
    numbers([
        ("snapshot_id", column(|(id, _)| *id)),
        ("users", column(|(_, users)| *users as u64)),
        ("commits_since", behind.collect()),
    ])
}

/// Memory and temporary files of the operators of all queries, in bytes; no limit is NULL.
pub(crate) fn memory(catalog: &SessionCatalog) -> Result<RecordBatch> {
    let budget = &catalog.context().memory;
    let space = &catalog.context().spill;
    let limited = |limit: u64| vec![Some(limit).filter(|limit| *limit < u64::MAX)];
    numbers([
        ("limit_bytes", limited(budget.limit_bytes())),
        ("used_bytes", vec![Some(budget.used_bytes())]),
        ("peak_bytes", vec![Some(budget.peak_bytes())]),
        ("temp_limit_bytes", limited(space.limit_bytes())),
        ("temp_bytes", vec![Some(space.used_bytes())]),
        ("temp_files", vec![Some(space.files())]),
    ])
}

/// Sizes of the file and its log, in bytes.
pub(crate) fn storage(catalog: &SessionCatalog) -> Result<RecordBatch> {
    let context = catalog.context();
    let stats = context.store.pager().stats();
    let oldest = context.transactions.live_snapshots().first().copied();
    numbers([
        ("file_bytes", vec![Some(stats.file_bytes)]),
        ("free_bytes", vec![Some(stats.free_bytes)]),
        ("log_bytes", vec![Some(stats.log_bytes)]),
        ("value_count", vec![Some(stats.key_count)]),
        (
            "last_commit",
            vec![Some(context.transactions.last_committed())],
        ),
        ("oldest_snapshot", vec![oldest.map(|(id, _)| id)]),
    ])
}
