//! Ctrl-C stops a script at the running statement; what ran before it stays.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// Far longer than the test waits: 10^14 pairs.
const LONG: &str =
    "SELECT count(*) FROM range(10000000) a (i), range(10000000) b (i) WHERE a.i + b.i > 5;";

#[test]
fn an_interrupt_stops_the_statement_and_the_script() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.llkv");
    let program = env!("CARGO_BIN_EXE_llkv");
    let mut shell = Command::new(program)
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let script = format!(
        "CREATE TABLE t (i INTEGER);\nINSERT INTO t VALUES (1);\n{LONG}\nINSERT INTO t VALUES (2);\n"
    );
    let mut input = shell.stdin.take().unwrap();
    input.write_all(script.as_bytes()).unwrap();
    drop(input);
    let mut output = BufReader::new(shell.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "INSERT 1\n");
    // The long statement comes next; it has begun at the latest when this many milliseconds are over.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let sent = Command::new("kill")
        .args(["-INT", &shell.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    let ended = shell.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(told.contains("cancelled"), "{told}");

    let count = Command::new(program)
        .arg(&file)
        .args(["--format", "csv", "-c", "SELECT sum(i) AS s FROM t"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&count.stdout), "s\n1\n");
}
