//! A backup is what its pin saw, however much is written meanwhile, or it is not there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use common::{get, keys, puts, value};
use llkv_result::Error;
use llkv_storage::disk::sim::SimDisk;
use llkv_storage::{Disk, FilePager, FilePagerOptions, MemPager, Pager, ReadMode, backup};
use std::path::Path;
use std::sync::Arc;

const SOURCE: &str = "source.llkv";
const TARGET: &str = "backup.llkv";

fn options() -> FilePagerOptions {
    FilePagerOptions {
        log_bytes: 256 << 10,
        background_checkpoint: false,
        read_mode: ReadMode::Pool,
        ..FilePagerOptions::default()
    }
}

fn open(disk: &SimDisk, path: &str) -> FilePager {
    FilePager::open_on(Arc::new(disk.clone()), path, options()).unwrap()
}

fn length(key: u64) -> usize {
    (key as usize * 7919) % 90_000
}

fn fill(pager: &dyn Pager, version: u64) {
    for key in 0..300 {
        let bytes = value(key * 1_000 + version, length(key));
        pager.commit(puts(&[(key * 77, &bytes)])).unwrap();
    }
}

fn check(pager: &FilePager, version: u64) {
    assert_eq!(keys(pager, 0, u64::MAX).len(), 300);
    for key in 0..300 {
        let expected = value(key * 1_000 + version, length(key));
        assert!(get(pager, key * 77) == Some(expected), "key {key}");
    }
    pager.verify().unwrap();
}

#[test]
fn a_backup_is_what_its_pin_saw() {
    let disk = SimDisk::new(1);
    let memory = MemPager::new();
    let file = open(&disk, SOURCE);
    for (number, source) in [&memory as &dyn Pager, &file].into_iter().enumerate() {
        fill(source, 1);
        let pin = source.pin();
        let target = format!("{number}-{TARGET}");
        let mut calls = 0;
        let done = backup(
            &*pin,
            Arc::new(disk.clone()),
            Path::new(&target),
            options(),
            &mut |_| {
                calls += 1;
                if calls == 1 {
                    // Writing goes on.
                    fill(source, 2);
                    source.checkpoint()?;
                }
                Ok(())
            },
        );
        assert_eq!(done.unwrap().keys, 300);
        assert!(calls > 1, "{calls} calls");
        check(&open(&disk, &target), 1);
    }
    check(&file, 2);
}

#[test]
fn nothing_is_left_of_a_backup_that_was_stopped_or_that_a_file_was_in_the_way_of() {
    let disk = SimDisk::new(2);
    let source = open(&disk, SOURCE);
    fill(&source, 1);
    let run = |stop: bool| {
        let pin = source.pin();
        backup(
            &*pin,
            Arc::new(disk.clone()),
            Path::new(TARGET),
            options(),
            &mut |_| match stop {
                true => Err(Error::internal("stopped")),
                false => Ok(()),
            },
        )
    };
    assert!(run(true).unwrap_err().to_string().contains("stopped"));
    for name in ["", "-unfinished", "-unfinished-wal", "-unfinished-new"] {
        let path = format!("{TARGET}{name}");
        assert!(!disk.exists(Path::new(&path)).unwrap(), "{path}");
    }
    run(false).unwrap();
    let before = disk.contents(Path::new(TARGET)).unwrap();
    let error = run(false).unwrap_err().to_string();
    assert!(error.contains("exists"), "{error}");
    assert!(disk.contents(Path::new(TARGET)).unwrap() == before);
    check(&open(&disk, TARGET), 1);
}

/// Power fails after each operation of a backup: what has the backup's name is the backup.
#[test]
fn power_cuts_leave_a_whole_backup_or_none() {
    let disk = SimDisk::new(3);
    let source = open(&disk, SOURCE);
    fill(&source, 1);
    let pin = source.pin();
    disk.record();
    let done = backup(
        &*pin,
        Arc::new(disk.clone()),
        Path::new(TARGET),
        options(),
        &mut |_| Ok(()),
    );
    done.unwrap();
    let recording = disk.take_recording();
    let (mut whole, mut none) = (0, 0);
    let last = recording.len() - 1;
    for (number, copy) in recording.into_iter().enumerate() {
        let cut = copy.fork(number as u64);
        cut.power_cut();
        if cut.exists(Path::new(TARGET)).unwrap() {
            check(&open(&cut, TARGET), 1);
            whole += 1;
        } else {
            assert!(number < last, "an acknowledged backup is gone");
            none += 1;
        }
    }
    assert!(whole > 0 && none > 0, "{whole} whole, {none} none");
}
