//! Statements and queries: run, formatted, compared.

use super::{Kept, Lane, count_records, nanos};
use crate::cell::Cell;
use crate::compare::{ResultText, ValueKind, compare, expected_hash};
use crate::dialect::Dialect;
use crate::engine::{EngineError, Outcome};
use crate::format::format_cell;
use crate::pattern::error_matches;
use crate::report::Failure;
use crate::script::{Expectation, Node, NodeKind, QueryRecord, StatementRecord};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use std::borrow::Cow;

/// Characters of a label that count in SQLite's files.
const SQLITE_LABEL_LENGTH: usize = 20;

/// SQLSTATE of an overflow.
const NUMERIC_OUT_OF_RANGE: &str = "22003";

impl Lane<'_> {
    pub(super) fn statement(&mut self, line: usize, record: &StatementRecord) {
        let sql = self.sql(&record.sql);
        let outcome = self.timed(line, record.connection.as_deref(), &sql);
        let verdict = match (record.expectation, outcome) {
            (Expectation::Ok | Expectation::Maybe, Ok(_)) => Ok(()),
            (Expectation::Error, Ok(_)) => Err("expected an error, the statement succeeded".into()),
            (Expectation::Ok, Err(error)) => Err(format!("the statement failed: {error}")),
            (Expectation::Error | Expectation::Maybe, Err(error)) => {
                self.keep(line, || Kept::Error(error.message.clone()));
                let expected = record.error.as_deref();
                let expected = expected.map(|text| self.variables.expand(text).into_owned());
                check_error(&error, expected.as_deref())
            }
        };
        match verdict {
            Ok(()) => self.report.passed += 1,
            Err(message) => self.report.fail(Failure {
                line: line as u64,
                sql,
                message,
                expected: Vec::new(),
                got: Vec::new(),
            }),
        }
    }

    pub(super) fn query(&mut self, line: usize, record: &QueryRecord) {
        let sql = self.sql(&record.sql);
        let mut failure = Failure {
            line: line as u64,
            sql,
            message: String::new(),
            expected: Vec::new(),
            got: Vec::new(),
        };
        let checked = match self.timed(line, record.connection.as_deref(), &failure.sql) {
            Err(error) if self.overflows_as_expected(&error, record) => Ok(()),
            Err(error) => Err(format!("the query failed: {error}")),
            Ok(outcome) => self
                .result_text(outcome, record)
                .and_then(|result| self.check(line, record, &result, &mut failure)),
        };
        match checked {
            Ok(()) => self.report.passed += 1,
            Err(message) => {
                failure.message = message;
                self.report.fail(failure);
            }
        }
    }

    /// True for the one error that SQLite's files hold as a result without rows: an integer overflow,
    /// which SQLite finds while it steps and its harness does not look at.
    fn overflows_as_expected(&self, error: &EngineError, record: &QueryRecord) -> bool {
        self.options.dialect == Dialect::Sqlite
            && error.sqlstate.as_deref() == Some(NUMERIC_OUT_OF_RANGE)
            && record.expected.as_ref().is_some_and(Vec::is_empty)
    }

    /// Compares a result with the record and with what others gave under its label.
    fn check(
        &mut self,
        line: usize,
        record: &QueryRecord,
        result: &ResultText,
        failure: &mut Failure,
    ) -> Result<(), String> {
        let dialect = self.options.dialect;
        let hashed = self.hash_threshold > 0 && result.values.len() > self.hash_threshold;
        self.keep(line, || {
            Kept::Lines(if hashed {
                vec![result.hash_line()]
            } else {
                result.lines(dialect)
            })
        });
        if let Some(lines) = &record.expected {
            let lines: Vec<String> = lines
                .iter()
                .map(|line| self.variables.expand(line).into_owned())
                .collect();
            // In DuckDB's files a label without values stands for what others gave under it.
            let by_label = dialect == Dialect::Duckdb && record.label.is_some() && lines.is_empty();
            if !by_label && let Err(message) = compare(result, &lines, record.sort, dialect) {
                failure.got = result.lines(dialect);
                failure.expected = lines;
                return Err(message);
            }
        }
        match &record.label {
            Some(label) => self.agree(line, label, result.hash()),
            None => Ok(()),
        }
    }

    /// Holds a result against the earlier ones under its label.
    fn agree(&mut self, line: usize, label: &str, hash: String) -> Result<(), String> {
        let label = self.variables.expand(label);
        let key: String = match self.options.dialect {
            Dialect::Sqlite => label.chars().take(SQLITE_LABEL_LENGTH).collect(),
            Dialect::Duckdb | Dialect::Llkv => label.into_owned(),
        };
        let (first, first_line) = self.labels.entry(key).or_insert((hash.clone(), line));
        if *first == hash {
            return Ok(());
        }
        Err(format!(
            "the result differs from the one at line {first_line} under the same label"
        ))
    }

    /// Counts a record that its conditions rule out. Its expectation still speaks for its label:
    /// SQLite's corpus gives other systems other texts for one result.
    pub(super) fn pass_over(&mut self, node: &Node) {
        self.report.skipped += count_records(std::slice::from_ref(node));
        if let NodeKind::Query(record) = &node.kind
            && let (Some(label), Some(lines)) = (&record.label, &record.expected)
            && self.options.dialect == Dialect::Sqlite
        {
            let columns = record.types.len();
            let hash = expected_hash(lines, columns, record.sort, Dialect::Sqlite);
            if let Err(message) = self.agree(node.line, label, hash) {
                self.fail_at(node.line, format!("skipped, but {message}"));
            }
        }
    }

    /// Runs a text and notes its time.
    fn timed(
        &mut self,
        line: usize,
        connection: Option<&str>,
        sql: &str,
    ) -> Result<Outcome, EngineError> {
        let connection = connection.map(|name| self.variables.expand(name));
        let (outcome, time) = self.session.run(connection.as_deref(), sql);
        self.report.time(nanos(time), line, sql);
        outcome
    }

    /// A record's SQL with its variables' values.
    fn sql(&self, text: &str) -> String {
        let text = match self.options.dialect {
            // DuckDB's files name their data from the root of its source.
            Dialect::Duckdb if text.contains("'data/") => {
                Cow::Owned(text.replace("'data/", "'{DATA_DIR}/"))
            }
            _ => Cow::Borrowed(text),
        };
        self.variables.expand(&text).into_owned()
    }

    /// Keeps what a record gave, where it gives the same each time it runs.
    fn keep(&mut self, line: usize, kept: impl FnOnce() -> Kept) {
        if self.options.keep_results && self.loops == 0 {
            self.kept.insert(line, kept());
        }
    }

    /// The result as texts, in the order in which the record compares it.
    fn result_text(&self, outcome: Outcome, record: &QueryRecord) -> Result<ResultText, String> {
        let dialect = self.options.dialect;
        let letters = record.types.as_bytes();
        let mut result = match outcome {
            Outcome::Rows { schema, batches } => rows_text(&schema, &batches, letters, dialect)?,
            // Outside SQLite's files a statement that counts its rows answers with the count.
            Outcome::Changed(rows) if dialect != Dialect::Sqlite => ResultText {
                columns: 1,
                values: vec![rows.to_string()],
                kinds: vec![ValueKind::Exact],
            },
            Outcome::Done if dialect != Dialect::Sqlite => ResultText {
                columns: letters.len(),
                ..ResultText::default()
            },
            Outcome::Changed(_) | Outcome::Done => return Err("the statement has no rows".into()),
        };
        if result.columns != letters.len() {
            return Err(format!(
                "expected {} columns, got {}",
                letters.len(),
                result.columns
            ));
        }
        result.sort(record.sort);
        Ok(result)
    }
}

