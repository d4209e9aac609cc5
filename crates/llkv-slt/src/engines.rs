//! Databases that the runner knows.

mod llkv;

#[cfg(feature = "engine-sqlite")]
mod sqlite;

pub use llkv::LlkvEngine;
#[cfg(feature = "engine-sqlite")]
pub use sqlite::SqliteEngine;
