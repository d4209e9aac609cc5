//! CREATE INDEX and REINDEX.

use crate::RuntimeSession;
use crate::ddl::{IfExists, make_room};
use crate::schemas;
use crate::transaction::Transaction;
use llkv_plan::{IndexDefinition, TableRef};
use llkv_result::{CatalogError, ObjectKind, Result, StatementResult};
use llkv_table::{CatalogObject, IndexColumnMeta, IndexMeta, Table};
use std::sync::Arc;

/// CREATE INDEX: the rows that there are are checked now, a checkpoint builds the index of them.
pub(crate) fn create_index(
    session: &RuntimeSession,
    transaction: &mut Transaction,
    definition: &IndexDefinition,
    if_not_exists: bool,
) -> Result<StatementResult> {
    transaction.check_writable("CREATE INDEX")?;
    let result = StatementResult::Catalog {
        tag: "CREATE INDEX",
    };
    let table = transaction.table(definition.table, &definition.table_name)?;
    let existing = IfExists::new(if_not_exists, false);
    let temporary = transaction.catalog().is_temporary(table.id());
    let mut name = match &definition.name {
        Some(name) => name.clone(),
        None => made_name(transaction, &table, definition),
    };
    // An index lies in the schema of its table.
    let schema = schemas::schema_name(transaction.catalog(), table.meta().schema);
    name.schema = (!temporary).then(|| schema.to_owned());
    if !make_room(transaction, ObjectKind::Index, &name, temporary, existing)? {
        return Ok(result);
    }
    let columns = definition.columns.iter().map(|column| IndexColumnMeta {
        field: column.field,
        descending: column.descending,
        nulls_first: column.nulls_first,
        collation: column.collation,
    });
    let index = Arc::new(IndexMeta {
        id: session.context.new_object_id()?,
        name: name.name,
        table: table.id(),
        unique: definition.unique,
        columns: columns.collect(),
        schema: table.meta().schema,
    });
    let handle = transaction.handle(&table)?;
    transaction.create(CatalogObject::Index(Arc::clone(&index)), temporary)?;
    let table = transaction.table(definition.table, &definition.table_name)?;
    if let Some(key) = table.key_of_index(index.index_id()) {
        let (memory, cancel) = (&session.context.memory, &session.settings.cancel);
        key.check_rows(&table.meta().name, &handle, memory, cancel)?;
    }
    Ok(result)
}

/// `table_column_idx`, with a number where that is taken.
fn made_name(transaction: &Transaction, table: &Table, definition: &IndexDefinition) -> TableRef {
    let name_of = |field| {
        let mut columns = table.meta().columns.iter();
        columns.find(|column| column.field == field)
    };
    let columns = definition.columns.iter();
    let columns = columns.filter_map(|column| name_of(column.field));
    let mut base = table.meta().name.clone();
    for column in columns {
        base.push('_');
        base.push_str(&column.name);
    }
    base.push_str("_idx");
    let mut name = base.clone();
    let mut number = 0;
    let catalog = transaction.catalog();
    let schema = table.meta().schema;
    let is_taken = |name: &str| {
        let temporary = catalog.temporary(name);
        temporary.is_some() || catalog.permanent_in(schema, name).is_some()
    };
    while is_taken(&name) {
        number += 1;
        name = format!("{base}{number}");
    }
    let schema = schemas::schema_name(catalog, schema).to_owned();
    TableRef {
        schema: Some(schema),
        name,
    }
}

/// REINDEX: throws away what is stored of an index, of those of a table, or of all, and builds it of the
/// rows again.
pub(crate) fn reindex(
    session: &RuntimeSession,
    transaction: &Transaction,
    name: Option<&TableRef>,
) -> Result<StatementResult> {
    transaction.check_writable("REINDEX")?;
    let (catalog, store) = (transaction.catalog(), &session.context.store);
    match name {
        None => {
            for object in catalog.objects() {
                if let CatalogObject::Table(table) = object {
                    store.rebuild_indexes(table.id(), None)?;
                }
            }
        }
        Some(name) => {
            transaction.schema_for_new(name)?;
            match transaction.find(ObjectKind::Index, name) {
                Some(CatalogObject::Table(table)) => store.rebuild_indexes(table.id(), None)?,
                Some(CatalogObject::Index(index)) => {
                    store.rebuild_indexes(index.table, Some(index.index_id()))?;
                }
                _ => {
                    let (kind, name) = (ObjectKind::Index, name.name.clone());
                    return Err(CatalogError::NotFound { kind, name }.into());
                }
            }
        }
    }
    session.context.checkpoint(&session.settings.cancel)?;
    Ok(StatementResult::Utility { tag: "REINDEX" })
}
