//! GROUP BY: its keys, and what may stand above the groups.

use super::Binder;
use super::collations::value_of_key;
use super::equality::same;
use super::frame::{Clause, Frame, PendingApply};
use super::grouping_sets::Groups;
use super::scope::Scope;
use super::select::SelectItem;
use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{Field, Schema};
use llkv_expr::{AggregateExpr, AggregateFunction, BinaryOp, ColumnId, Expr, UnaryOp};
use llkv_plan::{
    Aggregate, ApplyKind, ColumnSet, Expand, Join, JoinKind, LogicalPlan, PlanColumn, Project,
    Projection, Values,
};
use llkv_result::{BindError, Error, Result};
use llkv_types::{Scalar, SqlType};
use sqlparser::ast;
use std::sync::Arc;

impl Binder<'_> {
    /// The keys of GROUP BY, or `None` where there is none: expressions, ordinals, aliases, ALL.
    pub(super) fn bind_group_by(
        &mut self,
        group_by: &ast::GroupByExpr,
        items: &[SelectItem],
    ) -> Result<Option<Groups>> {
        self.set_clause(Clause::GroupBy);
        let (exprs, modifiers) = match group_by {
            ast::GroupByExpr::All(modifiers) => (None, modifiers),
            ast::GroupByExpr::Expressions(exprs, modifiers) => (Some(exprs), modifiers),
        };
        let groups = match (exprs, modifiers.as_slice()) {
            (None, []) => Groups::plain(self.group_by_all(items)?),
            (Some(exprs), []) if exprs.is_empty() => return Ok(None),
            (Some(exprs), []) => self.bind_grouping(exprs, items)?,
            (Some(exprs), [modifier]) => self.bind_modified(exprs, modifier, items)?,
            _ => return super::unsupported("several modifiers of GROUP BY"),
        };
        self.group_subqueries(&groups.keys)?;
        Ok(Some(groups))
    }

    fn group_by_all(&mut self, items: &[SelectItem]) -> Result<Vec<Expr>> {
        let mut groups: Vec<Expr> = Vec::new();
        for item in items {
            let key = self.collated(item.expr.clone(), item.collated.own())?;
            let constant = item.expr.is_constant();
            let known = groups.iter().any(|group| same(group, &key));
            let windowed = self
                .frames
                .last()
                .is_some_and(|frame| frame.mentions_window(&item.expr));
            if !constant && !known && !windowed && !self.mentions_aggregate(&item.expr) {
                groups.push(key);
            }
        }
        Ok(groups)
    }

    pub(super) fn bind_group(&mut self, expr: &ast::Expr, items: &[SelectItem]) -> Result<Expr> {
        let (inner, explicit) = self.without_collation(expr)?;
        if self.dialect == crate::SqlDialect::Llkv && super::order::is_other_constant(inner) {
            return self.invalid(
                "a constant in GROUP BY is the position of a value, from 1",
                expr,
            );
        }
        if let Some(position) = self.ordinal(inner) {
            return match position.checked_sub(1).and_then(|i| items.get(i)) {
                Some(item) => {
                    let collation = explicit.unwrap_or(item.collated.own());
                    self.collated(item.expr.clone(), collation)
                }
                None => self.invalid(
                    format!(
                        "GROUP BY {position}: the SELECT list has {} values",
                        items.len()
                    ),
                    expr,
                ),
            };
        }
        let key = self.bind_expr(inner)?;
        self.collated(key, explicit.unwrap_or(self.collated_last().own()))
    }

    pub(super) fn mentions_aggregate(&self, expr: &Expr) -> bool {
        self.frames.last().is_some_and(|frame| {
            expr.columns().any(|id| {
                frame.aggregates.iter().any(|(c, _)| c.id == id)
                    || frame.groupings.iter().any(|(c, _)| c.id == id)
            })
        })
    }

    /// Subqueries that a key of GROUP BY needs are applied before grouping, although they may have come
    /// with the SELECT list, when the key is an ordinal or an alias.
    fn group_subqueries(&mut self, groups: &[Expr]) -> Result<()> {
        let Some(frame) = self.frames.last_mut() else {
            return Ok(());
        };
        let mut used = ColumnSet::new();
        groups.iter().for_each(|group| used.insert_expr(group));
        // The last first: one may read the values of those before it.
        let mut needed = Vec::with_capacity(frame.pending.len());
        for pending in frame.pending.iter().rev() {
            let is_needed = pending.values().iter().any(|id| used.contains(*id));
            if is_needed {
                used.extend(&pending.read_columns());
            }
            needed.push(is_needed);
        }
        for pending in std::mem::take(&mut frame.pending) {
            if needed.pop() != Some(true) {
                frame.pending.push(pending);
                continue;
            }
            let read = pending.read_columns();
            if let Some((column, _)) = frame.aggregates.iter().find(|(c, _)| read.contains(c.id)) {
                return Err(BindError::Grouping {
                    message: format!("{} is not allowed in GROUP BY", column.name),
                    span: None,
                }
                .into());
            }
            frame.row_pending.push(pending);
        }
        Ok(())
    }
}

