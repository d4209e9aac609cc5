//! The system's own views: `information_schema` and `llkv_...`, of the catalog and of what goes on.

use crate::definition_sql::{
    Numbering, definition_sql, foreign_key_sql, identity_sql, index_columns_sql, index_sql,
    numbering,
};
use crate::schemas::MAIN;
use crate::{SessionCatalog, activity, information_schema};
use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, StringViewArray,
    UInt64Array,
};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::DataType;
use llkv_plan::{BatchSource, CatalogView, ExternalSource, TableRef};
use llkv_result::{Error, Result};
use llkv_table::{
    CatalogObject, ColMeta, Generated, IndexMeta, Sequence, SequenceMeta, Table, TableMeta,
};
use llkv_types::{FieldId, TableId};
use std::sync::Arc;

/// A view: its schema, its name, and what makes its rows.
struct Definition {
    schema: &'static str,
    name: &'static str,
    rows: fn(&SessionCatalog) -> Result<RecordBatch>,
}

const VIEWS: &[Definition] = &[
    Definition {
        schema: "information_schema",
        name: "tables",
        rows: tables,
    },
    Definition {
        schema: "information_schema",
        name: "columns",
        rows: columns,
    },
    Definition {
        schema: "information_schema",
        name: "table_constraints",
        rows: table_constraints,
    },
    Definition {
        schema: "information_schema",
        name: "views",
        rows: views,
    },
    Definition {
        schema: "information_schema",
        name: "schemata",
        rows: schemata,
    },
    Definition {
        schema: "information_schema",
        name: "sequences",
        rows: sequences,
    },
    Definition {
        schema: "information_schema",
        name: "key_column_usage",
        rows: information_schema::key_column_usage,
    },
    Definition {
        schema: "information_schema",
        name: "check_constraints",
        rows: information_schema::check_constraints,
    },
    Definition {
        schema: "main",
        name: "llkv_tables",
        rows: llkv_tables,
    },
    Definition {
        schema: "main",
        name: "llkv_indexes",
        rows: llkv_indexes,
    },
    Definition {
        schema: "main",
        name: "llkv_schema",
        rows: llkv_schema,
    },
    Definition {
        schema: "main",
        name: "sqlite_schema",
        rows: sqlite_schema,
    },
    Definition {
        schema: "main",
        name: "sqlite_master",
        rows: sqlite_schema,
    },
    Definition {
        schema: "main",
        name: "llkv_transactions",
        rows: activity::transactions,
    },
    Definition {
        schema: "main",
        name: "llkv_memory",
        rows: activity::memory,
    },
    Definition {
        schema: "main",
        name: "llkv_storage",
        rows: activity::storage,
    },
];

/// The view of that name, with the rows it has now.
pub(crate) fn system_view(
    catalog: &SessionCatalog,
    name: &TableRef,
) -> Result<Option<Arc<dyn ExternalSource>>> {
    let schema = name.schema.as_deref().unwrap_or("main");
    let found = VIEWS.iter().find(|view| {
        view.name.eq_ignore_ascii_case(&name.name) && view.schema.eq_ignore_ascii_case(schema)
    });
    let Some(view) = found else {
        return Ok(None);
    };
    let rows = (view.rows)(catalog)?;
    Ok(Some(Arc::new(BatchSource::new(view.name, rows))))
}

pub(crate) fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values(values))
}

pub(crate) fn base_tables(catalog: &SessionCatalog) -> Vec<&Arc<Table>> {
    let tables = catalog.objects().filter_map(|object| match object {
        CatalogObject::Table(table) => Some(table),
        _ => None,
    });
    tables.collect()
}

fn schema_of<'c>(catalog: &'c SessionCatalog, object: &CatalogObject) -> &'c str {
    catalog.schema_of(object.id(), object.schema())
}

