//! A row group in memory: rows that lie together, with their ids and versions; stored or still plain.

use crate::bytes::damaged_key;
use crate::chunk::Chunk;
use crate::column_test::Test;
use crate::commit::StagedRowGroup;
use crate::deletes::Deletes;
use crate::descriptor::{ChunkMeta, ChunkRef, CreatedRun, GroupMeta, IdRun};
use crate::fill::StoredColumn;
use crate::index::SegmentKeys;
use crate::marks::Marks;
use crate::row_ids::RowIds;
use crate::stats::{Bounds, Verdict};
use crate::summary::Summary;
use arrow::array::RecordBatch;
use llkv_result::{Error, Result, StorageError};
use llkv_storage::BoxedPager;
use llkv_types::{FieldId, PhysicalKey, RowId, SqlType, TXN_ID_NONE, TxnId};
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// The columns of a table, in order.
pub(crate) type Layout = [(FieldId, SqlType)];

/// The values of a row group.
pub(crate) enum GroupData {
    /// Encoded chunks behind keys of the pager, opened at first use.
    Stored(StoredData),
    /// Plain batches: rows of the tail.
    Plain(PlainData),
}

/// Encoded chunks behind keys of the pager.
pub(crate) struct StoredData {
    /// Ascending by field.
    pub(crate) chunks: Vec<ChunkMeta>,
    open: Vec<OnceLock<Arc<Chunk>>>,
    pager: BoxedPager,
}

/// A plain batch.
pub(crate) struct PlainData {
    pub(crate) layout: Arc<Layout>,
    pub(crate) batch: RecordBatch,
    /// Entries for the indexes of the table.
    pub(crate) keys: SegmentKeys,
    open: OnceLock<Vec<Arc<Chunk>>>,
    /// What is known of each column, taken at first use.
    summaries: Vec<OnceLock<Option<Summary>>>,
}

/// Rows of a table that lie together.
pub(crate) struct RowGroup {
    pub(crate) rows: usize,
    pub(crate) data: Arc<GroupData>,
    pub(crate) row_ids: RowIds,
    pub(crate) created: Vec<CreatedRun>,
    /// Marks that a checkpoint has folded in.
    pub(crate) deletes: Deletes,
    max_created: TxnId,
}

impl RowGroup {
    /// A stored row group.
    ///
    /// # Errors
    /// When the description contradicts itself.
    pub(crate) fn stored(meta: GroupMeta, pager: BoxedPager) -> Result<Self> {
        meta.check()?;
        let rows = meta.rows as usize;
        let data = StoredData {
            open: meta.chunks.iter().map(|_| OnceLock::new()).collect(),
            chunks: meta.chunks,
            pager,
        };
        Ok(Self::with_data(
            Arc::new(GroupData::Stored(data)),
            rows,
            RowIds::of(meta.row_ids, rows),
            meta.created,
            Deletes::of_meta(&meta.deletes),
        ))
    }

    /// A row group that no commit refers to yet: its chunks are opened from the bytes at hand.
    ///
    /// # Errors
    /// When the group contradicts itself.
    pub(crate) fn staged(
        staged: &StagedRowGroup,
        first_row_id: RowId,
        created_by: TxnId,
        pager: BoxedPager,
    ) -> Result<Self> {
        let mut meta = staged.meta.clone();
        meta.row_ids = vec![IdRun {
            start: 0,
            first: first_row_id,
        }];
        meta.created = vec![CreatedRun {
            start: 0,
            created_by,
        }];
        let group = Self::stored(meta, pager)?;
        if let GroupData::Stored(stored) = group.data.as_ref() {
            for (chunk, slot) in stored.chunks.iter().zip(&stored.open) {
                let blob = usize::try_from(chunk.place.key)
                    .ok()
                    .and_then(|index| staged.blobs.get(index));
                let ty = staged
                    .layout
                    .iter()
                    .find(|(field, _)| *field == chunk.field);
                let (Some(blob), Some((_, ty))) = (blob, ty) else {
                    return Err(Error::internal("a staged chunk without its bytes"));
                };
                let (from, len) = (chunk.place.offset as usize, chunk.place.len as usize);
                if from.checked_add(len).is_none_or(|end| end > blob.len()) {
                    return Err(Error::internal("a staged chunk outside its bytes"));
                }
                let bytes = blob.buffer().slice_with_length(from, len);
                let opened = Arc::new(Chunk::open(*ty, &bytes, group.rows)?);
                slot.get_or_init(|| opened);
            }
        }
        Ok(group)
    }

