//! A sink that keeps the batches as they come.

use crate::batch::Batch;
use crate::memory::MemoryReservation;
use crate::metrics::OperatorMetrics;
use crate::pipeline::{Flow, Pipeline, Place, Sink, run_to_sink};
use crate::run::Run;
use llkv_result::Result;
use std::sync::Arc;

struct CollectSink<'a> {
    run: &'a Run,
    operator: &'static str,
    metrics: Arc<OperatorMetrics>,
}

struct Collected {
    batches: Vec<(Place, Batch)>,
    memory: MemoryReservation,
}

impl Sink for CollectSink<'_> {
    type Local = Collected;

    fn local(&self) -> Result<Collected> {
        Ok(Collected {
            batches: Vec::new(),
            memory: self.run.reserve(self.operator),
        })
    }

    fn consume(&self, local: &mut Collected, batch: Batch, place: Place) -> Result<Flow> {
        local.memory.grow(batch.memory_bytes())?;
        local.batches.push((place, batch));
        Ok(Flow::Continue)
    }

    fn metrics(&self) -> &OperatorMetrics {
        &self.metrics
    }
}

/// All batches of the pipeline in the order of their rows, whatever worker they came through, with the
/// memory reserved for them on behalf of `operator`.
pub(crate) fn collect(
    run: &Run,
    pipeline: Pipeline,
    operator: &'static str,
    metrics: &Arc<OperatorMetrics>,
) -> Result<(Vec<Batch>, MemoryReservation)> {
    let sink = CollectSink {
        run,
        operator,
        metrics: Arc::clone(metrics),
    };
    let locals = run_to_sink(run, pipeline, &sink, usize::MAX)?;
    let mut memory = run.reserve(operator);
    let mut batches = Vec::new();
    for local in locals {
        memory.absorb(local.memory);
        batches.extend(local.batches);
    }
    batches.sort_unstable_by_key(|(place, _)| *place);
    Ok((
        batches.into_iter().map(|(_, batch)| batch).collect(),
        memory,
    ))
}
