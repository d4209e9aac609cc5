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
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use llkv_result::{Error, StatementResult, StorageError};
use llkv_sql::{EngineOptions, SqlEngine};
use llkv_storage::{Blob, FilePager, FilePagerOptions, Pager, WriteBatch};
use llkv_types::{PhysicalKey, Scalar};
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

/// A closed database of every kind of stored record, of which a checkpoint has written some and a journal holds others.
fn database_of_all_records(path: &Path) {
    let mut options = options(false);
    options.runtime.store.row_group_rows = 16;
    let engine = SqlEngine::open_with(path, options).unwrap();
    let setup = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);
        CREATE VIEW v AS SELECT id FROM t;
        CREATE INDEX i ON t (v)";
    engine.execute(setup).unwrap();
    engine
        .execute("INSERT INTO t SELECT x, 'text ' || x % 7 FROM generate_series(1, 20000) AS s(x)")
        .unwrap();
    engine.execute("CHECKPOINT").unwrap();
    engine
        .execute("UPDATE t SET v = 'other' WHERE id % 100 = 3")
        .unwrap();
    // As after a crash: a copy of the files as they are now has a journal.
    for suffix in ["", "-wal"] {
        let with = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        std::fs::copy(with(suffix), with(&format!("-copy{suffix}"))).unwrap();
    }
    drop(engine);
    for suffix in ["", "-wal"] {
        let mut name = path.as_os_str().to_owned();
        name.push("-copy");
        name.push(suffix);
        let mut to = path.as_os_str().to_owned();
        to.push(suffix);
        std::fs::rename(name, to).unwrap();
    }
}

/// Puts a version into every value of the file that begins with a mark, through the pager, so that all checksums around it fit.
/// Tells how many there were.
fn set_version(path: &Path, mark: &[u8], version: u8) -> usize {
    let pager = FilePager::open(path, FilePagerOptions::default()).unwrap();
    let keys = pager
        .keys_in(PhysicalKey(0)..PhysicalKey(u64::MAX))
        .unwrap();
    let values = pager.batch_get(&keys).unwrap();
    let mut batch = WriteBatch::default();
    for (key, value) in keys.into_iter().zip(values) {
        let mut bytes = value.unwrap().as_slice().to_vec();
        if bytes.starts_with(mark) {
            bytes[4] = version;
            batch.puts.push((key, Blob::from_bytes(&bytes)));
        }
    }
    let found = batch.puts.len();
    pager.commit(batch).unwrap();
    pager.close().unwrap();
    found
}

#[test]
fn records_of_a_later_version_are_told_from_damage() {
    let records: [(&[u8], &str, u32); 5] = [
        (b"LLKS", "the header of the store", 1),
        (b"LLKT", "the descriptor of a table", 4),
        (b"LLKG", "a description of row groups", 2),
        (b"LLKJ", "a journal record", 4),
        (b"LLKC", "a chunk", 1),
    ];
    for (mark, name, known) in records {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("later.llkv");
        database_of_all_records(&path);
        let later = u8::try_from(known).unwrap() + 1;
        assert!(set_version(&path, mark, later) > 0, "{name}");
        let before = std::fs::read(&path).unwrap();
        let read = SqlEngine::open_with(&path, options(true)).and_then(|engine| {
            for result in engine.session().execute("SELECT sum(id), max(v) FROM t")? {
                if let StatementResult::Select(stream) = result {
                    for batch in stream {
                        batch.map_err(Error::from_arrow)?;
                    }
                }
            }
            Ok(())
        });
        let error = read.unwrap_err();
        let Error::Storage(StorageError::NewerRecord {
            path: named,
            record,
            found,
            supported,
            ..
        }) = &error
        else {
            panic!("{name}: {error}");
        };
        assert_eq!((*record, *found, *supported), (name, known + 1, known));
        assert_eq!(*named, path, "{name}");
        let text = error.to_string();
        assert!(
            text.contains("written by a later version of LLKV"),
            "{text}"
        );
        assert!(!text.contains("damaged"), "{text}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{name}");
    }
}

/// An index of a later version is made anew: it is a second way to rows, not their place.
#[test]
fn indexes_of_a_later_version_are_built_again() {
    for mark in [b"LLKI", b"LLKR"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("later.llkv");
        database_of_all_records(&path);
        assert!(set_version(&path, mark, 2) > 0);
        let engine = SqlEngine::open_with(&path, options(false)).unwrap();
        let question = "SELECT count(*) FROM t WHERE v = 'text 3'";
        let count = || {
            let mut results = engine.session().execute(question).unwrap();
            let StatementResult::Select(stream) = results.pop().unwrap() else {
                panic!("a SELECT gives rows");
            };
            let batches: Vec<_> = stream.collect::<std::result::Result<_, _>>().unwrap();
            Scalar::from_array(batches[0].column(0), 0)
                .unwrap()
                .to_string()
        };
        let before = count();
        engine.execute("CHECKPOINT").unwrap();
        assert_eq!(count(), before);
        assert_eq!(engine.runtime().verify().unwrap(), Vec::<String>::new());
    }
}
