//! Queries over a few rows that are run as they were bound give what operators give.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

use llkv_result::{Error, StatementResult};
use llkv_sql::{EngineOptions, Session, SqlDialect, SqlEngine};
use llkv_types::Scalar;

fn session(dialect: SqlDialect) -> Session {
    let options = EngineOptions::with_dialect(dialect);
    let session = SqlEngine::in_memory_with(options).unwrap().session();
    for sql in [
        "CREATE TABLE a (i INTEGER, t TEXT, r DOUBLE PRECISION)",
        "CREATE TABLE b (i INTEGER, j INTEGER)",
        "CREATE TABLE none (i INTEGER)",
        "INSERT INTO a VALUES (1, 'one', 1.5), (2, 'two', NULL), (NULL, NULL, -0.25), (2, 'zwei', 8)",
        "INSERT INTO b VALUES (2, 20), (3, 30), (2, 22), (NULL, 0)",
        "CREATE VIEW v AS SELECT i, count(*) AS n FROM a GROUP BY i",
    ] {
        session.execute(sql).unwrap();
    }
    session
}

/// The rows as text, in their order; or the error's.
fn rows(session: &Session, sql: &str) -> Result<Vec<String>, String> {
    let mut rows = Vec::new();
    let results = session.execute(sql).map_err(|e| e.to_string())?;
    for result in results {
        let StatementResult::Select(stream) = result else {
            continue;
        };
        for batch in stream {
            let batch = batch.map_err(|e| Error::from_arrow(e).to_string())?;
            for row in 0..batch.num_rows() {
                let values = batch.columns().iter();
                let values = values.map(|c| Scalar::from_array(c, row).unwrap().to_string());
                rows.push(values.collect::<Vec<_>>().join("|"));
            }
        }
    }
    Ok(rows)
}

/// Of both ways, sorted where the text does not tell the order; and whether the first took no operators.
fn both_ways(session: &Session, sql: &str) -> (bool, [Result<Vec<String>, String>; 2]) {
    let arranged = |rows: Result<Vec<String>, String>| {
        rows.map(|mut rows| {
            if !sql.contains("ORDER BY") {
                rows.sort();
            }
            rows
        })
    };
    session.execute("SET direct_execution = 'on'").unwrap();
    let direct = arranged(rows(session, sql));
    let is_direct = session.last_statistics().is_none();
    session.execute("SET direct_execution = 'off'").unwrap();
    let by_operators = arranged(rows(session, sql));
    assert!(
        by_operators.is_err() || session.last_statistics().is_some(),
        "{sql}"
    );
    (is_direct, [direct, by_operators])
}

const QUERIES: &[&str] = &[
    "SELECT 1 + 2, 'x' || 'y'",
    "SELECT * FROM a ORDER BY i DESC NULLS LAST, t",
    "SELECT i, r FROM a ORDER BY r NULLS FIRST, i LIMIT 2 OFFSET 1",
    "SELECT * FROM none",
    "SELECT count(*), count(i), sum(i), avg(i), min(t), max(r), sum(r) FROM a",
    "SELECT count(*), count(i), sum(i), avg(i), min(i) FROM none",
    "SELECT i, count(*), count(DISTINCT t), sum(r) FROM a GROUP BY i HAVING count(*) > 0 ORDER BY i NULLS FIRST",
    "SELECT count(DISTINCT i), sum(DISTINCT i), avg(DISTINCT i) FROM a",
    "SELECT sum(i) FILTER (WHERE r > 0), count(*) FILTER (WHERE i IS NULL) FROM a",
    "SELECT string_agg(t, '-') FROM (SELECT t FROM a ORDER BY t) AS s",
    "SELECT DISTINCT i FROM a ORDER BY 1 NULLS FIRST",
    "SELECT i FROM a WHERE i > 1 AND t LIKE 'z%'",
    "SELECT i FROM a WHERE i IN (1, 3, NULL) OR r IS NULL",
    "SELECT i FROM a WHERE i NOT IN (1, 3)",
    "SELECT CASE i WHEN 1 THEN 'a' WHEN 2 THEN t END, COALESCE(i, -1), NULLIF(i, 2), abs(i - 5) FROM a",
    "SELECT a.i, b.j FROM a, b WHERE a.i = b.i ORDER BY 1, 2, a.t",
    "SELECT a.i, b.j FROM a LEFT JOIN b ON a.i = b.i AND b.j > 20",
    "SELECT x.i, y.i FROM a AS x CROSS JOIN a AS y WHERE x.i < y.i",
    "SELECT a.t, n.i FROM a LEFT JOIN none AS n ON n.i = a.i",
    "SELECT t, (SELECT max(j) FROM b WHERE b.i = a.i) FROM a",
    "SELECT t, (SELECT sum(j) FROM b) FROM a",
    "SELECT t FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.i = a.i)",
    "SELECT t FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.i = a.i)",
    "SELECT t, i IN (SELECT i FROM b), i NOT IN (SELECT i FROM b WHERE j > 20), i IN (SELECT i FROM none) FROM a",
    "SELECT i FROM a UNION ALL SELECT j FROM b",
    "SELECT i FROM a UNION SELECT i FROM b",
    "SELECT i FROM a EXCEPT SELECT i FROM b",
    "SELECT i FROM a INTERSECT SELECT i FROM b",
    "SELECT v.n, b.j FROM v JOIN b ON v.i = b.i ORDER BY 2",
    "SELECT * FROM (VALUES (1, 'x'), (2, NULL)) AS s(p, q) WHERE p >= 1 ORDER BY p",
    "WITH c AS (SELECT i, j FROM b WHERE j > 0) SELECT c.i, d.j FROM c, c AS d WHERE c.i = d.i",
    "SELECT upper(t), length(t), CAST(i AS TEXT), CAST(r AS INTEGER) FROM a",
];

