//! EXCEPT and INTERSECT. Counts over the memory budget are written to partitions in temporary files and added up a partition
//! at a time.

mod counts;
mod spilled;

use super::{Hints, Operator, OperatorInfo, open_input};
use crate::batch::Batch;
use crate::metrics::OperatorMetrics;
use crate::pipeline::{Flow, Pipeline, Place, Sink, run_to_sink};
use crate::run::Run;
use crate::spill::Spiller;
use arrow::datatypes::DataType;
use counts::{CountedSource, Counts, Side};
use llkv_plan::SetOpKind;
use llkv_result::Result;
use std::sync::Arc;

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
        let rule = Rule {
            types: self.info.key_types(),
            kind: self.kind,
            all: self.all,
        };
        let spiller = Spiller::new(run, &self.info);
        let counts = Counts::new(run, &spiller, &rule)?;
        let mut counts = self.count(run, hints, self.left.as_ref(), Side::Left, counts)?;
        if !counts.is_empty() {
            counts = self.count(run, hints, self.right.as_ref(), Side::Right, counts)?;
        }
        let metrics = &self.info.metrics;
        if counts.is_spilled() {
            let source = spilled::SpilledSource::new(run, &spiller, rule, counts)?;
            return Ok(Pipeline::from_source(Arc::new(source), metrics));
        }
        let source = CountedSource::new(counts, rule, run.batch_rows());
        Ok(Pipeline::from_source(Arc::new(source), metrics))
    }
}

/// What is counted, and how often each row is put out.
#[derive(Clone)]
struct Rule {
    types: Vec<(DataType, bool)>,
    kind: SetOpKind,
    all: bool,
}

impl Rule {
    fn times(&self, left: u64, right: u64) -> u64 {
        match (self.kind, self.all) {
            (SetOpKind::Except, true) => left.saturating_sub(right),
            (SetOpKind::Except, false) => u64::from(left > 0 && right == 0),
            (SetOpKind::Intersect, true) => left.min(right),
            (SetOpKind::Intersect, false) => u64::from(left > 0 && right > 0),
        }
    }
}

impl SetOperator {
    fn count(
        &self,
        run: &Arc<Run>,
        hints: &Hints,
        input: &dyn Operator,
        side: Side,
        counts: Counts,
    ) -> Result<Counts> {
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
        counts.add(&batch, self.side)?;
        Ok(Flow::Continue)
    }

    fn metrics(&self) -> &OperatorMetrics {
        &self.metrics
    }
}
