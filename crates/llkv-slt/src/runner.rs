//! Runs many files in parallel and reports on them.

use crate::dialect::Dialect;
use crate::engine::SltEngine;
use crate::expected::ExpectedFailures;
use crate::job::{Job, Storage};
use crate::report::{FileReport, Verdict};
use crate::statistics::StatisticsText;
use crate::summary::Summary;
use crate::worker::{Worker, run_guarded};
use crossbeam_channel::Sender;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use walkdir::WalkDir;

/// What is run and how.
#[derive(Debug, Clone)]
pub struct SltOptions {
    /// Files, and folders that are searched for `.slt` and `.test` files.
    pub paths: Vec<PathBuf>,
    /// The dialect of all files; each file's own ([`Dialect::of_path`]) when absent.
    pub dialect: Option<Dialect>,
    /// Only files with this text in their path.
    pub filter: Option<String>,
    /// Files that run at once.
    pub jobs: usize,
    /// Where the databases live; every file runs on each.
    pub storages: Vec<Storage>,
    /// Close and open databases in files before each statement, rather than once in the middle.
    pub reopens_always: bool,
    /// No files with one of these texts in their path.
    pub except: Vec<String>,
    /// Files at or below these paths are run in memory alone.
    pub memory_only: Vec<PathBuf>,
    /// Print no line for a file that passes.
    pub is_quiet: bool,
    /// Write what the database gives into the files.
    pub complete: bool,
    /// Time that a file may take.
    pub timeout: Duration,
    /// Print statistics, per file and in sum.
    pub statistics: bool,
    /// Files that do not pass yet.
    pub expected_failures: ExpectedFailures,
    /// What is printed above the closing lines, which are what many look at alone; nothing when empty.
    pub before_closing_lines: String,
}

impl Default for SltOptions {
    /// No paths, both storages, a job per processor, two minutes per file.
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            dialect: None,
            filter: None,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            storages: vec![Storage::Memory, Storage::File],
            reopens_always: false,
            except: Vec::new(),
            memory_only: Vec::new(),
            is_quiet: false,
            complete: false,
            timeout: Duration::from_secs(120),
            statistics: false,
            expected_failures: ExpectedFailures::default(),
            before_closing_lines: String::new(),
        }
    }
}

/// What separates the files that run at once.
#[derive(Clone, Copy)]
pub enum Isolation<'a> {
    /// Threads of this process: a panic stops one file, an abort stops all, and a file's time is
    /// looked at between its records only.
    Threads(&'a dyn SltEngine),
    /// Processes started by this command, which must end in [`crate::serve`]: nothing that a file
    /// does stops another.
    Processes(&'a (dyn Fn() -> Command + Sync)),
}

/// Runs files.
pub struct SltRunner<'a> {
    options: SltOptions,
    isolation: Isolation<'a>,
}

/// A file of a run, with the storages it ran on so far.
struct Entry {
    path: PathBuf,
    name: String,
    dialect: Dialect,
}

/// A report on its way to the printer.
struct Finished {
    entry: usize,
    storage: Storage,
    report: FileReport,
}

impl<'a> SltRunner<'a> {
    /// A runner.
    #[must_use]
    pub fn new(options: SltOptions, isolation: Isolation<'a>) -> Self {
        Self { options, isolation }
    }

    /// Runs all files and writes what became of them: a line for each as it ends, then failures,
    /// statistics and the closing lines.
    ///
    /// # Errors
    /// When a path cannot be searched, no scratch folder can be made, or `out` fails. A file that
    /// fails is no error: see [`Summary::is_success`].
    pub fn run(&self, out: &mut dyn Write) -> io::Result<Summary> {
        let started = Instant::now();
        let entries = self.entries()?;
        let runs: Vec<(usize, Storage)> = (0..entries.len())
            .flat_map(|entry| self.storages().map(move |storage| (entry, storage)))
            .filter(|(entry, storage)| {
                let in_memory_only = entries.get(*entry).is_some_and(|entry| {
                    let mut paths = self.options.memory_only.iter();
                    paths.any(|path| entry.path.starts_with(path))
                });
                *storage == Storage::Memory || !in_memory_only
            })
            .collect();
        let scratch = tempfile::Builder::new().prefix("llkv-slt-").tempdir()?;
        let next = AtomicUsize::new(0);
        let (sender, finished) = crossbeam_channel::unbounded();

        writeln!(out, "\nrunning {} files", entries.len())?;
        let mut summary = Summary::new(entries.len());
        let mut statistics = StatisticsText::default();
        std::thread::scope(|scope| -> io::Result<()> {
            for slot in 0..self.options.jobs.clamp(1, runs.len().max(1)) {
                let (sender, entries, runs) = (sender.clone(), &entries, &runs);
                let (next, scratch) = (&next, scratch.path());
                scope.spawn(move || self.slot(slot, entries, runs, next, scratch, &sender));
            }
            drop(sender);
            for done in finished {
                let Some(entry) = entries.get(done.entry) else {
                    continue;
                };
                if !self.options.is_quiet || done.report.verdict() == Verdict::Failed {
                    self.print_line(out, entry, &done)?;
                }
                let name = format!("{} ({})", entry.name, done.storage);
                if self.options.statistics {
                    statistics.add(out, &name, &done.report)?;
                }
                let reason = self.options.expected_failures.reason(&entry.path);
                summary.add(done.entry, &name, &entry.name, done.report, reason);
            }
            Ok(())
        })?;
        for (index, entry) in entries.iter().enumerate() {
            if self.options.expected_failures.reason(&entry.path).is_some() {
                summary.fail_unexpected_pass(index, &entry.name);
            }
        }
        summary.print_failures(out)?;
        if self.options.statistics {
            statistics.print_sum(out, started.elapsed())?;
        }
        if !self.options.before_closing_lines.is_empty() {
            writeln!(out, "\n{}", self.options.before_closing_lines)?;
        }
        summary.print_closing_lines(out)?;
        Ok(summary)
    }

