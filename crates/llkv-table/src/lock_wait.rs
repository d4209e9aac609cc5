//! How long a statement waits for rows that another transaction is changing.

use llkv_result::Result;
use llkv_transaction::PendingDeletes;
use llkv_types::TxnId;
use roaring::RoaringTreemap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A wait looks this often whether its statement was cancelled.
const CHECK_EVERY: Duration = Duration::from_millis(10);

type Check = Arc<dyn Fn() -> Result<()> + Send + Sync>;

/// The patience of a statement. By default it has none: the first updater wins at once.
#[derive(Clone, Default)]
pub struct LockWait {
    limit: Duration,
    check: Option<Check>,
}

impl LockWait {
    /// Waits for at most `limit_ms`, or until `check` fails, which is asked now and then.
    pub fn new(limit_ms: u64, check: impl Fn() -> Result<()> + Send + Sync + 'static) -> Self {
        Self {
            limit: Duration::from_millis(limit_ms),
            check: Some(Arc::new(check)),
        }
    }

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
            let left = self.limit.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            if let Some(check) = &self.check {
                check()?;
            }
            if pending.acquire_within(txn, rows, left.min(CHECK_EVERY)) {
                return Ok(true);
            }
        }
    }
}

impl fmt::Debug for LockWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockWait").field(&self.limit).finish()
    }
}
