//! How an engine works: defaults of its sessions, when it checkpoints.

use llkv_column_map::StoreOptions;
use llkv_storage::{Disk, FilePagerOptions, RealDisk};
use llkv_types::Clock;
use std::path::PathBuf;
use std::sync::Arc;

/// Settings of a [`crate::RuntimeEngine`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RuntimeOptions {
    /// Threads of a query; all cores where absent.
    pub threads: Option<usize>,
    /// Bytes that the operators of all queries may hold together; no limit where absent. What is over it goes to
    /// temporary files.
    pub memory_limit_bytes: Option<u64>,
    /// The folder of temporary files. Where absent, one beside the database's file, named after it, that exists only while
    /// there are any; the system's for a database in memory or one that is only read.
    pub temp_directory: Option<PathBuf>,
    /// Bytes that all temporary files may take together; no limit where absent, and none are made where 0.
    pub temp_limit_bytes: Option<u64>,
    /// Operators write to temporary files whatever they can, however much memory there is: for tests.
    pub force_spill: bool,
    /// A checkpoint begins in the background once this many rows wait for it: about a row group, which
    /// is what the column store seals at once.
    pub checkpoint_rows: u64,
    /// A checkpoint begins in the background once this many commits wait for it: what opening the
    /// file after a crash would replay.
    pub checkpoint_commits: u64,
    /// Checkpoints that are due run on a thread of their own (`true`), or in the session whose commit makes them
    /// due (`false`: every run of a script does the same).
    pub background_checkpoint: bool,
    /// How columns are stored.
    pub store: StoreOptions,
    /// How the file is read and logged.
    pub file: FilePagerOptions,
    /// Where the database's file and its backups lie: the file system, or a simulated disk.
    pub disk: Arc<dyn Disk>,
    /// What time it is, where that is not the machine's matter: for simulations.
    pub clock: Option<Arc<dyn Clock>>,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self {
            threads: None,
            memory_limit_bytes: None,
            temp_directory: None,
            temp_limit_bytes: None,
            force_spill: false,
            checkpoint_rows: llkv_types::ROW_GROUP_ROWS as u64,
            checkpoint_commits: 16_384,
            background_checkpoint: true,
            store: StoreOptions::default(),
            file: FilePagerOptions::default(),
            disk: Arc::new(RealDisk),
            clock: None,
        }
    }
}

/// What a failed statement does to the transaction it is part of. A conflict always aborts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStatementError {
    /// The transaction takes only ROLLBACK from then on: PostgreSQL's meaning.
    #[default]
    AbortTransaction,
    /// The statement leaves no trace and the transaction goes on: SQLite's meaning.
    UndoStatement,
}
