//! A database that speaks SQL.

use crate::{EngineOptions, PreparedStatement, Session, SqlDialect};
use llkv_result::{Result, SelectStream, StatementResult};
use llkv_runtime::RuntimeEngine;
use std::path::Path;

/// An open database. Cheap to clone, and shared between threads; each thread takes a [`Session`] of its own.
#[derive(Debug, Clone)]
pub struct SqlEngine {
    runtime: RuntimeEngine,
    dialect: SqlDialect,
}

impl SqlEngine {
    /// SQL on top of a runtime that is open already.
    #[must_use]
    pub const fn new(runtime: RuntimeEngine, dialect: SqlDialect) -> Self {
        Self { runtime, dialect }
    }

    /// Opens a database file, or creates it.
    ///
    /// # Errors
    /// When the file is in use, damaged, no database, or cannot be written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, EngineOptions::default())
    }

    /// Opens a database file with settings.
    ///
    /// # Errors
    /// As [`SqlEngine::open`]; read-only, also when the file does not exist.
    pub fn open_with(path: impl AsRef<Path>, options: EngineOptions) -> Result<Self> {
        let runtime = if options.read_only {
            RuntimeEngine::open_read_only(path, options.runtime)?
        } else {
            RuntimeEngine::open(path, options.runtime)?
        };
        Ok(Self::new(runtime, options.dialect))
    }

    /// A database that lives as long as its engine.
    ///
    /// # Errors
    /// Only for bugs.
    pub fn in_memory() -> Result<Self> {
        Self::in_memory_with(EngineOptions::default())
    }

    /// A database in memory, with settings.
    ///
    /// # Errors
    /// Only for bugs.
    pub fn in_memory_with(options: EngineOptions) -> Result<Self> {
        let runtime = RuntimeEngine::in_memory(options.runtime)?;
        Ok(Self::new(runtime, options.dialect))
    }

    /// A connection, with a transaction state and settings of its own.
    #[must_use]
    pub fn session(&self) -> Session {
        Session::new(&self.runtime, self.dialect)
    }

    /// Runs a script in a session of its own: see [`Session::execute`]. A transaction that it leaves open is
    /// rolled back.
    ///
    /// # Errors
    /// Of the first statement that fails.
    pub fn execute(&self, script: &str) -> Result<Vec<StatementResult>> {
        self.session().execute(script)
    }

    /// Runs one query in a session of its own: see [`Session::sql`].
    ///
    /// # Errors
    /// When the query fails, or the statement gives no rows.
    pub fn sql(&self, query: &str) -> Result<SelectStream> {
        self.session().sql(query)
    }

    /// Prepares a statement in a session of its own: see [`Session::prepare`].
    ///
    /// # Errors
    /// When the text cannot be bound.
    pub fn prepare(&self, statement: &str) -> Result<PreparedStatement> {
        self.session().prepare(statement)
    }

    /// The layer below: checkpoints, verification, closing.
    #[must_use]
    pub const fn runtime(&self) -> &RuntimeEngine {
        &self.runtime
    }
}
