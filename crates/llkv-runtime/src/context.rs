//! What all sessions of a database share: the persistent context.

use crate::RuntimeOptions;
use crate::commit::{CommitQueue, PublishQueue};
use crate::maintenance::Maintenance;
use crate::table_info::TableInfoCache;
use arc_swap::ArcSwap;
use llkv_column_map::ColumnStore;
use llkv_executor::{MemoryBudget, SpillSpace};
use llkv_result::{CatalogError, Error, Result, StorageError};
use llkv_storage::BoxedPager;
use llkv_table::{CatalogState, SysCatalog};
use llkv_transaction::{PendingDeletes, RegisteredSnapshot, TxnIdManager};
use llkv_types::{CancelToken, TableId};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The persistent context: the store, the published catalog, and the order of commits.
pub(crate) struct RuntimeContext {
    pub(crate) store: Arc<ColumnStore>,
    pub(crate) transactions: Arc<TxnIdManager>,
    /// The catalog as of the watermark, or of a commit that is being published this very moment.
    pub(crate) catalog: ArcSwap<CatalogState>,
    /// Rows of the catalog that running transactions are about to delete.
    pub(crate) catalog_locks: PendingDeletes,
    pub(crate) commits: Mutex<CommitQueue>,
    pub(crate) publishing: PublishQueue,
    pub(crate) maintenance: Maintenance,
    pub(crate) table_infos: TableInfoCache,
    pub(crate) memory: Arc<MemoryBudget>,
    pub(crate) spill: Arc<SpillSpace>,
    /// Where temporary files go unless a setting says otherwise, and whether the folder is for them alone.
    pub(crate) temp_directory: (PathBuf, bool),
    pub(crate) options: RuntimeOptions,
    pub(crate) is_read_only: bool,
    next_object_id: AtomicU32,
}

impl RuntimeContext {
    /// Opens what the pager holds, or begins a database in an empty one. `path` is the database's file, where it is the only
    /// one that has it open.
    pub(crate) fn open(
        pager: BoxedPager,
        options: RuntimeOptions,
        is_read_only: bool,
        path: Option<&Path>,
    ) -> Result<Arc<Self>> {
        let mut of_store = options.store.clone();
        of_store.clock = of_store.clock.or_else(|| options.clock.clone());
        let of_file = Arc::clone(&pager);
        let memory = MemoryBudget::new(options.memory_limit_bytes.unwrap_or(u64::MAX));
        of_store.memory = Arc::clone(&memory);
        let store = Arc::new(ColumnStore::open(pager, of_store)?);
        if store.table(TableId::CATALOG)?.is_none() && !is_read_only {
            SysCatalog::bootstrap(&store)?;
        }
        let transactions = TxnIdManager::new(store.last_commit());
        let catalog = match store.table(TableId::CATALOG)? {
            Some(version) => SysCatalog::load(&version, transactions.last_committed())
                .map_err(|error| error.in_file(of_file.path()))?,
            None => CatalogState::default(),
        };
        let catalog = Arc::new(catalog);
        let last_commit = transactions.last_committed();
        let temp_directory = temp_directory(&options, path);
        Ok(Arc::new(Self {
            commits: Mutex::new(CommitQueue::new(last_commit, Arc::clone(&catalog))),
            publishing: PublishQueue::new(last_commit),
            maintenance: Maintenance::new(&options),
            table_infos: TableInfoCache::default(),
            memory,
            spill: spill_space(&options, &temp_directory),
            temp_directory,
            next_object_id: AtomicU32::new(catalog.highest_id()),
            catalog: ArcSwap::new(catalog),
            catalog_locks: PendingDeletes::default(),
            store,
            transactions,
            options,
            is_read_only,
        }))
    }

    /// A snapshot for a new transaction, with the catalog as the snapshot sees it.
    pub(crate) fn begin(&self) -> (RegisteredSnapshot, Arc<CatalogState>) {
        loop {
            let snapshot = self.transactions.begin_transaction();
            let catalog = self.catalog.load_full();
            // A catalog is published a moment before the watermark moves: in between, look again.
            if catalog.as_of() <= snapshot.snapshot().snapshot_id {
                return (snapshot, catalog);
            }
            std::thread::yield_now();
        }
    }

    /// A table id that was never used.
    pub(crate) fn new_object_id(&self) -> Result<TableId> {
        let before = self.next_object_id.fetch_add(1, Ordering::Relaxed);
        let id = before.checked_add(1).ok_or_else(|| {
            Error::Catalog(CatalogError::Damaged {
                detail: "the table ids are used up".into(),
            })
        })?;
        Ok(TableId(id))
    }

    /// Seals, folds and frees what no snapshot needs any more.
    pub(crate) fn checkpoint(&self, cancel: &CancelToken) -> Result<()> {
        self.check_writable()?;
        let horizon = self.transactions.horizon();
        self.maintenance.checkpoint(&self.store, horizon, cancel)
    }

    /// A checkpoint that leaves no dead row and no free space behind.
    pub(crate) fn vacuum(&self, cancel: &CancelToken) -> Result<()> {
        self.check_writable()?;
        self.store.vacuum(self.transactions.horizon(), cancel)
    }

    /// True where what was committed is there for those who open the database after this engine.
    pub(crate) fn is_kept(&self) -> bool {
        !self.is_read_only && self.store.has_journal()
    }

    fn check_writable(&self) -> Result<()> {
        if self.is_read_only {
            let path = ":read-only:".into();
            return Err(Error::Storage(StorageError::ReadOnly { path }));
        }
        Ok(())
    }
}

/// The folder of temporary files, and whether it is for them alone.
fn temp_directory(options: &RuntimeOptions, path: Option<&Path>) -> (PathBuf, bool) {
    match (&options.temp_directory, path) {
        (Some(directory), _) => (directory.clone(), false),
        (None, Some(path)) => {
            let mut name = path.as_os_str().to_os_string();
            name.push("-tmp");
            (name.into(), true)
        }
        (None, None) => (std::env::temp_dir(), false),
    }
}

fn spill_space(options: &RuntimeOptions, directory: &(PathBuf, bool)) -> Arc<SpillSpace> {
    let (directory, is_owned) = directory;
    let space = SpillSpace::new(directory);
    space.set_owned(*is_owned);
    space.set_limit_bytes(options.temp_limit_bytes.unwrap_or(u64::MAX));
    if *is_owned && let Err(error) = space.clear() {
        // What a crash left takes room, no more.
        tracing::warn!(%error, "temporary files that a crash left cannot be removed");
    }
    space
}

impl Drop for RuntimeContext {
    fn drop(&mut self) {
        self.maintenance.join();
        if self.is_kept()
            && let Err(error) = self.give_back_numbers()
        {
            tracing::warn!(%error, "numbers that sequences took in advance are skipped");
        }
        if self.is_kept() && self.maintenance.is_due_at_close() {
            // Nothing is lost without it: the log has it all. `RuntimeEngine::close` tells of errors.
            if let Err(error) = self.checkpoint(&CancelToken::new()) {
                tracing::warn!(%error, "the checkpoint at close failed");
            }
        }
    }
}

impl std::fmt::Debug for RuntimeContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuntimeContext")
            .field("last_committed", &self.transactions.last_committed())
            .field("is_read_only", &self.is_read_only)
            .finish_non_exhaustive()
    }
}
