//! What foreign keys ask of two tables: which keys of the parent exist, which rows of the child have them.

use crate::lower::one_of;
use crate::{
    ForeignKeyMeta, ScanRequest, StagedTable, Table, TableHandle, UniqueKey, WriteContext,
};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{filter, is_not_null, take};
use arrow::datatypes::UInt64Type;
use hashbrown::{HashMap, HashSet};
use llkv_compute::cast;
use llkv_expr::CastMode;
use llkv_result::{Error, Result};
use llkv_transaction::{KeyFootprint, conflict};
use llkv_types::{FieldId, IndexId, RowId, SqlType, TxnId};
use std::sync::Arc;

/// The keys of a parent that a transaction's foreign keys rest on.
#[derive(Debug, Clone, Default)]
pub struct ReferenceFootprint {
    /// Those that rows which it wrote refer to.
    pub referenced: Arc<KeyFootprint>,
    /// Those that it took away.
    pub removed: Arc<KeyFootprint>,
}

/// A foreign key between two tables as they are now.
#[derive(Debug, Clone)]
pub struct Reference {
    /// The table that refers.
    pub child: Arc<Table>,
    /// The table that is referred to; the same one for a table that refers to itself.
    pub parent: Arc<Table>,
    /// The constraint.
    pub key: ForeignKeyMeta,
    /// The position of the parent's key among its keys.
    parent_key: usize,
}

impl UniqueKey {
    /// Checks at commit that no transaction which committed since the snapshot took away a key that this one
    /// refers to, or refers to one that this one took away.
    ///
    /// # Errors
    /// A retryable conflict.
    pub fn check_references(
        &self,
        table: &str,
        own: &ReferenceFootprint,
        snapshot_id: TxnId,
    ) -> Result<()> {
        let state = self.state.lock();
        if state.removed.meets(&own.referenced, snapshot_id) {
            let detail = "a concurrent transaction has taken away a row that is referred to";
            return Err(conflict(table, detail));
        }
        if state.referenced.meets(&own.removed, snapshot_id) {
            let detail = "a concurrent transaction refers to a row that was to go";
            return Err(conflict(table, detail));
        }
        Ok(())
    }

    /// Keeps what a commit that has its place in the log refers to and took away.
    pub fn record_references(&self, commit_id: TxnId, own: &ReferenceFootprint, gc_bound: TxnId) {
        let mut state = self.state.lock();
        state.referenced.prune(gc_bound);
        state.removed.prune(gc_bound);
        state
            .referenced
            .record(commit_id, Arc::clone(&own.referenced));
        state.removed.record(commit_id, Arc::clone(&own.removed));
    }
}

impl Reference {
    /// A constraint of `child` on `parent`.
    ///
    /// # Errors
    /// When the parent has no key over the columns that are referred to.
    pub fn new(child: &Arc<Table>, parent: &Arc<Table>, key: &ForeignKeyMeta) -> Result<Self> {
        let mut keys = parent.keys().iter();
        let parent_key = keys.position(|known| known.meta().fields == key.parent_fields);
        Ok(Self {
            child: Arc::clone(child),
            parent: Arc::clone(parent),
            key: key.clone(),
            parent_key: parent_key.ok_or_else(|| {
                crate::meta::damaged(format!("foreign key {} refers to no key", key.name))
            })?,
        })
    }

    fn unique(&self) -> Result<&Arc<UniqueKey>> {
        let key = self.parent.keys().get(self.parent_key);
        key.ok_or_else(|| Error::internal("a foreign key without the parent's key"))
    }

    /// The index of the parent's key.
    ///
    /// # Errors
    /// When the parent has no such key.
    pub fn parent_index(&self) -> Result<IndexId> {
        Ok(self.unique()?.index())
    }

    fn types(table: &Table, fields: &[FieldId]) -> Result<Vec<SqlType>> {
        let ty = |field: &FieldId| {
            let mut columns = table.schema().columns.iter();
            columns.find(|c| c.field == *field).map(|c| c.ty)
        };
        let types: Option<Vec<SqlType>> = fields.iter().map(ty).collect();
        types.ok_or_else(|| Error::internal("a foreign key over no column"))
    }

    /// Columns of whole rows of a table.
    fn columns(table: &Table, fields: &[FieldId], rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let column = |field: &FieldId| {
            let mut columns = table.schema().columns.iter();
            let at = columns.position(|c| c.field == *field)?;
            rows.columns().get(at).cloned()
        };
        let columns: Option<Vec<ArrayRef>> = fields.iter().map(column).collect();
        columns.ok_or_else(|| Error::internal("a foreign key over no column"))
    }

    /// What rows of the child refer to, each key once, without those that hold a NULL.
    ///
    /// # Errors
    /// When keys cannot be read.
    pub fn keys_of_child(&self, rows: &RecordBatch) -> Result<ReferredKeys> {
        let columns = Self::columns(&self.child, &self.key.fields, rows)?;
        self.distinct(columns)
    }

