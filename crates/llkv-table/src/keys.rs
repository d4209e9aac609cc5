//! A PRIMARY KEY or UNIQUE constraint: keys as ordered bytes, what is known of the stored ones.

use crate::{IndexMeta, KeyMeta};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use llkv_compute::{key_type, normalized};
use llkv_result::{ConstraintError, Error, Result};
use llkv_transaction::{KeyBytes, KeyFootprint, KeyHistory, TxnId, conflict};
use llkv_types::variant::Variant;
use llkv_types::{Collation, FieldId, IndexId, Scalar, SqlType, TableSchema};
use parking_lot::Mutex;
use std::cell::OnceCell;
use std::sync::Arc;

/// One constraint of one table, shared by all transactions.
#[derive(Debug)]
pub struct UniqueKey {
    meta: KeyMeta,
    /// Positions of its columns in the table.
    columns: Vec<usize>,
    /// The types of their values.
    types: Vec<SqlType>,
    converter: RowConverter,
    /// `PRIMARY KEY (id)`, for messages.
    label: String,
    /// Its index in the column store.
    index: IndexId,
    /// Shared with the same constraint of other definitions of the table.
    pub(crate) state: Arc<Mutex<KeyState>>,
}

#[derive(Debug, Default)]
pub(crate) struct KeyState {
    /// Above every key that was ever logged, or equal to the highest. Absent while there is none.
    high: Option<KeyBytes>,
    /// The stored rows have been looked at for `high`.
    is_loaded: bool,
    history: KeyHistory,
    /// Keys that rows of other tables came to refer to.
    pub(crate) referenced: KeyHistory,
    /// Keys that were taken away while others may refer to them.
    pub(crate) removed: KeyHistory,
}

/// The keys of a batch: bytes in the order of the keys; none for a row in which a key column is NULL.
#[derive(Debug)]
pub(crate) struct BatchKeys {
    rows: Rows,
    is_null: Option<Vec<bool>>,
    order: OnceCell<Order>,
}

/// How the keys of a batch lie to each other.
#[derive(Debug)]
struct Order {
    ascend: bool,
    /// Rows with the least and the greatest key.
    bounds: Option<(usize, usize)>,
}

impl BatchKeys {
    /// The key of a row.
    pub(crate) fn get(&self, row: usize) -> Option<&[u8]> {
        let is_null = self
            .is_null
            .as_ref()
            .is_some_and(|nulls| nulls.get(row) == Some(&true));
        (!is_null && row < self.rows.num_rows()).then(|| self.rows.row(row).data())
    }

    /// Rows of the batch.
    pub(crate) fn rows(&self) -> usize {
        self.rows.num_rows()
    }

    /// The least and the greatest key; `None` where no row has one.
    pub(crate) fn bounds(&self) -> Option<(&[u8], &[u8])> {
        let (least, greatest) = self.order().bounds?;
        Some((self.get(least)?, self.get(greatest)?))
    }

    /// True when each key is above the one before.
    pub(crate) fn ascend(&self) -> bool {
        self.order().ascend
    }

    /// Looks at the order of the keys, once.
    fn order(&self) -> &Order {
        self.order.get_or_init(|| {
            let mut order = Order {
                ascend: true,
                bounds: None,
            };
            let (mut least, mut greatest): (&[u8], &[u8]) = (&[], &[]);
            for (row, key) in self.iter() {
                match &mut order.bounds {
                    None => {
                        order.bounds = Some((row, row));
                        (least, greatest) = (key, key);
                    }
                    Some((_, at)) if key > greatest => (*at, greatest) = (row, key),
                    Some((at, _)) => {
                        order.ascend = false;
                        if key < least {
                            (*at, least) = (row, key);
                        }
                    }
                }
            }
            order
        })
    }

    /// Rows with their keys, without those that have none.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &[u8])> {
        (0..self.rows.num_rows()).filter_map(|row| Some((row, self.get(row)?)))
    }
}