#[test]
fn small_queries_give_what_operators_give() {
    for dialect in [SqlDialect::Llkv, SqlDialect::Sqlite, SqlDialect::DuckDb] {
        let session = session(dialect);
        for sql in QUERIES {
            let (is_direct, [direct, by_operators]) = both_ways(&session, sql);
            assert_eq!(direct, by_operators, "{dialect:?}: {sql}");
            assert!(direct.is_ok(), "{dialect:?}: {sql}: {direct:?}");
            assert!(is_direct, "{dialect:?}: {sql}");
        }
    }
}

#[test]
fn errors_are_the_same() {
    let session = session(SqlDialect::Llkv);
    for sql in [
        "SELECT 10 / (i - 1) FROM a",
        "SELECT i FROM a WHERE 10 / (i - 1) > 0",
        "SELECT i * 2000000000 FROM a WHERE i > 0",
        "SELECT (SELECT j FROM b WHERE b.i = a.i) FROM a",
        "SELECT CAST(t AS INTEGER) FROM a",
        "SELECT sum(x) FROM (VALUES (9223372036854775807), (1)) AS s(x)",
    ] {
        let (_, [direct, by_operators]) = both_ways(&session, sql);
        assert_eq!(direct, by_operators, "{sql}");
    }
    for sql in [
        "SELECT i FROM a WHERE 10 / (i - 1) > 0 AND i <> 1",
        "SELECT CASE WHEN i <> 1 THEN 10 / (i - 1) END FROM a",
    ] {
        let (_, [direct, by_operators]) = both_ways(&session, sql);
        assert_eq!(direct, by_operators, "{sql}");
        assert!(direct.is_ok(), "{sql}: {direct:?}");
    }
}

#[test]
fn what_changed_is_seen() {
    let session = session(SqlDialect::Llkv);
    let count = |expected: &str| {
        let (_, [direct, by_operators]) = both_ways(&session, "SELECT count(*), sum(i) FROM b");
        assert_eq!(direct, by_operators);
        assert_eq!(direct.unwrap(), [expected]);
    };
    count("4|7");
    session.execute("INSERT INTO b VALUES (10, 1)").unwrap();
    count("5|17");
    session.execute("BEGIN; DELETE FROM b WHERE i = 2").unwrap();
    count("3|13");
    session.execute("ROLLBACK").unwrap();
    count("5|17");
    session
        .execute("ALTER TABLE b ADD COLUMN k INTEGER DEFAULT 7")
        .unwrap();
    assert_eq!(rows(&session, "SELECT sum(k) FROM b").unwrap(), ["35"]);
    session.execute("UPDATE b SET i = 0").unwrap();
    count("5|0");
    session
        .execute("DROP TABLE b; CREATE TABLE b (i INTEGER, j INTEGER)")
        .unwrap();
    count("0|NULL");
}

#[test]
fn many_rows_take_operators() {
    let session = session(SqlDialect::Llkv);
    let is_direct = |sql: &str| both_ways(&session, sql).0;
    session
        .execute("CREATE TABLE big AS SELECT i FROM generate_series(1, 2000) AS s(i)")
        .unwrap();
    assert!(!is_direct("SELECT sum(i) FROM big"));
    assert!(!is_direct(
        "SELECT count(*) FROM a, b, a AS c, b AS d, a AS e, b AS f, a AS g"
    ));
    assert!(!is_direct(
        "SELECT i, row_number() OVER (ORDER BY j) FROM b"
    ));
    assert!(!is_direct("SELECT * FROM a FULL JOIN b ON a.i = b.i"));
    assert!(is_direct("SELECT count(*) FROM a, b"));
}
