//! EXCEPT and INTERSECT.

use super::{Hints, Operator, OperatorInfo, open_input};
use crate::batch::Batch;
use crate::keys::GroupTable;
use crate::memory::MemoryReservation;
use crate::metrics::OperatorMetrics;
use crate::pipeline::{BufferedSource, Flow, Pipeline, Place, Sink, run_to_sink};
use crate::run::Run;
use arrow::array::UInt32Array;
use llkv_plan::SetOpKind;
use llkv_result::Result;
use std::sync::Arc;
use std::time::Instant;

/// A set operation over two inputs of equal types.
pub(crate) struct SetOperator {
    pub(crate) info: OperatorInfo,
    pub(crate) left: Box<dyn Operator>,
    pub(crate) right: Box<dyn Operator>,
    pub(crate) kind: SetOpKind,
    pub(crate) all: bool,
}

impl Operator for SetOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.left.as_ref(), self.right.as_ref()]
    }

    /// Counts each row on both sides, then puts it out as often as the operation says, in the order in
    /// which the left side first had it.
    fn open(&self, run: &Arc<Run>, hints: &Hints) -> Result<Pipeline> {
        let mut counts = self.count(run, hints, self.left.as_ref(), Side::Left, None)?;
        if counts.table.len() > 0 {
            counts = self.count(run, hints, self.right.as_ref(), Side::Right, Some(counts))?;
        }
        let start = Instant::now();
        let batches = self.put_out(&counts, run.batch_rows())?;
        self.info.metrics.time_since(start);
        let source = BufferedSource::new(batches, run.batch_rows(), Some(counts.memory));
        Ok(Pipeline::from_source(Arc::new(source), &self.info.metrics))
    }
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// How often each row occurs.
struct Counts {
    table: GroupTable,
    left: Vec<u64>,
    right: Vec<u64>,
    groups: Vec<u32>,
    memory: MemoryReservation,
}

impl SetOperator {
    fn count(
        &self,
        run: &Arc<Run>,
        hints: &Hints,
        input: &dyn Operator,
        side: Side,
        counts: Option<Counts>,
    ) -> Result<Counts> {
        let counts = match counts {
            Some(counts) => counts,
            None => Counts {
                table: GroupTable::new(&self.info.key_types())?,
                left: Vec::new(),
                right: Vec::new(),
                groups: Vec::new(),
                memory: run.reserve(self.info.kind),
            },
        };
        let pipeline = open_input(input, run, &hints.translated(Some))?;
        let sink = CountSink {
            metrics: Arc::clone(&self.info.metrics),
            side,
            start: parking_lot::Mutex::new(Some(counts)),
        };
        // One table, so one worker: the order of first appearance is the order of the result.
        let mut locals = run_to_sink(run, pipeline, &sink, 1)?;
        locals
            .pop()
            .flatten()
            .ok_or_else(|| llkv_result::Error::internal("a set operation lost its counts"))
    }

    fn put_out(&self, counts: &Counts, batch_rows: usize) -> Result<Vec<Batch>> {
        let mut batches = Vec::new();
        let mut start = 0;
        while start < counts.left.len() {
            let count = batch_rows.min(counts.left.len() - start);
            let mut indices = Vec::new();
            for at in 0..count {
                let left = counts.left.get(start + at).copied().unwrap_or(0);
                let right = counts.right.get(start + at).copied().unwrap_or(0);
                for _ in 0..self.times(left, right) {
                    indices.push(at as u32);
                }
            }
            if !indices.is_empty() {
                let keys = Batch::new(counts.table.keys(start, count)?, count);
                batches.push(if indices.len() == count && !self.all {
                    keys
                } else {
                    let rows = indices.len();
                    let mut taken = keys.take(&UInt32Array::from(indices))?;
                    taken.rows = rows;
                    taken
                });
            }
            start += count;
        }
        Ok(batches)
    }

    fn times(&self, left: u64, right: u64) -> u64 {
        match (self.kind, self.all) {
            (SetOpKind::Except, true) => left.saturating_sub(right),
            (SetOpKind::Except, false) => u64::from(left > 0 && right == 0),
            (SetOpKind::Intersect, true) => left.min(right),
            (SetOpKind::Intersect, false) => u64::from(left > 0 && right > 0),
        }
    }
}

struct CountSink {
    metrics: Arc<OperatorMetrics>,
    side: Side,
    start: parking_lot::Mutex<Option<Counts>>,
}

impl Sink for CountSink {
    type Local = Option<Counts>;

    fn local(&self) -> Result<Option<Counts>> {
        Ok(self.start.lock().take())
    }

    fn consume(&self, local: &mut Option<Counts>, batch: Batch, _: Place) -> Result<Flow> {
        let Some(counts) = local else {
            return Ok(Flow::Stop);
        };
        let table = &mut counts.table;
        table.intern(&batch.columns, batch.rows, &mut counts.groups)?;
        counts.left.resize(table.len(), 0);
        counts.right.resize(table.len(), 0);
        let side = match self.side {
            Side::Left => &mut counts.left,
            Side::Right => &mut counts.right,
        };
        for group in &counts.groups {
            if let Some(count) = side.get_mut(*group as usize) {
                *count += 1;
            }
        }
        counts
            .memory
            .resize((counts.table.size_bytes() + counts.left.len() * 16) as u64)?;
        Ok(Flow::Continue)
    }

    fn metrics(&self) -> &OperatorMetrics {
        &self.metrics
    }
}
