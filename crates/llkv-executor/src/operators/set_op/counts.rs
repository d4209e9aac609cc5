//! How often each row occurs on both sides.

use super::Rule;
use crate::batch::Batch;
use crate::keys::GroupTable;
use crate::pipeline::{MorselReader, Source};
use crate::run::Run;
use crate::spill::{PartitionWriter, Spiller};
use arrow::array::{ArrayRef, AsArray, UInt32Array, UInt64Array};
use arrow::datatypes::{DataType, UInt64Type};
use llkv_result::{Error, Result};
use llkv_types::MemoryReservation;
use std::sync::Arc;

#[derive(Clone, Copy)]
pub(super) enum Side {
    Left,
    Right,
}

/// Rows and how often they occur.
pub(super) struct Counts {
    types: Vec<(DataType, bool)>,
    table: GroupTable,
    left: Vec<u64>,
    right: Vec<u64>,
    groups: Vec<u32>,
    spiller: Spiller,
    pub(super) memory: MemoryReservation,
    /// Counts that were written.
    pub(super) spilled: Option<PartitionWriter>,
}

impl Counts {
    pub(super) fn new(run: &Run, spiller: &Spiller, rule: &Rule) -> Result<Self> {
        Ok(Self {
            types: rule.types.clone(),
            table: GroupTable::new(&rule.types)?,
            left: Vec::new(),
            right: Vec::new(),
            groups: Vec::new(),
            spiller: spiller.clone(),
            memory: run.reserve(spiller.operator),
            spilled: None,
        })
    }

    /// Rows counted, but for those written.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.len() == 0 && self.spilled.is_none()
    }

    pub(super) fn is_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// Counts the rows of a batch.
    pub(super) fn add(&mut self, batch: &Batch, side: Side) -> Result<()> {
        let growth_bytes = self.growth_bytes(batch.rows);
        if growth_bytes > 0 && self.spiller.is_over(&mut self.memory, growth_bytes)? {
            self.spill()?;
        }
        self.number(&batch.columns, batch.rows)?;
        let side = match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        };
        for group in &self.groups {
            if let Some(count) = side.get_mut(*group as usize) {
                *count += 1;
            }
        }
        let bytes = self.size_bytes();
        self.memory.shrink(bytes);
        let more = bytes - self.memory.bytes();
        // Without columns there is nothing to tell partitions by, and one row at the most.
        if self.spiller.is_full(&mut self.memory, more)? && !self.types.is_empty() {
            self.spill()?;
        }
        Ok(())
    }

    /// Adds counts: rows, then how often they occur left and right.
    pub(super) fn merge(&mut self, counted: &Batch) -> Result<()> {
        let columns = self.types.len();
        let keys = counted.columns.get(..columns).unwrap_or_default();
        self.number(keys, counted.rows)?;
        let left = numbers(counted.column(columns)?)?;
        let right = numbers(counted.column(columns + 1)?)?;
        for ((group, left), right) in self.groups.iter().zip(left).zip(right) {
            let group = *group as usize;
            if let (Some(l), Some(r)) = (self.left.get_mut(group), self.right.get_mut(group)) {
                *l += left;
                *r += right;
            }
        }
        Ok(())
    }

    fn number(&mut self, keys: &[ArrayRef], rows: usize) -> Result<()> {
        self.table.intern(keys, rows, &mut self.groups)?;
        self.left.resize(self.table.len(), 0);
        self.right.resize(self.table.len(), 0);
        Ok(())
    }

    pub(super) fn size_bytes(&self) -> u64 {
        (self.table.size_bytes() + self.left.capacity() * 16) as u64
    }

    pub(super) fn growth_bytes(&self, rows: usize) -> u64 {
        self.table.growth_bytes(rows) as u64
    }

    /// Writes all counts to partitions of the first level.
    pub(super) fn spill(&mut self) -> Result<()> {
        let mut writer = match self.spilled.take() {
            Some(writer) => writer,
            None => PartitionWriter::new(&self.spiller, 0)?,
        };
        self.spill_into(&mut writer)?;
        self.spilled = Some(writer);
        Ok(())
    }

    /// Writes all counts.
    pub(super) fn spill_into(&mut self, writer: &mut PartitionWriter) -> Result<()> {
        const SOME_ROWS: usize = 1 << 13;
        self.table.settle();
        let mut start = 0;
        while start < self.table.len() {
            let count = SOME_ROWS.min(self.table.len() - start);
            let mut batch = Batch::new(self.table.keys(start, count)?, count);
            for side in [&self.left, &self.right] {
                let counts = side.get(start..start + count).unwrap_or_default();
                batch
                    .columns
                    .push(Arc::new(UInt64Array::from(counts.to_vec())));
            }
            let keys = batch.columns.get(..self.types.len()).unwrap_or_default();
            writer.write(keys, &batch)?;
            start += count;
        }
        self.table = GroupTable::new(&self.types)?;
        self.left = Vec::new();
        self.right = Vec::new();
        self.memory.shrink(0);
        Ok(())
    }

    /// Next rows from group `start` on, of which `done` were put out already: at most `batch_rows`, and where to go on.
    fn put_out(
        &self,
        rule: &Rule,
        place: (usize, u64),
        end: usize,
        batch_rows: usize,
    ) -> Result<(Option<Batch>, (usize, u64))> {
        let (first, mut done) = place;
        let mut group = first;
        let mut indices = Vec::new();
        while group < end && indices.len() < batch_rows && group - first < batch_rows {
            let left = self.left.get(group).copied().unwrap_or(0);
            let right = self.right.get(group).copied().unwrap_or(0);
            let times = rule.times(left, right).saturating_sub(done);
            let now = times.min((batch_rows - indices.len()) as u64);
            // At most a batch of rows, and groups have numbers of 32 bits.
            indices.resize(indices.len() + now as usize, (group - first) as u32);
            if now < times {
                done += now;
                break;
            }
            done = 0;
            group += 1;
        }
        let next = (group, done);
        if indices.is_empty() {
            return Ok((None, next));
        }
        let count = (group - first + 1).min(end - first);
        let keys = Batch::new(self.table.keys(first, count)?, count);
        let rows = indices.len();
        let mut taken = keys.take(&UInt32Array::from(indices))?;
        taken.rows = rows;
        Ok((Some(taken), next))
    }
}

