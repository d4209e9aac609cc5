//! Two transactions that write at the same time: each kind of change against each, the first one committed or rolled back.
//!
//! Whatever the outcome, the database ends up as if those that committed had run one after the other.

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

use llkv_sql::{Session, SqlEngine};
use simulated::{Row, Value, query, run};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// The changes, and what they are called in the tables.
const CHANGES: [(&str, &str); 8] = [
    ("insert", "INSERT INTO t VALUES (3, 30)"),
    ("update", "UPDATE t SET v = v + 1 WHERE id = 1"),
    ("delete", "DELETE FROM t WHERE id = 1"),
    (
        "upsert",
        "INSERT INTO t VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET v = t.v + excluded.v",
    ),
    ("add", "ALTER TABLE t ADD COLUMN c INTEGER DEFAULT 7"),
    ("index", "CREATE INDEX i ON t (v)"),
    ("unique", "CREATE UNIQUE INDEX u ON t (v)"),
    ("drop", "DROP TABLE t"),
];

/// When the second change runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Schedule {
    /// While the first transaction is open.
    Beside,
    /// After the first transaction has ended, which the second one's snapshot does not see.
    Behind,
}

/// What becomes of the second transaction: `ok`, `statement` (its change fails), `commit` (its COMMIT fails).
fn meet(first: &str, second: &str, schedule: Schedule, end: &str) -> &'static str {
    let engine = SqlEngine::in_memory().unwrap();
    let setup =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (1, 10), (2, 20)";
    run(&engine.session(), setup).unwrap();
    let [one, two] = [(); 2].map(|()| engine.session());
    run(&one, "BEGIN").unwrap();
    run(&two, "BEGIN").unwrap();
    run(&one, first).unwrap();
    let changed = match schedule {
        Schedule::Beside => {
            let changed = run(&two, second);
            run(&one, end).unwrap();
            changed
        }
        Schedule::Behind => {
            run(&one, end).unwrap();
            run(&two, second)
        }
    };
    let what = format!("{first}; {end}; {second}");
    let became = match changed {
        Err(error) => {
            assert!(error.is_retryable(), "{what}: {error}");
            run(&two, "ROLLBACK").unwrap();
            "statement"
        }
        Ok(_) => match run(&two, "COMMIT") {
            Ok(_) => "ok",
            Err(error) => {
                assert!(error.is_retryable(), "{what}: {error}");
                "commit"
            }
        },
    };
    let first = (end == "COMMIT").then_some(first);
    let second = (became == "ok").then_some(second);
    let serial = SqlEngine::in_memory().unwrap();
    run(&serial.session(), setup).unwrap();
    for change in first.into_iter().chain(second) {
        run(&serial.session(), change).unwrap();
    }
    assert_eq!(
        state(&engine.session()),
        state(&serial.session()),
        "{what}: {became}"
    );
    simulated::check_integrity(&engine, &what);
    // Life goes on, with nothing locked.
    for session in [&one, &two] {
        run(
            session,
            "DROP TABLE IF EXISTS t; CREATE TABLE t (id INTEGER); INSERT INTO t VALUES (1)",
        )
        .unwrap();
    }
    became
}

/// The rows of the table and what stands about it in the catalog; nothing where it is gone.
fn state(session: &Session) -> [Vec<Row>; 2] {
    let rows = query(session, "SELECT * FROM t ORDER BY id").unwrap_or_default();
    let indexes = "SELECT index_name, columns FROM llkv_indexes ORDER BY 1";
    [rows, query(session, indexes).unwrap()]
}

fn matrix(schedule: Schedule, end: &str) -> String {
    let mut table = String::from("first\\second");
    CHANGES
        .iter()
        .for_each(|(name, _)| write!(table, " {name}").unwrap());
    for (name, first) in CHANGES {
        write!(table, "\n{name}").unwrap();
        for (_, second) in CHANGES {
            write!(table, " {}", meet(first, second, schedule, end)).unwrap();
        }
    }
    table
}

#[track_caller]
fn expect(schedule: Schedule, end: &str, expected: &str) {
    let words = |text: &str| -> Vec<Vec<String>> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let words = lines.map(|line| line.split_whitespace().map(str::to_owned).collect());
        words.collect()
    };
    let found = matrix(schedule, end);
    assert!(
        words(&found) == words(expected),
        "{schedule:?}, {end}:\n{found}"
    );
}

/// Whoever alters a table, or what belongs to it, is in the way of all who write to it as it was; not so the other way round,
/// but for a unique index, which was checked against the rows as they were.
#[test]
fn the_first_commits_while_the_second_has_written() {
    expect(
        Schedule::Beside,
        "COMMIT",
        "first\\second insert update    delete    upsert    add       index     unique    drop
         insert        commit ok        ok        ok        ok        ok        commit    ok
         update        ok     statement statement statement ok        ok        commit    ok
         delete        ok     statement statement statement ok        ok        commit    ok
         upsert        ok     statement statement statement ok        ok        commit    ok
         add           commit commit    commit    commit    statement commit    commit    statement
         index         commit commit    commit    commit    commit    commit    commit    commit
         unique        commit commit    commit    commit    commit    commit    commit    commit
         drop          commit commit    commit    commit    statement commit    commit    statement",
    );
}

