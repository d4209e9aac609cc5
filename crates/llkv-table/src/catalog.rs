//! The system catalog: table 0, whose rows describe all other tables, their indexes and the views.

use crate::catalog_numbers::StoredNumber;
use crate::meta::{damaged, decode, decode_index, decode_table, decode_view, newer};
use crate::triggers::key_of;
use crate::{
    CatalogObject, IndexMeta, ScanRequest, SchemaMeta, Sequence, SequenceMeta, Table, TableHandle,
    TemporaryObjects, TriggerMeta, TriggersByTable,
};
use arrow::array::{ArrayRef, AsArray, BinaryViewArray, RecordBatch, UInt8Array, UInt32Array};
use arrow::datatypes::{SchemaRef, UInt8Type, UInt32Type, UInt64Type};
use llkv_column_map::{ColumnStore, CommitRecord, TableChange, TableVersion};
use llkv_result::{CatalogError, ObjectKind, Result};
use llkv_types::{Column, DatabaseNumber, FieldId, RowId, SqlType, TableId, TableSchema, TxnId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

/// The system catalog as a table: its schema, its rows, its creation.
#[derive(Debug, Clone, Copy)]
pub struct SysCatalog;

/// What a row of the catalog describes: the number in its `kind` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RowKind {
    Table = 1,
    View = 2,
    /// Keeps the highest id ever used when the object that had it is dropped.
    HighestId = 3,
    Index = 4,
    Trigger = 5,
    Schema = 6,
    Sequence = 7,
    /// A number that an application keeps in the file.
    Number = 8,
}

impl RowKind {
    /// The greatest number of a kind.
    const LAST: u8 = Self::Number as u8;
}

/// The schema of an object and its lower-case name.
pub(crate) type ObjectKey = (TableId, String);

pub(crate) fn key_in(kind: ObjectKind, schema: TableId, name: &str) -> ObjectKey {
    (schema, key_of(kind, name))
}

/// An object and where it is stored.
#[derive(Debug, Clone)]
pub(crate) struct CatalogEntry {
    pub(crate) object: CatalogObject,
    /// Its row in table 0; none while its creator has not committed.
    pub(crate) row_id: Option<RowId>,
}

