//! GROUP BY: its keys, and what may stand above the groups.

use super::Binder;
use super::equality::same;
use super::frame::{Clause, PendingApply};
use super::scope::Scope;
use super::select::SelectItem;
use llkv_expr::{AggregateExpr, AggregateFunction, ColumnId, Expr};
use llkv_plan::{Aggregate, ApplyKind, LogicalPlan, PlanColumn, Projection};
use llkv_result::{BindError, Result};
use llkv_types::Scalar;
use sqlparser::ast;

impl Binder<'_> {
    /// The keys of GROUP BY, or `None` where there is none: expressions, ordinals, aliases, ALL.
    pub(super) fn bind_group_by(
        &mut self,
        group_by: &ast::GroupByExpr,
        items: &[SelectItem],
    ) -> Result<Option<Vec<Expr>>> {
        self.set_clause(Clause::GroupBy);
        let (exprs, modifiers) = match group_by {
            ast::GroupByExpr::All(modifiers) => (None, modifiers),
            ast::GroupByExpr::Expressions(exprs, modifiers) => (Some(exprs), modifiers),
        };
        if !modifiers.is_empty() {
            return super::unsupported("GROUP BY with ROLLUP, CUBE or GROUPING SETS");
        }
        let Some(exprs) = exprs else {
            let groups = self.group_by_all(items);
            self.group_subqueries(&groups);
            return Ok(Some(groups));
        };
        if exprs.is_empty() {
            return Ok(None);
        }
        let mut groups: Vec<Expr> = Vec::with_capacity(exprs.len());
        for expr in exprs {
            let bound = self.bind_group(expr, items)?;
            if self.mentions_aggregate(&bound) {
                return self
                    .grouping_error("aggregate functions are not allowed in GROUP BY", expr);
            }
            self.refuse_windows("GROUP BY", Some(&bound), Some(expr))?;
            if !groups.iter().any(|known| same(known, &bound)) {
                groups.push(bound);
            }
        }
        self.group_subqueries(&groups);
        Ok(Some(groups))
    }

    fn group_by_all(&self, items: &[SelectItem]) -> Vec<Expr> {
        let mut groups: Vec<Expr> = Vec::new();
        for item in items {
            let constant = item.expr.is_constant();
            let known = groups.iter().any(|group| same(group, &item.expr));
            let windowed = self
                .frames
                .last()
                .is_some_and(|frame| frame.mentions_window(&item.expr));
            if !constant && !known && !windowed && !self.mentions_aggregate(&item.expr) {
                groups.push(item.expr.clone());
            }
        }
        groups
    }

    fn bind_group(&mut self, expr: &ast::Expr, items: &[SelectItem]) -> Result<Expr> {
        if let Some(position) = self.ordinal(expr) {
            return match position.checked_sub(1).and_then(|i| items.get(i)) {
                Some(item) => Ok(item.expr.clone()),
                None => self.invalid(
                    format!(
                        "GROUP BY {position}: the SELECT list has {} values",
                        items.len()
                    ),
                    expr,
                ),
            };
        }
        self.bind_expr(expr)
    }

    fn mentions_aggregate(&self, expr: &Expr) -> bool {
        self.frames.last().is_some_and(|frame| {
            expr.columns()
                .any(|id| frame.aggregates.iter().any(|(c, _)| c.id == id))
        })
    }

    /// Subqueries that a key of GROUP BY needs are applied before grouping, although they may have come
    /// with the SELECT list, when the key is an ordinal or an alias.
    fn group_subqueries(&mut self, groups: &[Expr]) {
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        let used: Vec<ColumnId> = groups.iter().flat_map(Expr::columns).collect();
        for pending in std::mem::take(&mut frame.pending) {
            match pending.values().iter().any(|id| used.contains(id)) {
                true => frame.row_pending.push(pending),
                false => frame.pending.push(pending),
            }
        }
    }
}

/// The groups of a query, and the rewriting of what stands above them.
pub(super) struct Grouping<'b, 'a> {
    binder: &'b mut Binder<'a>,
    groups: Vec<Projection>,
    aggregates: Vec<(PlanColumn, AggregateExpr)>,
    scope: &'b Scope,
}

impl<'b, 'a> Grouping<'b, 'a> {
    pub(super) fn new(
        binder: &'b mut Binder<'a>,
        groups: Vec<Expr>,
        aggregates: Vec<(PlanColumn, AggregateExpr)>,
        scope: &'b Scope,
    ) -> Self {
        let groups = groups
            .into_iter()
            .map(|expr| Projection {
                column: group_column(binder, &expr, scope),
                expr,
            })
            .collect();
        Self {
            binder,
            groups,
            aggregates,
            scope,
        }
    }

