//! What stable functions answer: the time of the transaction, what the statement before it changed.
//!
//! The session sets a [`StatementContext`] while it runs a statement. Expressions are compiled on the
//! session's own thread, and there a stable function becomes a constant, so that every row on every thread
//! sees one value.

use llkv_types::{Clock, SystemClock};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// What a session knows of the statement that it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementContext {
    /// When the transaction began, in microseconds since 1970-01-01 UTC.
    pub transaction_micros: i64,
    /// When the statement began.
    pub statement_micros: i64,
    /// Rows that the last INSERT, UPDATE, DELETE or MERGE changed.
    pub changes: i64,
    /// Rows that the session changed since it began.
    pub total_changes: i64,
    /// The INTEGER PRIMARY KEY of the row that the session inserted last; 0 before the first.
    pub last_row_id: i64,
}

impl StatementContext {
    /// A statement in a transaction of its own, of a session that has changed nothing.
    #[must_use]
    pub fn now() -> Self {
        let now = clock_micros();
        Self {
            transaction_micros: now,
            statement_micros: now,
            changes: 0,
            total_changes: 0,
            last_row_id: 0,
        }
    }

    /// That of the statement which runs on this thread; without a session, that of this moment.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.get().unwrap_or_else(Self::now)
    }
}

/// Microseconds since 1970-01-01 UTC, by the clock of [`within_clock`], or else the machine's.
#[must_use]
pub fn clock_micros() -> i64 {
    CLOCK.with_borrow(|clock| match clock {
        Some(clock) => clock.utc_micros(),
        None => SystemClock.utc_micros(),
    })
}

thread_local! {
    static CLOCK: RefCell<Option<Arc<dyn Clock>>> = const { RefCell::new(None) };
    static CURRENT: Cell<Option<StatementContext>> = const { Cell::new(None) };
}

/// Puts the former context back, also when a panic passes.
struct Restore(Option<StatementContext>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// Runs a statement: what `f` compiles on this thread takes stable functions from `context`.
///
/// ```
/// use llkv_compute::{StatementContext, within_statement};
///
/// let context = StatementContext { changes: 3, ..StatementContext::now() };
/// within_statement(context, || { /* compile and run */ });
/// ```
pub fn within_statement<T>(context: StatementContext, f: impl FnOnce() -> T) -> T {
    let _restore = Restore(CURRENT.replace(Some(context)));
    f()
}

/// Puts the former clock back, also when a panic passes.
struct RestoreClock(Option<Arc<dyn Clock>>);

impl Drop for RestoreClock {
    fn drop(&mut self) {
        CLOCK.set(self.0.take());
    }
}

/// Has `f`, and what it compiles on this thread, ask another clock than the machine's.
pub fn within_clock<T>(clock: &Arc<dyn Clock>, f: impl FnOnce() -> T) -> T {
    let _restore = RestoreClock(CLOCK.replace(Some(Arc::clone(clock))));
    f()
}

/// The clock that is asked on this thread in the place of the machine's.
pub(crate) fn current_clock() -> Option<Arc<dyn Clock>> {
    CLOCK.with_borrow(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_nest_and_end() {
        let with = |changes| StatementContext {
            changes,
            ..StatementContext::now()
        };
        within_statement(with(1), || {
            assert_eq!(
                within_statement(with(2), || StatementContext::current().changes),
                2
            );
            assert_eq!(StatementContext::current().changes, 1);
        });
        assert_eq!(CURRENT.get(), None);
    }

    #[test]
    fn a_simulated_clock_answers_while_it_is_asked() {
        let clock: Arc<dyn Clock> = Arc::new(llkv_types::SimClock::new(1));
        let simulated = within_clock(&clock, clock_micros);
        assert!(simulated < clock_micros());
        assert!(clock.utc_micros() - simulated < 1_000_000);
    }
}
