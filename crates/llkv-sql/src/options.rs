//! How an engine is opened.

use crate::SqlDialect;
use llkv_runtime::RuntimeOptions;

/// Settings of a [`crate::SqlEngine`].
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// Dialect that sessions start with; each may change its own with `SET dialect = '...'`.
    pub dialect: SqlDialect,
    /// Opens a file that others may have open too, for reading alone.
    pub read_only: bool,
    /// Threads, memory, checkpoints, the file.
    pub runtime: RuntimeOptions,
}

impl EngineOptions {
    /// The defaults, with another dialect.
    #[must_use]
    pub fn with_dialect(dialect: SqlDialect) -> Self {
        Self {
            dialect,
            ..Self::default()
        }
    }
}
