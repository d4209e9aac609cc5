//! The store: published table versions over a pager, and the commits that change them.
//!
//! Keys of the pager are used in five ranges:
//!
//! | keys | hold |
//! | --- | --- |
//! | `0 .. 2^32` | the descriptor of the table of that id, as of the last checkpoint |
//! | `2^32 .. 2^47` | the journal record of commit `key - 2^32` |
//! | `2^47 .. 2^47 + 2^32` | the indexes of the table of id `key - 2^47`, as of the last checkpoint |
//! | `2^48` | the store's header |
//! | above | chunks, allocated by the pager |

mod checkpoint;
mod compaction;
pub(crate) mod pages;
mod rows;
mod stage;
mod verify;

pub(crate) use checkpoint::Upkeep;
pub use rows::ROW_ID_FIELD;

use crate::Lifetime;
use crate::bytes::damaged_key;
use crate::commit::{CommitRecord, CommitTicket, ReadyChange, StagedRowGroup, TableChange};
use crate::descriptor::{CreatedRun, GroupMeta, IdRun, STORE, StoreHeader, seal, unseal};
use crate::encoding::{self, Encoding};
use crate::fill::Fill;
use crate::index;
use crate::journal;
use crate::packed_group::unseal_table;
use crate::table_version::TableVersion;
use arrow::array::{Array, ArrayRef, RecordBatch};
use hashbrown::{HashMap, HashSet};
use llkv_result::{Error, Result};
use llkv_storage::{Blob, BoxedPager, CommitId, WriteBatch};
use llkv_types::{
    Clock, FieldId, IndexId, MemoryBudget, PhysicalKey, ROW_GROUP_ROWS, RowId, SqlType, TableId,
    TxnId,
};
use parking_lot::{Mutex, RwLock};
use std::any::Any;
use std::sync::{Arc, Weak};

const JOURNAL_KEYS: u64 = 1 << 32;
/// Descriptions of the tables' indexes begin here.
pub(crate) const INDEX_KEYS: u64 = 1 << 47;
const HEADER_KEY: PhysicalKey = PhysicalKey(1 << 48);

/// Row groups of temporary tables stay in memory up to so many bytes, where memory is not limited: a copy in the file, with its
/// checksum, takes a tenth of the time of making a table of a join's rows.
const TEMPORARY_BYTES: u64 = 1 << 30;

fn journal_key(commit_id: TxnId) -> Result<PhysicalKey> {
    JOURNAL_KEYS
        .checked_add(commit_id)
        .filter(|key| *key < INDEX_KEYS)
        .map(PhysicalKey)
        .ok_or_else(|| Error::internal(format!("commit id {commit_id} is out of range")))
}

/// How a store works. Stores read what others have written, whatever their options.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoreOptions {
    /// Rows at which a checkpoint begins another row group: at most [`ROW_GROUP_ROWS`], at least one.
    pub row_group_rows: usize,
    /// The name of the encoding that is taken for every chunk that it can hold, rather than the smallest.
    pub encoding: Option<String>,
    /// Commits leave a record in the pager, from which the next one that opens it takes them. Without, what was committed since
    /// the last checkpoint goes with the store: for pagers that go with it as well.
    pub journal: bool,
    /// What scans time their predicates by, to put the cheapest first; the machine's clock where absent.
    pub clock: Option<Arc<dyn Clock>>,
    /// Of what memory indexes are built.
    pub memory: Arc<MemoryBudget>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            row_group_rows: ROW_GROUP_ROWS,
            encoding: None,
            journal: true,
            clock: None,
            memory: MemoryBudget::unlimited(),
        }
    }
}

/// [`StoreOptions`], looked at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) row_group_rows: usize,
    pub(crate) encoding: Option<&'static Encoding>,
}

impl StoreOptions {
    fn shape(&self) -> Result<Shape> {
        let encoding = self.encoding.as_deref().map(|name| {
            encoding::named(name).ok_or_else(|| Error::internal(format!("no encoding \"{name}\"")))
        });
        Ok(Shape {
            row_group_rows: self.row_group_rows.clamp(1, ROW_GROUP_ROWS),
            encoding: encoding.transpose()?,
        })
    }
}

