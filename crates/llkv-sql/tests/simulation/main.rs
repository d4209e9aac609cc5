//! The whole engine under one seed: which session acts next and what it does, what time it is, when a checkpoint, a backup, a
//! power cut or a fault of the disk comes. A model without storage says what every statement must answer.
//!
//! A failure names its seed; `LLKV_SIMULATION_SEED` runs that one alone, `LLKV_SIMULATION_TRACE` tells its steps, `LLKV_LONG`
//! runs more and longer ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs
)]

mod model;
#[path = "../simulated/mod.rs"]
#[allow(dead_code)]
mod simulated;
mod statement;
mod transaction;
mod world;

use simulated::{asked_seed, long};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use world::{Told, World};

const SEEDS: u64 = 500;
const STEPS: u64 = 120;
const LONG_SEEDS: u64 = 5_000;
const LONG_STEPS: u64 = 400;

fn run(seed: u64, steps: u64) -> Told {
    let ran = catch_unwind(AssertUnwindSafe(|| World::new(seed).run(steps)));
    ran.unwrap_or_else(|panic| {
        let long = if long() { "LLKV_LONG=1 " } else { "" };
        eprintln!(
            "again: {long}LLKV_SIMULATION_SEED={seed} LLKV_SIMULATION_TRACE=1 \
             cargo test --workspace --test simulation the_engine -- --nocapture"
        );
        resume_unwind(panic)
    })
}

#[test]
fn the_engine_does_what_the_model_does() {
    let (seeds, steps) = match long() {
        true => (LONG_SEEDS, LONG_STEPS),
        false => (SEEDS, STEPS),
    };
    if let Some(seed) = asked_seed("LLKV_SIMULATION_SEED") {
        run(seed, steps);
        return;
    }
    let mut all = Told::default();
    for seed in 0..seeds {
        all += run(seed, steps);
    }
    // It was worth it: every kind of thing has happened, again and again.
    for (what, times) in all.times() {
        assert!(
            times >= seeds / 20,
            "{what}: {times} times in {seeds} seeds"
        );
    }
}

/// Not a statement, an answer, an operation of the disk, a byte of the file or a microsecond is another one.
#[test]
fn the_same_seed_does_the_same() {
    let history = |seed| {
        let mut world = World::new(seed);
        world.keep_trace();
        world.run_traced(STEPS)
    };
    for seed in 1..=8 {
        let (one, two) = (history(seed), history(seed));
        for (step, (one, two)) in one.steps.iter().zip(&two.steps).enumerate() {
            assert_eq!(one, two, "seed {seed}, step {step}");
        }
        assert!(one == two, "seed {seed}");
        assert!(one.steps != history(seed + 1_000).steps);
    }
}
