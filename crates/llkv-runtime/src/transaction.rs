//! The staging context of one transaction: what it wrote, created and dropped, and may still take back.

mod savepoints;

use crate::context::RuntimeContext;
use crate::foreign_keys::{PendingKeys, ReferenceFootprints};
use crate::reads::Reads;
use crate::schemas::{self, SearchPath};
use crate::temporary::{Seen, TemporarySpace};
use crate::watched_stream::WatchedStream;
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Int64Type;
use llkv_column_map::{ColumnStore, Lifetime};
use llkv_plan::{IsolationLevel, TableRef};
use llkv_result::{CatalogError, Error, ObjectKind, Result, StatementResult, TransactionError};
use llkv_table::{
    Appended, CatalogDiff, CatalogObject, CatalogState, ForeignKeyMeta, KeyMatches, OnConflict,
    Patience, Reference, ReferredKeys, StagedTable, Table, TableHandle, WriteContext,
};
use llkv_transaction::{RegisteredSnapshot, TransactionSnapshot, conflict};
use llkv_types::{DatabaseNumber, RowId, Scalar, TableId, TxnId};
use parking_lot::Mutex;
use roaring::RoaringTreemap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use savepoints::Savepoint;

/// A running transaction. Dropped without a commit it leaves no trace.
pub(crate) struct Transaction {
    context: Arc<RuntimeContext>,
    snapshot: Arc<RegisteredSnapshot>,
    /// The catalog when it began.
    base_catalog: Arc<CatalogState>,
    /// The catalog as it sees it.
    catalog: Arc<CatalogState>,
    tables: BTreeMap<TableId, StagedTable>,
    /// Where names without a schema are looked for.
    path: SearchPath,
    reads: Arc<Reads>,
    /// Keys of parents that it refers to and took away.
    references: ReferenceFootprints,
    /// What deferred foreign keys look at before the commit.
    deferred: Vec<PendingKeys>,
    /// Tables to which rows were appended one by one since the last flush.
    single_rows: Vec<TableId>,
    /// The integer key of the row that the running statement inserted last.
    pub(crate) last_row_id: Option<i64>,
    savepoints: Vec<Savepoint>,
    /// Rows deleted since the first savepoint, for taking them back.
    undo: Vec<(TableId, RoaringTreemap)>,
    /// Objects that are kept from other transactions, by their rows in the catalog.
    locked_objects: RoaringTreemap,
    /// Where the temporary tables were when it began; absent without any.
    temporary_base: Option<Savepoint>,
    /// The session's, kept for it.
    seen: Seen,
    is_read_only: bool,
    /// A statement has run in it.
    pub(crate) has_run: bool,
    /// A statement failed: only a rollback is accepted. Shared with the result streams.
    is_aborted: Arc<AtomicBool>,
    /// What the statement that fails has asked for.
    failure: Option<Failure>,
    /// A savepoint began it, with whose release it ends.
    pub(crate) begun_by_savepoint: bool,
    /// That of the statement that runs.
    pub(crate) patience: Patience,
}

/// What becomes of a failed statement that says so itself, by `OR FAIL` or `RAISE(ROLLBACK, ...)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// What it did stays.
    Keep,
    /// The transaction is rolled back.
    RollBack,
}

impl Transaction {
    /// Begins a transaction of a session that has these temporary objects.
    pub(crate) fn begin(
        context: &Arc<RuntimeContext>,
        is_read_only: bool,
        isolation: IsolationLevel,
        temporary: TemporarySpace,
    ) -> Self {
        let (snapshot, catalog) = context.begin();
        let catalog = temporary.seen_with(catalog);
        let mut transaction = Self {
            context: Arc::clone(context),
            snapshot: Arc::new(snapshot),
            base_catalog: Arc::clone(&catalog),
            catalog,
            tables: temporary.rows,
            path: schemas::default_path(),
            seen: temporary.seen.into_inner(),
            single_rows: Vec::new(),
            last_row_id: None,
            savepoints: Vec::new(),
            reads: Arc::new(Reads::new(isolation)),
            references: BTreeMap::new(),
            deferred: Vec::new(),
            undo: Vec::new(),
            locked_objects: RoaringTreemap::new(),
            temporary_base: None,
            is_read_only: is_read_only || context.is_read_only,
            has_run: false,
            is_aborted: Arc::default(),
            failure: None,
            begun_by_savepoint: false,
            patience: Patience::default(),
        };
        if !transaction.tables.is_empty() {
            transaction.temporary_base = Some(transaction.here(None));
        }
        transaction
    }

