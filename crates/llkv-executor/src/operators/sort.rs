//! Rows in order.

mod sorted;

pub(super) use sorted::{SortedRows, sort_rows};

use super::window::{Sieve, SieveSpec};
use super::{Hints, Operator, OperatorInfo, open_input};
use crate::batch::Batch;
use crate::keys::SortKeys;
use crate::metrics::OperatorMetrics;
use crate::pipeline::{Flow, MorselReader, Pipeline, Place, Sink, Source, run_to_sink};
use crate::run::Run;
use crate::spill::{MergedSource, RunWriter, Spiller, merge_to_fan_in};
use arrow::array::{Array, UInt32Array};
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use llkv_result::Result;
use llkv_types::MemoryReservation;
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
            match gather_for_sort(run, &spiller, &self.keys, &types, pipeline, None)? {
                ForSort::Spilled(merged) => Arc::new(merged),
                ForSort::Memory(batches, mut memory) => {
                    let start = Instant::now();
                    let sorted =
                        sort_rows(run, &spiller, batches, &self.keys, &types, &mut memory, 0)?;
                    self.info.metrics.between_pipelines(run, start);
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

/// The rows of a pipeline, gathered for a sort.
pub(super) enum ForSort {
    /// In their order.
    Memory(Vec<Batch>, MemoryReservation),
    /// In sorted runs.
    Spilled(MergedSource),
}

/// Gathers the rows of a pipeline, or those that a sieve lets through; what is over the budget is sorted and written in
/// runs.
pub(super) fn gather_for_sort(
    run: &Arc<Run>,
    spiller: &Spiller,
    keys: &Arc<SortKeys>,
    types: &[DataType],
    pipeline: Pipeline,
    sieve: Option<&SieveSpec>,
) -> Result<ForSort> {
    let sink = SortSink {
        run,
        keys,
        spiller,
        types,
        sieve,
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
        spiller.metrics.between_pipelines(run, start);
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
    sieve: Option<&'a SieveSpec>,
}

/// What a worker has gathered.
struct Gathered<'a> {
    sieve: Option<Sieve<'a>>,
    batches: Vec<(Place, Batch)>,
    memory: MemoryReservation,
    /// Made when the first run is written.
    writer: Option<RunWriter>,
}

impl<'a> Sink for SortSink<'a> {
    type Local = Gathered<'a>;

    fn local(&self) -> Result<Gathered<'a>> {
        let memory = || self.run.reserve(self.spiller.operator);
        let sieve = self.sieve.map(|spec| Sieve::new(spec, memory()));
        Ok(Gathered {
            sieve: sieve.transpose()?,
            batches: Vec::new(),
            memory: memory(),
            writer: None,
        })
    }

    fn consume(&self, local: &mut Gathered<'a>, mut batch: Batch, place: Place) -> Result<Flow> {
        if let Some(sieve) = &mut local.sieve {
            batch = sieve.keep(batch)?;
            if batch.rows == 0 {
                return Ok(Flow::Continue);
            }
        }
        let batch = self.spiller.slim(&local.memory, batch)?;
        // The rows are copied together before they are sorted, and have a code and a place in the order each.
        let order = (batch.rows * (size_of::<u128>() + size_of::<(u32, u32)>())) as u64;
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
    fn write(&self, local: &mut Gathered<'_>) -> Result<()> {
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
