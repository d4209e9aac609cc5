//! The interactive loop: line editing, history, completion.

use crate::cli::shell::{Outcome, Shell};
use crate::cli::{Stop, dot, tell};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, Helper};
use std::path::PathBuf;

/// Words worth completing.
const KEYWORDS: &[&str] = &[
    "BEGIN",
    "BETWEEN",
    "CASE",
    "CAST",
    "CHECKPOINT",
    "COMMIT",
    "COPY",
    "CREATE TABLE",
    "CREATE VIEW",
    "DELETE FROM",
    "DISTINCT",
    "DROP TABLE",
    "EXPLAIN",
    "EXPLAIN ANALYZE",
    "FROM",
    "GROUP BY",
    "HAVING",
    "INSERT INTO",
    "INTERSECT",
    "JOIN",
    "LEFT JOIN",
    "LIMIT",
    "ORDER BY",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "UNION ALL",
    "UPDATE",
    "VALUES",
    "WHERE",
    "WITH",
];

/// Completes dot commands and keywords.
struct Words;

impl Helper for Words {}
impl Highlighter for Words {}
impl Validator for Words {}
impl Hinter for Words {
    type Hint = String;
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..position).unwrap_or(line);
        let start = before
            .rfind(|c: char| c.is_whitespace() || c == '(')
            .map_or(0, |at| at + 1);
        let word = before.get(start..).unwrap_or_default();
        let fits = |candidate: &&str| {
            !word.is_empty()
                && candidate
                    .get(..word.len())
                    .is_some_and(|c| c.eq_ignore_ascii_case(word))
        };
        let found = KEYWORDS.iter().copied().chain(dot::names()).filter(fits);
        let pair = |text: &str| Pair {
            display: text.to_string(),
            replacement: text.to_string(),
        };
        Ok((start, found.map(pair).collect()))
    }
}

fn history_file() -> Option<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "llkv")?;
    std::fs::create_dir_all(folders.data_dir()).ok()?;
    Some(folders.data_dir().join("history"))
}

/// Reads and runs lines until the end of input or `.quit`. An error does not end it.
pub(crate) fn run(shell: &mut Shell) -> Result<(), Stop> {
    let config = Config::builder().auto_add_history(true).build();
    let mut editor: Editor<Words, DefaultHistory> = Editor::with_config(config)?;
    editor.set_helper(Some(Words));
    let history = history_file();
    if let Some(path) = &history {
        // The first start has none.
        let _ = editor.load_history(path);
    }
    tell(&format!(
        "LLKV {}. Type SQL ending in ';', or .help.",
        env!("CARGO_PKG_VERSION")
    ));
    let mut outcome = Outcome::Ready;
    while outcome != Outcome::Quit {
        let prompt = if outcome == Outcome::More {
            "  ...> "
        } else {
            "llkv> "
        };
        outcome = match editor.readline(prompt) {
            Ok(line) => shell.feed(&line).unwrap_or_else(|stop| {
                if let Stop::Error(message) = stop {
                    tell(&format!("Error: {message}"));
                }
                Outcome::Ready
            }),
            Err(ReadlineError::Interrupted) => {
                shell.discard();
                Outcome::Ready
            }
            Err(ReadlineError::Eof) => Outcome::Quit,
            Err(error) => return Err(error.into()),
        };
        if let Some(path) = &history {
            // History is a comfort; a full disk must not end the session.
            let _ = editor.save_history(path);
        }
    }
    Ok(())
}
