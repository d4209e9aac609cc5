//! The first updater wins: who comes later gets a retryable error.

use llkv_result::{Error, TransactionError};
use llkv_types::{TXN_ID_NONE, TxnId};

/// The position of a row that another transaction deleted (or replaced) after the snapshot, given the
/// `deleted_by` of rows that the snapshot sees.
#[must_use]
pub fn changed_since(deleted_by: &[TxnId], snapshot_id: TxnId) -> Option<usize> {
    deleted_by
        .iter()
        .position(|id| *id != TXN_ID_NONE && *id > snapshot_id)
}

/// The error of a transaction that came second.
#[must_use]
pub fn conflict(table: &str, detail: &str) -> Error {
    Error::Transaction(TransactionError::Conflict {
        table: table.to_owned(),
        detail: detail.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_deleters_count_as_much_as_running_ones() {
        assert_eq!(changed_since(&[TXN_ID_NONE, 8, 12], 10), Some(2));
        assert_eq!(changed_since(&[TXN_ID_NONE, TXN_ID_NONE], 10), None);
        assert!(conflict("t", "d").is_retryable());
    }
}
