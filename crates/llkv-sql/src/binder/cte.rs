//! WITH: common table expressions, bound anew at each use. Those whose rows are random are computed once all the same.

use super::Binder;
use llkv_plan::{LogicalPlan, PlanColumn, Shared};
use llkv_result::{BindError, Result};
use sqlparser::ast;
use std::cell::Cell;
use std::rc::Rc;

/// The expressions of one WITH that are visible.
#[derive(Debug)]
pub(super) struct CteScope {
    ctes: Vec<Entry>,
    /// Frames around the WITH: what a use further inside must not see.
    frames: usize,
    /// Its expressions may refer to themselves.
    recursive: bool,
}

/// What a name stands for.
#[derive(Debug, Clone)]
enum Entry {
    Query(Rc<Definition>),
    /// The expression whose step is being bound: the rows of the last round.
    Working(Rc<WorkingEntry>),
}

/// An expression of a WITH.
#[derive(Debug)]
struct Definition {
    cte: ast::Cte,
    /// The number under which its uses share their rows, where these are random.
    shared: Cell<Option<u32>>,
}

/// A working table as the step of a recursion sees it.
#[derive(Debug)]
pub(super) struct WorkingEntry {
    pub(super) name: String,
    pub(super) table: u32,
    pub(super) columns: Vec<PlanColumn>,
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Self::Query(definition) => &definition.cte.alias.name.value,
            Self::Working(working) => &working.name,
        }
    }
}

impl CteScope {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.ctes.iter().map(Entry::name)
    }
}

impl Binder<'_> {
    pub(super) fn push_ctes(&mut self, with: &ast::With) -> Result<()> {
        let mut scope = CteScope {
            ctes: Vec::with_capacity(with.cte_tables.len()),
            frames: self.frames.len(),
            recursive: with.recursive || self.dialect.with_is_recursive(),
        };
        for cte in &with.cte_tables {
            let name = &cte.alias.name;
            if scope
                .names()
                .any(|known| known.eq_ignore_ascii_case(&name.value))
            {
                return self.invalid(format!("WITH names \"{}\" twice", name.value), name);
            }
            scope.ctes.push(Entry::Query(Rc::new(Definition {
                cte: cte.clone(),
                shared: Cell::new(None),
            })));
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
                    .names()
                    .position(|known| known.eq_ignore_ascii_case(name))
                    .map(|position| (level, position))
            });
        let Some((level, position)) = found else {
            return Ok(None);
        };
        let entry = self
            .ctes
            .get(level)
            .and_then(|scope| scope.ctes.get(position));
        let definition = match entry.cloned() {
            None => return Ok(None),
            Some(Entry::Working(working)) => return Ok(Some(self.working_table(&working))),
            Some(Entry::Query(definition)) => definition,
        };
        // It sees what stood before it: expressions further out and earlier in its own list.
        let later = self.ctes.split_off(level + 1);
        let Some(scope) = self.ctes.last_mut() else {
            return Ok(None);
        };
        let recursive = scope.recursive;
        let hidden = scope.ctes.split_off(position);
        let frames = self.frames.split_off(scope.frames.min(self.frames.len()));
        let bound = self.bind_cte_body(&definition.cte, recursive);
        self.frames.extend(frames);
        if let Some(scope) = self.ctes.last_mut() {
            scope.ctes.extend(hidden);
        }
        self.ctes.extend(later);
        Ok(Some(self.shared_rows(bound?, &definition)))
    }

    /// All uses of an expression whose rows are random read the same ones.
    fn shared_rows(&mut self, plan: LogicalPlan, definition: &Definition) -> LogicalPlan {
        if !plan.is_volatile() || !plan.may_be_shared() {
            return plan;
        }
        let number = definition.shared.get();
        let number = number.unwrap_or_else(|| self.new_id().0);
        definition.shared.set(Some(number));
        LogicalPlan::Shared(Shared {
            number,
            places: 0,
            input: Box::new(plan),
        })
    }

    fn bind_cte_body(&mut self, cte: &ast::Cte, recursive: bool) -> Result<LogicalPlan> {
        if recursive && refers_to(&cte.query, &cte.alias.name.value) {
            return self.bind_recursive(cte);
        }
        let plan = self.bind_query(&cte.query)?;
        self.named_columns(plan, cte)
    }

    /// The plan with the names that the expression gives its columns.
    pub(super) fn named_columns(&self, plan: LogicalPlan, cte: &ast::Cte) -> Result<LogicalPlan> {
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

    /// Calls `f` while the name of a recursion stands for its working table.
    pub(super) fn with_working<R>(
        &mut self,
        working: &Rc<WorkingEntry>,
        f: impl FnOnce(&mut Self) -> Result<R>,
    ) -> Result<R> {
        if let Some(scope) = self.ctes.last_mut() {
            scope.ctes.push(Entry::Working(Rc::clone(working)));
        }
        let levels = self.ctes.len();
        let result = f(self);
        self.ctes.truncate(levels);
        if let Some(scope) = self.ctes.last_mut() {
            scope.ctes.pop();
        }
        result
    }
}

/// The plan with its first columns renamed.
pub(super) fn renamed<'n>(plan: LogicalPlan, names: impl Iterator<Item = &'n str>) -> LogicalPlan {
    let mut columns = plan.columns();
    for (column, name) in columns.iter_mut().zip(names) {
        column.name = name.to_owned().into();
    }
    super::subquery::keep(plan, columns)
}

/// Does a part of a query name a relation so?
pub(super) fn refers_to(part: &impl ast::Visit, name: &str) -> bool {
    let mut found = false;
    let _ = ast::visit_relations(part, |relation| {
        found |= relation
            .0
            .last()
            .and_then(|part| part.as_ident())
            .is_some_and(|ident| ident.value.eq_ignore_ascii_case(name));
        std::ops::ControlFlow::<()>::Continue(())
    });
    found
}
