//! Triggers as a statement brings them along: bound once, run for each row with the row's values.

use crate::{LogicalPlan, PlanStatement, Projection, Returning, RowCheck};
use llkv_expr::Expr;
use llkv_result::{Error, Result};
use llkv_types::{Scalar, TableId, TriggerEvent, TriggerTime};
use std::sync::Arc;

/// A trigger as the catalog tells of it: its text, bound by each statement that it fires for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerInfo {
    /// Identity.
    pub id: TableId,
    /// Name as created.
    pub name: String,
    /// Before, after, or in the place of the change.
    pub time: TriggerTime,
    /// The change.
    pub event: TriggerEvent,
    /// The CREATE TRIGGER text.
    pub sql: String,
    /// Dialect of the text.
    pub dialect: String,
}

/// A trigger to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerDefinition {
    /// Name.
    pub name: crate::TableRef,
    /// Its table or view.
    pub table: TableId,
    /// Before, after, or in the place of the change.
    pub time: TriggerTime,
    /// The change.
    pub event: TriggerEvent,
    /// The whole text of the statement.
    pub sql: String,
    /// Dialect of the text.
    pub dialect: String,
    /// TEMPORARY: seen by its session alone, gone with it.
    pub temporary: bool,
}

/// A trigger that a statement may fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TriggerCall {
    /// When.
    pub time: TriggerTime,
    /// At which change.
    pub event: TriggerEvent,
    /// Which of the programs.
    pub program: usize,
}

/// What the rows that a statement changes set off.
#[derive(Debug, Clone)]
pub struct Triggers {
    /// Triggers, in the order in which they fire.
    pub calls: Vec<TriggerCall>,
    /// All programs that the statement may come to run, those that programs set off included. Empty in a
    /// statement of a program, which has those of the statement around it.
    pub programs: Arc<Vec<TriggerProgram>>,
}

/// A bound trigger. [`Expr::Parameter`]s stand for the values of the row: those of `OLD` in the order of the
/// table's columns, then those of `NEW`.
#[derive(Debug, Clone)]
pub struct TriggerProgram {
    /// The trigger's name.
    pub name: String,
    /// WHEN.
    pub condition: Option<TriggerCondition>,
    /// What is run, one after the other.
    pub steps: Vec<PlanStatement>,
}

/// WHEN of a trigger: BOOLEAN; what is not true does not fire.
#[derive(Debug, Clone)]
pub enum TriggerCondition {
    /// Of the row alone.
    Row(Expr),
    /// With subqueries: one row, one column.
    Query(LogicalPlan),
}

/// INSERT, UPDATE or DELETE on a view with INSTEAD OF triggers, which are all that happens.
#[derive(Debug, Clone)]
pub struct ViewChange {
    /// The view.
    pub view: String,
    /// What the statement is.
    pub event: TriggerEvent,
    /// Columns of the view.
    pub width: usize,
    /// Rows: the values of `OLD` where the event has them, then those of `NEW` where it has them.
    pub source: LogicalPlan,
    /// What is run for each row.
    pub triggers: Triggers,
}

impl Triggers {
    /// The programs for a time and an event, in the order in which they run.
    pub fn programs_at(
        &self,
        time: TriggerTime,
        event: TriggerEvent,
    ) -> impl Iterator<Item = usize> {
        let calls = self.calls.iter();
        let due = calls.filter(move |call| call.time == time && call.event == event);
        due.map(|call| call.program)
    }

    /// True where some trigger fires at an event.
    #[must_use]
    pub fn listens_to(&self, event: TriggerEvent) -> bool {
        self.calls.iter().any(|call| call.event == event)
    }
}

impl TriggerProgram {
    /// A step with the values of a row in the place of its parameters.
    ///
    /// # Errors
    /// Only for bugs: a parameter beyond the row.
    pub fn step(&self, at: usize, row: &[Scalar]) -> Result<Option<PlanStatement>> {
        let Some(step) = self.steps.get(at) else {
            return Ok(None);
        };
        let mut step = step.clone();
        let mut filling = Filling {
            row,
            result: Ok(()),
        };
        filling.statement(&mut step);
        filling.result.map(|()| Some(step))
    }
}

impl TriggerCondition {
    /// The condition with the values of a row in the place of its parameters.
    ///
    /// # Errors
    /// Only for bugs: a parameter beyond the row.
    pub fn of_row(&self, row: &[Scalar]) -> Result<Self> {
        let mut condition = self.clone();
        let mut filling = Filling {
            row,
            result: Ok(()),
        };
        match &mut condition {
            Self::Row(expr) => filling.expr(expr),
            Self::Query(plan) => filling.plan(plan),
        }
        filling.result.map(|()| condition)
    }
}

/// Puts values in the place of parameters.
struct Filling<'r> {
    row: &'r [Scalar],
    result: Result<()>,
}

impl Filling<'_> {
    fn statement(&mut self, statement: &mut PlanStatement) {
        match statement {
            PlanStatement::Query(plan) => self.plan(plan),
            PlanStatement::Insert(insert) => {
                self.plan(&mut insert.source);
                self.checks(&mut insert.checks);
                self.returning(insert.returning.as_mut());
                let update = insert.upsert.as_mut().and_then(|u| u.update.as_mut());
                if let Some(update) = update {
                    update.filter.iter_mut().for_each(|e| self.expr(e));
                    self.projections(&mut update.columns);
                    self.checks(&mut update.checks);
                    if let Some(query) = &mut update.query {
                        self.plan(&mut query.plan);
                    }
                }
            }
            PlanStatement::Update(update) => {
                self.plan(&mut update.source);
                self.checks(&mut update.checks);
                self.returning(update.returning.as_mut());
            }
            PlanStatement::Delete(delete) => {
                self.plan(&mut delete.source);
                self.returning(delete.returning.as_mut());
            }
            PlanStatement::ChangeView(change) => self.plan(&mut change.source),
            _ => {}
        }
    }

    fn returning(&mut self, returning: Option<&mut Returning>) {
        if let Some(returning) = returning {
            self.projections(&mut returning.columns);
        }
    }

    fn projections(&mut self, projections: &mut [Projection]) {
        for projection in projections {
            self.expr(&mut projection.expr);
        }
    }

    fn checks(&mut self, checks: &mut [RowCheck]) {
        for check in checks {
            self.expr(&mut check.expr);
        }
    }

    fn plan(&mut self, plan: &mut LogicalPlan) {
        plan.for_each_expr_mut(&mut |expr| self.expr(expr));
        let ended = plan.try_for_each_input_mut(&mut |input| {
            self.plan(input);
            Ok::<(), std::convert::Infallible>(())
        });
        match ended {
            Ok(()) => {}
        }
    }

    fn expr(&mut self, expr: &mut Expr) {
        if let Expr::Parameter { index, .. } = expr {
            match self.row.get(*index) {
                Some(value) => *expr = Expr::Literal(value.clone()),
                None => self.result = Err(Error::internal("a trigger's row is too short")),
            }
            return;
        }
        expr.for_each_child_mut(&mut |child| self.expr(child));
    }
}
