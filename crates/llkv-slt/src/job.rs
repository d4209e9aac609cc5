//! One file to run on one storage.

use crate::complete::complete;
use crate::dialect::Dialect;
use crate::engine::{SltEngine, Target};
use crate::reader::read_script;
use crate::report::FileReport;
use crate::run::{Progress, Reopen, RunOptions, run_script};
use bitcode::{Decode, Encode};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where the database of a run lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Storage {
    /// In memory.
    Memory,
    /// In a file, which is closed and opened again in the middle.
    File,
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::File => "file",
        })
    }
}

/// A file to run.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Job {
    /// The file.
    pub path: String,
    /// Its dialect.
    pub dialect: Dialect,
    /// Where its database lives.
    pub storage: Storage,
    /// A folder of its own, which exists.
    pub scratch: String,
    /// Write what the database gives into the file.
    pub complete: bool,
    /// Close and open a database in a file before each statement, rather than once.
    pub reopens_always: bool,
    /// Milliseconds after which the file has failed.
    pub timeout_ms: u64,
}

impl Job {
    /// Runs the file.
    pub fn run(&self, engine: &dyn SltEngine, progress: Progress<'_>) -> FileReport {
        let path = PathBuf::from(&self.path);
        let text = match std::fs::read(&path) {
            // Some files of the corpora hold bytes that are no UTF-8, on purpose.
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => return FileReport::of_failure(0, format!("cannot be read: {error}")),
        };
        let script = match read_script(&path, &text, self.dialect) {
            Ok(script) => script,
            Err(error) => return FileReport::of_failure(error.line as u64, error.message),
        };
        if self.storage == Storage::Memory && script.has_restart() && !script.has_load() {
            return FileReport {
                skip_reason: Some("restart needs a file".to_owned()),
                skipped: script.record_count() as u64,
                ..FileReport::default()
            };
        }
        let scratch = PathBuf::from(&self.scratch);
        let options = RunOptions {
            dialect: self.dialect,
            target: self.target(&scratch),
            scratch,
            reopen: match self.storage {
                Storage::Memory => Reopen::Never,
                Storage::File if self.reopens_always => Reopen::Always,
                Storage::File => Reopen::Once,
            },
            keep_results: self.complete,
            timeout: Duration::from_millis(self.timeout_ms),
        };
        let (mut report, kept) = run_script(engine, &script, &options, progress);
        if self.complete
            && let Some(new) = complete(&text, &script, &kept)
            && let Err(error) = std::fs::write(&path, new)
        {
            let failed = FileReport::of_failure(0, format!("cannot be written: {error}"));
            report.absorb(failed);
        }
        report
    }

    fn target(&self, scratch: &std::path::Path) -> Target {
        match self.storage {
            Storage::Memory => Target::Memory,
            Storage::File => Target::File {
                path: scratch.join("database.llkv"),
                read_only: false,
            },
        }
    }
}