impl UniqueKey {
    /// The constraint of a table with these columns. `before`: the same one under another definition.
    pub(crate) fn new(
        meta: &KeyMeta,
        schema: &TableSchema,
        before: Option<&Arc<Self>>,
    ) -> Result<Self> {
        let kind = if meta.primary {
            "PRIMARY KEY"
        } else {
            "UNIQUE"
        };
        Self::with_label(meta, schema, kind, before)
    }

    /// What a unique index demands.
    pub(crate) fn of_index(
        index: &IndexMeta,
        schema: &TableSchema,
        before: Option<&Arc<Self>>,
    ) -> Result<Self> {
        let meta = KeyMeta {
            name: index.name.clone(),
            primary: false,
            fields: index.columns.iter().map(|c| c.field).collect(),
            index: index.index_id().0,
            collations: index.collations(),
        };
        let kind = format!("unique index \"{}\"", index.name);
        Self::with_label(&meta, schema, &kind, before)
    }

    fn with_label(
        meta: &KeyMeta,
        schema: &TableSchema,
        kind: &str,
        before: Option<&Arc<Self>>,
    ) -> Result<Self> {
        let position = |field: &FieldId| {
            let found = schema.columns.iter().position(|c| c.field == *field);
            found.ok_or_else(|| crate::meta::damaged(format!("key {} has no column", meta.name)))
        };
        let columns = meta
            .fields
            .iter()
            .map(position)
            .collect::<Result<Vec<_>>>()?;
        let of_key = || columns.iter().filter_map(|at| schema.columns.get(*at));
        let names: Vec<&str> = of_key().map(|c| c.name.as_str()).collect();
        Ok(Self {
            label: format!("{kind} ({})", names.join(", ")),
            converter: RowConverter::new(
                of_key()
                    .map(|c| SortField::new(stored_type(c.ty)))
                    .collect(),
            )?,
            types: of_key().map(|c| c.ty).collect(),
            index: meta.index_id(),
            meta: meta.clone(),
            columns,
            state: before.map_or_else(Arc::default, |key| Arc::clone(&key.state)),
        })
    }

    /// Its definition.
    #[must_use]
    pub fn meta(&self) -> &KeyMeta {
        &self.meta
    }

    /// Its index in the column store.
    #[must_use]
    pub fn index(&self) -> IndexId {
        self.index
    }

    /// Positions of its columns in the table.
    #[must_use]
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The key columns of whole rows of the table.
    pub(crate) fn columns_of(&self, rows: &RecordBatch) -> Vec<ArrayRef> {
        let columns = self.columns.iter().filter_map(|at| rows.columns().get(*at));
        let columns = columns.enumerate().map(|(at, column)| {
            // Once it is normalized, what is left of a value has no type that a collation could look at.
            let collated = match column.data_type() {
                DataType::Struct(_) => self.collation(at).keys(column).ok(),
                _ => None,
            };
            one_zero_one_nan(collated.as_ref().unwrap_or(column))
        });
        columns.collect()
    }

    /// How the texts of a column of the key compare.
    pub(crate) fn collation(&self, at: usize) -> Collation {
        let collations = &self.meta.collations;
        collations.get(at).copied().unwrap_or_default()
    }

    /// True where its keys are made of the values of a column as they are.
    pub(crate) fn is_binary(&self) -> bool {
        self.meta.collations.is_empty()
    }

    /// The keys of key columns, as [`Self::columns_of`] gives them or a scan of just these.
    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Result<BatchKeys> {
        let columns = columns.iter().enumerate();
        let columns = columns
            .map(|(at, column)| Ok(one_zero_one_nan(&self.collation(at).keys(column)?)))
            .collect::<Result<Vec<ArrayRef>>>()?;
        let rows = self.converter.convert_columns(&columns)?;
        let with_nulls = columns.iter().any(|c| c.logical_null_count() > 0);
        let is_null = with_nulls.then(|| {
            let any = |row| {
                columns
                    .iter()
                    .any(|c| c.logical_nulls().is_some_and(|n| n.is_null(row)))
            };
            (0..rows.num_rows()).map(any).collect()
        });
        Ok(BatchKeys {
            rows,
            is_null,
            order: OnceCell::new(),
        })
    }

