//! Rows in order.

use super::collect::collect;
use super::{Hints, Operator, OperatorInfo, open_input};
use crate::batch::{Batch, concat_batches};
use crate::keys::{SortKeys, prefix};
use crate::memory::MemoryReservation;
use crate::pipeline::{MorselReader, Pipeline, Source};
use crate::run::Run;
use arrow::array::{Array, UInt32Array};
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use arrow_row::Rows;
use llkv_result::{Error, Result};
use parking_lot::Mutex;
use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Instant;

/// A stable sort: runs are sorted in parallel and merged; rows are gathered as they are read.
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
        let metrics = &self.info.metrics;
        let (batches, mut memory) = collect(run, pipeline, self.info.kind, metrics)?;
        let start = Instant::now();
        let types = self.info.types();
        let sorted = sort_rows(run, batches, &self.keys, &types, &mut memory)?;
        metrics.time_since(start);
        let source = SortedSource {
            sorted: Arc::new(Sorted {
                runs: sorted.runs,
                order: sorted.order,
                types,
                batch_rows: run.batch_rows(),
            }),
            _memory: memory,
        };
        Ok(Pipeline::from_source(Arc::new(source), metrics))
    }
}

/// Rows, and the order to read them in.
pub(super) struct SortedRows {
    pub(super) runs: Vec<Batch>,
    /// Run and row.
    pub(super) order: Vec<(u32, u32)>,
}

/// Sorts rows; equal keys stay as they are. What the sort holds is added to `memory`.
pub(super) fn sort_rows(
    run: &Run,
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
    memory.grow(runs.iter().map(|run| run.size_bytes() as u64).sum())?;
    let order = merge(&runs);
    Ok(SortedRows {
        runs: runs.into_iter().map(|run| run.batch).collect(),
        order,
    })
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

    fn size_bytes(&self) -> usize {
        self.keys.size() + self.order.capacity() * size_of::<(u64, u32)>()
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
pub(super) fn gather(batches: &[Batch], rows: &[(u32, u32)], types: &[DataType]) -> Result<Batch> {
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
