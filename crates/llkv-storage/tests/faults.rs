//! One fault at every I/O operation of a script of 200 commits.
//!
//! Whatever fails, and however: what was acknowledged stays, what was refused is not there, and after
//! an outcome that is said to be unknown either may be true. Reads never give a wrong answer. Once the
//! disk is well again, the file opens and goes on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use common::script::{History, PATH, options};
use common::{long, script, value};
use llkv_storage::disk::sim::{Fault, FaultKind, SimDisk};
use llkv_storage::{Blob, FilePager, Pager, WriteBatch};
use llkv_types::PhysicalKey;
use std::collections::BTreeMap;
use std::sync::Arc;

const COMMITS: u64 = 200;

/// The batch of one commit: small and middling values, and now and then a large one, written early
/// or by the log; frees of earlier keys.
fn batch_of(number: u64, pager: &FilePager) -> llkv_result::Result<WriteBatch> {
    let mut batch = WriteBatch::default();
    let key = number * 7 % 40;
    batch
        .puts
        .push((PhysicalKey(key), Blob::from_bytes(&bytes_of(number, 0))));
    if number.is_multiple_of(5) {
        batch.puts.push((
            PhysicalKey(key + 100),
            Blob::from_bytes(&bytes_of(number, 1)),
        ));
        batch.frees.push(PhysicalKey((number * 3) % 40 + 100));
    }
    if number.is_multiple_of(25) {
        let early = pager.write_early(&bytes_of(number, 2))?;
        batch.puts.push((PhysicalKey(key + 200), early));
    }
    if number.is_multiple_of(40) {
        batch.puts.push((
            PhysicalKey(key + 300),
            Blob::from_bytes(&bytes_of(number, 3)),
        ));
    }
    Ok(batch)
}

fn bytes_of(number: u64, part: u64) -> Arc<[u8]> {
    let len = [number * 13 % 700, number * 17 % 6000, 20_000, 70_000][part as usize];
    value(number * 10 + part, len as usize).into()
}

type Contents = BTreeMap<u64, Arc<[u8]>>;

/// The contents as the batch of `number` leaves them.
fn apply(contents: &mut Contents, number: u64) {
    let key = number * 7 % 40;
    if number.is_multiple_of(5) {
        contents.remove(&((number * 3) % 40 + 100));
    }
    contents.insert(key, bytes_of(number, 0));
    if number.is_multiple_of(5) {
        contents.insert(key + 100, bytes_of(number, 1));
    }
    if number.is_multiple_of(25) {
        contents.insert(key + 200, bytes_of(number, 2));
    }
    if number.is_multiple_of(40) {
        contents.insert(key + 300, bytes_of(number, 3));
    }
}

/// What the script knows about the file.
struct Run {
    /// The contents that must be there.
    sure: Contents,
    /// The contents after the commits of unknown outcome, one after the other.
    possible: Vec<Contents>,
    failures: u32,
}

impl Run {
    /// Commits all batches, whatever happens, reopening after a poisoned handle (which may fail too).
    fn script(disk: &SimDisk) -> Self {
        let mut run = Self {
            sure: Contents::new(),
            possible: Vec::new(),
            failures: 0,
        };
        let mut pager = None;
        for number in 1..=COMMITS {
            if pager.is_none() {
                pager = run.open(disk);
            }
            let Some(open) = &pager else {
                return run;
            };
            match batch_of(number, open).and_then(|batch| open.log(batch)) {
                Ok(id) => {
                    let mut next = run.newest().clone();
                    apply(&mut next, number);
                    run.possible.push(next);
                    match open.sync(id) {
                        Ok(()) => run.settle(),
                        Err(_) => {
                            run.failures += 1;
                            pager = None;
                        }
                    }
                }
                Err(error) => {
                    run.failures += 1;
                    if script::is_unknown(&error) {
                        let mut next = run.newest().clone();
                        apply(&mut next, number);
                        run.possible.push(next);
                        pager = None;
                    }
                }
            }
            if let Some(open) = &pager {
                run.read_some(open, number);
                if number % 60 == 0 && open.checkpoint().is_err() {
                    run.failures += 1;
                }
            }
        }
        if let Some(open) = pager {
            run.failures += u32::from(open.close().is_err());
        }
        run
    }

    fn newest(&self) -> &Contents {
        self.possible.last().unwrap_or(&self.sure)
    }

    fn settle(&mut self) {
        self.sure = self.newest().clone();
        self.possible.clear();
    }

    /// Opens the file and finds out which of the possible contents it has.
    fn open(&mut self, disk: &SimDisk) -> Option<FilePager> {
        for _ in 0..2 {
            match FilePager::open_on(Arc::new(disk.clone()), PATH, options(None)) {
                Ok(pager) => {
                    let found = contents(&pager).ok()?;
                    let known = std::iter::once(&self.sure).chain(&self.possible);
                    assert!(
                        known.into_iter().any(|c| *c == found),
                        "contents nobody wrote"
                    );
                    self.sure = found;
                    self.possible.clear();
                    return Some(pager);
                }
                Err(_) => self.failures += 1,
            }
        }
        None
    }