fn check_error(error: &EngineError, expected: Option<&str>) -> Result<(), String> {
    if error.internal {
        return Err(format!("an internal error is never expected: {error}"));
    }
    match expected {
        Some(expected) if !error_matches(error, expected) => {
            let state = error.sqlstate.as_deref();
            let state = state
                .map(|state| format!(" (SQLSTATE {state})"))
                .unwrap_or_default();
            Err(format!(
                "expected the error {expected:?}, got {:?}{state}",
                error.message
            ))
        }
        _ => Ok(()),
    }
}

fn rows_text(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    letters: &[u8],
    dialect: Dialect,
) -> Result<ResultText, String> {
    let columns = schema.fields().len();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut values = Vec::with_capacity(rows * columns);
    for batch in batches {
        if batch.num_columns() != columns {
            return Err(format!(
                "a batch has {} columns where the schema has {columns}",
                batch.num_columns()
            ));
        }
        for row in 0..batch.num_rows() {
            for (index, array) in batch.columns().iter().enumerate() {
                let letter = letters.get(index).copied().unwrap_or(b'T');
                values.push(format_cell(&Cell::at(array, row), letter, dialect));
            }
        }
    }
    let kinds = schema.fields().iter().map(|field| kind(field.data_type()));
    Ok(ResultText {
        columns,
        values,
        kinds: kinds.collect(),
    })
}

fn kind(data_type: &DataType) -> ValueKind {
    match data_type {
        DataType::Boolean => ValueKind::Boolean,
        DataType::Float16 | DataType::Float32 => ValueKind::Real,
        DataType::Float64 => ValueKind::Double,
        data_type if data_type.is_numeric() => ValueKind::Exact,
        _ => ValueKind::Text,
    }
}
