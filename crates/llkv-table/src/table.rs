//! A table as all transactions share it: its definition, its constraints, its row locks.

use crate::{TableHandle, TableMeta, UniqueKey};
use arrow::datatypes::SchemaRef;
use llkv_column_map::TableVersion;
use llkv_result::Result;
use llkv_transaction::{PendingDeletes, TxnId};
use llkv_types::{TableId, TableSchema};
use std::sync::Arc;

/// A table's definition and what running transactions share about it. One value per definition: a
/// changed definition is another `Table`.
#[derive(Debug)]
pub struct Table {
    meta: TableMeta,
    schema: Arc<TableSchema>,
    arrow_schema: SchemaRef,
    keys: Vec<UniqueKey>,
    pending: PendingDeletes,
}

impl Table {
    /// A table by its definition.
    ///
    /// # Errors
    /// When a key names a column that the table has not.
    pub fn new(meta: TableMeta) -> Result<Arc<Self>> {
        let schema = Arc::new(meta.schema());
        let keys = meta.keys.iter().map(|key| UniqueKey::new(key, &schema));
        Ok(Arc::new(Self {
            keys: keys.collect::<Result<_>>()?,
            pending: PendingDeletes::default(),
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

    /// Its PRIMARY KEY and UNIQUE constraints.
    #[must_use]
    pub fn keys(&self) -> &[UniqueKey] {
        &self.keys
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