    /// Rows of one commit, as they came.
    pub(crate) fn plain(
        layout: Arc<Layout>,
        batch: RecordBatch,
        row_ids: Vec<IdRun>,
        created: Vec<CreatedRun>,
    ) -> Self {
        let rows = batch.num_rows();
        let data = PlainData {
            summaries: layout.iter().map(|_| OnceLock::new()).collect(),
            layout,
            batch,
            keys: SegmentKeys::default(),
            open: OnceLock::new(),
        };
        Self::with_data(
            Arc::new(GroupData::Plain(data)),
            rows,
            RowIds::of(row_ids, rows),
            created,
            Deletes::default(),
        )
    }

    pub(crate) fn with_data(
        data: Arc<GroupData>,
        rows: usize,
        row_ids: RowIds,
        created: Vec<CreatedRun>,
        deletes: Deletes,
    ) -> Self {
        let max_created = created.iter().map(|run| run.created_by).max().unwrap_or(0);
        Self {
            rows,
            data,
            row_ids,
            created,
            deletes,
            max_created,
        }
    }

    /// The encoding and the size in bytes of a field's chunk; `None` for plain rows and missing chunks.
    pub(crate) fn stored_as(&self, field: FieldId) -> Option<(&'static str, usize)> {
        match self.data.as_ref() {
            GroupData::Stored(stored) => {
                let chunk = stored.chunks.get(stored.position(field)?)?;
                Some((
                    crate::encoding::name(chunk.encoding),
                    chunk.place.len as usize,
                ))
            }
            GroupData::Plain(_) => None,
        }
    }

    /// The description that a descriptor stores; `None` for plain rows.
    pub(crate) fn meta(&self) -> Option<GroupMeta> {
        match self.data.as_ref() {
            GroupData::Stored(stored) => Some(GroupMeta {
                rows: self.rows as u32,
                row_ids: self.row_ids.runs(self.rows),
                created: self.created.clone(),
                deletes: self.deletes.meta(),
                chunks: stored.chunks.clone(),
            }),
            GroupData::Plain(_) => None,
        }
    }

    /// The keys whose values the group uses, each once.
    pub(crate) fn keys(&self) -> Vec<u64> {
        match self.data.as_ref() {
            GroupData::Stored(stored) => {
                let mut keys: Vec<u64> = stored.chunks.iter().map(|c| c.place.key).collect();
                keys.sort_unstable();
                keys.dedup();
                keys
            }
            GroupData::Plain(_) => Vec::new(),
        }
    }

    pub(crate) fn first_row_id(&self) -> RowId {
        self.row_ids.first()
    }

    pub(crate) fn last_row_id(&self) -> RowId {
        self.row_ids.last(self.rows)
    }

    /// The id of a row.
    pub(crate) fn row_id(&self, position: usize) -> RowId {
        self.row_ids.get(position)
    }

    /// Calls `each` with the position ranges of `start..start + rows` and their first ids.
    pub(crate) fn id_ranges(
        &self,
        start: usize,
        rows: usize,
        each: impl FnMut(usize, usize, RowId),
    ) {
        self.row_ids
            .for_ranges(start..start + rows, self.rows, each);
    }

