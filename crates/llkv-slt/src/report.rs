//! What running a file gave, and how a failure is shown.

use crate::engine::EngineStatistics;
use bitcode::{Decode, Encode};
use std::fmt::Write as _;

/// The result of one file on one storage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct FileReport {
    /// Records that did what they must.
    pub passed: u64,
    /// Records that did not.
    pub failed: u64,
    /// Records that were not run.
    pub skipped: u64,
    /// The failures, the first ones of the file only: see [`FileReport::MAX_FAILURES`].
    pub failures: Vec<Failure>,
    /// Why the file or its rest was not run.
    pub skip_reason: Option<String>,
    /// Nanoseconds of every statement in the database, in order.
    pub latencies_ns: Vec<u64>,
    /// The slowest statements, slowest first.
    pub slowest: Vec<SlowStatement>,
    /// What the database counted.
    pub statistics: Option<EngineStatistics>,
    /// Nanoseconds of the whole file.
    pub wall_ns: u64,
    /// Times the runner closed and opened the database on its own account.
    pub reopened: u32,
}

/// A record that did not do what it must.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Failure {
    /// Line of the record's head, from one; zero for the file as a whole.
    pub line: u64,
    /// The SQL as it was run.
    pub sql: String,
    /// What went wrong.
    pub message: String,
    /// The expectation's lines, where rows were compared.
    pub expected: Vec<String>,
    /// The result's lines, where rows were compared.
    pub got: Vec<String>,
}

/// A statement and its time.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SlowStatement {
    /// Nanoseconds in the database.
    pub time_ns: u64,
    /// Line of the record's head.
    pub line: u64,
    /// Its SQL.
    pub sql: String,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every record that was run passed, and some were.
    Passed,
    /// A record failed, or the file could not be read.
    Failed,
    /// Nothing was run.
    Skipped,
}

impl FileReport {
    /// Failures that a report keeps; further ones are only counted.
    pub const MAX_FAILURES: usize = 20;
    /// Slow statements that a report keeps.
    pub const MAX_SLOW: usize = 5;

    /// A report of a file that failed as a whole.
    #[must_use]
    pub fn of_failure(line: u64, message: impl Into<String>) -> Self {
        let mut report = Self::default();
        report.fail(Failure {
            line,
            sql: String::new(),
            message: message.into(),
            expected: Vec::new(),
            got: Vec::new(),
        });
        report
    }

    /// Counts a failed record.
    pub fn fail(&mut self, failure: Failure) {
        self.failed += 1;
        if self.failures.len() < Self::MAX_FAILURES {
            self.failures.push(failure);
        }
    }

    /// Notes the time of a statement.
    pub fn time(&mut self, time_ns: u64, line: usize, sql: &str) {
        self.latencies_ns.push(time_ns);
        let place = self.slowest.partition_point(|slow| slow.time_ns >= time_ns);
        if place < Self::MAX_SLOW {
            let slow = SlowStatement {
                time_ns,
                line: line as u64,
                sql: sql.to_owned(),
            };
            self.slowest.insert(place, slow);
            self.slowest.truncate(Self::MAX_SLOW);
        }
    }

    /// Adds what a part of the file gave (an iteration on its own thread).
    pub fn absorb(&mut self, part: Self) {
        self.passed += part.passed;
        self.failed += part.failed;
        self.skipped += part.skipped;
        let room = Self::MAX_FAILURES.saturating_sub(self.failures.len());
        self.failures.extend(part.failures.into_iter().take(room));
        self.latencies_ns.extend(part.latencies_ns);
        self.slowest.extend(part.slowest);
        self.slowest
            .sort_by_key(|slow| std::cmp::Reverse(slow.time_ns));
        self.slowest.truncate(Self::MAX_SLOW);
        self.skip_reason = self.skip_reason.take().or(part.skip_reason);
    }

    /// What became of the file.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self { failed: 1.., .. } => Verdict::Failed,
            Self { passed: 1.., .. } => Verdict::Passed,
            // A file with nothing in it did all it says.
            Self {
                skipped: 0,
                skip_reason: None,
                ..
            } => Verdict::Passed,
            _ => Verdict::Skipped,
        }
    }
}

