//! The file gives back what it does not need: it is packed and cut at the clean end, and no crash loses a value.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use common::{blob, frees, get, keys, value};
use llkv_storage::disk::sim::SimDisk;
use llkv_storage::{FilePager, FilePagerOptions, Pager, ReadMode, WriteBatch};
use llkv_types::{CancelToken, PhysicalKey};
use std::path::Path;
use std::sync::Arc;

const PATH: &str = "space.llkv";

fn options() -> FilePagerOptions {
    FilePagerOptions {
        log_bytes: 128 << 10,
        background_checkpoint: false,
        read_mode: ReadMode::Pool,
        pack_bytes: 64 << 10,
        ..FilePagerOptions::default()
    }
}

fn open(disk: &SimDisk) -> FilePager {
    FilePager::open_on(Arc::new(disk.clone()), PATH, options()).unwrap()
}

fn size(disk: &SimDisk) -> usize {
    disk.contents(Path::new(PATH)).unwrap().len()
}

/// 120 values of some 40 KiB each, of which those below `kept_from` are freed again.
fn fill(disk: &SimDisk, kept_from: u64) -> FilePager {
    let pager = open(disk);
    for key in 0..120 {
        let puts = vec![(PhysicalKey(key * 50), blob(key, 40_000 + key as usize * 7))];
        let frees = Vec::new();
        pager.commit(WriteBatch { puts, frees }).unwrap();
    }
    pager.checkpoint().unwrap();
    let gone: Vec<u64> = (0..kept_from).map(|key| key * 50).collect();
    pager.commit(frees(&gone)).unwrap();
    pager
}

fn check(pager: &FilePager, kept_from: u64) {
    let kept: Vec<u64> = (kept_from..120).map(|key| key * 50).collect();
    assert_eq!(keys(pager, 0, u64::MAX), kept);
    for key in kept_from..120 {
        let expected = value(key, 40_000 + key as usize * 7);
        assert!(get(pager, key * 50) == Some(expected), "key {key}");
    }
    pager.verify().unwrap();
}

#[test]
fn a_file_is_as_long_as_what_is_left_in_it() {
    let disk = SimDisk::new(1);
    let pager = fill(&disk, 110);
    pager.close().unwrap();
    let live = 10 * 45_000;
    assert!(size(&disk) < live * 5 / 4 + (300 << 10), "{}", size(&disk));
    let pager = open(&disk);
    check(&pager, 110);
    pager
        .commit(frees(&(110..120).map(|key| key * 50).collect::<Vec<_>>()))
        .unwrap();
    pager.close().unwrap();
    assert!(size(&disk) < 300 << 10, "{}", size(&disk));
    check(&open(&disk), 120);
}

/// All of it, and not only the little that closing does; whoever has the file open goes on.
#[test]
fn a_file_that_is_compacted_has_no_room_left_in_it() {
    let disk = SimDisk::new(1);
    let pager = fill(&disk, 100);
    let before = size(&disk);
    pager.compact(&CancelToken::new()).unwrap();
    let live = 20 * 45_000;
    assert!(
        size(&disk) < live + (200 << 10),
        "{} of {before}",
        size(&disk)
    );
    check(&pager, 100);
    let again = size(&disk);
    pager.compact(&CancelToken::new()).unwrap();
    assert!(size(&disk) <= again, "{} after {again}", size(&disk));
    pager.commit(frees(&[119 * 50])).unwrap();
    drop(pager);
    assert_eq!(keys(&open(&disk), 0, u64::MAX).len(), 19);
}

#[test]
fn a_blob_that_looks_at_a_moved_value_keeps_its_bytes() {
    let disk = SimDisk::new(2).with_maps();
    let mapped = FilePagerOptions {
        read_mode: ReadMode::Map,
        ..options()
    };
    drop(fill(&disk, 100));
    let pager = FilePager::open_on(Arc::new(disk.clone()), PATH, mapped).unwrap();
    let held = pager
        .batch_get(&[PhysicalKey(119 * 50)])
        .unwrap()
        .remove(0)
        .unwrap();
    pager
        .commit(frees(&(100..115).map(|key| key * 50).collect::<Vec<_>>()))
        .unwrap();
    pager.close().unwrap();
    assert!(held.as_slice() == value(119, 40_000 + 119 * 7));
    check(&open(&disk), 115);
    assert!(held.as_slice() == value(119, 40_000 + 119 * 7));
}

#[test]
fn a_power_cut_while_a_file_is_packed_loses_nothing() {
    let disk = SimDisk::new(3);
    let pager = fill(&disk, 105);
    let before = size(&disk);
    disk.record();
    pager.close().unwrap();
    let after = size(&disk);
    assert!(after * 3 < before, "{before} {after}");
    let recording = disk.take_recording();
    assert!(recording.len() > 40);
    for (number, copy) in recording.into_iter().enumerate() {
        for seed in 0..2 {
            let cut = copy.fork(number as u64 * 2 + seed);
            cut.power_cut();
            let pager = open(&cut);
            check(&pager, 105);
            pager.close().unwrap();
            assert!(size(&cut) <= before);
            check(&open(&cut), 105);
        }
    }
}
