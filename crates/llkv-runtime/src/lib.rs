//! Contexts, sessions, commit and statement dispatch of the LLKV database.
//!
//! # A statement's life
//!
//! 1. [`RuntimeSession::execute`] gets a bound [`llkv_plan::PlanStatement`]. BEGIN, COMMIT and their like are
//!    done at once; everything else runs in a transaction, the one that BEGIN began or one of its own.
//! 2. A transaction is a snapshot (what was published when it began) and a staging context: the rows it
//!    wrote and deleted, the tables and views it created and dropped. Nothing of it reaches the file
//!    but full row groups of large loads, to which nothing refers.
//! 3. A SELECT is optimized and handed to the executor with handles of its tables; the rows come while the
//!    stream is pulled, and the stream keeps the snapshot alive.
//! 4. INSERT, UPDATE and DELETE pull batches from such a plan, check them, and stage them. A row that another
//!    transaction changed is a conflict at once: the first updater wins.
//! 5. COMMIT, under one short lock, checks names and keys against what was committed since the snapshot,
//!    takes the next commit id, and gives one record its place in the log. Without the lock it waits for the
//!    disk, together with everybody who waits; then commits become visible in the order of their ids.
//! 6. A checkpoint runs on a thread of its own when enough has gathered.
//!
//! ```
//! use llkv_plan::{ColumnDefinition, PlanStatement, TableDefinition, TableRef};
//! use llkv_runtime::{RuntimeEngine, RuntimeOptions};
//! use llkv_types::SqlType;
//!
//! let engine = RuntimeEngine::in_memory(RuntimeOptions::default())?;
//! let mut session = engine.session();
//! session.begin(false)?;
//! session.execute(PlanStatement::CreateTable {
//!     definition: TableDefinition {
//!         dialect: "llkv".into(),
//!         foreign_keys: vec![],
//!         sequences: vec![],
//!         name: TableRef { schema: None, name: "t".into() },
//!         columns: vec![ColumnDefinition {
//!             name: "a".into(),
//!             ty: SqlType::Int32,
//!             nullable: true,
//!             default_sql: None,
//!             generated: None,
//!             declared: None,
//!             collation: llkv_types::Collation::Binary,
//!         }],
//!         keys: vec![],
//!         checks: vec![],
//!         temporary: false,
//!     },
//!     if_not_exists: false,
//!     or_replace: false,
//!     source: None,
//! })?;
//! let before = engine.last_committed();
//! assert!(session.commit()?);
//! assert_eq!(engine.last_committed(), before + 1);
//! # Ok::<(), llkv_result::Error>(())
//! ```

mod activity;
mod alter;
mod backup;
mod cascade_walk;
mod catalog_view;
mod checks;
mod commit;
mod context;
mod copy;
mod database_numbers;
mod ddl;
mod deferral;
mod definition_sql;
mod dependencies;
mod direct;
mod dispatch;
mod dml;
mod engine;
mod explain;
mod firing;
mod foreign_key_changes;
mod foreign_key_definition;
mod foreign_keys;
mod indexes;
mod information_schema;
mod integrity;
mod known;
mod maintenance;
mod merge;
mod options;
mod prepared;
mod query;
mod reads;
mod row_by_row;
mod row_values;
mod row_walk;
mod schemas;
mod sequences;
mod session;
mod settings;
mod single_row;
mod system_views;
mod table_info;
mod tables;
mod temporary;
mod transaction;
mod triggers;
mod upsert;
mod watched_stream;

pub use catalog_view::SessionCatalog;
pub use engine::RuntimeEngine;
pub use llkv_executor::{
    CancelToken, OperatorStatistics, OperatorSums, Progress, ProgressHook, ScanStatistics,
};
pub use options::{OnStatementError, RuntimeOptions};
pub use prepared::PreparedPlan;
pub use session::RuntimeSession;
