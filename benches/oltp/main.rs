//! Times LLKV on small transactions, one operation at a time: commits, look-ups by key, threads beside
//! each other, fresh processes.
//!
//! ```text
//! oltp FILE OPERATION N [key=value ...]
//! ```
//!
//! Each operation prints one line of JSON. Drivers of other engines that take the same operations and print
//! the same line are timed beside it in one run.
//!
//! | operation | work |
//! | --- | --- |
//! | `ping` | N times `SELECT ?`, prepared |
//! | `create` | the table `kv(id BIGINT PRIMARY KEY, grp INTEGER, val DOUBLE, txt VARCHAR)` |
//! | `bulk` | N rows by one INSERT ... SELECT |
//! | `insert_auto`, `insert_txn` | N one-row INSERTs, each a transaction, or all in one |
//! | `lookup`, `range` | N look-ups of one row, or of 100, by key |
//! | `update`, `delete` | N changes by key, each a transaction |
//! | `mixed` | N reads and writes beside an open snapshot |
//! | `script` | N times the statements of a file, unprepared |
//! | `conc` | readers and writers side by side for some seconds |
//! | `count`, `point`, `scan`, `exec` | one statement, opening included |
//!
//! Keys: `threads`, `rows`, `readers`, `writers`, `secs`, `read=point|scan|none`, `write=update|insert|none`,
//! `batch`, `table`, `sql`, `seed`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod options;
mod report;
mod side_by_side;
mod single;

use options::Options;
use std::process::ExitCode;
use std::time::Instant;

/// As in the program.
#[global_allocator]
static ALLOCATOR: llkv_allocator::Allocator = llkv_allocator::Allocator;

/// What an operation gives: nothing, or why it went wrong.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let started = Instant::now();
    match Options::of_arguments(std::env::args().skip(1)).and_then(|options| run(&options, started))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("oltp: {error}");
            ExitCode::from(3)
        }
    }
}

fn run(options: &Options, started: Instant) -> Outcome {
    let database = llkv::Database::open(&options.path)?;
    let mut connection = database.connect()?;
    connection.execute(&format!("SET threads = {}", options.threads))?;
    let opened = Instant::now();
    match options.operation.as_str() {
        "ping" => single::ping(options, &mut connection),
        "create" => single::create(options, &mut connection),
        "bulk" => single::bulk(options, &mut connection),
        "insert_auto" => single::insert(options, &mut connection, false),
        "insert_txn" => single::insert(options, &mut connection, true),
        "lookup" | "range" | "update" | "delete" => single::by_key(options, &mut connection),
        "mixed" => single::mixed(options, &database, &mut connection),
        "script" => single::script(options, &mut connection),
        "conc" => side_by_side::run(options, &database),
        "count" | "point" | "scan" | "exec" => {
            single::once(options, &mut connection, started, opened)
        }
        other => Err(format!("no operation {other}").into()),
    }
}
