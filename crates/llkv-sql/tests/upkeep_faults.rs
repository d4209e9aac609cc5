//! The disk fails, or the power, at every operation of CHECKPOINT, VACUUM, BACKUP TO and PRAGMA integrity_check: no row is
//! lost, no reader is disturbed, and what has a backup's name is a whole backup. So it is where they are cancelled.

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

use llkv_result::{Error, ExecError, Result};
use llkv_runtime::RuntimeOptions;
use llkv_sql::{Session, SqlEngine};
use llkv_storage::disk::sim::{Fault, FaultKind};
use llkv_storage::{Disk, SimDisk};
use llkv_types::SimClock;
use simulated::{Row, check_integrity, open, open_at, query, run};
use std::path::Path;
use std::sync::Arc;

const TARGET: &str = "backup.llkv";
const UPKEEP: [&str; 4] = [
    "CHECKPOINT",
    "VACUUM",
    "BACKUP TO 'backup.llkv'",
    "PRAGMA integrity_check",
];
const KINDS: [FaultKind; 4] = [
    FaultKind::ErrorOnce,
    FaultKind::ErrorForever,
    FaultKind::ShortWrite,
    FaultKind::DiskFull,
];

fn options() -> RuntimeOptions {
    let mut options = simulated::options();
    // Many row groups of few rows, and no checkpoint but those that are asked for.
    options.store.row_group_rows = 64;
    options
}

/// A database in which upkeep has everything to do: dead rows in old row groups and new ones, rows that only the log has,
/// indexes with and without runs, a table that is gone, free space in the middle.
fn database() -> SimDisk {
    let disk = SimDisk::new(11);
    let engine = open(&disk, &options()).unwrap();
    let session = engine.session();
    let series = |table: &str, from: i64, to: i64| {
        let row = "n, n % 7, 'row ' || CAST(n AS TEXT) || repeat('x', CAST(n % 50 AS INTEGER))";
        format!("INSERT INTO {table} SELECT {row} FROM generate_series({from}, {to}) AS s(n)")
    };
    for statement in [
        "CREATE TABLE t (id BIGINT PRIMARY KEY, g BIGINT, s TEXT)",
        "CREATE TABLE gone (id BIGINT PRIMARY KEY, g BIGINT, s TEXT)",
        "CREATE INDEX by_g ON t (g)",
        &series("gone", 1, 300),
        &series("t", 1, 300),
        "CHECKPOINT",
        "DELETE FROM t WHERE id % 3 = 0",
        "UPDATE t SET g = g + 1 WHERE id < 40",
        "CHECKPOINT",
        &series("t", 400, 500),
        "CREATE INDEX by_s ON t (s)",
        "DROP TABLE gone",
        "DELETE FROM t WHERE id BETWEEN 100 AND 220",
        "UPDATE t SET s = 'new ' || s WHERE id % 10 = 1",
        "CREATE TABLE few (a INTEGER)",
        "INSERT INTO few VALUES (1), (2), (NULL)",
    ] {
        run(&session, statement).unwrap();
    }
    // The power goes off instead of closing, which would be a checkpoint.
    let copy = disk.fork(12);
    copy.power_cut();
    copy
}

/// Everything that a session can see, some of it by the indexes.
fn state(session: &Session) -> Result<Vec<Vec<Row>>> {
    let questions = [
        "SELECT * FROM t ORDER BY id",
        "SELECT id FROM t WHERE g = 3 ORDER BY id",
        "SELECT id FROM t WHERE s BETWEEN 'new' AND 'row 2' ORDER BY id",
        "SELECT id FROM t WHERE id BETWEEN 405 AND 410 ORDER BY id",
        "SELECT a FROM few ORDER BY a",
    ];
    questions.iter().map(|sql| query(session, sql)).collect()
}

fn is_of_the_disk(error: &Error) -> bool {
    matches!(error, Error::Storage(_))
}

