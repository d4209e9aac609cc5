//! Running the programs of triggers, in the statement that set them off.

use crate::RuntimeSession;
use crate::transaction::{Failure, Transaction};
use arrow::array::RecordBatch;
use llkv_compute::{StatementContext, fold, within_statement};
use llkv_plan::{ConflictAction, TriggerCondition, TriggerProgram, Triggers};
use llkv_result::{Error, EvalError, ExecError, RaiseAction, Result, StatementResult};
use llkv_types::{RowId, Scalar, TableId, TriggerEvent, TriggerTime};
use std::collections::HashMap;
use std::sync::Arc;

/// Programs that run within one another: as many as SQLite has by default.
pub(crate) const MAX_DEPTH: usize = 1_000;

/// Stack that one program takes: planning, and starting its queries.
pub(crate) const PROGRAM_STACK_BYTES: usize = 1 << 20;

/// What the running statement fires. Nothing of it is there without triggers.
#[derive(Debug, Default)]
pub(crate) struct Firing {
    /// Of the whole statement.
    programs: Arc<Vec<TriggerProgram>>,
    /// Those that run at this moment, the outermost first.
    running: Vec<usize>,
    /// What `OR ...` of a statement around says: it holds for those of its programs.
    pub(crate) policy: ConflictAction,
    /// Tables whose rows some running statement goes through one by one.
    walked: Vec<TableId>,
    /// Where rows of these tables went when a program changed them: a changed row has another id.
    moved: HashMap<(TableId, RowId), RowId>,
}

impl Firing {
    /// What a statement does about rows that constraints refuse: a statement around it has the word, where
    /// it said something.
    pub(crate) fn policy_over(&self, own: ConflictAction) -> ConflictAction {
        match (self.running.is_empty(), self.policy) {
            (true, _) | (false, ConflictAction::Error) => own,
            (false, policy) => policy,
        }
    }

    /// True where the rows of a table must be changed one by one, so that a statement around finds them.
    pub(crate) fn is_walked(&self, table: TableId) -> bool {
        self.walked.contains(&table)
    }

    /// The rows of a table are gone through one by one, until [`Firing::end_walk`].
    pub(crate) fn begin_walk(&mut self, table: TableId) {
        self.walked.push(table);
    }

    /// The end of the walk that began last.
    pub(crate) fn end_walk(&mut self) {
        self.walked.pop();
    }

    /// A row is another one now.
    pub(crate) fn note_move(&mut self, table: TableId, from: RowId, to: RowId) {
        if self.is_walked(table) {
            self.moved.insert((table, from), to);
        }
    }

    /// The row that a row has become.
    pub(crate) fn follow(&self, table: TableId, row: RowId) -> RowId {
        let mut row = row;
        // Ids only grow, so this ends.
        while let Some(next) = self.moved.get(&(table, row)) {
            row = *next;
        }
        row
    }
}

impl RuntimeSession {
    /// Runs `f`, a statement whose rows fire these triggers, with their programs at hand. Afterwards the
    /// session is as it was.
    pub(crate) fn with_triggers<R>(
        &mut self,
        triggers: Option<&Triggers>,
        table: Option<TableId>,
        policy: ConflictAction,
        f: impl FnOnce(&mut Self) -> Result<R>,
    ) -> Result<R> {
        let is_outermost = self.firing.running.is_empty();
        if is_outermost {
            self.firing = Firing::default();
            if let Some(triggers) = triggers {
                self.firing.programs = Arc::clone(&triggers.programs);
            }
        }
        // ON CONFLICT DO NOTHING speaks of the rows of its own statement alone.
        let inherited = match policy {
            ConflictAction::Ignore if self.firing.running.is_empty() => ConflictAction::Error,
            ConflictAction::Ignore => self.firing.policy,
            policy => policy,
        };
        let before = std::mem::replace(&mut self.firing.policy, inherited);
        self.firing.walked.extend(table);
        let result = f(self);
        if is_outermost {
            self.firing = Firing::default();
        } else {
            self.firing.policy = before;
            if table.is_some() {
                self.firing.walked.pop();
            }
        }
        result
    }

