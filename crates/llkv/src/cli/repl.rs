//! The interactive loop: line editing, history, completion.

use crate::cli::shell::{Outcome, Shell};
use crate::cli::{Stop, dot, tell};
use llkv::Connection;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, Helper};
use std::cell::RefCell;
use std::path::PathBuf;

/// Names that are offered at once, at most.
const MOST_NAMES: usize = 200;

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

/// Completes dot commands, keywords, and the names of tables and columns.
struct Words {
    /// Another session than the shell's: it sees what is committed, and cannot disturb a transaction.
    catalog: RefCell<Connection>,
}

impl Words {
    /// Names that begin with `word`. A catalog that cannot be read has none to offer.
    fn names(&self, word: &str) -> Vec<String> {
        let prefix = word.replace('\'', "''");
        let sql = format!(
            "SELECT name FROM (SELECT name FROM llkv_schema WHERE type <> 'index' \
             UNION SELECT column_name FROM information_schema.columns) AS names(name) \
             WHERE starts_with(lower(name), lower('{prefix}')) ORDER BY name LIMIT {MOST_NAMES}"
        );
        let rows = self.catalog.borrow_mut().rows(&sql).unwrap_or_default();
        let names = rows.iter().filter_map(|row| row.get(0).ok());
        names.collect()
    }
}

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
        let word = last_word(before);
        let start = before.len() - word.len();
        let fits = |candidate: &&str| {
            !word.is_empty()
                && candidate
                    .get(..word.len())
                    .is_some_and(|c| c.eq_ignore_ascii_case(word))
        };
        let words = KEYWORDS.iter().copied().chain(dot::names()).filter(fits);
        let mut found: Vec<String> = words.map(str::to_string).collect();
        if !word.is_empty() {
            found.extend(self.names(word));
        }
        let pair = |text: String| Pair {
            display: text.clone(),
            replacement: text,
        };
        Ok((start, found.into_iter().map(pair).collect()))
    }
}

/// The word that is being typed: a dot command, or what stands behind the last sign.
fn last_word(before: &str) -> &str {
    let line = before.trim_start();
    if line.starts_with('.') && !line.contains(char::is_whitespace) {
        return line;
    }
    let sign = |c: char| !c.is_alphanumeric() && c != '_';
    before.rsplit(sign).next().unwrap_or_default()
}

fn history_file() -> Option<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "llkv")?;
    std::fs::create_dir_all(folders.data_dir()).ok()?;
    Some(folders.data_dir().join("history"))
}

/// Reads and runs lines until the end of input or `.quit`. An error does not end it.
/// `catalog` is a session for the names to complete.
pub(crate) fn run(shell: &mut Shell, catalog: Connection) -> Result<(), Stop> {
    let config = Config::builder().auto_add_history(true).build();
    let mut editor: Editor<Words, DefaultHistory> = Editor::with_config(config)?;
    editor.set_helper(Some(Words {
        catalog: RefCell::new(catalog),
    }));
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
                    tell(&format!("error: {message}"));
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
