//! The way of a transaction into the log and before everybody's eyes.

use crate::context::RuntimeContext;
use crate::maintenance::Work;
use crate::transaction::Transaction;
use llkv_column_map::{CommitRecord, CommitTicket, TableChange};
use llkv_result::{Error, Result, StorageError, TransactionError};
use llkv_storage::CommitId;
use llkv_table::{CatalogDiff, CatalogObject, CatalogState, Sequence, SequenceMeta, Table};
use llkv_transaction::conflict;
use llkv_types::{RowId, TableId, TxnId};
use parking_lot::Mutex;
use roaring::RoaringTreemap;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// An index on so many rows is built when it is created, not at the next checkpoint.
const BUILD_AT_ONCE_ROWS: u64 = 10_000;

/// What the order of commits decides: guarded by one lock, which is held from validation to the log.
#[derive(Debug)]
pub(crate) struct CommitQueue {
    /// The last commit that has its place in the log.
    last_commit: TxnId,
    /// The catalog after it.
    catalog: Arc<CatalogState>,
    /// The next row ids of the tables that were written to since opening.
    next_row_ids: HashMap<TableId, RowId>,
    /// The last commit that wrote rows of a table, for tables that were written to since opening.
    last_writes: HashMap<TableId, TxnId>,
}

/// A commit that has its place in the log.
#[derive(Debug)]
struct Logged {
    ticket: CommitTicket,
    catalog: Arc<CatalogState>,
    work: Work,
}

impl RuntimeContext {
    /// Commits a transaction: after this returns, it is durable and every new snapshot sees it. Gives back
    /// its id, or `None` when it changed nothing. On an error before the log nothing of it remains; after a
    /// failed sync the outcome is unknown until the file is opened again.
    pub(crate) fn commit(&self, transaction: &mut Transaction) -> Result<Option<TxnId>> {
        if !transaction.has_changes() {
            return Ok(None);
        }
        transaction.flush()?;
        crate::foreign_keys::check_deferred(transaction)?;
        transaction.settle(&self.store)?;
        let mut builds_index = false;
        let logged = {
            let mut queue = self.commits.lock();
            let diff = transaction.validate(self, &queue)?;
            let commit_id = queue.last_commit + 1;
            builds_index |= self.has_much_to_index(&diff)?;
            let staged = queue.build(self, transaction, &diff, commit_id)?;
            if staged.record.changes.is_empty() {
                return Ok(None);
            }
            let ticket = self.store.log(&staged.record)?;
            transaction.record_keys(commit_id, self.transactions.gc_bound());
            transaction.record_references(&queue.catalog, commit_id, self.transactions.gc_bound());
            self.publishing.register(queue.admit(staged, ticket))
        };
        let Place {
            commit_id, work, ..
        } = logged;
        let synced = self.store.sync(logged.pager_commit);
        self.publishing.publish(self, commit_id, synced)?;
        self.maintenance
            .after_commit(work, &self.store, &self.transactions);
        if builds_index && let Err(error) = self.checkpoint(&transaction.patience.cancel) {
            // The index is there, and scans find what it does not. The next checkpoint builds it.
            tracing::warn!(%error, "an index could not be built at once");
        }
        Ok(Some(commit_id))
    }
}

impl RuntimeContext {
    /// Logs how far a sequence has come, in a commit of its own. One that is not committed yet is logged by
    /// the transaction that creates it.
    pub(crate) fn log_sequence(&self, sequence: &Sequence, last: i64) -> Result<()> {
        if self.is_read_only {
            return Err(TransactionError::ReadOnly {
                statement: "nextval",
            }
            .into());
        }
        self.log_sequences(&[(sequence.meta().id, last)])
    }

    /// Logs how far sequences have come that are committed.
    fn log_sequences(&self, come_to: &[(TableId, i64)]) -> Result<()> {
        let logged = {
            let mut queue = self.commits.lock();
            let mut diff = CatalogDiff::default();
            for (id, last) in come_to {
                let Some(known) = queue.catalog.sequence(*id) else {
                    continue;
                };
                let meta = SequenceMeta {
                    last: Some(*last),
                    ..known.meta().clone()
                };
                let changed = CatalogObject::Sequence(Arc::new(known.altered(meta)));
                diff.changed.push(changed);
            }
            if diff.is_empty() {
                return Ok(());
            }
            let commit_id = queue.last_commit + 1;
            let staged = queue.build_catalog(self, &diff, commit_id)?;
            let ticket = self.store.log(&staged.record)?;
            self.publishing.register(queue.admit(staged, ticket))
        };
        let synced = self.store.sync(logged.pager_commit);
        self.publishing.publish(self, logged.commit_id, synced)
    }

