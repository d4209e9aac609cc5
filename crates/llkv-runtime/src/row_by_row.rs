//! INSERT, UPDATE and DELETE one row after the other: where triggers fire, and where `OR ...` says what
//! becomes of the row that a constraint refuses.
//!
//! The rows of the statement are those that it found when it began, with the values that it computed then;
//! what a trigger did to a row in the meantime is seen when its turn comes: a row that went is left out,
//! one that changed keeps the change in the columns that the statement does not set.

use crate::RuntimeSession;
use crate::checks::RowChecks;
use crate::dml::Numbering;
use crate::firing::values_of;
use crate::row_values::Returned;
use crate::row_walk::{Existing, RowWalk};
use crate::transaction::Transaction;
use crate::upsert::Meeting;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::UInt64Type;
use llkv_executor::SelectExecution;
use llkv_plan::{ConflictAction, Delete, Insert, LogicalPlan, Update, ViewChange};
use llkv_result::{Error, Result, StatementResult};
use llkv_types::{RowId, TriggerEvent, TriggerTime};
use roaring::RoaringTreemap;

/// INSERT and COPY FROM. Gives the rows inserted and changed, in number.
pub(crate) fn insert(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    insert: Insert,
    policy: ConflictAction,
    returned: &mut Returned,
) -> Result<u64> {
    let table = transaction.table(insert.table, &insert.table_name)?;
    let columns = insert.source.columns();
    let checks = RowChecks::new(&insert.checks, &columns, &insert.table_name)?;
    let numbering = Numbering::new(&insert, &columns)?;
    let upsert = insert.upsert.as_ref();
    let meeting = upsert.map(|upsert| Meeting::new(upsert, &columns, &insert.table_name));
    let meeting = meeting.transpose()?;
    let triggers = insert.triggers.as_ref();
    let mut source = Rows::new(session, transaction, insert.source)?;
    let once = upsert.is_some_and(|upsert| !upsert.in_order);
    let first_own = once.then(|| transaction.next_row_id(&table));
    session.with_triggers(triggers, None, policy, |session| {
        let fired = (triggers, insert.cascades.as_slice());
        let mut walk = RowWalk::new(session, transaction, &table, fired, policy, returned);
        walk.first_own = first_own;
        while let Some(row) = source.next(walk.session)? {
            walk.insert(&row, &numbering, &checks, meeting.as_ref())?;
        }
        walk.finish()
    })
}

/// UPDATE. Gives the rows changed, in number.
pub(crate) fn update(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    update: Update,
    policy: ConflictAction,
    returned: &mut Returned,
) -> Result<u64> {
    let table = transaction.table(update.table, &update.table_name)?;
    let columns = update.source.columns();
    let columns = columns.get(1..).unwrap_or_default();
    let checks = RowChecks::new(&update.checks, columns, &update.table_name)?;
    let fields = table.schema().columns.iter();
    let is_set: Vec<bool> = fields.map(|c| update.changed.contains(&c.field)).collect();
    let triggers = update.triggers.as_ref();
    let mut source = Rows::new(session, transaction, update.source)?;
    let mut seen = RoaringTreemap::new();
    session.with_triggers(triggers, Some(table.id()), policy, |session| {
        let fired = (triggers, update.cascades.as_slice());
        let mut walk = RowWalk::new(session, transaction, &table, fired, policy, returned);
        while let Some(row) = source.next(walk.session)? {
            if let Some(id) = fresh_id(&row, &mut seen)? {
                let given = row.columns().get(1..).unwrap_or_default();
                let (given, others) = given.split_at(is_set.len().min(given.len()));
                walk.beside = others.to_vec();
                walk.update(id, given, &is_set, &checks)?;
            }
        }
        walk.finish()
    })
}

