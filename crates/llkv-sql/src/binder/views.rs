//! Views: their text, bound where they are used.

use super::cte::renamed;
use super::{Binder, too_complex};
use crate::dialect::SqlDialect;
use crate::text::{SourceText, parse_query};
use llkv_plan::{LogicalPlan, ViewInfo};
use llkv_result::Result;

/// Views inside views.
const MAX_VIEW_DEPTH: usize = 64;

impl Binder<'_> {
    pub(super) fn bind_view(&mut self, view: &ViewInfo) -> Result<LogicalPlan> {
        if self.replaced_view == Some(view.id) {
            return super::invalid(format!("view \"{}\" would read itself", view.name));
        }
        if self.views >= MAX_VIEW_DEPTH {
            return Err(too_complex("the nesting of views", MAX_VIEW_DEPTH));
        }
        let dialect: SqlDialect = view.dialect.parse()?;
        let plan = parse_query(&view.sql, dialect, |query| {
            self.of_catalog(dialect, |binder| {
                binder.views += 1;
                let plan = binder.bind_query(query);
                binder.views -= 1;
                plan
            })
        })?;
        Ok(if view.columns.is_empty() {
            plan
        } else {
            renamed(plan, view.columns.iter().map(String::as_str))
        })
    }

    /// Binds text of the catalog.
    pub(super) fn of_catalog<R>(
        &mut self,
        dialect: SqlDialect,
        f: impl FnOnce(&mut Self) -> R,
    ) -> R {
        self.apart(dialect, |binder| {
            let outer = std::mem::replace(&mut binder.is_stored, true);
            let result = f(binder);
            binder.is_stored = outer;
            result
        })
    }

    /// Binds text that sees nothing of the statement around it.
    pub(super) fn apart<R>(&mut self, dialect: SqlDialect, f: impl FnOnce(&mut Self) -> R) -> R {
        let frames = std::mem::take(&mut self.frames);
        let ctes = std::mem::take(&mut self.ctes);
        let source = std::mem::replace(&mut self.source, SourceText::hidden(""));
        let own = std::mem::replace(&mut self.dialect, dialect);
        let null_order = self.null_order.take();
        let trigger_row = self.trigger_row.take();
        let found_names = self.found_names.take();
        let result = f(self);
        self.found_names.replace(found_names);
        self.trigger_row = trigger_row;
        self.null_order = null_order;
        self.dialect = own;
        self.source = source;
        self.ctes = ctes;
        self.frames = frames;
        result
    }
}
