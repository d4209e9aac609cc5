//! `cargo xtask ci`: what hosted CI runs.

use crate::step::{self, TaskResult};
use crate::test;
use std::process::Stdio;

/// The lock file must be as committed; then everything that `test` runs.
pub(crate) fn run() -> TaskResult {
    let mut metadata = step::cargo(["metadata", "--locked", "--format-version", "1", "--quiet"]);
    step::run(metadata.stdout(Stdio::null()))?;
    test::run(&test::Arguments::default())
}
