//! Scripts: run line by line, so that their length does not matter, up to their first error.

use crate::cli::shell::{Outcome, Shell};
use crate::cli::{Stop, tell};
use std::io::{BufRead, BufReader};
use std::path::Path;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Where a line stands that a shell is fed with.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The file's name as it was given.
    pub(crate) script: String,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// Runs a script of a file.
///
/// # Errors
/// As [`run`], and a file that cannot be opened.
pub(crate) fn run_file(shell: &mut Shell, path: &Path) -> Result<(), Stop> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path)
        .map_err(|error| Stop::Error(format!("cannot open {name}: {error}")))?;
    run(shell, Some(&name), BufReader::new(file))
}

/// Runs all of `lines`. With the name of their `script`, errors tell the line that they come from.
///
/// # Errors
/// [`Stop::Reported`] at the first error; lines that cannot be read.
pub(crate) fn run(
    shell: &mut Shell,
    script: Option<&str>,
    lines: impl BufRead,
) -> Result<(), Stop> {
    let place = script.map(|script| Place {
        script: script.to_string(),
        line: 0,
    });
    // A script may be read by another one, which goes on where it was.
    let outer = std::mem::replace(&mut shell.place, place);
    let outcome = feed_all(shell, lines);
    let place = std::mem::replace(&mut shell.place, outer);
    outcome.map_err(|stop| match (stop, place) {
        (Stop::Error(message), Some(Place { script, line })) => {
            tell(&format!("error: {message}\n --> {script}:{line}"));
            Stop::Reported
        }
        (stop, _) => stop,
    })
}

fn feed_all(shell: &mut Shell, mut lines: impl BufRead) -> Result<(), Stop> {
    let mut bytes = Vec::new();
    let mut is_first = true;
    loop {
        bytes.clear();
        if lines.read_until(b'\n', &mut bytes)? == 0 {
            return shell.finish().map(|_| ());
        }
        if let Some(place) = &mut shell.place {
            place.line += 1;
        }
        // Editors on some systems mark UTF-8 at its beginning.
        let marked = bytes.strip_prefix(BYTE_ORDER_MARK).filter(|_| is_first);
        let line = std::str::from_utf8(marked.unwrap_or(&bytes))?;
        is_first = false;
        if shell.feed(line)? == Outcome::Quit {
            return Ok(());
        }
    }
}
