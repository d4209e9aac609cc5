//! Histories of sessions that append to lists and read them, beside checkpoints, reopening, faults and power cuts: whatever
//! they saw must be what their isolation level allows, and what was acknowledged must be there at the end.
//!
//! `LLKV_HISTORY_SEED` runs one seed alone, `LLKV_LONG` the long figures.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs
)]

mod checker;
mod connection;
mod graph;
mod history;
mod lists;
mod planted;
#[path = "../simulated/mod.rs"]
#[allow(dead_code)]
mod simulated;

use checker::{Anomaly, Finding, check, is_serializable};
use connection::{Clock, Connection, DiskFailed, keys_of, read_all};
use history::History;
use llkv_runtime::RuntimeOptions;
use llkv_sql::SqlEngine;
use llkv_storage::disk::sim::{Fault, FaultKind};
use llkv_storage::{PlantedBug, SimDisk};
use simulated::{Chance, asked_seed, check_integrity, long, open, options, run};
use std::sync::atomic::{AtomicBool, Ordering};

const SESSIONS: usize = 5;
const SEEDS: u64 = 20;
const OPERATIONS: u64 = 20_000;
const LONG_OPERATIONS: u64 = 100_000;

/// The level of all transactions of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Snapshot,
    Serializable,
}

/// How one opening of the database ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Close,
    PowerCut,
    /// The disk failed; the power may stay on.
    Failure,
}

/// What a run was like, so that it is known to have been worth checking.
#[derive(Debug, Default)]
struct Told {
    history: History,
    conflicts: u64,
    power_cuts: u64,
    failures: u64,
}

/// A database that is opened again and again.
struct Lives<'a> {
    chance: Chance,
    disk: SimDisk,
    options: RuntimeOptions,
    clock: &'a Clock,
    level: Level,
    told: Told,
}

impl<'a> Lives<'a> {
    fn new(
        (seed, level): (u64, Level),
        clock: &'a Clock,
        bug: Option<PlantedBug>,
    ) -> (Self, SqlEngine) {
        let mut chance = Chance::new(seed);
        let mut options = options();
        options.file.planted_bug = bug;
        options.checkpoint_commits = *chance.pick(&[8, 60, 100_000]);
        options.store.row_group_rows = *chance.pick(&[32, 500, 122_880]);
        let disk = SimDisk::new(seed);
        let engine = open(&disk, &options).unwrap();
        run(&engine.session(), lists::SCHEMA).unwrap();
        let lives = Self {
            chance,
            disk,
            options,
            clock,
            level,
            told: Told::default(),
        };
        (lives, engine)
    }

    fn connect(&self, engine: &SqlEngine) -> Vec<Connection<'a>> {
        let connect = |_| {
            let session = engine.session();
            if self.level == Level::Serializable {
                run(&session, "SET default_transaction_isolation = serializable").unwrap();
            }
            Connection::new(session, self.clock)
        };
        (0..SESSIONS).map(connect).collect()
    }

    /// Arms a fault at one of the next operations of the disk.
    fn arm(&mut self, within: u64) {
        use FaultKind::{DiskFull, ErrorForever, ErrorOnce, ShortWrite};
        let kind = *self
            .chance
            .pick(&[ErrorOnce, ErrorForever, ShortWrite, DiskFull]);
        let operation = self.disk.operations() + 1 + self.chance.below(within);
        self.disk.inject(Fault { operation, kind });
    }

    /// Ends an opening and begins the next one.
    fn reopen(
        &mut self,
        engine: SqlEngine,
        end: End,
        connections: Vec<Connection<'_>>,
    ) -> SqlEngine {
        self.told.conflicts += connections.iter().map(|c| c.conflicts).sum::<u64>();
        self.told.power_cuts += u64::from(end == End::PowerCut);
        self.told.failures += u64::from(end == End::Failure);
        if end == End::PowerCut || end == End::Failure && self.chance.percent(50) {
            // Before the engine is dropped, which would be its last checkpoint.
            self.disk.power_cut();
        }
        if end == End::Close || self.chance.percent(50) {
            self.disk.heal();
        }
        let histories: Vec<_> = connections
            .into_iter()
            .map(Connection::end_session)
            .collect();
        drop(engine);
        self.disk.heal();
        let engine = self.recover();
        for settle in histories {
            let (txns, undone) = settle.settle();
            self.told.history.txns.extend(txns);
            self.told.history.undone.extend(undone);
        }
        engine
    }

    /// Opens the file; what goes wrong with the disk meanwhile must not matter.
    fn recover(&mut self) -> SqlEngine {
        if self.chance.percent(40) {
            self.arm(60);
            let opened = open(&self.disk, &self.options);
            if self.chance.percent(50) {
                self.disk.power_cut();
            }
            drop(opened);
            self.disk.heal();
        }
        let engine = open(&self.disk, &self.options).unwrap();
        check_integrity(&engine, "after opening");
        engine
    }

    /// The last words: everything is read once more, from a file that was just opened.
    fn finish(mut self, engine: SqlEngine) -> Told {
        let keys = keys_of(&self.told.history.txns);
        let last = read_all(&engine.session(), self.clock, &keys);
        self.told.history.txns.push(last);
        self.told
    }
}

