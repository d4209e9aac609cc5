//! Engines behind one small interface: each runs statements on a file of its own and fetches all rows.

use crate::duckdb::DuckDb;
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