#[test]
fn the_first_commits_before_the_second_writes() {
    expect(
        Schedule::Behind,
        "COMMIT",
        "first\\second insert update    delete    upsert    add       index     unique    drop
         insert        commit ok        ok        ok        ok        ok        commit    ok
         update        ok     statement statement statement ok        ok        commit    ok
         delete        ok     statement statement statement ok        ok        commit    ok
         upsert        ok     statement statement statement ok        ok        commit    ok
         add           commit commit    commit    commit    statement commit    commit    statement
         index         commit commit    commit    commit    commit    commit    commit    commit
         unique        commit commit    commit    commit    commit    commit    commit    commit
         drop          commit commit    commit    commit    statement commit    commit    statement",
    );
}

/// What the first one wrote before it was rolled back stands in the way only while it stands there.
#[test]
fn the_first_rolls_back_while_the_second_has_written() {
    expect(
        Schedule::Beside,
        "ROLLBACK",
        "first\\second insert update    delete    upsert    add       index     unique    drop
         insert        ok     ok        ok        ok        ok        ok        ok        ok
         update        ok     statement statement statement ok        ok        ok        ok
         delete        ok     statement statement statement ok        ok        ok        ok
         upsert        ok     statement statement statement ok        ok        ok        ok
         add           ok     ok        ok        ok        statement ok        ok        statement
         index         ok     ok        ok        ok        ok        ok        ok        ok
         unique        ok     ok        ok        ok        ok        ok        ok        ok
         drop          ok     ok        ok        ok        statement ok        ok        statement",
    );
}

#[test]
fn the_first_rolls_back_before_the_second_writes() {
    let names = CHANGES.map(|(name, _)| name);
    let mut expected = format!("first\\second {}", names.join(" "));
    for name in names {
        write!(expected, "\n{name}{}", " ok".repeat(names.len())).unwrap();
    }
    expect(Schedule::Behind, "ROLLBACK", &expected);
}

/// Two sessions, the first of which has changed row 1 in a transaction that is open; the second one waits for rows.
fn beside_a_change(engine: &SqlEngine, lock_timeout: &str) -> [Session; 2] {
    let [one, two] = [(); 2].map(|()| engine.session());
    let setup =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (1, 10), (2, 20)";
    run(&one, setup).unwrap();
    run(&one, "BEGIN; UPDATE t SET v = 11 WHERE id = 1").unwrap();
    run(&two, &format!("SET lock_timeout = '{lock_timeout}'")).unwrap();
    [one, two]
}

#[test]
fn a_statement_that_waits_for_a_row_goes_on_when_the_other_transaction_rolls_back() {
    let engine = SqlEngine::in_memory().unwrap();
    let [one, two] = beside_a_change(&engine, "10min");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| run(&two, "UPDATE t SET v = v + 5 WHERE id = 1"));
        std::thread::sleep(Duration::from_millis(20));
        run(&one, "ROLLBACK").unwrap();
        waits.join().unwrap().unwrap();
    });
    let rows = query(&one, "SELECT v FROM t ORDER BY id").unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0][0], Value::Int(15));
}

#[test]
fn a_statement_that_waits_for_a_row_may_be_tried_again_when_the_other_transaction_commits() {
    let engine = SqlEngine::in_memory().unwrap();
    let [one, two] = beside_a_change(&engine, "10min");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| run(&two, "UPDATE t SET v = v + 5 WHERE id = 1"));
        std::thread::sleep(Duration::from_millis(20));
        run(&one, "COMMIT").unwrap();
        if let Err(error) = waits.join().unwrap() {
            assert!(error.is_retryable(), "{error}");
            run(&two, "UPDATE t SET v = v + 5 WHERE id = 1").unwrap();
        }
    });
    let rows = query(&one, "SELECT v FROM t ORDER BY id").unwrap();
    assert_eq!(rows[0][0], Value::Int(16));
}

#[test]
fn a_wait_for_a_row_ends_with_its_time_and_with_that_of_its_statement() {
    let engine = SqlEngine::in_memory().unwrap();
    let [one, two] = beside_a_change(&engine, "30ms");
    let begun = Instant::now();
    let error = run(&two, "DELETE FROM t WHERE id = 1").unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(begun.elapsed() >= Duration::from_millis(30));
    // Rows that nobody has are not waited for.
    run(&two, "UPDATE t SET v = 21 WHERE id = 2").unwrap();

    run(
        &two,
        "SET lock_timeout = '10min'; SET statement_timeout = '30ms'",
    )
    .unwrap();
    let error = run(&two, "DELETE FROM t WHERE id = 1").unwrap_err();
    assert!(error.to_string().contains("statement_timeout"), "{error}");

    // As SQLite names it, and off again.
    run(&two, "SET dialect = 'sqlite'; RESET statement_timeout").unwrap();
    run(&two, "PRAGMA busy_timeout = 0").unwrap();
    let error = run(&two, "DELETE FROM t WHERE id = 1").unwrap_err();
    assert!(error.is_retryable(), "{error}");
    run(&one, "COMMIT").unwrap();
    run(&two, "DELETE FROM t WHERE id = 1").unwrap();
}
