//! Groups in temporary files: partial results by partition, merged a partition at a time.

use super::AggregateSpec;
use super::local::{Partial, PartialGroups};
use crate::batch::Batch;
use crate::pipeline::{MorselReader, Place, Source, slices};
use crate::run::Run;
use crate::spill::{LAST_LEVEL, PartitionWriter, Partitioned, Segment, Spiller, ordinal};
use arrow::array::UInt64Array;
use arrow::compute::SortColumn;
use llkv_result::Result;
use llkv_types::MemoryReservation;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a worker has written.
pub(super) struct SpilledGroups {
    keys: usize,
    groups: PartitionWriter,
    /// Rows kept for calls with an order within, by call.
    rows: Vec<PartitionWriter>,
}

impl SpilledGroups {
    pub(super) fn new(spiller: &Spiller, spec: &AggregateSpec, level: u32) -> Result<Self> {
        let ordered = spec.calls.iter().filter(|call| !call.is_direct());
        let rows = ordered.map(|_| PartitionWriter::new(spiller, level));
        Ok(Self {
            keys: spec.keys.len(),
            groups: PartitionWriter::new(spiller, level)?,
            rows: rows.collect::<Result<_>>()?,
        })
    }

    /// Writes groups: keys, then states.
    pub(super) fn write_groups(&mut self, groups: &Batch) -> Result<()> {
        let keys = groups.columns.get(..self.keys).unwrap_or_default();
        self.groups.write(keys, groups)
    }

    /// Writes rows kept for a call; they begin with the keys, and get their ordinals at the end.
    pub(super) fn write_rows(&mut self, call: usize, place: Place, mut rows: Batch) -> Result<()> {
        let ordinals = (0..rows.rows as u32).map(|row| ordinal(place, row));
        let (morsels, within) = ordinals.unzip::<u64, u64, Vec<_>, Vec<_>>();
        rows.columns.push(Arc::new(UInt64Array::from(morsels)));
        rows.columns.push(Arc::new(UInt64Array::from(within)));
        self.write_again(call, &rows)
    }

    /// Writes rows that have their ordinals.
    fn write_again(&mut self, call: usize, rows: &Batch) -> Result<()> {
        let keys = rows.columns.get(..self.keys).unwrap_or_default();
        match self.rows.get_mut(call) {
            Some(writer) => writer.write(keys, rows),
            None => Ok(()),
        }
    }

    /// Adds what was written to the pieces of each partition.
    fn finish(self, level: u32, all: &mut Vec<Pieces>) -> Result<()> {
        let calls = self.rows.len();
        let groups = self.groups.finish()?;
        all.resize_with(groups.len().max(all.len()), || Pieces {
            level,
            groups: Vec::new(),
            rows: vec![Vec::new(); calls],
        });
        for (pieces, segments) in all.iter_mut().zip(groups) {
            pieces.groups.extend(segments);
        }
        let rows: Vec<Partitioned> = self
            .rows
            .into_iter()
            .map(PartitionWriter::finish)
            .collect::<Result<_>>()?;
        for (call, partitions) in rows.into_iter().enumerate() {
            for (pieces, segments) in all.iter_mut().zip(partitions) {
                if let Some(rows) = pieces.rows.get_mut(call) {
                    rows.extend(segments);
                }
            }
        }
        Ok(())
    }
}

/// All that was written of a partition.
#[derive(Clone)]
struct Pieces {
    level: u32,
    groups: Vec<Segment>,
    /// By call with an order.
    rows: Vec<Vec<Segment>>,
}

impl Pieces {
    fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.rows.iter().all(Vec::is_empty)
    }
}

/// The partitions as morsels.
pub(super) struct SpilledSource {
    shared: Arc<Shared>,
    partitions: Vec<Pieces>,
}

struct Shared {
    run: Arc<Run>,
    spiller: Spiller,
    spec: Arc<AggregateSpec>,
    /// Columns of the state of each call without an order.
    state_columns: Vec<usize>,
}

impl SpilledSource {
    /// Writes what the workers still hold.
    pub(super) fn new(
        run: &Arc<Run>,
        spiller: &Spiller,
        spec: &Arc<AggregateSpec>,
        locals: Vec<Partial>,
    ) -> Result<Self> {
        let mut partitions = Vec::new();
        for mut local in locals {
            local.spill(spec)?;
            if let Some(spilled) = local.spilled.take() {
                spilled.finish(0, &mut partitions)?;
            }
        }
        partitions.retain(|pieces| !pieces.is_empty());
        let direct = spec.calls.iter().filter(|call| call.is_direct());
        let columns = direct.map(|call| Ok(call.accumulator()?.state_types().len()));
        let shared = Shared {
            run: Arc::clone(run),
            spiller: spiller.clone(),
            spec: Arc::clone(spec),
            state_columns: columns.collect::<Result<_>>()?,
        };
        Ok(Self {
            shared: Arc::new(shared),
            partitions,
        })
    }
}

impl Source for SpilledSource {
    fn morsels(&self) -> usize {
        self.partitions.len()
    }

