//! Logical plans, statements and the rules that rewrite plans. Knows no storage and no SQL text.
//!
//! The binder gives a [`PlanStatement`]; [`optimize`] applies the ordered list of rules to the
//! [`LogicalPlan`] in it; the executor cuts the result into pipelines.
//!
//! A rule is a value of [`RULES`], a file each. To write a new one, look at its neighbours: a unit
//! struct, its name, the kinds of nodes without which it need not run, and a function that
//! rewrites the tree in place. In debug builds the plan is [validated](validate) after each rule.
//!
//! Subqueries are [`LogicalPlan::Apply`] nodes until the rule `unnest` makes joins of them, so an
//! optimized plan has none. Columns have ids that are unique in a statement; nodes hand them on, and
//! a rule that copies a part of a plan gives the copy's columns new ids.
//!
//! ```
//! use llkv_expr::{BinaryOp, Expr};
//! use llkv_plan::{ColumnIds, ColumnInfo, PlanBuilder, TableInfo, explain, validate};
//! use llkv_types::{FieldId, Scalar, SqlType, TableId};
//!
//! # fn main() -> llkv_result::Result<()> {
//! let moons = ColumnInfo {
//!     field: FieldId(0), name: "moons".into(), ty: SqlType::Int64, nullable: true, default_sql: None, generated: None, declared: None, collation: llkv_types::Collation::Binary,
//! };
//! let planets = TableInfo {
//!     id: TableId(1), name: "planets".into(), columns: vec![moons], keys: vec![], checks: vec![],
//!     dialect: "llkv".into(),
//! };
//! let ids = ColumnIds::new();
//! let plan = PlanBuilder::scan(&ids, &planets);
//! let many = Expr::compare(BinaryOp::Gt, plan.col("moons")?, Expr::Literal(Scalar::Int64(10)));
//! let plan = plan.filter(many).build();
//! validate(&plan)?;
//! assert_eq!(explain(&plan), "Filter moons > 10\n└─ Scan planets (moons)\n");
//! # Ok(())
//! # }
//! ```

mod alter;
mod analysis;
mod builder;
mod catalog;
mod column_set;
pub mod estimate;
mod explain;
mod external;
mod optimizer;
mod parameters;
mod places;
mod plan;
mod rules;
mod statement;
mod trigger;
mod validate;
mod walk;

pub use alter::{AlterAction, AlterTable, Dependent, TableTexts};
pub use analysis::aggregate_of_no_rows;
pub use builder::{ColumnIds, PlanBuilder, aggregate_call};
pub use catalog::{
    CatalogView, ColumnInfo, ColumnStatistics, IndexInfo, IndexOrigin, TableInfo, TableRef,
    TableStatistics, ViewInfo,
};
pub use column_set::ColumnSet;
pub use explain::{
    JsonWriter, PlanNote, PlanNotes, QueryPlanStep, explain, explain_estimated, explain_json,
    notes, query_plan,
};
pub use external::{BatchIterator, BatchSource, ExternalSource, FileFormat, FileOptions};
pub use optimizer::{
    IndexUse, MAX_PLAN_DEPTH, Optimized, OptimizerOptions, Rule, RuleContext, TraceStep, optimize,
    optimize_traced,
};
pub use parameters::set_parameters;
pub use plan::{
    Aggregate, Apply, ApplyKind, Distinct, Expand, ExternalScan, Filter, IndexChoice, Join,
    JoinKind, Limit, LogicalPlan, PlanColumn, Project, Projection, Recursive, Scan, Series,
    SeriesColumn, SetOp, SetOpKind, Shared, Sort, UnionAll, Values, Window, WorkingTable,
};
pub use rules::RULES;
pub use statement::{
    CascadeTarget, CheckDefinition, ColumnDefinition, ConflictAction, Delete, ExplainFormat,
    ExplainMode, ForeignKeyAction, ForeignKeyDefinition, GeneratedColumn, IndexColumn,
    IndexDefinition, Insert, IsolationLevel, KeyDefinition, Merge, PlanStatement, Returning,
    RowCheck, RowQuery, SequenceDefinition, TableDefinition, Update, Upsert, UpsertUpdate,
};
pub use trigger::{
    TriggerCall, TriggerCondition, TriggerDefinition, TriggerInfo, TriggerProgram, Triggers,
    ViewChange,
};
pub use validate::validate;
pub use walk::NodeKinds;
