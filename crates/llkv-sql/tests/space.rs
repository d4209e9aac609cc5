//! What old versions cost: beside a snapshot that stays open, and after rows have come and gone for long.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs
)]

#[allow(dead_code)]
mod simulated;

use llkv_runtime::RuntimeEngine;
use llkv_sql::{Session, SqlDialect, SqlEngine};
use llkv_storage::{BoxedPager, FilePager, InstrumentedPager, Pager, SimDisk};
use llkv_types::Scalar;
use simulated::{Chance, check_integrity, long, options, query, run};
use std::sync::Arc;

/// Roots, manifest, descriptors.
const FIXED_BYTES: u64 = 512 << 10;
/// Pages of the file that some small values more or less take.
const PAGES: u64 = 16 * 4096;

/// A database whose pager is looked at from below.
struct Measured {
    pager: Arc<InstrumentedPager>,
    engine: SqlEngine,
}

fn open(disk: &SimDisk, checkpoint_rows: u64, checkpoint_commits: u64) -> Measured {
    let mut options = options();
    (options.checkpoint_rows, options.checkpoint_commits) = (checkpoint_rows, checkpoint_commits);
    options.file.log_bytes = 8 << 20;
    let file = FilePager::open_on(Arc::new(disk.clone()), "space.llkv", options.file.clone());
    let pager = Arc::new(InstrumentedPager::new(Arc::new(file.unwrap())));
    let runtime = RuntimeEngine::with_pager(Arc::clone(&pager) as BoxedPager, options).unwrap();
    let engine = SqlEngine::new(runtime, SqlDialect::Llkv);
    Measured { pager, engine }
}

impl Measured {
    fn used_bytes(&self) -> u64 {
        let stats = self.pager.stats();
        stats.file_bytes - stats.free_bytes
    }

    fn bytes_read_by(&self, session: &Session, sql: &str) -> u64 {
        self.pager.reset();
        query(session, sql).unwrap();
        self.pager.counts().bytes_read
    }
}

/// Some 30 bytes that hardly compress.
fn text_of(number: &str) -> String {
    format!("md5(CAST({number} AS TEXT))")
}

/// A session of a database with a table of so many rows, all of them in its row groups.
fn filled(engine: &SqlEngine, rows: u64) -> Session {
    let session = engine.session();
    let text = text_of("n");
    for statement in [
        "CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT, s TEXT)",
        &format!("INSERT INTO t SELECT n, 0, {text} FROM generate_series(1, {rows}) AS s(n)"),
        "CHECKPOINT; CHECKPOINT",
    ] {
        run(&session, statement).unwrap();
    }
    session
}

/// A few rows change again and again while somebody looks at what they were: two versions of each are enough.
#[test]
fn a_long_snapshot_costs_the_versions_that_it_sees_and_no_more() {
    const ROWS: u64 = 20_000;
    const HOT: u64 = 3_000;
    let commits = if long() { 100_000 } else { 12_000 };
    let measured = open(&SimDisk::new(1), u64::MAX, 1_000);
    let session = filled(&measured.engine, ROWS);
    let before = measured.used_bytes();

    let reader = measured.engine.session();
    run(&reader, "BEGIN").unwrap();
    let questions = [
        "SELECT count(*), sum(v), min(s), max(s) FROM t",
        "SELECT id, v, s FROM t WHERE id BETWEEN 470 AND 530 ORDER BY id",
    ];
    let answers = questions.map(|sql| query(&reader, sql).unwrap());
    let update = session
        .prepare("UPDATE t SET v = v + 1 WHERE id = $1")
        .unwrap();
    let mut largest = 0;
    for commit in 0..commits {
        let id = (commit * 7919) % HOT + 1;
        update.execute(&[Scalar::Int64(id as i64)]).unwrap();
        if commit % (commits / 6) == 0 {
            assert_eq!(questions.map(|sql| query(&reader, sql).unwrap()), answers);
        }
        if commit % 100 == 0 {
            largest = largest.max(measured.used_bytes());
        }
    }
    run(&session, "CHECKPOINT").unwrap();
    assert_eq!(questions.map(|sql| query(&reader, sql).unwrap()), answers);
    let held = measured.used_bytes();
    run(&reader, "COMMIT").unwrap();
    run(&session, "CHECKPOINT").unwrap();
    let after = measured.used_bytes();
    run(&session, "VACUUM").unwrap();
    let vacuumed = measured.used_bytes();
    eprintln!(
        "{commits} commits: {before} bytes, {held} beside the snapshot (at most {largest}), {after} after it, \
         {vacuumed} after VACUUM"
    );
    // Another version of the hot rows, 80 bytes with its ids; meanwhile, the file has what a checkpoint is about to replace.
    assert!(held <= before + HOT * 80 + PAGES, "{before}, {held}");
    assert!(largest <= 2 * before + HOT * 160 + PAGES, "{largest}");
    assert!(
        held.saturating_sub(after) + PAGES / 4 >= held.saturating_sub(vacuumed) * 9 / 10,
        "{before}, {held}, {after}, {vacuumed}"
    );
    let sums = query(&session, "SELECT count(*), sum(v) FROM t").unwrap();
    let expected = [ROWS, commits].map(|n| simulated::Value::Int(n.into()));
    assert_eq!(sums, [expected]);
    check_integrity(&measured.engine, "at the end");
}

