//! The `llkv` program: a shell, a script runner and a guided tour.

mod allocator;
mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    allocator::keep_freed_memory(false);
    cli::run()
}
