//! `cargo xtask bench`: runs the benches of the crates and the workloads, keeps what they took, and draws it.
//!
//! Everything lands below `target/bench`: `benchmarks.json` and `data.js` in the form of
//! github-action-benchmark, a file for each run in `history`, and `index.html`, which needs nothing else.

mod dashboard;
mod figures;
mod history;

use crate::step::{self, TaskResult, say};
use history::{History, Run};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only this crate
    #[arg(short, long)]
    package: Option<String>,
    /// Run nothing: draw what the last run and the history have
    #[arg(long)]
    draw: bool,
    /// Folder of former runs [default: target/bench/history]
    #[arg(long, value_name = "DIR")]
    history: Option<PathBuf>,
    /// Handed on to criterion: a filter and its options
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> TaskResult {
    let target = step::target_folder()?;
    let out = target.join("bench");
    let workloads = out.join("workloads");
    let mut history = History::read(
        &arguments
            .history
            .clone()
            .unwrap_or_else(|| out.join("history")),
    )?;
    if !arguments.draw {
        let started = std::time::SystemTime::now();
        bench(arguments, &workloads)?;
        let mut figures = figures::of_criterion(&target.join("criterion"), started)?;
        figures.extend(figures::of_workloads(&workloads, started)?);
        if figures.is_empty() {
            return Err("no bench has left a figure".into());
        }
        history.add(Run::now(figures)?)?;
    }
    let Some(last) = history.runs.last() else {
        return Err("there is no run to draw".into());
    };
    let json = |error: serde_json::Error| error.to_string();
    let list = serde_json::to_string_pretty(&history::action_form(last)).map_err(json)?;
    step::write(&out.join("benchmarks.json"), &list)?;
    let data = serde_json::to_string_pretty(&history.action_data()).map_err(json)?;
    step::write(
        &out.join("data.js"),
        &format!("window.BENCHMARK_DATA = {data}\n"),
    )?;
    let page = out.join("index.html");
    step::write(&page, &dashboard::page(&history))?;
    say(&format!(
        "{} figures of {} runs: {}",
        last.figures.len(),
        history.runs.len(),
        page.display()
    ));
    Ok(())
}

/// Only the benches: the unit tests of a crate, which `--benches` would run too, do not know criterion's options.
fn bench(arguments: &Arguments, workloads: &std::path::Path) -> TaskResult {
    let mut command = step::cargo(["bench", "--bench", "*"]);
    command.env("LLKV_BENCH_OUT", workloads);
    match &arguments.package {
        Some(package) => command.args(["--package", package]),
        None => command.arg("--workspace"),
    };
    if !arguments.rest.is_empty() {
        command.arg("--").args(&arguments.rest);
    }
    step::run(&mut command)
}