    /// A key that none of the stored ones exceeds; `None` while there are none. `load` finds the highest
    /// one that was stored when the database was opened; it is asked once.
    pub(crate) fn highest_stored(
        &self,
        load: impl FnOnce() -> Result<Option<KeyBytes>>,
    ) -> Result<Option<KeyBytes>> {
        let mut state = self.state.lock();
        if !state.is_loaded {
            let stored = load()?;
            state.high = stored.max(state.high.take());
            state.is_loaded = true;
        }
        Ok(state.high.clone())
    }

    /// Whether a key exceeds every stored one; `None` while nobody has asked for the highest.
    pub(crate) fn is_above_stored(&self, key: &[u8]) -> Option<bool> {
        let state = self.state.lock();
        let high = state.is_loaded.then_some(state.high.as_deref())?;
        Some(high.is_none_or(|high| key > high))
    }

    /// Takes note of a key that is stored, where the stored rows were looked at on another way.
    pub(crate) fn raise_highest(&self, key: Option<KeyBytes>) {
        let mut state = self.state.lock();
        state.high = key.max(state.high.take());
        state.is_loaded = true;
    }

    /// Checks at commit that no transaction which committed since the snapshot brought one of the keys: those that this one
    /// brings too, or looked for and did not find.
    ///
    /// # Errors
    /// A retryable conflict.
    pub fn check_history(
        &self,
        table: &str,
        keys: &KeyFootprint,
        snapshot_id: TxnId,
    ) -> Result<()> {
        if self.state.lock().history.meets(keys, snapshot_id) {
            let detail = format!("a concurrent transaction inserted a key of {}", self.label);
            return Err(conflict(table, &detail));
        }
        Ok(())
    }

    /// The bytes of one key, given by a value for each of its columns in their types; `None` with a NULL in it.
    ///
    /// # Errors
    /// For values of other types.
    pub fn key_of(&self, values: &[Scalar]) -> Result<Option<KeyBytes>> {
        let columns = values.iter().map(|value| value.to_array(1));
        let keys = self.encode(&columns.collect::<Result<Vec<ArrayRef>>>()?)?;
        Ok(keys.get(0).map(KeyBytes::from))
    }

    /// Keeps the keys of a commit that has its place in the log, and forgets what nobody needs.
    pub(crate) fn record(&self, commit_id: TxnId, keys: Arc<KeyFootprint>, gc_bound: TxnId) {
        let mut state = self.state.lock();
        if keys.highest() > state.high.as_deref() {
            state.high = keys.highest().map(KeyBytes::from);
        }
        state.history.prune(gc_bound);
        state.history.record(commit_id, keys);
    }

    /// The error of a row whose key exists.
    pub(crate) fn duplicate(&self, table: &str, columns: &[ArrayRef], row: usize) -> Error {
        let options = FormatOptions::new().with_null("NULL");
        let text = |(column, ty): (&ArrayRef, &SqlType)| match (ty, column.as_binary_view_opt()) {
            (SqlType::Variant, Some(keys)) if keys.is_valid(row) => {
                Variant::of_key(keys.value(row)).map_or_else(|| "?".into(), |v| v.to_string())
            }
            _ => match ArrayFormatter::try_new(column.as_ref(), &options) {
                Ok(formatter) => formatter.value(row).to_string(),
                Err(_) => "?".into(),
            },
        };
        let values: Vec<String> = columns.iter().zip(&self.types).map(text).collect();
        Error::Constraint(ConstraintError::Unique {
            table: table.to_owned(),
            constraint: self.label.clone(),
            key: format!("({})", values.join(", ")),
        })
    }
}

/// The Arrow type of a key's column.
fn stored_type(ty: SqlType) -> DataType {
    match ty {
        SqlType::Variant => key_type(ty),
        ty => ty.to_arrow(),
    }
}

/// Floats with one zero and one NaN, so that equal keys have equal bytes.
fn one_zero_one_nan(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float32 | DataType::Float64 => crate::filter::normalize_floats(column),
        // An integer and a real that are equal are one key.
        DataType::Struct(_) => normalized(column).unwrap_or_else(|_| Arc::clone(column)),
        _ => Arc::clone(column),
    }
}