impl Failure {
    /// The failure as text: place, SQL, what went wrong, expected and got side by side.
    #[must_use]
    pub fn render(&self, file: &str) -> String {
        let mut text = format!("{file}:{}: {}\n", self.line, self.message);
        for line in self.sql.lines() {
            // Writing to a String cannot fail, here and below.
            let _ = writeln!(text, "    {line}");
        }
        if !self.expected.is_empty() || !self.got.is_empty() {
            text.push_str(&side_by_side(&self.expected, &self.got));
        }
        text
    }
}

/// Two columns of lines with a mark between those that differ; long ones are cut around the first
/// difference.
fn side_by_side(expected: &[String], got: &[String]) -> String {
    const SHOWN: usize = 20;
    const BEFORE: usize = 3;
    const MAX_WIDTH: usize = 48;
    let total = expected.len().max(got.len());
    let line = |lines: &[String], at: usize| lines.get(at).map(|line| line.replace('\t', "  "));
    let first_difference = (0..total)
        .find(|&at| expected.get(at) != got.get(at))
        .unwrap_or(0);
    let start = first_difference.saturating_sub(BEFORE);
    let end = total.min(start + SHOWN);
    let widths = (start..end).filter_map(|at| line(expected, at));
    let width = widths.map(|text| text.chars().count()).max().unwrap_or(0);
    let width = width.clamp("expected".len(), MAX_WIDTH);

    let mut text = format!("    {:<width$}   got\n", "expected");
    if start > 0 {
        let _ = writeln!(text, "    ... {start} lines before");
    }
    for at in start..end {
        let mark = if expected.get(at) == got.get(at) {
            ' '
        } else {
            '|'
        };
        let left = line(expected, at).unwrap_or_default();
        let right = line(got, at).unwrap_or_default();
        let _ = writeln!(text, "    {left:<width$} {mark} {right}");
    }
    if end < total {
        let _ = writeln!(text, "    ... {} lines after", total - end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn a_failure_shows_both_sides() {
        let failure = Failure {
            line: 12,
            sql: "SELECT a\nFROM t".to_owned(),
            message: "row 2, column 1: expected \"2\", got \"3\"".to_owned(),
            expected: lines(&["1", "2"]),
            got: lines(&["1", "3", "4"]),
        };
        let expected = "a.slt:12: row 2, column 1: expected \"2\", got \"3\"
    SELECT a
    FROM t
    expected   got
    1          1
    2        | 3
             | 4
";
        assert_eq!(failure.render("a.slt"), expected);
    }

    #[test]
    fn long_results_are_cut_around_the_first_difference() {
        let expected: Vec<String> = (0..100).map(|i| i.to_string()).collect();
        let mut got = expected.clone();
        got[50] = "x".to_owned();
        let text = side_by_side(&expected, &got);
        assert!(text.contains("... 47 lines before"), "{text}");
        assert!(text.contains("50       | x"), "{text}");
        assert!(text.contains("... 33 lines after"), "{text}");
    }

    #[test]
    fn the_slowest_are_kept_in_order() {
        let mut report = FileReport::default();
        for time in [3, 9, 1, 7, 5, 8, 2] {
            report.time(time, 1, "");
        }
        let kept: Vec<u64> = report.slowest.iter().map(|slow| slow.time_ns).collect();
        assert_eq!(kept, [9, 8, 7, 5, 3]);
        assert_eq!(report.latencies_ns.len(), 7);
    }

    #[test]
    fn verdicts() {
        let mut report = FileReport::default();
        assert_eq!(report.verdict(), Verdict::Passed, "an empty file");
        report.skipped = 3;
        assert_eq!(report.verdict(), Verdict::Skipped);
        report.passed = 1;
        assert_eq!(report.verdict(), Verdict::Passed);
        report.failed = 1;
        assert_eq!(report.verdict(), Verdict::Failed);
    }
}
