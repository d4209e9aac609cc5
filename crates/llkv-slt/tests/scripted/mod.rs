//! A database that does what its statements say, to test the runner with.
//!
//! `ints 1 NULL 3` gives a BIGINT column, `table a,1 b,2` rows of text, `double 0.1` a DOUBLE;
//! `count 3` a row count, `fail TEXT` an error, `internal TEXT` an internal one, `put K V` stores in
//! the database, `get K` reads, `session K V` and `recall K` the same in the connection, `panic`,
//! `abort` and `hang` are what they are called.

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use llkv_slt::{Dialect, EngineError, Outcome, SltConnection, SltDatabase, SltEngine, Target};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Store = BTreeMap<String, String>;

/// The engine.
pub(crate) struct Scripted;

struct Database {
    store: Arc<Mutex<Store>>,
    path: Option<PathBuf>,
}

struct Connection {
    store: Arc<Mutex<Store>>,
    own: Store,
}

impl SltEngine for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn open(
        &self,
        target: &Target,
        _dialect: Dialect,
    ) -> Result<Box<dyn SltDatabase>, EngineError> {
        let (store, path) = match target {
            Target::Memory => (Store::new(), None),
            Target::File { path, .. } => (read(path)?, Some(path.clone())),
        };
        let store = Arc::new(Mutex::new(store));
        Ok(Box::new(Database { store, path }))
    }

    fn provides(&self, requirement: &[&str]) -> bool {
        requirement == ["parquet"]
    }
}

fn read(path: &PathBuf) -> Result<Store, EngineError> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        other => other.map_err(|error| EngineError::new(error.to_string()))?,
    };
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect())
}

impl SltDatabase for Database {
    fn connect(&self) -> Result<Box<dyn SltConnection>, EngineError> {
        Ok(Box::new(Connection {
            store: self.store.clone(),
            own: Store::new(),
        }))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let store = self.store.lock().unwrap();
            let lines = store.iter().map(|(key, value)| format!("{key} {value}\n"));
            std::fs::write(path, lines.collect::<String>()).unwrap();
        }
    }
}

impl SltConnection for Connection {
    fn run(&mut self, sql: &str) -> Result<Outcome, EngineError> {
        let mut outcome = Outcome::Done;
        for statement in sql
            .split(';')
            .map(str::trim)
            .filter(|text| !text.is_empty())
        {
            outcome = self.statement(statement)?;
        }
        Ok(outcome)
    }
}

impl Connection {
    fn statement(&mut self, text: &str) -> Result<Outcome, EngineError> {
        let (head, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        Ok(match (head, words.as_slice()) {
            ("ints", values) => {
                let values = values.iter().map(|value| value.parse::<i64>().ok());
                rows(vec![Arc::new(values.collect::<Int64Array>())])
            }
            ("double", values) => {
                let values = values.iter().map(|value| value.parse::<f64>().ok());
                rows(vec![Arc::new(values.collect::<Float64Array>())])
            }
            ("table", lines) => {
                let lines: Vec<Vec<&str>> =
                    lines.iter().map(|line| line.split(',').collect()).collect();
                let column = |index: usize| -> ArrayRef {
                    Arc::new(
                        lines
                            .iter()
                            .map(|line| Some(line[index]))
                            .collect::<StringArray>(),
                    )
                };
                rows((0..lines[0].len()).map(column).collect())
            }
            ("count", [count]) => Outcome::Changed(count.parse().unwrap()),
            ("put", [key, value]) => {
                let mut store = self.store.lock().unwrap();
                store.insert((*key).to_owned(), (*value).to_owned());
                Outcome::Done
            }
            ("get", [key]) => {
                let value = self.store.lock().unwrap().get(*key).cloned();
                rows(vec![Arc::new(StringArray::from(vec![value]))])
            }
            ("session", [key, value]) => {
                self.own.insert((*key).to_owned(), (*value).to_owned());
                Outcome::Done
            }
            ("recall", [key]) => {
                let value = self.own.get(*key).cloned();
                rows(vec![Arc::new(StringArray::from(vec![value]))])
            }
            ("fail", _) => return Err(EngineError::new(rest)),
            ("internal", _) => {
                let mut error = EngineError::new(rest);
                error.internal = true;
                return Err(error);
            }
            ("begin" | "commit" | "SET", _) => Outcome::Done,
            ("panic", _) => panic!("as told"),
            ("abort", _) => std::process::abort(),
            ("hang", _) => {
                std::thread::sleep(Duration::from_secs(600));
                Outcome::Done
            }
            _ => return Err(EngineError::new(format!("no statement `{text}`"))),
        })
    }
}

fn rows(columns: Vec<ArrayRef>) -> Outcome {
    let names = (0..columns.len()).map(|index| format!("c{index}"));
    let batch = RecordBatch::try_from_iter(names.zip(columns)).unwrap();
    Outcome::Rows {
        schema: batch.schema(),
        batches: vec![batch],
    }
}
