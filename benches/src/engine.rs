//! Engines behind one small interface: each runs statements on a file of its own and fetches all rows.

use crate::duckdb::DuckDb;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use llkv::{Connection, Database};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// One engine on a file of its own.
pub enum Engine {
    /// This database.
    Llkv(Box<Connection>),
    /// DuckDB by its shared library.
    DuckDb(DuckDb),
}

impl Engine {
    /// Runs a statement and fetches its result.
    ///
    /// # Errors
    /// When it fails.
    pub fn run(&mut self, sql: &str) -> Outcome<Duration> {
        let start = Instant::now();
        match self {
            Self::Llkv(connection) if sql.starts_with("SELECT") || sql.starts_with("WITH") => {
                for batch in connection.query(sql)? {
                    batch?;
                }
            }
            Self::Llkv(connection) => drop(connection.execute(sql)?),
            Self::DuckDb(duckdb) => duckdb.run(sql)?,
        }
        Ok(start.elapsed())
    }

    /// The rows of a query as text, NULL as nothing.
    ///
    /// # Errors
    /// When it fails.
    pub fn rows(&mut self, sql: &str) -> Outcome<Vec<Vec<String>>> {
        let connection = match self {
            Self::DuckDb(duckdb) => return duckdb.rows(sql),
            Self::Llkv(connection) => connection,
        };
        let mut rows = Vec::new();
        for batch in connection.query(sql)? {
            let batch = batch?;
            let options = FormatOptions::default();
            let columns = batch.columns().iter();
            let columns = columns.map(|column| ArrayFormatter::try_new(column, &options));
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            for row in 0..batch.num_rows() {
                let values = columns.iter().map(|column| column.value(row).to_string());
                rows.push(values.collect());
            }
        }
        Ok(rows)
    }
}

/// Fails where rows of two engines differ in more than the last digits of a number, or how dates are written.
///
/// # Errors
/// The first difference.
pub fn compare_rows(ours: &[Vec<String>], theirs: &[Vec<String>]) -> Outcome<()> {
    if ours.len() != theirs.len() {
        return Err(format!("{} rows, {} of the peer", ours.len(), theirs.len()).into());
    }
    for (row, (a, b)) in ours.iter().zip(theirs).enumerate() {
        let equal = a.iter().zip(b).all(|(a, b)| are_equal(a, b));
        if a.len() != b.len() || !equal {
            return Err(format!("row {row} is {a:?}, the peer's {b:?}").into());
        }
    }
    Ok(())
}

fn are_equal(a: &str, b: &str) -> bool {
    if let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) {
        // Sums of floating-point numbers depend on their order.
        return (a - b).abs() <= 1e-7 * a.abs().max(1.0);
    }
    a == b || as_timestamp(a).is_some_and(|a| a == b)
}

/// A timestamp with the `T` of ISO 8601, as it is written with a blank.
fn as_timestamp(text: &str) -> Option<String> {
    let (date, time) = text.split_once('T')?;
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_date = date.len() == 10 && date.split('-').all(is_number);
    is_date.then(|| format!("{date} {time}"))
}

/// How an engine is opened, on which file.
#[derive(Debug)]
pub struct Contestant {
    /// What reports call it.
    pub name: &'static str,
    library: Option<PathBuf>,
    file: PathBuf,
}

impl Contestant {
    /// LLKV, and DuckDB where `DUCKDB_LIBRARY` names its shared library; files in `folder`.
    #[must_use]
    pub fn all(folder: &Path) -> Vec<Self> {
        let contestant = |name, library| Self {
            name,
            library,
            file: folder.join(format!("bench.{name}")),
        };
        let mut all = vec![contestant("llkv", None)];
        if let Some(library) = std::env::var_os("DUCKDB_LIBRARY") {
            all.push(contestant("duckdb", Some(library.into())));
        }
        all
    }

    /// Opens its file, or makes it.
    ///
    /// # Errors
    /// When the engine does not.
    pub fn open(&self) -> Outcome<Engine> {
        Ok(match &self.library {
            None => {
                let connection = Database::open(&self.file)?.connect()?;
                Engine::Llkv(Box::new(connection))
            }
            Some(library) => Engine::DuckDb(DuckDb::open(library, &self.file)?),
        })
    }

    /// Opens a new file in the place of the former one.
    ///
    /// # Errors
    /// When the file cannot be removed, or the engine does not open it.
    pub fn open_anew(&self) -> Outcome<Engine> {
        if self.file.exists() {
            std::fs::remove_file(&self.file)?;
        }
        self.open()
    }

    /// Bytes of its file.
    ///
    /// # Errors
    /// When there is none.
    pub fn file_bytes(&self) -> Outcome<u64> {
        Ok(std::fs::metadata(&self.file)?.len())
    }
}

/// The least of some durations, in milliseconds.
#[must_use]
pub fn least_ms(durations: &[Duration]) -> f64 {
    let least = durations.iter().min().copied().unwrap_or_default();
    least.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::are_equal;

    #[test]
    fn only_last_digits_and_the_form_of_times_may_differ() {
        assert!(are_equal("1234567.1", "1234567.10001"));
        assert!(!are_equal("1.5", "1.51"));
        assert!(are_equal("2025-01-02T03:04:05", "2025-01-02 03:04:05"));
        assert!(!are_equal("", "0") && !are_equal("Tom", " om"));
    }
}
