//! CREATE and DROP.

use crate::schemas::is_temporary_schema;
use crate::transaction::Transaction;
use crate::{RuntimeSession, foreign_key_changes, foreign_key_definition, sequences};
use llkv_plan::{GeneratedColumn, LogicalPlan, TableDefinition, TableRef};
use llkv_result::{CatalogError, Error, ObjectKind, Result, StatementResult};
use llkv_table::{
    CatalogObject, CheckMeta, ColMeta, Generated, KeyMeta, MAIN_SCHEMA, OnConflict, Table,
    TableMeta, ViewMeta, unless_binary,
};
use llkv_types::{FieldId, TableId};
use std::sync::Arc;

/// What CREATE does when the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfExists {
    Fail,
    Keep,
    Replace,
}

impl IfExists {
    pub(crate) fn new(if_not_exists: bool, or_replace: bool) -> Self {
        match (if_not_exists, or_replace) {
            (true, _) => Self::Keep,
            (false, true) => Self::Replace,
            (false, false) => Self::Fail,
        }
    }
}

/// The words of a view.
pub(crate) struct ViewText {
    pub(crate) sql: String,
    pub(crate) columns: Vec<String>,
    pub(crate) dialect: String,
    pub(crate) temporary: bool,
}

/// Makes room for a new object. False when the one that exists stays instead.
pub(crate) fn make_room(
    transaction: &mut Transaction,
    kind: ObjectKind,
    name: &TableRef,
    temporary: bool,
    existing: IfExists,
) -> Result<bool> {
    let catalog = transaction.catalog();
    let (schema, found) = match temporary {
        true => (MAIN_SCHEMA, catalog.temporary_of(kind, &name.name)),
        false => {
            let schema = match kind {
                ObjectKind::Trigger => MAIN_SCHEMA,
                _ => transaction.schema_for_new(name)?,
            };
            let found = catalog.permanent_named(kind, schema, &name.name);
            (schema, found)
        }
    };
    match (found.map(CatalogObject::kind), existing) {
        (None, _) => Ok(true),
        (Some(_), IfExists::Keep) => Ok(false),
        (Some(found), IfExists::Replace) if found == kind => {
            transaction.drop_object(kind, schema, &name.name, temporary)?;
            Ok(true)
        }
        (Some(kind), _) => {
            let name = name.name.clone();
            Err(CatalogError::AlreadyExists { kind, name }.into())
        }
    }
}

/// CREATE TABLE, CREATE TABLE AS.
pub(crate) fn create_table(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    definition: &TableDefinition,
    existing: IfExists,
    source: Option<LogicalPlan>,
) -> Result<StatementResult> {
    transaction.check_writable("CREATE TABLE")?;
    let temporary = definition.temporary || is_temporary_schema(&definition.name);
    let name = definition.name.name.clone();
    // The source of CREATE OR REPLACE TABLE t AS SELECT ... FROM t reads the old table.
    let execution = match source {
        Some(LogicalPlan::Values(values)) => Source::Rows(values.batches),
        Some(plan) => {
            let execution = crate::query::execute(session, transaction, plan)?;
            // What a temporary table stores as codes need not be looked up in between.
            Source::Running(match temporary {
                true => execution.with_coded_texts(),
                false => execution,
            })
        }
        None => Source::Rows(Vec::new()),
    };
    let kind = ObjectKind::Table;
    if !make_room(transaction, kind, &definition.name, temporary, existing)? {
        return Ok(StatementResult::CreateTable { name, rows: 0 });
    }
    let mut meta = table_meta(session.context.new_object_id()?, definition)?;
    if !temporary {
        meta.schema = transaction.schema_for_new(&definition.name)?;
    }
    for key in &definition.foreign_keys {
        let key = foreign_key_definition::meta_of(transaction, &meta, key)?;
        meta.foreign_keys.push(key);
    }
    let table = Table::new(meta)?;
    transaction.create(CatalogObject::Table(Arc::clone(&table)), temporary)?;
    for (position, sequence) in &definition.sequences {
        let field = FieldId(*position);
        let owner = Some((table.id(), field));
        sequences::create(session, transaction, sequence, temporary, owner)?;
    }
    foreign_key_changes::check_parents(transaction, &table)?;
    let table = transaction.table(table.id(), &name)?;
    let mut rows = 0;
    let mut append = |batch| {
        rows += transaction.append(&table, batch, OnConflict::Error)?.rows;
        Ok::<_, Error>(())
    };
    match execution {
        Source::Rows(batches) => batches.into_iter().try_for_each(&mut append)?,
        Source::Running(mut execution) => {
            while let Some(batch) = execution.next_batch()? {
                append(batch)?;
            }
        }
    }
    Ok(StatementResult::CreateTable { name, rows })
}

enum Source {
    Rows(Vec<arrow::array::RecordBatch>),
    Running(llkv_executor::SelectExecution),
}

