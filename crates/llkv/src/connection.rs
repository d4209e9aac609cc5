//! A session of a database.

use llkv_executor::CancelToken;
use llkv_plan::ExternalSource;
use llkv_result::{Result, SelectStream, StatementResult};
use llkv_sql::{PreparedStatement, Session};
use std::sync::Arc;

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

    /// The token that stops the running statement, from any thread. It stays cancelled, and so do
    /// later statements, until it is reset.
    #[must_use]
    pub fn cancel_token(&self) -> CancelToken {
        self.session.cancel_token()
    }

    /// Parses and binds a statement once, for many executions.
    ///
    /// # Errors
    /// When the text is no single statement.
    pub fn prepare(&mut self, sql: &str) -> Result<PreparedStatement> {
        self.session.prepare(sql)
    }

    /// Appends the rows of a source to a table, columns by position, and gives their number: the fast
    /// way in for Arrow data. Atomic, as INSERT is.
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
