//! `llkv dump`: a database as the SQL script that makes it again.

use crate::cli::Stop;
use arrow::array::{Array, RecordBatch};
use llkv::compute::{has_name, quoted_name};
use llkv::types::DatabaseNumber;
use llkv::types::variant::Variant;
use llkv::{Connection, Error, Result, Scalar, SqlDialect};
use std::io::{BufWriter, Write};

/// Rows of one INSERT.
const ROWS: usize = 100;

/// One object of the catalog.
struct Object {
    kind: String,
    name: String,
    sql: String,
    dialect: String,
    schema: String,
}

/// Writes the script to `out`: tables and their rows, then identities, indexes, foreign keys, views and triggers in the order in
/// which they were made, views behind those that they read. What it shows is one moment, also where others write meanwhile.
pub(crate) fn run(connection: &mut Connection, out: impl Write) -> Result<(), Stop> {
    let mut out = BufWriter::new(out);
    // Views that cannot be read end nothing.
    connection.execute("SET on_statement_error = 'undo'")?;
    connection.execute("BEGIN READ ONLY")?;
    let objects = objects(connection)?;
    let mut dialect = SqlDialect::Llkv.name().to_owned();
    writeln!(out, "SET dialect = '{dialect}';\nBEGIN;")?;
    for kind in [
        "schema",
        "sequence",
        "table",
        "identity",
        "index",
        "foreign key",
        "view",
        "trigger",
    ] {
        let of_kind = objects.iter().filter(|object| object.kind == kind);
        let mut of_kind: Vec<&Object> = of_kind.collect();
        if kind == "view" {
            of_kind = by_need(of_kind);
        }
        // Rows may have come while they were not enforced; those that came otherwise need no second look.
        let unenforced = kind == "foreign key" && !of_kind.is_empty();
        if unenforced {
            writeln!(out, "SET foreign_keys = off;")?;
        }
        for object in of_kind {
            if object.dialect != dialect {
                dialect.clone_from(&object.dialect);
                writeln!(out, "SET dialect = '{dialect}';")?;
            }
            if kind == "view"
                && let Err(error) = reads(connection, object)
            {
                // In some dialects a table goes and leaves its views behind.
                let told = format!("{error}\n{};", object.sql);
                writeln!(out, "-- {}", told.replace('\n', "\n-- "))?;
                continue;
            }
            writeln!(out, "{};", object.sql)?;
            if object.kind == "table" {
                rows(connection, object, &mut out)?;
            }
        }
        if unenforced {
            writeln!(out, "SET foreign_keys = on;")?;
        }
    }
    if dialect != SqlDialect::Llkv.name() {
        writeln!(out, "SET dialect = '{}';", SqlDialect::Llkv.name())?;
    }
    sequence_values(connection, &mut out)?;
    numbers(connection, &mut out)?;
    writeln!(out, "COMMIT;")?;
    out.flush()?;
    connection.execute("ROLLBACK")?;
    Ok(())
}

/// An error for a view that cannot be read.
fn reads(connection: &mut Connection, view: &Object) -> Result<()> {
    let name = qualified(&view.schema, &view.name);
    let rows = connection.query(&format!("SELECT * FROM {name} LIMIT 0"))?;
    rows.into_iter()
        .try_for_each(|batch| batch.map(drop).map_err(Error::from_arrow))
}

/// Views behind those whose names they have in their texts.
fn by_need(mut waiting: Vec<&Object>) -> Vec<&Object> {
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let needs = |view: &Object, other: &Object| {
            !std::ptr::eq(view, other) && has_name(&view.sql, &other.name)
        };
        let is_ready = |view: &&Object| !waiting.iter().any(|other| needs(view, other));
        // A name may be that of something else, so some may seem to need each other.
        let at = waiting.iter().position(is_ready).unwrap_or(0);
        ordered.push(waiting.remove(at));
    }
    ordered
}

/// Where sequences stand that have given a number.
fn sequence_values(connection: &mut Connection, out: &mut impl Write) -> Result<(), Stop> {
    let sql = "SELECT sequence_schema, sequence_name, next_value,
                 CASE WHEN increment > 0 THEN maximum_value ELSE minimum_value END AS bound
               FROM information_schema.sequences WHERE next_value IS DISTINCT FROM start_value";
    for row in connection.rows(sql)? {
        let (schema, name): (String, String) = (row.get(0)?, row.get(1)?);
        let name = quoted(&qualified(&schema, &name));
        match row.get::<Option<i64>>(2)? {
            Some(next) => writeln!(out, "SELECT setval({name}, {next}, false);")?,
            // It is used up.
            None => writeln!(out, "SELECT setval({name}, {});", row.get::<i64>(3)?)?,
        }
    }
    Ok(())
}

