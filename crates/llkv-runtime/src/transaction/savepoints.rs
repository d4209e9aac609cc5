//! Savepoints: states to which a transaction can go back.

use super::Transaction;
use crate::deferral::Deferral;
use llkv_result::{Result, TransactionError};
use llkv_table::{CatalogState, StagedMark, StagedTable, WriteContext};
use llkv_types::TableId;
use roaring::RoaringTreemap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A state to which the transaction can go back.
pub(super) struct Savepoint {
    /// `None`: the start of a statement.
    name: Option<String>,
    marks: BTreeMap<TableId, StagedMark>,
    undo_len: usize,
    catalog: Arc<CatalogState>,
    locked_objects: RoaringTreemap,
    /// Of the keys that wait for the end of the transaction, those that waited then.
    deferred_len: usize,
    /// Which keys waited then.
    deferral: Deferral,
}

impl Transaction {
    /// Sets a savepoint; without a name, the start of a statement.
    pub(crate) fn savepoint(&mut self, name: Option<String>, deferral: Deferral) {
        let here = self.here(name);
        self.savepoints.push(Savepoint { deferral, ..here });
    }

    pub(super) fn here(&self, name: Option<String>) -> Savepoint {
        let marks = self.tables.iter();
        Savepoint {
            name,
            marks: marks.map(|(id, staged)| (*id, staged.mark())).collect(),
            undo_len: self.undo.len(),
            catalog: Arc::clone(&self.catalog),
            locked_objects: self.locked_objects.clone(),
            deferred_len: self.deferred.len(),
            deferral: Deferral::default(),
        }
    }

    /// Which keys wait, by SET CONSTRAINTS, at the savepoint to which the transaction has just gone back.
    pub(crate) fn deferral(&self) -> Option<&Deferral> {
        self.savepoints.last().map(|savepoint| &savepoint.deferral)
    }

    /// Forgets a savepoint and those set after it; what was done since stays.
    pub(crate) fn release(&mut self, name: Option<&str>) -> Result<()> {
        let at = self.find_savepoint(name)?;
        self.savepoints.truncate(at);
        if self.savepoints.is_empty() && self.temporary_base.is_none() {
            self.undo.clear();
        }
        Ok(())
    }

    /// True while the transaction can go back to where a statement said so.
    pub(crate) fn has_named_savepoints(&self) -> bool {
        self.savepoints
            .iter()
            .any(|savepoint| savepoint.name.is_some())
    }

    /// True while a savepoint is set.
    pub(crate) fn has_savepoints(&self) -> bool {
        !self.savepoints.is_empty()
    }

    /// Goes back to a savepoint, which stays.
    pub(crate) fn rollback_to(&mut self, name: Option<&str>) -> Result<()> {
        let at = self.find_savepoint(name)?;
        self.savepoints.truncate(at + 1);
        let Some(savepoint) = self.savepoints.pop() else {
            return Ok(());
        };
        let undone = self.undo_since(&savepoint);
        self.savepoints.push(savepoint);
        undone?;
        self.is_aborted = Arc::default();
        Ok(())
    }

    pub(super) fn undo_since(&mut self, savepoint: &Savepoint) -> Result<()> {
        let context = WriteContext {
            store: &self.context.store,
            transactions: &self.context.transactions,
            snapshot: self.snapshot.snapshot(),
            patience: &self.patience,
        };
        let undo = self.undo.split_off(savepoint.undo_len.min(self.undo.len()));
        for (id, staged) in &mut self.tables {
            let mark = savepoint.marks.get(id).copied();
            let mut undeleted = RoaringTreemap::new();
            for (table, rows) in &undo {
                if table == id {
                    undeleted |= rows;
                }
            }
            staged.rollback_to(
                &context,
                mark.unwrap_or_else(StagedTable::empty_mark),
                &undeleted,
            )?;
        }
        let unlocked = &self.locked_objects - &savepoint.locked_objects;
        if !unlocked.is_empty() {
            let txn_id = self.snapshot().txn_id;
            self.context.catalog_locks.release(txn_id, &unlocked);
            self.locked_objects.clone_from(&savepoint.locked_objects);
        }
        self.deferred.truncate(savepoint.deferred_len);
        self.catalog = Arc::clone(&savepoint.catalog);
        self.follow_catalog()
    }

    fn find_savepoint(&self, name: Option<&str>) -> Result<usize> {
        let is_named = |savepoint: &Savepoint| match (&savepoint.name, name) {
            (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
            (None, None) => true,
            _ => false,
        };
        self.savepoints.iter().rposition(is_named).ok_or_else(|| {
            let name = name.unwrap_or_default().to_owned();
            TransactionError::NoSuchSavepoint { name }.into()
        })
    }
}
