//! What a session knows of itself: when its transaction began, how many rows its statements changed.

use llkv_compute::StatementContext;
use llkv_result::{Result, StatementResult};
use llkv_types::Clock;

/// What stable functions answer, from statement to statement.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// When the last BEGIN ran, in microseconds since 1970-01-01 UTC.
    begun_micros: i64,
    changes: i64,
    total_changes: i64,
    last_row_id: i64,
}

impl Known {
    /// A transaction begins.
    pub(crate) fn begin(&mut self, clock: &dyn Clock) {
        self.begun_micros = clock.utc_micros();
    }

    /// The context of the statement that begins now, in a transaction that BEGIN began or in one of its own.
    pub(crate) fn statement(&self, clock: &dyn Clock, in_transaction: bool) -> StatementContext {
        let now = clock.utc_micros();
        StatementContext {
            transaction_micros: if in_transaction {
                self.begun_micros
            } else {
                now
            },
            statement_micros: now,
            changes: self.changes,
            total_changes: self.total_changes,
            last_row_id: self.last_row_id,
        }
    }

    /// Notes the integer key of the last row that a statement inserted.
    pub(crate) const fn inserted(&mut self, row_id: Option<i64>) {
        if let Some(row_id) = row_id {
            self.last_row_id = row_id;
        }
    }

    /// Notes what a statement did.
    pub(crate) fn note(&mut self, result: &Result<StatementResult>) {
        let Ok(result) = result else {
            return;
        };
        // A query changes nothing, and leaves the count of the statement before it.
        let writes = matches!(
            result,
            StatementResult::Insert { .. }
                | StatementResult::Update { .. }
                | StatementResult::Delete { .. }
                | StatementResult::Merge { .. }
        );
        if let (true, Some(rows)) = (writes, result.rows_affected()) {
            self.count(rows, true);
        }
    }

    /// Counts the rows of a statement that wrote, where its result does not tell them: with RETURNING.
    pub(crate) fn count(&mut self, rows: u64, is_returning: bool) {
        if is_returning {
            self.changes = i64::try_from(rows).unwrap_or(i64::MAX);
            self.total_changes = self.total_changes.saturating_add(self.changes);
        }
    }
}
