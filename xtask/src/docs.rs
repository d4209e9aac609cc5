//! `cargo xtask docs`: builds the documentation of our crates, warnings denied.

use crate::step::{self, TaskResult};

pub(crate) fn run() -> TaskResult {
    let arguments = ["doc", "--workspace", "--no-deps", "--exclude", "xtask"];
    step::check(step::cargo(arguments).env("RUSTDOCFLAGS", "-D warnings"))
}