    /// Replaces the keys in `expr` by their columns. A column of the rows that is left then has no one
    /// value in a group: an error, or in SQLite the value of some row.
    pub(super) fn rewrite(&mut self, expr: &mut Expr, place: &str) -> Result<()> {
        if let Some(group) = self.groups.iter().find(|group| same(&group.expr, expr)) {
            *expr = Expr::column(group.column.id, group.column.ty);
            return Ok(());
        }
        if let Expr::Column { id, ty } = expr {
            if let Some(name) = self.row_column(*id) {
                if !self.binder.dialect.bare_columns() {
                    return Err(ungrouped(&name, place));
                }
                *expr = self.first_of(Expr::column(*id, *ty), name);
            }
            return Ok(());
        }
        let mut result = Ok(());
        expr.for_each_child_mut(&mut |child| {
            if result.is_ok() {
                result = self.rewrite(child, place);
            }
        });
        result
    }

    /// A subquery above groups: the left side of `x IN (subquery)`, and the columns of the rows that it
    /// refers to from within.
    pub(super) fn rewrite_apply(&mut self, apply: &mut PendingApply) -> Result<()> {
        let grouped = |id: ColumnId| self.groups.iter().any(|group| group.column.id == id);
        let free = apply.inner.free_columns();
        let bare: Vec<PlanColumn> = self
            .scope
            .columns
            .iter()
            .map(|c| &c.column)
            .filter(|c| free.contains(c.id) && !grouped(c.id))
            .cloned()
            .collect();
        for column in bare {
            if !self.binder.dialect.bare_columns() {
                return Err(ungrouped(&column.name, "a subquery"));
            }
            let first = self.first_of(Expr::column(column.id, column.ty), column.name);
            replace_column(&mut apply.inner, column.id, &first);
        }
        if let ApplyKind::In { needle, .. } = &mut apply.kind {
            for part in needle {
                self.rewrite(part, "IN")?;
            }
        }
        Ok(())
    }

    /// The name of a column of the rows that is no group.
    fn row_column(&self, id: ColumnId) -> Option<String> {
        self.scope
            .columns
            .iter()
            .find(|c| c.column.id == id)
            .map(|c| c.column.name.clone())
    }

    fn first_of(&mut self, column: Expr, name: String) -> Expr {
        let known = self.aggregates.iter().find(|(_, call)| {
            call.function == AggregateFunction::First
                && call.args.first().is_some_and(|arg| same(arg, &column))
        });
        if let Some((known, _)) = known {
            return Expr::column(known.id, known.ty);
        }
        let ty = column.ty();
        let result = self.binder.new_column(name, ty, true);
        let expr = Expr::column(result.id, ty);
        self.aggregates.push((
            result,
            AggregateExpr {
                function: AggregateFunction::First,
                args: vec![column],
                distinct: false,
                filter: None,
                order_by: vec![],
                ty,
            },
        ));
        expr
    }

    /// Beside a single `min` or `max`, columns outside GROUP BY come from the row that it is found in.
    fn order_bare_columns(&mut self) {
        use AggregateFunction::{First, Max, Min};
        let mut extremes = self
            .aggregates
            .iter()
            .filter(|(_, call)| matches!(call.function, Min | Max));
        let (Some((_, extreme)), None) = (extremes.next(), extremes.next()) else {
            return;
        };
        let Some(value) = extreme.args.first().cloned() else {
            return;
        };
        let key = llkv_expr::SortKey {
            expr: value,
            descending: extreme.function == Max,
            nulls_first: false,
        };
        for (_, call) in &mut self.aggregates {
            if call.function == First && call.order_by.is_empty() {
                call.order_by = vec![key.clone()];
            }
        }
    }

    pub(super) fn into_plan(mut self, input: LogicalPlan) -> LogicalPlan {
        if self.binder.dialect.bare_columns() {
            self.order_bare_columns();
        }
        LogicalPlan::Aggregate(Aggregate {
            input: Box::new(input),
            groups: self.groups,
            aggregates: self.aggregates,
        })
    }
}

/// A key that is a plain column keeps its id, so that subqueries which refer to it need no change.
fn group_column(binder: &mut Binder<'_>, expr: &Expr, scope: &Scope) -> PlanColumn {
    if let Expr::Column { id, .. } = expr
        && let Some(own) = scope.columns.iter().find(|c| c.column.id == *id)
    {
        return own.column.clone();
    }
    let nullable = !matches!(expr, Expr::Literal(scalar) if !matches!(scalar, Scalar::Null(_)));
    binder.new_column(expr_name(expr), expr.ty(), nullable)
}

/// Puts an expression in the place of a column, wherever the plan reads it.
fn replace_column(plan: &mut LogicalPlan, column: ColumnId, by: &Expr) {
    plan.for_each_expr_mut(&mut |expr| {
        let own = std::mem::replace(expr, Expr::boolean(true));
        *expr = own.map_columns(&mut |id| (id == column).then(|| by.clone()));
    });
    let ended = plan.try_for_each_input_mut(&mut |input| {
        replace_column(input, column, by);
        Ok::<(), std::convert::Infallible>(())
    });
    match ended {
        Ok(()) => {}
    }
}

fn expr_name(expr: &Expr) -> String {
    super::output::text_of_node(expr)
}

fn ungrouped(name: &str, place: &str) -> llkv_result::Error {
    BindError::Grouping {
        message: format!(
            "column \"{name}\" in \"{place}\" must be in GROUP BY or inside an aggregate"
        ),
        span: None,
    }
    .into()
}
