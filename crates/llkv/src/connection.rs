//! A session of a database.

use crate::row::rows;
use crate::{Appender, Row, Statement, Transaction, tx};
use llkv_executor::{CancelToken, OperatorStatistics, Progress, ProgressHook};
use llkv_plan::{ExternalSource, IsolationLevel};
use llkv_result::{Result, SelectStream, StatementResult, TransactionError};
use llkv_sql::Session;
use std::sync::Arc;
use std::time::Duration;

/// A session: statements run one after the other, in autocommit or between BEGIN and COMMIT.
/// Dropping it rolls an open transaction back.
pub struct Connection {
    session: Session,
}

impl Connection {
    pub(crate) fn new(session: Session) -> Self {
        Self { session }
    }

    /// Runs the statements of a script, up to the first error, and gives their results.
    ///
    /// # Errors
    /// The first error; what ran before it stays.
    pub fn run(&mut self, sql: &str) -> Result<Vec<StatementResult>> {
        self.session.execute(sql)
    }

    /// Runs a script and gives the rows that its statements changed, in sum.
    ///
    /// # Errors
    /// Those of [`Connection::run`].
    pub fn execute(&mut self, sql: &str) -> Result<u64> {
        let results = self.run(sql)?;
        Ok(results
            .iter()
            .filter_map(StatementResult::rows_affected)
            .sum())
    }

    /// Runs one query. The rows stream: each batch is computed when it is pulled, on the snapshot
    /// that was current when the query began.
    ///
    /// # Errors
    /// When the text is no single query or cannot be planned; later errors come from the stream.
    pub fn query(&mut self, sql: &str) -> Result<SelectStream> {
        self.session.sql(sql)
    }

    /// Runs one query whose result is small, and gives its rows.
    ///
    /// # Errors
    /// Those of [`Connection::query`], and of reading the rows.
    pub fn rows(&mut self, sql: &str) -> Result<Vec<Row>> {
        rows(self.query(sql)?)
    }

    /// Does some work in a transaction of its own: commits it when the work is done, rolls it back when the work
    /// fails, and does all of it again where a concurrent transaction came first
    /// ([`llkv_result::Error::is_retryable`]), up to 16 times.
    ///
    /// # Errors
    /// Those of the work and of the commit; for a connection in a transaction.
    pub fn transaction<T>(
        &mut self,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        tx::run(self, "BEGIN", work)
    }

    /// [`Connection::transaction`] of an isolation level, whatever `SET default_transaction_isolation` says. Work that is
    /// [`IsolationLevel::Serializable`] is done as if no other such work ran beside it, and is done again more often.
    ///
    /// # Errors
    /// Those of [`Connection::transaction`].
    pub fn transaction_at<T>(
        &mut self,
        isolation: IsolationLevel,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        let begin = match isolation {
            IsolationLevel::Snapshot => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            IsolationLevel::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
        };
        tx::run(self, begin, work)
    }

    /// True between BEGIN and the end of its transaction.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.session.in_transaction()
    }

    /// Commits, or fails where a failed statement leaves nothing to commit.
    pub(crate) fn commit(&mut self) -> Result<()> {
        match self.run("COMMIT")?.as_slice() {
            [StatementResult::Transaction { tag: "ROLLBACK" }] => {
                Err(TransactionError::Aborted.into())
            }
            _ => Ok(()),
        }
    }

    /// The token that stops the running statement, from any thread. It stays cancelled, and so do
    /// later statements, until it is reset.
    #[must_use]
    pub fn cancel_token(&self) -> CancelToken {
        self.session.cancel_token()
    }

    /// Bytes that the operators of all connections may hold together (`SET memory_limit`); none without a limit.
    #[must_use]
    pub fn memory_limit_bytes(&self) -> Option<u64> {
        self.session.memory_limit_bytes()
    }

    /// What the operators of the last statement that ran a plan have counted so far.
    #[must_use]
    pub fn last_statistics(&self) -> Option<OperatorStatistics> {
        self.session.last_statistics()
    }

    /// Calls `callback` at most once in each `every` while a later statement runs, on whatever thread is at work;
    /// false stops the statement, as a cancelled token does. [`Connection::without_progress`] ends it.
    pub fn on_progress(
        &mut self,
        every: Duration,
        callback: impl Fn(Progress) -> bool + Send + Sync + 'static,
    ) {
        let hook = ProgressHook::new(every, callback);
        self.session.set_progress(Some(hook));
    }

    /// Nobody wants to know of progress any more.
    pub fn without_progress(&mut self) {
        self.session.set_progress(None);
    }

    /// Parses and plans a statement once, for many executions.
    ///
    /// # Errors
    /// When the text is no single statement, or names what is not there.
    pub fn prepare(&mut self, sql: &str) -> Result<Statement> {
        Ok(Statement::new(self.session.prepare(sql)?))
    }

    /// The fast way in for Arrow batches: see [`Appender`].
    ///
    /// # Errors
    /// When no transaction can begin.
    pub fn appender(&mut self, table: &str) -> Result<Appender<'_>> {
        Appender::new(self, table)
    }

    /// Appends the rows of a source, a file or a generator, to a table, columns by position, and gives their
    /// number. Atomic, as INSERT is.
    ///
    /// # Errors
    /// When types do not fit, or a constraint refuses a row.
    pub fn insert_from(&mut self, table: &str, source: Arc<dyn ExternalSource>) -> Result<u64> {
        Ok(self
            .session
            .insert_from(table, source)?
            .rows_affected()
            .unwrap_or(0))
    }
}
