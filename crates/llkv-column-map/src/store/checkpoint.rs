//! Checkpoints: everything published so far leaves the journal for sealed row groups.

use super::compaction::{Budget, Compacted, compact, has_garbage};
use super::pages::{GroupPage, Paged};
use super::stage::EARLY_BYTES;
use super::{Checkpoints, ColumnStore, HEADER_KEY, Retired, Shape, State, journal_key};
use crate::descriptor::{STORE, StoreHeader, TableDescriptor, seal};
use crate::index::{self, IndexVersion};
use crate::packed_group::seal_table;
use crate::row_group::{GroupData, RowGroup};
use crate::sealed::SealedGroups;
use crate::table_version::TableVersion;
use crate::tail;
use llkv_result::Result;
use llkv_storage::{Blob, Pager, WriteBatch};
use llkv_types::{CancelToken, Horizon, MemoryBudget, PhysicalKey, TableId, TxnId};
use parking_lot::MutexGuard;
use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

/// What the work of a checkpoint goes by.
pub(crate) struct Upkeep<'a> {
    pub(super) shape: Shape,
    /// Rows that none of its snapshots sees may go.
    pub(crate) horizon: &'a Horizon,
    pub(crate) memory: &'a Arc<MemoryBudget>,
    /// Of the statement that waits for it.
    pub(crate) cancel: &'a CancelToken,
}

/// A table of the checkpoint: what it was made of and what became of it.
struct Built {
    from: Arc<TableVersion>,
    compacted: Compacted,
    pages: Vec<GroupPage>,
    indexes: index::Built,
}

impl ColumnStore {
    /// Seals the tails, folds delete marks, drops rows that no snapshot of `horizon` sees and tables that were dropped by
    /// its oldest one, frees the journal and has the pager fold its log. A bare id is a bound below which no snapshot is.
    ///
    /// Reads and commits go on meanwhile; publishing waits while the new descriptors enter the log.
    ///
    /// # Errors
    /// When the pager fails or stored bytes are damaged; what was published stays published.
    pub fn checkpoint(&self, horizon: impl Into<Horizon>) -> Result<()> {
        let keep = self.load_waiting()?;
        let never = CancelToken::new();
        self.checkpoint_within(keep, &horizon.into(), Budget::default(), &never)
    }