    fn estimated_rows(&self) -> u64 {
        let groups = self.partitions.iter().flat_map(|pieces| &pieces.groups);
        groups.map(|segment| segment.rows as u64).sum()
    }

    fn read(&self, morsel: usize) -> Result<MorselReader> {
        Ok(Box::new(PartitionReader {
            shared: Arc::clone(&self.shared),
            waiting: self.partitions.get(morsel).cloned().into_iter().collect(),
            ready: VecDeque::new(),
            memory: self.shared.run.reserve(self.shared.spiller.operator),
        }))
    }
}

/// Merges a partition, and the partitions into which it falls where it is too large.
struct PartitionReader {
    shared: Arc<Shared>,
    waiting: Vec<Pieces>,
    ready: VecDeque<Batch>,
    memory: MemoryReservation,
}

impl Iterator for PartitionReader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Some(Ok(batch));
            }
            self.memory.shrink(0);
            let pieces = self.waiting.pop()?;
            if let Err(error) = self.load(pieces) {
                return Some(Err(error));
            }
        }
    }
}

impl PartitionReader {
    fn load(&mut self, pieces: Pieces) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        match shared.merge(pieces)? {
            Merged::Groups(batch, memory) => {
                self.memory.absorb(memory);
                self.ready.extend(slices(batch, shared.run.batch_rows()));
            }
            Merged::Parts(parts) => self.waiting.extend(parts),
        }
        Ok(())
    }
}

enum Merged {
    Groups(Batch, MemoryReservation),
    /// The partition was too large, and was cut further.
    Parts(Vec<Pieces>),
}

impl Shared {
    fn merge(&self, pieces: Pieces) -> Result<Merged> {
        let mut partial = Partial::new(&self.run, &self.spiller, &self.spec)?;
        let mut segments = pieces.groups.iter();
        while let Some(segment) = segments.next() {
            self.run.check()?;
            let groups = self.groups(segment.read()?);
            let growth = partial.growth_bytes(groups.rows);
            if self
                .spiller
                .must_cut(&mut partial.memory, growth, pieces.level)?
                && partial.len() > 0
            {
                let rest = [&groups];
                return self.split(partial, &rest, segments.as_slice(), &pieces);
            }
            partial.merge_groups(&groups)?;
            // What is put out stands beside the states for a while.
            let bytes = 2 * partial.size_bytes();
            partial.memory.shrink(bytes);
            let more = bytes - partial.memory.bytes();
            if self
                .spiller
                .must_cut(&mut partial.memory, more, pieces.level)?
            {
                return self.split(partial, &[], segments.as_slice(), &pieces);
            }
        }
        // Rows with an order are copied together and sorted.
        let rows = pieces.rows.iter().flatten();
        let bytes = rows.map(|segment| 3 * segment.memory_bytes).sum();
        if self
            .spiller
            .must_cut(&mut partial.memory, bytes, pieces.level)?
        {
            return self.split(partial, &[], &[], &pieces);
        }
        for (call, segments) in pieces.rows.iter().enumerate() {
            for (number, segment) in segments.iter().enumerate() {
                let place = Place {
                    morsel: number,
                    sequence: 0,
                };
                partial.keep_rows(call, place, segment.read()?);
            }
        }
        let (batch, mut memory) = partial.finish(&self.spec)?;
        self.spiller.settle(&mut memory, batch.memory_bytes())?;
        Ok(Merged::Groups(batch, memory))
    }

    fn groups(&self, batch: Batch) -> PartialGroups {
        PartialGroups::from_batch(batch, self.spec.keys.len(), &self.state_columns)
    }

    /// Cuts a partition by more bits of the hash: what was merged already, then what was not.
    fn split(
        &self,
        mut partial: Partial,
        read: &[&PartialGroups],
        unread: &[Segment],
        pieces: &Pieces,
    ) -> Result<Merged> {
        let level = pieces.level + 1;
        if level > LAST_LEVEL {
            return Err(self.spiller.too_large(&partial.memory));
        }
        let mut spilled = SpilledGroups::new(&self.spiller, &self.spec, level)?;
        partial.spill_into(&self.spec, &mut spilled)?;
        for groups in read {
            spilled.write_groups(&groups.slice(0, groups.rows))?;
        }
        for segment in unread {
            spilled.write_groups(&segment.read()?)?;
        }
        for (call, segments) in pieces.rows.iter().enumerate() {
            for segment in segments {
                spilled.write_again(call, &segment.read()?)?;
            }
        }
        let mut parts = Vec::new();
        spilled.finish(level, &mut parts)?;
        parts.retain(|pieces| !pieces.is_empty());
        Ok(Merged::Parts(parts))
    }
}

/// The ordinals of rows that were written and read, which are the columns after the others, as keys of a sort.
pub(super) fn ordinals_of(rows: &Batch, columns: usize) -> Option<Vec<SortColumn>> {
    let ordinals = rows.columns.get(columns..)?.iter();
    let ordinals = ordinals.map(|values| SortColumn {
        values: Arc::clone(values),
        options: None,
    });
    Some(ordinals.collect()).filter(|ordinals: &Vec<_>| !ordinals.is_empty())
}