/// A day of updates, deletes and inserts in a table that stays as large as it is.
#[test]
fn churn_leaves_a_file_and_scans_like_those_of_a_fresh_table() {
    const ROWS: u64 = 30_000;
    let changes = if long() { 10_000_000 } else { 300_000 };
    let disk = SimDisk::new(2);
    let measured = open(&disk, 5_000, u64::MAX);
    let session = filled(&measured.engine, ROWS);
    let (mut chance, mut done, mut next) = (Chance::new(3), 0, ROWS + 1);
    let (mut largest, text) = (0, text_of("n"));
    measured.pager.reset();
    while done < changes {
        // Some rows change, some go, as many come.
        let from = chance.below(next);
        done += run(
            &session,
            &format!(
                "UPDATE t SET v = v + 1 WHERE id BETWEEN {from} AND {}",
                from + 900
            ),
        )
        .unwrap();
        let from = chance.below(next);
        let sql = format!("DELETE FROM t WHERE id BETWEEN {from} AND {}", from + 500);
        let gone = run(&session, &sql).unwrap();
        done += gone;
        if gone > 0 {
            let (low, high) = (next, next + gone - 1);
            let insert = format!(
                "INSERT INTO t SELECT n, 0, {text} FROM generate_series({low}, {high}) AS s(n)"
            );
            done += run(&session, &insert).unwrap();
            next += gone;
        }
        largest = largest.max(measured.used_bytes());
    }
    let counts = measured.pager.counts();
    let written = (counts.bytes_put + counts.early_bytes) / done;
    drop(session);
    drop(measured);

    let measured = open(&disk, u64::MAX, u64::MAX);
    let session = measured.engine.session();
    let churned = measured.pager.stats().file_bytes;
    let used = measured.used_bytes();
    let sql = "SELECT count(*), sum(v), max(s) FROM t";
    let read = measured.bytes_read_by(&session, sql);
    run(&session, "CREATE TABLE fresh (id BIGINT PRIMARY KEY, v BIGINT, s TEXT); INSERT INTO fresh SELECT * FROM t").unwrap();
    run(&session, "CHECKPOINT; CHECKPOINT").unwrap();
    let live = measured.used_bytes() - used;
    drop(session);
    drop(measured);

    let measured = open(&disk, u64::MAX, u64::MAX);
    let session = measured.engine.session();
    let read_fresh = measured.bytes_read_by(&session, &sql.replace("FROM t", "FROM fresh"));
    eprintln!(
        "{done} changes: {churned} bytes ({largest} meanwhile) for {live} of a fresh table; \
         a scan reads {read} instead of {read_fresh}; {written} bytes written a change"
    );
    // A row of 30 bytes: in the log, in a new group, and a few times more together with others.
    assert!(written <= 500, "{written}");
    assert!(churned <= 2 * live + FIXED_BYTES, "{churned} for {live}");
    assert!(largest <= 2 * live + FIXED_BYTES, "{largest} for {live}");
    let most = read_fresh * 11 / 10;
    assert!(read <= most + (16 << 10), "{read}, {read_fresh}");
    assert_eq!(
        query(&session, "SELECT count(*) FROM t").unwrap(),
        [[simulated::Value::Int(ROWS.into())]]
    );
    check_integrity(&measured.engine, "at the end");
}
