//! What a database must offer to be run against sqllogictest files.

use crate::dialect::Dialect;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::path::PathBuf;

/// A kind of database: opens databases. Shared by all threads of a run.
pub trait SltEngine: Send + Sync {
    /// Its name, for reports.
    fn name(&self) -> &str;

    /// Opens a database, creating the file where there is none.
    ///
    /// # Errors
    /// Whatever keeps it from opening; the file under test fails with it, or expects it.
    fn open(&self, target: &Target, dialect: Dialect) -> Result<Box<dyn SltDatabase>, EngineError>;

    /// True when a file that says `require WORDS...` may run. What only concerns the machine and
    /// the runner is answered before this is asked.
    fn provides(&self, requirement: &[&str]) -> bool {
        let _ = requirement;
        false
    }
}

/// Where a database lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// In memory: gone when it is closed.
    Memory,
    /// In a file.
    File {
        /// The file.
        path: PathBuf,
        /// Nothing may be written.
        read_only: bool,
    },
}

/// An open database; dropping it closes it.
pub trait SltDatabase: Send + Sync {
    /// A new connection, with a transaction state of its own.
    ///
    /// # Errors
    /// Whatever keeps it from connecting.
    fn connect(&self) -> Result<Box<dyn SltConnection>, EngineError>;

    /// What the database counted since it was opened, where it counts.
    fn statistics(&self) -> Option<EngineStatistics> {
        None
    }
}

/// A connection: runs one text after the other.
pub trait SltConnection: Send {
    /// Runs the statements of a text and gives the outcome of the last.
    ///
    /// # Errors
    /// The first error, which ends the text.
    fn run(&mut self, sql: &str) -> Result<Outcome, EngineError>;

    /// Called after each text that ran, outside of its time: the place to look at what the database counted.
    fn note(&mut self) {}
}

/// What a statement gave.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Rows, with the schema that holds even when there are none.
    Rows {
        /// Names and types of the columns.
        schema: SchemaRef,
        /// The rows. Columns whose values have types of their own are Arrow unions.
        batches: Vec<RecordBatch>,
    },
    /// A count of rows inserted, changed or deleted.
    Changed(u64),
    /// Nothing to count.
    Done,
}

/// A statement's error as a file sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    /// The text that expectations are compared with.
    pub message: String,
    /// The SQLSTATE, where the database has them.
    pub sqlstate: Option<String>,
    /// The database broke a promise to itself: no file may expect that.
    pub internal: bool,
}

impl EngineError {
    /// An error that is nothing but a text.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            sqlstate: None,
            internal: false,
        }
    }
}

/// What a database counted while statements ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, bitcode::Encode, bitcode::Decode)]
pub struct EngineStatistics {
    /// Rows that scans gave.
    pub rows_scanned: u64,
    /// Batches that scans gave.
    pub batches_scanned: u64,
    /// Row groups that scans read.
    pub row_groups_read: u64,
    /// Row groups that scans passed over because their statistics ruled them out.
    pub row_groups_pruned: u64,
    /// Blocks of rows that scans read, in those row groups.
    pub blocks_read: u64,
    /// Blocks that scans passed over because their statistics ruled them out.
    pub blocks_pruned: u64,
    /// Time by kind of operator.
    pub operators: Vec<OperatorTime>,
}

/// The time of one kind of operator.
#[derive(Debug, Clone, PartialEq, Eq, bitcode::Encode, bitcode::Decode)]
pub struct OperatorTime {
    /// The kind's name, such as `HashJoin`.
    pub name: String,
    /// Rows that came out.
    pub rows: u64,
    /// Nanoseconds spent in it.
    pub time_ns: u64,
}

impl EngineStatistics {
    /// Adds what another database counted.
    pub fn add(&mut self, other: &Self) {
        self.rows_scanned += other.rows_scanned;
        self.batches_scanned += other.batches_scanned;
        self.row_groups_read += other.row_groups_read;
        self.row_groups_pruned += other.row_groups_pruned;
        self.blocks_read += other.blocks_read;
        self.blocks_pruned += other.blocks_pruned;
        for operator in &other.operators {
            match self
                .operators
                .iter_mut()
                .find(|own| own.name == operator.name)
            {
                Some(own) => {
                    own.rows += operator.rows;
                    own.time_ns += operator.time_ns;
                }
                None => self.operators.push(operator.clone()),
            }
        }
    }
}
