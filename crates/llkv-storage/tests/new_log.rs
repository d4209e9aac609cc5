//! The log is a file of its own, made at the first commit. Whoever made it may have failed half-way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use llkv_storage::disk::sim::{Fault, FaultKind, SimDisk};
use llkv_storage::{Blob, FilePager, FilePagerOptions, Pager, WriteBatch};
use llkv_types::PhysicalKey;
use std::sync::Arc;

fn open(disk: &SimDisk) -> FilePager {
    let options = FilePagerOptions {
        background_checkpoint: false,
        ..FilePagerOptions::default()
    };
    FilePager::open_on(Arc::new(disk.clone()), "new_log.llkv", options).unwrap()
}

fn put(key: u64) -> WriteBatch {
    WriteBatch {
        puts: vec![(PhysicalKey(key), Blob::from_bytes(b"a value"))],
        frees: Vec::new(),
    }
}

/// The name of a log lasts only once its folder is synced: also that of one which was found there.
#[test]
fn commits_outlast_a_power_cut_after_the_log_was_made_in_vain() {
    for kind in [FaultKind::ErrorForever, FaultKind::DiskFull] {
        for operation in 1..30 {
            for seed in 0..8 {
                let disk = SimDisk::new(seed);
                open(&disk).close().unwrap();
                let failing = open(&disk);
                let operation = disk.operations() + operation;
                disk.inject(Fault { operation, kind });
                let _ = failing.commit(put(1));
                drop(failing);
                disk.heal();

                let pager = open(&disk);
                pager.commit(put(2)).unwrap();
                disk.power_cut();
                drop(pager);
                let found = open(&disk).batch_get(&[PhysicalKey(2)]).unwrap();
                assert!(
                    found.iter().all(Option::is_some),
                    "{kind:?} at {operation}, seed {seed}"
                );
            }
        }
    }
}
