//! `cargo xtask slt`: runs sqllogictest files.

use crate::step::{self, TaskResult, root};
use llkv_slt::{
    Dialect, ExpectedFailures, Isolation, SltEngine, SltOptions, SltRunner, Storage, Summary, serve,
};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Set to 1, it prints statistics.
const STATISTICS_VARIABLE: &str = "LLKV_SLT_STATS";
/// The folder of the conformance corpora, with `sqlite` and `duckdb` below it.
const CORPUS_VARIABLE: &str = "LLKV_CORPUS";

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
    /// The database
    #[arg(long, default_value = "llkv")]
    engine: EngineChoice,
    /// A list of files that do not pass yet; `slt/expected-failures.txt` for our own suite
    #[arg(long)]
    expected_failures: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(crate) struct WorkerArguments {
    engine: EngineChoice,
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

    fn engine(self) -> Box<dyn SltEngine> {
        match self {
            Self::Llkv => Box::new(llkv_slt::LlkvEngine),
            #[cfg(feature = "engine-sqlite")]
            Self::Sqlite => Box::new(llkv_slt::SqliteEngine),
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> TaskResult {
    let summary = run_files(arguments)?;
    if summary.is_success() {
        Ok(())
    } else {
        // The closing lines say it; nothing may stand below them.
        std::process::exit(1)
    }
}

/// Serves the runner of another process.
pub(crate) fn work(arguments: &WorkerArguments) -> TaskResult {
    let engine = arguments.engine.engine();
    serve(engine.as_ref()).map_err(|error| error.to_string())
}

/// Our own suite and the files of a corpus that must pass, in one run. True when nothing failed.
pub(crate) fn run_for_test() -> Result<bool, String> {
    let suite = root().join("slt");
    let mut options = SltOptions {
        statistics: wants_statistics(),
        expected_failures: read_list(&suite.join("expected-failures.txt"))?,
        ..SltOptions::default()
    };
    let mut names = names_in(&suite.join("corpus.txt"))?;
    names.extend(names_in(&suite.join("corpus-duckdb.txt"))?);
    options.paths = corpus_files(&names);
    options.paths.insert(0, suite);
    Ok(run_with(options, EngineChoice::Llkv)?.is_success())
}

/// The lines of a list that are no comments.
fn names_in(list: &Path) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(list)
        .map_err(|error| format!("{} cannot be read: {error}", list.display()))?;
    let lines = text.lines().map(str::trim);
    let names = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(names.map(str::to_owned).collect())
}

/// The files of a list, where a corpus is on this machine: the folder of `LLKV_CORPUS`, or
/// `shared/slt` beside the workspace.
fn corpus_files(names: &[String]) -> Vec<PathBuf> {
    let beside = || Some(root().parent()?.join("shared").join("slt"));
    let corpus = std::env::var_os(CORPUS_VARIABLE)
        .map(PathBuf::from)
        .or_else(beside);
    let Some(corpus) = corpus.filter(|folder| folder.is_dir()) else {
        step::say(&format!(
            "no corpus here ({CORPUS_VARIABLE} is not set): only our own suite"
        ));
        return Vec::new();
    };
    names.iter().map(|name| corpus.join(name)).collect()
}

fn wants_statistics() -> bool {
    std::env::var(STATISTICS_VARIABLE).is_ok_and(|value| value == "1")
}

fn run_files(arguments: &Arguments) -> Result<Summary, String> {
    let own_suite = arguments.paths.is_empty();
    let suite = root().join("slt");
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
    run_with(options, arguments.engine)
}

fn read_list(path: &Path) -> Result<ExpectedFailures, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    ExpectedFailures::read(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Runs files in worker processes of this very program.
fn run_with(options: SltOptions, engine: EngineChoice) -> Result<Summary, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let command = || {
        let mut command = Command::new(&program);
        command.args(["slt-worker", engine.name()]);
        command
    };
    let runner = SltRunner::new(options, Isolation::Processes(&command));
    runner
        .run(&mut std::io::stdout().lock())
        .map_err(|error| error.to_string())
}
