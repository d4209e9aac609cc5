//! Reads sqllogictest files in all dialects.

mod directive;
mod lines;
#[cfg(test)]
mod tests;

use crate::dialect::Dialect;
use crate::script::{Expectation, Node, NodeKind, QueryRecord, Script, SortMode, StatementRecord};
use lines::Lines;
use std::path::Path;

/// A file that does not follow the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ReadError {
    /// The line, from one.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// Reads the text of a file.
///
/// # Errors
/// At the first line that is no record, directive or comment of the dialect.
pub fn read_script(path: &Path, text: &str, dialect: Dialect) -> Result<Script, ReadError> {
    let mut reader = Reader {
        lines: Lines::new(text),
        dialect,
    };
    let nodes = reader.nodes(None)?;
    Ok(Script {
        path: path.to_owned(),
        nodes,
    })
}

struct Reader<'a> {
    lines: Lines<'a>,
    dialect: Dialect,
}

impl Reader<'_> {
    /// Nodes up to the end of the file, or up to the `endloop` of the loop opened at a line.
    fn nodes(&mut self, loop_line: Option<usize>) -> Result<Vec<Node>, ReadError> {
        let mut nodes = Vec::new();
        let mut conditions = Vec::new();
        while let Some((line, text)) = self.lines.next_head() {
            let words = words(text);
            let Some((&head, arguments)) = words.split_first() else {
                continue;
            };
            match head {
                "skipif" | "onlyif" => {
                    conditions.push(directive::condition(line, head == "skipif", arguments)?);
                    continue;
                }
                "endloop" if loop_line.is_some() => return Ok(nodes),
                "endloop" => return Err(error(line, "`endloop` without a loop")),
                _ => {}
            }
            let kind = match head {
                "statement" => NodeKind::Statement(self.statement(line, arguments)?),
                "query" => NodeKind::Query(self.query(line, arguments)?),
                "loop" | "foreach" | "concurrentloop" | "concurrentforeach" => {
                    let mut opened = directive::loop_head(line, head, arguments)?;
                    opened.body = self.nodes(Some(line))?;
                    NodeKind::Loop(opened)
                }
                _ => directive::directive(line, head, arguments)?,
            };
            nodes.push(Node {
                line,
                conditions: std::mem::take(&mut conditions),
                kind,
            });
        }
        match loop_line {
            Some(line) => Err(error(line, "this loop has no `endloop`")),
            None => Ok(nodes),
        }
    }

    fn statement(&mut self, line: usize, words: &[&str]) -> Result<StatementRecord, ReadError> {
        let expectation = match words.first() {
            Some(&"ok") => Expectation::Ok,
            Some(&"error") => Expectation::Error,
            Some(&"maybe") => Expectation::Maybe,
            other => {
                let found = other.copied().unwrap_or("nothing");
                return Err(error(
                    line,
                    format!("`statement` takes ok, error or maybe, not {found}"),
                ));
            }
        };
        if let (Dialect::Llkv, Some(word)) = (self.dialect, words.get(2)) {
            let hint = "the text of an error stands behind `----`";
            return Err(error(
                line,
                format!("no word `{word}` after a connection: {hint}"),
            ));
        }
        let sql = self.sql(line)?;
        let (error_text, error_lines) = match self.lines.block_after_dashes() {
            (Some(lines), range) => (Some(lines.join("\n")), range),
            (None, range) => (None, range),
        };
        Ok(StatementRecord {
            expectation,
            connection: words.get(1).map(|&name| name.to_owned()),
            sql,
            error: error_text.filter(|text| !text.is_empty()),
            error_lines,
        })
    }

    fn query(&mut self, line: usize, words: &[&str]) -> Result<QueryRecord, ReadError> {
        let types = words.first().copied().unwrap_or_default();
        if types.is_empty() {
            return Err(error(line, "`query` takes a letter for each column"));
        }
        if let Some(letter) = types.chars().find(|&letter| !self.takes_letter(letter)) {
            return Err(error(line, format!("no column letter `{letter}`")));
        }
        let (sort, connection) = match words.get(1).copied() {
            None | Some("nosort") => (SortMode::None, None),
            Some("rowsort" | "sort") => (SortMode::Rows, None),
            Some("valuesort") => (SortMode::Values, None),
            Some(other) if self.dialect == Dialect::Sqlite => {
                return Err(error(line, format!("no sort mode `{other}`")));
            }
            Some(name) => (SortMode::None, Some(name.to_owned())),
        };
        let sql = self.sql(line)?;
        let (expected, expected_lines) = self.lines.block_after_dashes();
        let has_dashes = expected.is_some();
        let expected = expected.map(|lines| lines.into_iter().map(str::to_owned).collect());
        Ok(QueryRecord {
            types: types.to_owned(),
            sort,
            connection,
            label: words.get(2).map(|&label| label.to_owned()),
            sql,
            expected: match expected {
                // SQLite's files have no queries that only run: nothing expected is an empty result.
                None if self.dialect == Dialect::Sqlite => Some(Vec::new()),
                other => other,
            },
            expected_lines,
            has_dashes,
        })
    }

    fn takes_letter(&self, letter: char) -> bool {
        match self.dialect {
            Dialect::Sqlite => matches!(letter, 'I' | 'R' | 'T'),
            Dialect::Duckdb | Dialect::Llkv => letter.is_ascii_alphabetic(),
        }
    }

    fn sql(&mut self, line: usize) -> Result<String, ReadError> {
        let comments_end_it = self.dialect != Dialect::Sqlite;
        let sql = self.lines.sql(comments_end_it);
        if sql.trim().is_empty() {
            return Err(error(line, "this record has no SQL"));
        }
        Ok(sql)
    }
}

/// The words of a head line, up to a trailing comment.
fn words(text: &str) -> Vec<&str> {
    text.split_whitespace()
        .take_while(|word| !word.starts_with('#'))
        .collect()
}

fn error(line: usize, message: impl Into<String>) -> ReadError {
    ReadError {
        line,
        message: message.into(),
    }
}
