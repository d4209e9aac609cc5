//! A database: one file, or memory.

use crate::Connection;
use llkv_result::Result;
use llkv_sql::{EngineOptions, SqlEngine};
use std::path::Path;

/// An open database. Cheap to clone; clones share it. The file is closed with the last clone and
/// the last [`Connection`].
#[derive(Clone)]
pub struct Database {
    engine: SqlEngine,
}

impl Database {
    /// Opens a file, or creates it.
    ///
    /// # Errors
    /// When the file is in use, damaged, of a newer format, or no LLKV database.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, EngineOptions::default())
    }

    /// Opens a file with options.
    ///
    /// # Errors
    /// Those of [`Database::open`].
    pub fn open_with(path: impl AsRef<Path>, options: EngineOptions) -> Result<Self> {
        Ok(Self {
            engine: SqlEngine::open_with(path.as_ref(), options)?,
        })
    }

    /// A database that lives as long as its handles.
    ///
    /// # Errors
    /// None in practice; the signature is that of [`Database::open`].
    pub fn in_memory() -> Result<Self> {
        Self::in_memory_with(EngineOptions::default())
    }

    /// [`Database::in_memory`] with options.
    ///
    /// # Errors
    /// Those of [`Database::in_memory`].
    pub fn in_memory_with(options: EngineOptions) -> Result<Self> {
        Ok(Self {
            engine: SqlEngine::in_memory_with(options)?,
        })
    }

    /// A connection: a session with its own transaction and settings. Connections of several threads
    /// work at the same time.
    ///
    /// # Errors
    /// When the engine is shutting down.
    pub fn connect(&self) -> Result<Connection> {
        Ok(Connection::new(self.engine.session()))
    }
}
