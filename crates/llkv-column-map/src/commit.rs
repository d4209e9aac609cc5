//! What a commit changes, and what large loads prepare ahead of it.

use crate::descriptor::GroupMeta;
use crate::fill::Fill;
use crate::index::IndexDefinition;
use arrow::array::{ArrayRef, RecordBatch};
use llkv_storage::{Blob, CommitId};
use llkv_types::{FieldId, IndexId, MemoryReservation, RowId, SqlType, TableId, TxnId};
use roaring::RoaringTreemap;
use std::sync::Arc;

/// The changes of one commit, in order.
#[derive(Debug, Clone)]
pub struct CommitRecord {
    /// The MVCC id of the commit: above all earlier ones.
    pub commit_id: TxnId,
    /// What it changes.
    pub changes: Vec<TableChange>,
}

/// A change to one table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TableChange {
    /// A new, empty table.
    Create {
        /// Its id, never used before.
        table: TableId,
        /// Its layout.
        columns: Vec<(FieldId, SqlType)>,
    },
    /// The table goes, with all of its rows.
    Drop {
        /// The table.
        table: TableId,
    },
    /// Another layout: columns that are new hold one value in older rows, columns that are gone are
    /// forgotten once no snapshot sees them. A field keeps its type.
    Alter {
        /// The table.
        table: TableId,
        /// The layout from now on.
        columns: Vec<(FieldId, SqlType)>,
        /// What older rows hold in a column that is new, an array of one row each; NULL where a column
        /// is not named.
        fills: Vec<(FieldId, ArrayRef)>,
    },
    /// New rows, with the ids `first_row_id..`.
    Append {
        /// The table.
        table: TableId,
        /// Id of the first row: at least the table's `next_row_id`.
        first_row_id: RowId,
        /// Columns in layout order, in the types' Arrow forms; no system columns.
        batch: RecordBatch,
    },
    /// New rows that were encoded and written ahead of the commit.
    AppendStaged {
        /// The table.
        table: TableId,
        /// Id of the first row of the first group: at least the table's `next_row_id`.
        first_row_id: RowId,
        /// The groups; their rows follow each other.
        groups: Vec<StagedRowGroup>,
    },
    /// A new index. Checkpoints build it.
    CreateIndex {
        /// The table.
        table: TableId,
        /// What is indexed.
        index: IndexDefinition,
    },
    /// An index goes.
    DropIndex {
        /// The table.
        table: TableId,
        /// The index.
        index: IndexId,
    },
    /// Rows that go. One that is already marked keeps its first mark.
    Delete {
        /// The table.
        table: TableId,
        /// The rows' ids, ascending.
        row_ids: Vec<RowId>,
    },
    /// Many rows that go: as [`TableChange::Delete`].
    DeleteSet {
        /// The table.
        table: TableId,
        /// The rows' ids.
        rows: Arc<RoaringTreemap>,
    },
}

impl TableChange {
    /// The table that is changed.
    #[must_use]
    pub const fn table(&self) -> TableId {
        match self {
            Self::Create { table, .. }
            | Self::Drop { table }
            | Self::Alter { table, .. }
            | Self::Append { table, .. }
            | Self::AppendStaged { table, .. }
            | Self::CreateIndex { table, .. }
            | Self::DropIndex { table, .. }
            | Self::Delete { table, .. }
            | Self::DeleteSet { table, .. } => *table,
        }
    }
}

/// A row group that is encoded and written to free space, but that nothing refers to yet. Dropped
/// without a commit, its space is free again.
#[derive(Debug, Clone)]
pub struct StagedRowGroup {
    pub(crate) layout: Vec<(FieldId, SqlType)>,
    pub(crate) meta: GroupMeta,
    /// The chunks' bytes, in the order of `meta.chunks`.
    pub(crate) blobs: Vec<Blob>,
    /// For those of them that lie in memory.
    pub(crate) _held: Option<Arc<MemoryReservation>>,
}

impl StagedRowGroup {
    /// Rows of the group.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.meta.rows as usize
    }

    /// Bytes of its chunks.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        self.blobs.iter().map(|blob| blob.as_slice().len()).sum()
    }
}

/// A commit that has its place in the log and waits to be synced and published.
#[derive(Debug)]
#[must_use = "a logged commit has to be synced and published"]
pub struct CommitTicket {
    pub(crate) pager_commit: CommitId,
    pub(crate) commit_id: TxnId,
    pub(crate) changes: Vec<ReadyChange>,
}

impl CommitTicket {
    /// The MVCC id of the commit.
    #[must_use]
    pub const fn commit_id(&self) -> TxnId {
        self.commit_id
    }

    /// Its place in the pager's log, or that before all others where the pager has nothing of it.
    #[must_use]
    pub const fn pager_commit(&self) -> CommitId {
        self.pager_commit
    }

    /// True where the commit deletes one of some rows of a table.
    #[must_use]
    pub fn deletes_one_of(&self, of: TableId, rows: &RoaringTreemap) -> bool {
        self.changes.iter().any(|change| match change {
            ReadyChange::Delete { table, row_ids } if *table == of => {
                row_ids.iter().any(|row_id| rows.contains(*row_id))
            }
            ReadyChange::DeleteSet { table, rows: gone } if *table == of => !gone.is_disjoint(rows),
            _ => false,
        })
    }
}

/// A change as it is applied to a published table version: staged groups have their keys.
#[derive(Debug, Clone)]
pub(crate) enum ReadyChange {
    Create {
        table: TableId,
        columns: Vec<(FieldId, SqlType)>,
    },
    Drop {
        table: TableId,
    },
    Alter {
        table: TableId,
        columns: Vec<(FieldId, SqlType)>,
        fills: Vec<(FieldId, Arc<Fill>)>,
    },
    Append {
        table: TableId,
        first_row_id: RowId,
        batch: RecordBatch,
    },
    AppendGroups {
        table: TableId,
        groups: Vec<GroupMeta>,
    },
    CreateIndex {
        table: TableId,
        index: IndexDefinition,
    },
    DropIndex {
        table: TableId,
        index: IndexId,
    },
    Delete {
        table: TableId,
        row_ids: Vec<RowId>,
    },
    DeleteSet {
        table: TableId,
        rows: Arc<RoaringTreemap>,
    },
}

impl ReadyChange {
    pub(crate) const fn table(&self) -> TableId {
        match self {
            Self::Create { table, .. }
            | Self::Drop { table }
            | Self::Alter { table, .. }
            | Self::Append { table, .. }
            | Self::AppendGroups { table, .. }
            | Self::CreateIndex { table, .. }
            | Self::DropIndex { table, .. }
            | Self::Delete { table, .. }
            | Self::DeleteSet { table, .. } => *table,
        }
    }
}
