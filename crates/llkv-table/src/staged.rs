//! The rows of one table that one transaction has written and not committed.

use crate::memory::MemoryBatch;
use crate::own_keys::OwnKeys;
use crate::{OWN_ROW_ID_BASE, Table, TableHandle};
use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::DataType;
use llkv_column_map::{ColumnStore, StagedRowGroup, TableChange, TableVersion};
use llkv_result::Result;
use llkv_transaction::{KeyFootprint, TransactionSnapshot, TxnIdManager, conflict};
use llkv_types::{ROW_GROUP_ROWS, RowId, TXN_ID_NONE};
use roaring::RoaringTreemap;
use std::sync::Arc;

/// Neighbouring batches are joined until they have this many rows.
const JOINED_ROWS: usize = 8_192;

/// What a transaction needs around it to write.
#[derive(Debug, Clone, Copy)]
pub struct WriteContext<'a> {
    /// Where the committed rows are, and where full row groups go early.
    pub store: &'a ColumnStore,
    /// Which snapshots are in use.
    pub transactions: &'a TxnIdManager,
    /// What the transaction sees.
    pub snapshot: TransactionSnapshot,
}

/// Rows appended and rows deleted. Own rows have ids from [`OWN_ROW_ID_BASE`] on until the commit gives
/// them their final ones.
#[derive(Debug)]
pub struct StagedTable {
    pub(crate) table: Arc<Table>,
    /// Full row groups, encoded and written early, with the id of their first row.
    groups: Vec<(RowId, StagedRowGroup)>,
    /// The groups in a form that scans read.
    groups_version: Option<Arc<TableVersion>>,
    batches: Vec<MemoryBatch>,
    next_row_id: RowId,
    deletes: Arc<RoaringTreemap>,
    pub(crate) keys: Vec<OwnKeys>,
    /// Own rows are among them that replace others of the same keys, which `keys` does not know.
    pub(crate) has_versions: bool,
}

/// A place to which a [`StagedTable`] can go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StagedMark {
    next_row_id: RowId,
}

impl StagedTable {
    /// Nothing written yet.
    #[must_use]
    pub fn new(table: Arc<Table>) -> Self {
        Self {
            keys: table.keys().iter().map(|_| OwnKeys::default()).collect(),
            table,
            groups: Vec::new(),
            groups_version: None,
            batches: Vec::new(),
            next_row_id: OWN_ROW_ID_BASE,
            deletes: Arc::default(),
            has_versions: false,
        }
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// True when nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.next_row_id == OWN_ROW_ID_BASE && self.deletes.is_empty()
    }

    /// The table as the transaction sees it now. `committed` is absent for a table that it created.
    #[must_use]
    pub fn handle(&self, committed: Option<Arc<TableVersion>>, snapshot_id: u64) -> TableHandle {
        TableHandle {
            schema: Arc::clone(self.table.schema()),
            committed: committed.map(|version| (version, snapshot_id)),
            own_groups: self.groups_version.clone(),
            own_batches: self.batches.clone(),
            own_deletes: Arc::clone(&self.deletes),
        }
    }

    /// Adds rows that were checked. A row group's worth of them is encoded and written at once, so a
    /// transaction of any size stays in bounded memory.
    ///
    /// # Errors
    /// When the store cannot write.
    pub(crate) fn push(&mut self, store: &ColumnStore, rows: RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let first_row_id = self.next_row_id;
        self.next_row_id += rows.num_rows() as u64;
        self.batches.push(MemoryBatch { first_row_id, rows });
        self.join_small()?;
        while self.loose_rows() >= ROW_GROUP_ROWS {
            self.write_group(store)?;
        }
        Ok(())
    }

    fn loose_rows(&self) -> usize {
        self.batches.iter().map(|b| b.rows.num_rows()).sum()
    }

    /// Joins the last batches as a binary counter does, so that many small appends stay cheap to scan.
    fn join_small(&mut self) -> Result<()> {
        while let [.., before, last] = self.batches.as_slice() {
            let (old, new) = (before.rows.num_rows(), last.rows.num_rows());
            let adjacent = before.first_row_id + old as u64 == last.first_row_id;
            if !adjacent || new * 2 < old || old + new > JOINED_ROWS {
                break;
            }
            let schema = before.rows.schema();
            let rows = concat_batches(&schema, [&before.rows, &last.rows])?;
            let first_row_id = before.first_row_id;
            self.batches.truncate(self.batches.len() - 2);
            let rows = compact_views(rows)?;
            self.batches.push(MemoryBatch { first_row_id, rows });
        }
        Ok(())
    }

