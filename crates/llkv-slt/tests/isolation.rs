//! Aborts and hangs in worker processes: this test is its own worker, so it has no harness.

// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::panic)]

mod scripted;

use llkv_slt::{Isolation, SltOptions, SltRunner, Storage, serve};
use scripted::Scripted;
use std::process::Command;
use std::time::{Duration, Instant};

const WORKER_VARIABLE: &str = "LLKV_SLT_TEST_WORKER";

fn main() {
    if std::env::var_os(WORKER_VARIABLE).is_some() {
        serve(&Scripted).unwrap();
        return;
    }
    // `cargo test NAME` and listings run every test binary: only a plain run does the work.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    an_abort_and_a_hang_stop_their_own_files_only();
}

fn an_abort_and_a_hang_stop_their_own_files_only() {
    let folder = tempfile::tempdir().unwrap();
    let good = "query I\nints 1\n----\n1\n\n";
    for (name, text) in [
        ("a.slt", good.to_owned()),
        ("b.slt", format!("{good}statement ok\nabort\n\n{good}")),
        ("c.slt", format!("{good}statement ok\nhang\n")),
        ("d.slt", format!("{good}statement ok\npanic\n")),
        ("e.slt", good.to_owned()),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let program = std::env::current_exe().unwrap();
    let command = || {
        let mut command = Command::new(&program);
        command.env(WORKER_VARIABLE, "1");
        command
    };
    let options = SltOptions {
        paths: vec![folder.path().to_owned()],
        storages: vec![Storage::Memory],
        jobs: 2,
        timeout: Duration::from_millis(500),
        ..SltOptions::default()
    };
    let started = Instant::now();
    let mut out = Vec::new();
    let runner = SltRunner::new(options, Isolation::Processes(&command));
    let summary = runner.run(&mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_eq!(
        (summary.files().passed, summary.files().failed),
        (2, 3),
        "{out}"
    );
    assert!(
        out.contains("b.slt:6: the process died at this record: signal: 6"),
        "{out}"
    );
    assert!(
        out.contains("c.slt:6: this statement did not end within the file's 0.5 s"),
        "{out}"
    );
    assert!(out.contains("the database panicked: as told"), "{out}");
    assert!(started.elapsed() < Duration::from_secs(60));
}
