//! What a statement does to single rows of a table: the triggers before, the constraints, the change, the
//! triggers after.

use crate::RuntimeSession;
use crate::checks::RowChecks;
use crate::dml::{Numbering, speaks_of_rows};
use crate::firing::values_of;
use crate::foreign_keys::ForeignKeys;
use crate::row_values::{Returned, unnamed};
use crate::transaction::{Failure, Transaction};
use crate::upsert::Meeting;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use llkv_plan::{CascadeTarget, ConflictAction, Triggers};
use llkv_result::{ConstraintError, Error, Result};
use llkv_table::{OnConflict, Table};
use llkv_types::{RowId, TriggerEvent, TriggerTime};
use roaring::RoaringTreemap;
use std::sync::Arc;

/// A statement on its way through the rows of a table.
pub(crate) struct RowWalk<'a> {
    pub(crate) session: &'a mut RuntimeSession,
    transaction: &'a mut Transaction,
    table: &'a Arc<Table>,
    triggers: Option<&'a Triggers>,
    /// What becomes of a row that a constraint refuses.
    policy: ConflictAction,
    /// The table's columns, any of which may be NULL as long as nothing is checked.
    schema: SchemaRef,
    returned: &'a mut Returned,
    /// What RETURNING sees of others behind the columns of the row.
    pub(crate) beside: Vec<ArrayRef>,
    /// Rows from this id on are of the statement; DO UPDATE changes none of them where this is told.
    pub(crate) first_own: Option<RowId>,
    /// Rows that were changed.
    pub(crate) count: u64,
    keys: ForeignKeys<'a>,
}

/// A row that is there.
pub(crate) struct Existing {
    pub(crate) id: RowId,
    pub(crate) row: RecordBatch,
}

impl<'a> RowWalk<'a> {
    pub(crate) fn new(
        session: &'a mut RuntimeSession,
        transaction: &'a mut Transaction,
        table: &'a Arc<Table>,
        (triggers, cascades): (Option<&'a Triggers>, &'a [CascadeTarget]),
        policy: ConflictAction,
        returned: &'a mut Returned,
    ) -> Self {
        let keys = ForeignKeys::of(transaction, table, cascades, None, &session.settings);
        let schema = table.arrow_schema();
        let nullable = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
        let fields: Vec<Field> = schema.fields().iter().map(nullable).collect();
        Self {
            session,
            transaction,
            table,
            triggers,
            policy,
            schema: Arc::new(Schema::new(fields)),
            returned,
            beside: Vec::new(),
            first_own: None,
            count: 0,
            keys,
        }
    }

    /// The end of the statement: foreign keys hold. Gives the rows that were changed, in number.
    pub(crate) fn finish(self) -> Result<u64> {
        self.keys.finish(self.transaction)?;
        Ok(self.count)
    }

    /// A row that comes: all columns of the table in their order.
    pub(crate) fn insert(
        &mut self,
        row: &RecordBatch,
        numbering: &Numbering,
        checks: &RowChecks<'_>,
        meeting: Option<&Meeting<'_>>,
    ) -> Result<()> {
        let row = self.row_of(row.columns().to_vec())?;
        let row = numbering.number(self.transaction, self.table, row)?;
        if !self.fire(TriggerTime::Before, TriggerEvent::Insert, &[&row])? {
            return Ok(());
        }
        if !self.passes(&row, checks)? {
            return Ok(());
        }
        if let Some(meeting) = meeting
            && self.meets(&row, meeting)?
        {
            return Ok(());
        }
        if self.policy == ConflictAction::Replace && self.fires_for_replaced() {
            for id in self.in_the_way(&row, None)? {
                self.delete(id.1)?;
            }
        }
        let on_conflict = on_conflict(self.policy);
        let appended = self
            .transaction
            .append(self.table, row.clone(), on_conflict);
        let appended = appended.map_err(|error| self.refused(error))?;
        if appended.rows == 0 {
            return Ok(());
        }
        self.transaction
            .note_row_id(self.table, numbering.key, &row, None);
        self.keys.deleted(self.transaction, &appended.replaced)?;
        self.keys.inserted(self.transaction, &row, None)?;
        self.keys.follow_rows(self.session, self.transaction)?;
        self.count += 1;
        self.give_back(&row)?;
        self.fire(TriggerTime::After, TriggerEvent::Insert, &[&row])?;
        Ok(())
    }

