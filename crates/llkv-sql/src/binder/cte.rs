//! WITH: common table expressions, bound anew at each use.

use super::Binder;
use llkv_plan::LogicalPlan;
use llkv_result::{BindError, Result};
use sqlparser::ast;
use std::rc::Rc;

/// The expressions of one WITH that are visible.
#[derive(Debug)]
pub(super) struct CteScope {
    ctes: Vec<Rc<ast::Cte>>,
    /// Frames around the WITH: what a use further inside must not see.
    frames: usize,
}

impl CteScope {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.ctes.iter().map(|cte| cte.alias.name.value.as_str())
    }
}

impl Binder<'_> {
    pub(super) fn push_ctes(&mut self, with: &ast::With) -> Result<()> {
        if with.recursive && with.cte_tables.iter().any(refers_to_itself) {
            return self.unsupported("WITH RECURSIVE", with);
        }
        let mut scope = CteScope {
            ctes: Vec::with_capacity(with.cte_tables.len()),
            frames: self.frames.len(),
        };
        for cte in &with.cte_tables {
            let name = &cte.alias.name;
            if scope
                .names()
                .any(|known| known.eq_ignore_ascii_case(&name.value))
            {
                return self.invalid(format!("WITH names \"{}\" twice", name.value), name);
            }
            scope.ctes.push(Rc::new(cte.clone()));
        }
        self.ctes.push(scope);
        Ok(())
    }

    /// The rows of a common table expression, if one has the name.
    pub(super) fn bind_cte(&mut self, name: &str) -> Result<Option<LogicalPlan>> {
        let found = self
            .ctes
            .iter()
            .enumerate()
            .rev()
            .find_map(|(level, scope)| {
                scope
                    .ctes
                    .iter()
                    .position(|cte| cte.alias.name.value.eq_ignore_ascii_case(name))
                    .map(|position| (level, position))
            });
        let Some((level, position)) = found else {
            return Ok(None);
        };
        // It sees what stood before it: expressions further out and earlier in its own list.
        let later = self.ctes.split_off(level + 1);
        let Some(scope) = self.ctes.last_mut() else {
            return Ok(None);
        };
        let hidden = scope.ctes.split_off(position);
        let frames = self.frames.split_off(scope.frames.min(self.frames.len()));
        let cte = hidden.first().cloned();
        let bound = match &cte {
            Some(cte) => self.bind_cte_body(cte).map(Some),
            None => Ok(None),
        };
        self.frames.extend(frames);
        if let Some(scope) = self.ctes.last_mut() {
            scope.ctes.extend(hidden);
        }
        self.ctes.extend(later);
        bound
    }

    fn bind_cte_body(&mut self, cte: &ast::Cte) -> Result<LogicalPlan> {
        let plan = self.bind_query(&cte.query)?;
        if cte.alias.columns.is_empty() {
            return Ok(plan);
        }
        let columns = plan.columns();
        if cte.alias.columns.len() > columns.len() {
            return Err(BindError::Invalid {
                message: format!(
                    "\"{}\" has {} columns, {} names are given",
                    cte.alias.name.value,
                    columns.len(),
                    cte.alias.columns.len()
                ),
                span: self.span(&cte.alias.name),
            }
            .into());
        }
        let names = cte.alias.columns.iter().map(|c| c.name.value.as_str());
        Ok(renamed(plan, names))
    }
}

/// The plan with its first columns renamed.
pub(super) fn renamed<'n>(plan: LogicalPlan, names: impl Iterator<Item = &'n str>) -> LogicalPlan {
    let mut columns = plan.columns();
    for (column, name) in columns.iter_mut().zip(names) {
        column.name = name.to_owned();
    }
    super::subquery::keep(plan, columns)
}

/// True where a WITH RECURSIVE names itself; the word alone changes nothing.
fn refers_to_itself(cte: &ast::Cte) -> bool {
    let name = &cte.alias.name.value;
    let mut found = false;
    let _ = ast::visit_relations(cte.query.as_ref(), |relation| {
        found |= relation
            .0
            .last()
            .and_then(|part| part.as_ident())
            .is_some_and(|ident| ident.value.eq_ignore_ascii_case(name));
        std::ops::ControlFlow::<()>::Continue(())
    });
    found
}
