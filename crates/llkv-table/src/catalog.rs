//! The system catalog: table 0, whose rows describe all other tables, their indexes and the views.

use crate::meta::{damaged, decode, decode_table, encode, encode_table};
use crate::triggers::key_of;
use crate::{
    IndexMeta, ScanRequest, Table, TableHandle, TemporaryObjects, TriggerMeta, TriggersByTable,
    ViewMeta,
};
use arrow::array::{ArrayRef, AsArray, BinaryViewArray, RecordBatch, UInt8Array, UInt32Array};
use arrow::datatypes::{UInt8Type, UInt32Type, UInt64Type};
use llkv_column_map::{ColumnStore, CommitRecord, TableChange, TableVersion};
use llkv_result::{CatalogError, ObjectKind, Result};
use llkv_types::{Column, FieldId, RowId, SqlType, TableId, TableSchema, TxnId};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The system catalog as a table: its schema, its rows, its creation.
#[derive(Debug, Clone, Copy)]
pub struct SysCatalog;

/// What a row of the catalog describes: the number in its `kind` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum RowKind {
    Table = 1,
    View = 2,
    /// Keeps the highest id ever used when the object that had it is dropped.
    HighestId = 3,
    Index = 4,
    Trigger = 5,
}

/// An object that has a name.
#[derive(Debug, Clone)]
pub enum CatalogObject {
    /// A base table.
    Table(Arc<Table>),
    /// A view.
    View(Arc<ViewMeta>),
    /// An index of a table.
    Index(Arc<IndexMeta>),
    /// A trigger of a table or view.
    Trigger(Arc<TriggerMeta>),
}

/// An object and where it is stored.
#[derive(Debug, Clone)]
pub(crate) struct CatalogEntry {
    pub(crate) object: CatalogObject,
    /// Its row in table 0; none while its creator has not committed.
    row_id: Option<RowId>,
}

/// All objects at one moment. Immutable for its readers; a transaction that changes the catalog changes a
/// copy of its own, and the difference is what it commits.
#[derive(Debug, Clone, Default)]
pub struct CatalogState {
    /// The commit that this is the state of.
    as_of: TxnId,
    pub(crate) by_name: BTreeMap<String, CatalogEntry>,
    pub(crate) tables: HashMap<TableId, Arc<Table>>,
    /// Triggers by their table or view, the newest first; most databases have none.
    pub(crate) triggers: Arc<TriggersByTable>,
    /// The row that keeps the highest id of dropped objects, and that id.
    highest_id: Option<(RowId, u32)>,
    /// What one session alone sees; empty in the state that all share.
    pub(crate) temporary: Arc<TemporaryObjects>,
}

/// What a transaction changed in the catalog.
#[derive(Debug, Clone, Default)]
pub struct CatalogDiff {
    /// Objects created.
    pub added: Vec<CatalogObject>,
    /// Objects that went, with their rows.
    pub removed: Vec<(CatalogObject, RowId)>,
    /// Tables that existed before and have other indexes now.
    pub altered: Vec<Arc<Table>>,
}

impl CatalogObject {
    /// The name as created.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Table(table) => &table.meta().name,
            Self::View(view) => &view.name,
            Self::Index(index) => &index.name,
            Self::Trigger(trigger) => &trigger.name,
        }
    }

    /// The identity.
    #[must_use]
    pub fn id(&self) -> TableId {
        match self {
            Self::Table(table) => table.id(),
            Self::View(view) => view.id,
            Self::Index(index) => index.id,
            Self::Trigger(trigger) => trigger.id,
        }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> ObjectKind {
        match self {
            Self::Table(_) => ObjectKind::Table,
            Self::View(_) => ObjectKind::View,
            Self::Index(_) => ObjectKind::Index,
            Self::Trigger(_) => ObjectKind::Trigger,
        }
    }

    /// Under which the catalog keeps it.
    pub(crate) fn key(&self) -> String {
        key_of(self.kind(), self.name())
    }
}

impl CatalogDiff {
    /// True when nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.altered.is_empty()
    }
}

impl SysCatalog {
    const KIND: FieldId = FieldId(0);
    const ID: FieldId = FieldId(1);
    const PAYLOAD: FieldId = FieldId(2);

    /// The columns of table 0.
    #[must_use]
    pub fn schema() -> TableSchema {
        let column = |field, name: &str, ty| Column {
            field,
            name: name.into(),
            ty,
            nullable: false,
        };
        TableSchema {
            columns: vec![
                column(Self::KIND, "kind", SqlType::UInt8),
                column(Self::ID, "id", SqlType::UInt32),
                column(Self::PAYLOAD, "payload", SqlType::Blob),
            ],
        }
    }