    /// The position of a row id, if the row lies here.
    pub(crate) fn position(&self, row_id: RowId) -> Option<usize> {
        self.row_ids.position(row_id, self.rows)
    }

    /// The commit that created a row.
    pub(crate) fn created_by(&self, position: usize) -> TxnId {
        let after = self
            .created
            .partition_point(|run| run.start as usize <= position);
        self.created
            .get(after.wrapping_sub(1))
            .map_or(TXN_ID_NONE, |run| run.created_by)
    }

    /// The commit whose mark was folded in for a row.
    pub(crate) fn folded_delete(&self, position: usize) -> Option<TxnId> {
        self.deletes.get(position)
    }

    /// The commit that deleted a row, or [`TXN_ID_NONE`].
    pub(crate) fn deleted_by(&self, position: usize, marks: &Marks) -> TxnId {
        self.folded_delete(position)
            .or_else(|| marks.get(self.row_id(position)))
            .unwrap_or(TXN_ID_NONE)
    }

    /// True when every row was created at or before `snapshot`.
    pub(crate) fn created_before(&self, snapshot: TxnId) -> bool {
        self.max_created <= snapshot
    }

    /// The chunk of a field, opened at first use.
    ///
    /// # Errors
    /// When the pager fails or the chunk is damaged.
    pub(crate) fn chunk(&self, column: &StoredColumn) -> Result<Arc<Chunk>> {
        match self.data.as_ref() {
            GroupData::Stored(stored) => stored.chunk(column, self.rows),
            GroupData::Plain(plain) => plain.chunk(column),
        }
    }

    /// What statistics of the whole group say about a test, without reading it.
    pub(crate) fn judge(&self, column: &StoredColumn, test: &Test) -> Verdict {
        match self.data.as_ref() {
            GroupData::Stored(stored) => match stored.position(column.field) {
                Some(index) => stored
                    .chunks
                    .get(index)
                    .map_or(Verdict::Unsure, |chunk| chunk.stats.judge(test, self.rows)),
                // A column that is younger than the group.
                None => match &column.fill {
                    Some(fill) => fill.stats().judge(test, self.rows),
                    None if matches!(test, Test::Null) => Verdict::Everything,
                    None => Verdict::Nothing,
                },
            },
            GroupData::Plain(plain) => plain.summary(column).map_or(Verdict::Unsure, |summary| {
                summary.stats.judge(test, self.rows)
            }),
        }
    }

    /// The least and the greatest value of a column of integers, where statistics of stored rows know them.
    pub(crate) fn integer_bounds(&self, column: &StoredColumn) -> Option<(i128, i128)> {
        let GroupData::Stored(stored) = self.data.as_ref() else {
            return None;
        };
        let chunk = stored.chunks.get(stored.position(column.field)?)?;
        match chunk.stats.bounds {
            Bounds::Int { min, max } => Some((min, max)),
            _ => None,
        }
    }

    /// What is known of a column of plain rows.
    pub(crate) fn summary(&self, column: &StoredColumn) -> Option<Cow<'_, Summary>> {
        match self.data.as_ref() {
            GroupData::Plain(plain) => plain.summary(column),
            GroupData::Stored(_) => None,
        }
    }

    /// Bytes that reading a field's chunk takes from the pager.
    pub(crate) fn stored_bytes(&self, field: FieldId) -> usize {
        match self.data.as_ref() {
            GroupData::Stored(stored) => stored
                .position(field)
                .and_then(|index| stored.chunks.get(index))
                .map_or(0, |chunk| chunk.place.len as usize),
            GroupData::Plain(_) => 0,
        }
    }
}

impl StoredData {
    pub(crate) fn position(&self, field: FieldId) -> Option<usize> {
        self.chunks
            .binary_search_by_key(&field, |chunk| chunk.field)
            .ok()
    }

