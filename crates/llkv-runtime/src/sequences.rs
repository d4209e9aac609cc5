//! CREATE and DROP SEQUENCE, and sequences as sessions use them.
//!
//! Numbers are taken outside of transactions: what a rollback gave up is not given again. They are taken out of
//! the log in advance, some at a time, by a small commit of their own.

use crate::RuntimeSession;
use crate::context::RuntimeContext;
use crate::schemas;
use crate::transaction::Transaction;
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use llkv_compute::sequences::{SequenceSource, register};
use llkv_plan::{SequenceDefinition, TableRef};
use llkv_result::{CatalogError, Error, EvalError, ObjectKind, Result, StatementResult};
use llkv_table::{CatalogObject, CatalogState, ColMeta, Generated, Sequence, SequenceMeta, Table};
use llkv_types::{FieldId, TableId};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// The sequences that a session has used: each with the number that expressions know it by.
#[derive(Default)]
pub(crate) struct SessionSequences {
    known: Mutex<HashMap<TableId, Known>>,
    /// The numbers that it took last.
    last: Arc<Mutex<HashMap<TableId, i64>>>,
}

/// A sequence that a session has used.
struct Known {
    /// Its number in expressions, which holds as long as the source is there.
    number: u64,
    sequence: Arc<Sequence>,
    _source: Arc<dyn SequenceSource>,
}

impl SessionSequences {
    /// The number of a sequence in expressions.
    pub(crate) fn number(&self, context: &Arc<RuntimeContext>, sequence: &Arc<Sequence>) -> u64 {
        let id = sequence.meta().id;
        let mut known = self.known.lock();
        if let Some(used) = known.get(&id)
            && used.sequence.is_same(sequence)
        {
            return used.number;
        }
        let source: Arc<dyn SequenceSource> = Arc::new(SessionSequence {
            context: Arc::downgrade(context),
            sequence: Arc::clone(sequence),
            last: Arc::clone(&self.last),
        });
        let number = register(&source);
        let used = Known {
            number,
            sequence: Arc::clone(sequence),
            _source: source,
        };
        known.insert(id, used);
        number
    }
}

impl std::fmt::Debug for SessionSequences {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionSequences").finish_non_exhaustive()
    }
}

/// A sequence as one session uses it.
struct SessionSequence {
    context: Weak<RuntimeContext>,
    sequence: Arc<Sequence>,
    last: Arc<Mutex<HashMap<TableId, i64>>>,
}

impl SessionSequence {
    fn log(&self, last: i64) -> Result<()> {
        let context = self.context.upgrade();
        let context = context.ok_or_else(|| Error::internal("a sequence without a database"))?;
        context.log_sequence(&self.sequence, last)
    }
}

impl SequenceSource for SessionSequence {
    fn next_values(&self, count: usize) -> Result<Vec<i64>> {
        let given = self.sequence.next_values(count)?;
        if let Some(last) = given.log {
            self.log(last)?;
        }
        if let Some(last) = given.values.last() {
            self.last.lock().insert(self.sequence.meta().id, *last);
        }
        Ok(given.values)
    }

    fn current(&self) -> Result<i64> {
        let meta = self.sequence.meta();
        let last = self.last.lock().get(&meta.id).copied();
        last.ok_or_else(|| {
            let sequence = meta.name.clone();
            EvalError::SequenceUnused { sequence }.into()
        })
    }

    fn set(&self, value: i64, is_given: bool) -> Result<()> {
        let last = self.sequence.set(value, is_given)?;
        self.log(last)?;
        if is_given {
            self.last.lock().insert(self.sequence.meta().id, value);
        }
        Ok(())
    }
}

/// CREATE SEQUENCE.
pub(crate) fn create_sequence(
    session: &RuntimeSession,
    transaction: &mut Transaction,
    definition: &SequenceDefinition,
    if_not_exists: bool,
) -> Result<StatementResult> {
    const TAG: &str = "CREATE SEQUENCE";
    transaction.check_writable(TAG)?;
    let name = &definition.name;
    let temporary = definition.temporary || schemas::is_temporary_schema(name);
    let existing = crate::ddl::IfExists::new(if_not_exists, false);
    let kind = ObjectKind::Sequence;
    if crate::ddl::make_room(transaction, kind, name, temporary, existing)? {
        create(session, transaction, definition, temporary, None)?;
    }
    Ok(StatementResult::Catalog { tag: TAG })
}