fn numbers(column: &ArrayRef) -> Result<impl Iterator<Item = u64>> {
    let column = column.as_primitive_opt::<UInt64Type>();
    let column = column.ok_or_else(|| Error::internal("a count that is no number"))?;
    Ok(column.values().iter().copied())
}

/// The rows of counts, as often as the operation says, in the order in which the left side first had them.
pub(super) struct CountedSource {
    counts: Arc<Counts>,
    rule: Rule,
    batch_rows: usize,
}

/// Batches of a morsel.
const MORSEL_BATCHES: usize = 8;

impl CountedSource {
    pub(super) fn new(mut counts: Counts, rule: Rule, batch_rows: usize) -> Self {
        counts.table.settle();
        Self {
            counts: Arc::new(counts),
            rule,
            batch_rows,
        }
    }
}

impl Source for CountedSource {
    fn morsels(&self) -> usize {
        self.counts.len().div_ceil(self.batch_rows * MORSEL_BATCHES)
    }

    fn estimated_rows(&self) -> u64 {
        self.counts.len() as u64
    }

    fn read(&self, morsel: usize) -> Result<MorselReader> {
        let groups = self.batch_rows * MORSEL_BATCHES;
        let start = morsel * groups;
        Ok(Box::new(CountedReader {
            counts: Arc::clone(&self.counts),
            rule: self.rule.clone(),
            batch_rows: self.batch_rows,
            place: (start, 0),
            end: (start + groups).min(self.counts.len()),
        }))
    }
}

/// Rows of some groups.
pub(super) struct CountedReader {
    counts: Arc<Counts>,
    rule: Rule,
    batch_rows: usize,
    place: (usize, u64),
    end: usize,
}

impl CountedReader {
    /// All rows of counts.
    pub(super) fn all(mut counts: Counts, rule: &Rule, batch_rows: usize) -> Self {
        counts.table.settle();
        Self {
            end: counts.len(),
            counts: Arc::new(counts),
            rule: rule.clone(),
            batch_rows,
            place: (0, 0),
        }
    }
}

impl Iterator for CountedReader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.place.0 < self.end {
            let put_out = self
                .counts
                .put_out(&self.rule, self.place, self.end, self.batch_rows);
            match put_out {
                Ok((batch, next)) => {
                    self.place = next;
                    if let Some(batch) = batch {
                        return Some(Ok(batch));
                    }
                }
                Err(error) => {
                    self.place.0 = self.end;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}