/// A database whose power is cut afterwards, with what it must hold then.
struct Trial {
    disk: SimDisk,
    engine: SqlEngine,
    expected: Vec<Vec<Row>>,
}

impl Trial {
    fn new(database: &SimDisk, seed: u64) -> Self {
        let disk = database.fork(seed);
        let engine = open(&disk, &options()).unwrap();
        let expected = state(&engine.session()).unwrap();
        assert!(expected.iter().all(|rows| rows.len() > 2), "{expected:?}");
        Self {
            disk,
            engine,
            expected,
        }
    }

    /// The same rows are there when the file is opened anew, and everything fits together; the backup likewise, if there is
    /// one.
    fn check(disk: &SimDisk, expected: &[Vec<Row>], what: &str) {
        let engine = open(disk, &options()).unwrap();
        assert!(state(&engine.session()).unwrap() == expected, "{what}");
        check_integrity(&engine, what);
        if disk.exists(Path::new(TARGET)).unwrap() {
            let backup = open_at(disk, TARGET, &options()).unwrap();
            assert!(
                state(&backup.session()).unwrap() == expected,
                "{what}: the backup"
            );
            check_integrity(&backup, what);
        }
        // Life goes on.
        run(&engine.session(), "INSERT INTO few VALUES (9); CHECKPOINT").unwrap();
    }
}

/// Operations of the disk that a statement takes.
fn operations_of(database: &SimDisk, statement: &str) -> u64 {
    let trial = Trial::new(database, 1);
    let before = trial.disk.operations();
    run(&trial.engine.session(), statement).unwrap();
    trial.disk.operations() - before
}

fn fault_at_every_operation(statement: &str) {
    let database = database();
    let operations = operations_of(&database, statement);
    assert!(operations > 10, "{statement}: {operations} operations");
    let mut failures = 0;
    for kind in KINDS {
        for number in 1..=operations {
            let what = format!("{statement}, {kind:?} at operation {number} of {operations}");
            failures += u64::from(fail(&database, statement, kind, number, &what));
        }
    }
    // Those that fail once, those that fail for ever; the rest now and then.
    assert!(failures >= operations, "{statement}: {failures} failures");
}

/// True when the statement told of the fault.
fn fail(database: &SimDisk, statement: &str, kind: FaultKind, number: u64, what: &str) -> bool {
    let Trial {
        disk,
        engine,
        mut expected,
    } = Trial::new(database, number);
    let reader = engine.session();
    run(&reader, "BEGIN; SELECT * FROM few").unwrap();
    let operation = disk.operations() + number;
    disk.inject(Fault { operation, kind });
    let failed = match tells_of_damage(&engine.session(), statement) {
        Ok(told) => told,
        Err(error) => {
            assert!(is_of_the_disk(&error), "{what}: {error}");
            true
        }
    };
    disk.heal();
    // Reads are right or fail; so are writes.
    for session in [&reader, &engine.session()] {
        match state(session) {
            Ok(state) => assert!(state == expected, "{what}: other rows"),
            Err(error) => assert!(is_of_the_disk(&error), "{what}: {error}"),
        }
    }
    match run(&engine.session(), "INSERT INTO few VALUES (5)") {
        Ok(_) => expected[4].insert(2, vec![simulated::Value::Int(5)]),
        Err(error) => assert!(is_of_the_disk(&error), "{what}: {error}"),
    }
    let backup_is_there = disk.exists(Path::new(TARGET)).unwrap();
    if statement.starts_with("BACKUP") && !failed {
        assert!(backup_is_there, "{what}: no backup");
    }
    if backup_is_there {
        // It is of the moment before the last row came.
        let backup = open_at(&disk, TARGET, &options()).unwrap();
        assert_eq!(state(&backup.session()).unwrap()[4].len(), 3, "{what}");
        check_integrity(&backup, what);
        drop(backup);
        disk.remove(Path::new(TARGET)).unwrap();
        disk.sync_folder(Path::new(TARGET)).unwrap();
    }
    if number.is_multiple_of(2) {
        disk.power_cut();
    }
    drop((reader, engine));
    Trial::check(&disk, &expected, what);
    failed
}

