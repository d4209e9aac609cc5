//! Schemas: where a name is looked for, and where a new object goes.

use crate::RuntimeSession;
use crate::transaction::Transaction;
use llkv_plan::TableRef;
use llkv_result::{BindError, CatalogError, ObjectKind, Result, StatementResult};
use llkv_table::{CatalogObject, CatalogState, MAIN_SCHEMA, SCHEMAS, SchemaMeta};
use llkv_types::TableId;
use std::sync::{Arc, LazyLock};

/// Names of schemas, in the order in which a name without one is looked for.
pub(crate) type SearchPath = Arc<[String]>;

/// The name of the schema that is always there.
pub(crate) const MAIN: &str = "main";

/// The name of the schema of temporary objects.
pub(crate) const TEMPORARY: &str = "temp";

/// The path of a new session.
pub(crate) fn default_path() -> SearchPath {
    static PATH: LazyLock<SearchPath> = LazyLock::new(|| Arc::from([MAIN.to_owned()]));
    Arc::clone(&PATH)
}

/// The schemas of `a, b`; names may stand in quotes.
pub(crate) fn parse_path(value: &str) -> SearchPath {
    let names = value.split(',').map(|name| name.trim().trim_matches('"'));
    // A database may stand before the schema.
    let names = names.map(|name| name.rsplit('.').next().unwrap_or(name));
    let names = names.filter(|name| !name.is_empty() && *name != "$user");
    names.map(str::to_owned).collect::<Vec<_>>().into()
}

/// The schema that is always there, by its names in the dialects.
fn is_main(name: &str) -> bool {
    [MAIN, "public"]
        .iter()
        .any(|main| name.eq_ignore_ascii_case(main))
}

/// The schema of temporary objects, by its names in the dialects.
pub(crate) fn is_temporary_schema(name: &TableRef) -> bool {
    name.schema.as_deref().is_some_and(|schema| {
        [TEMPORARY, "pg_temp"]
            .iter()
            .any(|temporary| schema.eq_ignore_ascii_case(temporary))
    })
}

/// A schema by its name.
pub(crate) fn schema_id(catalog: &CatalogState, name: &str) -> Option<TableId> {
    if is_main(name) {
        return Some(MAIN_SCHEMA);
    }
    match catalog.permanent_named(ObjectKind::Schema, SCHEMAS, name) {
        Some(CatalogObject::Schema(schema)) => Some(schema.id),
        _ => None,
    }
}

/// The name of a schema.
pub(crate) fn schema_name(catalog: &CatalogState, id: TableId) -> &str {
    catalog
        .schema(id)
        .map_or(MAIN, |schema| schema.name.as_str())
}

fn no_schema(name: &str) -> llkv_result::Error {
    BindError::NotFound {
        kind: ObjectKind::Schema,
        name: name.to_owned(),
        hint: None,
        span: None,
    }
    .into()
}

/// The schema in which an object of that name is made.
pub(crate) fn schema_for_new(
    catalog: &CatalogState,
    path: &SearchPath,
    name: &TableRef,
) -> Result<TableId> {
    match &name.schema {
        Some(schema) => schema_id(catalog, schema).ok_or_else(|| no_schema(schema)),
        None => {
            let mut known = path.iter().filter_map(|name| schema_id(catalog, name));
            let first = path.first().map_or("", String::as_str);
            known.next().ok_or_else(|| no_schema(first))
        }
    }
}

/// An object of the database itself, of a kind: all kinds but triggers share their names.
pub(crate) fn find_permanent<'c>(
    catalog: &'c CatalogState,
    path: &SearchPath,
    kind: ObjectKind,
    name: &TableRef,
) -> Option<&'c CatalogObject> {
    let in_schema = |schema: &str| {
        let schema = schema_id(catalog, schema)?;
        catalog.permanent_named(kind, schema, &name.name)
    };
    match (&name.schema, kind) {
        (_, ObjectKind::Trigger) => in_schema(MAIN),
        (Some(schema), _) => in_schema(schema),
        (None, _) => path.iter().find_map(|schema| in_schema(schema)),
    }
}

/// An object by its name; a temporary one hides others.
pub(crate) fn find<'c>(
    catalog: &'c CatalogState,
    path: &SearchPath,
    kind: ObjectKind,
    name: &TableRef,
) -> Option<&'c CatalogObject> {
    let temporary = catalog.temporary_of(kind, &name.name);
    match &name.schema {
        Some(_) if is_temporary_schema(name) => temporary,
        Some(_) => find_permanent(catalog, path, kind, name),
        None => temporary.or_else(|| find_permanent(catalog, path, kind, name)),
    }
}

/// CREATE SCHEMA.
pub(crate) fn create_schema(
    session: &RuntimeSession,
    transaction: &mut Transaction,
    name: &str,
    if_not_exists: bool,
) -> Result<StatementResult> {
    const TAG: &str = "CREATE SCHEMA";
    transaction.check_writable(TAG)?;
    let reserved = [TEMPORARY, "pg_temp", "information_schema", "pg_catalog"];
    let is_reserved = reserved
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name));
    if is_reserved || schema_id(transaction.catalog(), name).is_some() {
        if !if_not_exists {
            let (kind, name) = (ObjectKind::Schema, name.to_owned());
            return Err(CatalogError::AlreadyExists { kind, name }.into());
        }
    } else {
        let schema = SchemaMeta {
            id: session.context.new_object_id()?,
            name: name.to_owned(),
        };
        transaction.create(CatalogObject::Schema(Arc::new(schema)), false)?;
    }
    Ok(StatementResult::Catalog { tag: TAG })
}

/// DROP SCHEMA.
pub(crate) fn drop_schemas(
    transaction: &mut Transaction,
    names: &[TableRef],
    if_exists: bool,
    cascade: bool,
) -> Result<StatementResult> {
    const TAG: &str = "DROP SCHEMA";
    transaction.check_writable(TAG)?;
    for name in names {
        let name = name.name.as_str();
        let catalog = Arc::clone(transaction.catalog());
        match schema_id(&catalog, name) {
            None if if_exists => continue,
            None => return Err(no_schema(name)),
            Some(MAIN_SCHEMA) => {
                return Err(CatalogError::InvalidTable {
                    message: format!("schema \"{name}\" is always there"),
                }
                .into());
            }
            Some(schema) => drop_schema(transaction, &catalog, name, schema, cascade)?,
        }
    }
    Ok(StatementResult::Catalog { tag: TAG })
}

fn drop_schema(
    transaction: &mut Transaction,
    catalog: &CatalogState,
    name: &str,
    schema: TableId,
    cascade: bool,
) -> Result<()> {
    let inside = |object: &&CatalogObject| {
        object.schema() == schema && !matches!(object, CatalogObject::Index(_))
    };
    let objects: Vec<&CatalogObject> = catalog.objects().filter(inside).collect();
    if let (Some(first), false) = (objects.first(), cascade) {
        return Err(CatalogError::in_use(
            ObjectKind::Schema,
            name,
            format!("{} \"{}\"", first.kind(), first.name()),
        ));
    }
    let tables = objects.iter().map(|object| object.id()).collect::<Vec<_>>();
    crate::foreign_key_changes::before_drop_of(transaction, &tables, true)?;
    for object in objects {
        // What belongs to a table goes with it.
        let is_there = transaction
            .catalog()
            .permanent_named(object.kind(), schema, object.name())
            .is_some();
        if is_there {
            transaction.drop_object(object.kind(), schema, object.name(), false)?;
        }
    }
    transaction.drop_object(ObjectKind::Schema, SCHEMAS, name, false)
}
