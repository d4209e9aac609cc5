//! Logical plans, statements and the rules that rewrite plans. Knows no storage and no SQL text.
//!
//! The binder gives a [`PlanStatement`]; [`optimize`] applies the ordered list of rules to the
//! [`LogicalPlan`] in it; the executor cuts the result into pipelines.

mod catalog;
mod external;
mod plan;
mod statement;

pub use catalog::{
    CatalogView, ColumnInfo, ColumnStatistics, TableInfo, TableRef, TableStatistics, ViewInfo,
};
pub use external::{BatchIterator, ExternalSource, FileFormat, FileOptions};
pub use plan::{
    Aggregate, Apply, ApplyKind, Distinct, ExternalScan, Filter, Join, JoinKind, Limit,
    LogicalPlan, PlanColumn, Project, Projection, Scan, SetOp, SetOpKind, Sort, UnionAll, Values,
};
pub use statement::{
    CheckDefinition, ColumnDefinition, ConflictAction, Delete, ExplainMode, Insert, KeyDefinition,
    PlanStatement, RowCheck, TableDefinition, Update,
};