    fn chunk(&self, column: &StoredColumn, rows: usize) -> Result<Arc<Chunk>> {
        let Some(index) = self.position(column.field) else {
            return column.missing();
        };
        let (Some(meta), Some(slot)) = (self.chunks.get(index), self.open.get(index)) else {
            return Err(Error::internal("a chunk without a slot"));
        };
        if let Some(chunk) = slot.get() {
            return Ok(Arc::clone(chunk));
        }
        let chunk = self.open_chunk(&meta.place, (column.ty, rows));
        let chunk = Arc::new(chunk.map_err(|error| error.in_file(self.pager.path()))?);
        Ok(Arc::clone(slot.get_or_init(|| chunk)))
    }

    fn open_chunk(&self, place: &ChunkRef, (ty, rows): (SqlType, usize)) -> Result<Chunk> {
        let key = PhysicalKey(place.key);
        let blob = self.pager.batch_get(&[key])?.pop().flatten();
        let blob = blob.ok_or_else(|| StorageError::MissingKey {
            path: "column store".into(),
            key: key.0,
        })?;
        let (from, len) = (place.offset as usize, place.len as usize);
        let inside = from.checked_add(len).is_some_and(|end| end <= blob.len());
        if !inside || !from.is_multiple_of(64) {
            return Err(damaged_key(Some(key.0), "a chunk lies outside its value"));
        }
        Chunk::open(ty, &blob.buffer().slice_with_length(from, len), rows)
    }
}

impl PlainData {
    /// What is known of a column; nothing of an array that does not fit it, which is an error where it is
    /// read.
    pub(crate) fn summary(&self, column: &StoredColumn) -> Option<Cow<'_, Summary>> {
        let mut layout = self.layout.iter();
        let Some(index) = layout.position(|(field, _)| *field == column.field) else {
            let rows = self.batch.num_rows();
            return Some(Cow::Owned(match &column.fill {
                Some(fill) => fill.summary(rows).ok()?,
                None => Summary::of_nulls(rows),
            }));
        };
        let (_, ty) = self.layout.get(index)?;
        let array = self.batch.columns().get(index)?;
        let slot = self.summaries.get(index)?;
        let summary = slot.get_or_init(|| Summary::of(*ty, array).ok());
        summary.as_ref().map(Cow::Borrowed)
    }

    /// Takes over what is known of the runs that these rows were merged from, column by column where
    /// all of them know it.
    pub(crate) fn inherit(&self, parts: &[&Self]) {
        for (index, slot) in self.summaries.iter().enumerate() {
            let mut known = parts
                .iter()
                .map(|part| part.summaries.get(index)?.get()?.as_ref());
            let Some(Some(first)) = known.next() else {
                continue;
            };
            let merged = known.try_fold(first.clone(), |mut all, part| {
                all.merge(part?);
                Some(all)
            });
            if let Some(merged) = merged {
                slot.get_or_init(|| Some(merged));
            }
        }
    }

    fn chunk(&self, column: &StoredColumn) -> Result<Arc<Chunk>> {
        let mut layout = self.layout.iter();
        let Some(index) = layout.position(|(field, _)| *field == column.field) else {
            return column.missing();
        };
        let open = match self.open.get() {
            Some(open) => open,
            None => {
                let open = self
                    .layout
                    .iter()
                    .zip(self.batch.columns())
                    .map(|((_, ty), array)| Chunk::from_array(*ty, array).map(Arc::new))
                    .collect::<Result<Vec<_>>>()?;
                self.open.get_or_init(|| open)
            }
        };
        open.get(index)
            .cloned()
            .ok_or_else(|| Error::internal("a batch without a column of its layout"))
    }
}

impl std::fmt::Debug for RowGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.data.as_ref() {
            GroupData::Stored(_) => "stored",
            GroupData::Plain(_) => "plain",
        };
        write!(
            f,
            "RowGroup({kind}, {} rows, ids {}..={})",
            self.rows,
            self.first_row_id(),
            self.last_row_id()
        )
    }
}
