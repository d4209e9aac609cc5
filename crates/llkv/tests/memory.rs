//! What the program takes from the system while a query is over its memory limit, what the allocator keeps among it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

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

#[test]
fn the_program_stays_near_its_memory_limit() {
    // Both the sort and the rows that the limit in the middle gathers are ten times the budget.
    let query = "SELECT count(*), sum(x) FROM (SELECT i, i * 7919 % 10000019 AS x, 'text number ' || i AS s \
                 FROM range(3000000) AS r(i) ORDER BY x, s OFFSET 1) AS q";
    let mut program = Command::new(env!("CARGO_BIN_EXE_llkv"))
        .args([
            "-c",
            &format!("SET memory_limit = '{LIMIT_MB}MB'"),
            "-c",
            query,
        ])
        .args(["--format", "csv"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut most_bytes = 0;
    while program.try_wait().unwrap().is_none() {
        most_bytes = most_bytes.max(own_bytes(program.id()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success());
    let rows = String::from_utf8(output.stdout).unwrap();
    assert!(rows.contains("2999999,"), "{rows}");
    assert!(most_bytes > 0);
    assert!(
        most_bytes < (LIMIT_MB + SLACK_MB) << 20,
        "{} MiB with a limit of {LIMIT_MB}",
        most_bytes >> 20
    );
}
