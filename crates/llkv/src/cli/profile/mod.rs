//! `llkv profile`: runs a query and draws what its operators did, and when.

mod page;
mod timeline;
mod tree;

use crate::cli::Stop;
use crate::cli::args::ProfileArgs;
use arrow::array::AsArray;
use llkv::{
    Connection, Database, EngineOptions, Error, SqlDialect, StatementResult, split_statements,
};
use page::Profile;
use std::path::Path;

/// Runs the statements, the last of them for its profile, and writes the page.
pub(crate) fn run(arguments: &ProfileArgs) -> Result<(), Stop> {
    let mut connection = open(arguments)?;
    let statements = split_statements(&arguments.sql);
    let mut statements: Vec<&str> = statements.map(|(statement, _)| statement).collect();
    let Some(last) = statements.pop() else {
        return Err(Stop::Error("there is no statement to profile".into()));
    };
    for statement in statements {
        connection.run(statement)?;
    }
    let report = explain_analyze(&mut connection, last)?;
    let Some(operators) = connection.last_statistics() else {
        return Err(Stop::Error("the statement has no plan".into()));
    };
    let profile = Profile {
        sql: last.trim(),
        report: &report,
        operators: &operators,
    };
    let path = arguments.html.display();
    std::fs::write(&arguments.html, profile.to_string())
        .map_err(|error| Stop::Error(format!("cannot write {path}: {error}")))
}

fn open(arguments: &ProfileArgs) -> Result<Connection, Stop> {
    let options = EngineOptions {
        dialect: arguments.dialect.unwrap_or(SqlDialect::Llkv),
        ..EngineOptions::default()
    };
    let path: &Path = &arguments.database;
    let database = if path.as_os_str() == ":memory:" {
        Database::in_memory_with(options)?
    } else if path.exists() {
        Database::open_with(path, options)?
    } else {
        return Err(Stop::Error(format!("there is no file {}", path.display())));
    };
    Ok(database.connect()?)
}

/// What EXPLAIN ANALYZE says: a line about all, then the operators.
fn explain_analyze(connection: &mut Connection, statement: &str) -> Result<String, Stop> {
    let mut report = String::new();
    for result in connection.run(&format!("EXPLAIN ANALYZE {statement}"))? {
        let StatementResult::Select(rows) = result else {
            continue;
        };
        for batch in rows {
            let batch = batch.map_err(Error::from_arrow)?;
            for line in batch.column(0).as_string_view().iter().flatten() {
                report.push_str(line);
                report.push('\n');
            }
        }
    }
    Ok(report)
}