    /// Creates table 0 in a store that is new.
    ///
    /// # Errors
    /// When the store cannot write.
    pub fn bootstrap(store: &ColumnStore) -> Result<()> {
        let columns = Self::schema().columns.into_iter();
        let ticket = store.log(&CommitRecord {
            commit_id: store.last_commit() + 1,
            changes: vec![TableChange::Create {
                table: TableId::CATALOG,
                columns: columns.map(|c| (c.field, c.ty)).collect(),
            }],
        })?;
        store.sync(&ticket)?;
        store.publish(ticket)
    }

    /// Reads the catalog as a snapshot sees it.
    ///
    /// # Errors
    /// When table 0 cannot be read or a record of it is damaged.
    pub fn load(version: &Arc<TableVersion>, snapshot: TxnId) -> Result<CatalogState> {
        let handle =
            TableHandle::committed(Arc::new(Self::schema()), Arc::clone(version), snapshot);
        let mut request = ScanRequest::new(vec![Self::KIND, Self::ID, Self::PAYLOAD]);
        request.with_row_id = true;
        let scan = handle.scan_stream(&request)?;
        let mut state = CatalogState {
            as_of: snapshot,
            ..CatalogState::default()
        };
        for morsel in 0..scan.morsel_count() {
            for batch in scan.read(morsel)? {
                state.read_rows(&batch?)?;
            }
        }
        state.attach_indexes()?;
        state.attach_triggers();
        Ok(state)
    }

    fn rows(rows: &[(RowKind, TableId, Vec<u8>)]) -> Result<RecordBatch> {
        let kinds = rows.iter().map(|(kind, _, _)| *kind as u8);
        let ids = rows.iter().map(|(_, id, _)| id.0);
        let payloads = rows.iter().map(|(_, _, payload)| payload.as_slice());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt8Array::from_iter_values(kinds)),
            Arc::new(UInt32Array::from_iter_values(ids)),
            Arc::new(BinaryViewArray::from_iter_values(payloads)),
        ];
        Ok(RecordBatch::try_new(Self::schema().to_arrow(), columns)?)
    }
}

impl CatalogState {
    /// The commit that this is the state of: it holds all changes up to it.
    #[must_use]
    pub fn as_of(&self) -> TxnId {
        self.as_of
    }