/// All objects at one moment. Immutable for its readers; a transaction that changes the catalog changes a
/// copy of its own, and the difference is what it commits.
#[derive(Debug, Clone, Default)]
pub struct CatalogState {
    /// The commit that this is the state of.
    pub(crate) as_of: TxnId,
    pub(crate) by_name: BTreeMap<ObjectKey, CatalogEntry>,
    pub(crate) tables: HashMap<TableId, Arc<Table>>,
    /// Triggers by their table or view, the newest first; most databases have none.
    pub(crate) triggers: Arc<TriggersByTable>,
    /// Tables that have, or had, foreign keys.
    referring: Arc<BTreeSet<TableId>>,
    /// The row that keeps the highest id of dropped objects, and that id.
    pub(crate) highest_id: Option<(RowId, u32)>,
    /// The numbers of the file that were ever set.
    pub(crate) numbers: BTreeMap<DatabaseNumber, StoredNumber>,
    /// What one session alone sees; empty in the state that all share.
    pub(crate) temporary: Arc<TemporaryObjects>,
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
        store.sync(ticket.pager_commit())?;
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
        scan.for_each_batch(|batch| state.read_rows(batch))?;
        state.attach_indexes()?;
        state.attach_triggers();
        Ok(state)
    }

    pub(crate) fn rows(rows: &[(RowKind, TableId, Vec<u8>)]) -> Result<RecordBatch> {
        let kinds = rows.iter().map(|(kind, _, _)| *kind as u8);
        let ids = rows.iter().map(|(_, id, _)| id.0);
        let payloads = rows.iter().map(|(_, _, payload)| payload.as_slice());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt8Array::from_iter_values(kinds)),
            Arc::new(UInt32Array::from_iter_values(ids)),
            Arc::new(BinaryViewArray::from_iter_values(payloads)),
        ];
        static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| SysCatalog::schema().to_arrow());
        Ok(RecordBatch::try_new(Arc::clone(&SCHEMA), columns)?)
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

    /// The tables that have foreign keys.
    pub fn tables_with_foreign_keys(&self) -> impl Iterator<Item = &Arc<Table>> {
        let tables = self.referring.iter().filter_map(|id| self.tables.get(id));
        tables.filter(|table| !table.meta().foreign_keys.is_empty())
    }

    /// Takes note of a table's foreign keys.
    pub(crate) fn know_references(&mut self, table: &Table) {
        if !table.meta().foreign_keys.is_empty() && !self.referring.contains(&table.id()) {
            Arc::make_mut(&mut self.referring).insert(table.id());
        }
    }

    /// Makes a table another one to transactions that run: they have to try again, because there is a new
    /// foreign key that refers to it and that they do not know.
    ///
    /// # Errors
    /// When its definition contradicts itself.
    pub fn touch(&mut self, table: TableId) -> Result<()> {
        self.alter_table(table, |_| {})
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
        self.check_free(&object)?;
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

    /// Refuses a name that another object has.
    fn check_free(&self, object: &CatalogObject) -> Result<()> {
        match self.permanent_named(object.kind(), object.schema(), object.name()) {
            Some(existing) if existing.id() != object.id() => Err(CatalogError::AlreadyExists {
                kind: existing.kind(),
                name: existing.name().to_owned(),
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// Puts another description of an object in the place of the one that it has: the object of the same
    /// id, whatever its name is now. The indexes of a table follow its description.
    ///
    /// # Errors
    /// When its name is taken, or there is no such object.
    pub fn change(&mut self, object: CatalogObject) -> Result<()> {
        let temporary = self.is_temporary(object.id());
        match temporary {
            true => self.check_free_temporary(&object)?,
            false => self.check_free(&object)?,
        }
        let CatalogObject::Table(table) = object else {
            return self.replace(object);
        };
        let before = self.tables.get(&table.id()).cloned();
        let before = before.ok_or_else(|| damaged("a table that is not there".into()))?;
        let stays = |id: TableId| table.indexes().iter().any(|index| index.id == id);
        for gone in before.indexes().iter().filter(|index| !stays(index.id)) {
            let key = key_in(ObjectKind::Index, gone.schema, &gone.name);
            self.by_name.remove(&key);
            if temporary {
                Arc::make_mut(&mut self.temporary).remove(&key.1);
            }
        }
        self.replace_table(table);
        Ok(())
    }

    /// Another description of an object that is no table.
    fn replace(&mut self, object: CatalogObject) -> Result<()> {
        let id = object.id();
        let has_id = |(key, entry): (&ObjectKey, &CatalogEntry)| {
            (entry.object.id() == id).then(|| key.clone())
        };
        if let Some(key) = self.by_name.iter().find_map(has_id) {
            if let Some(mut entry) = self.by_name.remove(&key) {
                entry.object = object.clone();
                self.by_name.insert(object.key(), entry);
            }
        } else if self.is_temporary(id) {
            let temporary = Arc::make_mut(&mut self.temporary);
            temporary.retain(|_, known| known.id() != id);
            temporary.insert(object.key().1, object.clone());
        } else {
            return Err(damaged(format!("\"{}\" is lost", object.name())));
        }
        if let CatalogObject::Trigger(_) = object {
            self.attach_triggers();
        }
        if let CatalogObject::Index(index) = object {
            let replace = |indexes: &mut Vec<Arc<IndexMeta>>| {
                for known in indexes.iter_mut().filter(|known| known.id == id) {
                    *known = Arc::clone(&index);
                }
            };
            self.alter_table(index.table, replace)?;
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
        let object = CatalogObject::Table(Arc::clone(&table));
        let key = object.key();
        self.know_references(&table);
        let before = self.tables.insert(table.id(), table);
        let before = before.map_or_else(|| key.clone(), |table| CatalogObject::Table(table).key());
        if self.is_temporary(object.id()) {
            let temporary = Arc::make_mut(&mut self.temporary);
            temporary.remove(&before.1);
            temporary.insert(key.1, object);
        } else if let Some(mut entry) = self.by_name.remove(&before) {
            entry.object = object;
            self.by_name.insert(key, entry);
        }
    }

    /// The row of an object in table 0; none for one that is not committed yet.
    #[must_use]
    pub fn row_of(&self, id: TableId) -> Option<RowId> {
        let mut entries = self.by_name.values();
        entries.find(|entry| entry.object.id() == id)?.row_id
    }

    /// An object that is not temporary.
    #[must_use]
    pub fn by_id(&self, id: TableId) -> Option<&CatalogObject> {
        let mut objects = self.by_name.values().map(|entry| &entry.object);
        objects.find(|object| object.id() == id)
    }

    /// True where the object is described as it was in another state.
    #[must_use]
    pub fn is_same(&self, id: TableId, other: &Self) -> bool {
        match (self.by_id(id), other.by_id(id)) {
            (Some(a), Some(b)) => a.is(b),
            (None, None) => true,
            _ => false,
        }
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
        schema: TableId,
        name: &str,
    ) -> Result<(CatalogObject, Option<RowId>)> {
        match self.permanent_named(kind, schema, name) {
            Some(object) if object.kind() == kind => {}
            _ => {
                let name = name.to_owned();
                return Err(CatalogError::NotFound { kind, name }.into());
            }
        }
        let entry = self.by_name.remove(&key_in(kind, schema, name));
        let entry = entry.ok_or_else(|| damaged(format!("\"{name}\" is lost")))?;
        match &entry.object {
            CatalogObject::Table(table) => {
                self.tables.remove(&table.id());
                for index in table.indexes() {
                    self.by_name
                        .remove(&key_in(ObjectKind::Index, index.schema, &index.name));
                }
                self.drop_triggers_of(table.id());
                self.drop_sequences_of(table);
            }
            CatalogObject::Index(gone) => {
                let id = gone.id;
                self.alter_table(gone.table, |indexes| indexes.retain(|index| index.id != id))?;
            }
            CatalogObject::View(view) => self.drop_triggers_of(view.id),
            CatalogObject::Trigger(_) => self.attach_triggers(),
            CatalogObject::Schema(_) | CatalogObject::Sequence(_) => {}
        }
        Ok((entry.object, entry.row_id))
    }

    pub(crate) fn insert(&mut self, object: CatalogObject, row_id: Option<RowId>) {
        if let CatalogObject::Table(table) = &object {
            self.know_references(table);
            self.tables.insert(table.id(), Arc::clone(table));
        }
        let entry = CatalogEntry { object, row_id };
        self.by_name.insert(entry.object.key(), entry);
    }

    /// Takes out an object alone and gives back its row.
    pub(crate) fn forget(&mut self, id: TableId) -> Option<RowId> {
        self.tables.remove(&id);
        let has_id = |(key, entry): (&ObjectKey, &CatalogEntry)| {
            (entry.object.id() == id).then(|| key.clone())
        };
        let key = self.by_name.iter().find_map(has_id)?;
        self.by_name.remove(&key)?.row_id
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
                    let view = Arc::new(decode_view(payload)?);
                    self.insert(CatalogObject::View(view), Some(row_id));
                }
                kind if kind == RowKind::Index as u8 => {
                    let index = Arc::new(decode_index(payload)?);
                    self.insert(CatalogObject::Index(index), Some(row_id));
                }
                kind if kind == RowKind::Trigger as u8 => {
                    let trigger = Arc::new(decode::<TriggerMeta>(payload)?);
                    self.insert(CatalogObject::Trigger(trigger), Some(row_id));
                }
                kind if kind == RowKind::Schema as u8 => {
                    let schema = Arc::new(decode::<SchemaMeta>(payload)?);
                    self.insert(CatalogObject::Schema(schema), Some(row_id));
                }
                kind if kind == RowKind::Sequence as u8 => {
                    let meta = decode::<SequenceMeta>(payload)?;
                    let sequence = Arc::new(Sequence::new(meta));
                    self.insert(CatalogObject::Sequence(sequence), Some(row_id));
                }
                kind if kind == RowKind::HighestId as u8 => {
                    self.highest_id = Some((row_id, ids.value(row)));
                }
                kind if kind == RowKind::Number as u8 => {
                    self.read_number(ids.value(row), payload, row_id)?;
                }
                other if other > RowKind::LAST => {
                    let (found, last) = (u32::from(other), u32::from(RowKind::LAST));
                    return Err(newer("the kind of a record", found, last));
                }
                other => return Err(damaged(format!("a record of kind {other}"))),
            }
        }
        Ok(())
    }
}
