//! The `llkv` program: a shell, a script runner and a guided tour.

mod cli;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: llkv_allocator::Allocator = llkv_allocator::Allocator;

fn main() -> ExitCode {
    llkv_allocator::keep_freed_memory(None);
    cli::run()
}
