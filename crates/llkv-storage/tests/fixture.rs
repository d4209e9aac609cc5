//! Files of released formats open for ever.
//!
//! `fixtures/format-1.llkv` was written by `writes_the_fixture_of_this_format` when format 1 was made.
//! It must not be written again: a change that makes this test fail needs a new format number, and
//! goes on reading the old one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use common::value;
use llkv_storage::{Blob, FilePager, FilePagerOptions, Pager, ReadMode, WriteBatch};
use llkv_types::PhysicalKey;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

/// Values of all kinds: in a page, in an extent, empty, under keys far apart.
fn contents() -> BTreeMap<u64, Vec<u8>> {
    let keys = [0, 1, 2, 127, 128, 129, 20_000, 1 << 40, u64::MAX - 1];
    let lens = [0, 1, 512, 513, 4096, 5000, 66_000, 300, 40];
    let values = keys
        .iter()
        .zip(lens)
        .map(|(key, len)| (*key, value(*key, len)));
    values.collect()
}

fn batch(freed: u64) -> WriteBatch {
    WriteBatch {
        puts: contents()
            .iter()
            .map(|(key, v)| (PhysicalKey(*key), Blob::from_bytes(v)))
            .collect(),
        frees: vec![PhysicalKey(freed)],
    }
}

fn assert_has_the_contents(pager: &FilePager) {
    let keys = pager
        .keys_in(PhysicalKey(0)..PhysicalKey(u64::MAX))
        .unwrap();
    assert!(keys.iter().map(|k| k.0).eq(contents().keys().copied()));
    for (key, expected) in contents() {
        assert_eq!(common::get(pager, key).unwrap(), expected, "key {key}");
    }
    pager.verify().unwrap();
}

fn options(read_mode: ReadMode) -> FilePagerOptions {
    FilePagerOptions {
        read_mode,
        log_bytes: 128 << 10,
        ..FilePagerOptions::default()
    }
}

#[test]
fn format_1_opens() {
    for mode in [ReadMode::Map, ReadMode::Pool] {
        let pager = FilePager::open_read_only(fixture("format-1.llkv"), options(mode)).unwrap();
        assert_eq!(pager.stats().last_commit.0, 4);
        assert_has_the_contents(&pager);
    }
    // A writer goes on with a copy of it.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.llkv");
    std::fs::copy(fixture("format-1.llkv"), &copy).unwrap();
    let pager = FilePager::open(&copy, options(ReadMode::Map)).unwrap();
    pager.commit(batch(3)).unwrap();
    pager.close().unwrap();
    let pager = FilePager::open(&copy, options(ReadMode::Map)).unwrap();
    assert_has_the_contents(&pager);
}

/// A database that was not closed: its log must be replayed.
#[test]
fn format_1_opens_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("crashed.llkv");
    for suffix in ["", "-wal"] {
        let from = fixture(&format!("format-1-crashed.llkv{suffix}"));
        let mut to = copy.clone().into_os_string();
        to.push(suffix);
        std::fs::copy(from, to).unwrap();
    }
    for _ in 0..2 {
        let pager = FilePager::open_read_only(&copy, options(ReadMode::Pool)).unwrap();
        assert_eq!(pager.stats().last_commit.0, 5);
        assert_has_the_contents(&pager);
    }
    let pager = FilePager::open(&copy, options(ReadMode::Map)).unwrap();
    assert_has_the_contents(&pager);
}

/// How the fixtures were made; run by hand with `--ignored` when a new format is.
#[test]
#[ignore = "fixtures are written once for each format"]
fn writes_the_fixture_of_this_format() {
    let path = fixture("format-1.llkv");
    let pager = FilePager::open(&path, options(ReadMode::Map)).unwrap();
    pager.commit(batch(5)).unwrap();
    pager
        .commit(common::puts(&[
            (77, &value(1, 9000)),
            (78, &value(1, 9000)),
        ]))
        .unwrap();
    pager.checkpoint().unwrap();
    pager.commit(common::frees(&[77])).unwrap();
    pager.commit(common::frees(&[78])).unwrap();
    pager.close().unwrap();

    let crashed = fixture("format-1-crashed.llkv");
    std::fs::copy(&path, &crashed).unwrap();
    let pager = FilePager::open(&crashed, options(ReadMode::Map)).unwrap();
    pager.commit(batch(5)).unwrap();
    std::mem::forget(pager);
}
