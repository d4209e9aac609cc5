//! CREATE and DROP.

use crate::transaction::Transaction;
use crate::{RuntimeSession, foreign_keys};
use llkv_plan::{LogicalPlan, TableDefinition, TableRef};
use llkv_result::{BindError, CatalogError, Error, ObjectKind, Result, StatementResult};
use llkv_table::{
    CatalogObject, CheckMeta, ColMeta, KeyMeta, MAIN_SCHEMA, OnConflict, Table, TableMeta, ViewMeta,
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

/// The one schema, by its names in the dialects.
pub(crate) fn is_main_schema(name: &TableRef) -> bool {
    name.schema.as_deref().is_none_or(|schema| {
        ["main", "public"]
            .iter()
            .any(|main| schema.eq_ignore_ascii_case(main))
    })
}

pub(crate) fn check_schema(name: &TableRef) -> Result<()> {
    if is_main_schema(name) {
        return Ok(());
    }
    Err(BindError::NotFound {
        kind: ObjectKind::Schema,
        name: name.schema.clone().unwrap_or_default(),
        hint: None,
        span: None,
    }
    .into())
}

/// The schema of temporary objects, by its names in the dialects.
pub(crate) fn is_temporary_schema(name: &TableRef) -> bool {
    name.schema.as_deref().is_some_and(|schema| {
        ["temp", "pg_temp"]
            .iter()
            .any(|temporary| schema.eq_ignore_ascii_case(temporary))
    })
}

/// Makes room for a new object. False when the one that exists stays instead.
pub(crate) fn make_room(
    transaction: &mut Transaction,
    kind: ObjectKind,
    name: &TableRef,
    temporary: bool,
    existing: IfExists,
) -> Result<bool> {
    if !temporary {
        check_schema(name)?;
    }
    let catalog = transaction.catalog();
    let found = match temporary {
        true => catalog.temporary_of(kind, &name.name),
        false => catalog.permanent_of(kind, &name.name),
    };
    match (found.map(CatalogObject::kind), existing) {
        (None, _) => Ok(true),
        (Some(_), IfExists::Keep) => Ok(false),
        (Some(found), IfExists::Replace) if found == kind => {
            transaction.drop_object(kind, &name.name, temporary)?;
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
        Some(plan) => Source::Running(crate::query::execute(session, transaction, plan)?),
        None => Source::Rows(Vec::new()),
    };
    let kind = ObjectKind::Table;
    if !make_room(transaction, kind, &definition.name, temporary, existing)? {
        return Ok(StatementResult::CreateTable { name, rows: 0 });
    }
    let mut meta = table_meta(session.context.new_object_id()?, definition)?;
    for key in &definition.foreign_keys {
        let key = foreign_keys::meta_of(transaction, &meta, key)?;
        meta.foreign_keys.push(key);
    }
    let table = Table::new(meta)?;
    transaction.create(CatalogObject::Table(Arc::clone(&table)), temporary)?;
    foreign_keys::check_parents(transaction, &table)?;
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
            generated: None,
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
        let view = ViewMeta {
            id: session.context.new_object_id()?,
            name: name.name.clone(),
            sql: text.sql,
            columns: text.columns,
            dialect: text.dialect,
            schema: MAIN_SCHEMA,
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
        let catalog = transaction.catalog();
        let temporary = name.schema.is_none() || is_temporary_schema(name);
        if temporary && catalog.temporary_of(kind, &name.name).is_some() {
            transaction.drop_object(kind, &name.name, true)?;
            continue;
        }
        let exists = is_main_schema(name) && catalog.permanent_of(kind, &name.name).is_some();
        if exists || !if_exists {
            check_schema(name)?;
            transaction.drop_object(kind, &name.name, false)?;
        }
    }
    Ok(StatementResult::Catalog { tag })
}
