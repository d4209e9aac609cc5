//! `cargo xtask slt`: runs sqllogictest files.

mod corpus;
mod matrix;
mod times;

use crate::step::{TaskResult, root};
use llkv_slt::{
    Configuration, Dialect, ExpectedFailures, Isolation, LlkvEngine, SltEngine, SltOptions,
    SltRunner, Storage, Summary, serve,
};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Set to 1, it prints statistics.
const STATISTICS_VARIABLE: &str = "LLKV_SLT_STATS";

#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// Files and folders; our own suite `slt/` when none is given
    paths: Vec<PathBuf>,
    /// sqlite, duckdb or llkv; told by the folders of each file when absent
    #[arg(long)]
    dialect: Option<Dialect>,
    /// Only files with this text in their path
    #[arg(long)]
    filter: Option<String>,
    /// Files that run at once; one per processor when absent
    #[arg(long, short)]
    jobs: Option<usize>,
    /// Write what the database gives into the files
    #[arg(long)]
    complete: bool,
    /// Where the databases live; `both` for our own suite, else `memory` when absent
    #[arg(long)]
    storage: Option<StorageChoice>,
    /// Seconds that a file may take
    #[arg(long)]
    timeout_s: Option<u64>,
    /// The database; several are run one after the other, for --times
    #[arg(long, value_delimiter = ',', default_value = "llkv")]
    engine: Vec<EngineChoice>,
    /// Another way to run LLKV, by its name; `all` for every one. Without paths, our own suite and the sample
    /// of the corpus are run
    #[arg(long)]
    config: Vec<String>,
    /// Run SQLite's whole corpus, below the folder of LLKV_CORPUS, rather than our own suite
    #[arg(long)]
    corpus: bool,
    /// Print each file's time in the databases and their ratios, the worst last
    #[arg(long)]
    times: bool,
    /// A list of files that do not pass yet; `slt/expected-failures.txt` for our own suite
    #[arg(long)]
    expected_failures: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(crate) struct WorkerArguments {
    engine: EngineChoice,
    #[arg(long)]
    config: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum StorageChoice {
    Memory,
    File,
    Both,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum EngineChoice {
    #[default]
    Llkv,
    #[cfg(feature = "engine-sqlite")]
    Sqlite,
}

impl EngineChoice {
    fn name(self) -> &'static str {
        match self {
            Self::Llkv => "llkv",
            #[cfg(feature = "engine-sqlite")]
            Self::Sqlite => "sqlite",
        }
    }

    fn engine(self, configuration: Option<&'static Configuration>) -> Box<dyn SltEngine> {
        match (self, configuration) {
            (Self::Llkv, Some(configuration)) => Box::new(LlkvEngine::with(configuration)),
            (Self::Llkv, None) => Box::new(LlkvEngine::default()),
            #[cfg(feature = "engine-sqlite")]
            (Self::Sqlite, _) => Box::new(llkv_slt::SqliteEngine),
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> TaskResult {
    let is_success = match arguments.config.as_slice() {
        [] => run_engines(arguments)?,
        names => {
            let has_own_files = arguments.paths.is_empty();
            matrix::run(names, &run_options(arguments)?, has_own_files)?.is_empty()
        }
    };
    if is_success {
        Ok(())
    } else {
        // The closing lines say it; nothing may stand below them.
        std::process::exit(1)
    }
}

/// Every engine on the same files; true when nothing failed.
fn run_engines(arguments: &Arguments) -> Result<bool, String> {
    let options = run_options(arguments)?;
    let mut summaries = Vec::new();
    for engine in &arguments.engine {
        let summary = run_with(options.clone(), *engine, None)?;
        summaries.push((engine.name(), summary));
    }
    if arguments.times {
        times::print(&summaries);
    }
    Ok(summaries.iter().all(|(_, summary)| summary.is_success()))
}

/// Serves the runner of another process.
pub(crate) fn work(arguments: &WorkerArguments) -> TaskResult {
    let configuration = arguments.config.as_deref().map(matrix::named).transpose()?;
    let engine = arguments.engine.engine(configuration);
    serve(engine.as_ref()).map_err(|error| error.to_string())
}

/// The matrix of configurations, then our own suite and the corpora as they are. What failed before is told above
/// the closing lines. True when nothing failed, before or here.
pub(crate) fn run_for_test(mut failures: Vec<String>) -> Result<bool, String> {
    let options = SltOptions {
        statistics: wants_statistics(),
        ..SltOptions::default()
    };
    failures.extend(matrix::run(&["all".to_owned()], &options, true)?);
    let is_success = failures.is_empty();
    let mut options = SltOptions {
        before_closing_lines: failures.join("\n\n"),
        expected_failures: read_list(&suite().join("expected-failures.txt"))?,
        ..options
    };
    options.paths.push(suite());
    if let Some(corpus) = corpus::folder() {
        // It says nothing about files that our own suite and the sample do not say.
        options.memory_only = corpus::sqlite_paths()?;
        options.paths.extend(options.memory_only.iter().cloned());
        options.paths.push(corpus.join("duckdb"));
        let list = read_list(&suite().join("corpus-duckdb-failures.txt"))?;
        options.expected_failures.extend(list);
    }
    let summary = run_with(options, EngineChoice::Llkv, None)?;
    Ok(summary.is_success() && is_success)
}

/// The folder of our own suite.
fn suite() -> PathBuf {
    root().join("slt")
}

/// The lines of a list that are no comments.
fn names_in(list: &Path) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(list)
        .map_err(|error| format!("{} cannot be read: {error}", list.display()))?;
    let lines = text.lines().map(str::trim);
    let names = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(names.map(str::to_owned).collect())
}

fn wants_statistics() -> bool {
    std::env::var(STATISTICS_VARIABLE).is_ok_and(|value| value == "1")
}

fn run_options(arguments: &Arguments) -> Result<SltOptions, String> {
    let own_suite = arguments.paths.is_empty() && !arguments.corpus;
    let suite = suite();
    let mut options = SltOptions {
        dialect: arguments.dialect,
        filter: arguments.filter.clone(),
        complete: arguments.complete,
        statistics: wants_statistics(),
        ..SltOptions::default()
    };
    if let Some(jobs) = arguments.jobs {
        options.jobs = jobs.max(1);
    }
    if let Some(seconds) = arguments.timeout_s {
        options.timeout = Duration::from_secs(seconds);
    }
    options.paths = if own_suite {
        vec![suite.clone()]
    } else {
        arguments.paths.clone()
    };
    if arguments.corpus {
        options.paths.extend(corpus::sqlite_paths()?);
    }
    options.storages = match arguments.storage {
        Some(StorageChoice::Both) => vec![Storage::Memory, Storage::File],
        Some(StorageChoice::File) => vec![Storage::File],
        Some(StorageChoice::Memory) => vec![Storage::Memory],
        None if own_suite => vec![Storage::Memory, Storage::File],
        None => vec![Storage::Memory],
    };
    let list = arguments.expected_failures.clone();
    if let Some(path) = list.or_else(|| own_suite.then(|| suite.join("expected-failures.txt"))) {
        options.expected_failures = read_list(&path)?;
    }
    Ok(options)
}

fn read_list(path: &Path) -> Result<ExpectedFailures, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    ExpectedFailures::read(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Runs files in worker processes of this very program.
fn run_with(
    options: SltOptions,
    engine: EngineChoice,
    configuration: Option<&'static Configuration>,
) -> Result<Summary, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let command = || {
        let mut command = Command::new(&program);
        command.args(["slt-worker", engine.name()]);
        if let Some(configuration) = configuration {
            command.args(["--config", configuration.name]);
        }
        command
    };
    let runner = SltRunner::new(options, Isolation::Processes(&command));
    runner
        .run(&mut std::io::stdout().lock())
        .map_err(|error| error.to_string())
}