/// Creates a sequence, of a column or by itself.
pub(crate) fn create(
    session: &RuntimeSession,
    transaction: &mut Transaction,
    definition: &SequenceDefinition,
    temporary: bool,
    owner: Option<(TableId, FieldId)>,
) -> Result<Arc<Sequence>> {
    let schema = match temporary {
        true => llkv_table::MAIN_SCHEMA,
        false => transaction.schema_for_new(&definition.name)?,
    };
    let sequence = Arc::new(Sequence::new(SequenceMeta {
        id: session.context.new_object_id()?,
        name: definition.name.name.clone(),
        schema,
        start: definition.start,
        increment: definition.increment,
        min: definition.min,
        max: definition.max,
        cycle: definition.cycle,
        owner,
        last: None,
    }));
    let object = CatalogObject::Sequence(Arc::clone(&sequence));
    transaction.create(object, temporary)?;
    Ok(sequence)
}

/// Numbers the rows of a batch in its last column.
pub(crate) fn number_last_column(sequence: &Sequence, rows: &RecordBatch) -> Result<RecordBatch> {
    let numbers = sequence.next_values(rows.num_rows())?.values;
    let mut columns = rows.columns().to_vec();
    let ty = columns.pop().map(|column| column.data_type().clone());
    let ty = ty.ok_or_else(|| Error::internal("rows without a column to number"))?;
    let numbers: ArrayRef = Arc::new(Int64Array::from(numbers));
    columns.push(arrow::compute::cast(&numbers, &ty)?);
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}

/// DROP SEQUENCE: sequences, each with the columns whose defaults name it.
pub(crate) fn drop_sequences(
    transaction: &mut Transaction,
    sequences: &[(TableRef, Vec<(TableId, FieldId)>)],
    if_exists: bool,
    cascade: bool,
) -> Result<StatementResult> {
    const TAG: &str = "DROP SEQUENCE";
    transaction.check_writable(TAG)?;
    let kind = ObjectKind::Sequence;
    for (name, defaults) in sequences {
        let found = transaction.find(kind, name).cloned();
        let Some(CatalogObject::Sequence(sequence)) = found else {
            if if_exists {
                continue;
            }
            let name = name.name.clone();
            return Err(CatalogError::NotFound { kind, name }.into());
        };
        let meta = sequence.meta();
        for (table, field) in meta.owner.iter().chain(defaults) {
            drop_default(transaction, *table, *field, (cascade, &meta.name))?;
        }
        let temporary = transaction.catalog().is_temporary(meta.id);
        transaction.drop_object(kind, meta.schema, &meta.name, temporary)?;
    }
    Ok(StatementResult::Catalog { tag: TAG })
}

/// A column that takes its numbers from a sequence loses its default, or stands in the way.
fn drop_default(
    transaction: &mut Transaction,
    table: TableId,
    field: FieldId,
    (cascade, name): (bool, &str),
) -> Result<()> {
    let Some(table) = transaction.catalog().table(table).cloned() else {
        return Ok(());
    };
    if !cascade {
        return Err(CatalogError::in_use(
            ObjectKind::Sequence,
            name,
            format!("a default of table \"{}\"", table.meta().name),
        ));
    }
    let mut meta = table.meta().clone();
    let mut columns = meta.columns.iter_mut();
    if let Some(column) = columns.find(|column| column.field == field) {
        column.default_sql = None;
        column.generated = None;
    }
    let altered = table.altered(meta, table.indexes().to_vec(), None)?;
    transaction.change(CatalogObject::Table(altered))
}

/// AUTOINCREMENT goes on above every number that a row ever had, wherever that came from.
pub(crate) fn raise(
    context: &RuntimeContext,
    catalog: &CatalogState,
    table: &Table,
    rows: &RecordBatch,
) -> Result<()> {
    let meta = table.meta();
    let is_identity =
        |column: &ColMeta| matches!(column.generated, Some(Generated::Identity { .. }));
    // A word of SQLite's alone.
    if meta.dialect != "sqlite" || !meta.columns.iter().any(is_identity) {
        return Ok(());
    }
    for sequence in catalog.sequences_of(table) {
        let owner = sequence.meta().owner.map(|(_, field)| field);
        let at = meta.columns.iter().position(|c| Some(c.field) == owner);
        let values = at.and_then(|at| rows.columns().get(at));
        let values = values.and_then(|values| values.as_primitive_opt::<Int64Type>());
        let highest = values.and_then(arrow::compute::max);
        if let Some(last) = highest.and_then(|highest| sequence.raise(highest)) {
            context.log_sequence(&sequence, last)?;
        }
    }
    Ok(())
}
