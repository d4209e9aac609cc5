//! An SQL database on a simulated disk, and what the tests on it share.

use arrow::array::RecordBatch;
use llkv_result::{Error, Result, SelectStream, StatementResult};
use llkv_runtime::{RuntimeEngine, RuntimeOptions};
use llkv_sql::{Session, SqlDialect, SqlEngine};
use llkv_storage::{FilePagerOptions, SimDisk};
use llkv_types::Scalar;
use std::sync::Arc;

/// The database's file on its disk.
pub const PATH: &str = "simulated.llkv";

/// A value as tests compare it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Null,
    Int(i128),
    Text(String),
}

/// A row of a result.
pub type Row = Vec<Value>;

/// Settings under which a single thread does the same I/O whenever it runs: nothing happens in the background.
pub fn options() -> RuntimeOptions {
    let mut options = RuntimeOptions::default();
    options.threads = Some(1);
    options.background_checkpoint = false;
    // The real file system is left alone.
    options.temp_limit_bytes = Some(0);
    options.temp_directory = Some(std::env::temp_dir());
    options.file = FilePagerOptions {
        log_bytes: 256 << 10,
        background_checkpoint: false,
        ..FilePagerOptions::default()
    };
    options
}

/// Opens the database of a disk, or creates it.
pub fn open(disk: &SimDisk, options: &RuntimeOptions) -> Result<SqlEngine> {
    open_at(disk, PATH, options)
}

/// Opens a database of a disk by its path.
pub fn open_at(disk: &SimDisk, path: &str, options: &RuntimeOptions) -> Result<SqlEngine> {
    let mut options = options.clone();
    options.disk = Arc::new(disk.clone());
    let runtime = RuntimeEngine::open(path, options)?;
    Ok(SqlEngine::new(runtime, SqlDialect::Llkv))
}

/// Runs statements and gives back the rows that the last one counts, 0 where it counts none.
pub fn run(session: &Session, sql: &str) -> Result<u64> {
    let mut affected = 0;
    for result in session.execute(sql)? {
        affected = match result {
            StatementResult::Select(stream) => rows_of(stream)?.len() as u64,
            other => other.rows_affected().unwrap_or(0),
        };
    }
    Ok(affected)
}

/// The rows of a query, in their order.
pub fn query(session: &Session, sql: &str) -> Result<Vec<Row>> {
    rows_of(session.sql(sql)?)
}

pub fn rows_of(stream: SelectStream) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for batch in stream {
        let batch: RecordBatch = batch.map_err(Error::from_arrow)?;
        for row in 0..batch.num_rows() {
            let columns = batch.columns().iter();
            let values: Result<Row> = columns.map(|column| value(column, row)).collect();
            rows.push(values?);
        }
    }
    Ok(rows)
}

fn value(column: &dyn arrow::array::Array, row: usize) -> Result<Value> {
    Ok(match Scalar::from_array(column, row)? {
        Scalar::Null(_) => Value::Null,
        Scalar::Int32(value) => Value::Int(value.into()),
        Scalar::Int64(value) => Value::Int(value.into()),
        Scalar::Decimal {
            value, scale: 0, ..
        } => Value::Int(value),
        Scalar::Text(text) => Value::Text(text.to_string()),
        other => return Err(Error::internal(format!("an unforeseen value: {other:?}"))),
    })
}

/// What a test does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Another transaction was in the way.
    Conflict,
    /// A constraint refused the rows.
    Constraint,
    /// The disk: what is committed is known once the file is opened again.
    Disk,
}

/// What kind of failure an error is; one that no test asks for stops the test.
#[track_caller]
pub fn failure(error: &Error) -> Failure {
    match error {
        error if error.is_retryable() => Failure::Conflict,
        Error::Constraint(_) => Failure::Constraint,
        Error::Storage(_) => Failure::Disk,
        other => panic!("{other}"),
    }
}

/// Everything that the database says about its own integrity, which is nothing.
#[track_caller]
pub fn check_integrity(engine: &SqlEngine, what: &str) {
    let findings = engine.runtime().verify().unwrap();
    assert!(findings.is_empty(), "{what}: {findings:?}");
}

/// SplitMix64 (Steele, Lea and Flood, 2014): the same decisions for the same seed.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }

    /// True in `percent` of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of some.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

/// True when the long figures are asked for.
pub fn long() -> bool {
    std::env::var_os("LLKV_LONG").is_some_and(|v| v != "0" && !v.is_empty())
}

/// The seed that the environment asks for alone, where it does.
pub fn asked_seed(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