/// DELETE. Gives the rows deleted, in number.
pub(crate) fn delete(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    delete: Delete,
    returned: &mut Returned,
) -> Result<u64> {
    let table = transaction.table(delete.table, &delete.table_name)?;
    let width = table.schema().columns.len();
    let triggers = delete.triggers.as_ref();
    let policy = session.firing.policy;
    let mut source = Rows::new(session, transaction, delete.source)?;
    let mut seen = RoaringTreemap::new();
    session.with_triggers(triggers, Some(table.id()), policy, |session| {
        let fired = (triggers, delete.cascades.as_slice());
        let mut walk = RowWalk::new(session, transaction, &table, fired, policy, returned);
        while let Some(row) = source.next(walk.session)? {
            let others = row.columns().get(1 + width..).unwrap_or_default();
            walk.beside = others.to_vec();
            if let Some(id) = fresh_id(&row, &mut seen)?
                && let Some(Existing { row, .. }) = walk.delete(id)?
            {
                walk.count += 1;
                walk.give_back(&row)?;
            }
        }
        walk.finish()
    })
}

/// INSERT, UPDATE or DELETE on a view: its INSTEAD OF triggers are all that happens.
pub(crate) fn change_view(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    change: ViewChange,
) -> Result<StatementResult> {
    transaction.check_writable(match change.event {
        TriggerEvent::Insert => "INSERT",
        TriggerEvent::Update => "UPDATE",
        TriggerEvent::Delete => "DELETE",
    })?;
    let policy = session.firing.policy;
    let mut source = Rows::new(session, transaction, change.source)?;
    let triggers = &change.triggers;
    let at = (TriggerTime::InsteadOf, change.event);
    let rows = session.with_triggers(Some(triggers), None, policy, |session| {
        let mut rows = 0;
        while let Some(row) = source.next(session)? {
            let fired = session.fire(transaction, triggers, at, &values_of(&row)?)?;
            rows += u64::from(fired);
        }
        Ok(rows)
    })?;
    Ok(match change.event {
        TriggerEvent::Insert => StatementResult::Insert { rows },
        TriggerEvent::Update => StatementResult::Update { rows },
        TriggerEvent::Delete => StatementResult::Delete { rows },
    })
}

/// The row id in the first column, unless it was seen before: a join may find a row more than once.
fn fresh_id(row: &RecordBatch, seen: &mut RoaringTreemap) -> Result<Option<RowId>> {
    let ids = row.columns().first();
    let ids = ids.and_then(|column| column.as_primitive_opt::<UInt64Type>());
    match ids {
        Some(ids) if ids.len() == 1 => {
            let id = ids.is_valid(0).then(|| ids.value(0));
            Ok(id.filter(|id| seen.insert(*id)))
        }
        _ => Err(Error::internal("a changed row without a row id")),
    }
}

/// The rows of a plan, as batches of one.
struct Rows {
    waiting: std::vec::IntoIter<RecordBatch>,
    execution: Option<SelectExecution>,
    batch: Option<RecordBatch>,
    next_row: usize,
}

impl Rows {
    /// Begins to run the optimized plan: it sees the tables as they are now, whatever is done to them afterwards.
    fn new(
        session: &mut RuntimeSession,
        transaction: &Transaction,
        plan: LogicalPlan,
    ) -> Result<Self> {
        let (waiting, execution) = match plan {
            LogicalPlan::Values(values) => (values.batches, None),
            plan => {
                let execution = crate::query::execute_optimized(session, transaction, plan)?;
                (Vec::new(), Some(execution))
            }
        };
        Ok(Self {
            waiting: waiting.into_iter(),
            execution,
            batch: None,
            next_row: 0,
        })
    }

    fn next(&mut self, session: &RuntimeSession) -> Result<Option<RecordBatch>> {
        session.settings.cancel.check()?;
        loop {
            if let Some(batch) = &self.batch
                && self.next_row < batch.num_rows()
            {
                self.next_row += 1;
                return Ok(Some(batch.slice(self.next_row - 1, 1)));
            }
            self.next_row = 0;
            self.batch = match &mut self.execution {
                Some(execution) => execution.next_batch()?,
                None => self.waiting.next(),
            };
            if self.batch.is_none() {
                return Ok(None);
            }
        }
    }
}
