//! Workload benchmarks of LLKV beside its peers: see `benches/`. Kernel benchmarks stand beside their
//! crates. Competitors are dependencies of this crate alone.

pub mod duckdb;
pub mod engine;
pub mod report;
pub mod tpch;
