//! The rows of one table that one transaction has written and not committed.

use crate::group_encoder::GroupEncoder;
use crate::insert::own_keys;
use crate::memory::MemoryBatch;
use crate::own_keys::OwnKeys;
use crate::own_places::OwnPlaces;
use crate::row_buffer::RowBuffer;
use crate::{OWN_ROW_ID_BASE, Patience, Table, TableHandle};
use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch, take};
use arrow::datatypes::{DataType, UInt32Type};
use llkv_column_map::{ColumnStore, Lifetime, StagedRowGroup, TableChange, TableVersion};
use llkv_result::Result;
use llkv_transaction::{
    KeyFootprint, TransactionSnapshot, TxnIdManager, add_rows, conflict, rows_without,
};
use llkv_types::{CancelToken, ROW_GROUP_ROWS, RowId, Scalar, TxnId, variant};
use roaring::RoaringTreemap;
use std::sync::{Arc, OnceLock};

/// Neighbouring batches are joined until they have this many rows.
const JOINED_ROWS: usize = 8_192;
/// So many rows of a commit are encoded as a row group, which takes a fraction of their place in the log and
/// is not written again by the next checkpoint.
const SEALED_AT_COMMIT_ROWS: usize = ROW_GROUP_ROWS / 4;
/// So many deleted rows are logged and kept as a set, which takes a bit or two bytes a row.
const SET_ROWS: u64 = 1_024;

/// What a transaction needs around it to write.
#[derive(Debug, Clone, Copy)]
pub struct WriteContext<'a> {
    /// Where the committed rows are, and where full row groups go early.
    pub store: &'a Arc<ColumnStore>,
    /// Which snapshots are in use.
    pub transactions: &'a TxnIdManager,
    /// What the transaction sees.
    pub snapshot: TransactionSnapshot,
    /// When the statement gives up.
    pub patience: &'a Patience,
}

/// Rows appended and rows deleted. Own rows have ids from [`OWN_ROW_ID_BASE`] on until the commit gives
/// them their final ones.
#[derive(Debug)]
pub struct StagedTable {
    pub(crate) table: Arc<Table>,
    /// Full row groups, encoded and written early, with the id of their first row.
    groups: Vec<(RowId, StagedRowGroup)>,
    /// The groups in a form that scans read, made when it is first asked for.
    groups_version: OnceLock<Arc<TableVersion>>,
    /// Rows in memory, those that are being encoded first.
    batches: Vec<OwnRows>,
    encoder: GroupEncoder,
    lifetime: Lifetime,
    /// Rows that came one by one; [`Self::flush`] makes them a batch.
    single: Option<RowBuffer>,
    /// From this row on, rows are not being encoded.
    loose_from: RowId,
    next_row_id: RowId,
    /// Where the rows in memory lie by their keys.
    places: Arc<OwnPlaces>,
    deletes: Arc<RoaringTreemap>,
    pub(crate) keys: Vec<OwnKeys>,
    /// Own rows are among them that replace others of the same keys, which `keys` does not know.
    pub(crate) has_versions: bool,
    /// Between [`Self::begin_bulk`] and [`Self::end_bulk`].
    pub(crate) in_bulk: bool,
}

/// Rows in memory under the definition that they were written under: should a later one be taken back, they
/// are what they were.
#[derive(Debug, Clone)]
struct OwnRows {
    first_row_id: RowId,
    rows: RecordBatch,
    table: Arc<Table>,
}

impl OwnRows {
    fn end(&self) -> RowId {
        self.first_row_id + self.rows.num_rows() as u64
    }

    /// The rows under a definition.
    fn under(&self, table: &Arc<Table>) -> Result<MemoryBatch> {
        Ok(MemoryBatch {
            first_row_id: self.first_row_id,
            rows: match Arc::ptr_eq(&self.table, table) {
                true => decoded(self.rows.clone(), table)?,
                false => {
                    let rows = decoded(self.rows.clone(), &self.table)?;
                    table.adapt(&rows, self.table.schema())?
                }
            },
        })
    }

