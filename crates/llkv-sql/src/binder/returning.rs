//! RETURNING: values over the rows that a statement wrote, or deleted.

use super::Binder;
use super::frame::{Clause, Frame, PendingApply};
use super::scope::{Scope, ScopeColumn};
use super::subquery::apply_all;
use crate::SqlDialect;
use llkv_expr::Expr;
use llkv_plan::{
    LogicalPlan, PlanColumn, Project, Projection, Returning, RowQuery, TableInfo, Values,
};
use llkv_result::Result;
use llkv_types::SqlType;
use sqlparser::ast;

impl Binder<'_> {
    /// Binds the list over the columns of the table, under the name that it has in the statement.
    pub(super) fn bind_returning(
        &mut self,
        items: Option<&[ast::SelectItem]>,
        (info, alias): (&TableInfo, Option<&str>),
        others: &[ScopeColumn],
    ) -> Result<Option<Returning>> {
        let Some(items) = items else {
            return Ok(None);
        };
        let mut rows = self.columns_of(info);
        let mut scope = Scope::of_table(info, alias, rows.clone());
        scope.columns.extend_from_slice(others);
        rows.extend(others.iter().map(|other| other.column.clone()));
        self.frames
            .push(Frame::new(scope, LogicalPlan::one_row(), Clause::Row));
        let bound = self.bind_items(items);
        let pending = self.frames.pop().map(|frame| frame.pending);
        let bound = bound?;
        let own = rows.iter().map(|column| column.id).collect();
        let columns = self.project(bound, &own);
        let query = match pending.unwrap_or_default() {
            none if none.is_empty() => None,
            pending => Some(self.row_query(rows.clone(), pending, &columns)),
        };
        Ok(Some(Returning {
            rows,
            columns,
            query,
        }))
    }

    /// A query for values over rows that are at hand, with the subqueries in them.
    pub(super) fn row_query(
        &mut self,
        mut rows: Vec<PlanColumn>,
        pending: Vec<PendingApply>,
        values: &[Projection],
    ) -> RowQuery {
        let number = self.new_column("row", SqlType::Int64, false);
        rows.push(number.clone());
        let leaf = LogicalPlan::Values(Values {
            columns: rows.clone(),
            batches: vec![],
        });
        let mut projections = vec![Projection {
            expr: Expr::column(number.id, number.ty),
            column: number,
        }];
        projections.extend_from_slice(values);
        RowQuery {
            rows,
            plan: LogicalPlan::Project(Project {
                input: Box::new(apply_all(leaf, pending)),
                projections,
            }),
            sees_changes: self.dialect == SqlDialect::Sqlite,
        }
    }

    /// New columns, one for each of the table.
    pub(super) fn columns_of(&mut self, info: &TableInfo) -> Vec<PlanColumn> {
        let columns = info.columns.iter();
        let columns: Vec<PlanColumn> = columns
            .map(|of_table| {
                let name = of_table.name.clone();
                let column = self.new_column(name, of_table.ty, of_table.nullable);
                self.note_column(&column, of_table);
                column
            })
            .collect();
        self.note_origins(info.id, columns.iter().map(|column| column.id));
        columns
    }
}
