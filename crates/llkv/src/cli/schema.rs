//! `.tables`, `.indexes` and `.schema`, from the system's views.

use crate::cli::Stop;
use crate::cli::output::write_out;
use crate::cli::shell::Shell;
use llkv::Result;

/// The values of a query of one text column.
fn texts(shell: &mut Shell, sql: &str) -> Result<Vec<Option<String>>> {
    let rows = shell.connection.rows(sql)?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Names of tables and views, a line each.
pub(crate) fn tables(shell: &mut Shell) -> Result<(), Stop> {
    let sql = "SELECT name FROM llkv_schema WHERE type IN ('table', 'view') ORDER BY name";
    names(shell, sql)
}

/// Names of indexes, of one table or of all, those of constraints among them.
pub(crate) fn indexes(shell: &mut Shell, table: Option<&str>) -> Result<(), Stop> {
    let only = table
        .map(|t| {
            format!(
                "WHERE lower(table_name) = lower('{}')",
                t.replace('\'', "''")
            )
        })
        .unwrap_or_default();
    let sql = format!("SELECT index_name FROM llkv_indexes {only} ORDER BY index_name");
    names(shell, &sql)
}

fn names(shell: &mut Shell, sql: &str) -> Result<(), Stop> {
    for name in texts(shell, sql)?.into_iter().flatten() {
        write_out(&format!("{name}\n"))?;
    }
    Ok(())
}

/// `CREATE` statements of one table or of all.
pub(crate) fn show(shell: &mut Shell, table: Option<&str>) -> Result<(), Stop> {
    let only = table
        .map(|t| format!("WHERE lower(tbl_name) = lower('{}')", t.replace('\'', "''")))
        .unwrap_or_default();
    let order = "CASE WHEN type = 'schema' THEN 0 WHEN type = 'sequence' THEN 1 \
        WHEN type IN ('table', 'view') THEN 2 ELSE 3 END";
    let sql = format!("SELECT sql FROM llkv_schema {only} ORDER BY {order}, tbl_name, type, name");
    let definitions = texts(shell, &sql)?;
    if let (Some(name), true) = (table, definitions.is_empty()) {
        return Err(Stop::Error(format!("no table or view is called {name}")));
    }
    for definition in definitions.into_iter().flatten() {
        write_out(&format!("{definition};\n"))?;
    }
    Ok(())
}
