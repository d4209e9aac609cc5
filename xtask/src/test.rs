//! `cargo xtask test`: every check and every test, the SLT runs last.

use crate::step::{self, TaskResult};
use crate::{arrow_versions, docs, floors, packages, slt, tidy};
use std::time::Instant;

#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// The long figures: more simulated power cuts, more schedules, more cycles
    #[arg(long)]
    long: bool,
}

/// A part of the whole, by its name.
type Step<'a> = (&'a str, &'a dyn Fn() -> TaskResult);

/// Runs all steps even when one fails, so that one run shows everything; then the SLT files. What failed is told
/// again above their closing lines, which end the output.
pub(crate) fn run(arguments: &Arguments) -> TaskResult {
    let tests = || cargo_test(arguments.long);
    let steps: [Step<'_>; 8] = [
        ("fmt", &|| {
            step::check(&mut step::cargo(["fmt", "--all", "--check"]))
        }),
        ("floors", &floors::run),
        ("arrow versions", &arrow_versions::run),
        ("packages", &packages::run),
        ("tidy", &tidy::run),
        ("clippy", &clippy),
        ("docs", &docs::run),
        ("tests", &tests),
    ];
    let mut failures = Vec::new();
    for (name, run) in steps {
        step::say(&format!("\n==> {name}"));
        let started = Instant::now();
        let verdict = match run() {
            Ok(()) => "ok",
            Err(message) => {
                step::say_error(&message);
                failures.push(format!("==> {name} FAILED\n{message}"));
                "FAILED"
            }
        };
        let seconds = started.elapsed().as_secs_f64();
        step::say(&format!("<== {name}: {verdict} ({seconds:.1} s)"));
    }
    step::say("\n==> slt");
    if slt::run_for_test(failures)? {
        return Ok(());
    }
    // The reasons stand above; nothing may stand below the closing lines.
    std::process::exit(1)
}

fn clippy() -> TaskResult {
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ];
    step::check(&mut step::cargo(arguments))
}

/// Unit, integration and documentation tests of the workspace.
fn cargo_test(long: bool) -> TaskResult {
    let mut command = step::cargo(["test", "--workspace", "--no-fail-fast"]);
    if long {
        command.env("LLKV_LONG", "1");
    }
    step::check(&mut command)
}
