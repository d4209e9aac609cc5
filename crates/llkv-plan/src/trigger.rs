//! Triggers as a statement brings them along: bound once, run for each row with the row's values.

use crate::{LogicalPlan, PlanStatement};
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
        let mut filled = Ok(());
        step.for_each_expr_mut(&mut |expr| fill(expr, row, &mut filled));
        filled.map(|()| Some(step))
    }
}

impl TriggerCondition {
    /// The condition with the values of a row in the place of its parameters.
    ///
    /// # Errors
    /// Only for bugs: a parameter beyond the row.
    pub fn of_row(&self, row: &[Scalar]) -> Result<Self> {
        let mut condition = self.clone();
        let mut filled = Ok(());
        match &mut condition {
            Self::Row(expr) => fill(expr, row, &mut filled),
            Self::Query(plan) => {
                plan.for_each_expr_within_mut(&mut |expr| fill(expr, row, &mut filled));
            }
        }
        filled.map(|()| condition)
    }
}

/// Puts the values of a row in the place of an expression's parameters.
fn fill(expr: &mut Expr, row: &[Scalar], filled: &mut Result<()>) {
    if let Expr::Parameter { index, .. } = expr {
        match row.get(*index) {
            Some(value) => *expr = Expr::Literal(value.clone()),
            None => *filled = Err(Error::internal("a trigger's row is too short")),
        }
        return;
    }
    expr.for_each_child_mut(&mut |child| fill(child, row, filled));
}