/// Versioned tables of Arrow columns over a pager.
///
/// The store knows no SQL, no transactions and no expressions: it appends rows, marks them as deleted,
/// and scans what a snapshot sees. Commits are ordered by their caller: [`ColumnStore::log`] under the
/// caller's commit lock, [`ColumnStore::sync`], then [`ColumnStore::publish`] in the order of commit ids.
pub struct ColumnStore {
    pager: BoxedPager,
    shape: Shape,
    clock: Option<Arc<dyn Clock>>,
    memory: Arc<MemoryBudget>,
    /// For row groups of temporary tables, where memory is not limited.
    temporaries: Arc<MemoryBudget>,
    state: RwLock<State>,
    has_journal: bool,
    /// Commits whose journal records are in the pager.
    journal: Mutex<Vec<TxnId>>,
    /// One checkpoint at a time; what it keeps between runs.
    checkpoints: Mutex<Checkpoints>,
    has_header: Mutex<bool>,
    /// Held by the calls that number their commits themselves.
    numbering: Mutex<()>,
}

#[derive(Default)]
struct State {
    tables: HashMap<TableId, Arc<TableVersion>, foldhash::fast::RandomState>,
    /// Tables with a descriptor, loaded or not.
    stored: HashSet<TableId, foldhash::fast::RandomState>,
    /// The last commit that was published.
    published: TxnId,
}

/// What checkpoints hand on to the next one.
#[derive(Default)]
struct Checkpoints {
    header: StoreHeader,
    retired: Vec<Retired>,
}

/// Keys that the published versions do not use any more.
struct Retired {
    keys: Vec<u64>,
    /// Gone when the last reader of the old version is.
    reader: Weak<dyn Any + Send + Sync>,
}

impl ColumnStore {
    /// Opens the store in a pager, or begins one in an empty pager: reads the header and replays the
    /// journal. Descriptors of tables that the journal does not touch are loaded at first use.
    ///
    /// # Errors
    /// When the pager fails or what it holds is damaged, or the options name no encoding.
    pub fn open(pager: BoxedPager, options: StoreOptions) -> Result<Self> {
        let of_file = Arc::clone(&pager);
        Self::read(pager, options).map_err(|error| error.in_file(of_file.path()))
    }

    fn read(pager: BoxedPager, options: StoreOptions) -> Result<Self> {
        let shape = options.shape()?;
        let header = match pager.batch_get(&[HEADER_KEY])?.pop().flatten() {
            Some(blob) => Some(unseal::<StoreHeader>(STORE, HEADER_KEY.0, blob.as_slice())?),
            None => None,
        };
        let stored = pager
            .keys_in(PhysicalKey(0)..PhysicalKey(JOURNAL_KEYS))?
            .into_iter()
            .filter_map(|key| u32::try_from(key.0).ok().map(TableId))
            .collect();
        let has_header = header.is_some();
        let header = header.unwrap_or_default();
        let store = Self {
            state: RwLock::new(State {
                stored,
                published: header.applied,
                ..State::default()
            }),
            has_journal: options.journal,
            journal: Mutex::default(),
            checkpoints: Mutex::new(Checkpoints {
                retired: vec![Retired {
                    keys: header.retired.clone(),
                    reader: Weak::<()>::new(),
                }],
                header,
            }),
            has_header: Mutex::new(has_header),
            numbering: Mutex::default(),
            pager,
            shape,
            clock: options.clock,
            memory: options.memory,
            temporaries: MemoryBudget::new(TEMPORARY_BYTES),
        };
        store.replay()?;
        Ok(store)
    }

    fn replay(&self) -> Result<()> {
        let keys = self
            .pager
            .keys_in(PhysicalKey(JOURNAL_KEYS)..PhysicalKey(INDEX_KEYS))?;
        for key in keys {
            let Some(blob) = self.pager.batch_get(&[key])?.pop().flatten() else {
                continue;
            };
            let mut state = self.state.write();
            let (commit_id, changes) = journal::decode(key.0, blob.as_slice(), |table| match self
                .load(&mut state, table)?
            {
                Some(version) => Ok(Arc::clone(&version.layout)),
                None => Err(damaged_key(
                    Some(key.0),
                    format!("a journal record changes table {table}, which does not exist"),
                )),
            })?;
            if journal_key(commit_id)? != key {
                return Err(damaged_key(
                    Some(key.0),
                    format!("the journal record of commit {commit_id} lies under a wrong key"),
                ));
            }
            self.journal.lock().push(commit_id);
            if commit_id > state.published {
                self.apply(&mut state, commit_id, &changes)?;
            }
        }
        Ok(())
    }

