//! Scripts: what stops one tells where it stands.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a script wrote to stderr; it must fail.
#[track_caller]
fn errors_of(folder: &Path, script: &[u8]) -> String {
    let path = folder.join("load.sql");
    std::fs::write(&path, script).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_llkv"))
        .current_dir(folder)
        .args(["-f", "load.sql"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn errors_tell_the_line_of_the_script() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &str); 6] = [
        // An error with a place in its statement, and one without.
        ("SELECT 1;\n\nSELECT 2,\n  nothing;\n", "load.sql:4:3"),
        ("SELECT 1;\nSELECT\n 1 / 0;\nSELECT 3;\n", "load.sql:2"),
        // Of several statements in a line, and of one that ends with the script.
        ("SELECT 1; SELECT 1 /\n 0; SELECT 2;\n", "load.sql:1"),
        ("-- a comment\nSELECT 1;\nSELECT 1 / 0", "load.sql:3"),
        ("SELECT 1;\n\n.nothing\n", "load.sql:3"),
        ("SELECT 1;\n.read missing.sql\n", "load.sql:2"),
    ];
    for (script, place) in cases {
        let errors = errors_of(folder.path(), script.as_bytes());
        let told = errors
            .lines()
            .any(|line| line.trim_start() == format!("--> {place}"));
        assert!(told, "{script}: {errors}");
    }
    let errors = errors_of(folder.path(), b"SELECT 1;\nSELECT '\xff';\n");
    assert!(
        errors.contains("utf-8") && errors.contains("load.sql:2"),
        "{errors}"
    );
}

#[test]
fn an_inner_script_tells_its_own_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("inner.sql"),
        "SELECT 1;\nSELECT nothing;\n",
    )
    .unwrap();
    let errors = errors_of(folder.path(), b"SELECT 1;\n\n.read inner.sql\n");
    assert!(errors.contains("--> inner.sql:2:8"), "{errors}");
}

#[test]
fn standard_input_is_a_script_too() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_llkv"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"SELECT 1;\nSELECT nothing;\n").unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("--> stdin:2:8"), "{errors}");
}

#[test]
fn an_arrow_file_holds_one_result() {
    let output = Command::new(env!("CARGO_BIN_EXE_llkv"))
        .args(["--format", "arrow", "-c", "SELECT 1 AS a; SELECT 2 AS b"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("holds one result"), "{message}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_script() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("load.sql");
    std::fs::write(&path, "\u{feff}SELECT 'one';\n").unwrap();
    let program = || {
        let mut program = Command::new(env!("CARGO_BIN_EXE_llkv"));
        program.args(["--format", "csv"]).stdout(Stdio::piped());
        program
    };
    let by_name = program().arg("-f").arg(&path).output().unwrap();
    assert_eq!(by_name.stdout, b"'one'\none\n");
    let piped = program()
        .stdin(std::fs::File::open(&path).unwrap())
        .output();
    assert_eq!(piped.unwrap().stdout, by_name.stdout);
    // Within a script it is one.
    let errors = errors_of(folder.path(), "SELECT 1;\n\u{feff}SELECT 2;\n".as_bytes());
    assert!(errors.contains("load.sql:2:1"), "{errors}");
}

#[test]
fn what_is_shown_does_nothing_to_a_terminal() {
    let output = Command::new(env!("CARGO_BIN_EXE_llkv"))
        .args([
            "-c",
            "SELECT chr(27) || '[2J' || chr(7) || chr(9) AS a, chr(155) AS b",
        ])
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains(r"\x1b[2J\x07\t"), "{shown}");
    assert!(shown.contains(r"\u009b"), "{shown}");
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'));
}

#[test]
fn a_reader_that_goes_away_is_no_news() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_llkv"))
        .args(["--format", "csv", "-c", "SELECT * FROM range(2000000)"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(program.stdout.take());
    let output = program.wait_with_output().unwrap();
    assert!(!output.status.success());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
