//! LLKV: an embedded SQL database that keeps Apache Arrow columns in one crash-safe file.
//!
//! ```
//! use llkv::Database;
//!
//! # fn main() -> llkv::Result<()> {
//! let database = Database::in_memory()?;
//! let mut connection = database.connect()?;
//! connection.execute("CREATE TABLE planets (name VARCHAR, moons INTEGER)")?;
//! connection.execute("INSERT INTO planets VALUES ('Mars', 2), ('Jupiter', 95)")?;
//!
//! for batch in connection.query("SELECT name FROM planets WHERE moons > 10")? {
//!     assert_eq!(batch?.num_rows(), 1);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Results are Arrow [`RecordBatch`]es that stream while they are pulled. Every layer is a crate of its own, re-exported
//! here: [`storage`], [`column_map`], [`table`], [`plan`], [`executor`], [`runtime`], [`sql`] ...

mod connection;
mod database;

pub use arrow::array::RecordBatch;
pub use connection::Connection;
pub use database::Database;
pub use llkv_result::{
    BindError, CatalogError, ConstraintError, Error, EvalError, ExecError, FileError, Result,
    SelectStream, StatementResult, StorageError, TransactionError,
};
pub use llkv_sql::{EngineOptions, PreparedStatement, SqlDialect, render_error, split_statements};
pub use llkv_types::{Scalar, SqlType};

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