/// Runs a statement. The integrity check tells in its rows of what it could not read.
fn tells_of_damage(session: &Session, statement: &str) -> Result<bool> {
    if !statement.starts_with("PRAGMA") {
        return run(session, statement).map(|_| false);
    }
    let all_well = [[simulated::Value::Text("ok".to_owned())]];
    Ok(query(session, statement)? != all_well)
}

fn cut_at_every_operation(statement: &str) {
    let database = database();
    let Trial {
        disk,
        engine,
        expected,
    } = Trial::new(&database, 2);
    disk.record();
    run(&engine.session(), statement).unwrap();
    let recording = disk.take_recording();
    assert!(recording.len() > 10, "{statement}");
    let last = recording.len() - 1;
    for (number, copy) in recording.into_iter().enumerate() {
        let what = format!("{statement}, power cut after operation {number} of {last}");
        for seed in 0..2 {
            let cut = copy.fork(number as u64 * 2 + seed);
            cut.power_cut();
            if number == last && statement.starts_with("BACKUP") {
                assert!(cut.exists(Path::new(TARGET)).unwrap(), "{what}: no backup");
            }
            Trial::check(&cut, &expected, &what);
        }
    }
}

#[test]
fn faults_of_a_checkpoint() {
    fault_at_every_operation(UPKEEP[0]);
}

#[test]
fn faults_of_a_vacuum() {
    fault_at_every_operation(UPKEEP[1]);
}

#[test]
fn faults_of_a_backup() {
    fault_at_every_operation(UPKEEP[2]);
}

#[test]
fn faults_of_an_integrity_check() {
    fault_at_every_operation(UPKEEP[3]);
}

#[test]
fn power_cuts_of_all() {
    UPKEEP
        .iter()
        .for_each(|statement| cut_at_every_operation(statement));
}

/// Time runs out at any moment of a statement that reads or writes much: it leaves what there was, and can be run again.
fn cancelled_at_every_moment(statement: &str) {
    let database = database();
    let (mut limit_ms, mut cancelled) = (0, 0);
    loop {
        limit_ms += 1;
        let disk = database.fork(limit_ms);
        let mut options = options();
        // Each look at it takes a millisecond or so.
        options.clock = Some(Arc::new(SimClock::new(limit_ms)));
        let engine = open(&disk, &options).unwrap();
        let session = engine.session();
        let expected = state(&session).unwrap();
        let what = format!("{statement} in {limit_ms} ms");
        run(&session, &format!("SET statement_timeout = '{limit_ms}ms'")).unwrap();
        let done = run(&session, statement);
        run(&session, "SET statement_timeout = 0").unwrap();
        assert!(state(&session).unwrap() == expected, "{what}: other rows");
        if done.is_ok() || statement != "REINDEX" {
            // Indexes that were not built again yet are not used; this is told.
            check_integrity(&engine, &what);
        }
        match done {
            Ok(_) if limit_ms > 4 => break,
            Ok(_) => {}
            Err(Error::Exec(ExecError::Timeout { .. })) => {
                cancelled += 1;
                assert!(!disk.exists(Path::new(TARGET)).unwrap(), "{what}");
                run(&session, statement).unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            Err(error) => panic!("{what}: {error}"),
        }
        drop((session, engine));
        disk.power_cut();
        Trial::check(&disk, &expected, &what);
    }
    assert!(cancelled > 0, "{statement} was never cancelled");
}

#[test]
fn upkeep_that_is_cancelled() {
    UPKEEP
        .iter()
        .for_each(|statement| cancelled_at_every_moment(statement));
    cancelled_at_every_moment("CREATE UNIQUE INDEX one ON t (g, id)");
    cancelled_at_every_moment("REINDEX");
}