/// One thread that lets one session after the other take a step.
fn simulate(seed: (u64, Level), operations: u64, bug: Option<PlantedBug>) -> Told {
    let clock = Clock::default();
    let (mut lives, mut engine) = Lives::new(seed, &clock, bug);
    while clock.operations() < operations {
        let mut connections = lives.connect(&engine);
        let end = live(&mut lives, &mut connections, operations);
        engine = lives.reopen(engine, end, connections);
    }
    lives.finish(engine)
}

fn live(lives: &mut Lives<'_>, connections: &mut [Connection<'_>], operations: u64) -> End {
    while lives.clock.operations() < operations {
        let at = lives.chance.below(connections.len() as u64) as usize;
        let idle = connections[at].is_idle();
        let done = match lives.chance.below(1_500) {
            0..3 => return End::Close,
            3..7 => return End::PowerCut,
            7..11 => {
                lives.arm(30);
                Ok(())
            }
            11..20 if idle => connections[at].maintain("CHECKPOINT"),
            20..22 if idle => connections[at].maintain("VACUUM"),
            _ => connections[at].step(&mut lives.chance),
        };
        if done == Err(DiskFailed) {
            return End::Failure;
        }
    }
    End::Close
}

/// Sessions on threads of their own, beside one that checkpoints; in most rounds the disk fails under all of them.
fn race((seed, level): (u64, Level), rounds: u64, steps: u64) -> Told {
    let clock = Clock::default();
    let (mut lives, mut engine) = Lives::new((seed, level), &clock, None);
    for round in 0..rounds {
        if lives.chance.percent(60) {
            lives.arm(steps * 4);
        }
        let failed = AtomicBool::new(false);
        let connections = lives.connect(&engine);
        let is_done = AtomicBool::new(false);
        let connections: Vec<_> = std::thread::scope(|scope| {
            let (failed, is_done) = (&failed, &is_done);
            let keeper = Connection::new(engine.session(), &clock);
            scope.spawn(move || {
                while !is_done.load(Ordering::Relaxed) && keeper.maintain("CHECKPOINT").is_ok() {
                    std::thread::yield_now();
                }
            });
            let writers = connections
                .into_iter()
                .enumerate()
                .map(|(number, mut connection)| {
                    let mut chance = Chance::new(seed << 32 ^ round << 8 ^ number as u64);
                    scope.spawn(move || {
                        for _ in 0..steps {
                            if failed.load(Ordering::Relaxed) {
                                break;
                            }
                            if connection.step(&mut chance).is_err() {
                                failed.store(true, Ordering::Relaxed);
                                break;
                            }
                            // Or a scheduler with long slices runs one session after the other.
                            std::thread::yield_now();
                        }
                        connection
                    })
                });
            let writers: Vec<_> = writers.collect();
            let joined = writers.into_iter().map(|writer| writer.join());
            let joined: Vec<_> = joined.collect();
            is_done.store(true, Ordering::Relaxed);
            joined.into_iter().map(Result::unwrap).collect()
        });
        let end = match failed.load(Ordering::Relaxed) {
            true => End::Failure,
            false if round % 2 == 0 => End::PowerCut,
            false => End::Close,
        };
        engine = lives.reopen(engine, end, connections);
    }
    lives.finish(engine)
}

