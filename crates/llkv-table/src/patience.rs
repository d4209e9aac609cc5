//! When a statement gives up: how long it waits for rows that another transaction is changing, and what cancels it.

use llkv_result::Result;
use llkv_transaction::PendingDeletes;
use llkv_types::{CancelToken, TxnId};
use roaring::RoaringTreemap;
use std::time::{Duration, Instant};

/// A wait looks this often whether its statement was cancelled.
const CHECK_EVERY: Duration = Duration::from_millis(10);

/// What a statement puts up with. By default no wait: the first updater wins at once.
#[derive(Debug, Clone, Default)]
pub struct Patience {
    /// For so long it waits for rows that another transaction is changing.
    pub lock_timeout: Duration,
    /// What ends it early.
    pub cancel: CancelToken,
}

impl Patience {
    /// Takes all of `rows`, or none; false where another transaction still has one of them after the wait.
    ///
    /// # Errors
    /// When the statement was cancelled meanwhile.
    pub(crate) fn acquire(
        &self,
        pending: &PendingDeletes,
        txn: TxnId,
        rows: &RoaringTreemap,
    ) -> Result<bool> {
        if pending.acquire(txn, rows).is_ok() {
            return Ok(true);
        }
        let begun = Instant::now();
        loop {
            let left = self.lock_timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            self.cancel.check()?;
            if pending.acquire_within(txn, rows, left.min(CHECK_EVERY)) {
                return Ok(true);
            }
        }
    }
}