    /// A read gives the right answer or an error.
    fn read_some(&mut self, pager: &FilePager, number: u64) {
        for key in [number % 40, number * 3 % 40 + 100, number % 40 + 200] {
            match pager.batch_get(&[PhysicalKey(key)]) {
                Ok(found) => {
                    let found = found[0].as_ref().map(Blob::as_slice);
                    assert_eq!(found, self.newest().get(&key).map(|b| &**b), "key {key}");
                }
                Err(_) => self.failures += 1,
            }
        }
    }
}

fn contents(pager: &FilePager) -> llkv_result::Result<Contents> {
    let keys = pager.keys_in(PhysicalKey(0)..PhysicalKey(u64::MAX))?;
    let found = pager.batch_get(&keys)?;
    let pairs = keys.iter().zip(found);
    Ok(pairs
        .filter_map(|(key, blob)| Some((key.0, blob?.as_slice().into())))
        .collect())
}

/// Operations of the script without a fault.
fn operations_of_the_script() -> u64 {
    let disk = SimDisk::new(7);
    let run = Run::script(&disk);
    assert_eq!(run.failures, 0);
    assert!(run.sure.len() > 40);
    disk.operations()
}

/// Runs the script with one fault at each operation in turn; after every other run the power is cut.
fn campaign(kind: FaultKind) {
    let operations = operations_of_the_script();
    assert!(operations > 500, "{operations}");
    let mut failed_runs = 0;
    for operation in 1..=operations {
        let disk = SimDisk::new(operation);
        disk.inject(Fault { operation, kind });
        let mut run = Run::script(&disk);
        failed_runs += u64::from(run.failures > 0);
        disk.heal();
        if operation % 2 == 0 {
            disk.power_cut();
        }
        let pager = run
            .open(&disk)
            .unwrap_or_else(|| panic!("{kind:?} at {operation}: it stays closed"));
        pager.verify().unwrap();
        // It goes on as if nothing had been.
        let id = pager.commit(batch_of(1000, &pager).unwrap()).unwrap();
        apply(&mut run.sure, 1000);
        assert_eq!(
            contents(&pager).unwrap(),
            run.sure,
            "{kind:?} at {operation}, commit {id:?}"
        );
    }
    let expected = match kind {
        FaultKind::ShortWrite => 0,
        _ => operations / 10,
    };
    assert!(
        failed_runs >= expected,
        "only {failed_runs} of {operations} runs noticed"
    );
}

#[test]
fn an_error_once() {
    campaign(FaultKind::ErrorOnce);
}

#[test]
fn an_error_for_ever() {
    campaign(FaultKind::ErrorForever);
}

#[test]
fn a_short_write() {
    campaign(FaultKind::ShortWrite);
}

#[test]
fn a_full_disk() {
    campaign(FaultKind::DiskFull);
}

/// A disk too small for the data: commits fail with a clear error and without a trace, and succeed
/// again once there is room.
#[test]
fn a_disk_that_runs_full_and_is_given_room() {
    let disk = SimDisk::new(3);
    let pager = FilePager::open_on(Arc::new(disk.clone()), PATH, options(None)).unwrap();
    disk.set_capacity(1 << 20);
    let mut stored = 0;
    let error = loop {
        let batch = common::puts(&[(stored, &value(stored, 80_000))]);
        match pager.commit(batch) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 100);
    };
    assert_eq!(error.sqlstate(), "53100", "{error}");
    assert!(stored > 5);
    for key in 0..stored {
        assert_eq!(common::get(&pager, key).unwrap(), value(key, 80_000));
    }
    assert_eq!(common::get(&pager, stored), None);
    disk.set_capacity(u64::MAX);
    pager
        .commit(common::puts(&[(stored, &value(stored, 80_000))]))
        .unwrap();
    pager.verify().unwrap();
    drop(pager);
    let pager = FilePager::open_on(Arc::new(disk), PATH, options(None)).unwrap();
    assert_eq!(pager.stats().key_count, stored + 1);
}

/// Random scripts with random faults and a power cut at the end.
#[test]
fn random_faults_and_a_power_cut() {
    let kinds = [
        FaultKind::ErrorOnce,
        FaultKind::ErrorForever,
        FaultKind::ShortWrite,
        FaultKind::DiskFull,
    ];
    let rounds = if long() { 100_000 } else { 2000 };
    for seed in 0..rounds {
        let disk = SimDisk::new(seed);
        let mut history = History::new();
        let pager = FilePager::open_on(Arc::new(disk.clone()), PATH, options(None)).unwrap();
        disk.inject(Fault {
            operation: disk.operations() + 1 + seed % 150,
            kind: kinds[(seed / 150) as usize % kinds.len()],
        });
        // The first error ends the script, whatever it is.
        let _ = script::run(
            &disk,
            &pager,
            &mut history,
            seed,
            (script::Style::Mixed, 40),
        );
        drop(pager);
        disk.heal();
        let operations = disk.operations();
        disk.power_cut();
        let checked = script::check(&disk, &mut history, operations, None);
        checked.unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
}
