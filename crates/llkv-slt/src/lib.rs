//! Reads sqllogictest files and runs databases against them, many files at once.
//!
//! A file holds records: statements that must succeed or fail, and queries with the rows they must
//! give. Three [`Dialect`]s are read: SQLite's own corpus, DuckDB's files with loops, loading and
//! restarts, and LLKV's. A database is whatever implements [`SltEngine`].
//!
//! The life of a file: [`SltRunner`] finds it and makes a [`Job`] of it for each [`Storage`]; a worker
//! process or a thread reads it ([`read_script`]), runs it record by record ([`run_script`]), writes
//! values as the dialect does ([`format_cell`]) and compares them; its [`FileReport`] goes back to the
//! runner, which prints it and adds it to the [`Summary`].
//!
//! Nothing is lenient: no float tolerance beyond what a format says itself, no reshaping of
//! results, no error that counts as an empty answer.
//!
//! ```
//! use llkv_slt::{Dialect, NodeKind, read_script};
//!
//! let text = "query I rowsort\nSELECT a FROM t\n----\n1\n2\n";
//! let script = read_script("a.slt".as_ref(), text, Dialect::Llkv).unwrap();
//! let NodeKind::Query(query) = &script.nodes[0].kind else { unreachable!() };
//! assert_eq!(query.sql, "SELECT a FROM t");
//! assert_eq!(query.expected.as_ref().unwrap(), &["1", "2"]);
//! ```

mod cell;
mod compare;
mod complete;
mod configuration;
mod dialect;
mod engine;
mod engines;
mod expected;
mod format;
mod job;
mod pattern;
mod reader;
mod report;
mod run;
mod runner;
mod script;
mod session;
mod statistics;
mod summary;
mod variables;
mod worker;

pub use cell::Cell;
pub use compare::{ResultText, ValueKind, compare};
pub use complete::complete;
pub use configuration::{CONFIGURATIONS, Configuration};
pub use dialect::{Dialect, UnknownDialect};
pub use engine::{
    EngineError, EngineStatistics, OperatorTime, Outcome, SltConnection, SltDatabase, SltEngine,
    Target,
};
pub use engines::LlkvEngine;
#[cfg(feature = "engine-sqlite")]
pub use engines::SqliteEngine;
pub use expected::{ExpectedFailures, ListError};
pub use format::format_cell;
pub use job::{Job, Storage};
pub use reader::{ReadError, read_script};
pub use report::{Failure, FileReport, SlowStatement, Verdict};
pub use run::{Kept, KeptResults, Progress, Reopen, RunOptions, run_script};
pub use runner::{Isolation, SltOptions, SltRunner};
pub use script::{
    Comparison, Condition, ConditionTest, Expectation, LoopDirective, LoopSource, Node, NodeKind,
    QueryRecord, Script, SortMode, StatementRecord,
};
pub use summary::{Counts, FileTime, Summary};
pub use variables::{Variables, foreach_values};
pub use worker::serve;
