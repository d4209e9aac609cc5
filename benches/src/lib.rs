//! Workload benchmarks of LLKV beside its peers: see `benches/`. Kernel benchmarks stand beside their
//! crates. Competitors are dependencies of this crate alone.

pub mod data;
pub mod duckdb;
pub mod engine;
pub mod h2o;
pub mod report;
pub mod tpch;
pub mod web;