/// The schemas, the one that is always there first.
fn schemata(catalog: &SessionCatalog) -> Result<RecordBatch> {
    let mut names = vec![MAIN, "information_schema"];
    names.extend(catalog.state().schemas().map(|schema| schema.name.as_str()));
    Ok(RecordBatch::try_from_iter([
        ("catalog_name", texts(names.iter().map(|_| "llkv"))),
        ("schema_name", texts(names.iter().copied())),
    ])?)
}

fn sequences(catalog: &SessionCatalog) -> Result<RecordBatch> {
    let sequences = catalog.objects().filter_map(|object| match object {
        CatalogObject::Sequence(sequence) => Some(sequence),
        _ => None,
    });
    let sequences: Vec<&Arc<Sequence>> = sequences.collect();
    let rows: Vec<&SequenceMeta> = sequences.iter().map(|sequence| sequence.meta()).collect();
    let next = sequences.iter().map(|sequence| sequence.next_value());
    let next: Int64Array = next.collect();
    let numbers = |number: fn(&SequenceMeta) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            rows.iter().map(|row| number(row)),
        ))
    };
    let cycle = |cycle: bool| if cycle { "YES" } else { "NO" };
    Ok(RecordBatch::try_from_iter([
        ("sequence_catalog", texts(rows.iter().map(|_| "llkv"))),
        (
            "sequence_schema",
            texts(rows.iter().map(|row| catalog.schema_of(row.id, row.schema))),
        ),
        (
            "sequence_name",
            texts(rows.iter().map(|row| row.name.as_str())),
        ),
        ("data_type", texts(rows.iter().map(|_| "bigint"))),
        ("start_value", numbers(|row| row.start)),
        ("minimum_value", numbers(|row| row.min)),
        ("maximum_value", numbers(|row| row.max)),
        ("increment", numbers(|row| row.increment)),
        (
            "cycle_option",
            texts(rows.iter().map(|row| cycle(row.cycle))),
        ),
        ("next_value", Arc::new(next)),
    ])?)
}

fn tables(catalog: &SessionCatalog) -> Result<RecordBatch> {
    let is_relation = |object: &&CatalogObject| {
        matches!(object, CatalogObject::Table(_) | CatalogObject::View(_))
    };
    let objects: Vec<&CatalogObject> = catalog.objects().filter(is_relation).collect();
    let kind = |object: &&CatalogObject| match object {
        CatalogObject::View(_) => "VIEW",
        _ => "BASE TABLE",
    };
    Ok(RecordBatch::try_from_iter([
        ("table_catalog", texts(objects.iter().map(|_| "llkv"))),
        (
            "table_schema",
            texts(objects.iter().map(|o| schema_of(catalog, o))),
        ),
        ("table_name", texts(objects.iter().map(|o| o.name()))),
        ("table_type", texts(objects.iter().map(kind))),
    ])?)
}

/// A part of the catalog and the statement that makes it again.
struct Described<'c> {
    kind: &'static str,
    name: &'c str,
    table: String,
    sql: String,
    dialect: &'c str,
    id: TableId,
    schema: &'c str,
}

/// Collations have their names, and keys their meaning, in the dialect of the table.
fn dialect_of_index<'c>(index: &IndexMeta, catalog: &'c SessionCatalog) -> &'c str {
    let table = catalog.table_by_id(index.table).map(|table| table.meta());
    let has_collation = |table: &&TableMeta| {
        let mut columns = table.columns.iter();
        !index.collations().is_empty() || columns.any(|column| !column.collation.is_binary())
    };
    table
        .filter(has_collation)
        .map_or("llkv", |table| table.dialect.as_str())
}

