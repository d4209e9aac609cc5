//! Values of each row computed from rows near it.
//!
//! The rows are sorted by partition and order, once for all functions of the node. Whole partitions are put
//! together to segments, which are gathered and computed as they are read: at the same time where there are
//! several threads, and never where nobody reads on. Rows over the memory budget are sorted in temporary files and computed
//! partition by partition as they are merged.

mod call;
mod sieve;
mod spec;
mod spilled;

pub(crate) use sieve::{Sieve, SieveSpec};
pub(crate) use spec::WindowSpec;

use super::collect::collect;
use super::sort::{ForSort, gather, gather_for_sort, sort_rows};
use super::{Hints, Operator, OperatorInfo, open_input};
use crate::batch::{Batch, concat_batches};
use crate::pipeline::{MorselReader, Pipeline, Source, slices};
use crate::run::Run;
use crate::spill::Spiller;
use arrow::array::UInt32Array;
use arrow::datatypes::DataType;
use llkv_compute::window::RowRuns;
use llkv_result::{Error, Result};
use llkv_types::MemoryReservation;
use std::sync::Arc;
use std::time::Instant;

/// The window.
pub(crate) struct WindowOperator {
    pub(crate) info: OperatorInfo,
    pub(crate) input: Box<dyn Operator>,
    pub(crate) spec: Arc<WindowSpec>,
    /// Where only the first rows of each partition are wanted.
    pub(crate) sieve: Option<SieveSpec>,
}

impl Operator for WindowOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }

    /// Hints stop here: a row left out below would change the values of others.
    fn open(&self, run: &Arc<Run>, _: &Hints) -> Result<Pipeline> {
        let pipeline = open_input(self.input.as_ref(), run, &Hints::default())?;
        let metrics = &self.info.metrics;
        let spiller = Spiller::new(run, &self.info);
        let types = self.input.info().types();
        let gathered = match &self.spec.sort {
            None => {
                let (batches, memory) = collect(run, pipeline, &spiller)?;
                ForSort::Memory(batches, memory)
            }
            Some(keys) => {
                let sieve = self.sieve.as_ref();
                gather_for_sort(run, &spiller, keys, &types, pipeline, sieve)?
            }
        };
        let (batches, mut memory) = match gathered {
            ForSort::Memory(batches, memory) => (batches, memory),
            ForSort::Spilled(merged) => {
                let source = spilled::SpilledSource::new(merged, run, &spiller, &self.spec, types);
                return Ok(Pipeline::from_source(Arc::new(source), metrics));
            }
        };
        let start = Instant::now();
        let rows = Rows::in_order(run, &spiller, &self.spec, batches, types, &mut memory)?;
        metrics.between_pipelines(run, start);
        let source = WindowSource {
            segments: segments(&rows.partitions, rows.len, run.batch_rows()),
            shared: Arc::new(Shared {
                rows,
                spec: Arc::clone(&self.spec),
                run: Arc::clone(run),
                spiller,
                _memory: memory,
            }),
        };
        Ok(Pipeline::from_source(Arc::new(source), metrics))
    }
}

/// Rows sorted by partition and order.
struct Rows {
    batches: Vec<Batch>,
    /// Batch and row; none where the batches' own order is the one.
    order: Option<Vec<(u32, u32)>>,
    /// Where each partition starts.
    partitions: Vec<u32>,
    len: usize,
    types: Vec<DataType>,
}

impl Rows {
    fn in_order(
        run: &Run,
        spiller: &Spiller,
        spec: &WindowSpec,
        batches: Vec<Batch>,
        types: Vec<DataType>,
        memory: &mut MemoryReservation,
    ) -> Result<Self> {
        let len: usize = batches.iter().map(|b| b.rows).sum();
        if u32::try_from(len).is_err() {
            return Err(Error::internal("a window over more than 2^32 rows"));
        }
        let Some(keys) = &spec.sort else {
            return Ok(Self {
                batches,
                order: None,
                partitions: vec![0],
                len,
                types,
            });
        };
        let leading = spec.partition_keys;
        let sorted = sort_rows(run, spiller, batches, keys, &types, memory, leading)?;
        let partitions = spec.partition_starts(run, &sorted)?;
        let bytes = memory.bytes() + (partitions.len() * size_of::<u32>()) as u64;
        spiller.settle(memory, bytes)?;
        Ok(Self {
            batches: sorted.runs,
            order: Some(sorted.order),
            partitions,
            len,
            types,
        })
    }

