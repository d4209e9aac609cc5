//! What one small statement costs: from text to batch, and from call to durable commit.
//!
//! Each group runs LLKV and SQLite (WAL, synchronous=FULL) on the same work in one run, because only
//! their ratio means something on a shared machine.
#![allow(clippy::unwrap_used, missing_docs)]

use criterion::{Criterion, criterion_group, criterion_main};
use llkv::{Database, Scalar};
use std::hint::black_box;

const TEN_ROWS: &str = "INSERT INTO t VALUES (1,'a'),(2,'b'),(3,'c'),(4,'d'),(5,'e'),\
                        (6,'f'),(7,'g'),(8,'h'),(9,'i'),(10,'j')";
const ONE_ROW: &str = "SELECT b FROM t WHERE a = 7";

/// One row of ten by a filter, from SQL text to the last batch.
fn select_one_row(c: &mut Criterion) {
    let mut group = c.benchmark_group("select one row of ten");
    let database = Database::in_memory().unwrap();
    let mut llkv = database.connect().unwrap();
    llkv.execute("CREATE TABLE t (a INTEGER, b VARCHAR)")
        .unwrap();
    llkv.execute(TEN_ROWS).unwrap();
    group.bench_function("llkv", |b| {
        b.iter(|| {
            let rows: usize = llkv
                .query(black_box(ONE_ROW))
                .unwrap()
                .map(|batch| batch.unwrap().num_rows())
                .sum();
            assert_eq!(rows, 1);
        });
    });
    let sqlite = rusqlite::Connection::open_in_memory().unwrap();
    sqlite
        .execute_batch("CREATE TABLE t (a INTEGER, b VARCHAR)")
        .unwrap();
    sqlite.execute_batch(TEN_ROWS).unwrap();
    group.bench_function("sqlite", |b| {
        b.iter(|| {
            let mut statement = sqlite.prepare(black_box(ONE_ROW)).unwrap();
            let text: String = statement.query_row([], |row| row.get(0)).unwrap();
            assert_eq!(text, "g");
        });
    });
    group.finish();
}

/// A durable single-row commit by a prepared statement.
fn autocommit_insert(c: &mut Criterion) {
    let mut group = c.benchmark_group("durable single-row insert");
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path().join("t.llkv")).unwrap();
    let mut llkv = database.connect().unwrap();
    llkv.execute("CREATE TABLE t (a BIGINT, b VARCHAR)")
        .unwrap();
    let insert = llkv.prepare("INSERT INTO t VALUES (?, ?)").unwrap();
    let mut next = 0_i64;
    group.bench_function("llkv", |b| {
        b.iter(|| {
            next += 1;
            let row = [Scalar::Int64(next), Scalar::Text("a row of text".into())];
            assert_eq!(insert.execute(&row).unwrap(), 1);
        });
    });
    let sqlite = rusqlite::Connection::open(folder.path().join("t.sqlite")).unwrap();
    sqlite
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             CREATE TABLE t (a BIGINT, b VARCHAR)",
        )
        .unwrap();
    let mut statement = sqlite.prepare("INSERT INTO t VALUES (?, ?)").unwrap();
    group.bench_function("sqlite", |b| {
        b.iter(|| {
            next += 1;
            assert_eq!(statement.execute((next, "a row of text")).unwrap(), 1);
        });
    });
    group.finish();
}

criterion_group!(benches, select_one_row, autocommit_insert);
criterion_main!(benches);