/// Every object with the statement that creates it again; foreign keys and identities of tables by themselves, because
/// tables may refer to one another, and identities may refuse the numbers that rows have.
fn llkv_schema(catalog: &SessionCatalog) -> Result<RecordBatch> {
    let mut rows: Vec<Described<'_>> = Vec::new();
    for object in catalog.objects() {
        if let CatalogObject::Sequence(sequence) = object
            && let Some((table, column, numbering)) = numbered_column(sequence, catalog)
        {
            if let Numbering::Serial(_) = numbering {
                continue;
            }
            let meta = table.meta();
            rows.push(Described {
                kind: "identity",
                name: &column.name,
                table: meta.name.clone(),
                sql: identity_sql(sequence.meta(), (meta, column), catalog),
                dialect: "llkv",
                id: object.id(),
                schema: schema_of(catalog, object),
            });
            continue;
        }
        let (kind, table) = match object {
            CatalogObject::Table(_) => ("table", None),
            CatalogObject::View(_) => ("view", None),
            CatalogObject::Index(index) => ("index", Some(index.table)),
            CatalogObject::Trigger(trigger) => ("trigger", Some(trigger.table)),
            CatalogObject::Schema(_) => ("schema", None),
            CatalogObject::Sequence(_) => ("sequence", None),
        };
        rows.push(Described {
            kind,
            name: object.name(),
            table: match table {
                Some(table) => catalog.relation_name(table),
                None => object.name().to_owned(),
            },
            sql: definition_sql(object, catalog),
            dialect: match object {
                CatalogObject::Index(index) => dialect_of_index(index, catalog),
                other => dialect_of(other),
            },
            id: object.id(),
            schema: schema_of(catalog, object),
        });
    }
    for table in base_tables(catalog) {
        let meta = table.meta();
        rows.extend(meta.foreign_keys.iter().map(|key| Described {
            kind: "foreign key",
            name: &key.name,
            table: meta.name.clone(),
            sql: foreign_key_sql(meta, key, catalog),
            dialect: "llkv",
            id: meta.id,
            schema: catalog.schema_of(meta.id, meta.schema),
        }));
    }
    let ids = UInt64Array::from_iter_values(rows.iter().map(|row| u64::from(row.id.0)));
    Ok(RecordBatch::try_from_iter([
        ("type", texts(rows.iter().map(|row| row.kind))),
        ("name", texts(rows.iter().map(|row| row.name))),
        ("tbl_name", texts(rows.iter().map(|row| row.table.as_str()))),
        ("sql", texts(rows.iter().map(|row| row.sql.as_str()))),
        ("dialect", texts(rows.iter().map(|row| row.dialect))),
        ("object_id", Arc::new(ids)),
        ("schema_name", texts(rows.iter().map(|row| row.schema))),
    ])?)
}

/// The column that a sequence comes with.
fn numbered_column<'c>(
    sequence: &Sequence,
    catalog: &'c SessionCatalog,
) -> Option<(&'c Arc<Table>, &'c ColMeta, Numbering)> {
    let (owner, _) = sequence.meta().owner?;
    let table = catalog.table_by_id(owner)?;
    let (column, numbering) = numbering(sequence.meta(), table.meta())?;
    Some((table, column, numbering))
}

/// The dialect in which the definition of an object is read.
fn dialect_of(object: &CatalogObject) -> &str {
    match object {
        CatalogObject::Table(table) => &table.meta().dialect,
        CatalogObject::View(view) => &view.dialect,
        CatalogObject::Index(_) => "llkv",
        CatalogObject::Trigger(trigger) => &trigger.dialect,
        CatalogObject::Schema(_) | CatalogObject::Sequence(_) => "llkv",
    }
}

/// Tables, indexes, views and triggers as SQLite shows them: with a place in the file, which is the object's
/// number here.
fn sqlite_schema(catalog: &SessionCatalog) -> Result<RecordBatch> {
    let known = llkv_schema(catalog)?;
    let column = |name: &str| {
        let column = known.column_by_name(name).cloned();
        column.ok_or_else(|| Error::internal(format!("llkv_schema has no column {name}")))
    };
    let roots = cast(&column("object_id")?, &DataType::Int64)?;
    let all = RecordBatch::try_from_iter([
        ("type", column("type")?),
        ("name", column("name")?),
        ("tbl_name", column("tbl_name")?),
        ("rootpage", roots),
        ("sql", column("sql")?),
    ])?;
    let kinds = column("type")?;
    let known =
        |kind: Option<&str>| Some(matches!(kind, Some("table" | "index" | "view" | "trigger")));
    let own: BooleanArray = kinds.as_string_view().iter().map(known).collect();
    Ok(filter_record_batch(&all, &own)?)
}

