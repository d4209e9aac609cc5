//! Rows in order.

use super::{Hints, Operator, OperatorInfo, open_input};
use crate::batch::{Batch, concat_batches};
use crate::keys::{SortKeys, prefix};
use crate::memory::MemoryReservation;
use crate::metrics::OperatorMetrics;
use crate::pipeline::{Flow, MorselReader, Pipeline, Place, Sink, Source, run_to_sink};
use crate::run::Run;
use crate::spill::{MergedSource, RunWriter, Spiller, merge_to_fan_in};
use arrow::array::{Array, UInt32Array};
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use arrow_row::Rows;
use llkv_result::{Error, Result};
use parking_lot::Mutex;
use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Instant;

/// A stable sort: runs are sorted in parallel and merged; rows are gathered as they are read. What is over the memory
/// budget is written as sorted runs, which are merged as they are read.
pub(crate) struct SortOperator {
    pub(crate) info: OperatorInfo,
    pub(crate) input: Box<dyn Operator>,
    pub(crate) keys: Arc<SortKeys>,
}

impl Operator for SortOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }

    fn open(&self, run: &Arc<Run>, hints: &Hints) -> Result<Pipeline> {
        let pipeline = open_input(self.input.as_ref(), run, &hints.translated(Some))?;
        let types = self.info.types();
        let spiller = Spiller::new(run, &self.info);
        let source: Arc<dyn Source> =
            match gather_for_sort(run, &spiller, &self.keys, &types, pipeline)? {
                ForSort::Spilled(merged) => Arc::new(merged),
                ForSort::Memory(batches, mut memory) => {
                    let start = Instant::now();
                    let sorted =
                        sort_rows(run, &spiller, batches, &self.keys, &types, &mut memory)?;
                    self.info.metrics.time_since(start);
                    Arc::new(SortedSource {
                        sorted: Arc::new(Sorted {
                            runs: sorted.runs,
                            order: sorted.order,
                            types,
                            batch_rows: run.batch_rows(),
                        }),
                        _memory: memory,
                    })
                }
            };
        Ok(Pipeline::from_source(source, &self.info.metrics))
    }
}

/// Rows, and the order to read them in.
pub(super) struct SortedRows {
    pub(super) runs: Vec<Batch>,
    /// Run and row.
    pub(super) order: Vec<(u32, u32)>,
}

/// Sorts rows in memory; equal keys stay as they are. `memory` holds what was reserved for them.
pub(super) fn sort_rows(
    run: &Run,
    spiller: &Spiller,
    batches: Vec<Batch>,
    keys: &SortKeys,
    types: &[DataType],
    memory: &mut MemoryReservation,
) -> Result<SortedRows> {
    let rows = batches.iter().map(|b| b.rows as u64).sum::<u64>();
    let parts = contiguous_parts(batches, run.workers(usize::MAX, rows));
    let runs = run.for_each_part(parts.len(), rows, |number| {
        let batches = parts.get(number).and_then(|part| part.lock().take());
        SortedRun::new(keys, &batches.unwrap_or_default(), types)
    })?;
    let bytes = runs.iter().map(SortedRun::size_bytes).sum();
    spiller.settle(memory, bytes)?;
    let order = merge(&runs);
    Ok(SortedRows {
        runs: runs.into_iter().map(|run| run.batch).collect(),
        order,
    })
}

/// The rows of a pipeline, gathered for a sort.
pub(super) enum ForSort {
    /// In their order.
    Memory(Vec<Batch>, MemoryReservation),
    /// In sorted runs.
    Spilled(MergedSource),
}

