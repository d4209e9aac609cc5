//! Definitions of tables, indexes and views as SQL text that creates them again.

use crate::SessionCatalog;
use llkv_compute::{has_name, quoted_name};
use llkv_plan::SequenceDefinition;
use llkv_table::{
    CatalogObject, ColMeta, ForeignKeyMeta, Generated, IndexColumnMeta, IndexMeta, MAIN_SCHEMA,
    ReferentialAction, SequenceMeta, Table, TableMeta,
};
use llkv_types::{Collation, FieldId, SqlType, TableId};

/// The CREATE statement of a catalog object, without a semicolon.
pub(crate) fn definition_sql(object: &CatalogObject, catalog: &SessionCatalog) -> String {
    match object {
        CatalogObject::Index(index) => match catalog.table_by_id(index.table) {
            Some(table) => index_sql(index, table.meta(), catalog),
            None => String::new(),
        },
        CatalogObject::Table(table) => table_sql(table, catalog),
        CatalogObject::Schema(schema) => format!("CREATE SCHEMA {}", quoted_name(&schema.name)),
        CatalogObject::Sequence(sequence) => sequence_sql(sequence.meta(), catalog),
        CatalogObject::Trigger(trigger) => trigger.sql.clone(),
        CatalogObject::View(view) => {
            let columns: Vec<String> = view.columns.iter().map(|c| quoted_name(c)).collect();
            let columns = match columns.as_slice() {
                [] => String::new(),
                some => format!(" ({})", some.join(", ")),
            };
            format!(
                "CREATE VIEW {}{columns} AS {}",
                qualified(catalog, view.schema, &view.name),
                view.sql
            )
        }
    }
}

/// The columns of an index as a statement names them.
pub(crate) fn index_columns_sql(index: &IndexMeta, table: &TableMeta) -> String {
    let column = |of_index: &IndexColumnMeta| {
        let mut columns = table.columns.iter();
        let column = columns.find(|column| column.field == of_index.field)?;
        let order = if of_index.descending { " DESC" } else { "" };
        let nulls = match of_index.nulls_first {
            Some(true) => " NULLS FIRST",
            Some(false) => " NULLS LAST",
            None => "",
        };
        let collate = collate_unless_default(table, column, of_index.collation);
        Some(format!(
            "{}{collate}{order}{nulls}",
            quoted_name(&column.name)
        ))
    };
    let columns: Vec<String> = index.columns.iter().filter_map(column).collect();
    columns.join(", ")
}

fn collate(collation: Collation) -> String {
    format!(" COLLATE {}", collation.name())
}

/// The collation of a key's column, where it is not the one that the column's definition brings.
fn collate_unless_default(table: &TableMeta, column: &ColMeta, collation: Collation) -> String {
    let is_text = matches!(column.ty, SqlType::Text | SqlType::Variant);
    let default = match is_text && table.dialect != "duckdb" {
        true => column.collation,
        false => Collation::Binary,
    };
    match collation == default {
        true => String::new(),
        false => collate(collation),
    }
}

/// The CREATE INDEX statement of an index.
pub(crate) fn index_sql(index: &IndexMeta, table: &TableMeta, catalog: &SessionCatalog) -> String {
    format!(
        "CREATE {}INDEX {} ON {} ({})",
        if index.unique { "UNIQUE " } else { "" },
        quoted_name(&index.name),
        qualified(catalog, table.schema, &table.name),
        index_columns_sql(index, table)
    )
}

fn sequence_sql(sequence: &SequenceMeta, catalog: &SessionCatalog) -> String {
    let name = qualified(catalog, sequence.schema, &sequence.name);
    format!("CREATE SEQUENCE {name} {}", sequence_options(sequence))
}

fn sequence_options(sequence: &SequenceMeta) -> String {
    format!(
        "INCREMENT BY {} MINVALUE {} MAXVALUE {} START WITH {}{}",
        sequence.increment,
        sequence.min,
        sequence.max,
        sequence.start,
        if sequence.cycle { " CYCLE" } else { "" },
    )
}