fn qualified(schema: &str, name: &str) -> String {
    match schema {
        "main" => quoted_name(name),
        schema => format!("{}.{}", quoted_name(schema), quoted_name(name)),
    }
}

/// The numbers of the file that are not what they are in a new one.
fn numbers(connection: &mut Connection, out: &mut impl Write) -> Result<(), Stop> {
    for number in DatabaseNumber::ALL.map(DatabaseNumber::name) {
        let rows = connection.rows(&format!("PRAGMA {number}"))?;
        let value: i64 = rows.first().map_or(Ok(0), |row| row.get(number))?;
        if value != 0 {
            writeln!(out, "PRAGMA {number} = {value};")?;
        }
    }
    Ok(())
}

fn objects(connection: &mut Connection) -> Result<Vec<Object>> {
    let sql = "SELECT type, name, sql, dialect, schema_name FROM llkv_schema ORDER BY object_id";
    let rows = connection.rows(sql)?;
    let objects = rows.iter().map(|row| {
        Ok(Object {
            kind: row.get("type")?,
            name: row.get("name")?,
            sql: row.get("sql")?,
            dialect: row.get("dialect")?,
            schema: row.get("schema_name")?,
        })
    });
    objects.collect()
}

fn rows(connection: &mut Connection, table: &Object, out: &mut impl Write) -> Result<(), Stop> {
    let name = qualified(&table.schema, &table.name);
    // Columns that compute their values take none.
    let sql = format!(
        "SELECT column_name, is_generated FROM information_schema.columns
         WHERE table_schema = {} AND table_name = {} ORDER BY ordinal_position",
        quoted(&table.schema),
        quoted(&table.name)
    );
    let (mut columns, mut computed) = (Vec::new(), false);
    for row in connection.rows(&sql)? {
        match row.get::<String>("is_generated")?.as_str() {
            "ALWAYS" => computed = true,
            _ => columns.push(quoted_name(&row.get::<String>("column_name")?)),
        }
    }
    if columns.is_empty() {
        let counted = connection.rows(&format!("SELECT count(*) FROM {name}"))?;
        let count: i64 = counted.first().map_or(Ok(0), |row| row.get(0))?;
        for _ in 0..count {
            writeln!(out, "INSERT INTO {name} DEFAULT VALUES;")?;
        }
        return Ok(());
    }
    let columns = columns.join(", ");
    let (shown, list) = match computed {
        true => (columns.clone(), format!(" ({columns})")),
        false => ("*".to_owned(), String::new()),
    };
    for batch in connection.query(&format!("SELECT {shown} FROM {name}"))? {
        let batch = batch.map_err(Error::from_arrow)?;
        for start in (0..batch.num_rows()).step_by(ROWS) {
            writeln!(out, "INSERT INTO {name}{list} VALUES")?;
            let end = (start + ROWS).min(batch.num_rows());
            for row in start..end {
                let values = values(&batch, row)?;
                let end = if row + 1 == end { ";" } else { "," };
                writeln!(out, "({values}){end}")?;
            }
        }
    }
    Ok(())
}

fn values(batch: &RecordBatch, row: usize) -> Result<String> {
    let mut text = String::new();
    for (at, column) in batch.columns().iter().enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        if column.is_null(row) {
            text.push_str("NULL");
        } else {
            text.push_str(&literal(&Scalar::from_array(column.as_ref(), row)?));
        }
    }
    Ok(text)
}

/// A value as SQL text that gives it again.
fn literal(value: &Scalar) -> String {
    match value {
        Scalar::Text(text) => quoted(text),
        Scalar::Blob(bytes) => hexadecimal(bytes),
        // `-0.0` is a DECIMAL, which has no negative zero.
        Scalar::Float32(float) if !float.is_finite() || is_negative_zero(f64::from(*float)) => {
            quoted(&value.to_string())
        }
        Scalar::Float64(float) if !float.is_finite() || is_negative_zero(*float) => {
            quoted(&value.to_string())
        }
        Scalar::Date(_)
        | Scalar::Time(_)
        | Scalar::Timestamp(_)
        | Scalar::TimestampTz(_)
        | Scalar::Interval(_) => quoted(&value.to_string()),
        Scalar::Variant(bytes) => match Variant::decode(bytes) {
            Some(Variant::Text(text)) => quoted(text),
            Some(Variant::Blob(bytes)) => hexadecimal(bytes),
            // As a number it would overflow before it is negated.
            Some(Variant::Integer(i64::MIN)) => "(-9223372036854775807 - 1)".to_owned(),
            Some(Variant::Real(real)) if real.is_infinite() => {
                let sign = if real < 0.0 { "-" } else { "" };
                format!("{sign}9e999")
            }
            _ => value.to_string(),
        },
        _ => value.to_string(),
    }
}

fn is_negative_zero(value: f64) -> bool {
    value == 0.0 && value.is_sign_negative()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("x'{digits}'")
}