    /// The rows `start..end` as one batch.
    fn batch(&self, start: usize, end: usize) -> Result<Batch> {
        match &self.order {
            None => Ok(concat_batches(&self.batches, &self.types)?.slice(start, end - start)),
            Some(order) => {
                let rows = order.get(start..end).unwrap_or_default();
                if let [run] = self.batches.as_slice() {
                    let indices: UInt32Array = rows.iter().map(|(_, row)| Some(*row)).collect();
                    return run.take(&indices);
                }
                gather(&self.batches, rows, &self.types)
            }
        }
    }

    /// The partitions of the rows `start..end`.
    fn partitions(&self, start: usize, end: usize) -> RowRuns {
        let first = self.partitions.partition_point(|p| (*p as usize) < start);
        let mut starts = self
            .partitions
            .get(first..)
            .unwrap_or_default()
            .iter()
            .peekable();
        RowRuns::new((start..end).map(|row| {
            let is_start = starts.peek().is_some_and(|p| **p as usize == row);
            if is_start {
                starts.next();
            }
            is_start
        }))
    }
}

/// Ranges of whole partitions, of some batches each.
fn segments(partitions: &[u32], rows: usize, batch_rows: usize) -> Vec<(usize, usize)> {
    /// Batches of a segment, at least: gathering and computing them is work enough for a thread.
    const BATCHES: usize = 4;
    let mut segments = Vec::new();
    let mut start = 0;
    for end in partitions.iter().map(|p| *p as usize).skip(1) {
        if end - start >= batch_rows * BATCHES {
            segments.push((start, end));
            start = end;
        }
    }
    if start < rows {
        segments.push((start, rows));
    }
    segments
}

struct WindowSource {
    shared: Arc<Shared>,
    segments: Vec<(usize, usize)>,
}

struct Shared {
    rows: Rows,
    spec: Arc<WindowSpec>,
    run: Arc<Run>,
    spiller: Spiller,
    _memory: MemoryReservation,
}

impl Source for WindowSource {
    fn morsels(&self) -> usize {
        self.segments.len()
    }

    fn estimated_rows(&self) -> u64 {
        self.shared.rows.len as u64
    }

    fn read(&self, morsel: usize) -> Result<MorselReader> {
        let Some((start, end)) = self.segments.get(morsel).copied() else {
            return Ok(Box::new(std::iter::empty()));
        };
        let shared = Arc::clone(&self.shared);
        let batch_rows = shared.run.batch_rows();
        let (batch, memory) = shared.segment(start, end)?;
        Ok(Box::new(slices(batch, batch_rows).map(move |batch| {
            // Kept until the last slice is out.
            let _held = &memory;
            Ok(batch)
        })))
    }
}

impl Shared {
    /// The rows `start..end` with the values of the functions, and the memory held for them.
    fn segment(&self, start: usize, end: usize) -> Result<(Batch, MemoryReservation)> {
        self.run.check()?;
        let mut memory = self.run.reserve(self.spiller.operator);
        let mut batch = self.rows.batch(start, end)?;
        let bytes = batch.memory_bytes() + self.spec.bytes_per_row() * batch.rows as u64;
        self.spiller.must_fit(&mut memory, bytes)?;
        let partitions = self.rows.partitions(start, end);
        let values = self
            .spec
            .compute(&batch, &partitions, &|| self.run.check())?;
        batch.columns.extend(values);
        Ok((batch, memory))
    }
}