    /// An object by name, without regard to ASCII case; a temporary one hides others of its name.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<&CatalogObject> {
        match self.temporary.is_empty() {
            true => self.permanent(name),
            false => self.temporary(name).or_else(|| self.permanent(name)),
        }
    }

    /// A table by id.
    #[must_use]
    pub fn table(&self, id: TableId) -> Option<&Arc<Table>> {
        self.tables.get(&id)
    }

    /// All objects, in the order of their lower-case names, the temporary ones last.
    pub fn objects(&self) -> impl Iterator<Item = &CatalogObject> {
        let permanent = self.by_name.values().map(|entry| &entry.object);
        permanent.chain(self.temporary.values())
    }

    /// The highest id in use or ever used by an object that was dropped.
    #[must_use]
    pub fn highest_id(&self) -> u32 {
        let used = self.objects().map(|object| object.id().0).max();
        let dropped = self.highest_id.map(|(_, id)| id);
        used.max(dropped).unwrap_or(0)
    }

    /// Adds an object that is not committed yet.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn create(&mut self, object: CatalogObject) -> Result<()> {
        if let Some(existing) = self.permanent_of(object.kind(), object.name()) {
            return Err(CatalogError::AlreadyExists {
                kind: existing.kind(),
                name: existing.name().to_owned(),
            }
            .into());
        }
        let of_table = match &object {
            CatalogObject::Index(index) => Some((index.table, Arc::clone(index))),
            _ => None,
        };
        let is_trigger = matches!(object, CatalogObject::Trigger(_));
        self.insert(object, None);
        if let Some((table, index)) = of_table {
            self.alter_table(table, |indexes| indexes.push(index))?;
        }
        if is_trigger {
            self.attach_triggers();
        }
        Ok(())
    }

    /// Gives a table other indexes.
    pub(crate) fn alter_table(
        &mut self,
        id: TableId,
        alter: impl FnOnce(&mut Vec<Arc<IndexMeta>>),
    ) -> Result<()> {
        let Some(table) = self.tables.get(&id) else {
            return Ok(());
        };
        let mut indexes = table.indexes().to_vec();
        alter(&mut indexes);
        let table = table.with_indexes(indexes)?;
        self.replace_table(table);
        Ok(())
    }

    /// Another definition of a table that exists, under the same name.
    fn replace_table(&mut self, table: Arc<Table>) {
        let name = table.meta().name.to_ascii_lowercase();
        let object = CatalogObject::Table(Arc::clone(&table));
        if self.is_temporary(table.id()) {
            Arc::make_mut(&mut self.temporary).insert(name, object);
        } else if let Some(entry) = self.by_name.get_mut(&name) {
            entry.object = object;
        }
        self.tables.insert(table.id(), table);
    }

    /// Tells the tables of the indexes that were read.
    fn attach_indexes(&mut self) -> Result<()> {
        let mut indexes: Vec<Arc<IndexMeta>> = Vec::new();
        for object in self.objects() {
            if let CatalogObject::Index(index) = object {
                indexes.push(Arc::clone(index));
            }
        }
        indexes.sort_by_key(|index| (index.table, index.id));
        for of_table in indexes.chunk_by(|a, b| a.table == b.table) {
            let table = of_table
                .first()
                .map_or(TableId::CATALOG, |index| index.table);
            if !self.tables.contains_key(&table) {
                return Err(damaged(format!(
                    "an index of table {table}, which does not exist"
                )));
            }
            self.alter_table(table, |indexes| indexes.extend_from_slice(of_table))?;
        }
        Ok(())
    }

    /// Removes an object and gives back its row, where it has one. The indexes of a table go with it; their
    /// rows are part of [`Self::diff`].
    ///
    /// # Errors
    /// When no object of this kind has the name.
    pub fn remove(
        &mut self,
        kind: ObjectKind,
        name: &str,
    ) -> Result<(CatalogObject, Option<RowId>)> {
        match self.permanent_of(kind, name) {
            Some(object) if object.kind() == kind => {}
            _ => {
                let name = name.to_owned();
                return Err(CatalogError::NotFound { kind, name }.into());
            }
        }
        let entry = self.by_name.remove(&key_of(kind, name));
        let entry = entry.ok_or_else(|| damaged(format!("\"{name}\" is lost")))?;
        match &entry.object {
            CatalogObject::Table(table) => {
                self.tables.remove(&table.id());
                for index in table.indexes() {
                    self.by_name.remove(&index.name.to_ascii_lowercase());
                }
                self.drop_triggers_of(table.id());
            }
            CatalogObject::Index(gone) => {
                let id = gone.id;
                self.alter_table(gone.table, |indexes| indexes.retain(|index| index.id != id))?;
            }
            CatalogObject::View(view) => self.drop_triggers_of(view.id),
            CatalogObject::Trigger(_) => self.attach_triggers(),
        }
        Ok((entry.object, entry.row_id))
    }

    fn insert(&mut self, object: CatalogObject, row_id: Option<RowId>) {
        if let CatalogObject::Table(table) = &object {
            self.tables.insert(table.id(), Arc::clone(table));
        }
        let key = object.key();
        self.by_name.insert(key, CatalogEntry { object, row_id });
    }

    fn altered(&self, base: &Self) -> Vec<Arc<Table>> {
        let tables = self.tables.values().filter(|table| {
            let before = base.tables.get(&table.id());
            before.is_some_and(|before| !Arc::ptr_eq(before, table))
                && !self.is_temporary(table.id())
        });
        tables.cloned().collect()
    }

    /// What a transaction changed that began with `base`.
    #[must_use]
    pub fn diff(&self, base: &Self) -> CatalogDiff {
        let added = self.by_name.values().filter(|e| e.row_id.is_none());
        let removed = base.by_name.iter().filter_map(|(name, entry)| {
            let row_id = entry.row_id?;
            let same_name = self.by_name.get(name).and_then(|e| e.row_id);
            (same_name != Some(row_id)).then(|| (entry.object.clone(), row_id))
        });
        CatalogDiff {
            added: added.map(|e| e.object.clone()).collect(),
            removed: removed.collect(),
            altered: self.altered(base),
        }
    }

    /// The state after a commit that brings `diff`, and the changes of table 0 (and of the tables that
    /// come and go) that make it so.
    ///
    /// # Errors
    /// When a record cannot be built.
    pub fn apply(
        &self,
        diff: &CatalogDiff,
        commit_id: TxnId,
        first_row_id: RowId,
    ) -> Result<(Self, Vec<TableChange>)> {
        let mut next = self.clone();
        next.as_of = commit_id;
        let mut changes = Vec::new();
        let mut row_ids = Vec::new();
        let mut rows = Vec::new();
        for (object, row_id) in &diff.removed {
            next.forget(object);
            row_ids.push(*row_id);
            match object {
                CatalogObject::Table(table) => {
                    changes.push(TableChange::Drop { table: table.id() });
                }
                CatalogObject::Index(index) if next.tables.contains_key(&index.table) => {
                    changes.push(TableChange::DropIndex {
                        table: index.table,
                        index: index.index_id(),
                    });
                }
                CatalogObject::Index(_) | CatalogObject::View(_) | CatalogObject::Trigger(_) => {}
            }
        }
        for table in &diff.altered {
            next.replace_table(Arc::clone(table));
        }
        for object in &diff.added {
            let row_id = first_row_id + rows.len() as u64;
            rows.push(match object {
                CatalogObject::Table(table) => {
                    (RowKind::Table, table.id(), encode_table(table.meta()))
                }
                CatalogObject::View(view) => (RowKind::View, view.id, encode::<ViewMeta>(view)),
                CatalogObject::Index(index) => {
                    (RowKind::Index, index.id, encode::<IndexMeta>(index))
                }
                CatalogObject::Trigger(trigger) => {
                    (RowKind::Trigger, trigger.id, encode::<TriggerMeta>(trigger))
                }
            });
            if let CatalogObject::Table(table) = object {
                let (id, columns) = (table.id(), table.meta().layout());
                changes.push(TableChange::Create { table: id, columns });
                changes.extend(table.meta().key_indexes().map(|index| {
                    let table = id;
                    TableChange::CreateIndex { table, index }
                }));
            }
            next.insert(object.clone(), Some(row_id));
        }
        // After the tables: their ids are no guide to which came first.
        for object in &diff.added {
            if let CatalogObject::Index(index) = object {
                changes.push(TableChange::CreateIndex {
                    table: index.table,
                    index: index.definition(),
                });
            }
        }
        let is_trigger = |object: &CatalogObject| matches!(object, CatalogObject::Trigger(_));
        let mut touched = diff.added.iter().chain(diff.removed.iter().map(|(o, _)| o));
        if touched.any(is_trigger) {
            next.attach_triggers();
        }
        if !diff.removed.is_empty() {
            let highest = self.highest_id().max(next.highest_id());
            row_ids.extend(self.highest_id.map(|(row_id, _)| row_id));
            next.highest_id = Some((first_row_id + rows.len() as u64, highest));
            rows.push((RowKind::HighestId, TableId(highest), Vec::new()));
        }
        let table = TableId::CATALOG;
        if !row_ids.is_empty() {
            row_ids.sort_unstable();
            changes.push(TableChange::Delete { table, row_ids });
        }
        if !rows.is_empty() {
            let batch = SysCatalog::rows(&rows)?;
            changes.push(TableChange::Append {
                table,
                first_row_id,
                batch,
            });
        }
        Ok((next, changes))
    }

    /// Takes out an object alone.
    fn forget(&mut self, object: &CatalogObject) {
        self.by_name.remove(&object.key());
        if let CatalogObject::Table(table) = object {
            self.tables.remove(&table.id());
        }
    }

    fn read_rows(&mut self, batch: &RecordBatch) -> Result<()> {
        let kinds = batch.column(0).as_primitive::<UInt8Type>();
        let ids = batch.column(1).as_primitive::<UInt32Type>();
        let payloads = batch.column(2).as_binary_view();
        let row_ids = batch.column(3).as_primitive::<UInt64Type>();
        for row in 0..batch.num_rows() {
            let (row_id, payload) = (row_ids.value(row), payloads.value(row));
            match kinds.value(row) {
                kind if kind == RowKind::Table as u8 => {
                    let table = Table::new(decode_table(payload)?)?;
                    self.insert(CatalogObject::Table(table), Some(row_id));
                }
                kind if kind == RowKind::View as u8 => {
                    let view = Arc::new(decode::<ViewMeta>(payload)?);
                    self.insert(CatalogObject::View(view), Some(row_id));
                }
                kind if kind == RowKind::Index as u8 => {
                    let index = Arc::new(decode::<IndexMeta>(payload)?);
                    self.insert(CatalogObject::Index(index), Some(row_id));
                }
                kind if kind == RowKind::Trigger as u8 => {
                    let trigger = Arc::new(decode::<TriggerMeta>(payload)?);
                    self.insert(CatalogObject::Trigger(trigger), Some(row_id));
                }
                kind if kind == RowKind::HighestId as u8 => {
                    self.highest_id = Some((row_id, ids.value(row)));
                }
                other => return Err(damaged(format!("a record of kind {other}"))),
            }
        }
        Ok(())
    }
}
