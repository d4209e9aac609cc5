//! The state of a shell: what was typed so far, and how statements are run and shown.

use crate::cli::interrupt::Interrupts;
use crate::cli::output::{Format, print, write_out};
use crate::cli::script::Place;
use crate::cli::{Stop, dot, tell};
use llkv::{
    Connection, Database, FileError, StatementResult, render_error, render_script_error,
    split_statements,
};
use llkv_allocator::keep_freed_memory;
use std::time::Instant;

/// Rows of a table that are shown unless `.maxrows` says otherwise.
const DEFAULT_MAX_ROWS: usize = 1_000;

/// What the shell wants after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The next line starts something new.
    Ready,
    /// The statement goes on.
    More,
    /// `.quit`
    Quit,
}

/// A connection and what belongs to showing its results.
pub(crate) struct Shell {
    pub(crate) connection: Connection,
    pub(crate) format: Format,
    pub(crate) timer: bool,
    pub(crate) max_rows: usize,
    /// The line that was fed last, of a script.
    pub(crate) place: Option<Place>,
    pending: String,
    interrupts: Interrupts,
    /// A result was written that nothing may follow.
    is_closed: bool,
}

impl Shell {
    pub(crate) fn new(database: &Database, format: Format) -> Result<Self, Stop> {
        Ok(Self {
            connection: database.connect()?,
            format,
            timer: false,
            max_rows: DEFAULT_MAX_ROWS,
            place: None,
            pending: String::new(),
            interrupts: Interrupts::install(),
            is_closed: false,
        })
    }

    /// Takes one line: a dot command, or a piece of SQL that is run once its semicolon has come.
    ///
    /// # Errors
    /// [`Stop::Reported`] when a statement failed; what was typed is forgotten.
    pub(crate) fn feed(&mut self, line: &str) -> Result<Outcome, Stop> {
        if self.pending.trim().is_empty() && line.trim_start().starts_with('.') {
            self.pending.clear();
            return dot::run(self, line.trim());
        }
        self.pending.push_str(line);
        if !line.ends_with('\n') {
            self.pending.push('\n');
        }
        if !line.contains(';') || !split_statements(&self.pending).is_complete() {
            let blank = self.pending.trim().is_empty();
            return Ok(if blank { Outcome::Ready } else { Outcome::More });
        }
        self.finish()
    }

    /// Runs what was typed, complete or not: the end of a script needs no semicolon.
    ///
    /// # Errors
    /// As [`Shell::feed`].
    pub(crate) fn finish(&mut self) -> Result<Outcome, Stop> {
        let pending = std::mem::take(&mut self.pending);
        for (statement, start) in split_statements(&pending) {
            let lines_behind = newlines(pending.get(start..).unwrap_or_default());
            self.run_from(statement, lines_behind)?;
        }
        Ok(Outcome::Ready)
    }

    /// Forgets what was typed.
    pub(crate) fn discard(&mut self) {
        self.pending.clear();
    }

    /// Runs one statement and shows its result, its time, or its error.
    ///
    /// # Errors
    /// [`Stop::Reported`] when it failed.
    pub(crate) fn run(&mut self, sql: &str) -> Result<(), Stop> {
        self.run_from(sql, 0)
    }

    /// As [`Shell::run`] of a statement that began so many lines before the end of what was fed.
    fn run_from(&mut self, sql: &str, lines_behind: usize) -> Result<(), Stop> {
        keep_freed_memory(self.connection.memory_limit_bytes());
        let start = Instant::now();
        let token = self.connection.cancel_token();
        let interrupts = self.interrupts.clone();
        let outcome = interrupts.during(token, || {
            let results = self.connection.run(sql)?;
            let mut results = results.into_iter();
            results.try_for_each(|result| self.show(result, sql))
        });
        if self.timer {
            let seconds = start.elapsed().as_secs_f64();
            write_out(&format!("Run Time (s): real {seconds:.6}\n"))?;
        }
        outcome.map_err(|error| {
            tell(&match &self.place {
                None => render_error(&error, sql),
                Some(Place { script, line }) => {
                    let first_line = (line + 1).saturating_sub(lines_behind);
                    render_script_error(&error, sql, script, first_line)
                }
            });
            Stop::Reported
        })
    }

    fn show(&mut self, result: StatementResult, sql: &str) -> llkv::Result<()> {
        let text = match result {
            StatementResult::Select(stream) => {
                if self.is_closed {
                    return Err(FileError::Io {
                        path: "stdout".into(),
                        operation: "write",
                        detail: "an Arrow file holds one result".into(),
                    }
                    .into());
                }
                self.is_closed = self.format == Format::Arrow;
                return print(stream, self.format, self.max_rows).map(|_| ());
            }
            StatementResult::Transaction { tag: "ROLLBACK" } if !rolls_back(sql) => {
                tell("a statement of the transaction failed: it is rolled back");
                return Ok(());
            }
            // Only people read counts; a pipe holds rows alone.
            _ if self.format != Format::Table => return Ok(()),
            StatementResult::Insert { rows } => counted("INSERT", rows),
            StatementResult::Update { rows } => counted("UPDATE", rows),
            StatementResult::Delete { rows } => counted("DELETE", rows),
            StatementResult::Merge { rows } => counted("MERGE", rows),
            StatementResult::Copy { rows } => counted("COPY", rows),
            _ => return Ok(()),
        };
        write_out(&text)
    }
}

/// True for a statement that asks for what a COMMIT may come to.
fn rolls_back(sql: &str) -> bool {
    let word = sql.split_whitespace().next().unwrap_or_default();
    let word = word.trim_end_matches(';');
    ["ROLLBACK", "ABORT"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

fn counted(word: &str, rows: u64) -> String {
    format!("{word} {rows}\n")
}