    /// Runs the programs for a row, the values of `OLD` and then those of `NEW`, as far as the event has
    /// them. False where one gave the row up.
    pub(crate) fn fire(
        &mut self,
        transaction: &mut Transaction,
        triggers: &Triggers,
        (time, event): (TriggerTime, TriggerEvent),
        row: &[Scalar],
    ) -> Result<bool> {
        for program in triggers.programs_at(time, event) {
            if !self.run_program(transaction, program, row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn run_program(
        &mut self,
        transaction: &mut Transaction,
        index: usize,
        row: &[Scalar],
    ) -> Result<bool> {
        if !self.settings.recursive_triggers && self.firing.running.contains(&index) {
            return Ok(true);
        }
        if self.firing.running.len() >= MAX_DEPTH {
            return Err(ExecError::TriggerDepth { limit: MAX_DEPTH }.into());
        }
        let programs = Arc::clone(&self.firing.programs);
        let program = programs.get(index);
        let program = program.ok_or_else(|| Error::internal("a trigger without a program"))?;
        self.firing.running.push(index);
        let last_row_id = transaction.last_row_id;
        let result = stacker::maybe_grow(PROGRAM_STACK_BYTES, 4 * PROGRAM_STACK_BYTES, || {
            self.run_steps(transaction, program, row)
        });
        self.firing.running.pop();
        // What a program inserts is not what the statement inserted.
        transaction.last_row_id = last_row_id;
        let Err(Error::Eval(EvalError::Raised { action, .. })) = &result else {
            return result.map(|()| true);
        };
        match action {
            RaiseAction::Ignore => return Ok(false),
            RaiseAction::Abort => {}
            RaiseAction::Fail => transaction.fail_with(Failure::Keep),
            RaiseAction::Rollback => transaction.fail_with(Failure::RollBack),
        }
        result.map(|()| false)
    }

    fn run_steps(
        &mut self,
        transaction: &mut Transaction,
        program: &TriggerProgram,
        row: &[Scalar],
    ) -> Result<()> {
        self.settings.cancel.check()?;
        if let Some(condition) = &program.condition
            && !self.holds(transaction, condition.of_row(row)?)?
        {
            return Ok(());
        }
        for at in 0..program.steps.len() {
            let Some(step) = program.step(at, row)? else {
                break;
            };
            within_statement(context_of(transaction), || {
                if let StatementResult::Select(rows) = self.run(transaction, Box::new(step))? {
                    for batch in rows {
                        batch.map_err(Error::from_arrow)?;
                    }
                }
                Ok::<(), Error>(())
            })?;
        }
        Ok(())
    }

    fn holds(&mut self, transaction: &Transaction, condition: TriggerCondition) -> Result<bool> {
        within_statement(context_of(transaction), || {
            self.is_true(transaction, condition)
        })
    }

    fn is_true(&mut self, transaction: &Transaction, condition: TriggerCondition) -> Result<bool> {
        let value = match condition {
            TriggerCondition::Row(expr) => fold(&expr)?,
            TriggerCondition::Query(plan) => {
                let mut rows = crate::query::execute(self, transaction, plan)?;
                let mut value = Scalar::Null(llkv_types::SqlType::Boolean);
                while let Some(batch) = rows.next_batch()? {
                    if let (1.., Some(column)) = (batch.num_rows(), batch.columns().first()) {
                        value = Scalar::from_array(column.as_ref(), 0)?;
                    }
                }
                value
            }
        };
        Ok(value == Scalar::Boolean(true))
    }
}

/// What stable functions answer in a program: the row that was inserted last is one of the statement around it, or of a step before.
fn context_of(transaction: &Transaction) -> StatementContext {
    let context = StatementContext::current();
    StatementContext {
        last_row_id: transaction.last_row_id.unwrap_or(context.last_row_id),
        ..context
    }
}

/// The values of a batch of one row.
pub(crate) fn values_of(row: &RecordBatch) -> Result<Vec<Scalar>> {
    let columns = row.columns().iter();
    columns
        .map(|column| Scalar::from_array(column.as_ref(), 0))
        .collect()
}