    /// Encodes the oldest loose rows as one row group. Rows without neighbours (a savepoint was rolled
    /// back between them) end the group early.
    fn write_group(&mut self, store: &ColumnStore) -> Result<()> {
        let Some(first) = self.batches.first() else {
            return Ok(());
        };
        let first_row_id = first.first_row_id;
        let (mut parts, mut rows, mut used) = (Vec::new(), 0usize, 0usize);
        for batch in &self.batches {
            if first_row_id + rows as u64 != batch.first_row_id || rows == ROW_GROUP_ROWS {
                break;
            }
            let take = batch.rows.num_rows().min(ROW_GROUP_ROWS - rows);
            parts.push(batch.rows.slice(0, take));
            rows += take;
            used += usize::from(take == batch.rows.num_rows());
        }
        let layout = self.table.meta().layout();
        let group = store.stage_row_group(&layout, &parts)?;
        self.batches.drain(..used);
        let next = first_row_id + rows as u64;
        if let Some(rest) = self.batches.first_mut().filter(|b| b.first_row_id < next) {
            let taken = (next - rest.first_row_id) as usize;
            rest.rows = rest.rows.slice(taken, rest.rows.num_rows() - taken);
            rest.first_row_id = next;
        }
        self.groups.push((first_row_id, group));
        self.refresh_groups(store)
    }

    fn refresh_groups(&mut self, store: &ColumnStore) -> Result<()> {
        self.groups_version = match self.groups.as_slice() {
            [] => None,
            groups => {
                let layout = self.table.meta().layout();
                let version =
                    TableVersion::of_staged(self.table.id(), &layout, groups, store.pager())?;
                Some(Arc::new(version))
            }
        };
        Ok(())
    }

    /// Deletes rows that the transaction sees, and gives back those it had not deleted yet.
    ///
    /// # Errors
    /// A retryable conflict when another transaction deletes or has deleted one of them.
    pub fn delete(
        &mut self,
        context: &WriteContext<'_>,
        rows: &RoaringTreemap,
    ) -> Result<RoaringTreemap> {
        let fresh = rows - self.deletes.as_ref();
        let committed: RoaringTreemap = fresh
            .iter()
            .take_while(|id| *id < OWN_ROW_ID_BASE)
            .collect();
        if !committed.is_empty() {
            self.lock(context, &committed)?;
        }
        *Arc::make_mut(&mut self.deletes) |= &fresh;
        Ok(fresh)
    }

    /// Takes committed rows for this transaction: the first updater wins.
    fn lock(&self, context: &WriteContext<'_>, rows: &RoaringTreemap) -> Result<()> {
        let name = &self.table.meta().name;
        let taken = self.table.pending().acquire(context.snapshot.txn_id, rows);
        taken.map_err(|_| conflict(name, "a concurrent transaction is changing the same row"))?;
        // Only now, with the rows taken, is what is published the last word on them.
        let version = context.store.table(self.table.id())?;
        let row_ids: Vec<RowId> = rows.iter().collect();
        let deleted_by = version.map(|v| v.deleted_by(&row_ids)).unwrap_or_default();
        if deleted_by.iter().any(|id| *id != TXN_ID_NONE) {
            self.table.pending().release(context.snapshot.txn_id, rows);
            return Err(conflict(
                name,
                "a concurrent transaction has changed the same row",
            ));
        }
        Ok(())
    }

    /// The place to go back to.
    #[must_use]
    pub fn mark(&self) -> StagedMark {
        StagedMark {
            next_row_id: self.next_row_id,
        }
    }

