//! A table as all transactions share it: its definition, its constraints, its row locks.

use crate::{IndexMeta, TableHandle, TableMeta, UniqueKey};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use llkv_column_map::TableVersion;
use llkv_result::{Error, Result};
use llkv_transaction::{PendingDeletes, TxnId};
use llkv_types::{IndexId, TableId, TableSchema};
use std::sync::Arc;

/// A table's definition and what running transactions share about it. One value per definition: a
/// changed definition is another `Table`.
#[derive(Debug)]
pub struct Table {
    meta: TableMeta,
    schema: Arc<TableSchema>,
    arrow_schema: SchemaRef,
    keys: Vec<Arc<UniqueKey>>,
    indexes: Vec<Arc<IndexMeta>>,
    pending: Arc<PendingDeletes>,
}

impl Table {
    /// A table by its definition.
    ///
    /// # Errors
    /// When a key names a column that the table has not.
    pub fn new(meta: TableMeta) -> Result<Arc<Self>> {
        Self::build(meta, Vec::new(), None)
    }

    /// The table with other indexes. What is known of the keys that stay, and the row locks, are those of
    /// this one: transactions that began with either meet there.
    ///
    /// # Errors
    /// When an index names a column that the table has not.
    pub fn with_indexes(&self, indexes: Vec<Arc<IndexMeta>>) -> Result<Arc<Self>> {
        Self::build(self.meta.clone(), indexes, Some(self))
    }

    fn build(
        meta: TableMeta,
        indexes: Vec<Arc<IndexMeta>>,
        before: Option<&Self>,
    ) -> Result<Arc<Self>> {
        let schema = Arc::new(meta.schema());
        let known = before.map_or(&[][..], Self::keys);
        let or_known = |id: IndexId, make: &dyn Fn() -> Result<UniqueKey>| match known
            .iter()
            .find(|key| key.index() == id)
        {
            Some(key) => Ok(Arc::clone(key)),
            None => make().map(Arc::new),
        };
        let mut keys = Vec::with_capacity(meta.keys.len());
        for (id, key) in (0..).map(IndexId).zip(&meta.keys) {
            keys.push(or_known(id, &|| UniqueKey::new(key, id, &schema))?);
        }
        for index in indexes.iter().filter(|index| index.unique) {
            let make = || UniqueKey::of_index(index, &schema);
            keys.push(or_known(index.index_id(), &make)?);
        }
        Ok(Arc::new(Self {
            keys,
            indexes,
            pending: before.map_or_else(Arc::default, |table| Arc::clone(&table.pending)),
            arrow_schema: schema.to_arrow(),
            schema,
            meta,
        }))
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> TableId {
        self.meta.id
    }

    /// Its definition.
    #[must_use]
    pub fn meta(&self) -> &TableMeta {
        &self.meta
    }

    /// Its columns.
    #[must_use]
    pub fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// Its columns as Arrow has them.
    #[must_use]
    pub fn arrow_schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.arrow_schema)
    }

    /// The indexes that were created on it, in the order of their creation.
    #[must_use]
    pub fn indexes(&self) -> &[Arc<IndexMeta>] {
        &self.indexes
    }

    /// Its PRIMARY KEY and UNIQUE constraints, and what its unique indexes demand.
    #[must_use]
    pub fn keys(&self) -> &[Arc<UniqueKey>] {
        &self.keys
    }

    /// The error of a row (all columns in their order) whose key under the constraint `key` exists.
    #[must_use]
    pub fn duplicate_key(&self, key: usize, row: &RecordBatch) -> Error {
        match self.keys.get(key) {
            Some(key) => key.duplicate(&self.meta.name, &key.columns_of(row), 0),
            None => Error::internal("a key that the table has not"),
        }
    }

    /// The rows that running transactions are about to delete.
    #[must_use]
    pub fn pending(&self) -> &PendingDeletes {
        &self.pending
    }

    /// The table as a snapshot sees it.
    #[must_use]
    pub fn at(&self, version: Arc<TableVersion>, snapshot_id: TxnId) -> TableHandle {
        TableHandle::committed(Arc::clone(&self.schema), version, snapshot_id)
    }
}
