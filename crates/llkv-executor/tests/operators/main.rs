//! The operator conformance suite: every operator against a row-at-a-time reference, at one thread and
//! two, with batches of 1, 2, 1024 and the default number of rows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

mod aggregates;
mod harness;
mod joins;
mod lifecycle;
mod limits;
mod reference;
mod scans;
mod sets;
mod sorting;
mod spilling;
mod windows;
