//! RETURNING: values over the rows that a statement wrote, or deleted.

use super::Binder;
use super::frame::{Clause, Frame};
use super::scope::Scope;
use llkv_plan::{LogicalPlan, PlanColumn, Returning, TableInfo};
use llkv_result::Result;
use sqlparser::ast;

impl Binder<'_> {
    /// Binds the list over the columns of the table, under the name that it has in the statement.
    pub(super) fn bind_returning(
        &mut self,
        items: Option<&[ast::SelectItem]>,
        info: &TableInfo,
        alias: Option<&str>,
    ) -> Result<Option<Returning>> {
        let Some(items) = items else {
            return Ok(None);
        };
        let rows = self.columns_of(info);
        let scope = Scope::of_relation(Some(alias.unwrap_or(&info.name)), rows.clone());
        self.frames
            .push(Frame::new(scope, LogicalPlan::one_row(), Clause::Row));
        let bound = self.bind_items(items);
        let waiting = self.frames.pop().is_some_and(|f| !f.pending.is_empty());
        let bound = bound?;
        if waiting {
            return super::unsupported("a subquery in RETURNING");
        }
        let own = rows.iter().map(|column| column.id).collect();
        let columns = self.project(bound, &own);
        Ok(Some(Returning { rows, columns }))
    }

    /// New columns, one for each of the table.
    pub(super) fn columns_of(&mut self, info: &TableInfo) -> Vec<PlanColumn> {
        info.columns
            .iter()
            .map(|c| self.new_column(c.name.as_str(), c.ty, c.nullable))
            .collect()
    }
}