    /// Loads the tables in which something waits to be dropped.
    fn load_waiting(&self) -> Result<MutexGuard<'_, Checkpoints>> {
        let keep = self.checkpoints.lock();
        let waiting = keep.header.dropped.iter().chain(&keep.header.garbage);
        for table in waiting {
            self.table(TableId(*table))?;
        }
        Ok(keep)
    }

    /// A checkpoint that writes row groups anew of which a small part is dead, up to a million rows: for those who wait for it,
    /// such as one that closes the store.
    ///
    /// # Errors
    /// As [`ColumnStore::checkpoint`], and when it was cancelled.
    pub fn tidy(&self, horizon: impl Into<Horizon>, cancel: &CancelToken) -> Result<()> {
        let horizon = horizon.into();
        let keep = self.load_waiting()?;
        self.checkpoint_within(keep, &horizon, Budget::TIDY, cancel)
    }

    /// A checkpoint of all tables, after which none has a row that no snapshot of `horizon` sees, and which
    /// gives the space back to the disk.
    ///
    /// # Errors
    /// As [`ColumnStore::checkpoint`], and when it was cancelled.
    pub fn vacuum(&self, horizon: impl Into<Horizon>, cancel: &CancelToken) -> Result<()> {
        let keep = self.checkpoints.lock();
        for table in self.tables() {
            self.table(table)?;
        }
        self.checkpoint_within(keep, &horizon.into(), Budget::ALL, cancel)?;
        self.pager.compact(cancel)
    }

    fn checkpoint_within(
        &self,
        mut keep: MutexGuard<'_, Checkpoints>,
        horizon: &Horizon,
        mut budget: Budget,
        cancel: &CancelToken,
    ) -> Result<()> {
        let upkeep = Upkeep {
            shape: self.shape,
            horizon,
            memory: &self.memory,
            cancel,
        };
        let (versions, applied) = self.consistent_versions();
        let mut batch = WriteBatch::default();
        let (gone, live): (Vec<_>, Vec<_>) = versions
            .into_iter()
            .partition(|v| v.dropped_by.is_some_and(|by| by <= horizon.oldest()));
        let mut built = Vec::new();
        for from in live {
            let is_due = from.applied > from.settled || has_damage(&from);
            if is_due || has_garbage(&from, horizon, &budget) {
                let compacted = compact(&from, &upkeep, &mut budget, &mut batch)?;
                let indexes = index::build(&from, &upkeep, &mut batch)?;
                built.push(Built {
                    from,
                    compacted,
                    pages: Vec::new(),
                    indexes,
                });
            }
        }
        let clean = built.is_empty() && gone.is_empty();
        if clean && self.journal.lock().is_empty() && keep.retired.is_empty() {
            return self.pager.checkpoint();
        }
        self.ensure_header()?;
        let at = (applied, horizon.oldest());
        let commit = self.swap(&mut keep, batch, built, gone, at)?;
        self.pager.sync(commit)?;
        self.free_retired(&mut keep)?;
        self.pager.checkpoint()
    }

    /// The loaded tables and the last commit that they hold.
    fn consistent_versions(&self) -> (Vec<Arc<TableVersion>>, TxnId) {
        let state = self.state.read();
        let mut versions: Vec<Arc<TableVersion>> = state.tables.values().cloned().collect();
        // So that two stores which did the same write the same.
        versions.sort_unstable_by_key(|version| version.table);
        (versions, state.published)
    }

    /// Logs the checkpoint and puts the new versions in the place of the old.
    fn swap(
        &self,
        keep: &mut Checkpoints,
        mut batch: WriteBatch,
        mut built: Vec<Built>,
        gone: Vec<Arc<TableVersion>>,
        (applied, oldest): (TxnId, TxnId),
    ) -> Result<llkv_storage::CommitId> {
        for table in &mut built {
            let descriptor = describe(table, applied, &mut batch)?;
            batch.puts.push((
                PhysicalKey(u64::from(table.from.table.0)),
                Blob::from_bytes(&seal_table(descriptor)),
            ));
            describe_indexes(table, &mut batch);
        }
        for table in &gone {
            batch.frees.push(PhysicalKey(u64::from(table.table.0)));
            let pages = table.pages.iter().map(|page| PhysicalKey(page.key));
            batch.frees.extend(pages);
            if !table.indexes.is_empty() {
                let key = index::descriptor_key(table.table);
                batch.frees.push(PhysicalKey(key));
            }
        }
        write_once(self.pager.as_ref(), &mut batch)?;
        let mut fresh: Vec<Retired> = built
            .iter()
            .flat_map(|table| table.compacted.retired.iter())
            .chain(gone.iter().flat_map(|table| table.groups.iter()))
            .map(retire)
            .collect();
        let indexes = gone.iter().flat_map(|table| table.indexes.iter());
        let runs = built
            .iter()
            .flat_map(|table| table.indexes.retired.iter())
            .chain(indexes.flat_map(|index| index.runs.iter()));
        fresh.extend(runs.map(retire_run));
        keep.retired
            .retain(|retired| !retired.free(&mut batch.frees));
        let garbage = Self::tables_with_garbage(keep, &built, &gone);
        let header = StoreHeader {
            applied,
            garbage,
            dropped: built
                .iter()
                .filter(|table| table.from.dropped_by.is_some())
                .map(|table| table.from.table.0)
                .chain(keep.header.dropped.iter().copied())
                .filter(|table| gone.iter().all(|version| version.table.0 != *table))
                .collect::<BTreeSet<u32>>()
                .into_iter()
                .collect(),
            retired: keep
                .retired
                .iter()
                .chain(&fresh)
                .flat_map(|retired| retired.keys.iter().copied())
                .collect(),
        };
        let sealed = seal(STORE, &header);
        batch.puts.push((HEADER_KEY, Blob::from_bytes(&sealed)));

        let mut state = self.state.write();
        let folded: Vec<TxnId> = {
            let journal = self.journal.lock();
            journal
                .iter()
                .copied()
                .filter(|id| *id <= applied)
                .collect()
        };
        for commit_id in &folded {
            batch.frees.push(journal_key(*commit_id)?);
        }
        let commit = self.pager.log(batch)?;
        self.journal.lock().retain(|id| *id > applied);
        for table in built {
            rebase(&mut state, table, applied, oldest);
        }
        for table in gone {
            state.tables.remove(&table.table);
            state.stored.remove(&table.table);
        }
        drop(state);
        keep.header = header;
        keep.retired.append(&mut fresh);
        Ok(commit)
    }

    /// Tables in which dead rows wait to be dropped, whoever opens the store next.
    fn tables_with_garbage(
        keep: &Checkpoints,
        built: &[Built],
        gone: &[Arc<TableVersion>],
    ) -> Vec<u32> {
        let mut tables: BTreeSet<u32> = keep.header.garbage.iter().copied().collect();
        for table in built {
            match table.compacted.has_garbage() {
                true => tables.insert(table.from.table.0),
                false => tables.remove(&table.from.table.0),
            };
        }
        tables.retain(|table| gone.iter().all(|version| version.table.0 != *table));
        tables.into_iter().collect()
    }

    /// Frees what this checkpoint retired, where nobody reads the old versions any more.
    fn free_retired(&self, keep: &mut Checkpoints) -> Result<()> {
        let mut batch = WriteBatch::default();
        keep.retired
            .retain(|retired| !retired.free(&mut batch.frees));
        if batch.frees.is_empty() {
            return Ok(());
        }
        keep.header.retired = keep
            .retired
            .iter()
            .flat_map(|retired| retired.keys.iter().copied())
            .collect();
        let sealed = seal(STORE, &keep.header);
        batch.puts.push((HEADER_KEY, Blob::from_bytes(&sealed)));
        let commit = self.pager.log(batch)?;
        self.pager.sync(commit)
    }
}

