//! A table's definition, and what all transactions share of it.

use crate::{IndexMeta, TableHandle, TableMeta, UniqueKey};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema, SchemaRef};
use llkv_column_map::TableVersion;
use llkv_result::{ConstraintError, Error, Result};
use llkv_transaction::{PendingDeletes, TxnId};
use llkv_types::{FieldId, IndexId, TableId, TableSchema};
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
    added: Added,
}

/// What is known of columns that were added since the table was read from the catalog.
#[derive(Debug, Clone, Default)]
struct Added {
    /// One was.
    any: bool,
    /// What older rows hold in them, an array of one row each; NULL where a column is not named.
    fills: Vec<(FieldId, ArrayRef)>,
}

impl Table {
    /// A table by its definition.
    ///
    /// # Errors
    /// When a key names a column that the table has not.
    pub fn new(meta: TableMeta) -> Result<Arc<Self>> {
        Self::build(meta, Vec::new(), None, None)
    }

    /// Looks at rows, all columns of the table in their order, for NULLs where none may be.
    ///
    /// # Errors
    /// [`ConstraintError::NotNull`] for the first column that has one.
    pub fn check_nulls(&self, rows: &RecordBatch) -> Result<()> {
        for (column, values) in self.schema().columns.iter().zip(rows.columns()) {
            if !column.nullable && values.logical_null_count() > 0 {
                return Err(Error::Constraint(ConstraintError::NotNull {
                    table: self.meta().name.clone(),
                    column: column.name.clone(),
                }));
            }
        }
        Ok(())
    }

    /// The table with other indexes. What is known of the keys that stay, and the row locks, are those of
    /// this one: transactions that began with either meet there.
    ///
    /// # Errors
    /// When an index names a column that the table has not.
    pub fn with_indexes(&self, indexes: Vec<Arc<IndexMeta>>) -> Result<Arc<Self>> {
        Self::build(self.meta.clone(), indexes, Some(self), None)
    }

    /// The table under another definition, and what its rows hold in a column that is new. What is known of
    /// keys that stay, and the row locks, are those of this one.
    ///
    /// # Errors
    /// When a key or an index names a column that the table has not.
    pub fn altered(
        &self,
        meta: TableMeta,
        indexes: Vec<Arc<IndexMeta>>,
        fill: Option<(FieldId, ArrayRef)>,
    ) -> Result<Arc<Self>> {
        Self::build(meta, indexes, Some(self), fill)
    }

    fn build(
        meta: TableMeta,
        indexes: Vec<Arc<IndexMeta>>,
        before: Option<&Self>,
        fill: Option<(FieldId, ArrayRef)>,
    ) -> Result<Arc<Self>> {
        let schema = Arc::new(meta.columns_schema());
        let known = |index| before?.key_of_index(index);
        let mut keys = Vec::with_capacity(meta.keys.len());
        for key in &meta.keys {
            let known = known(key.index_id());
            keys.push(Arc::new(UniqueKey::new(key, &schema, known)?));
        }
        for index in indexes.iter().filter(|index| index.unique) {
            let known = known(index.index_id());
            keys.push(Arc::new(UniqueKey::of_index(index, &schema, known)?));
        }
        let mut added = before
            .map(|before| before.added.clone())
            .unwrap_or_default();
        if let Some(before) = before {
            let has = |field| before.schema.columns.iter().any(|c| c.field == field);
            added.any |= meta.columns.iter().any(|column| !has(column.field));
        }
        added.fills.extend(fill);
        Ok(Arc::new(Self {
            keys,
            indexes,
            pending: before.map_or_else(Arc::default, |table| Arc::clone(&table.pending)),
            arrow_schema: nullable(&schema),
            schema,
            meta,
            added,
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

    /// Its columns as Arrow has them, all of which may have NULLs: rows that a transaction wrote and deleted keep
    /// theirs after SET NOT NULL. The constraint is looked at when rows come.
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

    /// The constraint that an index keeps; `None` where it keeps none.
    #[must_use]
    pub fn key_of_index(&self, index: IndexId) -> Option<&Arc<UniqueKey>> {
        self.keys.iter().find(|key| key.index() == index)
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

    /// What older rows hold in columns that were added, an array of one row each.
    pub(crate) fn fills(&self) -> Vec<(FieldId, ArrayRef)> {
        let has = |field| self.schema.columns.iter().any(|c| c.field == field);
        let fills = self.added.fills.iter();
        fills.filter(|(field, _)| has(*field)).cloned().collect()
    }

    /// The table as a snapshot sees it.
    ///
    /// # Errors
    /// When the value of a column that was added does not fit it.
    pub fn at(&self, version: Arc<TableVersion>, snapshot_id: TxnId) -> Result<TableHandle> {
        let schema = Arc::clone(&self.schema);
        Ok(TableHandle::committed(
            schema,
            self.fit(version)?,
            snapshot_id,
        ))
    }

    /// Stored rows with the columns that a running transaction added to the table.
    pub(crate) fn fit(&self, version: Arc<TableVersion>) -> Result<Arc<TableVersion>> {
        let knows = |field| version.has_field(field);
        if !self.added.any || self.schema.columns.iter().all(|c| knows(c.field)) {
            return Ok(version);
        }
        let fills = self.fills();
        version
            .with_layout(&self.meta.layout(), &fills)
            .map(Arc::new)
    }

    /// Own rows that may lack columns.
    pub(crate) fn filled(&self, version: TableVersion) -> Result<TableVersion> {
        match self.added.fills.is_empty() {
            true => Ok(version),
            false => version.with_layout(&self.meta.layout(), &self.fills()),
        }
    }

    /// Rows of another definition of the table under this one.
    pub(crate) fn adapt(&self, rows: &RecordBatch, of: &TableSchema) -> Result<RecordBatch> {
        let mut columns = Vec::with_capacity(self.schema.columns.len());
        for column in &self.schema.columns {
            let position = of.columns.iter().position(|c| c.field == column.field);
            let fill = || {
                self.added
                    .fills
                    .iter()
                    .find(|(field, _)| *field == column.field)
            };
            columns.push(match position {
                Some(at) => {
                    let values = rows.columns().get(at);
                    Arc::clone(values.ok_or_else(|| Error::internal("rows without a column"))?)
                }
                None => match fill() {
                    Some((_, value)) => {
                        take(value, &UInt32Array::from(vec![0; rows.num_rows()]), None)?
                    }
                    None => new_null_array(&column.ty.to_arrow(), rows.num_rows()),
                },
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let schema = self.arrow_schema();
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }
}

fn nullable(schema: &TableSchema) -> SchemaRef {
    let columns = schema.columns.iter();
    let fields = columns.map(|column| Field::new(&column.name, column.ty.to_arrow(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
