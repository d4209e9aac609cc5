//! Statements of absurd size and depth end in an answer or a clear error, on the stack of an ordinary thread.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

mod common;

use common::TestCatalog;
use llkv_result::{BindError, Error, Result, StatementResult};
use llkv_sql::{BoundStatement, SqlDialect, SqlEngine, bind};
use std::time::Instant;

/// Binds on a thread of 2 MiB; what comes back was bound and dropped there.
fn bind_small(sql: String) -> Result<()> {
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let run = move || {
        let bound = bind(&sql, SqlDialect::Llkv, &TestCatalog::new())?;
        drop(bound);
        Ok(())
    };
    thread.spawn(run).unwrap().join().unwrap()
}

fn is_too_complex(result: Result<()>) -> bool {
    matches!(result, Err(Error::Bind(BindError::TooComplex { .. })))
}

const N: usize = 100_000;

#[test]
fn nesting() {
    assert!(is_too_complex(bind_small(format!(
        "SELECT {}1{}",
        "(".repeat(N),
        ")".repeat(N)
    ))));
    bind_small(format!("SELECT {}1{}", "(".repeat(500), ")".repeat(500))).unwrap();
    assert!(bind_small(format!("SELECT {} 1", "NOT ".repeat(N))).is_err());
    let queries = format!("SELECT {}1{}", "(SELECT ".repeat(300), ")".repeat(300));
    bind_small(queries).unwrap();
    let cases = format!(
        "SELECT {}1{}",
        "CASE WHEN TRUE THEN ".repeat(N),
        " END".repeat(N)
    );
    assert!(bind_small(cases).is_err());
    let betweens = "(".repeat(60) + "1" + &" BETWEEN 0 AND 1)".repeat(60);
    let result = bind_small(format!("SELECT {betweens}"));
    assert!(result.is_err());
    let symmetric = "(".repeat(60) + "1" + &" BETWEEN SYMMETRIC 0 AND 1)".repeat(60);
    assert!(bind_small(format!("SELECT {symmetric}")).is_err());
    let trims = "trim(LEADING FROM ".repeat(300) + "'a'" + &")".repeat(300);
    bind_small(format!("SELECT {trims}")).unwrap();
    let grouped = "SELECT (".repeat(200) + "SELECT 1" + &") GROUP BY 1".repeat(200);
    bind_small(grouped).unwrap();
}

#[test]
fn chains() {
    bind_small(format!("SELECT 1{}", "+1".repeat(N))).unwrap();
    assert!(is_too_complex(bind_small(format!(
        "SELECT a{} FROM t1",
        "+1".repeat(N)
    ))));
    bind_small(format!(
        "SELECT a FROM t1 WHERE a = 1{}",
        " AND b = 2".repeat(N)
    ))
    .unwrap();
    bind_small(format!(
        "SELECT a FROM t1 WHERE a = 1{}",
        " OR b = 2".repeat(N)
    ))
    .unwrap();
    bind_small(format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(10_000))).unwrap();
    let casts = format!("SELECT 1{}", "::int".repeat(N));
    assert!(is_too_complex(bind_small(casts)));
}

#[test]
fn a_million_elements() {
    let start = Instant::now();
    let list: Vec<String> = (0..1_000_000).map(|i| i.to_string()).collect();
    bind_small(format!("SELECT a FROM t1 WHERE a IN ({})", list.join(","))).unwrap();
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn many_rows_and_columns() {
    let rows: Vec<String> = (0..100_000)
        .map(|i| format!("({i}, -{i}, 'text {i}')"))
        .collect();
    bind_small(format!("SELECT * FROM (VALUES {}) v", rows.join(","))).unwrap();
    let columns: Vec<String> = (0..2_000).map(|i| format!("a + {i} AS c{i}")).collect();
    bind_small(format!(
        "SELECT {} FROM t1 ORDER BY c1999",
        columns.join(",")
    ))
    .unwrap();
    let columns: Vec<String> = (0..2_000)
        .map(|i| format!("c{i} INTEGER NOT NULL"))
        .collect();
    let bound = bind(
        &format!("CREATE TABLE wide ({})", columns.join(",")),
        SqlDialect::Llkv,
        &TestCatalog::new(),
    );
    assert!(matches!(bound, Ok(BoundStatement::Plan(_))));
}

/// Runs scripts on a thread of 2 MiB, on a database of its own; gives the rows of the last query as text.
fn run_small(scripts: Vec<String>) -> Result<String> {
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let run = move || {
        let session = SqlEngine::in_memory()?.session();
        let mut last = String::new();
        for script in scripts {
            for result in session.execute(&script)? {
                if let StatementResult::Select(stream) = result {
                    last.clear();
                    for batch in stream {
                        let batch = batch.map_err(Error::from_arrow)?;
                        let text = arrow::util::pretty::pretty_format_batches(&[batch]);
                        last += &text.map_err(Error::from_arrow)?.to_string();
                    }
                }
            }
        }
        Ok(last)
    };
    thread.spawn(run).unwrap().join().unwrap()
}

#[test]
fn a_million_elements_are_answered() {
    let start = Instant::now();
    let list: Vec<String> = (0..1_000_000).map(|i| (i * 3).to_string()).collect();
    let counted = run_small(vec![
        "CREATE TABLE t AS SELECT i FROM range(30000) r (i)".into(),
        format!(
            "SELECT count(*) AS n FROM t WHERE i IN ({})",
            list.join(",")
        ),
    ])
    .unwrap();
    assert!(counted.contains("10000"), "{counted}");
    // Some two seconds on an idle machine.
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn deep_and_long_statements_are_answered() {
    let sum = run_small(vec![format!("SELECT 1{} AS s", "+1".repeat(N))]).unwrap();
    assert!(sum.contains("100001"), "{sum}");
    assert!(is_too_complex(
        run_small(vec![format!("SELECT {}1{}", "(".repeat(N), ")".repeat(N))]).map(drop)
    ));
    let any = format!("SELECT 1 AS s WHERE 1 = 0{}", " OR 1 = 1".repeat(N));
    assert!(run_small(vec![any]).unwrap().contains('1'));
    let all = format!("SELECT 1{} ORDER BY 1", " UNION SELECT 1".repeat(2_000));
    assert!(run_small(vec![all]).unwrap().contains('1'));
}

#[test]
fn two_thousand_columns_are_stored_and_read() {
    let columns: Vec<String> = (0..2_000).map(|i| format!("c{i} INTEGER")).collect();
    let values: Vec<String> = (0..2_000).map(|i| i.to_string()).collect();
    let sums: Vec<String> = (0..2_000).map(|i| format!("sum(c{i}) AS s{i}")).collect();
    let read = run_small(vec![
        format!("CREATE TABLE wide ({})", columns.join(", ")),
        format!(
            "INSERT INTO wide VALUES ({values}), ({values})",
            values = values.join(", ")
        ),
        "UPDATE wide SET c7 = c1999 + 1".into(),
        format!("CREATE TABLE sums AS SELECT {} FROM wide", sums.join(", ")),
        "SELECT s7, s1999 FROM sums".into(),
    ])
    .unwrap();
    assert!(read.contains("| 4000 | 3998  |"), "{read}");
}
