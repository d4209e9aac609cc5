//! DELETE and TRUNCATE: a query for row ids.

use super::Binder;
use super::frame::{Clause, Frame};
use super::from::cross;
use super::select::filter;
use super::subquery::keep;
use super::triggers::Changed;
use super::update::alias_of;
use llkv_plan::{Delete, Distinct, LogicalPlan, PlanColumn, PlanStatement, TableInfo};
use llkv_result::{CatalogError, ObjectKind, Result};
use llkv_types::TriggerEvent;
use sqlparser::ast::{self, FromTable, TableFactor};
use std::sync::Arc;

impl Binder<'_> {
    pub(super) fn bind_delete(&mut self, delete: &ast::Delete) -> Result<PlanStatement> {
        let rare = [
            (delete.output.is_some(), "OUTPUT"),
            (!delete.order_by.is_empty(), "DELETE ... ORDER BY"),
            (delete.limit.is_some(), "DELETE ... LIMIT"),
            (!delete.tables.is_empty(), "DELETE from several tables"),
        ];
        if let Some((_, feature)) = rare.iter().find(|(present, _)| *present) {
            return self.unsupported(*feature, &delete.delete_token.0);
        }
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let [table] = from.as_slice() else {
            return self.unsupported("DELETE from several tables", &delete.delete_token.0);
        };
        if !table.joins.is_empty() {
            return self.unsupported("DELETE from a join", table);
        }
        let info = match self.changed_relation(&table.relation, TriggerEvent::Delete)? {
            Changed::Table(info) => info,
            Changed::View(view, plan) => {
                return self.delete_from_view(delete, &table.relation, &view, plan);
            }
        };
        let (rows, row_id) = self.changed_rows(&table.relation, &info)?;
        let own: Vec<PlanColumn> = rows.1.columns.iter().map(|c| c.column.clone()).collect();
        let (plan, scope) = match &delete.using {
            None => rows,
            Some(using) => {
                let other = self.bind_from(using)?;
                cross(rows, other)
            }
        };
        let others = self.columns_beside(&scope, &info);
        self.frames.push(Frame::new(scope, plan, Clause::Where));
        let predicate = match &delete.selection {
            None => Ok(None),
            Some(condition) => self.bind_row_condition(condition).map(Some),
        };
        let Some(mut frame) = self.frames.pop() else {
            return super::invalid("DELETE without rows");
        };
        let mut plan = frame.take_plan();
        if let Some(predicate) = predicate? {
            plan = filter(plan, predicate);
        }
        let mut kept = vec![row_id];
        plan = self.in_key_order(plan, &info, &own, None);
        if delete.returning.is_some() {
            kept.extend(own);
            kept.extend(others.iter().map(|other| other.column.clone()));
        }
        let mut source = keep(plan, kept);
        if delete.using.is_some() {
            source = LogicalPlan::Distinct(Distinct {
                input: Box::new(source),
            });
        }
        let alias = alias_of(&table.relation);
        let returning = delete.returning.as_deref();
        let returning = self.bind_returning(returning, (&info, alias), &others)?;
        let cascades = self.cascades(info.id)?;
        let triggers = self.bind_triggers(&info, (&[TriggerEvent::Delete], &[]), &cascades)?;
        Ok(PlanStatement::Delete(Delete {
            table: info.id,
            table_name: info.name.clone(),
            source,
            returning,
            triggers,
            cascades,
        }))
    }

    /// The rows that INSTEAD OF DELETE triggers of a view are run with.
    fn delete_from_view(
        &mut self,
        delete: &ast::Delete,
        relation: &TableFactor,
        view: &TableInfo,
        plan: LogicalPlan,
    ) -> Result<PlanStatement> {
        if delete.using.is_some() || delete.returning.is_some() {
            return self.unsupported("USING or RETURNING on a view", relation);
        }
        let own = plan.columns();
        let (plan, scope) = self.view_rows(relation, view, plan)?;
        self.frames.push(Frame::new(scope, plan, Clause::Where));
        let predicate = delete.selection.as_ref();
        let predicate = predicate.map(|condition| self.bind_row_condition(condition));
        let Some(mut frame) = self.frames.pop() else {
            return super::invalid("DELETE without rows");
        };
        let mut plan = frame.take_plan();
        if let Some(predicate) = predicate.transpose()? {
            plan = filter(plan, predicate);
        }
        self.change_view(view, TriggerEvent::Delete, keep(plan, own), &[])
    }

    /// `TRUNCATE t`: all rows.
    /// A table that others refer to is emptied with them alone: no row of theirs goes or changes for it.
    pub(super) fn bind_truncate(&mut self, truncate: &ast::Truncate) -> Result<PlanStatement> {
        let cascade = truncate.cascade == Some(ast::CascadeOption::Cascade);
        let mut tables: Vec<Arc<TableInfo>> = Vec::with_capacity(truncate.table_names.len());
        for target in &truncate.table_names {
            if truncate.identity == Some(ast::TruncateIdentityOption::Restart) {
                return self.unsupported("TRUNCATE ... RESTART IDENTITY", &target.name);
            }
            let info = self.target(&target.name)?;
            if tables.iter().all(|known| known.id != info.id) {
                tables.push(info);
            }
        }
        let mut at = 0;
        while let Some(info) = tables.get(at).cloned() {
            at += 1;
            for child in self.catalog.referring(info.id) {
                if tables.iter().any(|known| known.id == child.id) {
                    continue;
                }
                if !cascade {
                    return Err(CatalogError::in_use(
                        ObjectKind::Table,
                        &info.name,
                        format!("a foreign key of table \"{}\"", child.name),
                    ));
                }
                tables.push(child);
            }
        }
        let mut deletes = Vec::with_capacity(tables.len());
        while !tables.is_empty() {
            let is_free = |info: &Arc<TableInfo>| {
                let mut children = self.catalog.referring(info.id).into_iter();
                children.all(|child| {
                    child.id == info.id || tables.iter().all(|other| other.id != child.id)
                })
            };
            let first = tables.iter().position(is_free).unwrap_or(0);
            let info = tables.remove(first);
            let (plan, row_id) = self.scan_with_row_id(&info);
            deletes.push(Delete {
                table: info.id,
                table_name: info.name.clone(),
                source: keep(plan, vec![row_id]),
                returning: None,
                // TRUNCATE fires nothing.
                triggers: None,
                cascades: Vec::new(),
            });
        }
        Ok(PlanStatement::Truncate(deletes))
    }
}