#[track_caller]
fn expect_nothing(seed: u64, told: &Told) {
    let findings = check(&told.history);
    assert!(
        findings.is_empty(),
        "LLKV_HISTORY_SEED={seed}: {} findings, the first: {:#?}",
        findings.len(),
        &findings[..findings.len().min(5)]
    );
}

/// Runs seeds and looks whether what they did was worth it.
fn campaign(seeds: std::ops::Range<u64>, level: Level, simulate: impl Fn((u64, Level)) -> Told) {
    let asked = asked_seed("LLKV_HISTORY_SEED");
    let (mut all, mut skews) = (Told::default(), 0);
    for seed in asked.map_or_else(|| seeds.clone(), |seed| seed..seed + 1) {
        let told = simulate((seed, level));
        expect_nothing(seed, &told);
        all.conflicts += told.conflicts;
        all.power_cuts += told.power_cuts;
        all.failures += told.failures;
        let has_skew = !is_serializable(&told.history);
        assert!(
            !has_skew || level == Level::Snapshot,
            "LLKV_HISTORY_SEED={seed}: not serializable"
        );
        skews += u64::from(has_skew);
    }
    if asked.is_some() {
        return;
    }
    let seeds = seeds.end - seeds.start;
    assert!(all.conflicts > seeds * 5, "{} conflicts", all.conflicts);
    assert!(all.power_cuts + all.failures > seeds, "{all:?}");
    assert!(
        skews > seeds / 2 || level == Level::Serializable,
        "{skews} histories with write skew"
    );
}

#[test]
fn histories_of_sessions_in_turn() {
    let operations = if long() { LONG_OPERATIONS } else { OPERATIONS };
    let simulate = |seed| simulate(seed, operations, None);
    campaign(0..SEEDS, Level::Snapshot, simulate);
}

#[test]
fn histories_of_serializable_sessions_in_turn() {
    let (seeds, operations) = match long() {
        true => (SEEDS, LONG_OPERATIONS),
        false => (SEEDS / 2, OPERATIONS / 2),
    };
    let simulate = |seed| simulate(seed, operations, None);
    campaign(200..200 + seeds, Level::Serializable, simulate);
}

#[test]
fn histories_of_sessions_on_threads() {
    let (rounds, steps) = if long() { (60, 500) } else { (6, 60) };
    let race = |seed| race(seed, rounds, steps);
    campaign(100..105, Level::Snapshot, race);
    campaign(105..110, Level::Serializable, race);
}

#[test]
fn the_same_seed_is_the_same_history() {
    let [one, two] = [(); 2].map(|()| simulate((3, Level::Snapshot), 400, None).history);
    let of = |history: &History| format!("{:?}", history.txns);
    assert!(of(&one) == of(&two));
}

/// The log is not synced, on purpose: the power cuts must show it.
#[test]
fn a_log_that_is_not_synced_is_found_out() {
    let bug = Some(PlantedBug::NoLogSync);
    let found = |seed| -> Vec<Finding> {
        let simulated = std::panic::catch_unwind(|| simulate((seed, Level::Snapshot), 1_500, bug));
        simulated
            .map(|told| check(&told.history))
            .unwrap_or_default()
    };
    let mut anomalies = (0..12).flat_map(found).map(|(anomaly, _)| anomaly);
    assert!(anomalies.any(|anomaly| anomaly == Anomaly::Lost));
}