    /// Puts texts in the place of codes: few rows that stay are read more often than they are stored.
    fn decode(&mut self) -> Result<()> {
        if self.rows.columns().iter().any(is_coded) {
            self.rows = decoded(self.rows.clone(), &self.table)?;
        }
        Ok(())
    }
}

/// True for texts that come as codes of a dictionary.
pub(crate) fn is_coded(column: &ArrayRef) -> bool {
    matches!(column.data_type(), DataType::Dictionary(..))
}

/// Rows of a table with texts in the place of codes.
pub(crate) fn decoded(rows: RecordBatch, table: &Table) -> Result<RecordBatch> {
    if !rows.columns().iter().any(is_coded) {
        return Ok(rows);
    }
    let columns = rows.columns().iter().map(|column| {
        Ok(match column.as_dictionary_opt::<UInt32Type>() {
            Some(coded) => take(coded.values(), coded.keys(), None)?,
            None => Arc::clone(column),
        })
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_new(table.arrow_schema(), columns)?)
}

/// A place to which a [`StagedTable`] can go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StagedMark {
    next_row_id: RowId,
}

impl StagedTable {
    /// Nothing written yet.
    #[must_use]
    pub fn new(table: Arc<Table>, lifetime: Lifetime) -> Self {
        Self {
            keys: table.keys().iter().map(|_| OwnKeys::default()).collect(),
            table,
            groups: Vec::new(),
            groups_version: OnceLock::new(),
            batches: Vec::new(),
            encoder: GroupEncoder::default(),
            lifetime,
            single: None,
            loose_from: OWN_ROW_ID_BASE,
            next_row_id: OWN_ROW_ID_BASE,
            places: Arc::default(),
            deletes: Arc::default(),
            has_versions: false,
            in_bulk: false,
        }
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Goes on under another definition of the table, with other columns, keys or indexes: what they demand
    /// of keys is checked for the rows to come, against those that were written before too.
    ///
    /// # Errors
    /// When own rows cannot be read.
    pub fn set_table(&mut self, store: &ColumnStore, table: &Arc<Table>) -> Result<()> {
        let mut known: Vec<_> = self.table.keys().iter().map(|key| key.index()).collect();
        self.table = Arc::clone(table);
        // Of the former columns; its rows are in a batch.
        self.single = None;
        self.groups_version = OnceLock::new();
        self.places = Arc::default();
        let handle = self.handle(store, None, 0)?;
        let mut before = std::mem::take(&mut self.keys);
        for key in table.keys() {
            let at = known.iter().position(|index| *index == key.index());
            self.keys.push(match at {
                Some(at) => {
                    known.swap_remove(at);
                    before.swap_remove(at)
                }
                None => own_keys(&handle, key)?,
            });
        }
        Ok(())
    }

    /// True when nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.next_row_id == OWN_ROW_ID_BASE && self.deletes.is_empty() && self.single_rows() == 0
    }

    /// Rows that the transaction deleted.
    pub(crate) fn deletes(&self) -> &RoaringTreemap {
        &self.deletes
    }

    fn single_rows(&self) -> usize {
        self.single.as_ref().map_or(0, RowBuffer::rows)
    }

    /// Adds a row that was checked to those that come one by one; false where it cannot be.
    pub(crate) fn push_row(&mut self, store: &Arc<ColumnStore>, row: &[Scalar]) -> Result<bool> {
        if self.single.is_none() {
            let types = self.table.schema().columns.iter().map(|c| c.ty);
            self.single = RowBuffer::new(types);
        }
        let Some(single) = &mut self.single else {
            return Ok(false);
        };
        single.push(row)?;
        if single.is_full() {
            self.flush(store)?;
        }
        Ok(true)
    }