    /// The same of the constraint's columns alone.
    ///
    /// # Errors
    /// As there.
    pub fn keys_of_columns(&self, columns: &[ArrayRef]) -> Result<ReferredKeys> {
        self.distinct(columns.to_vec())
    }

    /// The keys of rows of the parent, each once, without those that hold a NULL. `but`: without those of
    /// rows whose key is the same in these rows, which are as many.
    ///
    /// # Errors
    /// When keys cannot be read.
    pub fn keys_of_parent(
        &self,
        rows: &RecordBatch,
        but: Option<&RecordBatch>,
    ) -> Result<ReferredKeys> {
        let fields = &self.key.parent_fields;
        let columns = Self::columns(&self.parent, fields, rows)?;
        let Some(but) = but else {
            return self.distinct_parent(columns, None);
        };
        let unique = self.unique()?;
        let now = unique.encode(&Self::columns(&self.parent, fields, but)?)?;
        let then = unique.encode(&columns)?;
        let differs = (0..rows.num_rows()).map(|row| Some(now.get(row) != then.get(row)));
        let differs: BooleanArray = differs.collect();
        self.distinct_parent(columns, Some(&differs))
    }

    /// Columns of the child in the types of the parent. A value that has none there is referred to by nobody.
    fn as_parent(&self, columns: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let types = Self::types(&self.parent, &self.key.parent_fields)?;
        converted(columns, &types)
    }

    fn distinct(&self, columns: Vec<ArrayRef>) -> Result<ReferredKeys> {
        let is_there: Vec<BooleanArray> = columns
            .iter()
            .map(|column| is_not_null(column))
            .collect::<std::result::Result<_, _>>()?;
        let columns = self.as_parent(&columns)?;
        let rows = columns.first().map_or(0, |column| column.len());
        let whole = |row: usize| is_there.iter().all(|there| there.value(row));
        let wanted: Vec<u32> = (0..rows)
            .filter(|row| whole(*row))
            .map(|row| row as u32)
            .collect();
        let columns = taken(&columns, &wanted)?;
        let is_beyond = columns.iter().any(|column| column.null_count() > 0);
        Ok(ReferredKeys {
            is_beyond,
            ..self.once(columns)?
        })
    }

    fn distinct_parent(
        &self,
        columns: Vec<ArrayRef>,
        only: Option<&BooleanArray>,
    ) -> Result<ReferredKeys> {
        let rows = columns.first().map_or(0, |column| column.len());
        let whole = |row: usize| {
            only.is_none_or(|only| only.value(row)) && columns.iter().all(|c| c.is_valid(row))
        };
        let wanted: Vec<u32> = (0..rows)
            .filter(|row| whole(*row))
            .map(|row| row as u32)
            .collect();
        let mut keys = self.once(taken(&columns, &wanted)?)?;
        for row in &mut keys.rows {
            *row = wanted.get(*row as usize).copied().unwrap_or_default();
        }
        Ok(keys)
    }

    fn once(&self, columns: Vec<ArrayRef>) -> Result<ReferredKeys> {
        let encoded = self.unique()?.encode(&columns)?;
        let rows = columns.first().map_or(0, |column| column.len());
        let mut seen = HashSet::new();
        let fresh = (0..rows).filter(|row| match encoded.get(*row) {
            Some(key) => seen.insert(key),
            None => true,
        });
        let fresh: Vec<u32> = fresh.map(|row| row as u32).collect();
        Ok(ReferredKeys {
            columns: taken(&columns, &fresh)?,
            rows: fresh,
            is_beyond: false,
        })
    }

