//! What foreign keys do to rows that refer to others, where triggers fire on the way: row by row, each with its
//! own consequences before the next, between the triggers before it and those after it, as in SQLite.

use crate::RuntimeSession;
use crate::firing::{MAX_DEPTH, PROGRAM_STACK_BYTES};
use crate::foreign_keys::{ForeignKeys, Removed, children_of};
use crate::transaction::Transaction;
use arrow::array::ArrayRef;
use llkv_plan::{CascadeTarget, Triggers};
use llkv_result::{ExecError, Result};
use llkv_table::{Reference, Table};
use llkv_types::{RowId, TriggerEvent, TriggerTime};
use roaring::RoaringTreemap;
use std::sync::Arc;

impl ForeignKeys<'_> {
    /// Does now what follows from the rows that went or changed, where that fires triggers; otherwise it is done for
    /// all rows of the statement together, at its end.
    pub(crate) fn follow_rows(
        &mut self,
        session: &mut RuntimeSession,
        transaction: &mut Transaction,
    ) -> Result<()> {
        if !self.targets.iter().any(CascadeTarget::fires) {
            return Ok(());
        }
        while let Some(removed) = self.removed.pop_front() {
            let mut walk = CascadeWalk {
                session,
                transaction,
                keys: self,
                depth: 0,
            };
            walk.follow(&removed)?;
        }
        Ok(())
    }
}

/// On the way from rows to those that refer to them.
struct CascadeWalk<'a, 'k> {
    session: &'a mut RuntimeSession,
    transaction: &'a mut Transaction,
    keys: &'a mut ForeignKeys<'k>,
    /// Rows that refer to one another, up to here.
    depth: usize,
}

impl CascadeWalk<'_, '_> {
    fn follow(&mut self, removed: &Removed) -> Result<()> {
        if self.depth >= MAX_DEPTH {
            return Err(ExecError::TriggerDepth { limit: MAX_DEPTH }.into());
        }
        self.depth += 1;
        let followed = stacker::maybe_grow(PROGRAM_STACK_BYTES, 4 * PROGRAM_STACK_BYTES, || {
            let catalog = Arc::clone(self.transaction.catalog());
            let references = children_of(&catalog, &removed.table)?;
            // The table that was created last comes first.
            references
                .iter()
                .rev()
                .try_for_each(|reference| self.follow_reference(reference, removed))
        });
        self.depth -= 1;
        followed
    }

    fn follow_reference(&mut self, reference: &Reference, removed: &Removed) -> Result<()> {
        let affected = self.keys.affected(self.transaction, reference, removed)?;
        let Some(mut affected) = affected else {
            return Ok(());
        };
        // A row that a trigger keeps, or that a program brings, is found at the end of the statement.
        self.keys
            .remember(self.transaction, reference, affected.keys);
        let values = affected.values.take();
        let mut rows: Vec<(usize, RowId)> = affected
            .rows
            .iter()
            .map(|(id, _)| *id)
            .enumerate()
            .collect();
        rows.sort_unstable_by_key(|(_, id)| *id);
        self.session.firing.begin_walk(reference.child.id());
        let done = rows.into_iter().try_for_each(|(at, id)| match &values {
            None => self.delete(&reference.child, id),
            Some(values) => {
                let values = values.iter().map(|values| values.slice(at, 1));
                self.change(reference, id, values.collect())
            }
        });
        self.session.firing.end_walk();
        done
    }

    fn delete(&mut self, child: &Arc<Table>, id: RowId) -> Result<()> {
        let target = self.keys.target(child.id());
        let triggers = target.and_then(|target| target.on_delete.as_ref());
        let Some(old) = self.session.existing(self.transaction, child, id)? else {
            return Ok(());
        };
        let event = TriggerEvent::Delete;
        if !self.fire(triggers, (TriggerTime::Before, event), &[&old.row])? {
            return Ok(());
        }
        let Some(old) = self.session.existing(self.transaction, child, id)? else {
            return Ok(());
        };
        let gone = RoaringTreemap::from_iter([old.id]);
        self.transaction.delete(child, &gone)?;
        self.follow(&Removed {
            table: Arc::clone(child),
            old: old.row.clone(),
            new: None,
        })?;
        self.fire(triggers, (TriggerTime::After, event), &[&old.row])?;
        Ok(())
    }

    /// Gives a row other values in the columns of a constraint.
    fn change(&mut self, reference: &Reference, id: RowId, values: Vec<ArrayRef>) -> Result<()> {
        let child = &reference.child;
        let target = self.keys.target(child.id());
        let mut of_key = target.into_iter().flat_map(|target| &target.on_change);
        let triggers = of_key.find(|(name, _)| *name == reference.key.name);
        let triggers = triggers.map(|(_, triggers)| triggers);
        let Some(mut old) = self.session.existing(self.transaction, child, id)? else {
            return Ok(());
        };
        let mut new = self.keys.changed(reference, &old.row, values.clone())?;
        let event = TriggerEvent::Update;
        if !self.fire(triggers, (TriggerTime::Before, event), &[&old.row, &new])? {
            return Ok(());
        }
        let Some(now) = self.session.existing(self.transaction, child, id)? else {
            return Ok(());
        };
        if now.id != old.id {
            new = self.keys.changed(reference, &now.row, values)?;
            old = now;
        }
        let next = self.transaction.next_row_id(child);
        self.keys
            .put(self.transaction, reference, &[old.id], &new)?;
        self.session.firing.note_move(child.id(), old.id, next);
        let removed = Removed {
            table: Arc::clone(child),
            old: old.row,
            new: Some(new.clone()),
        };
        self.follow(&removed)?;
        self.fire(triggers, (TriggerTime::After, event), &[&removed.old, &new])?;
        Ok(())
    }

    fn fire(
        &mut self,
        triggers: Option<&Triggers>,
        at: (TriggerTime, TriggerEvent),
        rows: &[&arrow::array::RecordBatch],
    ) -> Result<bool> {
        self.session
            .fire_for_row(self.transaction, triggers, at, rows)
    }
}