pub(crate) fn generated(generated: &GeneratedColumn) -> Generated {
    match generated {
        GeneratedColumn::Expression(sql) => Generated::Expression(sql.clone()),
        GeneratedColumn::Identity { always } => Generated::Identity { always: *always },
    }
}

fn table_meta(id: TableId, definition: &TableDefinition) -> Result<TableMeta> {
    let fields = || (0..).map(FieldId);
    let columns = definition
        .columns
        .iter()
        .zip(fields())
        .map(|(c, field)| ColMeta {
            field,
            name: c.name.clone(),
            ty: c.ty,
            nullable: c.nullable,
            default_sql: c.default_sql.clone(),
            generated: c.generated.as_ref().map(generated),
            declared: c.declared.clone(),
            collation: c.collation,
        });
    let columns: Vec<ColMeta> = columns.collect();
    for (at, column) in columns.iter().enumerate() {
        let same = |other: &ColMeta| other.name.eq_ignore_ascii_case(&column.name);
        if columns.iter().take(at).any(same) {
            return Err(CatalogError::AlreadyExists {
                kind: ObjectKind::Column,
                name: column.name.clone(),
            }
            .into());
        }
    }
    let keys = (0..).zip(&definition.keys).map(|(index, key)| {
        let field = |position: &u32| columns.get(*position as usize).map(|c| c.field);
        let fields = key.columns.iter().map(field).collect::<Option<Vec<_>>>();
        Ok(KeyMeta {
            name: key.name.clone(),
            primary: key.primary,
            fields: fields.ok_or_else(|| Error::internal("a key over no column"))?,
            index,
            collations: unless_binary(key.collations.clone()),
        })
    });
    Ok(TableMeta {
        id,
        name: definition.name.name.clone(),
        keys: keys.collect::<Result<_>>()?,
        checks: definition
            .checks
            .iter()
            .map(|check| CheckMeta {
                name: check.name.clone(),
                sql: check.sql.clone(),
            })
            .collect(),
        next_field: columns.len() as u32,
        dialect: definition.dialect.clone(),
        columns,
        foreign_keys: Vec::new(),
        next_index: definition.keys.len() as u32,
        schema: MAIN_SCHEMA,
    })
}

/// CREATE VIEW.
pub(crate) fn create_view(
    session: &RuntimeSession,
    transaction: &mut Transaction,
    name: &TableRef,
    text: ViewText,
    existing: IfExists,
) -> Result<StatementResult> {
    transaction.check_writable("CREATE VIEW")?;
    let temporary = text.temporary || is_temporary_schema(name);
    if make_room(transaction, ObjectKind::View, name, temporary, existing)? {
        let schema = match temporary {
            true => MAIN_SCHEMA,
            false => transaction.schema_for_new(name)?,
        };
        let view = ViewMeta {
            id: session.context.new_object_id()?,
            name: name.name.clone(),
            sql: text.sql,
            columns: text.columns,
            dialect: text.dialect,
            schema,
        };
        transaction.create(CatalogObject::View(Arc::new(view)), temporary)?;
    }
    Ok(StatementResult::Catalog { tag: "CREATE VIEW" })
}

/// DROP TABLE.
pub(crate) fn drop_tables(
    transaction: &mut Transaction,
    names: &[TableRef],
    if_exists: bool,
) -> Result<StatementResult> {
    drop_objects(
        transaction,
        ObjectKind::Table,
        names,
        if_exists,
        "DROP TABLE",
    )
}

/// DROP VIEW.
pub(crate) fn drop_views(
    transaction: &mut Transaction,
    names: &[TableRef],
    if_exists: bool,
) -> Result<StatementResult> {
    drop_objects(transaction, ObjectKind::View, names, if_exists, "DROP VIEW")
}

/// DROP INDEX.
pub(crate) fn drop_indexes(
    transaction: &mut Transaction,
    names: &[TableRef],
    if_exists: bool,
) -> Result<StatementResult> {
    drop_objects(
        transaction,
        ObjectKind::Index,
        names,
        if_exists,
        "DROP INDEX",
    )
}

pub(crate) fn drop_objects(
    transaction: &mut Transaction,
    kind: ObjectKind,
    names: &[TableRef],
    if_exists: bool,
    tag: &'static str,
) -> Result<StatementResult> {
    transaction.check_writable(tag)?;
    for name in names {
        let may_be_temporary = name.schema.is_none() || is_temporary_schema(name);
        let temporary = transaction.catalog().temporary_of(kind, &name.name);
        if may_be_temporary && temporary.is_some() {
            transaction.drop_object(kind, MAIN_SCHEMA, &name.name, true)?;
            continue;
        }
        let found = transaction.find_permanent(kind, name);
        match found.map(|object| (object.schema(), object.name().to_owned())) {
            Some((schema, name)) => transaction.drop_object(kind, schema, &name, false)?,
            None if if_exists => {}
            None => {
                transaction.schema_for_new(name)?;
                let name = name.name.clone();
                return Err(CatalogError::NotFound { kind, name }.into());
            }
        }
    }
    Ok(StatementResult::Catalog { tag })
}