    /// The version of a table in `state`, loaded from its descriptor if need be.
    fn load(&self, state: &mut State, table: TableId) -> Result<Option<Arc<TableVersion>>> {
        if let Some(version) = state.tables.get(&table) {
            return Ok(Some(Arc::clone(version)));
        }
        if !state.stored.contains(&table) {
            return Ok(None);
        }
        let version = self.read_descriptor(table);
        let version = Arc::new(version.map_err(|error| error.in_file(self.pager.path()))?);
        state.tables.insert(table, Arc::clone(&version));
        Ok(Some(version))
    }

    fn read_descriptor(&self, table: TableId) -> Result<TableVersion> {
        let key = PhysicalKey(u64::from(table.0));
        let of_indexes = PhysicalKey(index::descriptor_key(table));
        let mut blobs = self.pager.batch_get(&[of_indexes, key])?;
        let blob = blobs.pop().flatten();
        let blob = blob.ok_or_else(|| damaged_key(Some(key.0), "a descriptor is missing"))?;
        let descriptor = unseal_table(key.0, blob.as_slice())?;
        let described = blobs.pop().flatten();
        let indexes = index::from_description(
            of_indexes.0,
            described.as_ref().map_or(&[], Blob::as_slice),
            &descriptor.indexes,
            &self.pager,
        );
        let version = TableVersion::from_descriptor(table, descriptor, Arc::clone(&self.pager))?;
        Ok(TableVersion {
            indexes: Arc::new(indexes),
            clock: self.clock.clone(),
            ..version
        })
    }

    fn apply(&self, state: &mut State, commit_id: TxnId, changes: &[ReadyChange]) -> Result<()> {
        let mut changed: Vec<(TableId, TableVersion)> = Vec::new();
        for change in changes {
            let table = change.table();
            let at = changed.iter().position(|(id, _)| *id == table);
            let loaded = match at {
                Some(_) => None,
                None => self.load(state, table)?,
            };
            let known = at
                .and_then(|at| changed.get(at))
                .map(|(_, version)| version);
            let next = match (known.or(loaded.as_deref()), change) {
                (Some(version), change) => version.with(change, commit_id)?,
                (None, ReadyChange::Create { columns, .. }) => TableVersion {
                    applied: commit_id,
                    clock: self.clock.clone(),
                    ..TableVersion::empty(table, columns.as_slice().into(), Arc::clone(&self.pager))
                },
                (None, _) => {
                    return Err(Error::internal(format!(
                        "commit {commit_id} changes table {table}, which does not exist"
                    )));
                }
            };
            match at.and_then(|at| changed.get_mut(at)) {
                Some((_, version)) => *version = next,
                None => changed.push((table, next)),
            }
        }
        for (table, version) in changed {
            state.tables.insert(table, Arc::new(version));
        }
        state.published = state.published.max(commit_id);
        Ok(())
    }

    /// The highest commit id found at opening or published since.
    #[must_use]
    pub fn last_commit(&self) -> TxnId {
        self.state.read().published
    }

    /// True where commits are in the pager before a checkpoint: [`StoreOptions::journal`].
    #[must_use]
    pub const fn has_journal(&self) -> bool {
        self.has_journal
    }

    /// The pager below.
    #[must_use]
    pub fn pager(&self) -> &BoxedPager {
        &self.pager
    }

    /// The memory that is to be used.
    #[must_use]
    pub fn memory(&self) -> &Arc<MemoryBudget> {
        &self.memory
    }

    /// What is published of a table; `None` for a table that no commit created.
    ///
    /// # Errors
    /// When its descriptor has to be loaded and is damaged.
    pub fn table(&self, table: TableId) -> Result<Option<Arc<TableVersion>>> {
        {
            let state = self.state.read();
            if let Some(version) = state.tables.get(&table) {
                return Ok(Some(Arc::clone(version)));
            }
            if !state.stored.contains(&table) {
                return Ok(None);
            }
        }
        self.load(&mut self.state.write(), table)
    }

