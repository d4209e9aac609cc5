//! `.tables`, `.indexes` and `.schema`, from the system's views.

use crate::cli::Stop;
use crate::cli::output::write_out;
use crate::cli::shell::Shell;
use arrow::array::{Array, AsArray};
use llkv::{Error, Result};

/// Rows of a query whose columns are all text.
fn text_rows(shell: &mut Shell, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
    let mut rows = Vec::new();
    for batch in shell.connection.query(sql)? {
        let batch = batch.map_err(Error::from_arrow)?;
        for row in 0..batch.num_rows() {
            let cell = |column: &dyn Array| {
                column
                    .is_valid(row)
                    .then(|| column.as_string_view().value(row).to_string())
            };
            rows.push(batch.columns().iter().map(|c| cell(c.as_ref())).collect());
        }
    }
    Ok(rows)
}

/// Names of tables and views, a line each.
pub(crate) fn tables(shell: &mut Shell) -> Result<(), Stop> {
    let sql = "SELECT name FROM llkv_schema WHERE type <> 'index' ORDER BY name";
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
    for row in text_rows(shell, sql)? {
        write_out(&format!(
            "{}\n",
            row.into_iter().flatten().collect::<String>()
        ))?;
    }
    Ok(())
}

/// `CREATE` statements of one table or of all.
pub(crate) fn show(shell: &mut Shell, table: Option<&str>) -> Result<(), Stop> {
    let only = table
        .map(|t| format!("WHERE lower(tbl_name) = lower('{}')", t.replace('\'', "''")))
        .unwrap_or_default();
    let sql = format!("SELECT sql FROM llkv_schema {only} ORDER BY type = 'index', tbl_name, name");
    let rows = text_rows(shell, &sql)?;
    if let (Some(name), true) = (table, rows.is_empty()) {
        return Err(Stop::Error(format!("no table or view is called {name}")));
    }
    for row in rows {
        write_out(&format!(
            "{};\n",
            row.into_iter().flatten().collect::<String>()
        ))?;
    }
    Ok(())
}
