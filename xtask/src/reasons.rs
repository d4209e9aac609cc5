//! Of what a command prints, the part that tells why it failed: the last lines of its standard error, and the
//! failures that Rust's test harness lists.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read, Write};

/// Lines of standard error that are kept.
const LAST_LINES: usize = 30;
/// Lines of failed tests that are kept.
const FAILURE_LINES: usize = 120;

/// What a command's streams said about its failure.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reasons {
    failures: Vec<String>,
    is_in_failures: bool,
    last: VecDeque<String>,
}

impl Reasons {
    /// Copies both streams to their ends, each as it comes, and keeps what tells about a failure.
    pub(crate) fn copied(
        output: impl Read + Send,
        errors: impl Read,
        output_to: impl Write + Send,
        errors_to: impl Write,
    ) -> Self {
        std::thread::scope(|scope| {
            let of_output = scope.spawn(move || {
                let mut kept = Self::default();
                copy_lines(output, output_to, |line| kept.note_output(line));
                kept
            });
            let mut of_errors = Self::default();
            copy_lines(errors, errors_to, |line| of_errors.note_error(line));
            let mut reasons = of_output.join().unwrap_or_default();
            reasons.last = of_errors.last;
            reasons
        })
    }

    /// A line of standard output: those between `failures:` and `test result:` are kept.
    fn note_output(&mut self, line: &str) {
        if line == "failures:" {
            self.is_in_failures = true;
        }
        if self.is_in_failures && self.failures.len() < FAILURE_LINES {
            self.failures.push(line.to_owned());
        }
        if line.starts_with("test result:") {
            self.is_in_failures = false;
        }
    }

    /// A line of standard error.
    fn note_error(&mut self, line: &str) {
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line.to_owned());
    }

    /// What was kept, the failures first.
    pub(crate) fn text(&self) -> String {
        let lines = self.failures.iter().chain(&self.last);
        lines.map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

fn copy_lines(from: impl Read, mut to: impl Write, mut note: impl FnMut(&str)) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // A closed stream is no reason to stop a check.
        let _ = to.write_all(&line);
        note(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Reasons;

    #[test]
    fn failed_tests_and_the_last_errors_are_kept_and_all_is_passed_on() {
        let output = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\n\
            assertion failed\n\nfailures:\n    b\n\ntest result: FAILED. 1 passed; 1 failed\n\nrunning 1 test\n";
        let errors: String = (0..100).map(|line| format!("Compiling {line}\n")).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let reasons = Reasons::copied(output.as_bytes(), errors.as_bytes(), &mut out, &mut err);
        assert_eq!(out, output.as_bytes());
        assert_eq!(err, errors.as_bytes());
        let text = reasons.text();
        assert!(text.starts_with("failures:\n\n---- b stdout ----\nassertion failed\n"));
        assert!(text.contains("test result: FAILED"), "{text}");
        assert!(!text.contains("running"), "{text}");
        assert!(!text.contains("Compiling 69\n"), "{text}");
        assert!(text.contains("Compiling 70\n"), "{text}");
        assert!(text.ends_with("Compiling 99"), "{text}");
    }
}
