//! Tables without a runtime: for programs that use this crate alone and commit from one thread.

use crate::{
    OnConflict, Patience, ScanRequest, StagedTable, Table, TableHandle, TableMeta, TableScan,
    WriteContext,
};
use arrow::array::RecordBatch;
use llkv_column_map::{ColumnStore, CommitRecord, Lifetime, TableChange};
use llkv_result::Result;
use llkv_transaction::{TransactionSnapshot, TxnId, TxnIdManager};
use llkv_types::RowId;
use roaring::RoaringTreemap;
use std::sync::Arc;

impl Table {
    /// Creates a table in a store, in a commit of its own. The definition is the caller's to keep.
    ///
    /// # Errors
    /// When the definition contradicts itself, or the store cannot write.
    pub fn create(
        store: &ColumnStore,
        transactions: &TxnIdManager,
        meta: TableMeta,
    ) -> Result<Arc<Self>> {
        let table = Self::new(meta)?;
        let change = TableChange::Create {
            table: table.id(),
            columns: table.meta().layout(),
        };
        let indexes = table.meta().key_indexes().map(|index| {
            let table = table.id();
            TableChange::CreateIndex { table, index }
        });
        let changes = [change].into_iter().chain(indexes).collect();
        commit(store, transactions, changes)?;
        Ok(table)
    }

    /// Appends rows in a commit of their own and gives back its id.
    ///
    /// # Errors
    /// When a row violates a constraint, or the store cannot write: then none is appended.
    pub fn append(
        self: &Arc<Self>,
        store: &Arc<ColumnStore>,
        transactions: &Arc<TxnIdManager>,
        rows: RecordBatch,
    ) -> Result<TxnId> {
        self.write(store, transactions, |staged, context| {
            staged.append(context, rows, OnConflict::Error).map(drop)
        })
    }

    /// Deletes rows by their ids in a commit of its own and gives back its id.
    ///
    /// # Errors
    /// When a row is gone already, or the store cannot write: then none is deleted.
    pub fn delete(
        self: &Arc<Self>,
        store: &Arc<ColumnStore>,
        transactions: &Arc<TxnIdManager>,
        rows: impl IntoIterator<Item = RowId>,
    ) -> Result<TxnId> {
        let rows: RoaringTreemap = rows.into_iter().collect();
        self.write(store, transactions, |staged, context| {
            staged.delete(context, &rows).map(drop)
        })
    }

    fn write(
        self: &Arc<Self>,
        store: &Arc<ColumnStore>,
        transactions: &Arc<TxnIdManager>,
        change: impl FnOnce(&mut StagedTable, &WriteContext<'_>) -> Result<()>,
    ) -> Result<TxnId> {
        let registered = transactions.begin_transaction();
        let patience = Patience::default();
        let context = WriteContext {
            store,
            transactions,
            snapshot: registered.snapshot(),
            patience: &patience,
        };
        let mut staged = StagedTable::new(Arc::clone(self), Lifetime::Lasting);
        let committed = change(&mut staged, &context).and_then(|()| {
            staged.settle(store)?;
            let version = store.table(self.id())?;
            let (changes, _) = staged.changes(version.map_or(0, |v| v.next_row_id()))?;
            commit(store, transactions, changes)
        });
        if let Ok(commit_id) = &committed {
            staged.record_keys(*commit_id, transactions.gc_bound());
        }
        self.pending().release_all(context.snapshot.txn_id);
        committed
    }

    /// Scans the table as a snapshot sees it.
    ///
    /// # Errors
    /// For columns that the table has not, and when its description cannot be read.
    pub fn scan_stream(
        &self,
        store: &ColumnStore,
        snapshot: TransactionSnapshot,
        request: &ScanRequest,
    ) -> Result<TableScan> {
        let handle = match store.table(self.id())? {
            Some(version) => self.at(version, snapshot.snapshot_id)?,
            None => TableHandle::in_memory(Arc::clone(self.schema()), Vec::new()),
        };
        handle.scan_stream(request)
    }
}

fn commit(
    store: &ColumnStore,
    transactions: &TxnIdManager,
    changes: Vec<TableChange>,
) -> Result<TxnId> {
    let commit_id = store.last_commit().max(transactions.last_committed()) + 1;
    store.commit(&CommitRecord { commit_id, changes })?;
    transactions.publish(commit_id);
    Ok(commit_id)
}
