//! How far a query has come, told to somebody outside while it runs.

use llkv_result::{ExecError, Result};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How far a query has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows that scans and other sources have put out.
    pub rows_read: u64,
    /// Rows that the sources of all pipelines begun so far hold, roughly. Filters within a scan leave fewer.
    pub rows_expected: u64,
    /// Since the query began.
    pub elapsed: Duration,
}

/// Who wants to know, and how often. Clones are the same.
#[derive(Clone)]
pub struct ProgressHook {
    every: Duration,
    callback: Arc<dyn Fn(Progress) -> bool + Send + Sync>,
}

impl ProgressHook {
    /// Calls `callback` at most once in each `every`, on whatever thread is at work; false stops the query.
    pub fn new(
        every: Duration,
        callback: impl Fn(Progress) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            every,
            callback: Arc::new(callback),
        }
    }
}

impl fmt::Debug for ProgressHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressHook")
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

/// What one running query counts for its hook.
pub(crate) struct Watch {
    hook: ProgressHook,
    began: Instant,
    rows_read: AtomicU64,
    rows_expected: AtomicU64,
    /// Microseconds since the beginning from which on the hook is called again.
    next_call_us: AtomicU64,
}

impl Watch {
    pub(crate) fn new(hook: &ProgressHook) -> Self {
        Self {
            next_call_us: AtomicU64::new(micros(hook.every)),
            hook: hook.clone(),
            began: Instant::now(),
            rows_read: AtomicU64::new(0),
            rows_expected: AtomicU64::new(0),
        }
    }

    /// A pipeline over so many rows begins.
    pub(crate) fn expect(&self, rows: u64) {
        self.rows_expected.fetch_add(rows, Ordering::Relaxed);
    }

    /// A source put out so many rows.
    pub(crate) fn read(&self, rows: u64) {
        self.rows_read.fetch_add(rows, Ordering::Relaxed);
    }

    /// Calls the hook where it is time.
    ///
    /// # Errors
    /// When it wants the query to stop.
    pub(crate) fn check(&self) -> Result<()> {
        let elapsed = self.began.elapsed();
        let (now, due) = (micros(elapsed), self.next_call_us.load(Ordering::Relaxed));
        if now < due {
            return Ok(());
        }
        let next = now.saturating_add(micros(self.hook.every));
        let is_mine =
            self.next_call_us
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
        if is_mine.is_err() {
            return Ok(());
        }
        let goes_on = (self.hook.callback)(Progress {
            rows_read: self.rows_read.load(Ordering::Relaxed),
            rows_expected: self.rows_expected.load(Ordering::Relaxed),
            elapsed,
        });
        match goes_on {
            true => Ok(()),
            false => Err(ExecError::Cancelled.into()),
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