    /// Puts keys into a footprint.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn note(&self, keys: &ReferredKeys, footprint: &mut KeyFootprint) -> Result<()> {
        let encoded = self.unique()?.encode(&keys.columns)?;
        encoded
            .iter()
            .for_each(|(_, bytes)| footprint.insert(bytes));
        Ok(())
    }

    /// The rows of the child, as a transaction sees it, that refer to some keys, each with the number of its
    /// key.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn rows_of_child(
        &self,
        handle: &TableHandle,
        keys: &ReferredKeys,
    ) -> Result<Vec<(RowId, u32)>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let unique = self.unique()?;
        let encoded = unique.encode(&keys.columns)?;
        let wanted: HashMap<&[u8], u32> =
            encoded.iter().map(|(row, key)| (key, row as u32)).collect();
        let types = Self::types(&self.child, &self.key.fields)?;
        let mut request = ScanRequest::new(self.key.fields.clone());
        request.with_row_id = true;
        request.index = self.child_index();
        let values = converted(&keys.columns, &types)?;
        let fields = self.key.fields.iter().enumerate();
        for (((at, field), values), ty) in fields.zip(values).zip(&types) {
            // Texts of the child may be others than those of the parent, where the parent's collation says so.
            let compares_as_stored = unique.collation(at).is_binary()
                && !matches!(ty, SqlType::Interval | SqlType::Variant);
            if compares_as_stored {
                let values = filter(&values, &is_not_null(&values)?)?;
                request.predicates.extend(one_of(*field, values));
            }
        }
        let mut found = Vec::new();
        handle.scan_stream(&request)?.for_each_batch(|batch| {
            let Some((row_ids, columns)) = batch.columns().split_last() else {
                return Ok(());
            };
            let row_ids = row_ids.as_primitive::<UInt64Type>();
            let stored = unique.encode(&self.as_parent(columns)?)?;
            for (row, key) in stored.iter() {
                if let Some(number) = wanted.get(key) {
                    found.push((row_ids.value(row), *number));
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// An index of the child that finds rows by the constraint's columns.
    fn child_index(&self) -> Option<IndexId> {
        let begins = |fields: &[FieldId]| fields.first() == self.key.fields.first();
        let keys = self.child.keys().iter();
        let of_key = keys
            .filter(|key| begins(&key.meta().fields))
            .map(|key| key.index());
        let created = self.child.indexes().iter();
        let created = created.filter(|index| begins(&index.definition().fields));
        of_key.chain(created.map(|index| index.index_id())).next()
    }

    /// The values that some rows of the child get in the constraint's columns: those of whole rows of the
    /// parent.
    ///
    /// # Errors
    /// When the rows lack a column.
    pub fn values_for_child(&self, parent: &RecordBatch, rows: &[u32]) -> Result<Vec<ArrayRef>> {
        let columns = Self::columns(&self.parent, &self.key.parent_fields, parent)?;
        let types = Self::types(&self.child, &self.key.fields)?;
        converted(&taken(&columns, rows)?, &types)
    }
}

/// Keys of a parent, each once, in the types of its columns.
#[derive(Debug, Clone)]
pub struct ReferredKeys {
    columns: Vec<ArrayRef>,
    /// The row that each was taken of.
    rows: Vec<u32>,
    /// One of them is a value that the parent's type cannot hold: nobody has it.
    is_beyond: bool,
}

impl ReferredKeys {
    /// True without any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// True where one of them is a value that the parent's type cannot hold.
    #[must_use]
    pub fn is_beyond(&self) -> bool {
        self.is_beyond
    }

    /// The row that a key was taken of.
    #[must_use]
    pub fn row(&self, key: u32) -> u32 {
        self.rows.get(key as usize).copied().unwrap_or_default()
    }

    /// Some of them.
    ///
    /// # Errors
    /// When Arrow cannot take them.
    pub fn taken(&self, keys: &[u32]) -> Result<Self> {
        Ok(Self {
            columns: taken(&self.columns, keys)?,
            rows: keys.iter().map(|key| self.row(*key)).collect(),
            is_beyond: self.is_beyond,
        })
    }
}

impl StagedTable {
    /// The keys among some that no row of the table has, as the transaction sees it. This table is the
    /// parent of the reference. `footprint` takes the keys that were looked for.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn missing_keys(
        &mut self,
        context: &WriteContext<'_>,
        reference: &Reference,
        keys: &ReferredKeys,
        footprint: Option<&mut KeyFootprint>,
    ) -> Result<Vec<u32>> {
        let index = reference.parent_index()?;
        let table = Arc::clone(&self.table);
        let mut own_keys = table.keys().iter();
        let position = own_keys.position(|key| key.index() == index);
        let Some((position, key)) = position.and_then(|at| Some((at, table.keys().get(at)?)))
        else {
            return Err(Error::internal("a foreign key without the parent's key"));
        };
        let encoded = key.encode(&keys.columns)?;
        if let Some(footprint) = footprint {
            encoded
                .iter()
                .for_each(|(_, bytes)| footprint.insert(bytes));
        }
        let found = self.find_existing(context, position, key, &keys.columns, &encoded)?;
        let is_missing = |row: &usize| match encoded.get(*row) {
            Some(bytes) => !found.contains_key(bytes),
            None => true,
        };
        let rows = 0..keys.rows.len();
        Ok(rows.filter(is_missing).map(|row| row as u32).collect())
    }
}

fn converted(columns: &[ArrayRef], types: &[SqlType]) -> Result<Vec<ArrayRef>> {
    let columns = columns.iter().zip(types);
    columns
        .map(|(column, ty)| match *column.data_type() == ty.to_arrow() {
            true => Ok(Arc::clone(column)),
            false => cast(column, *ty, CastMode::Try),
        })
        .collect()
}

fn taken(columns: &[ArrayRef], rows: &[u32]) -> Result<Vec<ArrayRef>> {
    let rows = UInt32Array::from(rows.to_vec());
    let columns = columns.iter();
    Ok(columns
        .map(|column| take(column, &rows, None))
        .collect::<std::result::Result<_, _>>()?)
}