fn columns(catalog: &SessionCatalog) -> Result<RecordBatch> {
    let tables = base_tables(catalog);
    let rows: Vec<_> = tables
        .iter()
        .flat_map(|t| {
            t.meta()
                .columns
                .iter()
                .enumerate()
                .map(|(i, c)| (t.meta(), i, c))
        })
        .collect();
    let types: Vec<String> = rows.iter().map(|(_, _, c)| c.ty.to_string()).collect();
    let positions = rows
        .iter()
        .map(|(_, at, _)| i32::try_from(at + 1).unwrap_or(i32::MAX));
    let nullable = |nullable: bool| if nullable { "YES" } else { "NO" };
    let defaults = rows.iter().map(|(_, _, c)| c.default_sql.as_deref());
    let defaults: ArrayRef = Arc::new(defaults.collect::<StringViewArray>());
    let positions: ArrayRef = Arc::new(Int32Array::from_iter_values(positions));
    Ok(RecordBatch::try_from_iter([
        ("table_catalog", texts(rows.iter().map(|_| "llkv"))),
        (
            "table_schema",
            texts(
                rows.iter()
                    .map(|(t, _, _)| catalog.schema_of(t.id, t.schema)),
            ),
        ),
        (
            "table_name",
            texts(rows.iter().map(|(t, _, _)| t.name.as_str())),
        ),
        (
            "column_name",
            texts(rows.iter().map(|(_, _, c)| c.name.as_str())),
        ),
        ("ordinal_position", positions),
        ("column_default", defaults),
        (
            "is_nullable",
            texts(rows.iter().map(|(_, _, c)| nullable(c.nullable))),
        ),
        ("data_type", texts(types.iter().map(String::as_str))),
        (
            "is_identity",
            texts(rows.iter().map(|(_, _, c)| is_identity(c))),
        ),
        (
            "is_generated",
            texts(rows.iter().map(|(_, _, c)| is_generated(c))),
        ),
    ])?)
}

fn is_identity(column: &ColMeta) -> &'static str {
    match column.generated {
        Some(Generated::Identity { .. }) => "YES",
        _ => "NO",
    }
}

fn is_generated(column: &ColMeta) -> &'static str {
    match column.generated {
        Some(Generated::Expression(_)) => "ALWAYS",
        _ => "NEVER",
    }
}

fn table_constraints(catalog: &SessionCatalog) -> Result<RecordBatch> {
    let mut rows: Vec<(&str, &str, &str, &str)> = Vec::new();
    for table in base_tables(catalog) {
        let meta = table.meta();
        let schema = catalog.schema_of(meta.id, meta.schema);
        for key in &meta.keys {
            let kind = if key.primary { "PRIMARY KEY" } else { "UNIQUE" };
            rows.push((&meta.name, &key.name, kind, schema));
        }
        for check in &meta.checks {
            rows.push((&meta.name, &check.name, "CHECK", schema));
        }
        for key in &meta.foreign_keys {
            rows.push((&meta.name, &key.name, "FOREIGN KEY", schema));
        }
    }
    Ok(RecordBatch::try_from_iter([
        ("constraint_catalog", texts(rows.iter().map(|_| "llkv"))),
        (
            "constraint_schema",
            texts(rows.iter().map(|(_, _, _, schema)| *schema)),
        ),
        (
            "constraint_name",
            texts(rows.iter().map(|(_, name, _, _)| *name)),
        ),
        (
            "table_name",
            texts(rows.iter().map(|(table, _, _, _)| *table)),
        ),
        (
            "constraint_type",
            texts(rows.iter().map(|(_, _, kind, _)| *kind)),
        ),
    ])?)
}

