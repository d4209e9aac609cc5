//! Power cuts at every operation: no acknowledged commit is lost, no other one is half visible.
//!
//! A random script runs once on a recorded simulated disk. From the copy after each operation the
//! power is cut, often again while recovery runs, and what is found must be the contents after one
//! commit, neither before the last acknowledged nor after the last begun. The same campaign, with a
//! bug planted into the protocol, must find it: so the test itself is tested.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use common::script::{self, History, PATH, Style};
use llkv_storage::disk::sim::SimDisk;
use llkv_storage::{FilePager, PlantedBug};
use std::sync::Arc;

/// What a campaign did and found.
#[derive(Default)]
struct Report {
    cuts: u64,
    in_recovery: u64,
    violation: Option<String>,
}

/// Cuts until `budget` cuts were made or one violation was found.
fn campaign(first_seed: u64, budget: u64, bug: Option<PlantedBug>) -> Report {
    let mut report = Report::default();
    let mut seed = first_seed;
    while report.cuts < budget && report.violation.is_none() {
        seed += 1;
        one_script(seed, budget, bug, &mut report);
    }
    report
}

fn one_script(seed: u64, budget: u64, bug: Option<PlantedBug>, report: &mut Report) {
    let disk = SimDisk::new(seed);
    disk.record();
    let mut history = History::new();
    let pager = FilePager::open_on(Arc::new(disk.clone()), PATH, script::options(bug)).unwrap();
    let ran = script::run(&disk, &pager, &mut history, seed, (Style::Mixed, 40));
    if let Err(error) = ran {
        report.violation = Some(format!("seed {seed}: an operation failed: {error}"));
        return;
    }
    drop(pager);
    for (number, copy) in disk.take_recording().into_iter().enumerate() {
        if report.cuts >= budget {
            return;
        }
        let mut history = history.clone();
        let cut_seed = seed.wrapping_mul(1_000_003) + number as u64;
        let checked = cut_and_check(&copy.fork(cut_seed), &mut history, cut_seed, bug, report);
        if let Err(what) = checked {
            report.violation = Some(format!("seed {seed}, cut after operation {number}: {what}"));
            return;
        }
    }
}

/// Cuts the power, up to three times more during recovery, then checks, and often goes on with
/// further lives on the recovered disk.
fn cut_and_check(
    disk: &SimDisk,
    history: &mut History,
    seed: u64,
    bug: Option<PlantedBug>,
    report: &mut Report,
) -> Result<(), String> {
    let operations = disk.operations();
    disk.power_cut();
    report.cuts += 1;
    let mut disk = disk.clone();
    for again in 0..seed % 4 {
        disk.record();
        let opened = FilePager::open_on(Arc::new(disk.clone()), PATH, script::options(bug));
        let copies = disk.take_recording();
        // Opening may fail where the database was never acknowledged to exist, and nowhere else:
        // the final check tells.
        drop(opened);
        let Some(copy) = copies.get((seed / 7) as usize % copies.len().max(1)) else {
            break;
        };
        disk = copy.fork(seed ^ (again + 1));
        disk.power_cut();
        report.cuts += 1;
        report.in_recovery += 1;
    }
    let mut pager = script::check(&disk, history, operations, bug)?;
    for life in 0..(seed % 5).saturating_sub(1) {
        (disk, pager) = live_and_cut(&disk, pager, history, seed ^ (life << 40), bug, report)?;
    }
    Ok(())
}

/// Another life of the recovered database: a few steps, a cut at one of its operations, a check.
fn live_and_cut(
    disk: &SimDisk,
    pager: FilePager,
    history: &mut History,
    seed: u64,
    bug: Option<PlantedBug>,
    report: &mut Report,
) -> Result<(SimDisk, FilePager), String> {
    disk.record();
    let style = if seed.is_multiple_of(3) {
        Style::Mixed
    } else {
        Style::Short
    };
    let ran = script::run(disk, &pager, history, seed, (style, 3));
    ran.map_err(|e| format!("after recovery: {e}"))?;
    let copies = disk.take_recording();
    drop(pager);
    let copy = match copies.get((seed / 11) as usize % copies.len().max(1)) {
        Some(copy) => copy.fork(seed),
        None => disk.fork(seed),
    };
    let operations = copy.operations();
    copy.power_cut();
    report.cuts += 1;
    let pager = script::check(&copy, history, operations, bug)?;
    Ok((copy, pager))
}

#[test]
fn no_acknowledged_commit_is_lost_and_none_is_half_visible() {
    let budget = if common::long() { 1_000_000 } else { 20_000 };
    let report = campaign(1, budget, None);
    assert_eq!(report.violation, None, "after {} cuts", report.cuts);
    assert!(report.cuts >= budget && report.in_recovery > budget / 10);
}

/// Each way to break the protocol is found, so the campaign above would find it too.
fn finds(bug: PlantedBug) {
    let report = campaign(1_000_000, 20_000, Some(bug));
    let found = report
        .violation
        .expect("the planted bug was not found in 20,000 cuts");
    assert!(!found.is_empty() && report.cuts <= 20_000);
}

#[test]
fn finds_a_missing_log_sync() {
    finds(PlantedBug::NoLogSync);
}

#[test]
fn finds_a_missing_data_sync() {
    finds(PlantedBug::NoDataSync);
}

#[test]
fn finds_a_log_without_checksums() {
    finds(PlantedBug::NoLogChecksum);
}

#[test]
fn finds_a_single_root_slot() {
    finds(PlantedBug::OneRootSlot);
}

#[test]
fn finds_a_log_without_salt() {
    finds(PlantedBug::NoSalt);
}

#[test]
fn finds_an_extent_reused_early() {
    finds(PlantedBug::EarlyReuse);
}

#[test]
fn finds_a_log_reset_too_early() {
    finds(PlantedBug::EarlyLogReset);
}
