//! A prepared statement.

use crate::Parameters;
use crate::row::{Row, rows};
use llkv_result::{BindError, Result, SelectStream, StatementResult};
use llkv_sql::PreparedStatement;
use llkv_types::SqlType;

/// A statement that is parsed and planned once and run any number of times, in its connection's transaction.
/// When the catalog, a setting or the size of its tables has changed, it is planned anew by itself.
#[derive(Debug)]
pub struct Statement {
    prepared: PreparedStatement,
}

impl Statement {
    pub(crate) fn new(prepared: PreparedStatement) -> Self {
        Self { prepared }
    }

    /// Runs the statement and gives the rows that it changed.
    ///
    /// # Errors
    /// When there are too few or too many values, one cannot be cast to what its place asks for, or the
    /// statement fails.
    pub fn execute(&self, parameters: impl Parameters) -> Result<u64> {
        Ok(self.run(parameters)?.rows_affected().unwrap_or(0))
    }

    /// Runs a query. The rows stream: each batch is computed when it is pulled.
    ///
    /// # Errors
    /// Those of [`Statement::execute`], and for a statement that gives no rows.
    pub fn query(&self, parameters: impl Parameters) -> Result<SelectStream> {
        match self.run(parameters)? {
            StatementResult::Select(stream) => Ok(stream),
            _ => Err(BindError::Invalid {
                message: "the statement gives no rows".into(),
                span: None,
            }
            .into()),
        }
    }

    /// Runs a query whose result is small, and gives its rows.
    ///
    /// # Errors
    /// Those of [`Statement::query`], and of reading the rows.
    pub fn rows(&self, parameters: impl Parameters) -> Result<Vec<Row>> {
        rows(self.query(parameters)?)
    }

    /// Runs the statement and gives whatever it gives.
    ///
    /// # Errors
    /// Those of [`Statement::execute`].
    pub fn run(&self, parameters: impl Parameters) -> Result<StatementResult> {
        parameters.with(|values| self.prepared.execute(values))
    }

    /// The types that its parameters ask for, one for each.
    #[must_use]
    pub fn parameter_types(&self) -> Vec<SqlType> {
        self.prepared.parameter_types()
    }
}