    /// ON CONFLICT with a target: true where the row met another, so that it is not inserted.
    fn meets(&mut self, row: &RecordBatch, meeting: &Meeting<'_>) -> Result<bool> {
        let keys = meeting.keys();
        let matches = self.transaction.match_keys(self.table, keys, row)?;
        let Some(id) = matches.existing.first().copied().flatten() else {
            return Ok(false);
        };
        if meeting.changes() && self.first_own.is_some_and(|first| id >= first) {
            let table = self.table.meta().name.clone();
            return Err(ConstraintError::ChangedTwice { table }.into());
        }
        let old = self.transaction.rows_by_id(self.table, &[id])?;
        let new = meeting.changed((self.session, self.transaction), &old, row)?;
        let Some(new) = new else {
            return Ok(true);
        };
        let new = self.row_of(new.columns().to_vec())?;
        let existing = Existing { id, row: old };
        if self.fire(
            TriggerTime::Before,
            TriggerEvent::Update,
            &[&existing.row, &new],
        )? && let Some(now) = self.existing(id)?
        {
            self.replace(&now, &new, meeting.checks())?;
        }
        Ok(true)
    }

    /// A row that changes: `given` are its values, of which those that the statement sets count.
    pub(crate) fn update(
        &mut self,
        id: RowId,
        given: &[ArrayRef],
        is_set: &[bool],
        checks: &RowChecks<'_>,
    ) -> Result<()> {
        let Some(old) = self.existing(id)? else {
            return Ok(());
        };
        let new = self.changed(&old.row, given, is_set)?;
        if !self.fire(TriggerTime::Before, TriggerEvent::Update, &[&old.row, &new])? {
            return Ok(());
        }
        // The program may have changed the row, or made it go.
        let Some(now) = self.existing(id)? else {
            return Ok(());
        };
        if now.id == old.id {
            return self.replace(&old, &new, checks);
        }
        let new = self.changed(&now.row, given, is_set)?;
        self.replace(&now, &new, checks)
    }

    fn changed(
        &self,
        old: &RecordBatch,
        given: &[ArrayRef],
        is_set: &[bool],
    ) -> Result<RecordBatch> {
        let columns = old.columns().iter().zip(given).zip(is_set);
        let columns = columns.map(|((old, new), is_set)| match is_set {
            true => Arc::clone(new),
            false => Arc::clone(old),
        });
        self.row_of(columns.collect())
    }