    /// Goes back to a mark: rows appended since are gone, `undeleted` (what [`Self::delete`] gave back since)
    /// are there again.
    ///
    /// # Errors
    /// When written groups cannot be described anew.
    pub fn rollback_to(
        &mut self,
        context: &WriteContext<'_>,
        mark: StagedMark,
        undeleted: &RoaringTreemap,
    ) -> Result<()> {
        let deletes = Arc::make_mut(&mut self.deletes);
        *deletes -= undeleted;
        deletes.insert_range(mark.next_row_id..self.next_row_id);
        self.table
            .pending()
            .release(context.snapshot.txn_id, undeleted);
        self.batches.retain(|b| b.first_row_id < mark.next_row_id);
        let groups = self.groups.len();
        self.groups.retain(|(first, _)| *first < mark.next_row_id);
        if groups != self.groups.len() {
            self.refresh_groups(context.store)?;
        }
        Ok(())
    }

    /// Goes back to the moment before the transaction first wrote to the table.
    #[must_use]
    pub const fn empty_mark() -> StagedMark {
        StagedMark {
            next_row_id: OWN_ROW_ID_BASE,
        }
    }

    /// The keys that the transaction inserted, for each constraint.
    #[must_use]
    pub fn footprints(&self) -> Vec<Arc<KeyFootprint>> {
        self.keys.iter().map(OwnKeys::footprint).collect()
    }

    /// Checks at commit, under the lock that orders commits, that no transaction which committed since
    /// the snapshot brought a key that this one brings too.
    ///
    /// # Errors
    /// A retryable conflict.
    pub fn check_keys(&self, snapshot: TransactionSnapshot) -> Result<()> {
        for (key, own) in self.table.keys().iter().zip(&self.keys) {
            key.check_history(
                &self.table.meta().name,
                &own.footprint(),
                snapshot.snapshot_id,
            )?;
        }
        Ok(())
    }

    /// Makes the keys known to the transactions that commit later; the commit has its place in the log.
    pub fn record_keys(&self, commit_id: u64, gc_bound: u64) {
        for (key, own) in self.table.keys().iter().zip(&self.keys) {
            key.record(commit_id, own.footprint(), gc_bound);
        }
    }

    /// What a commit has to change, with own rows numbered from `first_row_id` on, and the next row id
    /// after them.
    ///
    /// # Errors
    /// When rows cannot be put together.
    pub fn changes(&self, first_row_id: RowId) -> Result<(Vec<TableChange>, RowId)> {
        let table = self.table.id();
        let (mut changes, mut next) = (Vec::new(), first_row_id);
        let mut row_ids: Vec<RowId> = Vec::new();
        let committed = self.deletes.iter().take_while(|id| *id < OWN_ROW_ID_BASE);
        row_ids.extend(committed);
        if !self.groups.is_empty() {
            let groups = self.groups.iter().map(|(_, group)| group.clone());
            changes.push(TableChange::AppendStaged {
                table,
                first_row_id,
                groups: groups.collect(),
            });
            for (first, group) in &self.groups {
                let end = first + group.rows() as u64;
                let gone = self.deletes.iter().skip_while(|id| id < first);
                let gone = gone.take_while(|id| *id < end);
                row_ids.extend(gone.map(|id| next + (id - first)));
                next += group.rows() as u64;
            }
        }
        for batch in &self.batches {
            let batch = self.without_deleted(batch)?;
            if batch.num_rows() > 0 {
                let first_row_id = next;
                next += batch.num_rows() as u64;
                changes.push(TableChange::Append {
                    table,
                    first_row_id,
                    batch,
                });
            }
        }
        if !row_ids.is_empty() {
            changes.push(TableChange::Delete { table, row_ids });
        }
        Ok((changes, next))
    }

    fn without_deleted(&self, batch: &MemoryBatch) -> Result<RecordBatch> {
        let first = batch.first_row_id;
        let end = first + batch.rows.num_rows() as u64;
        if self.deletes.range_cardinality(first..end) == 0 {
            return Ok(batch.rows.clone());
        }
        let alive: BooleanArray = (first..end)
            .map(|id| Some(!self.deletes.contains(id)))
            .collect();
        Ok(filter_record_batch(&batch.rows, &alive)?)
    }
}

/// Texts and blobs of joined batches in buffers of their own: else each batch's buffers would stay.
fn compact_views(rows: RecordBatch) -> Result<RecordBatch> {
    let compact = |column: &ArrayRef| -> ArrayRef {
        match column.data_type() {
            DataType::Utf8View => Arc::new(column.as_string_view().gc()),
            DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
            _ => Arc::clone(column),
        }
    };
    let columns = rows.columns().iter().map(compact).collect();
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}