    /// The tables that exist, dropped ones included until a checkpoint forgets them, ascending.
    #[must_use]
    pub fn tables(&self) -> Vec<TableId> {
        let state = self.state.read();
        let mut ids: Vec<TableId> = state
            .stored
            .iter()
            .chain(state.tables.keys())
            .copied()
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Encodes rows of a table as one row group and writes it to free space, unreferenced; one of a temporary table stays in
    /// memory where that is not limited and such groups have room. Called by several threads at once. `batches` have the layout's
    /// columns in their Arrow forms and together at most [`llkv_types::ROW_GROUP_ROWS`] rows, at least one.
    ///
    /// # Errors
    /// When the batches do not fit the layout or the pager fails.
    pub fn stage_row_group(
        &self,
        layout: &[(FieldId, SqlType)],
        batches: &[RecordBatch],
        lifetime: Lifetime,
    ) -> Result<StagedRowGroup> {
        self.ensure_header()?;
        let pager = self.pager.as_ref();
        let stays = lifetime == Lifetime::Temporary && self.memory.limit_bytes() == u64::MAX;
        let held = stays.then(|| self.temporaries.reserve("temporary tables"));
        stage::stage(pager, held, self.shape, layout, batches, lifetime)
    }

    /// The header's key bounds the keys that the pager allocates, so it is there before the first.
    fn ensure_header(&self) -> Result<()> {
        let mut has_header = self.has_header.lock();
        if !*has_header {
            let header = seal(STORE, &StoreHeader::default());
            self.pager.log(WriteBatch {
                puts: vec![(HEADER_KEY, Blob::from_bytes(&header))],
                frees: Vec::new(),
            })?;
            *has_header = true;
        }
        Ok(())
    }

    /// Gives a commit its place in the log: one batch of the pager. The caller holds the lock that orders
    /// commits and passes ascending commit ids.
    ///
    /// # Errors
    /// When a change does not fit its table, or the pager fails; then nothing of the commit was kept.
    pub fn log(&self, record: &CommitRecord) -> Result<CommitTicket> {
        self.ensure_header()?;
        let commit_id = record.commit_id;
        let mut batch = WriteBatch::default();
        let changes = record
            .changes
            .iter()
            .map(|change| self.ready(change, commit_id, &mut batch))
            .collect::<Result<Vec<_>>>()?;
        if self.has_journal {
            let bytes = journal::encode(commit_id, &changes, |table| {
                let version = self.table(table).ok().flatten()?;
                Some(Arc::clone(&version.layout))
            })?;
            let record = (journal_key(commit_id)?, Blob::from_bytes(&bytes));
            batch.puts.push(record);
        }
        let pager_commit = match batch.is_empty() {
            true => CommitId::default(),
            false => self.pager.log(batch)?,
        };
        if self.has_journal {
            self.journal.lock().push(commit_id);
        }
        Ok(CommitTicket {
            pager_commit,
            commit_id,
            changes,
        })
    }

    /// Turns a change into what the journal stores; staged chunks get their keys.
    fn ready(
        &self,
        change: &TableChange,
        commit_id: TxnId,
        batch: &mut WriteBatch,
    ) -> Result<ReadyChange> {
        Ok(match change {
            TableChange::Create { table, columns } => ReadyChange::Create {
                table: *table,
                columns: columns.clone(),
            },
            TableChange::Drop { table } => ReadyChange::Drop { table: *table },
            TableChange::Alter {
                table,
                columns,
                fills,
            } => ReadyChange::Alter {
                table: *table,
                columns: columns.clone(),
                fills: open_fills(columns, fills)?,
            },
            TableChange::Append {
                table,
                first_row_id,
                batch,
            } => ReadyChange::Append {
                table: *table,
                first_row_id: *first_row_id,
                batch: batch.clone(),
            },
            TableChange::AppendStaged {
                table,
                first_row_id,
                groups,
            } => {
                let mut first = *first_row_id;
                self.check_layout(*table, groups)?;
                let groups = groups
                    .iter()
                    .map(|staged| {
                        let meta = self.place(staged, first, commit_id, batch)?;
                        first += u64::from(meta.rows);
                        Ok(meta)
                    })
                    .collect::<Result<Vec<_>>>()?;
                ReadyChange::AppendGroups {
                    table: *table,
                    groups,
                }
            }
            TableChange::CreateIndex { table, index } => ReadyChange::CreateIndex {
                table: *table,
                index: index.clone(),
            },
            TableChange::DropIndex { table, index } => ReadyChange::DropIndex {
                table: *table,
                index: *index,
            },
            TableChange::Delete { table, row_ids } => ReadyChange::Delete {
                table: *table,
                row_ids: row_ids.clone(),
            },
            TableChange::DeleteSet { table, rows } => ReadyChange::DeleteSet {
                table: *table,
                rows: Arc::clone(rows),
            },
        })
    }

    /// Staged groups must have been encoded for the layout that the table still has.
    fn check_layout(&self, table: TableId, groups: &[StagedRowGroup]) -> Result<()> {
        // A table that the same commit creates has no version yet: its creator staged for its layout.
        let Some(version) = self.table(table)? else {
            return Ok(());
        };
        let fits = |group: &StagedRowGroup| {
            group
                .layout
                .iter()
                .all(|(field, ty)| version.layout.iter().all(|(f, t)| f != field || t == ty))
        };
        if groups.iter().all(fits) {
            return Ok(());
        }
        Err(Error::internal(format!(
            "row groups for table {table} were staged with other types"
        )))
    }

    /// Gives a staged group its keys, row ids and creator.
    fn place(
        &self,
        staged: &StagedRowGroup,
        first_row_id: RowId,
        commit_id: TxnId,
        batch: &mut WriteBatch,
    ) -> Result<GroupMeta> {
        let mut meta = stage::assign_keys(self.pager.as_ref(), staged, batch)?;
        meta.row_ids = vec![IdRun {
            start: 0,
            first: first_row_id,
        }];
        meta.created = vec![CreatedRun {
            start: 0,
            created_by: commit_id,
        }];
        Ok(meta)
    }

    /// Returns when the commit of that place in the log is durable, and all before it. Commits that wait together share one sync.
    ///
    /// # Errors
    /// When the sync fails: then the outcome is unknown until the file is opened again.
    pub fn sync(&self, upto: CommitId) -> Result<()> {
        self.pager.sync(upto)
    }

    /// Makes a commit visible to versions taken from now on. Called in the order of commit ids.
    ///
    /// # Errors
    /// When a change does not fit its table: the commit is in the log then, so the store must be opened
    /// again. [`ColumnStore::log`] lets through no such change from a caller that keeps its contract.
    pub fn publish(&self, ticket: CommitTicket) -> Result<()> {
        let mut state = self.state.write();
        self.apply(&mut state, ticket.commit_id, &ticket.changes)
    }

    /// Has the next checkpoint build the indexes of a table from its rows again; until then they are not
    /// used.
    ///
    /// # Errors
    /// When the table's descriptor has to be loaded and is damaged.
    pub fn rebuild_indexes(&self, table: TableId, only: Option<IndexId>) -> Result<()> {
        let Some(version) = self.table(table)? else {
            return Ok(());
        };
        let wanted = |id: IndexId| only.is_none_or(|only| only == id);
        for index in version.indexes.iter() {
            if wanted(index.definition.id) {
                index.set_damaged();
            }
        }
        Ok(())
    }

    /// Log, sync and publish in one: for callers without concurrent commits.
    ///
    /// # Errors
    /// Those of the three.
    pub fn commit(&self, record: &CommitRecord) -> Result<()> {
        let ticket = self.log(record)?;
        self.sync(ticket.pager_commit)?;
        self.publish(ticket)
    }
}

/// Values for new columns, in the form that versions keep.
pub(crate) fn open_fills(
    columns: &[(FieldId, SqlType)],
    fills: &[(FieldId, ArrayRef)],
) -> Result<Vec<(FieldId, Arc<Fill>)>> {
    let mut open = Vec::with_capacity(fills.len());
    for (field, value) in fills {
        let ty = columns.iter().find(|(known, _)| known == field);
        let (_, ty) =
            ty.ok_or_else(|| Error::internal("a value for a column that is not there"))?;
        if value.null_count() == 0 {
            open.push((*field, Arc::new(Fill::new(*ty, value)?)));
        }
    }
    Ok(open)
}

impl std::fmt::Debug for ColumnStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ColumnStore")
            .field("tables", &self.tables())
            .field("last_commit", &self.last_commit())
            .finish_non_exhaustive()
    }
}