    /// Makes a batch of the rows that came one by one: before anybody else looks at the staged rows.
    ///
    /// # Errors
    /// When the store cannot write.
    pub fn flush(&mut self, store: &Arc<ColumnStore>) -> Result<()> {
        let loose = self.batches.iter_mut();
        let mut loose = loose.filter(|b| b.first_row_id >= self.loose_from);
        loose.try_for_each(OwnRows::decode)?;
        let schema = self.table.arrow_schema();
        match self.single.as_mut().filter(|single| single.rows() > 0) {
            Some(single) => {
                let rows = single.finish(schema)?;
                self.push(store, rows)
            }
            None => Ok(()),
        }
    }

    /// The table as the transaction sees it now. `committed` is absent for a table that it created.
    ///
    /// # Errors
    /// When a group that was written early contradicts itself.
    pub fn handle(
        &self,
        store: &ColumnStore,
        committed: Option<Arc<TableVersion>>,
        snapshot_id: TxnId,
    ) -> Result<TableHandle> {
        let own = self.batches.iter().map(|rows| rows.under(&self.table));
        let committed = committed.map(|version| self.table.fit(version));
        Ok(TableHandle {
            schema: Arc::clone(self.table.schema()),
            committed: committed.transpose()?.map(|version| (version, snapshot_id)),
            own_groups: self.groups_version(store)?,
            own_batches: {
                debug_assert_eq!(self.single_rows(), 0, "rows that are in no batch");
                own.collect::<Result<_>>()?
            },
            own_places: Arc::clone(&self.places),
            own_deletes: Arc::clone(&self.deletes),
        })
    }

    fn groups_version(&self, store: &ColumnStore) -> Result<Option<Arc<TableVersion>>> {
        if self.groups.is_empty() {
            return Ok(None);
        }
        if let Some(version) = self.groups_version.get() {
            return Ok(Some(Arc::clone(version)));
        }
        let layout = self.table.meta().layout();
        let version =
            TableVersion::of_staged(self.table.id(), &layout, &self.groups, store.pager())?;
        let version = self.table.filled(version)?;
        Ok(Some(Arc::clone(
            self.groups_version.get_or_init(|| Arc::new(version)),
        )))
    }

    /// Adds rows that were checked. A row group's worth of them is encoded and written at once, by other
    /// threads, so a transaction of any size stays in bounded memory.
    ///
    /// # Errors
    /// When the store cannot write.
    pub(crate) fn push(&mut self, store: &Arc<ColumnStore>, rows: RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let first_row_id = self.next_row_id;
        self.next_row_id += rows.num_rows() as u64;
        self.batches.push(OwnRows {
            first_row_id,
            rows,
            table: Arc::clone(&self.table),
        });
        self.join_small()?;
        while self.loose_rows() >= ROW_GROUP_ROWS {
            self.start_group(store)?;
        }
        self.take_arrived(rayon::current_num_threads())
    }

    fn loose_rows(&self) -> usize {
        let loose = self
            .batches
            .iter()
            .filter(|b| b.first_row_id >= self.loose_from);
        loose.map(|b| b.rows.num_rows()).sum()
    }

    /// Joins the last batches as a binary counter does, so that many small appends stay cheap to scan.
    fn join_small(&mut self) -> Result<()> {
        while let [.., before, last] = self.batches.as_mut_slice() {
            let (old, new) = (before.rows.num_rows(), last.rows.num_rows());
            let adjacent = before.first_row_id + old as u64 == last.first_row_id;
            let same_form = Arc::ptr_eq(&before.table, &last.table);
            let is_loose = before.first_row_id >= self.loose_from && same_form;
            if !is_loose || !adjacent || new * 2 < old || old + new > JOINED_ROWS {
                break;
            }
            before.decode()?;
            last.decode()?;
            let schema = before.rows.schema();
            let rows = concat_batches(&schema, [&before.rows, &last.rows])?;
            let joined = OwnRows {
                first_row_id: before.first_row_id,
                rows: compact_views(rows)?,
                table: Arc::clone(&last.table),
            };
            self.batches.truncate(self.batches.len() - 2);
            self.batches.push(joined);
        }
        Ok(())
    }

