//! Databases that the runner knows.

#[cfg(feature = "engine-sqlite")]
mod sqlite;

#[cfg(feature = "engine-sqlite")]
pub use sqlite::SqliteEngine;
