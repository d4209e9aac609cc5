//! Triggers where a script cannot see them: prepared statements, typed errors, two connections, memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

use llkv_result::{Error, ExecError, TransactionError};
use llkv_sql::{EngineOptions, Session, SqlDialect, SqlEngine};
use llkv_types::Scalar;
use llkv_types::variant::Variant;

fn engine() -> SqlEngine {
    SqlEngine::in_memory_with(EngineOptions::with_dialect(SqlDialect::Sqlite)).unwrap()
}

fn count(session: &Session, query: &str) -> i64 {
    let batches = session.sql(query).unwrap();
    let mut found = None;
    for batch in batches {
        let batch = batch.unwrap();
        if batch.num_rows() > 0 {
            found = Some(Scalar::from_array(batch.column(0), 0).unwrap());
        }
    }
    match found {
        Some(Scalar::Int64(value)) => value,
        Some(Scalar::Variant(bytes)) => match Variant::decode(&bytes) {
            Some(Variant::Integer(value)) => value,
            other => panic!("{query}: {other:?}"),
        },
        other => panic!("{query}: {other:?}"),
    }
}

#[test]
fn a_prepared_statement_fires_what_was_created_since() {
    let session = engine().session();
    session
        .execute("CREATE TABLE t(a); CREATE TABLE log(a)")
        .unwrap();
    let insert = session.prepare("INSERT INTO t VALUES(?)").unwrap();
    let execute = |value| insert.execute(&[Scalar::Int64(value)]).unwrap();
    execute(1);
    session
        .execute("CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES(NEW.a); END")
        .unwrap();
    execute(2);
    execute(3);
    assert_eq!(count(&session, "SELECT sum(a) FROM log"), 5);
    session.execute("DROP TRIGGER tr").unwrap();
    execute(4);
    assert_eq!(count(&session, "SELECT count(*) FROM log"), 2);
}

#[test]
fn the_depth_of_programs_is_bounded_by_a_typed_error() {
    let session = engine().session();
    session
        .execute(
            "CREATE TABLE t(a); \
             CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO t VALUES(NEW.a + 1); END; \
             PRAGMA recursive_triggers = 1",
        )
        .unwrap();
    let error = session.execute("INSERT INTO t VALUES(1)").unwrap_err();
    assert!(
        matches!(error, Error::Exec(ExecError::TriggerDepth { limit: 1_000 })),
        "{error:?}"
    );
    assert_eq!(error.sqlstate(), "54001");
    assert_eq!(count(&session, "SELECT count(*) FROM t"), 0);
}

#[test]
fn parameters_have_no_place_in_a_program() {
    let session = engine().session();
    session
        .execute(
            "CREATE TABLE t(a); \
             CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO t VALUES(?); END",
        )
        .unwrap();
    let prepared = session.prepare("INSERT INTO t VALUES(?)");
    assert!(prepared.is_err());
}

#[test]
fn of_two_who_create_and_drop_one_loses() {
    let engine = engine();
    let (one, two) = (engine.session(), engine.session());
    one.execute("CREATE TABLE t(a); CREATE VIEW v AS SELECT a FROM t")
        .unwrap();
    for (target, kind, time) in [("t", "TABLE", "AFTER"), ("v", "VIEW", "INSTEAD OF")] {
        let create = format!("CREATE TRIGGER tr {time} INSERT ON {target} BEGIN SELECT 1; END");
        one.execute("BEGIN").unwrap();
        two.execute("BEGIN").unwrap();
        one.execute(&create).unwrap();
        two.execute(&format!("DROP {kind} {target}")).unwrap();
        one.execute("COMMIT").unwrap();
        let error = two.execute("COMMIT").unwrap_err();
        assert!(error.is_retryable(), "{error:?}");

        one.execute("DROP TRIGGER tr").unwrap();
        one.execute("BEGIN").unwrap();
        one.execute(&create).unwrap();
        two.execute("BEGIN").unwrap();
        two.execute(&format!(
            "CREATE TRIGGER tr {time} DELETE ON {target} BEGIN SELECT 1; END"
        ))
        .unwrap();
        two.execute("COMMIT").unwrap();
        let error = one.execute("COMMIT").unwrap_err();
        assert!(
            matches!(error, Error::Transaction(TransactionError::Conflict { .. })),
            "{error:?}"
        );
        two.execute("DROP TRIGGER tr").unwrap();
    }
}

#[test]
fn many_rows_fire_in_bounded_time() {
    let session = engine().session();
    session
        .execute(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE TABLE total(n); \
             INSERT INTO total VALUES(0); \
             CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE total SET n = n + NEW.a; END; \
             INSERT INTO t SELECT value, 2 FROM generate_series(1, 2000) AS s(value)",
        )
        .unwrap();
    assert_eq!(count(&session, "SELECT n FROM total"), 4_000);
}