/// The groups of a query, and the rewriting of what stands above them.
pub(super) struct Grouping<'b, 'a> {
    binder: &'b mut Binder<'a>,
    groups: Vec<Projection>,
    /// Sets of groups, where GROUP BY has several.
    sets: Vec<Vec<usize>>,
    aggregates: Vec<(PlanColumn, AggregateExpr)>,
    /// Calls of GROUPING.
    groupings: Vec<(PlanColumn, Vec<Expr>)>,
    scope: &'b Scope,
}

impl<'b, 'a> Grouping<'b, 'a> {
    /// Takes the calls that were met out of the frame.
    pub(super) fn new(binder: &'b mut Binder<'a>, groups: Groups, frame: &'b mut Frame) -> Self {
        let Groups { keys, sets } = groups;
        let aggregates = std::mem::take(&mut frame.aggregates);
        let groupings = std::mem::take(&mut frame.groupings);
        let scope = &frame.scope;
        let groups = keys
            .into_iter()
            .map(|expr| Projection {
                column: match sets.len() {
                    1 => group_column(binder, &expr, scope),
                    _ => {
                        let name = group_column(binder, &expr, scope).name;
                        binder.new_column(name, expr.ty(), true)
                    }
                },
                expr,
            })
            .collect();
        Self {
            binder,
            groups,
            sets,
            aggregates,
            groupings,
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
        let mut keys = self.groups.iter().map(|group| &group.expr);
        if keys.any(|key| value_of_key(key).is_some_and(|value| same(value, expr))) {
            if self.sets.len() != 1 {
                return super::unsupported("GROUPING SETS of texts with a collation");
            }
            // Of the texts that are one group, the first that is met.
            *expr = self.first_of(expr.clone(), "group".into());
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
        match expr {
            Expr::Literal(_) => return Ok(()),
            Expr::Unary { expr, .. } | Expr::Cast { expr, .. } => return self.rewrite(expr, place),
            Expr::Binary { left, right, .. } => {
                self.rewrite(left, place)?;
                return self.rewrite(right, place);
            }
            _ => {}
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
        // A key among several sets is another column than the one that it is made of.
        for group in &self.groups {
            if let Expr::Column { id, .. } = &group.expr
                && *id != group.column.id
            {
                replace_column(&mut apply.inner, *id, &column_of(&group.column));
            }
        }
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
            let first = self.first_of(Expr::column(column.id, column.ty), column.name.clone());
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
    fn row_column(&self, id: ColumnId) -> Option<Arc<str>> {
        self.scope
            .columns
            .iter()
            .find(|c| c.column.id == id)
            .map(|c| c.column.name.clone())
    }

    fn first_of(&mut self, column: Expr, name: Arc<str>) -> Expr {
        let known = self.aggregates.iter().find(|(_, call)| {
            // The least of collated texts is a first one too, in an order and perhaps of some rows only.
            let is_any = call.filter.is_none() && call.order_by.is_empty();
            call.function == AggregateFunction::First
                && is_any
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
        // The least and the greatest of collated texts are the first ones in an order.
        let is_extreme = |call: &AggregateExpr| match call.function {
            Min | Max => true,
            First => !call.order_by.is_empty(),
            _ => false,
        };
        let mut extremes = self.aggregates.iter().filter(|(_, call)| is_extreme(call));
        let (Some((_, extreme)), None) = (extremes.next(), extremes.next()) else {
            return;
        };
        let Some(value) = extreme.args.first().cloned() else {
            return;
        };
        let key = match extreme.order_by.first() {
            Some(key) => key.clone(),
            None => llkv_expr::SortKey {
                expr: value,
                descending: extreme.function == Max,
                nulls_first: false,
            },
        };
        // Rows that its FILTER leaves out come last.
        let passes = extreme.filter.clone().map(|filter| llkv_expr::SortKey {
            expr: Expr::unary(UnaryOp::IsTrue, filter),
            descending: true,
            nulls_first: false,
        });
        let keys: Vec<_> = passes.into_iter().chain([key]).collect();
        for (_, call) in &mut self.aggregates {
            if call.function == First && call.order_by.is_empty() {
                call.order_by = keys.clone();
            }
        }
    }

    pub(super) fn into_plan(mut self, input: LogicalPlan) -> Result<LogicalPlan> {
        if self.binder.dialect.bare_columns() {
            self.order_bare_columns();
        }
        let masks = self.grouping_masks()?;
        if self.sets.len() != 1 {
            return self.plan_sets(input, masks);
        }
        let plan = LogicalPlan::Aggregate(Aggregate {
            input: Box::new(input),
            groups: self.groups,
            aggregates: self.aggregates,
        });
        if masks.is_empty() {
            return Ok(plan);
        }
        let mut projections: Vec<Projection> = plan.columns().into_iter().map(pass).collect();
        projections.extend(masks.into_iter().map(|(column, _)| Projection {
            column,
            expr: Expr::Literal(Scalar::Int32(0)),
        }));
        Ok(project(plan, projections))
    }

    /// The value of each call of GROUPING in each set.
    fn grouping_masks(&mut self) -> Result<Vec<(PlanColumn, Vec<i32>)>> {
        let mut masks = Vec::with_capacity(self.groupings.len());
        for (column, args) in std::mem::take(&mut self.groupings) {
            let mut keys = Vec::with_capacity(args.len());
            for arg in &args {
                match self.groups.iter().position(|group| same(&group.expr, arg)) {
                    Some(key) => keys.push(key),
                    None => return Err(no_grouping_expression()),
                }
            }
            let mask = |set: &Vec<usize>| {
                let bits = keys.iter().map(|key| i32::from(!set.contains(key)));
                bits.fold(0, |mask, bit| mask << 1 | bit)
            };
            masks.push((column, self.sets.iter().map(mask).collect()));
        }
        Ok(masks)
    }

    /// Each row is grouped once for each set: the keys that a set does not have are NULL in its copies, whose
    /// number is one more key.
    fn plan_sets(
        self,
        input: LogicalPlan,
        masks: Vec<(PlanColumn, Vec<i32>)>,
    ) -> Result<LogicalPlan> {
        let binder = self.binder;
        let number = binder.new_column("grouping set", SqlType::Int64, false);
        let keys: Vec<PlanColumn> = self.groups.iter().map(|g| g.column.clone()).collect();
        let has = |set: &Vec<usize>| (0..keys.len()).map(|key| set.contains(&key)).collect();
        let expand = LogicalPlan::Expand(Expand {
            input: Box::new(input),
            sets: self.sets.iter().map(has).collect(),
            keys: self.groups,
            number: number.clone(),
        });
        let aggregate = |aggregates| {
            LogicalPlan::Aggregate(Aggregate {
                input: Box::new(expand),
                groups: keys.iter().chain([&number]).cloned().map(pass).collect(),
                aggregates,
            })
        };
        let empty: Vec<i64> = (0i64..)
            .zip(&self.sets)
            .filter(|(_, set)| set.is_empty())
            .map(|(at, _)| at)
            .collect();
        if empty.is_empty() {
            let plan = aggregate(self.aggregates);
            let mut projections: Vec<Projection> = plan.columns().into_iter().map(pass).collect();
            projections.extend(masks.into_iter().map(|mask| grouping_value(mask, &number)));
            return Ok(project(plan, projections));
        }
        // A set without keys has its group even where there is no row: its number is joined to the groups.
        let inner: Vec<PlanColumn> = self
            .aggregates
            .iter()
            .map(|(column, _)| binder.new_column(column.name.clone(), column.ty, true))
            .collect();
        let calls = inner
            .iter()
            .cloned()
            .zip(self.aggregates.iter().map(|(_, call)| call.clone()));
        let plan = aggregate(calls.collect());
        let own = binder.new_column("grouping set", SqlType::Int64, true);
        let joined = LogicalPlan::Join(full_join(plan, &number, numbers(&own, empty)?, &own));
        let missing = Expr::unary(UnaryOp::IsNull, column_of(&number));
        let either = |there: Expr, not_there: Expr| Expr::Case {
            ty: there.ty(),
            branches: vec![(missing.clone(), not_there)],
            otherwise: Some(Box::new(there)),
        };
        let set = binder.new_column("grouping set", SqlType::Int64, false);
        let mut projections: Vec<Projection> = keys.into_iter().map(pass).collect();
        projections.push(Projection {
            expr: either(column_of(&number), column_of(&own)),
            column: set.clone(),
        });
        for ((column, call), inner) in self.aggregates.into_iter().zip(&inner) {
            let expr = match llkv_plan::aggregate_of_no_rows(call.function, call.ty) {
                Some(Expr::Literal(value)) if value.is_null() => column_of(inner),
                Some(value) => either(column_of(inner), value),
                None => return Err(Error::internal(format!("{call} is of an unusual type"))),
            };
            projections.push(Projection { column, expr });
        }
        let plan = project(joined, projections);
        let mut projections: Vec<Projection> = plan.columns().into_iter().map(pass).collect();
        projections.extend(masks.into_iter().map(|mask| grouping_value(mask, &set)));
        Ok(project(plan, projections))
    }
}

/// The value of a call of GROUPING by the number of the set.
fn grouping_value((column, mut masks): (PlanColumn, Vec<i32>), number: &PlanColumn) -> Projection {
    let last = masks.pop().unwrap_or_default();
    let branches: Vec<(Expr, Expr)> = (0i64..)
        .zip(masks)
        .map(|(set, mask)| {
            let is_set = Expr::compare(
                BinaryOp::Eq,
                column_of(number),
                Expr::Literal(Scalar::Int64(set)),
            );
            (is_set, Expr::Literal(Scalar::Int32(mask)))
        })
        .collect();
    let otherwise = Expr::Literal(Scalar::Int32(last));
    Projection {
        expr: match branches.is_empty() {
            true => otherwise,
            false => Expr::Case {
                branches,
                otherwise: Some(Box::new(otherwise)),
                ty: SqlType::Int32,
            },
        },
        column,
    }
}

/// Rows of one column.
fn numbers(column: &PlanColumn, values: Vec<i64>) -> Result<LogicalPlan> {
    let array: ArrayRef = Arc::new(Int64Array::from(values));
    let schema = Schema::new(vec![Field::new("", array.data_type().clone(), true)]);
    Ok(LogicalPlan::Values(Values {
        columns: vec![column.clone()],
        batches: vec![RecordBatch::try_new(Arc::new(schema), vec![array])?],
    }))
}

fn full_join(
    left: LogicalPlan,
    left_key: &PlanColumn,
    right: LogicalPlan,
    right_key: &PlanColumn,
) -> Join {
    Join {
        left: Box::new(left),
        right: Box::new(right),
        kind: JoinKind::Full,
        on: vec![(column_of(left_key), column_of(right_key))],
        null_equal: vec![false],
        filter: None,
        mark: None,
        null_aware_mark: false,
        aggregates: Vec::new(),
        left_first: false,
    }
}

fn column_of(column: &PlanColumn) -> Expr {
    Expr::column(column.id, column.ty)
}

fn pass(column: PlanColumn) -> Projection {
    Projection {
        expr: column_of(&column),
        column,
    }
}

fn project(input: LogicalPlan, projections: Vec<Projection>) -> LogicalPlan {
    LogicalPlan::Project(Project {
        input: Box::new(input),
        projections,
    })
}

/// GROUPING of what is no key.
pub(super) fn no_grouping_expression() -> Error {
    BindError::Grouping {
        message: "arguments to GROUPING must be grouping expressions of the associated query level"
            .into(),
        span: None,
    }
    .into()
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
    plan.for_each_expr_within_mut(&mut |expr| {
        let own = std::mem::replace(expr, Expr::boolean(true));
        *expr = own.map_columns(&mut |id| (id == column).then(|| by.clone()));
    });
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
