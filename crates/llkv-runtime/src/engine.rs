//! A database that is open.

use crate::backup::back_up;
use crate::context::RuntimeContext;
use crate::integrity;
use crate::{RuntimeOptions, RuntimeSession};
use llkv_result::Result;
use llkv_storage::{BoxedPager, FilePager, MemPager};
use llkv_types::CancelToken;
use std::path::Path;
use std::sync::Arc;

/// An open database. Cheap to clone; it is closed, with a last checkpoint, when the engine and all of its
/// sessions and result streams are gone.
#[derive(Debug, Clone)]
pub struct RuntimeEngine {
    context: Arc<RuntimeContext>,
}

impl RuntimeEngine {
    /// Opens a database file, or creates it.
    ///
    /// # Errors
    /// When the file is in use, damaged, no database, or cannot be written.
    pub fn open(path: impl AsRef<Path>, options: RuntimeOptions) -> Result<Self> {
        let disk = Arc::clone(&options.disk);
        let pager = FilePager::open_on(disk, &path, options.file.clone())?;
        let context = RuntimeContext::open(Arc::new(pager), options, false, Some(path.as_ref()))?;
        Ok(Self { context })
    }

    /// Opens a database file that others may have open too; nothing can be written and not a byte changes.
    ///
    /// # Errors
    /// When the file does not exist, is damaged or is no database.
    pub fn open_read_only(path: impl AsRef<Path>, options: RuntimeOptions) -> Result<Self> {
        let disk = Arc::clone(&options.disk);
        let pager = FilePager::open_read_only_on(disk, path, options.file.clone())?;
        let context = RuntimeContext::open(Arc::new(pager), options, true, None)?;
        Ok(Self { context })
    }

    /// A database that lives as long as its engine.
    ///
    /// # Errors
    /// Only for bugs.
    pub fn in_memory(mut options: RuntimeOptions) -> Result<Self> {
        options.store.journal = false;
        Self::with_pager(Arc::new(MemPager::new()), options)
    }

    /// A database in any pager.
    ///
    /// # Errors
    /// When the pager fails or what it holds is damaged.
    pub fn with_pager(pager: BoxedPager, options: RuntimeOptions) -> Result<Self> {
        let context = RuntimeContext::open(pager, options, false, None)?;
        Ok(Self { context })
    }

    /// A connection. Sessions are independent: each may be moved to a thread of its own.
    #[must_use]
    pub fn session(&self) -> RuntimeSession {
        RuntimeSession::new(Arc::clone(&self.context))
    }

    /// Seals the rows committed so far and folds the log into the file.
    ///
    /// # Errors
    /// When the file cannot be written; what was committed stays committed.
    pub fn checkpoint(&self) -> Result<()> {
        self.context.checkpoint(&CancelToken::new())
    }

    /// A checkpoint of all tables that leaves no dead row behind which no snapshot sees, and gives the
    /// space back to the disk. Others read and write meanwhile.
    ///
    /// # Errors
    /// As [`RuntimeEngine::checkpoint`].
    pub fn vacuum(&self) -> Result<()> {
        self.context.vacuum(&CancelToken::new())
    }

    /// Reads everything, and gives back what contradicts its checksum, the catalog or a constraint, a
    /// sentence each; nothing where all is well.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn verify(&self) -> Result<Vec<String>> {
        integrity::check(&self.context, &CancelToken::new())
    }

    /// Copies what is committed at this moment to a new database file. Others read and write meanwhile.
    ///
    /// # Errors
    /// When the file exists, and on I/O errors; nothing is left behind then.
    pub fn back_up(&self, target: impl AsRef<Path>) -> Result<()> {
        back_up(&self.context, target.as_ref(), &CancelToken::new()).map(|_| ())
    }

    /// The last commit that is visible to new transactions.
    #[must_use]
    pub fn last_committed(&self) -> u64 {
        self.context.transactions.last_committed()
    }

    /// Ends the engine with a checkpoint, whose error a mere drop could not tell. Sessions that are still
    /// open go on.
    ///
    /// # Errors
    /// When the checkpoint fails; what was committed stays committed.
    pub fn close(self) -> Result<()> {
        if !self.context.is_kept() {
            return Ok(());
        }
        // What sessions have a hold of they hold with the context.
        if Arc::strong_count(&self.context) == 1 {
            self.context.give_back_numbers()?;
        }
        self.context.checkpoint(&CancelToken::new())
    }
}