    /// Has the oldest loose rows encoded as one row group. Rows without neighbours (a savepoint was rolled
    /// back between them) and rows of another form (the table was altered) end the group early.
    fn start_group(&mut self, store: &Arc<ColumnStore>) -> Result<()> {
        let at = self
            .batches
            .partition_point(|b| b.first_row_id < self.loose_from);
        let Some((first_row_id, table)) = self
            .batches
            .get(at)
            .map(|b| (b.first_row_id, Arc::clone(&b.table)))
        else {
            return Ok(());
        };
        let (mut parts, mut rows) = (Vec::new(), 0usize);
        let mut rest: Option<(usize, OwnRows)> = None;
        for (index, batch) in self.batches.iter_mut().enumerate().skip(at) {
            let next = first_row_id + rows as u64;
            let same_form = Arc::ptr_eq(&batch.table, &table);
            if batch.first_row_id != next || rows == ROW_GROUP_ROWS || !same_form {
                break;
            }
            let all = batch.rows.num_rows();
            let take = all.min(ROW_GROUP_ROWS - rows);
            if take < all {
                let cut = OwnRows {
                    first_row_id: next + take as u64,
                    rows: batch.rows.slice(take, all - take),
                    table: Arc::clone(&table),
                };
                rest = Some((index + 1, cut));
                batch.rows = batch.rows.slice(0, take);
            }
            parts.push(batch.rows.clone());
            rows += take;
        }
        if let Some((index, batch)) = rest {
            self.batches.insert(index, batch);
        }
        self.loose_from = first_row_id + rows as u64;
        let layout = table.meta().layout();
        let lifetime = self.lifetime;
        self.encoder
            .start(store, layout, first_row_id, parts, lifetime);
        Ok(())
    }

    /// Takes the groups that have arrived in the place of their plain rows; waits until at most `in_flight`
    /// are on their way.
    fn take_arrived(&mut self, in_flight: usize) -> Result<()> {
        while let Some((first_row_id, group)) = self.encoder.next_arrived(in_flight)? {
            let end = first_row_id + group.rows() as u64;
            self.batches
                .retain(|b| b.first_row_id < first_row_id || b.first_row_id >= end);
            self.groups.push((first_row_id, group));
            self.groups_version = OnceLock::new();
        }
        Ok(())
    }

    /// Has many loose rows written as a row group too, and waits for all that are on their way: before a
    /// commit, which else would log their rows.
    ///
    /// # Errors
    /// When one could not be written.
    pub fn settle(&mut self, store: &Arc<ColumnStore>) -> Result<()> {
        self.flush(store)?;
        self.end_bulk(store, &CancelToken::new())?;
        while self.loose_rows() >= SEALED_AT_COMMIT_ROWS {
            self.start_group(store)?;
        }
        self.take_arrived(0)
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
        let fresh = rows_without(rows, &self.deletes);
        if fresh.max().is_some_and(|id| id >= OWN_ROW_ID_BASE) {
            let mut committed = fresh.clone();
            committed.remove_range(OWN_ROW_ID_BASE..);
            self.lock(context, &committed)?;
        } else {
            self.lock(context, &fresh)?;
        }
        add_rows(Arc::make_mut(&mut self.deletes), &fresh);
        Ok(fresh)
    }

