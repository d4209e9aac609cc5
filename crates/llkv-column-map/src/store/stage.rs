//! Encoding row groups ahead of the commit that refers to them.

use super::Shape;
use crate::commit::StagedRowGroup;
use crate::descriptor::{ChunkMeta, ChunkRef, DeleteMeta, GroupMeta};
use crate::encoding::{self, EncodedChunk, Lifetime};
use crate::row_group::Layout;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::Buffer;
use llkv_result::{Error, Result};
use llkv_storage::{Blob, Pager, WriteBatch};
use llkv_types::{FieldId, MemoryReservation, ROW_GROUP_ROWS, SqlType};
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use std::cmp::Reverse;
use std::sync::Arc;

/// Chunks from this size on are values of their own; smaller ones of a group share one, because a
/// value takes at least a page of the file.
const OWN_VALUE_BYTES: usize = 32 << 10;
/// Values from this size on are written ahead of the commit.
pub(super) const EARLY_BYTES: usize = 64 << 10;

/// Columns of so many rows are encoded by several threads.
const PARALLEL_ROWS: usize = ROW_GROUP_ROWS / 8;

/// See [`crate::ColumnStore::stage_row_group`]. `held`: the chunks stay in memory as far as it grows.
pub(super) fn stage(
    pager: &dyn Pager,
    held: Option<MemoryReservation>,
    shape: Shape,
    layout: &Layout,
    batches: &[RecordBatch],
    lifetime: Lifetime,
) -> Result<StagedRowGroup> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if rows == 0 || rows > ROW_GROUP_ROWS {
        return Err(Error::internal(format!("a row group of {rows} rows")));
    }
    let mut writer = GroupWriter::new(pager, rows);
    writer.held = held;
    let encode = |(index, (_, ty)): (usize, &(FieldId, SqlType))| {
        let parts = column_of(batches, index, layout)?;
        encoding::encode_parts(*ty, &parts, shape.encoding, lifetime)
    };
    if rows < PARALLEL_ROWS {
        for column in layout.iter().enumerate() {
            writer.add(column.1.0, encode(column)?)?;
        }
        return Ok(writer.finish(layout));
    }
    // A few columns at a time, so that few chunks wait to be written, but more than threads: some take far longer, and come first.
    let mut columns: Vec<_> = layout.iter().enumerate().collect();
    columns
        .sort_by_key(|(_, (_, ty))| Reverse(ty.to_arrow().primitive_width().unwrap_or(usize::MAX)));
    for columns in columns.chunks(2 * rayon::current_num_threads()) {
        let each = columns.par_iter().with_max_len(1);
        let chunks: Vec<_> = each.map(|column| encode(*column)).collect();
        for ((_, (field, _)), chunk) in columns.iter().zip(chunks) {
            writer.add(*field, chunk?)?;
        }
    }
    Ok(writer.finish(layout))
}

/// A column of all batches.
fn column_of<'a>(
    batches: &'a [RecordBatch],
    index: usize,
    layout: &Layout,
) -> Result<Vec<&'a ArrayRef>> {
    let parts = batches.iter().map(|batch| {
        batch.columns().get(index).ok_or_else(|| {
            Error::internal(format!(
                "a batch of {} columns for a table of {}",
                batch.num_columns(),
                layout.len()
            ))
        })
    });
    parts.collect()
}

/// Collects the chunks of a group and writes the large ones at once.
pub(super) struct GroupWriter<'a> {
    pager: &'a dyn Pager,
    rows: usize,
    chunks: Vec<ChunkMeta>,
    blobs: Vec<Blob>,
    /// The small chunks, one after the other, and which chunks they are.
    shared: Vec<u8>,
    sharing: Vec<usize>,
    /// For chunks that stay in memory.
    held: Option<MemoryReservation>,
}

impl<'a> GroupWriter<'a> {
    pub(super) fn new(pager: &'a dyn Pager, rows: usize) -> Self {
        Self {
            pager,
            rows,
            chunks: Vec::new(),
            blobs: Vec::new(),
            shared: Vec::new(),
            sharing: Vec::new(),
            held: None,
        }
    }

    /// Adds a chunk. Until the commit, its key is the number of its blob.
    pub(super) fn add(&mut self, field: FieldId, chunk: EncodedChunk) -> Result<()> {
        let len = chunk.bytes.len();
        let place = if len >= OWN_VALUE_BYTES {
            let blob = self.store(chunk.bytes)?;
            self.blobs.push(blob);
            ChunkRef {
                key: (self.blobs.len() - 1) as u64,
                offset: 0,
                len: len as u32,
            }
        } else {
            let offset = self.shared.len().next_multiple_of(crate::bytes::ALIGNMENT);
            self.shared.resize(offset, 0);
            self.shared.extend_from_slice(&chunk.bytes);
            self.sharing.push(self.chunks.len());
            ChunkRef {
                key: 0,
                offset: offset as u32,
                len: len as u32,
            }
        };
        self.chunks.push(ChunkMeta {
            field,
            place,
            encoding: chunk.encoding,
            stats: chunk.stats,
            distinct_estimate: chunk.distinct_estimate,
        });
        Ok(())
    }

    fn store(&mut self, bytes: Vec<u8>) -> Result<Blob> {
        if let Some(held) = &mut self.held
            && held.grow(bytes.capacity() as u64).is_ok()
        {
            return Ok(Blob::from(Buffer::from_vec(bytes)));
        }
        store_early(self.pager, &bytes)
    }

    pub(super) fn finish(mut self, layout: &Layout) -> StagedRowGroup {
        if !self.sharing.is_empty() {
            let key = self.blobs.len() as u64;
            self.blobs.push(Blob::from_bytes(&self.shared));
            for index in &self.sharing {
                if let Some(chunk) = self.chunks.get_mut(*index) {
                    chunk.place.key = key;
                }
            }
        }
        self.chunks.sort_by_key(|chunk| chunk.field);
        StagedRowGroup {
            layout: layout.to_vec(),
            meta: GroupMeta {
                rows: self.rows as u32,
                row_ids: Vec::new(),
                created: Vec::new(),
                deletes: DeleteMeta::default(),
                chunks: self.chunks,
            },
            blobs: self.blobs,
            _held: self.held.map(Arc::new),
        }
    }
}

fn store_early(pager: &dyn Pager, bytes: &[u8]) -> Result<Blob> {
    if bytes.len() >= EARLY_BYTES {
        pager.write_early(bytes)
    } else {
        Ok(Blob::from_bytes(bytes))
    }
}

/// The description of a staged group with real keys; its blobs join the batch.
pub(super) fn assign_keys(
    pager: &dyn Pager,
    staged: &StagedRowGroup,
    batch: &mut WriteBatch,
) -> Result<GroupMeta> {
    let first = pager.alloc_many(staged.blobs.len())?.start;
    let mut meta = staged.meta.clone();
    for chunk in &mut meta.chunks {
        chunk.place.key += first;
    }
    for (index, blob) in staged.blobs.iter().enumerate() {
        let key = llkv_types::PhysicalKey(first + index as u64);
        batch.puts.push((key, blob.clone()));
    }
    Ok(meta)
}
