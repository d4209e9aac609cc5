//! Databases of released formats open for ever, and answer as they did.
//!
//! `fixtures/format-1.llkv` was written by `writes_the_fixture_of_this_format` from `format-1.sql` when
//! format 1 was made, and never closed: half of it was checkpointed, the other half lies in its log.
//! It must not be written again: a change that makes this test fail needs a new version of the record
//! that it changed, and goes on reading the old one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use llkv_result::{Error, StatementResult};
use llkv_sql::{EngineOptions, SqlEngine};
use llkv_types::Scalar;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Where `format-1.sql` was checkpointed.
const CHECKPOINT: &str = "-- part two\n";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap()
}

fn options(read_only: bool) -> EngineOptions {
    let mut options = EngineOptions {
        read_only,
        ..EngineOptions::default()
    };
    options.runtime.file.log_bytes = 128 << 10;
    options
}

/// The answers to `format-1.questions.sql`: each statement, and its rows.
fn answers(engine: &SqlEngine) -> String {
    let session = engine.session();
    let mut out = String::new();
    for question in text("format-1.questions.sql").lines() {
        writeln!(out, "{question}").unwrap();
        for result in session.execute(question).unwrap() {
            let StatementResult::Select(stream) = result else {
                continue;
            };
            for batch in stream {
                let batch = batch.map_err(Error::from_arrow).unwrap();
                for row in 0..batch.num_rows() {
                    let values = batch.columns().iter();
                    let values: Vec<String> = values
                        .map(|column| Scalar::from_array(column, row).unwrap().to_string())
                        .collect();
                    writeln!(out, "    {}", values.join(" | ")).unwrap();
                }
            }
        }
    }
    out
}

fn copy_of_the_fixture(folder: &Path) -> PathBuf {
    let copy = folder.join("copy.llkv");
    for suffix in ["", "-wal"] {
        let mut to = copy.clone().into_os_string();
        to.push(suffix);
        std::fs::copy(fixture(&format!("format-1.llkv{suffix}")), to).unwrap();
    }
    copy
}

#[track_caller]
fn assert_answers(engine: &SqlEngine, when: &str) {
    let (expected, found) = (text("format-1.answers.txt"), answers(engine));
    let differ = expected.lines().zip(found.lines()).find(|(a, b)| a != b);
    assert!(expected == found, "{when}: {differ:?}");
    assert_eq!(engine.runtime().verify().unwrap(), Vec::<String>::new());
}

#[test]
fn format_1_answers_as_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let copy = copy_of_the_fixture(folder.path());
    let engine = SqlEngine::open_with(&copy, options(true)).unwrap();
    assert_answers(&engine, "read only");
    drop(engine);
    let engine = SqlEngine::open_with(&copy, options(false)).unwrap();
    assert_answers(&engine, "after its log was replayed");
    engine.execute("CHECKPOINT").unwrap();
    assert_answers(&engine, "after a checkpoint");
    drop(engine);
    let engine = SqlEngine::open_with(&copy, options(false)).unwrap();
    assert_answers(&engine, "after it was closed");
}

#[test]
fn the_statements_of_the_fixture_still_give_its_answers() {
    let engine = SqlEngine::in_memory().unwrap();
    engine.execute(&text("format-1.sql")).unwrap();
    assert_answers(&engine, "in memory");
}

/// How the fixture was made; run by hand with `--ignored` when a new format is.
#[test]
#[ignore = "fixtures are written once for each format"]
fn writes_the_fixture_of_this_format() {
    let script = text("format-1.sql");
    let (one, two) = script.split_once(CHECKPOINT).unwrap();
    let path = fixture("format-1.llkv");
    let engine = SqlEngine::open_with(&path, options(false)).unwrap();
    engine.execute(one).unwrap();
    engine.execute("CHECKPOINT").unwrap();
    engine.execute(two).unwrap();
    std::fs::write(fixture("format-1.answers.txt"), answers(&engine)).unwrap();
    std::mem::forget(engine);
}