    /// Takes committed rows for this transaction: the first updater wins, unless it gives up within the time that this one waits.
    fn lock(&self, context: &WriteContext<'_>, rows: &RoaringTreemap) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let name = &self.table.meta().name;
        let (patience, pending) = (context.patience, self.table.pending());
        if !patience.acquire(pending, context.snapshot.txn_id, rows)? {
            let detail = "a concurrent transaction is changing the same row";
            return Err(conflict(name, detail));
        }
        // Only now, with the rows taken, is what is published the last word on them.
        let version = context.store.table(self.table.id())?;
        if version.is_some_and(|version| !version.are_alive(rows)) {
            self.table.pending().release(context.snapshot.txn_id, rows);
            return Err(conflict(
                name,
                "a concurrent transaction has changed the same row",
            ));
        }
        Ok(())
    }

    /// The id that the next row gets.
    #[must_use]
    pub const fn next_row_id(&self) -> RowId {
        self.next_row_id
    }

    /// True for a row that was deleted here.
    #[must_use]
    pub fn has_deleted(&self, row: RowId) -> bool {
        self.deletes.contains(row)
    }

    /// The place to go back to.
    #[must_use]
    pub fn mark(&self) -> StagedMark {
        debug_assert_eq!(self.single_rows(), 0, "rows that are in no batch");
        StagedMark {
            next_row_id: self.next_row_id,
        }
    }

    /// Goes back to a mark: rows appended since are gone, `undeleted` (what [`Self::delete`] gave back since)
    /// are there again.
    ///
    /// # Errors
    /// When a row group could not be written.
    pub fn rollback_to(
        &mut self,
        context: &WriteContext<'_>,
        mark: StagedMark,
        undeleted: &RoaringTreemap,
    ) -> Result<()> {
        self.single = None;
        self.in_bulk = false;
        self.places = Arc::default();
        self.take_arrived(0)?;
        let deletes = Arc::make_mut(&mut self.deletes);
        *deletes -= undeleted;
        deletes.insert_range(mark.next_row_id..self.next_row_id);
        self.table
            .pending()
            .release(context.snapshot.txn_id, undeleted);
        self.batches.retain(|b| b.first_row_id < mark.next_row_id);
        self.groups.retain(|(first, _)| *first < mark.next_row_id);
        self.groups_version = OnceLock::new();
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
        let committed = self.committed_deletes();
        let as_set = committed.len() >= SET_ROWS;
        if !as_set {
            row_ids.extend(committed.iter());
        }
        if !self.groups.is_empty() {
            let groups = self.groups.iter().map(|(_, group)| group.clone());
            changes.push(TableChange::AppendStaged {
                table,
                first_row_id,
                groups: groups.collect(),
            });
            for (first, group) in &self.groups {
                let end = first + group.rows() as u64;
                let mut gone = self.deletes.iter();
                gone.advance_to(*first);
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
        if as_set {
            let rows = committed;
            changes.push(TableChange::DeleteSet { table, rows });
        }
        if !row_ids.is_empty() {
            changes.push(TableChange::Delete { table, row_ids });
        }
        Ok((changes, next))
    }

    /// The rows of other transactions that are deleted.
    fn committed_deletes(&self) -> Arc<RoaringTreemap> {
        if self.deletes.max().is_none_or(|id| id < OWN_ROW_ID_BASE) {
            return Arc::clone(&self.deletes);
        }
        let mut committed = self.deletes.as_ref().clone();
        committed.remove_range(OWN_ROW_ID_BASE..);
        Arc::new(committed)
    }

    fn without_deleted(&self, own: &OwnRows) -> Result<RecordBatch> {
        let (first, end) = (own.first_row_id, own.end());
        let batch = own.under(&self.table)?;
        if self.deletes.range_cardinality(first..end) == 0 {
            return Ok(batch.rows);
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
            DataType::Struct(_) => match variant::encoded(column.as_ref()) {
                Ok(values) => {
                    variant::from_encoded(values.gc()).unwrap_or_else(|_| Arc::clone(column))
                }
                Err(_) => Arc::clone(column),
            },
            _ => Arc::clone(column),
        }
    };
    let columns = rows.columns().iter().map(compact).collect();
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}
