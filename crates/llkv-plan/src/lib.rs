//! Logical plans, statements and the rules that rewrite plans. Knows no storage and no SQL text.
//!
//! The binder gives a [`PlanStatement`]; [`optimize`] applies the ordered list of rules to the
//! [`LogicalPlan`] in it; the executor cuts the result into pipelines.

mod analysis;
mod catalog;
mod column_set;
pub mod estimate;
mod explain;
mod external;
mod optimizer;
mod plan;
mod rules;
mod statement;
mod validate;
mod walk;

pub use catalog::{
    CatalogView, ColumnInfo, ColumnStatistics, TableInfo, TableRef, TableStatistics, ViewInfo,
};
pub use column_set::ColumnSet;
pub use explain::{explain, explain_estimated};
pub use external::{BatchIterator, ExternalSource, FileFormat, FileOptions};
pub use optimizer::{
    MAX_PLAN_DEPTH, Optimized, OptimizerOptions, Rule, RuleContext, TraceStep, optimize,
    optimize_traced,
};
pub use plan::{
    Aggregate, Apply, ApplyKind, Distinct, ExternalScan, Filter, Join, JoinKind, Limit,
    LogicalPlan, PlanColumn, Project, Projection, Scan, SetOp, SetOpKind, Sort, UnionAll, Values,
};
pub use rules::RULES;
pub use statement::{
    CheckDefinition, ColumnDefinition, ConflictAction, Delete, ExplainMode, Insert, KeyDefinition,
    PlanStatement, RowCheck, TableDefinition, Update,
};
pub use validate::validate;
pub use walk::NodeKinds;
