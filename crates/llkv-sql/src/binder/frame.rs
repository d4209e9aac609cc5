//! A frame: the rows that the expressions of one query see, and what was met while binding them.

use super::collations::Collated;
use super::scope::Scope;
use super::select::SelectItem;
use super::windows::WindowDraft;
use arrow::array::RecordBatch;
use llkv_expr::{AggregateExpr, ColumnId, Expr};
use llkv_plan::{Apply, ApplyKind, ColumnSet, LogicalPlan, PlanColumn, Projection, SeriesColumn};
use llkv_result::Result;
use sqlparser::ast;
use std::rc::Rc;

/// The clause that is being bound: where an aggregate may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clause {
    /// SELECT list.
    Select,
    /// WHERE.
    Where,
    /// GROUP BY.
    GroupBy,
    /// HAVING.
    Having,
    /// ORDER BY.
    OrderBy,
    /// JOIN ... ON.
    On,
    /// QUALIFY.
    Qualify,
    /// Inside an aggregate's parentheses.
    Aggregate,
    /// Anything else that is no query: VALUES, SET, DEFAULT, CHECK.
    Row,
}

impl Clause {
    pub(super) const fn takes_aggregates(self) -> bool {
        matches!(
            self,
            Self::Select | Self::Having | Self::OrderBy | Self::Qualify
        )
    }

    /// True where expressions see groups, or make them.
    const fn is_above_where(self) -> bool {
        self.takes_aggregates() || matches!(self, Self::GroupBy)
    }

    pub(super) const fn takes_windows(self) -> bool {
        matches!(self, Self::Select | Self::OrderBy | Self::Qualify)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Where => "WHERE",
            Self::GroupBy => "GROUP BY",
            Self::Having => "HAVING",
            Self::OrderBy => "ORDER BY",
            Self::Qualify => "QUALIFY",
            Self::On => "JOIN conditions",
            Self::Aggregate => "the arguments of an aggregate",
            Self::Row => "this place",
        }
    }
}

/// A subquery that waits to be applied to the rows of its frame.
#[derive(Debug, Clone)]
pub(super) struct PendingApply {
    pub(super) inner: LogicalPlan,
    pub(super) kind: ApplyKind,
}

impl PendingApply {
    /// On top of the rows that it is applied to. What is computed of each of them without rows of its own is a projection.
    pub(super) fn on(self, mut outer: LogicalPlan) -> LogicalPlan {
        match (self.kind, self.inner) {
            (ApplyKind::Cross, LogicalPlan::Project(mut n)) if is_one_row(&n.input) => {
                let columns = outer.columns().into_iter();
                let passed = columns.map(|column| Projection {
                    expr: Expr::column(column.id, column.ty),
                    column,
                });
                n.projections.splice(0..0, passed);
                std::mem::swap(n.input.as_mut(), &mut outer);
                LogicalPlan::Project(n)
            }
            (kind, inner) => LogicalPlan::Apply(Apply {
                outer: Box::new(outer),
                inner: Box::new(inner),
                kind,
            }),
        }
    }

    /// True where it gives the same each time, and reads no parameter: those are numbered as they are met.
    pub(super) fn may_be_repeated(&self) -> bool {
        fn is_fixed(plan: &LogicalPlan) -> bool {
            let mut fixed = true;
            plan.for_each_expr(&mut |expr| fixed &= is_fixed_value(expr));
            plan.for_each_input(&mut |input| fixed = fixed && is_fixed(input));
            fixed
        }
        fn is_fixed_value(expr: &Expr) -> bool {
            let mut fixed = !expr.is_volatile();
            expr.visit(&mut |part| fixed &= !matches!(part, Expr::Parameter { .. }));
            fixed
        }
        is_fixed(&self.inner) && self.needle().iter().all(is_fixed_value)
    }

    /// The columns that it reads of the rows that it is applied to.
    pub(super) fn read_columns(&self) -> ColumnSet {
        let mut read = self.inner.free_columns();
        self.needle().iter().for_each(|part| read.insert_expr(part));
        read
    }

    fn needle(&self) -> &[Expr] {
        match &self.kind {
            ApplyKind::In { needle, .. } => needle,
            _ => &[],
        }
    }

    /// The columns that stand for the subquery.
    pub(super) fn values(&self) -> Vec<ColumnId> {
        match &self.kind {
            ApplyKind::Exists { mark } | ApplyKind::In { mark, .. } => vec![mark.id],
            _ => self
                .inner
                .columns()
                .iter()
                .map(|column| column.id)
                .collect(),
        }
    }
}

