//! One SELECT: the clauses in the order in which they are bound, and the nodes they become.
//!
//! 1. FROM gives the rows and the scope, [`Binder::bind_from`].
//! 2. The SELECT list, WHERE, GROUP BY, HAVING and ORDER BY are bound against that one scope; aggregate
//!    calls become columns on the way and are collected in the frame.
//! 3. WHERE becomes a Filter. If there are groups, an Aggregate follows, and expressions above it are
//!    rewritten to its columns, [`Grouping`].
//! 4. Window calls become columns like aggregates, computed above the groups; QUALIFY is a Filter on them.
//! 5. The SELECT list becomes a Project, with the keys of ORDER BY that are not in it as more columns.
//! 6. DISTINCT, Sort, Limit, and a last Project that takes those columns away again.

use super::Binder;
use super::collations::Collated;
use super::distinct::Distinction;
use super::equality::same;
use super::frame::{Clause, Frame};
use super::grouping::{Grouping, no_grouping_expression};
use super::grouping_sets::Groups;
use super::limit::Slice;
use super::subquery::{apply_all, keep};
use super::windows::around_windows;
use llkv_expr::{Expr, SortKey};
use llkv_plan::{ColumnSet, Distinct, Filter, LogicalPlan, PlanColumn, Project, Projection, Sort};
use llkv_result::Result;
use llkv_types::SqlType;
use sqlparser::ast;
use std::rc::Rc;
use std::sync::Arc;

/// A value of the SELECT list.
#[derive(Debug, Clone)]
pub(super) struct SelectItem {
    pub(super) name: Arc<str>,
    pub(super) expr: Expr,
    pub(super) nullable: bool,
    /// True where the name was given with AS.
    pub(super) named: bool,
    /// Where its collation comes from.
    pub(super) collated: Collated,
}

/// All that the clauses above FROM bind to.
struct Bound {
    items: Vec<SelectItem>,
    filter: Option<Expr>,
    groups: Option<Groups>,
    having: Option<Expr>,
    qualify: Option<Expr>,
    keys: Vec<SortKey>,
    distinct: Distinction,
}