/// Gathers the rows of a pipeline; what is over the budget is sorted and written in runs.
pub(super) fn gather_for_sort(
    run: &Arc<Run>,
    spiller: &Spiller,
    keys: &Arc<SortKeys>,
    types: &[DataType],
    pipeline: Pipeline,
) -> Result<ForSort> {
    let sink = SortSink {
        run,
        keys,
        spiller,
        types,
    };
    let mut locals = run_to_sink(run, pipeline, &sink, usize::MAX)?;
    if locals.iter().any(|local| local.writer.is_some()) {
        let start = Instant::now();
        let mut runs = Vec::new();
        for local in &mut locals {
            sink.write(local)?;
            runs.extend(local.writer.take().map(|writer| writer.runs));
        }
        let runs = runs.into_iter().flatten().collect();
        let merged = MergedSource {
            runs: merge_to_fan_in(run, spiller, keys, types, runs, usize::MAX)?,
            run: Arc::clone(run),
            sort: Arc::clone(keys),
            types: types.to_vec(),
            fetch: usize::MAX,
        };
        spiller.metrics.time_since(start);
        return Ok(ForSort::Spilled(merged));
    }
    let mut memory = run.reserve(spiller.operator);
    let mut batches = Vec::new();
    for local in locals {
        memory.absorb(local.memory);
        batches.extend(local.batches);
    }
    batches.sort_unstable_by_key(|(place, _)| *place);
    let batches = batches.into_iter().map(|(_, batch)| batch).collect();
    Ok(ForSort::Memory(batches, memory))
}

struct SortSink<'a> {
    run: &'a Arc<Run>,
    keys: &'a SortKeys,
    spiller: &'a Spiller,
    types: &'a [DataType],
}

/// What a worker has gathered.
struct Gathered {
    batches: Vec<(Place, Batch)>,
    memory: MemoryReservation,
    /// Made when the first run is written.
    writer: Option<RunWriter>,
}

impl Sink for SortSink<'_> {
    type Local = Gathered;

    fn local(&self) -> Result<Gathered> {
        Ok(Gathered {
            batches: Vec::new(),
            memory: self.run.reserve(self.spiller.operator),
            writer: None,
        })
    }

    fn consume(&self, local: &mut Gathered, batch: Batch, place: Place) -> Result<Flow> {
        let batch = self.spiller.slim(&local.memory, batch)?;
        // The rows are copied together before they are sorted, and have an entry each in the order.
        let order = batch.rows as u64 * size_of::<(u64, u32, u32)>() as u64;
        let bytes = 2 * batch.memory_bytes() + self.keys.estimated_bytes(&batch) + order;
        local.batches.push((place, batch));
        if self.spiller.is_full(&mut local.memory, bytes)? {
            self.write(local)?;
        }
        Ok(Flow::Continue)
    }

    fn metrics(&self) -> &OperatorMetrics {
        &self.spiller.metrics
    }
}

impl SortSink<'_> {
    /// Writes what a worker has gathered as a run.
    fn write(&self, local: &mut Gathered) -> Result<()> {
        let batches = std::mem::take(&mut local.batches);
        if batches.is_empty() {
            return Ok(());
        }
        let writer = match &mut local.writer {
            Some(writer) => writer,
            none => none.insert(RunWriter::new(self.spiller, self.run.batch_rows())?),
        };
        writer.sort(self.keys, batches, self.types)?;
        local.memory.shrink(0);
        Ok(())
    }
}

/// The batches in at most `parts` runs of neighbours, so that of equal keys the one in the lower run comes
/// first.
fn contiguous_parts(batches: Vec<Batch>, parts: usize) -> Vec<Mutex<Option<Vec<Batch>>>> {
    let size = batches.len().div_ceil(parts.max(1)).max(1);
    let mut batches = batches.into_iter();
    let mut runs = Vec::new();
    loop {
        let part: Vec<Batch> = batches.by_ref().take(size).collect();
        if part.is_empty() {
            return runs;
        }
        runs.push(Mutex::new(Some(part)));
    }
}

/// Rows of a part of the input and their order.
struct SortedRun {
    batch: Batch,
    keys: Rows,
    /// Key prefixes and rows, sorted.
    order: Vec<(u64, u32)>,
}

