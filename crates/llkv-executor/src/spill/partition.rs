//! Rows cut into partitions by the hash of their keys: rows with equal keys meet in one partition.

use super::codec::compacted;
use super::{Segment, SpillFile, Spiller};
use crate::batch::{Batch, concat_batches};
use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::DataType;
use llkv_compute::hash_columns;
use llkv_result::Result;
use std::sync::Arc;

/// Bits of the hash that each level of partitions looks at.
const BITS: u32 = 6;
/// Partitions of a level.
pub(super) const PARTITIONS: usize = 1 << BITS;
/// The deepest level. Rows that are still together there have equal hashes, for all that matters.
pub(crate) const LAST_LEVEL: u32 = 4;

/// The segments of each partition.
pub(crate) type Partitioned = Vec<Vec<Segment>>;

/// Writes batches into partitions; each worker has one.
pub(crate) struct PartitionWriter {
    spiller: Spiller,
    file: Arc<SpillFile>,
    level: u32,
    waiting: Vec<Waiting>,
    segments: Partitioned,
    hashes: Vec<u64>,
}

/// Rows of a partition that are not yet written.
#[derive(Default)]
struct Waiting {
    batches: Vec<Batch>,
    bytes: u64,
}

impl PartitionWriter {
    /// A writer for partitions of a level, counted from zero.
    pub(crate) fn new(spiller: &Spiller, level: u32) -> Result<Self> {
        let mut waiting = Vec::new();
        waiting.resize_with(PARTITIONS, Waiting::default);
        Ok(Self {
            spiller: spiller.clone(),
            file: spiller.file()?,
            level,
            waiting,
            segments: vec![Vec::new(); PARTITIONS],
            hashes: Vec::new(),
        })
    }

    /// Writes the rows of a batch by `keys`, which have as many. Without keys there is one partition. Rows of a
    /// partition keep their order.
    pub(crate) fn write(&mut self, keys: &[ArrayRef], batch: &Batch) -> Result<()> {
        if keys.is_empty() {
            return self.put(0, batch.clone());
        }
        hash_columns(keys, &mut self.hashes)?;
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); PARTITIONS];
        for (row, hash) in self.hashes.iter().enumerate() {
            if let Some(rows) = rows.get_mut(partition_of(*hash, self.level)) {
                rows.push(row as u32);
            }
        }
        for (partition, rows) in rows.into_iter().enumerate() {
            if !rows.is_empty() {
                self.put(partition, batch.take(&UInt32Array::from(rows))?)?;
            }
        }
        Ok(())
    }

    fn put(&mut self, partition: usize, mut batch: Batch) -> Result<()> {
        // What waits must not hold on to the texts of rows that do not.
        for column in &mut batch.columns {
            *column = compacted(column)?;
        }
        let Some(waiting) = self.waiting.get_mut(partition) else {
            return Ok(());
        };
        waiting.bytes += batch.memory_bytes();
        waiting.batches.push(batch);
        if waiting.bytes >= self.spiller.buffer_bytes() {
            self.flush(partition)?;
        }
        Ok(())
    }

    fn flush(&mut self, partition: usize) -> Result<()> {
        let Some(waiting) = self.waiting.get_mut(partition) else {
            return Ok(());
        };
        let batches = std::mem::take(waiting).batches;
        let Some(first) = batches.first() else {
            return Ok(());
        };
        let types = first.columns.iter().map(|c| c.data_type().clone());
        let types: Vec<DataType> = types.collect();
        let mut all = concat_batches(&batches, &types)?;
        all.rows = batches.iter().map(|b| b.rows).sum();
        let segment = self.file.append(&all)?;
        if let Some(segments) = self.segments.get_mut(partition) {
            segments.push(segment);
        }
        Ok(())
    }

    /// What was written.
    pub(crate) fn finish(mut self) -> Result<Partitioned> {
        for partition in 0..PARTITIONS {
            self.flush(partition)?;
        }
        Ok(self.segments)
    }
}

fn partition_of(hash: u64, level: u32) -> usize {
    // Levels beyond the hash's bits do not occur: the last is LAST_LEVEL.
    let shift = (64_u32).saturating_sub(BITS * (level + 1));
    ((hash >> shift) as usize) & (PARTITIONS - 1)
}