impl Binder<'_> {
    /// Binds a SELECT with the ORDER BY and LIMIT of its query.
    pub(super) fn bind_select(
        &mut self,
        select: &ast::Select,
        order_by: Option<&ast::OrderBy>,
        slice: Slice,
    ) -> Result<LogicalPlan> {
        self.refuse_rare_clauses(select)?;
        let (plan, scope) = self.bind_from(&select.from)?;
        let mut frame = Frame::new(scope, plan, Clause::Select);
        frame.has_groups = match &select.group_by {
            ast::GroupByExpr::All(_) => true,
            ast::GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
        };
        for (at, definition) in select.named_window.iter().enumerate() {
            let mut before = select.named_window.iter().take(at);
            let name = &definition.0;
            if before.any(|known| known.0.value.eq_ignore_ascii_case(&name.value)) {
                return self
                    .windowing_error(format!("WINDOW names \"{}\" twice", name.value), name);
            }
        }
        if !select.named_window.is_empty() {
            frame.named_windows = Some(select.named_window.as_slice().into());
        }
        self.frames.push(frame);
        let bound = self.bind_clauses(select, order_by);
        let frame = self.frames.pop();
        match (bound, frame) {
            (Ok(bound), Some(frame)) => self.plan_select(select, bound, frame, slice),
            (Err(error), _) => Err(error),
            (_, None) => super::invalid("a query without rows"),
        }
    }

    fn refuse_rare_clauses(&self, select: &ast::Select) -> Result<()> {
        let rare = [
            (select.top.is_some(), "TOP"),
            (select.into.is_some(), "SELECT INTO"),
            (!select.lateral_views.is_empty(), "LATERAL VIEW"),
            (select.prewhere.is_some(), "PREWHERE"),
            (!select.connect_by.is_empty(), "CONNECT BY"),
            (!select.cluster_by.is_empty(), "CLUSTER BY"),
            (!select.distribute_by.is_empty(), "DISTRIBUTE BY"),
            (!select.sort_by.is_empty(), "SORT BY"),
            (select.exclude.is_some(), "EXCLUDE behind the SELECT list"),
        ];
        match rare.iter().find(|(present, _)| *present) {
            Some((_, feature)) => self.unsupported(*feature, &select.select_token.0),
            None => Ok(()),
        }
    }

    fn bind_clauses(
        &mut self,
        select: &ast::Select,
        order_by: Option<&ast::OrderBy>,
    ) -> Result<Bound> {
        let items = Rc::new(self.bind_select_list(select)?);
        self.set_listed(Some(Rc::clone(&items)));
        let filter = match &select.selection {
            Some(condition) => Some(self.bind_where(condition)?),
            None => None,
        };
        let groups = self.bind_group_by(&select.group_by, &items)?;
        self.set_clause(Clause::Having);
        let having = match &select.having {
            Some(condition) => {
                let bound = self.bind_expr(condition)?;
                Some(self.condition(bound, condition)?)
            }
            None => None,
        };
        self.refuse_windows("HAVING", having.as_ref(), select.having.as_ref())?;
        self.set_clause(Clause::Qualify);
        let qualify = match &select.qualify {
            Some(condition) => {
                let bound = self.bind_expr(condition)?;
                Some(self.condition(bound, condition)?)
            }
            None => None,
        };
        self.set_clause(Clause::OrderBy);
        let keys = match order_by {
            Some(order_by) => self.bind_order_by(order_by, &items)?,
            None => vec![],
        };
        let distinct = self.bind_distinction(select.distinct.as_ref(), &items)?;
        self.set_listed(None);
        Ok(Bound {
            items: Rc::unwrap_or_clone(items),
            filter,
            groups,
            having,
            qualify,
            keys,
            distinct,
        })
    }

    pub(super) fn set_clause(&mut self, clause: Clause) {
        if let Some(frame) = self.frames.last_mut() {
            frame.clause = clause;
        }
    }

    /// From here on, values of the list may name this one where no column has the name.
    fn add_alias(&mut self, item: &SelectItem) {
        if self.dialect.aliases_in_select()
            && let Some(frame) = self.frames.last_mut()
        {
            let listed = frame.listed.get_or_insert_default();
            Rc::make_mut(listed).push(item.clone());
        }
    }

    /// From here on, the values of the whole list may be named.
    fn set_listed(&mut self, items: Option<Rc<Vec<SelectItem>>>) {
        if let Some(frame) = self.frames.last_mut() {
            frame.listed = items;
        }
    }

    fn bind_select_list(&mut self, select: &ast::Select) -> Result<Vec<SelectItem>> {
        if select.flavor == ast::SelectFlavor::FromFirstNoSelect || select.projection.is_empty() {
            if select.from.is_empty() {
                return self.invalid("an empty SELECT list", &select.select_token.0);
            }
            return self.expand_star(None, &select.select_token.0);
        }
        self.bind_items(&select.projection)
    }

    /// Values with their names, in the innermost frame.
    pub(super) fn bind_items(&mut self, list: &[ast::SelectItem]) -> Result<Vec<SelectItem>> {
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            match item {
                ast::SelectItem::UnnamedExpr(expr) => {
                    let bound = self.bind_expr(expr)?;
                    items.push(self.select_item(super::output::name_of(expr), bound, false));
                }
                ast::SelectItem::ExprWithAlias { expr, alias } => {
                    let bound = self.bind_expr(expr)?;
                    let item = self.select_item(alias.value.as_str().into(), bound, true);
                    self.add_alias(&item);
                    items.push(item);
                }
                ast::SelectItem::Wildcard(options) => {
                    items.extend(self.bind_wildcard(None, options)?);
                }
                ast::SelectItem::QualifiedWildcard(kind, options) => {
                    items.extend(self.bind_wildcard(Some(kind), options)?);
                }
                ast::SelectItem::ExprWithAliases { .. } => {
                    return self.unsupported("several aliases for one value", item);
                }
            }
        }
        Ok(items)
    }

    /// A value of the list, of a type that a result may have.
    fn select_item(&mut self, name: Arc<str>, expr: Expr, named: bool) -> SelectItem {
        let expr = match expr.ty() {
            SqlType::Boolean if self.dialect.booleans_are_integers() => expr.cast(SqlType::Int64),
            _ => self.settle(expr),
        };
        let nullable = self.may_be_null(&expr);
        SelectItem {
            name,
            expr,
            nullable,
            named,
            collated: self.collated_last(),
        }
    }

    /// False only where no NULL can be: a column that has none, a literal.
    fn may_be_null(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Literal(scalar) => scalar.is_null(),
            Expr::Column { id, .. } => {
                let frame = self.frames.last();
                let own = frame.and_then(|f| f.scope.columns.iter().find(|c| c.column.id == *id));
                let aggregate = frame.and_then(|f| f.aggregates.iter().find(|(c, _)| c.id == *id));
                own.map(|c| c.column.nullable)
                    .or(aggregate.map(|(c, _)| c.nullable))
                    .unwrap_or(true)
            }
            _ => true,
        }
    }

    /// WHERE is bound after the SELECT list, yet its subqueries come first: they decide which rows the
    /// others see. Only where it names a value of the list are that list's subqueries needed before.
    fn bind_where(&mut self, condition: &ast::Expr) -> Result<Expr> {
        self.set_clause(Clause::Where);
        let of_list = self.frames.last_mut().map(|frame| {
            frame.alias_used = false;
            std::mem::take(&mut frame.pending)
        });
        let bound = self.bind_expr(condition)?;
        let bound = self.condition(bound, condition)?;
        if self.mentions_aggregate(&bound) {
            return self.grouping_error("aggregate functions are not allowed in WHERE", condition);
        }
        self.refuse_windows("WHERE", Some(&bound), Some(condition))?;
        if let (Some(frame), Some(of_list)) = (self.frames.last_mut(), of_list) {
            let of_where = std::mem::take(&mut frame.pending);
            if frame.alias_used {
                frame.known.clear();
                frame.row_pending.extend(of_list);
                frame.row_pending.extend(of_where);
                frame.flush_rows();
            } else {
                frame.pending = of_where;
                frame.flush();
                frame.pending = of_list;
            }
        }
        Ok(bound)
    }

    fn plan_select(
        &mut self,
        select: &ast::Select,
        mut bound: Bound,
        mut frame: Frame,
        slice: Slice,
    ) -> Result<LogicalPlan> {
        if let Some(predicate) = bound.filter.take() {
            frame.plan = filter(frame.take_plan(), predicate);
        }
        frame.flush_rows();
        let grouped =
            bound.groups.is_some() || !frame.aggregates.is_empty() || bound.having.is_some();
        frame.refuse_series_below(bound.groups.iter().flat_map(|groups| &groups.keys))?;
        let mut plan = frame.take_plan();
        let mut pending = std::mem::take(&mut frame.pending);
        if grouped {
            let groups = bound.groups.take().unwrap_or_else(Groups::none);
            let mut windows = std::mem::take(&mut frame.windows);
            let mut series = std::mem::take(&mut frame.series);
            let mut grouping = Grouping::new(self, groups, &mut frame);
            for item in &mut bound.items {
                grouping.rewrite(&mut item.expr, &item.name)?;
            }
            if let Some(having) = &mut bound.having {
                grouping.rewrite(having, "HAVING")?;
            }
            if let Some(qualify) = &mut bound.qualify {
                grouping.rewrite(qualify, "QUALIFY")?;
            }
            for key in &mut bound.keys {
                grouping.rewrite(&mut key.expr, "ORDER BY")?;
            }
            for window in &mut windows {
                window.try_for_each_expr_mut(&mut |expr| grouping.rewrite(expr, "OVER"))?;
            }
            for series in &mut series {
                for expr in series.exprs_mut() {
                    grouping.rewrite(expr, "a series")?;
                }
            }
            for value in bound.distinct.values_mut() {
                grouping.rewrite(value, "DISTINCT ON")?;
            }
            for apply in &mut pending {
                grouping.rewrite_apply(apply)?;
            }
            plan = grouping.into_plan(plan)?;
            frame.windows = windows;
            frame.series = series;
        } else if !frame.groupings.is_empty() {
            return Err(no_grouping_expression());
        }
        let series = std::mem::take(&mut frame.series);
        let (below, above) = around_windows(pending, &frame.windows);
        if !below.is_empty() {
            plan = apply_all(plan, below);
        }
        if let Some(predicate) = bound.having.take() {
            plan = filter(plan, predicate);
        }
        if !frame.windows.is_empty() {
            plan = super::windows::plan_windows(plan, std::mem::take(&mut frame.windows));
            plan = apply_all(plan, above);
        }
        if let Some(predicate) = bound.qualify.take() {
            plan = filter(plan, predicate);
        }
        let plan = self.plan_series(plan, series);
        self.plan_output(plan, bound, slice, select)
    }

    /// Project, Distinct, Sort, Limit.
    fn plan_output(
        &mut self,
        plan: LogicalPlan,
        bound: Bound,
        slice: Slice,
        select: &ast::Select,
    ) -> Result<LogicalPlan> {
        let own = plan.column_set();
        let mut projections = self.project(bound.items, &own);
        let visible = projections.len();
        let above_list =
            matches!(bound.distinct, Distinction::Rows) && self.dialect != crate::SqlDialect::Llkv;
        let keys = self.project_keys(bound.keys, &own, &mut projections, above_list);
        let distinct = match bound.distinct {
            Distinction::On(on) => {
                return Ok(self.plan_distinct_on(plan, (projections, visible), keys, on, slice));
            }
            Distinction::Rows => true,
            Distinction::None => false,
        };
        if distinct && projections.len() > visible {
            return self.invalid(
                "ORDER BY of SELECT DISTINCT takes values of the SELECT list only",
                &select.select_token.0,
            );
        }
        let columns: Vec<PlanColumn> = projections
            .iter()
            .take(visible)
            .map(|p| p.column.clone())
            .collect();
        let hidden = projections.len() > visible;
        let mut plan = LogicalPlan::Project(Project {
            input: Box::new(plan),
            projections,
        });
        if distinct {
            plan = LogicalPlan::Distinct(Distinct {
                input: Box::new(plan),
            });
        }
        if !keys.is_empty() {
            plan = LogicalPlan::Sort(Sort {
                input: Box::new(plan),
                keys,
                fetch: None,
            });
        }
        plan = slice.on(plan);
        Ok(if hidden { keep(plan, columns) } else { plan })
    }

    /// The columns of the SELECT list. A plain column of the rows, which are `own`, keeps its id the first
    /// time that it is listed; one of a query further out becomes another column here.
    pub(super) fn project(&mut self, items: Vec<SelectItem>, own: &ColumnSet) -> Vec<Projection> {
        let mut taken = ColumnSet::new();
        items
            .into_iter()
            .map(|item| {
                let is_column = item.collated.explicit.is_none();
                let id = match &item.expr {
                    Expr::Column { id, .. }
                        if is_column && own.contains(*id) && taken.insert(*id) =>
                    {
                        *id
                    }
                    _ => self.new_id(),
                };
                self.set_collated(id, item.collated);
                self.note_alias(id, &item.expr);
                Projection {
                    column: PlanColumn {
                        id,
                        name: item.name,
                        ty: item.expr.ty(),
                        nullable: item.nullable,
                    },
                    expr: item.expr,
                }
            })
            .collect()
    }

    /// Sort keys over the projected columns; what is not among them is projected too, or computed of them where
    /// it can be and `above_list` is true.
    fn project_keys(
        &mut self,
        keys: Vec<SortKey>,
        own: &ColumnSet,
        projections: &mut Vec<Projection>,
        above_list: bool,
    ) -> Vec<SortKey> {
        let mut sorted = Vec::with_capacity(keys.len());
        for key in keys {
            if matches!(key.expr, Expr::Literal(_)) {
                continue;
            }
            let is_there = |id| projections.iter().any(|p| p.column.id == id);
            if above_list
                && !projections.iter().any(|p| same(&p.expr, &key.expr))
                && key.expr.columns().all(is_there)
            {
                sorted.push(key);
                continue;
            }
            let column = self.project_hidden(key.expr, "sort key", own, projections);
            sorted.push(SortKey {
                expr: Expr::column(column.id, column.ty),
                descending: key.descending,
                nulls_first: key.nulls_first,
            });
        }
        sorted
    }

    /// The column of a value beside the SELECT list: projected too, unless it is there already.
    pub(super) fn project_hidden(
        &mut self,
        expr: Expr,
        name: &str,
        own: &ColumnSet,
        projections: &mut Vec<Projection>,
    ) -> PlanColumn {
        if let Some(known) = projections.iter().find(|p| same(&p.expr, &expr)) {
            return known.column.clone();
        }
        let id = match &expr {
            Expr::Column { id, .. } if own.contains(*id) => *id,
            _ => self.new_id(),
        };
        let column = PlanColumn {
            id,
            name: name.into(),
            ty: expr.ty(),
            nullable: true,
        };
        projections.push(Projection {
            column: column.clone(),
            expr,
        });
        column
    }
}

pub(super) fn filter(input: LogicalPlan, predicate: Expr) -> LogicalPlan {
    LogicalPlan::Filter(Filter {
        input: Box::new(input),
        predicate,
    })
}