    /// Logs where sequences stand that took numbers in advance, so that the next opening goes on there. Called when no session is
    /// left: what somebody takes meanwhile would be given again.
    pub(crate) fn give_back_numbers(&self) -> Result<()> {
        let catalog = self.catalog.load_full();
        let sequences = catalog.objects().filter_map(|object| match object {
            CatalogObject::Sequence(sequence) => Some(sequence),
            _ => None,
        });
        let come_to =
            sequences.filter_map(|sequence| Some((sequence.meta().id, sequence.give_back()?)));
        self.log_sequences(&come_to.collect::<Vec<_>>())
    }

    /// True when a commit creates an index on a table that is worth a checkpoint of its own.
    fn has_much_to_index(&self, diff: &CatalogDiff) -> Result<bool> {
        for object in &diff.added {
            if let CatalogObject::Index(index) = object
                && let Some(version) = self.store.table(index.table)?
                && version.row_count_estimate() >= BUILD_AT_ONCE_ROWS
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A commit record, and what the queue is after it.
struct Staged {
    record: CommitRecord,
    catalog: Arc<CatalogState>,
    next_row_ids: Vec<(TableId, RowId)>,
    work: Work,
}

impl CommitQueue {
    pub(crate) fn new(last_commit: TxnId, catalog: Arc<CatalogState>) -> Self {
        Self {
            last_commit,
            catalog,
            next_row_ids: HashMap::new(),
            last_writes: HashMap::new(),
        }
    }

    /// The last commit that has its place in the log.
    pub(crate) const fn last_commit(&self) -> TxnId {
        self.last_commit
    }

    /// The catalog after it.
    pub(crate) fn catalog(&self) -> &CatalogState {
        &self.catalog
    }

    /// True where a commit after a snapshot has written to a table.
    pub(crate) fn has_written_since(&self, table: TableId, snapshot: TxnId) -> bool {
        self.last_writes
            .get(&table)
            .is_some_and(|id| *id > snapshot)
    }

    /// Turns a transaction's staging into one record. Changes nothing: the log may still refuse it.
    fn build(
        &self,
        context: &RuntimeContext,
        transaction: &Transaction,
        diff: &CatalogDiff,
        commit_id: TxnId,
    ) -> Result<Staged> {
        let mut changes = Vec::new();
        let mut next_row_ids = Vec::new();
        let mut is_unlisted = false;
        let mut catalog = Arc::clone(&self.catalog);
        if !diff.is_empty() {
            let first_row_id = self.next_row_id(context, TableId::CATALOG)?;
            let (next, of_catalog) = self.catalog.apply(diff, commit_id, first_row_id)?;
            catalog = Arc::new(next);
            next_row_ids.push((TableId::CATALOG, first_row_id + appended(&of_catalog)));
            changes.extend(of_catalog);
        }
        for staged in transaction.written_tables() {
            let table = staged.table();
            let (of_table, next) = staged.changes(self.next_row_id(context, table.id())?)?;
            let is_indexed = !table.keys().is_empty() || !table.indexes().is_empty();
            is_unlisted |= is_indexed && of_table.iter().any(brings_groups);
            next_row_ids.push((table.id(), next));
            changes.extend(of_table);
        }
        Ok(Staged {
            work: Work::of(&changes, is_unlisted),
            record: CommitRecord { commit_id, changes },
            catalog,
            next_row_ids,
        })
    }

    /// A record that changes nothing but the catalog.
    fn build_catalog(
        &self,
        context: &RuntimeContext,
        diff: &CatalogDiff,
        commit_id: TxnId,
    ) -> Result<Staged> {
        let first_row_id = self.next_row_id(context, TableId::CATALOG)?;
        let (catalog, changes) = self.catalog.apply(diff, commit_id, first_row_id)?;
        Ok(Staged {
            work: Work::of(&changes, false),
            catalog: Arc::new(catalog),
            next_row_ids: vec![(TableId::CATALOG, first_row_id + appended(&changes))],
            record: CommitRecord { commit_id, changes },
        })
    }

    fn next_row_id(&self, context: &RuntimeContext, table: TableId) -> Result<RowId> {
        if let Some(next) = self.next_row_ids.get(&table) {
            return Ok(*next);
        }
        let version = context.store.table(table)?;
        Ok(version.map_or(0, |version| version.next_row_id()))
    }

    /// The commit has its place: what comes after builds on it.
    fn admit(&mut self, staged: Staged, ticket: CommitTicket) -> Logged {
        self.last_commit = staged.record.commit_id;
        self.catalog = Arc::clone(&staged.catalog);
        let tables = staged.record.changes.iter().map(TableChange::table);
        self.last_writes
            .extend(tables.map(|table| (table, self.last_commit)));
        self.next_row_ids.extend(staged.next_row_ids);
        Logged {
            ticket,
            catalog: staged.catalog,
            work: staged.work,
        }
    }
}

fn appended(changes: &[TableChange]) -> u64 {
    let rows = changes.iter().map(|change| match change {
        TableChange::Append { batch, .. } => batch.num_rows() as u64,
        _ => 0,
    });
    rows.sum()
}

/// True for rows that are stored already.
const fn brings_groups(change: &TableChange) -> bool {
    matches!(change, TableChange::AppendStaged { .. })
}

impl Transaction {
    /// Checks against everything that has its place in the log that the transaction may commit: its
    /// tables still exist, its names and keys are still free. Gives back its changes of the catalog.
    fn validate(&self, context: &RuntimeContext, queue: &CommitQueue) -> Result<CatalogDiff> {
        let catalog = &queue.catalog;
        for staged in self.written_tables() {
            self.check_unaltered(staged.table(), catalog)?;
            staged.check_keys(self.snapshot())?;
        }
        let diff = self.catalog_diff();
        for table in &diff.altered {
            self.check_unaltered(table, catalog)?;
        }
        self.check_dependencies(&diff, catalog)?;
        for object in &diff.added {
            self.check_new_index(object, queue)?;
        }
        for (object, _) in &diff.removed {
            self.check_same(object, catalog)?;
        }
        for object in &diff.changed {
            self.check_same(object, catalog)?;
        }
        for (number, _) in &diff.numbers {
            if self.base_catalog().number(*number) != catalog.number(*number) {
                let detail = "a concurrent transaction has set it";
                return Err(conflict(number.name(), detail));
            }
        }
        self.check_reads(context, queue)?;
        self.check_references(catalog)?;
        let renamed = diff.altered.iter().cloned().map(CatalogObject::Table);
        let renamed: Vec<_> = renamed.chain(diff.changed.iter().cloned()).collect();
        for object in diff.added.iter().chain(&renamed) {
            let in_the_way = catalog.permanent_named(object.kind(), object.schema(), object.name());
            let Some(in_the_way) = in_the_way.map(CatalogObject::id) else {
                continue;
            };
            let goes = diff.removed.iter().any(|(old, _)| old.id() == in_the_way);
            let moves = renamed.iter().any(|new| new.id() == in_the_way);
            if !goes && !moves {
                let detail = "a concurrent transaction has created an object of that name";
                return Err(conflict(object.name(), detail));
            }
        }
        Ok(diff)
    }
}

impl Transaction {
    /// A table that existed when the transaction began is still what it was then.
    fn check_unaltered(&self, table: &Arc<Table>, catalog: &CatalogState) -> Result<()> {
        let (began_with, now) = (self.base_table(table.id()), catalog.table(table.id()));
        let same = match (began_with, now) {
            (None, _) => true,
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            (Some(_), None) => false,
        };
        if same {
            return Ok(());
        }
        let detail = "a concurrent transaction has dropped or altered the table";
        Err(conflict(&table.meta().name, detail))
    }

    /// An object that existed when the transaction began is still what it was then.
    fn check_same(&self, object: &CatalogObject, catalog: &CatalogState) -> Result<()> {
        if self.base_catalog().is_same(object.id(), catalog) {
            return Ok(());
        }
        let detail = "a concurrent transaction has changed or dropped it";
        Err(conflict(object.name(), detail))
    }

    /// No transaction that committed since took away what this one refers to, or refers to what it took away.
    fn check_references(&self, catalog: &CatalogState) -> Result<()> {
        for ((table, index), own) in self.references() {
            // A table that this transaction created, or dropped.
            let Some(table) = catalog.table(*table) else {
                continue;
            };
            if let Some(key) = table.key_of_index(*index) {
                let name = &table.meta().name;
                key.check_references(name, own, self.snapshot().snapshot_id)?;
            }
        }
        Ok(())
    }

    fn record_references(&self, catalog: &CatalogState, commit_id: TxnId, gc_bound: TxnId) {
        for ((table, index), own) in self.references() {
            let table = catalog.table(*table);
            if let Some(key) = table.and_then(|table| table.key_of_index(*index)) {
                key.record_references(commit_id, own, gc_bound);
            }
        }
    }

    /// The rows that a new unique index was checked against are all there are.
    fn check_new_index(&self, object: &CatalogObject, queue: &CommitQueue) -> Result<()> {
        let CatalogObject::Index(index) = object else {
            return Ok(());
        };
        if self.base_table(index.table).is_none() {
            return Ok(());
        }
        if index.unique && queue.has_written_since(index.table, self.snapshot().snapshot_id) {
            let detail = "a concurrent transaction has written to the table";
            return Err(conflict(&index.name, detail));
        }
        Ok(())
    }
}

/// What a commit waits for, and what it brings.
struct Place {
    commit_id: TxnId,
    pager_commit: CommitId,
    work: Work,
}

/// Makes commits visible in the order of their ids, whichever sync returns first. The log is durable up to
/// some commit, so whoever learns that first publishes all before it too, and nobody waits for another.
#[derive(Debug)]
pub(crate) struct PublishQueue {
    state: Mutex<PublishState>,
}

#[derive(Debug)]
struct PublishState {
    /// The last commit that is visible.
    published: TxnId,
    /// Commits that have their place in the log and are not visible, in the order of their ids.
    logged: VecDeque<Logged>,
    /// A sync failed: what is in the log is unknown, so nothing becomes visible any more.
    has_failed: bool,
}

impl PublishQueue {
    pub(crate) fn new(published: TxnId) -> Self {
        Self {
            state: Mutex::new(PublishState {
                published,
                logged: VecDeque::new(),
                has_failed: false,
            }),
        }
    }

    /// True where a commit that is not visible yet deletes one of some rows of a table.
    pub(crate) fn deletes_one_of(&self, table: TableId, rows: &RoaringTreemap) -> bool {
        let state = self.state.lock();
        let mut logged = state.logged.iter();
        logged.any(|logged| logged.ticket.deletes_one_of(table, rows))
    }

    /// Takes a commit that has got its place: called in the order of the ids, under the lock that makes it.
    fn register(&self, logged: Logged) -> Place {
        let place = Place {
            commit_id: logged.ticket.commit_id(),
            pager_commit: logged.ticket.pager_commit(),
            work: logged.work,
        };
        self.state.lock().logged.push_back(logged);
        place
    }

    /// Publishes what is durable when commit `upto` is: it, and all before it.
    fn publish(&self, context: &RuntimeContext, upto: TxnId, synced: Result<()>) -> Result<()> {
        let mut state = self.state.lock();
        if let Err(error) = synced {
            state.has_failed = true;
            return Err(error);
        }
        while state.published < upto {
            if state.has_failed {
                let path = "the database".into();
                return Err(Error::Storage(StorageError::Poisoned { path }));
            }
            let Some(next) = state.logged.pop_front() else {
                return Err(Error::internal("a commit that was not logged"));
            };
            let commit_id = next.ticket.commit_id();
            if let Err(error) = context.show(next) {
                state.has_failed = true;
                return Err(error);
            }
            state.published = commit_id;
        }
        Ok(())
    }
}

impl RuntimeContext {
    /// Table versions first, then the catalog, then the watermark: a snapshot taken at any moment finds
    /// everything that it may see.
    fn show(&self, logged: Logged) -> Result<()> {
        let commit_id = logged.ticket.commit_id();
        self.store.publish(logged.ticket)?;
        if logged.catalog.as_of() == commit_id {
            self.catalog.store(logged.catalog);
        }
        self.transactions.publish(commit_id);
        Ok(())
    }
}