    fn storages(&self) -> impl Iterator<Item = Storage> + '_ {
        // Expectations are written once, not by two runs of a file at the same time.
        let count = if self.options.complete { 1 } else { usize::MAX };
        self.options.storages.iter().copied().take(count)
    }

    /// The files to run, in the order of their paths.
    fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut paths = Vec::new();
        for path in &self.options.paths {
            if !path.is_dir() {
                paths.push(path.clone());
                continue;
            }
            for found in WalkDir::new(path).sort_by_file_name() {
                let found = found.map_err(io::Error::other)?;
                let extension = found.path().extension().and_then(|text| text.to_str());
                if found.file_type().is_file() && matches!(extension, Some("slt" | "test")) {
                    paths.push(found.into_path());
                }
            }
        }
        let here = std::env::current_dir().unwrap_or_default();
        let filter = self.options.filter.as_deref().unwrap_or_default();
        let entries = paths.into_iter().map(|path| Entry {
            name: name_of(&path, &here),
            dialect: self.options.dialect.unwrap_or_else(|| {
                Dialect::of_path(&std::path::absolute(&path).unwrap_or(path.clone()))
            }),
            path,
        });
        Ok(entries
            .filter(|entry| entry.name.contains(filter))
            .filter(|entry| {
                let mut except = self.options.except.iter();
                !except.any(|text| entry.name.contains(text))
            })
            .collect())
    }

    /// Takes one run after the other until none is left.
    fn slot(
        &self,
        slot: usize,
        entries: &[Entry],
        runs: &[(usize, Storage)],
        next: &AtomicUsize,
        scratch: &Path,
        sender: &Sender<Finished>,
    ) {
        let mut worker = None;
        while let Some(&(index, storage)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Some(entry) = entries.get(index) else {
                return;
            };
            let folder = scratch.join(format!("{index}-{storage}"));
            let report = match std::fs::create_dir_all(&folder) {
                Ok(()) => {
                    let job = self.job(entry, storage, &folder);
                    self.run_job(&job, &mut worker, scratch, slot)
                }
                Err(error) => FileReport::of_failure(0, format!("no scratch folder: {error}")),
            };
            // What is left goes with the run's own folder at the latest.
            let _ = std::fs::remove_dir_all(&folder);
            let finished = Finished {
                entry: index,
                storage,
                report,
            };
            if sender.send(finished).is_err() {
                return;
            }
        }
    }

    fn job(&self, entry: &Entry, storage: Storage, scratch: &Path) -> Job {
        Job {
            path: entry.path.display().to_string(),
            dialect: entry.dialect,
            storage,
            scratch: scratch.display().to_string(),
            complete: self.options.complete,
            reopens_always: self.options.reopens_always,
            timeout_ms: u64::try_from(self.options.timeout.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn run_job(
        &self,
        job: &Job,
        worker: &mut Option<Worker>,
        folder: &Path,
        slot: usize,
    ) -> FileReport {
        let command = match self.isolation {
            Isolation::Threads(engine) => return run_guarded(engine, job, &|_| {}),
            Isolation::Processes(command) => command,
        };
        let mut present = match worker.take() {
            Some(present) => present,
            None => match Worker::start(command(), folder, &format!("worker-{slot}")) {
                Ok(started) => started,
                Err(error) => return FileReport::of_failure(0, format!("no process: {error}")),
            },
        };
        match present.run(job) {
            Ok(report) => {
                *worker = Some(present);
                report
            }
            Err(report) => report,
        }
    }

    fn print_line(&self, out: &mut dyn Write, entry: &Entry, done: &Finished) -> io::Result<()> {
        let report = &done.report;
        let expected = self.options.expected_failures.reason(&entry.path);
        let verdict = match (report.verdict(), expected) {
            (Verdict::Failed, Some(reason)) => format!("expected failure, {reason}"),
            (Verdict::Failed, None) => "FAILED".to_owned(),
            (Verdict::Passed, _) => "ok".to_owned(),
            (Verdict::Skipped, _) => {
                let reason = report.skip_reason.as_deref();
                format!("ignored, {}", reason.unwrap_or("no record applies"))
            }
        };
        let seconds = report.wall_ns as f64 / 1e9;
        let (name, storage) = (&entry.name, done.storage);
        let ran = report.passed + report.failed;
        writeln!(
            out,
            "test {name} ({storage}) ... {verdict} <{ran} records, {seconds:.3} s>"
        )
    }
}

/// The path from here where it lies below, else as it is.
fn name_of(path: &Path, here: &Path) -> String {
    let path = path.strip_prefix(here).unwrap_or(path);
    let path = path.strip_prefix("./").unwrap_or(path);
    path.display().to_string()
}
