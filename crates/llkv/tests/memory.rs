//! What the program takes from the system while a query is over its memory limit, what the allocator keeps among it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMIT_MB: u64 = 16;
/// What is not counted: buffers of batches on their way, chunks of runs that are merged.
const SLACK_MB: u64 = 64;

/// Bytes of its own that a process has in memory now; `None` once it has ended.
fn own_bytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

/// Runs statements under a limit in MB and gives the most bytes that the program had, and what it wrote.
fn run_limited(limit_mb: u64, database: Option<&Path>, statements: &[&str]) -> (u64, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_llkv"));
    program.args(database).args(["--format", "csv"]);
    program.args(["-c", &format!("SET memory_limit = '{limit_mb}MB'")]);
    for statement in statements {
        program.args(["-c", statement]);
    }
    let mut program = program.stdout(Stdio::piped()).spawn().unwrap();
    let mut most_bytes = 0;
    while program.try_wait().unwrap().is_none() {
        most_bytes = most_bytes.max(own_bytes(program.id()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(most_bytes > 0);
    (most_bytes, String::from_utf8(output.stdout).unwrap())
}

fn check_limit(what: &str, limit_mb: u64, most_bytes: u64) {
    assert!(
        most_bytes < (limit_mb + SLACK_MB) << 20,
        "{what}: {} MiB with a limit of {limit_mb}",
        most_bytes >> 20
    );
}

#[test]
fn the_program_stays_near_its_memory_limit() {
    // Both the sort and the rows that the limit in the middle gathers are ten times the budget.
    let query = "SELECT count(*), sum(x) FROM (SELECT i, i * 7919 % 10000019 AS x, 'text number ' || i AS s \
                 FROM range(3000000) AS r(i) ORDER BY x, s OFFSET 1) AS q";
    let (most_bytes, rows) = run_limited(LIMIT_MB, None, &[query]);
    assert!(rows.contains("2999999,"), "{rows}");
    check_limit(query, LIMIT_MB, most_bytes);
}

#[test]
fn the_first_rows_stay_near_a_limit_that_pruning_would_double() {
    let query = "SELECT count(*), max(length(s)) FROM (SELECT repeat('text ', 80) || i AS s \
                 FROM range(1000000) AS r(i) ORDER BY i * 7919 % 10000019 LIMIT 200000) AS q";
    let limit_mb = 128;
    let (most_bytes, rows) = run_limited(limit_mb, None, &[query]);
    assert!(rows.contains("200000,406"), "{rows}");
    check_limit(query, limit_mb, most_bytes);
}

#[test]
fn statements_that_write_stay_near_the_memory_limit() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("db.llkv");
    let rows = "SELECT i * 7919 % 2000003 AS b, i AS a, 'text number ' || i % 1000 AS s FROM range(2000000) AS r(i)";
    let load = format!("INSERT INTO t {rows}");
    // Half of them have keys that the table has.
    let of_others = format!(
        "INSERT INTO t SELECT b + 1000001, a + 2000000, 'other text' FROM ({rows}) AS r WHERE a >= 0 \
         ON CONFLICT (b) DO UPDATE SET s = t.s || ''"
    );
    let create = "CREATE TABLE t (b BIGINT PRIMARY KEY, a BIGINT, s VARCHAR)";
    // The rows are several times the limit, as are their keys and the entries of the indexes.
    for statements in [
        vec![create, load.as_str()],
        vec!["CREATE UNIQUE INDEX of_a ON t (a)"],
        vec!["CREATE INDEX of_s ON t (s, b)"],
        vec!["UPDATE t SET b = b + 1"],
        vec![of_others.as_str()],
        vec!["DELETE FROM t WHERE a % 2 = 0"],
        vec!["SELECT count(*), min(a), max(s) FROM t WHERE s = 'text number 77' OR b = 6"],
    ] {
        let what = statements.last().copied().unwrap();
        let (most_bytes, output) = run_limited(LIMIT_MB, Some(&database), &statements);
        check_limit(what, LIMIT_MB, most_bytes);
        if what.starts_with("SELECT") {
            assert!(output.contains("2001,77,text number 77"), "{output}");
        }
    }
}
