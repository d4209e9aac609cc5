//! Every pager passes the same suite.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::suite::{self, Harness};
use llkv_storage::{
    BoxedPager, FilePager, FilePagerOptions, InstrumentedPager, MemPager, ReadMode, SimDisk,
};
use std::sync::Arc;

struct Memory;

impl Harness for Memory {
    fn fresh(&mut self) -> BoxedPager {
        Arc::new(InstrumentedPager::new(Arc::new(MemPager::new())))
    }

    fn reopen(&mut self, pager: BoxedPager) -> BoxedPager {
        pager
    }
}

#[test]
fn mem_pager_behind_counters() {
    suite::run(&mut Memory);
}

/// A new file for each pager, in one scratch folder.
struct OnFile {
    folder: tempfile::TempDir,
    count: u32,
    options: FilePagerOptions,
}

impl OnFile {
    fn new(options: FilePagerOptions) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            count: 0,
            options,
        }
    }

    fn open(&self) -> BoxedPager {
        let path = self.folder.path().join(format!("{}.llkv", self.count));
        let pager = FilePager::open(path, self.options.clone()).unwrap();
        pager.verify().unwrap();
        Arc::new(pager)
    }
}

impl Harness for OnFile {
    fn fresh(&mut self) -> BoxedPager {
        self.count += 1;
        self.open()
    }

    fn reopen(&mut self, pager: BoxedPager) -> BoxedPager {
        drop(pager);
        let log = self.folder.path().join(format!("{}.llkv-wal", self.count));
        assert!(!log.exists(), "a clean close leaves no log");
        self.open()
    }
}

#[test]
fn file_pager_mapped() {
    suite::run(&mut OnFile::new(FilePagerOptions {
        log_bytes: 1 << 20,
        ..FilePagerOptions::default()
    }));
}

#[test]
fn file_pager_pooled() {
    suite::run(&mut OnFile::new(FilePagerOptions {
        read_mode: ReadMode::Pool,
        log_bytes: 256 << 10,
        pool_bytes: 300_000,
        ..FilePagerOptions::default()
    }));
}

/// A new simulated disk for each pager.
struct OnSimulation {
    disk: SimDisk,
    seed: u64,
    maps: bool,
    options: FilePagerOptions,
}

impl OnSimulation {
    fn open(&self) -> BoxedPager {
        let disk = Arc::new(self.disk.clone());
        let pager = FilePager::open_on(disk, "sim.llkv", self.options.clone()).unwrap();
        pager.verify().unwrap();
        Arc::new(pager)
    }
}

impl Harness for OnSimulation {
    fn fresh(&mut self) -> BoxedPager {
        self.seed += 1;
        self.disk = SimDisk::new(self.seed);
        if self.maps {
            self.disk = self.disk.clone().with_maps();
        }
        self.open()
    }

    fn reopen(&mut self, pager: BoxedPager) -> BoxedPager {
        drop(pager);
        self.open()
    }
}

fn on_simulation(maps: bool, read_mode: ReadMode) -> OnSimulation {
    OnSimulation {
        disk: SimDisk::new(0),
        seed: 0,
        maps,
        options: FilePagerOptions {
            log_bytes: 256 << 10,
            pool_bytes: 100_000,
            read_mode,
            ..FilePagerOptions::default()
        },
    }
}

#[test]
fn file_pager_mapped_on_a_simulated_disk() {
    suite::run(&mut on_simulation(true, ReadMode::Map));
}

#[test]
fn file_pager_mapped_where_nothing_can_be_mapped() {
    suite::run(&mut on_simulation(false, ReadMode::Map));
}

#[test]
fn file_pager_pooled_on_a_simulated_disk() {
    suite::run(&mut on_simulation(false, ReadMode::Pool));
}
