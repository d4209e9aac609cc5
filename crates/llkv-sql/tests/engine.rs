//! SQL through all floors: text in, Arrow out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

use arrow::array::RecordBatch;
use llkv_result::{BindError, Error, StatementResult};
use llkv_sql::{EngineOptions, Session, SqlDialect, SqlEngine};
use llkv_types::Scalar;

fn rows(result: StatementResult) -> Result<String, Error> {
    let StatementResult::Select(stream) = result else {
        return Ok(format!("{result:?}"));
    };
    let mut lines = Vec::new();
    for batch in stream {
        let batch: RecordBatch = batch.map_err(Error::from_arrow)?;
        for row in 0..batch.num_rows() {
            let values: Result<Vec<String>, Error> = batch
                .columns()
                .iter()
                .map(|c| Scalar::from_array(c, row).map(|s| s.to_string()))
                .collect();
            lines.push(values?.join("|"));
        }
    }
    Ok(lines.join("\n"))
}

fn run(session: &Session, sql: &str) -> Result<String, Error> {
    let mut last = String::new();
    for result in session.execute(sql)? {
        last = rows(result)?;
    }
    Ok(last)
}

fn check(session: &Session, cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (sql, expected) in cases {
        let got = run(session, sql).unwrap_or_else(|e| format!("error: {e}"));
        if got != *expected {
            wrong.push(format!(
                "{sql}\n  expected {expected:?}\n  got      {got:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn session(dialect: SqlDialect) -> Session {
    SqlEngine::in_memory_with(EngineOptions::with_dialect(dialect))
        .unwrap()
        .session()
}

#[test]
fn queries() {
    let s = session(SqlDialect::Llkv);
    run(
        &s,
        "CREATE TABLE t (a INTEGER, b TEXT, c DECIMAL(8,2), d DATE);
             INSERT INTO t VALUES (1, 'one', 1.50, '2020-01-31'), (2, 'two', 2.25, '2020-02-29'),
                                  (3, NULL, NULL, NULL)",
    )
    .unwrap();
    check(
        &s,
        &[
            (
                "SELECT 1 + 1, 'x' || 'y', 7 / 2, 7.0 / 2",
                "2|xy|3|3.5000000000000000",
            ),
            ("SELECT a FROM t ORDER BY a DESC", "3\n2\n1"),
            ("SELECT b FROM t ORDER BY b", "one\ntwo\nNULL"),
            (
                "SELECT count(*), count(b), sum(a), min(c), max(d) FROM t",
                "3|2|6|1.50|2020-02-29",
            ),
            ("SELECT a FROM t WHERE d >= '2020-02-01'", "2"),
            (
                "SELECT a FROM t WHERE a IN (1, 3, 5, 7, 9) ORDER BY 1",
                "1\n3",
            ),
            (
                "SELECT a % 2 AS k, sum(a) FROM t GROUP BY k ORDER BY k",
                "0|2\n1|4",
            ),
            (
                "SELECT x.a, y.a FROM t x JOIN t y ON x.a < y.a ORDER BY 1, 2",
                "1|2\n1|3\n2|3",
            ),
            (
                "SELECT a, (SELECT count(*) FROM t u WHERE u.a < t.a) FROM t ORDER BY a",
                "1|0\n2|1\n3|2",
            ),
            (
                "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM t u WHERE u.a = t.a + 1) ORDER BY a",
                "1\n2",
            ),
            (
                "SELECT a FROM t WHERE a NOT IN (SELECT a FROM t WHERE b = 'two') ORDER BY a",
                "1\n3",
            ),
            ("SELECT DISTINCT b IS NULL FROM t ORDER BY 1", "false\ntrue"),
            (
                "SELECT a FROM t UNION ALL SELECT 9 ORDER BY 1 DESC LIMIT 2",
                "9\n3",
            ),
            (
                "SELECT d + INTERVAL '1 month' FROM t WHERE a = 1",
                "2020-02-29 00:00:00",
            ),
            (
                "SELECT CASE WHEN a = 1 THEN 'first' ELSE b END FROM t ORDER BY a",
                "first\ntwo\nNULL",
            ),
            (
                "WITH w AS (SELECT a FROM t WHERE a > 1) SELECT sum(a) FROM w",
                "5",
            ),
            ("SELECT sum(range) FROM range(10)", "45"),
            ("VALUES (1, 'a'), (2, 'b')", "1|a\n2|b"),
            (
                "SELECT b FROM t WHERE b LIKE 't%' OR b ILIKE 'ON_' ORDER BY b",
                "one\ntwo",
            ),
            ("SELECT 1 WHERE FALSE", ""),
            ("SELECT count(*) FROM t a, t b, t c", "27"),
            ("UPDATE t SET c = c * 2, b = 'x' WHERE a = 1", "Update(1)"),
            ("SELECT b, c FROM t WHERE a = 1", "x|3.00"),
            (
                "DELETE FROM t WHERE a = (SELECT max(a) FROM t)",
                "Delete(1)",
            ),
            ("SELECT count(*) FROM t", "2"),
            (
                "CREATE VIEW v AS SELECT a FROM t; SELECT * FROM v ORDER BY a",
                "1\n2",
            ),
            (
                "CREATE TABLE u AS SELECT a, b FROM t; SELECT * FROM u ORDER BY 1",
                "1|x\n2|two",
            ),
            (
                "INSERT INTO u (b) SELECT b FROM u; SELECT count(*), count(a) FROM u",
                "4|2",
            ),
        ],
    );
}

#[test]
fn long_chains_run() {
    let s = session(SqlDialect::Llkv);
    assert_eq!(
        run(&s, &format!("SELECT 1{}", "+1".repeat(100_000))).unwrap(),
        "100001"
    );
    run(&s, "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)").unwrap();
    let chain = " AND a = 1".repeat(20_000);
    assert_eq!(
        run(&s, &format!("SELECT a FROM t WHERE a = 1{chain}")).unwrap(),
        "1"
    );
}

#[test]
fn prepared_statements_follow_the_catalog() {
    let s = session(SqlDialect::Llkv);
    run(&s, "CREATE TABLE t (a INTEGER, b TEXT)").unwrap();
    let insert = s.prepare("INSERT INTO t VALUES (?, ?)").unwrap();
    assert_eq!(insert.parameter_count(), 2);
    for i in 0..3 {
        insert
            .execute(&[Scalar::Int64(i), Scalar::Text(format!("b{i}").into())])
            .unwrap();
    }
    let select = s
        .prepare("SELECT b FROM t WHERE a > $1 ORDER BY a LIMIT $2")
        .unwrap();
    let got = select
        .execute(&[Scalar::Int32(0), Scalar::Int64(1)])
        .unwrap();
    assert_eq!(rows(got).unwrap(), "b1");
    let wrong = select.execute(&[Scalar::Int32(0)]);
    assert!(matches!(
        wrong,
        Err(Error::Bind(BindError::ParameterCount { .. }))
    ));
    run(&s, "DROP TABLE t; CREATE TABLE t (b TEXT, a INTEGER)").unwrap();
    assert!(
        insert
            .execute(&[Scalar::Int64(1), Scalar::Int64(2)])
            .is_ok()
    );
    assert_eq!(run(&s, "SELECT b, a FROM t").unwrap(), "1|2");
}

#[test]
fn transactions_and_scripts() {
    let s = session(SqlDialect::Llkv);
    run(&s, "CREATE TABLE t (a INTEGER PRIMARY KEY)").unwrap();
    check(
        &s,
        &[
            (
                "BEGIN; INSERT INTO t VALUES (1); SELECT count(*) FROM t",
                "1",
            ),
            ("ROLLBACK; SELECT count(*) FROM t", "0"),
            (
                "BEGIN; INSERT INTO t VALUES (1); SAVEPOINT s; INSERT INTO t VALUES (2); ROLLBACK TO s; COMMIT; SELECT * FROM t",
                "1",
            ),
            (
                "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING; SELECT count(*) FROM t",
                "1",
            ),
        ],
    );
    let error = s.execute("SELECT 1;\nSELECT nosuch FROM t").unwrap_err();
    assert_eq!(error.span().map(|span| span.start), Some(17));
}

#[test]
fn sqlite_meanings() {
    let s = session(SqlDialect::Sqlite);
    run(&s, "CREATE TABLE t1(a INTEGER, b INTEGER, c VARCHAR(8)); INSERT INTO t1 VALUES(1, 2, 'x'), (3, NULL, 'Y')").unwrap();
    check(
        &s,
        &[
            ("SELECT 7 / 2, 1 / 0, 1 % 0, 1 > 0", "3|NULL|NULL|1"),
            ("SELECT b FROM t1 ORDER BY b", "NULL\n2"),
            ("SELECT a + 1 AS z FROM t1 WHERE z > 2", "4"),
            ("SELECT c FROM t1 WHERE c LIKE 'y'", "Y"),
            ("SELECT a FROM t1 WHERE a IN ()", ""),
            ("SELECT -'5', +'x'", "-5|x"),
            ("SELECT count(*), c FROM t1 WHERE a = 1", "1|x"),
            (
                "SELECT CASE WHEN a>(SELECT avg(a) FROM t1) THEN a*2 ELSE b*10 END FROM t1 ORDER BY 1",
                "6\n20",
            ),
            ("SELECT a FROM t1 WHERE b NOT NULL AND a", "1"),
        ],
    );
}

/// What a load stores at once is no index's until a checkpoint, so a checkpoint is due.
#[test]
fn a_key_is_looked_up_after_a_load_that_is_stored_at_once() {
    let mut options = EngineOptions::default();
    options.runtime.background_checkpoint = false;
    let session = SqlEngine::in_memory_with(options).unwrap().session();
    let load = "CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT);
        INSERT INTO t SELECT (i * 7919) % 100003, i FROM generate_series(1, 40000) AS g(i)";
    run(&session, load).unwrap();
    let plan = run(
        &session,
        "EXPLAIN ANALYZE SELECT v FROM t WHERE k = 7919 * 2",
    );
    let plan = plan.unwrap();
    assert!(plan.contains("by index t_pkey"), "{plan}");
    assert!(!plan.contains("40,000 rows looked at"), "{plan}");
}
