//! Power cuts while threads commit, load and checkpoint at once.
//!
//! Every writer has keys of its own and writes all of them in each commit, so what is found tells
//! which of its commits it is of. The disk is recorded; the cuts come afterwards, at its operations.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{get, value};
use llkv_storage::disk::sim::SimDisk;
use llkv_storage::{Blob, FilePager, FilePagerOptions, Pager, ReadMode, WriteBatch};
use llkv_types::PhysicalKey;
use std::sync::{Arc, Mutex};

const PATH: &str = "threads.llkv";
const WRITERS: u64 = 3;
const COMMITS: u64 = 25;
const KEYS: u64 = 3;

fn options() -> FilePagerOptions {
    FilePagerOptions {
        log_bytes: 128 << 10,
        read_mode: ReadMode::Pool,
        ..FilePagerOptions::default()
    }
}

/// (operations of the disk, writer, number of its commit)
type Notes = Mutex<Vec<(u64, u64, u64)>>;

fn bytes_of(writer: u64, number: u64, key: u64) -> Vec<u8> {
    // The first writer's values are large, and written early.
    let len = if writer == 0 {
        70_000
    } else {
        (number * 531 + key * 77) % 4000
    };
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.extend(value(writer * 1_000_000 + number * 100 + key, len as usize));
    bytes
}

fn write(disk: &SimDisk, pager: &FilePager, writer: u64, begun: &Notes, acknowledged: &Notes) {
    for number in 1..=COMMITS {
        begun
            .lock()
            .unwrap()
            .push((disk.operations(), writer, number));
        let mut batch = WriteBatch::default();
        for key in 0..KEYS {
            let bytes = bytes_of(writer, number, key);
            let blob = if writer == 0 {
                pager.write_early(&bytes).unwrap()
            } else {
                Blob::from_bytes(&bytes)
            };
            batch.puts.push((PhysicalKey(writer * 500 + key), blob));
        }
        pager.commit(batch).unwrap();
        acknowledged
            .lock()
            .unwrap()
            .push((disk.operations(), writer, number));
    }
}

fn latest(notes: &Notes, operations: u64, writer: u64) -> u64 {
    let notes = notes.lock().unwrap();
    let known = notes
        .iter()
        .filter(|(at, who, _)| *at <= operations && *who == writer);
    known.map(|(_, _, number)| *number).max().unwrap_or(0)
}

fn check(disk: &SimDisk, operations: u64, begun: &Notes, acknowledged: &Notes, what: &str) {
    let pager = FilePager::open_on(Arc::new(disk.clone()), PATH, options()).unwrap();
    pager.verify().unwrap();
    for writer in 0..WRITERS {
        let first = get(&pager, writer * 500);
        let number = first.map_or(0, |b| u64::from_le_bytes(b[..8].try_into().unwrap()));
        let must = latest(acknowledged, operations, writer);
        let may = latest(begun, operations, writer);
        assert!(
            (must..=may).contains(&number),
            "{what}: {number} is not in {must}..={may}"
        );
        for key in (0..KEYS).filter(|_| number > 0) {
            let found = get(&pager, writer * 500 + key).unwrap();
            assert!(
                found == bytes_of(writer, number, key),
                "{what}: half of a commit"
            );
        }
    }
}

#[test]
fn threads_lose_nothing_that_was_acknowledged() {
    let rounds = if common::long() { 1000 } else { 10 };
    let mut cuts = 0;
    for seed in 0..rounds {
        let disk = SimDisk::new(seed);
        disk.record();
        let pager = FilePager::open_on(Arc::new(disk.clone()), PATH, options()).unwrap();
        let (begun, acknowledged) = (Notes::default(), Notes::default());
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (disk, pager, begun, acknowledged) = (&disk, &pager, &begun, &acknowledged);
                scope.spawn(move || write(disk, pager, writer, begun, acknowledged));
            }
            for _ in 0..6 {
                pager.checkpoint().unwrap();
            }
        });
        drop(pager);
        for (number, copy) in disk.take_recording().into_iter().enumerate() {
            let copy = copy.fork(seed * 100_000 + number as u64);
            let operations = copy.operations();
            copy.power_cut();
            cuts += 1;
            let what = format!("seed {seed}, operation {number}");
            check(&copy, operations, &begun, &acknowledged, &what);
        }
    }
    assert!(cuts > rounds * 200, "{cuts}");
}
