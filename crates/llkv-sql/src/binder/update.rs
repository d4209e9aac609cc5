//! UPDATE: a query for the row id and all columns with their new values.

use super::Binder;
use super::frame::{Clause, Frame};
use super::from::{Rows, cross};
use super::generated::Given;
use super::scope::{Scope, ScopeColumn};
use super::select::filter;
use super::subquery::{apply_all, keeping};
use super::triggers::Changed;
use super::values::Target;
use llkv_expr::Expr;
use llkv_plan::{
    ApplyKind, ConflictAction, LogicalPlan, PlanColumn, PlanStatement, Project, Projection,
    TableInfo, Update,
};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType, TriggerEvent};
use sqlparser::ast::{self, AssignmentTarget, TableFactor, UpdateTableFromKind};
use std::sync::Arc;

/// A column that SET names, by position, and its value.
pub(super) type Assigned = (usize, Expr);

impl Binder<'_> {
    pub(super) fn bind_update(&mut self, update: &ast::Update) -> Result<PlanStatement> {
        let rare = [
            (update.output.is_some(), "OUTPUT"),
            (!update.order_by.is_empty(), "UPDATE ... ORDER BY"),
            (update.limit.is_some(), "UPDATE ... LIMIT"),
            (!update.table.joins.is_empty(), "UPDATE of a join"),
        ];
        if let Some((_, feature)) = rare.iter().find(|(present, _)| *present) {
            return self.unsupported(*feature, &update.update_token.0);
        }
        let info = match self.changed_relation(&update.table.relation, TriggerEvent::Update)? {
            Changed::Table(info) => info,
            Changed::View(view, plan) => return self.update_view(update, &view, plan),
        };
        let (rows, row_id) = self.changed_rows(&update.table.relation, &info)?;
        let (plan, scope) = match &update.from {
            None => rows,
            Some(UpdateTableFromKind::AfterSet(from) | UpdateTableFromKind::BeforeSet(from)) => {
                let other = self.bind_from(from)?;
                cross(rows, other)
            }
        };
        let own: Vec<PlanColumn> = scope
            .columns
            .iter()
            .take(info.columns.len())
            .map(|c| c.column.clone())
            .collect();
        let others = match &update.returning {
            None => Vec::new(),
            Some(_) => self.columns_beside(&scope, &info),
        };
        self.frames.push(Frame::new(scope, plan, Clause::Where));
        let bound = self.bind_update_clauses(update, &info);
        let Some(mut frame) = self.frames.pop() else {
            return super::invalid("UPDATE without rows");
        };
        let (predicate, assigned) = bound?;
        // The condition's subqueries were applied below it already; those of SET come above.
        let mut plan = frame.take_plan();
        if let Some(predicate) = predicate {
            plan = filter(plan, predicate);
        }
        plan = apply_all(plan, frame.pending);
        plan = self.in_key_order(plan, &info, &own, update.or);
        let returning = update.returning.as_deref();
        let alias = alias_of(&update.table.relation);
        let returning = self.bind_returning(returning, (&info, alias), &others)?;
        let changed: Vec<usize> = assigned.iter().map(|(position, _)| *position).collect();
        let mut events = vec![TriggerEvent::Update];
        if update.or == Some(ast::SqliteOnConflict::Replace) {
            events.push(TriggerEvent::Delete);
        }
        let mut planned = self.plan_update(&info, plan, row_id, &own, assigned)?;
        planned.cascades = self.cascades(info.id)?;
        planned.triggers = self.bind_triggers(&info, (&events, &changed), &planned.cascades)?;
        planned.on_conflict = Self::conflict_action(update.or);
        planned.returning = returning;
        if let LogicalPlan::Project(source) = &mut planned.source {
            let others = others.into_iter().map(|other| other.column);
            source.projections.extend(keeping(others.collect()));
        }
        Ok(PlanStatement::Update(planned))
    }

    /// The rows that INSTEAD OF UPDATE triggers of a view are run with: as they are, and as they would be.
    fn update_view(
        &mut self,
        update: &ast::Update,
        view: &TableInfo,
        plan: LogicalPlan,
    ) -> Result<PlanStatement> {
        if update.from.is_some() || update.returning.is_some() {
            return self.unsupported("FROM or RETURNING on a view", &update.table.relation);
        }
        let own = plan.columns();
        let (plan, scope) = self.view_rows(&update.table.relation, view, plan)?;
        self.frames.push(Frame::new(scope, plan, Clause::Where));
        let bound = self.bind_update_clauses(update, view);
        let Some(mut frame) = self.frames.pop() else {
            return super::invalid("UPDATE without rows");
        };
        let (predicate, assigned) = bound?;
        let mut plan = frame.take_plan();
        if let Some(predicate) = predicate {
            plan = filter(plan, predicate);
        }
        let plan = apply_all(plan, frame.pending);
        let changed: Vec<usize> = assigned.iter().map(|(position, _)| *position).collect();
        let mut values: Vec<Expr> = own.iter().map(|c| Expr::column(c.id, c.ty)).collect();
        for (position, expr) in assigned {
            if let Some(slot) = values.get_mut(position) {
                *slot = expr;
            }
        }
        let mut projections = keeping(own.clone());
        for (expr, column) in values.into_iter().zip(&own) {
            projections.push(self.new_value(&column.name, column.ty, expr));
        }
        let source = LogicalPlan::Project(Project {
            input: Box::new(plan),
            projections,
        });
        self.change_view(view, TriggerEvent::Update, source, &changed)
    }

    /// The rows of a view that a statement changes, under the name they have there.
    pub(super) fn view_rows(
        &mut self,
        relation: &TableFactor,
        view: &TableInfo,
        plan: LogicalPlan,
    ) -> Result<Rows> {
        let alias = match relation {
            TableFactor::Table { alias, .. } => alias.as_ref(),
            _ => None,
        };
        self.rows_of_object(plan, alias, (view.id, &view.name))
    }

    /// The columns that SET names, by position.
    pub(super) fn assigned_positions(
        &self,
        assignment: &ast::Assignment,
        info: &TableInfo,
    ) -> Result<Vec<usize>> {
        let names = match &assignment.target {
            AssignmentTarget::ColumnName(name) => std::slice::from_ref(name),
            AssignmentTarget::Tuple(names) => names.as_slice(),
        };
        let positions = names
            .iter()
            .map(|name| self.column_position(info, self.simple_name(name)?));
        positions.collect()
    }

    /// What UPDATE or DELETE names.
    pub(super) fn changed_relation(
        &mut self,
        relation: &TableFactor,
        event: TriggerEvent,
    ) -> Result<Changed> {
        match relation {
            TableFactor::Table {
                name, args: None, ..
            } => self.changed(name, event),
            _ => self.unsupported("a change of anything but a table", relation),
        }
    }

    /// The rows of a table that a statement changes, with their ids, under the name they have there.
    pub(super) fn changed_rows(
        &mut self,
        relation: &TableFactor,
        info: &TableInfo,
    ) -> Result<(Rows, PlanColumn)> {
        let alias = match relation {
            TableFactor::Table { alias, .. } => alias.as_ref(),
            _ => None,
        };
        let (plan, row_id) = self.scan_with_row_id(info);
        let (plan, mut scope) = self.rows_of_object(plan, alias, (info.id, &info.name))?;
        // The row id is for the statement, not for its text.
        scope.columns.truncate(info.columns.len());
        Ok(((plan, scope), row_id))
    }

    /// What the relations beside the table that a statement changes have, which RETURNING sees as in PostgreSQL; in SQLite and
    /// DuckDB it sees the table alone.
    pub(super) fn columns_beside(&self, scope: &Scope, info: &TableInfo) -> Vec<ScopeColumn> {
        match self.dialect {
            crate::SqlDialect::Llkv => {
                let others = scope.columns.iter().skip(info.columns.len());
                others.cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    fn bind_update_clauses(
        &mut self,
        update: &ast::Update,
        info: &TableInfo,
    ) -> Result<(Option<Expr>, Vec<Assigned>)> {
        let predicate = match &update.selection {
            None => None,
            Some(condition) => Some(self.bind_row_condition(condition)?),
        };
        self.set_clause(Clause::Row);
        Ok((predicate, self.bind_assignments(&update.assignments, info)?))
    }

    /// What SET gives each column that it names.
    pub(super) fn bind_assignments(
        &mut self,
        assignments: &[ast::Assignment],
        info: &TableInfo,
    ) -> Result<Vec<Assigned>> {
        let mut assigned: Vec<Assigned> = Vec::with_capacity(assignments.len());
        for assignment in assignments {
            for (position, expr) in self.bind_assignment(assignment, info)? {
                // The last one wins, as in SQLite; elsewhere it is an error.
                if let Some(known) = assigned.iter_mut().find(|(p, _)| *p == position) {
                    if self.dialect != crate::SqlDialect::Sqlite {
                        return self.invalid("a column is set twice", assignment);
                    }
                    known.1 = expr;
                } else {
                    assigned.push((position, expr));
                }
            }
        }
        Ok(assigned)
    }

    /// WHERE of UPDATE and DELETE; its subqueries are applied to the rows at once.
    pub(super) fn bind_row_condition(&mut self, condition: &ast::Expr) -> Result<Expr> {
        let bound = self.bind_expr(condition)?;
        let bound = self.condition(bound, condition)?;
        if let Some(frame) = self.frames.last_mut() {
            frame.flush();
        }
        Ok(bound)
    }

    pub(super) fn bind_assignment(
        &mut self,
        assignment: &ast::Assignment,
        info: &TableInfo,
    ) -> Result<Vec<Assigned>> {
        match &assignment.target {
            AssignmentTarget::ColumnName(name) => {
                let position = self.column_position(info, self.simple_name(name)?)?;
                let value = self.bind_new_value(&assignment.value, info, position)?;
                Ok(vec![(position, value)])
            }
            AssignmentTarget::Tuple(names) => {
                let values = match &assignment.value {
                    ast::Expr::Tuple(values) => values,
                    ast::Expr::Subquery(query) => {
                        return self.bind_row_assignment(names, query, info, assignment);
                    }
                    _ => return self.unsupported("SET (a, b) = this value", assignment),
                };
                if values.len() != names.len() {
                    return self.invalid(
                        format!(
                            "SET has {} columns and {} values",
                            names.len(),
                            values.len()
                        ),
                        assignment,
                    );
                }
                let mut assigned = Vec::with_capacity(names.len());
                for (name, value) in names.iter().zip(values) {
                    let position = self.column_position(info, self.simple_name(name)?)?;
                    assigned.push((position, self.bind_new_value(value, info, position)?));
                }
                Ok(assigned)
            }
        }
    }

    /// `SET (a, b) = (SELECT ...)`: NULLs where the query has no row.
    fn bind_row_assignment(
        &mut self,
        names: &[ast::ObjectName],
        query: &ast::Query,
        info: &TableInfo,
        node: &ast::Assignment,
    ) -> Result<Vec<Assigned>> {
        let inner = self.bind_query(query)?;
        let columns = inner.columns();
        if columns.len() != names.len() {
            let (set, given) = (names.len(), columns.len());
            return self.invalid(format!("SET has {set} columns and {given} values"), node);
        }
        let kind = ApplyKind::Scalar {
            first_row: self.dialect.scalar_subquery_first_row(),
        };
        self.apply(inner, kind, node)?;
        let mut assigned = Vec::with_capacity(names.len());
        for (name, value) in names.iter().zip(&columns) {
            let position = self.column_position(info, self.simple_name(name)?)?;
            let Some(column) = info.columns.get(position) else {
                return super::invalid("a column that is not there");
            };
            let value = self.assigned_column(value, Target::new(info, column))?;
            let value = self.stored_value(value, column)?;
            assigned.push((position, value));
        }
        Ok(assigned)
    }

    pub(super) fn bind_new_value(
        &mut self,
        value: &ast::Expr,
        info: &TableInfo,
        position: usize,
    ) -> Result<Expr> {
        let Some(column) = info.columns.get(position) else {
            return super::invalid("a column that is not there");
        };
        self.refuse_generated(column, Given::Expr(value))?;
        if let ast::Expr::Identifier(word) = value
            && word.quote_style.is_none()
            && word.value.eq_ignore_ascii_case("DEFAULT")
        {
            let default = self.default_of(info, position)?;
            return self.stored_value(default, column);
        }
        let bound = self.bind_expr(value)?;
        let from = bound.ty();
        if !self.is_assignable(from, column.ty) {
            return self.mismatch(
                format!(
                    "column \"{}\" is {}, the value is {from}",
                    column.name, column.ty
                ),
                value,
            );
        }
        let value = self.assign_into(bound, Target::new(info, column))?;
        self.stored_value(value, column)
    }

    /// What a column becomes. A NULL has the column's type.
    pub(super) fn new_value(&mut self, name: &Arc<str>, ty: SqlType, expr: Expr) -> Projection {
        let expr = match expr {
            Expr::Literal(Scalar::Null(_)) => Expr::Literal(Scalar::Null(ty)),
            other => other,
        };
        let column = self.new_column(Arc::clone(name), ty, true);
        Projection { column, expr }
    }

    pub(super) fn plan_update(
        &mut self,
        info: &TableInfo,
        plan: LogicalPlan,
        row_id: PlanColumn,
        own: &[PlanColumn],
        assigned: Vec<Assigned>,
    ) -> Result<Update> {
        let changed = assigned
            .iter()
            .filter_map(|(position, _)| info.columns.get(*position))
            .chain(info.columns.iter().filter(|c| c.is_computed()))
            .map(|column| column.field)
            .collect();
        let mut values: Vec<Option<Expr>> = vec![None; info.columns.len()];
        for (position, expr) in assigned {
            if let Some(slot) = values.get_mut(position) {
                *slot = Some(expr);
            }
        }
        let mut projections = vec![Projection {
            expr: Expr::column(row_id.id, SqlType::UInt64),
            column: row_id,
        }];
        for ((value, column), own) in values.into_iter().zip(&info.columns).zip(own) {
            let projection = match value {
                None => Projection {
                    expr: Expr::column(own.id, own.ty),
                    column: own.clone(),
                },
                Some(expr) => self.new_value(&column.name, column.ty, expr),
            };
            projections.push(projection);
        }
        if let Some(written) = projections.get_mut(1..) {
            self.fill_generated(written, info)?;
        }
        let columns: Vec<PlanColumn> = projections
            .iter()
            .skip(1)
            .map(|p| p.column.clone())
            .collect();
        let checks = self.bind_checks(info, &columns)?;
        Ok(Update {
            table: info.id,
            table_name: info.name.clone(),
            source: LogicalPlan::Project(Project {
                input: Box::new(plan),
                projections,
            }),
            changed,
            checks,
            on_conflict: ConflictAction::Error,
            returning: None,
            triggers: None,
            cascades: Vec::new(),
        })
    }
}

/// The name that the table has in the statement, where it is given one.
pub(super) fn alias_of(relation: &TableFactor) -> Option<&str> {
    match relation {
        TableFactor::Table {
            alias: Some(alias), ..
        } => Some(&alias.name.value),
        _ => None,
    }
}
