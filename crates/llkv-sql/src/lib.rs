//! SQL text to Arrow results: parser dialects, binder, engine, prepared statements.
//!
//! # A SELECT's life
//!
//! 1. [`Session::execute`] cuts a script into statements, [`split_statements`].
//! 2. `text::parse_statement` finds words and signs, bounds the depth of what they can become, and parses them: itself
//!    what is written every day, by the parser library and the grammar of the session's [`SqlDialect`] the rest.
//! 3. `Binder::bind` resolves names and types against the catalog as the session's transaction sees it:
//!    `bind_query`, `bind_select`, `bind_from`, `bind_expr`. The result is a `llkv_plan::PlanStatement`:
//!    columns have ids, every expression has a type, a subquery in an expression is an `Apply`.
//! 4. `RuntimeSession::execute` takes the snapshot, `llkv_plan::optimize` unnests and rewrites, the executor
//!    builds pipelines.
//! 5. The caller pulls `RecordBatch`es from the [`StatementResult::Select`](llkv_result::StatementResult)
//!    stream, while they are computed.
//!
//! # An INSERT's life
//!
//! 1. As above, up to `Binder::bind_insert`: VALUES become Arrow arrays here, once, column by column
//!    (`bind_values`), in the types of the target's columns.
//! 2. `shape` puts the columns into the table's order and fills in defaults; `bind_checks` binds the CHECK
//!    constraints to them.
//! 3. `RuntimeSession::execute` pulls the batches, checks constraints, and stages the rows.
//! 4. Commit makes them durable, then visible.
//!
//! ```
//! use llkv_sql::SqlEngine;
//!
//! let engine = SqlEngine::in_memory()?;
//! let session = engine.session();
//! session.execute("CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'one'), (2, 'two')")?;
//! let rows: usize = session
//!     .sql("SELECT b FROM t WHERE a > 1")?
//!     .map(|batch| batch.map(|batch| batch.num_rows()))
//!     .sum::<Result<usize, _>>()?;
//! assert_eq!(rows, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bind;
mod binder;
mod dependencies;
mod dialect;
mod engine;
mod null_order;
mod options;
mod prepared;
mod row_inserts;
mod session;
mod substitute;
mod text;

pub use bind::bind;
pub use binder::BoundStatement;
pub use dialect::SqlDialect;
pub use engine::SqlEngine;
pub use null_order::NullOrder;
pub use options::EngineOptions;
pub use prepared::PreparedStatement;
pub use session::Session;
pub use text::{Statements, render_error, render_script_error, split_statements};