impl Retired {
    /// Adds the keys to `frees` when nobody reads them; true when it did.
    fn free(&self, frees: &mut Vec<PhysicalKey>) -> bool {
        let unused = self.reader.strong_count() == 0;
        if unused {
            frees.extend(self.keys.iter().copied().map(PhysicalKey));
        }
        unused
    }
}

fn retire(group: &Arc<RowGroup>) -> Retired {
    let data: Weak<GroupData> = Arc::downgrade(&group.data);
    Retired {
        keys: group.keys(),
        reader: data,
    }
}

fn retire_run(run: &Arc<index::Run>) -> Retired {
    let run_alive: Weak<index::Run> = Arc::downgrade(run);
    Retired {
        keys: run.keys(),
        reader: run_alive,
    }
}

/// True when a part of an index has to be built from the rows again.
fn has_damage(version: &TableVersion) -> bool {
    version.indexes.iter().any(|index| index.is_damaged())
}

/// The indexes of a table that has or had some.
fn describe_indexes(table: &Built, batch: &mut WriteBatch) {
    let key = PhysicalKey(index::descriptor_key(table.from.table));
    if !table.indexes.indexes.is_empty() {
        let described = index::describe(&table.indexes.indexes);
        batch.puts.push((key, Blob::from_bytes(&described)));
    } else if !table.from.indexes.is_empty() {
        batch.frees.push(key);
    }
}

/// Writes the values of a batch to their place at once: through the log they would be written twice.
fn write_once(pager: &dyn Pager, batch: &mut WriteBatch) -> Result<()> {
    for (_, blob) in &mut batch.puts {
        if blob.len() < EARLY_BYTES {
            *blob = pager.write_early(blob.as_slice())?;
        }
    }
    Ok(())
}

/// The descriptor of a table; its new pages join the batch.
fn describe(table: &mut Built, applied: TxnId, batch: &mut WriteBatch) -> Result<TableDescriptor> {
    let from = &table.from;
    let groups = &table.compacted.groups;
    let paged = Paged::write(&from.pages, groups, from.pager.as_ref(), batch)?;
    table.pages = paged.pages;
    Ok(TableDescriptor {
        layout: from.layout.to_vec(),
        applied,
        dropped_by: from.dropped_by,
        next_row_id: from.next_row_id,
        pages: table.pages.iter().map(|page| page.key).collect(),
        groups: paged.loose,
        marks: table.compacted.marks.clone(),
        indexes: {
            let indexes = table.indexes.indexes.iter();
            indexes.map(|index| index.definition.clone()).collect()
        },
        fills: from.fills.of_layout(&from.layout).stored(),
    })
}

/// The version published now, with the checkpoint's groups in the place of what they were made of.
fn rebase(state: &mut State, built: Built, applied: TxnId, oldest: TxnId) {
    let table: TableId = built.from.table;
    let Some(current) = state.tables.get(&table) else {
        return;
    };
    let mut next = current.as_ref().clone();
    next.indexes = Arc::new(rebase_indexes(&built, current));
    let mut groups = built.compacted.groups;
    let younger = current
        .groups
        .iter()
        .filter(|group| group.first_row_id() >= built.from.next_row_id);
    groups.extend(younger.cloned());
    next.groups = Arc::new(SealedGroups::new(groups));
    next.tail = tail::after(&current.tail, applied).into();
    next.pages = Arc::new(built.pages);
    next.marks = current.marks.after(applied, &built.compacted.marks);
    next.fills = Arc::new(current.fills.pruned(oldest));
    next.settled = applied;
    state.tables.insert(table, Arc::new(next));
    state.stored.insert(table);
}

/// Indexes as they were built, with what was created and dropped since.
fn rebase_indexes(built: &Built, current: &TableVersion) -> Vec<Arc<IndexVersion>> {
    let before = &built.from.indexes;
    let mut indexes = Vec::new();
    for index in current.indexes.iter() {
        let same = |other: &&Arc<IndexVersion>| other.definition.id == index.definition.id;
        match built.indexes.indexes.iter().find(same) {
            Some(made) if index.is_dropped => {
                let mut dropped = made.as_ref().clone();
                dropped.is_dropped = true;
                indexes.push(Arc::new(dropped));
            }
            Some(made) => indexes.push(Arc::clone(made)),
            None if before.iter().any(|other| same(&other)) => {}
            None => indexes.push(Arc::clone(index)),
        }
    }
    indexes
}

impl Default for Retired {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            reader: Weak::<()>::new(),
        }
    }
}
