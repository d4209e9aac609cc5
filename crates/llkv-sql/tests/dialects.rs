//! Every row of `docs/dialects.md`, run in each dialect.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

use llkv_result::{Error, StatementResult};
use llkv_sql::{EngineOptions, SqlDialect, SqlEngine};
use llkv_types::Scalar;

fn answer(sql: &str, dialect: SqlDialect) -> Result<String, Error> {
    let engine = SqlEngine::in_memory_with(EngineOptions::with_dialect(dialect))?;
    let mut values = Vec::new();
    for result in engine.execute(sql)? {
        if let StatementResult::Select(stream) = result {
            for batch in stream {
                let batch = batch.map_err(Error::from_arrow)?;
                for row in 0..batch.num_rows() {
                    for column in batch.columns() {
                        values.push(Scalar::from_array(column, row)?.to_string());
                    }
                }
            }
        }
    }
    Ok(values.join(", "))
}

#[test]
fn the_table_of_differences_is_true() {
    let text = include_str!("../docs/dialects.md");
    let mut rows = 0;
    let mut wrong = Vec::new();
    let is_row = |line: &&str| ["| `SELECT", "| `WITH"].iter().any(|s| line.starts_with(s));
    for line in text.lines().filter(is_row) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{line}");
        let sql = cells[0].trim_matches('`');
        for (dialect, expected) in SqlDialect::ALL.into_iter().zip(&cells[1..]) {
            let got = answer(sql, dialect);
            let same = match (&got, *expected) {
                (Err(_), "error") => true,
                (Ok(value), expected) => value == expected,
                _ => false,
            };
            if !same {
                wrong.push(format!(
                    "{dialect}: {sql}: expected {expected}, got {got:?}"
                ));
            }
        }
        rows += 1;
    }
    assert!(rows > 15);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