    fn row_of(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    /// Puts a row into the place of another, if the constraints let it.
    fn replace(&mut self, old: &Existing, new: &RecordBatch, checks: &RowChecks<'_>) -> Result<()> {
        if !self.passes(new, checks)? {
            return Ok(());
        }
        // Nothing can be in the way of a row that keeps its keys.
        let changes_key = self.changes_key(&old.row, new);
        let in_the_way = match changes_key {
            true => self.in_the_way(new, Some(old.id))?,
            false => Vec::new(),
        };
        if let Some((key, _)) = in_the_way.first() {
            match self.policy {
                ConflictAction::Ignore | ConflictAction::Skip => return Ok(()),
                ConflictAction::Replace => {}
                _ => {
                    let error = self.table.duplicate_key(*key, new);
                    return Err(self.refused(error));
                }
            }
        }
        for (_, id) in in_the_way {
            match self.fires_for_replaced() {
                true => self.delete(id).map(|_| ())?,
                false => {
                    self.delete_quietly(id)?;
                    let gone = RoaringTreemap::from_iter([id]);
                    self.keys.deleted(self.transaction, &gone)?;
                }
            }
        }
        self.delete_quietly(old.id)?;
        let id = self.transaction.next_row_id(self.table);
        match changes_key {
            true => {
                let append = OnConflict::Error;
                self.transaction.append(self.table, new.clone(), append)?;
            }
            false => self.transaction.append_versions(self.table, new.clone())?,
        }
        self.keys.updated(self.transaction, &[old.id], new)?;
        self.session.firing.note_move(self.table.id(), old.id, id);
        self.keys.follow_rows(self.session, self.transaction)?;
        self.count += 1;
        self.give_back(new)?;
        self.fire(TriggerTime::After, TriggerEvent::Update, &[&old.row, new])?;
        Ok(())
    }

    /// Takes a row for RETURNING, which sees the tables as they are now.
    pub(crate) fn give_back(&mut self, row: &RecordBatch) -> Result<()> {
        match self.beside.is_empty() {
            true => self.returned.add(row, None)?,
            false => {
                let columns = row.columns().iter().chain(&self.beside).cloned();
                self.returned.add(&unnamed(columns.collect())?, None)?;
            }
        }
        match self.returned.wants_single_rows() {
            true => self.returned.run_queries(self.session, self.transaction),
            false => Ok(()),
        }
    }

    /// A row that goes. None where it is gone already, or a trigger kept it.
    pub(crate) fn delete(&mut self, id: RowId) -> Result<Option<Existing>> {
        let Some(old) = self.existing(id)? else {
            return Ok(None);
        };
        if !self.fire(TriggerTime::Before, TriggerEvent::Delete, &[&old.row])? {
            return Ok(None);
        }
        let Some(old) = self.existing(id)? else {
            return Ok(None);
        };
        self.delete_quietly(old.id)?;
        let gone = RoaringTreemap::from_iter([old.id]);
        self.keys.deleted(self.transaction, &gone)?;
        self.keys.follow_rows(self.session, self.transaction)?;
        self.fire(TriggerTime::After, TriggerEvent::Delete, &[&old.row])?;
        Ok(Some(old))
    }

    fn delete_quietly(&mut self, id: RowId) -> Result<()> {
        let row = RoaringTreemap::from_iter([id]);
        self.transaction.delete(self.table, &row).map(|_| ())
    }

    /// The row as it is by now.
    fn existing(&mut self, id: RowId) -> Result<Option<Existing>> {
        self.session.existing(self.transaction, self.table, id)
    }

    /// Runs the triggers; false where the row is to be left alone.
    fn fire(
        &mut self,
        time: TriggerTime,
        event: TriggerEvent,
        rows: &[&RecordBatch],
    ) -> Result<bool> {
        self.session
            .fire_for_row(self.transaction, self.triggers, (time, event), rows)
    }

    /// Rows that REPLACE makes go fire triggers where these may fire others; as SQLite has it.
    fn fires_for_replaced(&self) -> bool {
        let listens = |triggers: &Triggers| triggers.listens_to(TriggerEvent::Delete);
        self.session.settings.recursive_triggers && self.triggers.is_some_and(listens)
    }

    /// NOT NULL and CHECK: false where the row is left out for them.
    fn passes(&mut self, row: &RecordBatch, checks: &RowChecks<'_>) -> Result<bool> {
        let passed = self.table.check_nulls(row);
        match passed.and_then(|()| checks.check(row)) {
            Ok(()) => Ok(true),
            Err(Error::Constraint(_)) if self.policy == ConflictAction::Skip => Ok(false),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// The error of a row that a constraint refuses, with what `OR ...` makes of it.
    fn refused(&mut self, error: Error) -> Error {
        if speaks_of_rows(&error) {
            self.transaction.fail_by(self.policy);
        }
        error
    }

    /// The rows that have a key of the row, with the key: all but the one it is to replace.
    fn in_the_way(&mut self, row: &RecordBatch, own: Option<RowId>) -> Result<Vec<(usize, RowId)>> {
        let mut found: Vec<(usize, RowId)> = Vec::new();
        for key in 0..self.table.keys().len() {
            let matches = self.transaction.match_keys(self.table, &[key], row)?;
            let existing = matches.existing.first().copied().flatten();
            let is_new =
                |id: &RowId| Some(*id) != own && found.iter().all(|(_, known)| known != id);
            if let Some(id) = existing.filter(is_new) {
                found.push((key, id));
            }
        }
        Ok(found)
    }

    fn changes_key(&self, old: &RecordBatch, new: &RecordBatch) -> bool {
        let keys = self.table.keys().iter();
        let mut columns = keys.flat_map(|key| key.columns().iter().copied());
        columns.any(|at| match (old.columns().get(at), new.columns().get(at)) {
            (Some(old), Some(new)) => old != new,
            _ => false,
        })
    }
}

impl RuntimeSession {
    /// A row as it is by now: programs may have changed it since its id was found, or made it go.
    pub(crate) fn existing(
        &self,
        transaction: &mut Transaction,
        table: &Arc<Table>,
        id: RowId,
    ) -> Result<Option<Existing>> {
        let id = self.firing.follow(table.id(), id);
        if transaction.has_deleted(table, id) {
            return Ok(None);
        }
        let row = transaction.rows_by_id(table, &[id])?;
        Ok(Some(Existing { id, row }))
    }

    /// Runs the triggers of a row, `OLD` and then `NEW` as far as the event has them; false where the row is to be
    /// left alone.
    pub(crate) fn fire_for_row(
        &mut self,
        transaction: &mut Transaction,
        triggers: Option<&Triggers>,
        (time, event): (TriggerTime, TriggerEvent),
        rows: &[&RecordBatch],
    ) -> Result<bool> {
        let Some(triggers) = triggers else {
            return Ok(true);
        };
        if triggers.programs_at(time, event).next().is_none() {
            return Ok(true);
        }
        let mut values = Vec::new();
        for row in rows {
            values.extend(values_of(row)?);
        }
        self.fire(transaction, triggers, (time, event), &values)
    }
}

/// What the table is to do about a key that exists.
pub(crate) fn on_conflict(action: ConflictAction) -> OnConflict {
    match action {
        ConflictAction::Error | ConflictAction::Fail | ConflictAction::Rollback => {
            OnConflict::Error
        }
        ConflictAction::Ignore | ConflictAction::Skip => OnConflict::Ignore,
        ConflictAction::Replace => OnConflict::Replace,
    }
}

impl Transaction {
    /// A constraint refused a row of a statement that says what then.
    pub(crate) fn fail_by(&mut self, policy: ConflictAction) {
        match policy {
            ConflictAction::Fail => self.fail_with(Failure::Keep),
            ConflictAction::Rollback => self.fail_with(Failure::RollBack),
            _ => {}
        }
    }
}
