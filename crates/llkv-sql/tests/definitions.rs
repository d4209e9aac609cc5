//! Definitions change while other threads write: a statement runs on the tables that it was bound to, or is bound again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs
)]

#[allow(dead_code)]
mod simulated;

use llkv_sql::SqlEngine;
use llkv_types::Scalar;
use simulated::{Value, check_integrity, query, run};
use std::sync::atomic::{AtomicBool, Ordering};

/// How often columns change places.
const ALTERATIONS: u32 = 2_000;

/// Writers name their columns while these change places: no value may land in another one's column.
fn columns_change_places(
    insert: impl Fn(&llkv_sql::Session, i64) -> llkv_result::Result<()> + Sync,
) {
    let engine = SqlEngine::in_memory().unwrap();
    let session = engine.session();
    run(
        &session,
        "CREATE TABLE t (id BIGINT PRIMARY KEY, x BIGINT, y BIGINT)",
    )
    .unwrap();
    let is_done = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let (engine, is_done, insert) = (&engine, &is_done, &insert);
        let writers = (0..2).map(|writer| {
            scope.spawn(move || {
                let session = engine.session();
                let mut written = 0;
                let mut number = writer * 1_000_000;
                while !is_done.load(Ordering::Relaxed) {
                    number += 1;
                    match insert(&session, number) {
                        Ok(()) => written += 1,
                        Err(error) => assert!(error.is_retryable(), "{error}"),
                    }
                }
                written
            })
        });
        let writers: Vec<_> = writers.collect();
        let alter = "ALTER TABLE t DROP COLUMN x; ALTER TABLE t ADD COLUMN x BIGINT;";
        for _ in 0..ALTERATIONS {
            // A writer that committed meanwhile is in the way.
            if run(&session, &format!("BEGIN; {alter} COMMIT")).is_err() && session.in_transaction()
            {
                run(&session, "ROLLBACK").unwrap();
            }
        }
        is_done.store(true, Ordering::Relaxed);
        let written: i128 = writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum();
        written
    });
    let sql = "SELECT count(*), count(CASE WHEN y <> 3 * id OR y IS NULL OR x <> 2 * id THEN 1 END) FROM t";
    let rows = query(&session, sql).unwrap();
    assert!(written > 0);
    assert_eq!(rows, [[Value::Int(written), Value::Int(0)]]);
    check_integrity(&engine, "at the end");
}

#[test]
fn a_statement_is_bound_to_the_tables_that_it_runs_on() {
    columns_change_places(|session, n| {
        let values = format!("({n}, {}, {})", 2 * n, 3 * n);
        run(
            session,
            &format!("INSERT INTO t (id, x, y) VALUES {values}"),
        )
        .map(drop)
    });
}

#[test]
fn a_prepared_statement_is_bound_to_the_tables_that_it_runs_on() {
    columns_change_places(|session, n| {
        // Prepared each time: a session's statements may be prepared at any moment.
        let insert = session.prepare("INSERT INTO t (id, x, y) VALUES (?, ?, ?)")?;
        let values = [n, 2 * n, 3 * n].map(Scalar::Int64);
        insert.execute(&values).map(drop)
    });
}

/// Readers name their columns, too.
#[test]
fn readers_see_the_columns_that_they_name() {
    let engine = SqlEngine::in_memory().unwrap();
    let session = engine.session();
    run(
        &session,
        "CREATE TABLE t (id BIGINT, x BIGINT, y BIGINT DEFAULT 5); INSERT INTO t VALUES (1, 2, 5)",
    )
    .unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (engine, is_done) = (&engine, &is_done);
        let reader = scope.spawn(move || {
            let session = engine.session();
            let mut reads = 0;
            while !is_done.load(Ordering::Relaxed) {
                let rows = query(&session, "SELECT id, y FROM t").unwrap();
                assert_eq!(rows, [[Value::Int(1), Value::Int(5)]]);
                reads += 1;
            }
            reads
        });
        for _ in 0..ALTERATIONS {
            let again = "ALTER TABLE t DROP COLUMN y; ALTER TABLE t ADD COLUMN y BIGINT DEFAULT 5";
            run(&session, &format!("BEGIN; {again}; COMMIT")).unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}