/// A sequence that comes with its column.
pub(crate) enum Numbering {
    /// With the identity that the column gets.
    Identity,
    /// With the column's type, this one.
    Serial(&'static str),
}

/// How a sequence comes with the column that it numbers, by the same name; none where it has to be made by itself.
pub(crate) fn numbering<'t>(
    sequence: &SequenceMeta,
    table: &'t TableMeta,
) -> Option<(&'t ColMeta, Numbering)> {
    let (_, field) = sequence.owner.filter(|(owner, _)| *owner == table.id)?;
    let column = table.columns.iter().find(|column| column.field == field)?;
    let made = SequenceDefinition::name_of(&table.name, &column.name);
    if sequence.name != made || sequence.schema != table.schema {
        return None;
    }
    if matches!(column.generated, Some(Generated::Identity { .. })) {
        return Some((column, Numbering::Identity));
    }
    let (ty, max) = match column.ty {
        SqlType::Int16 => ("SMALLSERIAL", i64::from(i16::MAX)),
        SqlType::Int32 => ("SERIAL", i64::from(i32::MAX)),
        SqlType::Int64 => ("BIGSERIAL", i64::MAX),
        _ => return None,
    };
    let default = column.default_sql.as_deref()?;
    let is_its = default.starts_with("nextval(") && has_name(default, &made);
    let options = (
        sequence.start,
        sequence.min,
        sequence.max,
        sequence.increment,
    );
    let is_usual = options == (1, 1, max, 1) && !sequence.cycle && table.dialect != "sqlite";
    (is_its && is_usual && !column.nullable).then_some((column, Numbering::Serial(ty)))
}

/// The statement that gives a column its identity: it can run when the rows are there.
pub(crate) fn identity_sql(
    sequence: &SequenceMeta,
    (table, column): (&TableMeta, &ColMeta),
    catalog: &SessionCatalog,
) -> String {
    let kind = match column.generated {
        Some(Generated::Identity { always: true }) => "ALWAYS",
        _ => "BY DEFAULT",
    };
    format!(
        "ALTER TABLE {} ALTER COLUMN {} ADD GENERATED {kind} AS IDENTITY ({})",
        qualified(catalog, table.schema, &table.name),
        quoted_name(&column.name),
        sequence_options(sequence),
    )
}

/// The name of an object with that of its schema, where that is not the one that is always there.
fn qualified(catalog: &SessionCatalog, schema: TableId, name: &str) -> String {
    match schema {
        MAIN_SCHEMA => quoted_name(name),
        schema => format!(
            "{}.{}",
            quoted_name(catalog.schema_name(schema)),
            quoted_name(name)
        ),
    }
}

/// Without identities and foreign keys, which it gets once its rows are there.
fn table_sql(table: &Table, catalog: &SessionCatalog) -> String {
    let sequences = catalog.state().sequences_of(table);
    let table = table.meta();
    let numbering_of = |column: &ColMeta| {
        let numbered = sequences.iter();
        let mut numbered = numbered.filter_map(|sequence| numbering(sequence.meta(), table));
        let found = numbered.find(|(known, _)| known.field == column.field);
        found.map(|(_, numbering)| numbering)
    };
    let mut parts: Vec<String> = Vec::new();
    for column in &table.columns {
        let mut part = quoted_name(&column.name);
        let numbering = numbering_of(column);
        if let Some(Numbering::Serial(ty)) = numbering {
            parts.push(format!("{part} {ty}"));
            continue;
        }
        // A column of values of their own types is one without a type.
        if let Some(declared) = &column.declared {
            part.push_str(&format!(" {declared}"));
        } else if column.ty != SqlType::Variant {
            part.push_str(&format!(" {}", column.ty));
        }
        if !column.collation.is_binary() {
            part.push_str(&collate(column.collation));
        }
        if !column.nullable {
            part.push_str(" NOT NULL");
        }
        if let Some(default) = &column.default_sql
            && numbering.is_none()
        {
            part.push_str(" DEFAULT ");
            part.push_str(default);
        }
        if let Some(Generated::Expression(sql)) = &column.generated {
            part.push_str(&format!(" GENERATED ALWAYS AS ({sql}) STORED"));
        }
        parts.push(part);
    }
    for key in &table.keys {
        let names = key.fields.iter().enumerate().filter_map(|(at, field)| {
            let column = table.columns.iter().find(|column| column.field == *field)?;
            let collation = key.collations.get(at).copied().unwrap_or_default();
            let collate = collate_unless_default(table, column, collation);
            Some(format!("{}{collate}", quoted_name(&column.name)))
        });
        let names: Vec<String> = names.collect();
        let kind = if key.primary { "PRIMARY KEY" } else { "UNIQUE" };
        let given = given_name(table, &key.name);
        parts.push(format!("{given}{kind} ({})", names.join(", ")));
    }
    parts.extend(table.checks.iter().map(|check| {
        let given = given_name(table, &check.name);
        format!("{given}CHECK ({})", check.sql)
    }));
    format!(
        "CREATE TABLE {} ({})",
        qualified(catalog, table.schema, &table.name),
        parts.join(", ")
    )
}

