//! The sum of a run, and its closing lines.

use crate::report::{FileReport, Verdict};
use std::io::{self, Write};

/// Counts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
    /// Not run, or expected to fail.
    pub skipped: u64,
}

/// What a run gave.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Records, over all storages.
    pub records: Counts,
    /// What became of each file so far: the greatest over its storages.
    files: Vec<FileState>,
    /// Failures as text.
    failures: Vec<String>,
    times: Vec<FileTime>,
}

/// The time of a file's statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileTime {
    /// The file's path and its storage.
    pub name: String,
    /// Nanoseconds in the database: from a statement's text to its last row as Arrow arrays.
    pub database_ns: u64,
}

impl FileTime {
    /// The time in seconds.
    #[must_use]
    pub fn database_s(&self) -> f64 {
        self.database_ns as f64 / 1e9
    }
}

/// What became of a file, in the order in which one storage outweighs another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum FileState {
    #[default]
    Skipped,
    Passed,
    FailedAsExpected,
    Failed,
}

impl Summary {
    pub(crate) fn new(files: usize) -> Self {
        Self {
            files: vec![FileState::default(); files],
            ..Self::default()
        }
    }

    /// Adds one run of a file. A file that is `expected` to fail counts as skipped while it does, and
    /// fails once it passes, so that its entry is taken off the list.
    pub(crate) fn add(
        &mut self,
        file: usize,
        name: &str,
        file_name: &str,
        report: FileReport,
        expected: Option<&str>,
    ) {
        self.records.passed += report.passed;
        self.records.skipped += report.skipped;
        self.times.push(FileTime {
            name: name.to_owned(),
            database_ns: report.latencies_ns.iter().sum(),
        });
        let state = match (report.verdict(), expected) {
            (Verdict::Failed, Some(_)) => {
                self.records.skipped += report.failed;
                FileState::FailedAsExpected
            }
            (Verdict::Failed, None) => {
                self.records.failed += report.failed;
                self.note_failures(name, file_name, &report);
                FileState::Failed
            }
            (Verdict::Passed, _) => FileState::Passed,
            (Verdict::Skipped, _) => FileState::Skipped,
        };
        if let Some(slot) = self.files.get_mut(file) {
            *slot = (*slot).max(state);
        }
    }

    /// Fails a file that stands on the list of expected failures if it passed on every storage.
    pub(crate) fn fail_unexpected_pass(&mut self, file: usize, name: &str) {
        if let Some(state @ FileState::Passed) = self.files.get_mut(file) {
            *state = FileState::Failed;
            self.failures.push(format!(
                "---- {name} ----\nthis file passes: take it off the list of expected failures\n"
            ));
        }
    }

    fn note_failures(&mut self, name: &str, file_name: &str, report: &FileReport) {
        let mut text = format!("---- {name} ----\n");
        for failure in &report.failures {
            text.push_str(&failure.render(file_name));
            text.push('\n');
        }
        let hidden = report.failed.saturating_sub(report.failures.len() as u64);
        if hidden > 0 {
            text.push_str(&format!("... and {hidden} more failures in this file\n"));
        }
        self.failures.push(text);
    }

    /// Files by verdict.
    #[must_use]
    pub fn files(&self) -> Counts {
        let count = |wanted| self.files.iter().filter(|&&own| own == wanted).count() as u64;
        Counts {
            passed: count(FileState::Passed),
            failed: count(FileState::Failed),
            skipped: count(FileState::Skipped) + count(FileState::FailedAsExpected),
        }
    }

    /// The time of each file on each storage, in the order in which they ended.
    #[must_use]
    pub fn times(&self) -> &[FileTime] {
        &self.times
    }

    /// True when no file failed.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.files().failed == 0 && self.records.failed == 0
    }

    /// What went wrong, a text for each file, for those that print it again.
    #[must_use]
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    pub(crate) fn print_failures(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.failures.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nfailures:\n")?;
        for failure in &self.failures {
            writeln!(out, "{failure}")?;
        }
        Ok(())
    }

    /// Writes the two lines that end every run: records, then files alone on the last line.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn print_closing_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        let line = |counts: &Counts| {
            let Counts {
                passed,
                failed,
                skipped,
            } = counts;
            format!("{passed} passed, {failed} failed, {skipped} skipped")
        };
        writeln!(out, "\nrecords: {}", line(&self.records))?;
        writeln!(out, "{}", line(&self.files()))?;
        out.flush()
    }

    /// Adds the counts of another run, for closing lines over several.
    pub fn merge(&mut self, other: Self) {
        self.records.passed += other.records.passed;
        self.records.failed += other.records.failed;
        self.records.skipped += other.records.skipped;
        self.files.extend(other.files);
        self.failures.extend(other.failures);
        self.times.extend(other.times);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(passed: u64, failed: u64) -> FileReport {
        let mut report = FileReport {
            passed,
            ..FileReport::default()
        };
        for line in 0..failed {
            report.absorb(FileReport::of_failure(line, "wrong"));
        }
        report
    }

    #[test]
    fn a_file_is_as_bad_as_its_worst_storage() {
        let mut summary = Summary::new(2);
        summary.add(0, "a (memory)", "a", report(3, 0), None);
        summary.add(0, "a (file)", "a", report(2, 1), None);
        summary.add(1, "b (memory)", "b", report(3, 0), None);
        let mut out = Vec::new();
        summary.print_closing_lines(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.ends_with(
                "\nrecords: 8 passed, 1 failed, 0 skipped\n1 passed, 1 failed, 0 skipped\n"
            ),
            "{text}"
        );
        assert!(!summary.is_success());
    }

    #[test]
    fn an_expected_failure_is_skipped_until_it_passes() {
        let mut summary = Summary::new(2);
        summary.add(0, "a", "a", report(3, 1), Some("no windows yet"));
        summary.add(1, "b", "b", report(3, 0), Some("no windows yet"));
        assert!(summary.is_success());
        summary.fail_unexpected_pass(0, "a");
        summary.fail_unexpected_pass(1, "b");
        assert_eq!(
            summary.files(),
            Counts {
                passed: 0,
                failed: 1,
                skipped: 1
            }
        );
        assert!(!summary.is_success());
    }

    #[test]
    fn an_expected_failure_may_fail_on_one_storage_only() {
        let mut summary = Summary::new(1);
        summary.add(
            0,
            "a (memory)",
            "a",
            report(3, 0),
            Some("files are not there yet"),
        );
        summary.add(
            0,
            "a (file)",
            "a",
            report(3, 1),
            Some("files are not there yet"),
        );
        summary.fail_unexpected_pass(0, "a");
        assert!(summary.is_success());
    }
}
