//! Push-based, morsel-driven execution of logical plans into Arrow batches.
//!
//! # A query's way through this crate
//!
//! 1. [`QueryExecutor::execute`] compiles the optimized [`llkv_plan::LogicalPlan`] into a tree of physical
//!    operators: column ids become positions, columns that nobody reads are left out, predicates that
//!    storage can decide are lowered. It takes a handle of every table, so that the result is that of
//!    one moment.
//! 2. The first batch asked of the [`SelectExecution`] opens the tree. Opening a streaming operator (filter,
//!    projection, probe side of a join) appends a step to its input's pipeline; opening a breaker (build side
//!    of a join, aggregate, sort) runs its input's pipeline to the end and begins a new one. Since build
//!    sides run before their probe side is opened, the range of their keys is pushed into its scan.
//! 3. A pipeline is run by workers: each takes a morsel from the source, moves its batches through the steps
//!    and hands them to the sink. Workers wait for each other only at the sink's end. Work on few rows runs
//!    on the caller's thread alone.
//! 4. The last pipeline has no sink: its batches are put back into the order of their morsels by a bounded
//!    queue from which the caller pulls.
//!
//! Queries over a few rows do without all of this: [`run_directly`].
//!
//! ```
//! use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
//! use arrow::datatypes::Int64Type;
//! use llkv_executor::{ExecutionContext, QueryExecutor};
//! use llkv_expr::{BinaryOp, ColumnId, Expr};
//! use llkv_plan::{Filter, LogicalPlan, PlanColumn, Values};
//! use llkv_types::{Scalar, SqlType};
//! use std::sync::Arc;
//!
//! // SELECT * FROM (VALUES (1), (2), (3)) AS t(x) WHERE x > 1
//! let x: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
//! let plan = LogicalPlan::Filter(Filter {
//!     input: Box::new(LogicalPlan::Values(Values {
//!         columns: vec![PlanColumn {
//!             id: ColumnId(0),
//!             name: "x".into(),
//!             ty: SqlType::Int64,
//!             nullable: false,
//!         }],
//!         batches: vec![RecordBatch::try_from_iter([("x", x)])?],
//!     })),
//!     predicate: Expr::compare(
//!         BinaryOp::Gt,
//!         Expr::column(ColumnId(0), SqlType::Int64),
//!         Expr::Literal(Scalar::Int64(1)),
//!     ),
//! });
//!
//! let executor = QueryExecutor::new(ExecutionContext::without_tables());
//! let mut execution = executor.execute(&plan)?;
//! let batch = execution.next_batch()?.ok_or("a batch")?;
//! assert_eq!(batch.column(0).as_primitive::<Int64Type>().values(), &[2, 3]);
//! assert!(execution.next_batch()?.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod compile;
mod context;
mod direct;
mod executor;
mod keys;
mod metrics;
mod operators;
mod pipeline;
mod point;
mod progress;
mod resolve;
mod run;
mod spill;

pub use context::{ExecutionContext, NoTables, TableProvider, machine_threads};
pub use direct::{DirectRows, SmallTable, run_directly};
pub use executor::{ExecutionStatistics, QueryExecutor, SelectExecution};
pub use llkv_types::{CancelToken, MemoryBudget, MemoryReservation};
pub use metrics::{OperatorSpan, OperatorStatistics, OperatorSums, ScanStatistics, SpanRole};
pub use point::{NotePoint, PointPlan, PointResult, constant_value, is_fixed};
pub use progress::{Progress, ProgressHook};
pub use spill::{KeptRows, LocalDisk, SpillDisk, SpillSpace, SpillStorage};
