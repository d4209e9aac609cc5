//! A sink that keeps the batches as they come.

use crate::batch::Batch;
use crate::metrics::OperatorMetrics;
use crate::pipeline::{Flow, Pipeline, Place, Sink, run_to_sink};
use crate::run::Run;
use crate::spill::Spiller;
use llkv_result::Result;
use llkv_types::MemoryReservation;

struct CollectSink<'a> {
    run: &'a Run,
    spiller: &'a Spiller,
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
            memory: self.run.reserve(self.spiller.operator),
        })
    }

    fn consume(&self, local: &mut Collected, batch: Batch, place: Place) -> Result<Flow> {
        let bytes = local.memory.bytes() + batch.memory_bytes();
        self.spiller.must_fit(&mut local.memory, bytes)?;
        local.batches.push((place, batch));
        Ok(Flow::Continue)
    }

    fn metrics(&self) -> &OperatorMetrics {
        &self.spiller.metrics
    }
}

/// All batches of the pipeline in the order of their rows, whatever worker they came through, with the
/// memory reserved for them. They stay in memory: where the budget has no room for them, that is an error.
pub(crate) fn collect(
    run: &Run,
    pipeline: Pipeline,
    spiller: &Spiller,
) -> Result<(Vec<Batch>, MemoryReservation)> {
    let sink = CollectSink { run, spiller };
    let locals = run_to_sink(run, pipeline, &sink, usize::MAX)?;
    let mut memory = run.reserve(spiller.operator);
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