/// The beginning of a constraint with a name that was given; nothing for one that reading the definition makes again: those of the
/// table and its columns, and a number.
fn given_name(table: &TableMeta, name: &str) -> String {
    let made = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let rest = made.strip_prefix(table.name.as_str());
    let rest = ["_pkey", "_key", "_check"]
        .iter()
        .find_map(|end| rest?.strip_suffix(end));
    let is_column = |words: &str| table.columns.iter().any(|column| column.name == words);
    let of_columns = |words: &str| {
        let mut keys = table.keys.iter().map(|key| {
            let columns = key.fields.iter().filter_map(|field| {
                let mut columns = table.columns.iter();
                columns.find(|column| column.field == *field)
            });
            let names: Vec<&str> = columns.map(|column| column.name.as_str()).collect();
            names.join("_")
        });
        is_column(words) || keys.any(|key| key == words)
    };
    match rest {
        Some("") => String::new(),
        Some(words) if words.strip_prefix('_').is_some_and(of_columns) => String::new(),
        _ => format!("CONSTRAINT {} ", quoted_name(name)),
    }
}

/// The statement that gives a table a foreign key: it can run when all tables are there.
pub(crate) fn foreign_key_sql(
    table: &TableMeta,
    key: &ForeignKeyMeta,
    catalog: &SessionCatalog,
) -> String {
    let names = |meta: &TableMeta, fields: &[FieldId]| {
        let by_field = |field: &FieldId| meta.columns.iter().find(|c| c.field == *field);
        let names = fields.iter().filter_map(by_field);
        let names: Vec<String> = names.map(|column| quoted_name(&column.name)).collect();
        names.join(", ")
    };
    let action = |words: &str, action: ReferentialAction| match action {
        ReferentialAction::NoAction => String::new(),
        ReferentialAction::Restrict => format!(" {words} RESTRICT"),
        ReferentialAction::Cascade => format!(" {words} CASCADE"),
        ReferentialAction::SetNull => format!(" {words} SET NULL"),
        ReferentialAction::SetDefault => format!(" {words} SET DEFAULT"),
    };
    let parent = catalog.table_by_id(key.parent);
    let (parent, referred) = match parent.map(|parent| parent.meta()) {
        Some(parent) => (
            qualified(catalog, parent.schema, &parent.name),
            names(parent, &key.parent_fields),
        ),
        None => return String::new(),
    };
    let timing = match (key.deferrable, key.initially_deferred) {
        (_, true) => " DEFERRABLE INITIALLY DEFERRED",
        (true, false) => " DEFERRABLE",
        (false, false) => "",
    };
    format!(
        "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {parent} ({referred}){}{}{timing}",
        qualified(catalog, table.schema, &table.name),
        quoted_name(&key.name),
        names(table, &key.fields),
        action("ON DELETE", key.on_delete),
        action("ON UPDATE", key.on_update),
    )
}
