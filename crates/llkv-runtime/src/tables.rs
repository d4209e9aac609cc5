//! The tables of one statement, for the executor.

use crate::context::RuntimeContext;
use crate::reads::Reads;
use crate::transaction::Transaction;
use llkv_executor::TableProvider;
use llkv_result::{CatalogError, Error, ObjectKind, Result};
use llkv_table::{CatalogState, TableHandle};
use llkv_transaction::RegisteredSnapshot;
use llkv_types::TableId;
use std::collections::HashMap;
use std::sync::Arc;

/// Tables as a transaction saw them when the statement began. Keeps the snapshot registered, and so the
/// versions it sees, as long as somebody reads.
pub(crate) struct TransactionTables {
    context: Arc<RuntimeContext>,
    catalog: Arc<CatalogState>,
    snapshot: Arc<RegisteredSnapshot>,
    reads: Arc<Reads>,
    /// Tables of which the transaction wrote rows.
    written: HashMap<TableId, TableHandle>,
}

impl TransactionTables {
    pub(crate) fn new(context: Arc<RuntimeContext>, transaction: &Transaction) -> Result<Self> {
        let snapshot_id = transaction.snapshot().snapshot_id;
        let mut written = HashMap::new();
        for staged in transaction.staged_tables() {
            let id = staged.table().id();
            let committed = context.store.table(id)?;
            written.insert(id, staged.handle(&context.store, committed, snapshot_id)?);
        }
        Ok(Self {
            catalog: Arc::clone(transaction.catalog()),
            snapshot: transaction.registered_snapshot(),
            reads: Arc::clone(transaction.reads()),
            context,
            written,
        })
    }
}

impl TableProvider for TransactionTables {
    fn table(&self, id: TableId) -> Result<TableHandle> {
        self.reads.by_statement(id);
        if let Some(handle) = self.written.get(&id) {
            return Ok(handle.clone());
        }
        let table = self.catalog.table(id).ok_or_else(|| {
            Error::Catalog(CatalogError::NotFound {
                kind: ObjectKind::Table,
                name: format!("#{id}"),
            })
        })?;
        Ok(match self.context.store.table(id)? {
            Some(version) => table.at(version, self.snapshot.snapshot().snapshot_id)?,
            None => TableHandle::in_memory(Arc::clone(table.schema()), Vec::new()),
        })
    }
}