impl SortedRun {
    fn new(sort: &SortKeys, batches: &[Batch], types: &[DataType]) -> Result<Self> {
        let batch = concat_batches(batches, types)?;
        let rows = u32::try_from(batch.rows)
            .map_err(|_| Error::internal("a sorted run has over 2^32 rows"))?;
        let keys = sort.encode(&batch)?;
        let mut order: Vec<(u64, u32)> = keys
            .iter()
            .zip(0..rows)
            .map(|(key, row)| (prefix(key.data()), row))
            .collect();
        order.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0)
                .then_with(|| keys.row(a.1 as usize).cmp(&keys.row(b.1 as usize)))
                .then(a.1.cmp(&b.1))
        });
        Ok(Self { batch, keys, order })
    }

    fn size_bytes(&self) -> u64 {
        let order = self.order.capacity() * size_of::<(u64, u32)>();
        self.batch.memory_bytes() + (self.keys.size() + order) as u64
    }

    fn compare(&self, at: usize, other: &Self, other_at: usize) -> Ordering {
        match (self.order.get(at), other.order.get(other_at)) {
            (Some(a), Some(b)) => a.0.cmp(&b.0).then_with(|| {
                let key = self.keys.row(a.1 as usize);
                key.cmp(&other.keys.row(b.1 as usize))
            }),
            // A run at its end comes last.
            (a, b) => b.is_some().cmp(&a.is_some()),
        }
    }
}

/// The rows of all runs in order, as (run, row).
fn merge(runs: &[SortedRun]) -> Vec<(u32, u32)> {
    if let [run] = runs {
        return run.order.iter().map(|(_, row)| (0, *row)).collect();
    }
    let total = runs.iter().map(|run| run.order.len()).sum();
    let mut heads = vec![0_usize; runs.len()];
    let mut order = Vec::with_capacity(total);
    while order.len() < total {
        // There are as many runs as threads: looking at each head is as quick as a heap.
        let mut least = 0;
        for number in 1..runs.len() {
            if let (Some(a), Some(b)) = (runs.get(number), runs.get(least))
                && let (Some(at), Some(other)) = (heads.get(number), heads.get(least))
                && a.compare(*at, b, *other) == Ordering::Less
            {
                least = number;
            }
        }
        if let (Some(run), Some(head)) = (runs.get(least), heads.get_mut(least))
            && let Some((_, row)) = run.order.get(*head)
        {
            order.push((least as u32, *row));
            *head += 1;
        }
    }
    order
}

struct SortedSource {
    sorted: Arc<Sorted>,
    _memory: MemoryReservation,
}

struct Sorted {
    runs: Vec<Batch>,
    order: Vec<(u32, u32)>,
    types: Vec<DataType>,
    batch_rows: usize,
}

/// Batches of a morsel: gathering them is work enough for a thread.
const BATCHES_PER_MORSEL: usize = 4;

impl Source for SortedSource {
    fn morsels(&self) -> usize {
        let rows = self.sorted.batch_rows * BATCHES_PER_MORSEL;
        self.sorted.order.len().div_ceil(rows)
    }

    fn estimated_rows(&self) -> u64 {
        self.sorted.order.len() as u64
    }

    fn read(&self, morsel: usize) -> Result<MorselReader> {
        let sorted = Arc::clone(&self.sorted);
        let first = morsel * BATCHES_PER_MORSEL;
        let batches = (first..first + BATCHES_PER_MORSEL)
            .map(move |number| sorted.batch(number))
            .take_while(|batch| batch.as_ref().map_or(true, |b| b.rows > 0));
        Ok(Box::new(batches))
    }
}

impl Sorted {
    fn batch(&self, number: usize) -> Result<Batch> {
        let start = (number * self.batch_rows).min(self.order.len());
        let end = (start + self.batch_rows).min(self.order.len());
        let rows = self.order.get(start..end).unwrap_or_default();
        if let [run] = self.runs.as_slice() {
            let indices: UInt32Array = rows.iter().map(|(_, row)| Some(*row)).collect();
            return run.take(&indices);
        }
        gather(&self.runs, rows, &self.types)
    }
}

/// The rows at (batch, row) of several batches.
pub(crate) fn gather(batches: &[Batch], rows: &[(u32, u32)], types: &[DataType]) -> Result<Batch> {
    let indices: Vec<(usize, usize)> = rows
        .iter()
        .map(|(batch, row)| (*batch as usize, *row as usize))
        .collect();
    let columns: Result<Vec<_>> = (0..types.len())
        .map(|position| {
            let parts: Result<Vec<&dyn Array>> = batches
                .iter()
                .map(|b| Ok(b.column(position)?.as_ref()))
                .collect();
            Ok(interleave(&parts?, &indices)?)
        })
        .collect();
    Ok(Batch::new(columns?, rows.len()))
}
