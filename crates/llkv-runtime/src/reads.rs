//! What a transaction notes of its reads, and what its commit makes of them.
//!
//! Constraints have every transaction note the tables that they looked through. One that is serializable notes all that its
//! statements read: single rows where they are looked up by a key, whole tables everywhere else. What foreign keys and unique keys
//! look for is checked at the commit of every transaction, so it is not noted here.

use crate::commit::CommitQueue;
use crate::context::RuntimeContext;
use crate::transaction::Transaction;
use llkv_executor::{PointPlan, PointResult};
use llkv_plan::IsolationLevel;
use llkv_result::{Result, TransactionError};
use llkv_table::OWN_ROW_ID_BASE;
use llkv_transaction::{ReadSet, conflict};
use llkv_types::{IndexId, RowId, Scalar, TableId};
use parking_lot::Mutex;
use roaring::RoaringTreemap;

/// The reads of one transaction, shared with the statements that are still pulled.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    isolation: IsolationLevel,
    set: Mutex<ReadSet>,
}

impl Reads {
    pub(crate) fn new(isolation: IsolationLevel) -> Self {
        Self {
            isolation,
            set: Mutex::default(),
        }
    }

    pub(crate) fn is_serializable(&self) -> bool {
        self.isolation == IsolationLevel::Serializable
    }

    /// A constraint has looked at all rows of a table.
    pub(crate) fn by_constraint(&self, table: TableId) {
        self.set.lock().note_table(table);
    }

    /// A statement is about to read a table.
    pub(crate) fn by_statement(&self, table: TableId) {
        if self.is_serializable() {
            self.set.lock().note_table(table);
        }
    }

    /// A statement has looked rows up by their keys; the transaction's own ones don't count.
    pub(crate) fn rows_by_key(&self, table: TableId, row_ids: impl IntoIterator<Item = RowId>) {
        if self.is_serializable() {
            let committed = row_ids.into_iter().filter(|id| *id < OWN_ROW_ID_BASE);
            self.set.lock().note_rows(table, committed);
        }
    }

    /// A statement failed, and what it read first may be known to whoever goes on.
    pub(crate) fn by_failed_statement(&self) {
        if self.is_serializable() {
            self.set.lock().note_everything();
        }
    }
}

impl Transaction {
    /// Looks a row up by its key, as the transaction sees it now.
    pub(crate) fn look_up(&self, point: &PointPlan, values: &[Scalar]) -> Result<PointResult> {
        let Some(table) = self.catalog().table(point.table()) else {
            return Ok(PointResult::Unknown);
        };
        let handle = self.handle(table)?;
        if !self.reads().is_serializable() {
            return point.run(&handle, values, None);
        }
        let mut note = |index: IndexId, key: &[Scalar], row_ids: &[RowId]| {
            if row_ids.iter().any(|id| *id < OWN_ROW_ID_BASE) {
                self.reads()
                    .rows_by_key(table.id(), row_ids.iter().copied());
                return Ok(());
            }
            let Some(unique) = table.key_of_index(index) else {
                self.reads().by_statement(table.id());
                return Ok(());
            };
            if let Some(key) = unique.key_of(key)? {
                let mut set = self.reads().set.lock();
                set.note_absent(table.id(), index, &key);
            }
            Ok(())
        };
        point.run(&handle, values, Some(&mut note))
    }

    /// Checks at the commit, under the lock that orders commits, that what the transaction has read is what it would read now.
    pub(crate) fn check_reads(&self, context: &RuntimeContext, queue: &CommitQueue) -> Result<()> {
        let snapshot = self.snapshot().snapshot_id;
        let reads = self.reads().set.lock();
        let name_of = |table: TableId| {
            let table = queue.catalog().table(table);
            table.map_or_else(String::new, |table| table.meta().name.clone())
        };
        let written = "a concurrent transaction has written to the table";
        for table in reads.tables() {
            if queue.has_written_since(table, snapshot) {
                return Err(conflict(&name_of(table), written));
            }
        }
        if !self.reads().is_serializable() {
            return Ok(());
        }
        if reads.has_everything() && queue.last_commit() > snapshot {
            let detail = "a statement of it failed, and a concurrent transaction has committed";
            return Err(TransactionError::NotSerializable { detail }.into());
        }
        if !queue.catalog().has_same_definitions(self.base_catalog()) {
            let detail = "a concurrent transaction has changed a table, view, index or trigger";
            return Err(TransactionError::NotSerializable { detail }.into());
        }
        for (table, rows) in reads.rows() {
            if queue.has_written_since(table, snapshot) && context.deletes_one_of(table, rows)? {
                let detail = "a concurrent transaction has changed a row that was read";
                return Err(conflict(&name_of(table), detail));
            }
        }
        for (table, index, keys) in reads.absent() {
            let Some(table) = queue.catalog().table(table) else {
                continue;
            };
            if let Some(unique) = table.key_of_index(index) {
                unique.check_history(&table.meta().name, keys, snapshot)?;
            }
        }
        Ok(())
    }
}

impl RuntimeContext {
    /// True where a commit that has its place in the log has deleted one of some rows that were there. Called under the lock
    /// that orders commits.
    fn deletes_one_of(&self, table: TableId, rows: &RoaringTreemap) -> Result<bool> {
        // First what is on its way: it may be published meanwhile, which is looked at after it.
        if self.publishing.deletes_one_of(table, rows) {
            return Ok(true);
        }
        let version = self.store.table(table)?;
        Ok(version.is_none_or(|version| !version.are_alive(rows)))
    }
}