    /// The session's temporary objects and their rows as the transaction leaves them: with what it did
    /// where it `committed`, else as they were.
    pub(crate) fn take_temporary(&mut self, committed: bool) -> Result<TemporarySpace> {
        let catalog = if committed {
            &self.catalog
        } else {
            &self.base_catalog
        };
        let objects = Arc::clone(catalog.temporaries());
        if objects.is_empty() {
            return Ok(TemporarySpace::default());
        }
        self.flush()?;
        if !committed && let Some(base) = self.temporary_base.take() {
            self.undo_since(&base)?;
        }
        let is_kept = |id: &TableId| objects.values().any(|object| object.id() == *id);
        let mut rows = std::mem::take(&mut self.tables);
        rows.retain(|id, _| is_kept(id));
        Ok(TemporarySpace {
            objects,
            rows,
            seen: Mutex::new(self.seen.take()),
        })
    }

    /// True once a statement failed.
    pub(crate) fn is_aborted(&self) -> bool {
        self.is_aborted.load(Ordering::Acquire)
    }

    /// Accepts nothing but a rollback from now on.
    pub(crate) fn abort(&self) {
        self.is_aborted.store(true, Ordering::Release);
    }

    /// The running statement fails, and says what then. The first word counts.
    pub(crate) fn fail_with(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// What the statement asks for in case that it fails.
    pub(crate) const fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// What the statement that ended asked for in case that it failed.
    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    /// A result whose rows, should they fail while they are pulled, abort the transaction.
    pub(crate) fn watch(&self, result: StatementResult) -> StatementResult {
        match result {
            StatementResult::Select(stream) => StatementResult::Select(Box::new(
                WatchedStream::new(stream, Arc::clone(&self.is_aborted)),
            )),
            other => other,
        }
    }

    pub(crate) fn snapshot(&self) -> TransactionSnapshot {
        self.snapshot.snapshot()
    }

    /// The snapshot for those who outlive the transaction: result streams.
    pub(crate) fn registered_snapshot(&self) -> Arc<RegisteredSnapshot> {
        Arc::clone(&self.snapshot)
    }

    pub(crate) fn catalog(&self) -> &Arc<CatalogState> {
        &self.catalog
    }

    pub(crate) fn has_changes(&self) -> bool {
        self.written_tables().next().is_some() || !Arc::ptr_eq(&self.catalog, &self.base_catalog)
    }

    /// Changes what BEGIN said.
    pub(crate) fn set_mode(
        &mut self,
        read_only: Option<bool>,
        isolation: Option<IsolationLevel>,
    ) -> Result<()> {
        if self.has_run || !self.savepoints.is_empty() {
            return Err(TransactionError::HasRun.into());
        }
        if let Some(read_only) = read_only {
            self.is_read_only = read_only || self.context.is_read_only;
        }
        if let Some(isolation) = isolation {
            self.reads = Arc::new(Reads::new(isolation));
        }
        Ok(())
    }

    /// Refuses a statement that writes where nothing may be written.
    pub(crate) fn check_writable(&self, statement: &'static str) -> Result<()> {
        if self.is_read_only {
            return Err(TransactionError::ReadOnly { statement }.into());
        }
        Ok(())
    }

    /// The tables that it wrote to and did not drop afterwards.
    pub(crate) fn written_tables(&self) -> impl Iterator<Item = &StagedTable> {
        let is_there = |staged: &&StagedTable| {
            let id = staged.table().id();
            self.catalog.table(id).is_some() && !self.catalog.is_temporary(id)
        };
        self.tables
            .values()
            .filter(|s| !s.is_empty())
            .filter(is_there)
    }

    /// All tables that it holds rows of, for handles.
    pub(crate) fn staged_tables(&self) -> impl Iterator<Item = &StagedTable> {
        self.tables.values()
    }

    /// The table as it was when the transaction began; none for a table that it created itself.
    pub(crate) fn base_table(&self, table: TableId) -> Option<&Arc<Table>> {
        self.base_catalog.table(table)
    }

    /// What it has read, as far as that matters at its commit.
    pub(crate) fn reads(&self) -> &Arc<Reads> {
        &self.reads
    }

    /// The catalog when the transaction began.
    pub(crate) fn base_catalog(&self) -> &CatalogState {
        &self.base_catalog
    }

    pub(crate) fn catalog_diff(&self) -> CatalogDiff {
        if Arc::ptr_eq(&self.catalog, &self.base_catalog) {
            return CatalogDiff::default();
        }
        self.catalog.diff(&self.base_catalog)
    }

    /// Waits for the row groups that are being written, those of the last rows included.
    pub(crate) fn settle(&mut self, store: &Arc<ColumnStore>) -> Result<()> {
        let mut tables = self.tables.values_mut();
        tables.try_for_each(|staged| staged.settle(store))
    }

    pub(crate) fn record_keys(&self, commit_id: TxnId, gc_bound: TxnId) {
        for staged in self.written_tables() {
            staged.record_keys(commit_id, gc_bound);
        }
    }

    /// A table of its catalog.
    pub(crate) fn table(&self, id: TableId, name: &str) -> Result<Arc<Table>> {
        self.catalog.table(id).cloned().ok_or_else(|| {
            Error::Catalog(CatalogError::NotFound {
                kind: ObjectKind::Table,
                name: name.to_owned(),
            })
        })
    }

    /// Appends rows to a table.
    pub(crate) fn append(
        &mut self,
        table: &Arc<Table>,
        rows: RecordBatch,
        on_conflict: OnConflict,
    ) -> Result<Appended> {
        self.patience.cancel.check()?;
        crate::sequences::raise(&self.context, &self.catalog, table, &rows)?;
        let (context, staged) = self.staging(table);
        let appended = staged.append(&context, rows, on_conflict)?;
        if appended.kept.is_some() {
            // Some were left out for rows that are there.
            self.reads.by_statement(table.id());
        }
        self.remember(table.id(), &appended.replaced);
        Ok(appended)
    }

    /// Appends batches that belong together; their keys are certain to be new once it returns.
    pub(crate) fn in_bulk<T>(
        &mut self,
        table: &Arc<Table>,
        append: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.staging(table).1.begin_bulk();
        let appended = append(self)?;
        let (context, staged) = self.staging(table);
        staged.end_bulk(context.store, &context.patience.cancel)?;
        Ok(appended)
    }

    /// The id that the next row appended to a table gets.
    pub(crate) fn next_row_id(&mut self, table: &Arc<Table>) -> RowId {
        self.staging(table).1.next_row_id()
    }

    /// True for a row that the transaction has deleted.
    pub(crate) fn has_deleted(&self, table: &Table, row: RowId) -> bool {
        let staged = self.tables.get(&table.id());
        staged.is_some_and(|staged| staged.has_deleted(row))
    }

    /// The rows with numbers where they bring no integer key.
    pub(crate) fn number_rows(
        &mut self,
        table: &Arc<Table>,
        key: usize,
        rows: RecordBatch,
    ) -> Result<RecordBatch> {
        let (context, staged) = self.staging(table);
        staged.number_rows(&context, key, rows)
    }

    /// Notes the last of some rows that were inserted into a table whose rows have this key for a number.
    pub(crate) fn note_row_id(
        &mut self,
        table: &Table,
        key: Option<usize>,
        rows: &RecordBatch,
        kept: Option<&BooleanArray>,
    ) {
        let Some(column) = key.and_then(|key| row_id_column(table, key)) else {
            return;
        };
        let last = match kept {
            None => rows.num_rows().checked_sub(1),
            Some(kept) => (0..kept.len()).rfind(|row| kept.value(*row)),
        };
        let values = rows.columns().get(column);
        let values = values.and_then(|column| column.as_primitive_opt::<Int64Type>());
        if let (Some(values), Some(last)) = (values, last) {
            self.last_row_id = Some(values.value(last));
        }
    }

    /// Appends one row of a table, a value of its type for each column. False where it has to be appended as
    /// a batch. Until [`Self::flush`] nobody sees it.
    pub(crate) fn append_row(&mut self, table: &Arc<Table>, row: &[Scalar]) -> Result<bool> {
        let (context, staged) = self.staging(table);
        let is_appended = staged.append_row(&context, row)?;
        let id = table.id();
        if is_appended && !self.single_rows.contains(&id) {
            self.single_rows.push(id);
        }
        Ok(is_appended)
    }

    /// Makes the rows that were appended one by one visible to what comes.
    pub(crate) fn flush(&mut self) -> Result<()> {
        for id in std::mem::take(&mut self.single_rows) {
            if let Some(staged) = self.tables.get_mut(&id) {
                staged.flush(&self.context.store)?;
            }
        }
        Ok(())
    }

    /// Appends new versions of rows whose keys did not change.
    pub(crate) fn append_versions(&mut self, table: &Arc<Table>, rows: RecordBatch) -> Result<()> {
        self.patience.cancel.check()?;
        let (context, staged) = self.staging(table);
        staged.append_versions(&context, rows)
    }

    /// The rows in the way of a batch under some keys of the table.
    pub(crate) fn match_keys(
        &mut self,
        table: &Arc<Table>,
        keys: &[usize],
        rows: &RecordBatch,
    ) -> Result<KeyMatches> {
        let (context, staged) = self.staging(table);
        let matches = staged.match_keys(&context, keys, rows)?;
        let found = matches.existing.iter().copied().flatten();
        self.reads.rows_by_key(table.id(), found);
        Ok(matches)
    }

    /// Whole rows by their ids.
    pub(crate) fn rows_by_id(&mut self, table: &Arc<Table>, ids: &[RowId]) -> Result<RecordBatch> {
        let (context, staged) = self.staging(table);
        staged.rows_by_id(&context, ids)
    }

    /// The keys among some that the parent of a reference has not. With `note`, later commits are checked
    /// against all of them.
    pub(crate) fn missing_keys(
        &mut self,
        reference: &Reference,
        keys: &ReferredKeys,
        note: bool,
    ) -> Result<Vec<u32>> {
        let parent = reference.parent.id();
        let place = (parent, reference.parent_index()?);
        let is_it = |key: &ForeignKeyMeta| key.name == reference.key.name;
        let before = self.base_table(reference.child.id());
        if note && !before.is_some_and(|table| table.meta().foreign_keys.iter().any(is_it)) {
            // Nobody else knows of the constraint: who took rows away has not said which.
            self.reads.by_constraint(parent);
        }
        let mut own = std::mem::take(self.references.entry(place).or_default());
        let (context, staged) = self.staging(&reference.parent);
        let footprint = note.then(|| Arc::make_mut(&mut own.referenced));
        let missing = staged.missing_keys(&context, reference, keys, footprint);
        self.references.insert(place, own);
        missing
    }

    /// Takes note of keys that went from the parent of a reference.
    pub(crate) fn take_away(&mut self, reference: &Reference, keys: &ReferredKeys) -> Result<()> {
        let place = (reference.parent.id(), reference.parent_index()?);
        let own = self.references.entry(place).or_default();
        reference.note(keys, Arc::make_mut(&mut own.removed))
    }

    /// Keeps keys for the end of the transaction.
    pub(crate) fn defer(&mut self, pending: PendingKeys) {
        self.deferred.push(pending);
    }

    pub(crate) fn deferred(&self) -> &[PendingKeys] {
        &self.deferred
    }

    pub(crate) fn take_deferred(&mut self) -> Vec<PendingKeys> {
        std::mem::take(&mut self.deferred)
    }

    /// The keys of parents that it refers to and took away.
    pub(crate) fn references(&self) -> &ReferenceFootprints {
        &self.references
    }

    /// Has transactions that run try again: there is a new foreign key that refers to the table.
    pub(crate) fn touch(&mut self, table: TableId) -> Result<()> {
        Arc::make_mut(&mut self.catalog).touch(table)?;
        self.follow_catalog()
    }

    /// Deletes rows and gives back how many were there.
    pub(crate) fn delete(&mut self, table: &Arc<Table>, rows: &RoaringTreemap) -> Result<u64> {
        let (context, staged) = self.staging(table);
        let deleted = staged.delete(&context, rows)?;
        self.remember(table.id(), &deleted);
        Ok(deleted.len())
    }

    fn staging(&mut self, table: &Arc<Table>) -> (WriteContext<'_>, &mut StagedTable) {
        let context = WriteContext {
            store: &self.context.store,
            transactions: &self.context.transactions,
            snapshot: self.snapshot.snapshot(),
            patience: &self.patience,
        };
        let lifetime = match self.catalog.is_temporary(table.id()) {
            true => Lifetime::Temporary,
            false => Lifetime::Lasting,
        };
        let staged = self.tables.entry(table.id());
        let staged = staged.or_insert_with(|| StagedTable::new(Arc::clone(table), lifetime));
        (context, staged)
    }

    fn remember(&mut self, table: TableId, deleted: &RoaringTreemap) {
        let may_go_back = !self.savepoints.is_empty() || self.temporary_base.is_some();
        if may_go_back && !deleted.is_empty() {
            self.undo.push((table, deleted.clone()));
        }
    }

    /// Creates an object.
    pub(crate) fn create(&mut self, object: CatalogObject, temporary: bool) -> Result<()> {
        let catalog = Arc::make_mut(&mut self.catalog);
        // An index is part of the definition of its table; anything else that is new changes no table that was there.
        let changes_table = matches!(object, CatalogObject::Index(_));
        match temporary {
            true => catalog.create_temporary(object)?,
            false => catalog.create(object)?,
        }
        match changes_table {
            true => self.follow_catalog(),
            false => Ok(()),
        }
    }

    /// Has the rows written so far follow the definitions that their tables have now.
    fn follow_catalog(&mut self) -> Result<()> {
        for (id, staged) in &mut self.tables {
            if let Some(table) = self.catalog.table(*id)
                && !Arc::ptr_eq(table, staged.table())
            {
                staged.set_table(&self.context.store, table)?;
            }
        }
        Ok(())
    }

    /// A table of the catalog as the transaction sees it now, for a statement that reads it; `None` for one that is not there.
    pub(crate) fn read_by_id(&self, id: TableId) -> Result<Option<TableHandle>> {
        let Some(table) = self.catalog.table(id) else {
            return Ok(None);
        };
        self.reads.by_statement(id);
        self.handle(table).map(Some)
    }

    /// A table as the transaction sees it now, for whoever takes note of what is read of it.
    pub(crate) fn handle(&self, table: &Arc<Table>) -> Result<TableHandle> {
        let snapshot_id = self.snapshot().snapshot_id;
        let committed = self.context.store.table(table.id())?;
        match self.tables.get(&table.id()) {
            Some(staged) => staged.handle(&self.context.store, committed, snapshot_id),
            None => Ok(match committed {
                Some(version) => table.at(version, snapshot_id)?,
                None => TableHandle::in_memory(Arc::clone(table.schema()), Vec::new()),
            }),
        }
    }

    /// Drops an object. The first of two transactions that drop it wins.
    pub(crate) fn drop_object(
        &mut self,
        kind: ObjectKind,
        schema: TableId,
        name: &str,
        temporary: bool,
    ) -> Result<()> {
        if temporary {
            Arc::make_mut(&mut self.catalog).remove_temporary(kind, name)?;
            return self.follow_catalog();
        }
        let before = Arc::clone(&self.catalog);
        Arc::make_mut(&mut self.catalog).remove(kind, schema, name)?;
        self.follow_catalog()?;
        // A table's indexes go with it.
        self.lock_gone(&before)
    }

    /// Locks what is not there any more. Of sequences, whose rows change whenever numbers are taken, the
    /// commit finds out.
    fn lock_gone(&mut self, before: &CatalogState) -> Result<()> {
        for (object, row_id) in self.catalog.diff(before).removed {
            if !matches!(object, CatalogObject::Sequence(_)) {
                self.lock_object(object.name(), row_id)?;
            }
        }
        Ok(())
    }

    /// Has names be looked for along a path.
    pub(crate) fn set_path(&mut self, path: &SearchPath) {
        self.path = Arc::clone(path);
    }

    /// An object of a kind by its name; a temporary one hides others.
    pub(crate) fn find(&self, kind: ObjectKind, name: &TableRef) -> Option<&CatalogObject> {
        schemas::find(&self.catalog, &self.path, kind, name)
    }

    /// An object of a kind of the database itself.
    pub(crate) fn find_permanent(
        &self,
        kind: ObjectKind,
        name: &TableRef,
    ) -> Option<&CatalogObject> {
        schemas::find_permanent(&self.catalog, &self.path, kind, name)
    }

    /// The schema in which an object of that name is made.
    pub(crate) fn schema_for_new(&self, name: &TableRef) -> Result<TableId> {
        schemas::schema_for_new(&self.catalog, &self.path, name)
    }

    /// Gives an object another description. The first of two transactions that change it wins.
    pub(crate) fn change(&mut self, object: CatalogObject) -> Result<()> {
        let temporary = self.catalog.is_temporary(object.id());
        let is_sequence = matches!(object, CatalogObject::Sequence(_));
        let row_id = self.catalog.row_of(object.id());
        if let Some(row_id) = row_id.filter(|_| !temporary && !is_sequence) {
            self.lock_object(object.name(), row_id)?;
        }
        let before = Arc::clone(&self.catalog);
        Arc::make_mut(&mut self.catalog).change(object)?;
        self.follow_catalog()?;
        self.lock_gone(&before)
    }

    /// Sets a number of the file.
    pub(crate) fn set_number(&mut self, number: DatabaseNumber, value: i32) -> Result<()> {
        self.check_writable("PRAGMA")?;
        Arc::make_mut(&mut self.catalog).set_number(number, value);
        Ok(())
    }

    fn lock_object(&mut self, name: &str, row_id: RowId) -> Result<()> {
        let txn_id = self.snapshot().txn_id;
        let row = RoaringTreemap::from_iter([row_id]);
        let taken = self.context.catalog_locks.acquire(txn_id, &row);
        taken.map_err(|_| conflict(name, "a concurrent transaction is changing or dropping it"))?;
        self.locked_objects.insert(row_id);
        let version = self.context.store.table(TableId::CATALOG)?;
        let deleted_by = version.map(|v| v.deleted_by(&[row_id])).unwrap_or_default();
        if deleted_by.iter().any(|id| *id != llkv_types::TXN_ID_NONE) {
            return Err(conflict(
                name,
                "a concurrent transaction has changed or dropped it",
            ));
        }
        Ok(())
    }
}

impl Drop for Transaction {
    /// Gives up the rows that it held, after a commit as after a rollback.
    fn drop(&mut self) {
        let txn_id = self.snapshot().txn_id;
        for staged in self.tables.values() {
            staged.table().pending().release_all(txn_id);
        }
        self.context.catalog_locks.release_all(txn_id);
    }
}

/// The column of a key that numbers the rows of a table.
pub(crate) fn row_id_column(table: &Table, key: usize) -> Option<usize> {
    table.keys().get(key)?.columns().first().copied()
}
