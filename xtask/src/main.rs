//! Development tasks of the workspace: `cargo xtask TASK`, a file per task.

mod arrow_versions;
mod bench;
mod ci;
mod docs;
mod floors;
mod packages;
mod reasons;
mod slt;
mod step;
mod test;
mod tidy;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use step::TaskResult;

/// The one of the `llkv` program: files are timed as they would run there.
#[global_allocator]
static ALLOCATOR: llkv_allocator::Allocator = llkv_allocator::Allocator;

/// Development tasks of the LLKV workspace.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check and every test; ends with the closing lines of the SLT runs
    Test(test::Arguments),
    /// Run sqllogictest files
    Slt(slt::Arguments),
    /// Run files on behalf of `slt`
    #[command(hide = true)]
    SltWorker(slt::WorkerArguments),
    /// Compare the edges between crates with the table in ARCHITECTURE.md
    Floors,
    /// Look for what published crates need: metadata, README, licence, an example
    Packages,
    /// Look for leftover words, files without a purpose, long files and long functions
    Tidy,
    /// What hosted CI runs: `test`, in an environment without surprises
    Ci,
    /// Run the benches and workloads, keep their figures, draw the dashboard
    Bench(bench::Arguments),
    /// Build the documentation, warnings denied
    Docs,
}

fn main() -> ExitCode {
    let result: TaskResult = match Arguments::parse().task {
        Task::Test(arguments) => test::run(&arguments),
        Task::Slt(arguments) => slt::run(&arguments),
        Task::SltWorker(arguments) => slt::work(&arguments),
        Task::Floors => floors::run(),
        Task::Packages => packages::run(),
        Task::Tidy => tidy::run(),
        Task::Ci => ci::run(),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Docs => docs::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            step::say_error(&message);
            ExitCode::FAILURE
        }
    }
}
