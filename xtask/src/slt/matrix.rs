//! The same files under every configuration of LLKV: they must give the same.

use super::{EngineChoice, corpus, names_in, run_with, suite};
use crate::step;
use llkv_slt::{CONFIGURATIONS, Configuration, SltOptions};
use std::time::Instant;

/// Parts of paths whose files look at how a statement is run: plans, settings, the file itself, what counts as read.
const EXCEPT: [&str; 2] = ["slt/explain/", "slt/transactions/serializable_by_key"];

/// Runs configurations, all of them for `all`. `has_own_files` says that the options name our own suite, or no
/// files at all: then it is our own suite and the sample of the corpus. Gives what failed, with the configuration's name.
pub(super) fn run(
    names: &[String],
    options: &SltOptions,
    has_own_files: bool,
) -> Result<Vec<String>, String> {
    let chosen: Vec<&'static Configuration> = match names {
        [all] if all == "all" => CONFIGURATIONS.iter().collect(),
        names => names
            .iter()
            .map(|name| named(name))
            .collect::<Result<_, _>>()?,
    };
    let mut options = options.clone();
    if has_own_files {
        options.paths = vec![suite()];
        if let Some(folder) = corpus::folder() {
            let sample = names_in(&suite().join("corpus-sample.txt"))?;
            options
                .paths
                .extend(sample.iter().map(|name| folder.join(name)));
        }
    }
    options.is_quiet = true;
    let mut lines = Vec::new();
    let mut failures = Vec::new();
    for configuration in chosen {
        step::say(&format!("\nconfiguration {}", configuration.name));
        let started = Instant::now();
        let options = SltOptions {
            storages: vec![configuration.storage],
            reopens_always: configuration.reopens_always,
            except: EXCEPT
                .iter()
                .chain(configuration.except)
                .map(|text| (*text).to_owned())
                .collect(),
            ..options.clone()
        };
        let summary = run_with(options, EngineChoice::Llkv, Some(configuration))?;
        let failed = summary.failures().iter();
        failures.extend(failed.map(|text| format!("configuration {}: {text}", configuration.name)));
        let (files, seconds) = (summary.files(), started.elapsed().as_secs_f64());
        lines.push(format!(
            "{:<20} {:>4} files, {:>6} records passed, {:>3} failed, {:>5} skipped, {seconds:>6.1} s",
            configuration.name,
            files.passed,
            summary.records.passed,
            summary.records.failed,
            summary.records.skipped,
        ));
    }
    step::say(&format!("\nconfigurations:\n{}", lines.join("\n")));
    Ok(failures)
}

/// The configuration of a name, or the names that there are.
pub(super) fn named(name: &str) -> Result<&'static Configuration, String> {
    Configuration::named(name).ok_or_else(|| {
        let names: Vec<&str> = CONFIGURATIONS.iter().map(|own| own.name).collect();
        format!("no configuration `{name}`: there are {}", names.join(", "))
    })
}
