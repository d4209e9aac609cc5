//! Cancellation: what stops a statement that takes too long.

use crate::Clock;
use llkv_result::{ExecError, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Stops a statement from outside: whatever takes long asks it between pieces of its work. Clones share one flag.
#[derive(Debug, Clone, Default)]
pub struct CancelToken {
    cancelled: Arc<AtomicBool>,
    deadline: Option<Deadline>,
}

/// When a statement has run for too long.
#[derive(Debug, Clone)]
struct Deadline {
    clock: Arc<dyn Clock>,
    /// By the clock's [`Clock::elapsed`].
    at: Duration,
    limit_ms: u64,
}

impl CancelToken {
    /// A token that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels every statement that runs with this token.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// Makes the token usable for the next statement.
    pub fn reset(&self) {
        self.cancelled.store(false, Ordering::Release);
    }

    /// Was it cancelled?
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Asked between pieces of work.
    ///
    /// # Errors
    /// When it was cancelled.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(ExecError::Cancelled.into());
        }
        match &self.deadline {
            Some(deadline) if deadline.clock.elapsed() >= deadline.at => {
                let limit_ms = deadline.limit_ms;
                Err(ExecError::Timeout { limit_ms }.into())
            }
            _ => Ok(()),
        }
    }

    /// Cancels what runs with this token, and clones that are made of it from now on, once so much time has passed.
    pub fn set_timeout(&mut self, clock: &Arc<dyn Clock>, limit_ms: u64) {
        let limit = Duration::from_millis(limit_ms);
        self.deadline = Some(Deadline {
            at: clock.elapsed().saturating_add(limit),
            clock: Arc::clone(clock),
            limit_ms,
        });
    }

    /// Takes back [`CancelToken::set_timeout`].
    pub fn clear_timeout(&mut self) {
        self.deadline = None;
    }
}
