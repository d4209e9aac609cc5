//! LLKV: an embedded SQL database that keeps Apache Arrow columns in one crash-safe file.
//!
//! # Open, write, read
//!
//! A [`Database`] is one file (or memory), cheap to clone and shared between threads; each thread takes a
//! [`Connection`] of its own.
//!
//! ```
//! use llkv::Database;
//!
//! # fn main() -> llkv::Result<()> {
//! let database = Database::in_memory()?; // or Database::open("planets.llkv")?
//! let mut connection = database.connect()?;
//! connection.execute("CREATE TABLE planets (id INTEGER PRIMARY KEY, name VARCHAR, moons INTEGER)")?;
//! let rows = connection.execute("INSERT INTO planets VALUES (4, 'Mars', 2), (5, 'Jupiter', 95)")?;
//! assert_eq!(rows, 2);
//! # Ok(())
//! # }
//! ```
//!
//! Results are Arrow [`RecordBatch`]es that stream while they are pulled; small ones can be taken row by row.
//!
//! ```
//! # use llkv::Database;
//! # fn main() -> llkv::Result<()> {
//! # let mut connection = Database::in_memory()?.connect()?;
//! # connection.execute("CREATE TABLE planets (id INTEGER PRIMARY KEY, name VARCHAR, moons INTEGER)")?;
//! # connection.execute("INSERT INTO planets VALUES (4, 'Mars', 2), (5, 'Jupiter', 95)")?;
//! for batch in connection.query("SELECT name FROM planets WHERE moons > 10")? {
//!     assert_eq!(batch?.num_rows(), 1);
//! }
//! for row in connection.rows("SELECT name, moons FROM planets ORDER BY moons")? {
//!     let name: String = row.get(0)?;
//!     let moons: Option<i32> = row.get("moons")?; // NULL is None
//!     assert!(name != "Jupiter" || moons == Some(95));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Prepared statements
//!
//! A [`Statement`] is parsed and planned once. One that asks for a row by its key takes a few microseconds, one
//! that inserts a row within a transaction about one.
//!
//! ```
//! # use llkv::Database;
//! # fn main() -> llkv::Result<()> {
//! # let mut connection = Database::in_memory()?.connect()?;
//! # connection.execute("CREATE TABLE planets (id INTEGER PRIMARY KEY, name VARCHAR, moons INTEGER)")?;
//! let insert = connection.prepare("INSERT INTO planets VALUES (?, ?, ?)")?;
//! insert.execute((3, "Earth", 1))?;
//! insert.execute((2, "Venus", None::<i32>))?;
//! let by_id = connection.prepare("SELECT name FROM planets WHERE id = $1")?;
//! let rows = by_id.rows((3,))?;
//! assert_eq!(rows[0].get::<String>("name")?, "Earth");
//! # Ok(())
//! # }
//! ```
//!
//! # Transactions
//!
//! Outside of a transaction each statement commits by itself and is on disk when it returns. [`Connection::transaction`]
//! commits several statements as one, or none of them, and begins again where a concurrent transaction changed
//! the same rows first.
//!
//! ```
//! # use llkv::Database;
//! # fn main() -> llkv::Result<()> {
//! # let mut connection = Database::in_memory()?.connect()?;
//! connection.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, euros INTEGER CHECK (euros >= 0))")?;
//! connection.execute("INSERT INTO accounts VALUES (1, 50), (2, 0)")?;
//! let transfer = |connection: &mut llkv::Connection, euros: i32| {
//!     connection.transaction(|transaction| {
//!         let add = transaction.prepare("UPDATE accounts SET euros = euros + $1 WHERE id = $2")?;
//!         add.execute((euros, 2))?;
//!         add.execute((-euros, 1))
//!     })
//! };
//! transfer(&mut connection, 30)?;
//! assert!(transfer(&mut connection, 30).is_err()); // the CHECK undoes both
//! let rows = connection.rows("SELECT euros FROM accounts ORDER BY id")?;
//! assert_eq!(rows[1].get::<i32>("euros")?, 30);
//! # Ok(())
//! # }
//! ```
//!
//! # Arrow in
//!
//! An [`Appender`] takes record batches: the fastest way to fill a table.
//!
//! ```
//! use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
//! # use llkv::Database;
//! # use std::sync::Arc;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut connection = Database::in_memory()?.connect()?;
//! connection.execute("CREATE TABLE moons (planet INTEGER, name VARCHAR)")?;
//! let planets: ArrayRef = Arc::new(Int32Array::from(vec![3, 4, 4]));
//! let names: ArrayRef = Arc::new(StringArray::from(vec!["Moon", "Phobos", "Deimos"]));
//! let batch = RecordBatch::try_from_iter([("planet", planets), ("name", names)])?;
//! let mut appender = connection.appender("moons")?;
//! appender.append(batch)?;
//! assert_eq!(appender.finish()?, 3);
//! # Ok(())
//! # }
//! ```
//!
//! # Stopping a statement
//!
//! ```
//! # use llkv::Database;
//! # fn main() -> llkv::Result<()> {
//! # let mut connection = Database::in_memory()?.connect()?;
//! let token = connection.cancel_token(); // for another thread, a signal handler, a timer
//! token.cancel();
//! assert!(connection.rows("SELECT 1").is_err());
//! token.reset();
//! assert!(connection.rows("SELECT 1").is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! A progress callback sees how far a statement has come, and can stop it too.
//!
//! ```
//! # use llkv::Database;
//! # use std::time::Duration;
//! # fn main() -> llkv::Result<()> {
//! # let mut connection = Database::in_memory()?.connect()?;
//! connection.on_progress(Duration::ZERO, |progress| progress.rows_read < 1_000_000);
//! assert!(connection.rows("SELECT sum(i) FROM range(1000) t(i)").is_ok());
//! assert!(connection.rows("SELECT sum(i) FROM range(100000000) t(i)").is_err());
//! # Ok(())
//! # }
//! ```
//!
//! Every layer is a crate of its own, re-exported here: [`storage`], [`column_map`], [`table`], [`plan`],
//! [`executor`], [`runtime`], [`sql`] ...

mod appender;
mod connection;
mod database;
mod parameters;
mod row;
mod statement;
mod tx;

pub use appender::Appender;
pub use arrow::array::RecordBatch;
pub use connection::Connection;
pub use database::Database;
pub use parameters::Parameters;
pub use row::{ColumnIndex, Row};
pub use statement::Statement;
pub use tx::Transaction;

pub use llkv_executor::{CancelToken, Progress};
pub use llkv_plan::IsolationLevel;
pub use llkv_result::{
    BindError, CatalogError, ConstraintError, Error, EvalError, ExecError, FileError, Result,
    SelectStream, StatementResult, StorageError, TransactionError,
};
pub use llkv_sql::{
    EngineOptions, SqlDialect, render_error, render_script_error, split_statements,
};
pub use llkv_types::{FromScalar, Scalar, SqlType};

pub use llkv_column_map as column_map;
pub use llkv_compute as compute;
pub use llkv_executor as executor;
pub use llkv_expr as expr;
pub use llkv_files as files;
pub use llkv_plan as plan;
pub use llkv_runtime as runtime;
pub use llkv_sql as sql;
pub use llkv_storage as storage;
pub use llkv_table as table;
pub use llkv_transaction as transaction;
pub use llkv_types as types;