fn views(catalog: &SessionCatalog) -> Result<RecordBatch> {
    let views = catalog.objects().filter_map(|object| match object {
        CatalogObject::View(view) => Some(view),
        _ => None,
    });
    let views: Vec<_> = views.collect();
    Ok(RecordBatch::try_from_iter([
        ("table_catalog", texts(views.iter().map(|_| "llkv"))),
        (
            "table_schema",
            texts(views.iter().map(|v| catalog.schema_of(v.id, v.schema))),
        ),
        ("table_name", texts(views.iter().map(|v| v.name.as_str()))),
        (
            "view_definition",
            texts(views.iter().map(|v| v.sql.as_str())),
        ),
    ])?)
}

/// What is stored of each table; the rows are those of all transactions together.
fn llkv_tables(catalog: &SessionCatalog) -> Result<RecordBatch> {
    let tables = base_tables(catalog);
    let rows = tables.iter().map(|t| catalog.statistics(t.id()).rows);
    let columns = tables.iter().map(|t| t.meta().columns.len() as u64);
    let ids = tables.iter().map(|t| u64::from(t.id().0));
    let numbers = |values: Vec<u64>| -> ArrayRef { Arc::new(UInt64Array::from(values)) };
    Ok(RecordBatch::try_from_iter([
        ("table_id", numbers(ids.collect())),
        (
            "table_name",
            texts(tables.iter().map(|t| t.meta().name.as_str())),
        ),
        ("column_count", numbers(columns.collect())),
        ("estimated_rows", numbers(rows.collect())),
    ])?)
}

/// A row of `llkv_indexes`.
struct IndexRow<'a> {
    table: &'a str,
    index: &'a str,
    unique: bool,
    primary: bool,
    columns: String,
    /// `CREATE INDEX`; NULL for the index of a constraint.
    sql: Option<String>,
}

/// Every index, those of constraints among them.
fn llkv_indexes(catalog: &SessionCatalog) -> Result<RecordBatch> {
    let mut rows: Vec<IndexRow<'_>> = Vec::new();
    for table in base_tables(catalog) {
        let meta = table.meta();
        let name_of = |field: &FieldId| {
            let mut columns = meta.columns.iter();
            let column = columns.find(|column| column.field == *field);
            column.map_or("", |column| column.name.as_str())
        };
        for key in &meta.keys {
            let columns: Vec<&str> = key.fields.iter().map(name_of).collect();
            rows.push(IndexRow {
                table: &meta.name,
                index: &key.name,
                unique: true,
                primary: key.primary,
                columns: columns.join(", "),
                sql: None,
            });
        }
        for index in table.indexes() {
            rows.push(IndexRow {
                table: &meta.name,
                index: &index.name,
                unique: index.unique,
                primary: false,
                columns: index_columns_sql(index, meta),
                sql: Some(index_sql(index, meta, catalog)),
            });
        }
    }
    let flags = |flags: Vec<bool>| -> ArrayRef { Arc::new(BooleanArray::from(flags)) };
    let sql: ArrayRef = Arc::new(
        rows.iter()
            .map(|row| row.sql.as_deref())
            .collect::<StringViewArray>(),
    );
    Ok(RecordBatch::try_from_iter([
        ("table_name", texts(rows.iter().map(|row| row.table))),
        ("index_name", texts(rows.iter().map(|row| row.index))),
        (
            "is_unique",
            flags(rows.iter().map(|row| row.unique).collect()),
        ),
        (
            "is_primary",
            flags(rows.iter().map(|row| row.primary).collect()),
        ),
        (
            "columns",
            texts(rows.iter().map(|row| row.columns.as_str())),
        ),
        ("sql", sql),
    ])?)
}
