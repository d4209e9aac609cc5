//! One side of a join: its rows in memory, or in partitions in temporary files.

use super::JoinSpec;
use crate::batch::Batch;
use crate::metrics::OperatorMetrics;
use crate::pipeline::{Flow, Pipeline, Place, Sink, run_to_sink};
use crate::resolve::Prepared;
use crate::run::Run;
use crate::spill::{PartitionWriter, Partitioned, Segment, Spiller};
use arrow::array::{Array, ArrayRef};
use llkv_result::Result;
use llkv_types::MemoryReservation;

/// The rows of a side.
pub(super) enum Side {
    Memory(Vec<Batch>, MemoryReservation),
    Spilled(SpilledSide),
}

/// Rows by partition.
pub(super) struct SpilledSide {
    pub(super) partitions: Partitioned,
    /// NULL is among the values of the last key.
    pub(super) any_null: bool,
}

impl SpilledSide {
    pub(super) fn has_rows(&self) -> bool {
        self.partitions.iter().any(|segments| !segments.is_empty())
    }
}

/// What partitions the rows of a side.
#[derive(Clone, Copy)]
pub(super) struct SideKeys<'a> {
    keys: &'a [Prepared],
    /// How many of the keys tell the partition.
    partitioning: usize,
}

impl<'a> SideKeys<'a> {
    /// The keys of a side, `keys`. Rows that can match are in one partition, and with NULL-aware kinds those too that
    /// make a comparison unknown; where all rows could, there is one partition.
    pub(super) fn new(spec: &JoinSpec, keys: &'a [Prepared]) -> Self {
        let partitioning = match keys.len() {
            // NULLs are told by a flag for all partitions.
            1 if spec.null_aware && !spec.compares_last_key() => 1,
            keys if spec.null_aware => keys.saturating_sub(1),
            keys => keys,
        };
        Self { keys, partitioning }
    }

    /// Whether there is more than one partition.
    pub(super) fn tell_partitions(&self) -> bool {
        self.partitioning > 0
    }

    /// Writes rows, and tells whether NULL is among the values of their last key.
    fn write(&self, writer: &mut PartitionWriter, batch: &Batch) -> Result<bool> {
        let keys = self.keys.iter().map(|key| key.evaluate(batch));
        let keys = keys.collect::<Result<Vec<ArrayRef>>>()?;
        writer.write(keys.get(..self.partitioning).unwrap_or_default(), batch)?;
        Ok(keys.last().is_some_and(|key| key.logical_null_count() > 0))
    }

    /// Cuts segments into partitions of a level.
    pub(super) fn cut(
        &self,
        run: &Run,
        spiller: &Spiller,
        level: u32,
        segments: &[Segment],
    ) -> Result<Partitioned> {
        let mut writer = PartitionWriter::new(spiller, level)?;
        for segment in segments {
            run.check()?;
            self.write(&mut writer, &segment.read()?)?;
        }
        writer.finish()
    }

    /// Writes rows that are in memory.
    pub(super) fn spill(&self, spiller: &Spiller, batches: Vec<Batch>) -> Result<SpilledSide> {
        let mut writer = PartitionWriter::new(spiller, 0)?;
        let mut any_null = false;
        for batch in batches {
            any_null |= self.write(&mut writer, &batch)?;
        }
        Ok(SpilledSide {
            partitions: writer.finish()?,
            any_null,
        })
    }
}

/// How a side is gathered.
pub(super) struct SideSink<'a> {
    pub(super) run: &'a Run,
    pub(super) spiller: &'a Spiller,
    pub(super) keys: SideKeys<'a>,
    /// Memory that rows will take, as a multiple of their own bytes and as bytes a row.
    pub(super) weight: (u64, u64),
    /// Nothing is kept in memory.
    pub(super) to_files: bool,
}

/// What a worker has gathered.
pub(super) struct Gathered {
    batches: Vec<(Place, Batch)>,
    memory: MemoryReservation,
    writer: Option<PartitionWriter>,
    any_null: bool,
}

impl Sink for SideSink<'_> {
    type Local = Gathered;

    fn local(&self) -> Result<Gathered> {
        let writer = self.to_files.then(|| PartitionWriter::new(self.spiller, 0));
        Ok(Gathered {
            batches: Vec::new(),
            memory: self.run.reserve(self.spiller.operator),
            writer: writer.transpose()?,
            any_null: false,
        })
    }

    fn consume(&self, local: &mut Gathered, batch: Batch, place: Place) -> Result<Flow> {
        if let Some(writer) = &mut local.writer {
            local.any_null |= self.keys.write(writer, &batch)?;
            return Ok(Flow::Continue);
        }
        let batch = self.spiller.slim(&local.memory, batch)?;
        let bytes = self.weight.0 * batch.memory_bytes() + self.weight.1 * batch.rows as u64;
        local.batches.push((place, batch));
        if self.spiller.is_full(&mut local.memory, bytes)? {
            self.spill(local)?;
        }
        Ok(Flow::Continue)
    }

    fn metrics(&self) -> &OperatorMetrics {
        &self.spiller.metrics
    }
}

impl SideSink<'_> {
    /// Gathers the rows of a pipeline; those in memory are in their order.
    pub(super) fn gather(&self, pipeline: Pipeline) -> Result<Side> {
        let mut locals = run_to_sink(self.run, pipeline, self, usize::MAX)?;
        if locals.iter().any(|local| local.writer.is_some()) {
            return self.finish(locals).map(Side::Spilled);
        }
        let mut memory = self.run.reserve(self.spiller.operator);
        let mut batches = Vec::new();
        for local in locals.drain(..) {
            memory.absorb(local.memory);
            batches.extend(local.batches);
        }
        batches.sort_unstable_by_key(|(place, _)| *place);
        let batches = batches.into_iter().map(|(_, batch)| batch).collect();
        Ok(Side::Memory(batches, memory))
    }

    /// Writes what a worker has gathered; what it gets from now on is written as it comes.
    fn spill(&self, local: &mut Gathered) -> Result<()> {
        let writer = match &mut local.writer {
            Some(writer) => writer,
            none => none.insert(PartitionWriter::new(self.spiller, 0)?),
        };
        for (_, batch) in local.batches.drain(..) {
            local.any_null |= self.keys.write(writer, &batch)?;
        }
        local.memory.shrink(0);
        Ok(())
    }

    fn finish(&self, locals: Vec<Gathered>) -> Result<SpilledSide> {
        let mut all = SpilledSide {
            partitions: Vec::new(),
            any_null: false,
        };
        for mut local in locals {
            self.spill(&mut local)?;
            all.any_null |= local.any_null;
            let Some(writer) = local.writer.take() else {
                continue;
            };
            let partitions = writer.finish()?;
            all.partitions.resize(partitions.len(), Vec::new());
            for (all, segments) in all.partitions.iter_mut().zip(partitions) {
                all.extend(segments);
            }
        }
        Ok(all)
    }
}
