//! Plans built by hand: for tests, for tools, for front ends that are not SQL.

use crate::{
    Aggregate, Apply, ApplyKind, Distinct, Filter, Join, JoinKind, Limit, LogicalPlan, PlanColumn,
    Project, Projection, Scan, Sort, TableInfo,
};
use llkv_expr::{AggregateExpr, AggregateFunction, ColumnId, Expr, SortKey};
use llkv_result::{BindError, Error, ObjectKind, Result};
use llkv_types::SqlType;
use std::cell::Cell;

/// Hands out the column ids of one statement.
#[derive(Debug, Default)]
pub struct ColumnIds(Cell<u32>);

impl ColumnIds {
    /// From number 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A column that the statement does not have yet.
    pub fn column(&self, name: &str, ty: SqlType, nullable: bool) -> PlanColumn {
        let id = self.0.get();
        self.0.set(id.saturating_add(1));
        PlanColumn {
            id: ColumnId(id),
            name: name.into(),
            ty,
            nullable,
        }
    }
}

/// A plan that grows from its leaves.
///
/// ```
/// use llkv_expr::{BinaryOp, Expr};
/// use llkv_plan::{ColumnIds, PlanBuilder, TableInfo, ColumnInfo, explain};
/// use llkv_types::{FieldId, Scalar, SqlType, TableId};
///
/// # fn main() -> llkv_result::Result<()> {
/// let column = ColumnInfo {
///     field: FieldId(0), name: "a".into(), ty: SqlType::Int64, nullable: true, default_sql: None, generated: None, declared: None, collation: llkv_types::Collation::Binary,
/// };
/// let table = TableInfo {
///     id: TableId(1), name: "t".into(), columns: vec![column], keys: vec![], checks: vec![],
///     dialect: "llkv".into(),
/// };
/// let ids = ColumnIds::new();
/// let plan = PlanBuilder::scan(&ids, &table);
/// let test = Expr::compare(BinaryOp::Gt, plan.col("a")?, Expr::Literal(Scalar::Int64(5)));
/// let plan = plan.filter(test).build();
/// assert_eq!(explain(&plan), "Filter a > 5\n└─ Scan t (a)\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PlanBuilder<'a> {
    ids: &'a ColumnIds,
    plan: LogicalPlan,
}

impl<'a> PlanBuilder<'a> {
    /// On top of a plan whose columns come from `ids`.
    #[must_use]
    pub fn new(ids: &'a ColumnIds, plan: LogicalPlan) -> Self {
        Self { ids, plan }
    }

    /// All columns of a table.
    #[must_use]
    pub fn scan(ids: &'a ColumnIds, table: &TableInfo) -> Self {
        let columns = table
            .columns
            .iter()
            .map(|c| (c.field, ids.column(&c.name, c.ty, c.nullable)))
            .collect();
        Self::new(
            ids,
            LogicalPlan::Scan(Scan {
                table: table.id,
                table_name: table.name.clone(),
                columns,
                row_id: None,
                predicates: Vec::new(),
                index: None,
            }),
        )
    }

    /// A column by name; the last of several.
    ///
    /// # Errors
    /// [`BindError::NotFound`]
    pub fn col(&self, name: &str) -> Result<Expr> {
        let mut found = None;
        self.plan.for_each_column(&mut |c| {
            if *c.name == *name {
                found = Some(Expr::column(c.id, c.ty));
            }
        });
        found.ok_or_else(|| {
            Error::from(BindError::NotFound {
                kind: ObjectKind::Column,
                name: name.into(),
                hint: None,
                span: None,
            })
        })
    }

    fn wrap(self, f: impl FnOnce(Box<LogicalPlan>) -> LogicalPlan) -> Self {
        Self {
            ids: self.ids,
            plan: f(Box::new(self.plan)),
        }
    }

    /// Rows for which the predicate is true.
    #[must_use]
    pub fn filter(self, predicate: Expr) -> Self {
        self.wrap(|input| LogicalPlan::Filter(Filter { input, predicate }))
    }

    fn named(&self, exprs: Vec<(&str, Expr)>) -> Vec<Projection> {
        exprs
            .into_iter()
            .map(|(name, expr)| {
                let mut column = None;
                if let Expr::Column { id, .. } = &expr {
                    self.plan.for_each_column(&mut |c| {
                        if c.id == *id {
                            column = Some(PlanColumn {
                                name: name.into(),
                                ..c.clone()
                            });
                        }
                    });
                }
                Projection {
                    column: column.unwrap_or_else(|| self.ids.column(name, expr.ty(), true)),
                    expr,
                }
            })
            .collect()
    }

    /// Computed columns. A column passed through keeps its id.
    #[must_use]
    pub fn project(self, exprs: Vec<(&str, Expr)>) -> Self {
        let projections = self.named(exprs);
        self.wrap(|input| LogicalPlan::Project(Project { input, projections }))
    }

    /// Pairs of rows that satisfy a condition; equalities in it become keys when optimized.
    #[must_use]
    pub fn join(self, kind: JoinKind, right: Self, condition: Option<Expr>) -> Self {
        self.wrap(|left| {
            LogicalPlan::Join(Join {
                left,
                right: Box::new(right.plan),
                kind,
                on: Vec::new(),
                null_equal: Vec::new(),
                filter: condition,
                mark: None,
                null_aware_mark: false,
                aggregates: Vec::new(),
                left_first: false,
            })
        })
    }

    /// A subquery, which may read the columns of this plan.
    #[must_use]
    pub fn apply(self, inner: Self, kind: ApplyKind) -> Self {
        self.wrap(|outer| {
            LogicalPlan::Apply(Apply {
                outer,
                inner: Box::new(inner.plan),
                kind,
            })
        })
    }

    /// Groups and aggregates over them.
    #[must_use]
    pub fn aggregate(
        self,
        groups: Vec<(&str, Expr)>,
        aggregates: Vec<(&str, AggregateExpr)>,
    ) -> Self {
        let groups = self.named(groups);
        let aggregates = aggregates
            .into_iter()
            .map(|(name, call)| (self.ids.column(name, call.ty, true), call))
            .collect();
        self.wrap(|input| {
            LogicalPlan::Aggregate(Aggregate {
                input,
                groups,
                aggregates,
            })
        })
    }

    /// Each row once.
    #[must_use]
    pub fn distinct(self) -> Self {
        self.wrap(|input| LogicalPlan::Distinct(Distinct { input }))
    }

    /// Order.
    #[must_use]
    pub fn sort(self, keys: Vec<SortKey>) -> Self {
        self.wrap(|input| {
            LogicalPlan::Sort(Sort {
                input,
                keys,
                fetch: None,
            })
        })
    }

    /// A slice of the rows.
    #[must_use]
    pub fn limit(self, skip: u64, fetch: Option<u64>) -> Self {
        self.wrap(|input| LogicalPlan::Limit(Limit { input, skip, fetch }))
    }

    /// The plan.
    #[must_use]
    pub fn build(self) -> LogicalPlan {
        self.plan
    }
}

/// A call of an aggregate function without DISTINCT, FILTER and ORDER BY.
#[must_use]
pub fn aggregate_call(function: AggregateFunction, args: Vec<Expr>, ty: SqlType) -> AggregateExpr {
    AggregateExpr {
        function,
        args,
        distinct: false,
        filter: None,
        order_by: Vec::new(),
        ty,
    }
}