/// An expression with a subquery, as it is written, and its value.
#[derive(Debug)]
pub(super) struct KnownSubquery {
    pub(super) text: ast::Expr,
    pub(super) value: Expr,
    pub(super) collated: Collated,
}

/// The rows that the expressions of one query see.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) scope: Scope,
    pub(super) plan: LogicalPlan,
    pub(super) clause: Clause,
    /// Subqueries in expressions that see single rows, or groups where there are some.
    pub(super) pending: Vec<PendingApply>,
    /// Subqueries in arguments of aggregates and in GROUP BY: applied before grouping.
    pub(super) row_pending: Vec<PendingApply>,
    /// The query has a GROUP BY.
    pub(super) has_groups: bool,
    /// Subqueries that wait in a query with GROUP BY, as they are written, with their values.
    pub(super) known: Vec<KnownSubquery>,
    /// Aggregate calls met so far.
    pub(super) aggregates: Vec<(PlanColumn, AggregateExpr)>,
    /// Calls of GROUPING met so far, with their arguments.
    pub(super) groupings: Vec<(PlanColumn, Vec<Expr>)>,
    /// Window calls met so far.
    pub(super) windows: Vec<WindowDraft>,
    /// Series of the SELECT list.
    pub(super) series: Vec<SeriesColumn>,
    /// The WINDOW clause, where there is one.
    pub(super) named_windows: Option<Rc<[ast::NamedWindowDefinition]>>,
    /// Inside of a window call, where no other may stand.
    pub(super) in_window: bool,
    /// Values of the SELECT list, which may be named from here where they have a name.
    pub(super) listed: Option<Rc<Vec<SelectItem>>>,
    /// An alias was used since this was last cleared.
    pub(super) alias_used: bool,
}

impl Frame {
    pub(super) fn new(scope: Scope, plan: LogicalPlan, clause: Clause) -> Self {
        Self {
            scope,
            plan,
            clause,
            pending: Vec::new(),
            row_pending: Vec::new(),
            has_groups: false,
            known: Vec::new(),
            aggregates: Vec::new(),
            groupings: Vec::new(),
            windows: Vec::new(),
            series: Vec::new(),
            named_windows: None,
            in_window: false,
            listed: None,
            alias_used: false,
        }
    }

    /// True where a subquery that is written twice is one.
    pub(super) const fn knows_subqueries(&self) -> bool {
        self.has_groups && self.clause.is_above_where()
    }

    /// Does the expression read the value of a window call?
    pub(super) fn mentions_window(&self, expr: &Expr) -> bool {
        !self.windows.is_empty()
            && expr
                .columns()
                .any(|id| self.windows.iter().any(|w| w.column.id == id))
    }

    /// Does the expression read a value of a series of the SELECT list?
    pub(super) fn mentions_series(&self, expr: &Expr) -> bool {
        !self.series.is_empty()
            && expr
                .columns()
                .any(|id| self.series.iter().any(|s| s.column.id == id))
    }

    /// Values of series are there when all else of the query is computed: no group is made of them, and no subquery looked for.
    pub(super) fn refuse_series_below<'e>(
        &self,
        groups: impl IntoIterator<Item = &'e Expr>,
    ) -> Result<()> {
        let mut groups = groups.into_iter();
        if groups.any(|key| self.mentions_series(key)) {
            return super::unsupported("a series in GROUP BY");
        }
        let mut of_subqueries = self.pending.iter().flat_map(PendingApply::needle);
        match of_subqueries.any(|part| self.mentions_series(part)) {
            true => super::unsupported("a series on the left of IN, ANY or ALL"),
            false => Ok(()),
        }
    }

    /// Takes the rows out, to put a node on top of them.
    pub(super) fn take_plan(&mut self) -> LogicalPlan {
        std::mem::replace(&mut self.plan, LogicalPlan::nothing())
    }

    /// Applies the waiting subqueries to the rows.
    pub(super) fn flush(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            self.plan = pending.on(self.take_plan());
        }
    }

    /// Applies the subqueries that must see rows before they are grouped.
    pub(super) fn flush_rows(&mut self) {
        for pending in std::mem::take(&mut self.row_pending) {
            self.plan = pending.on(self.take_plan());
        }
    }
}

fn is_one_row(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Values(values) = plan else {
        return false;
    };
    let rows: usize = values.batches.iter().map(RecordBatch::num_rows).sum();
    values.columns.is_empty() && rows == 1
}
