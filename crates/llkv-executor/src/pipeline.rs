//! Pipelines: a source of morsels, a chain of steps, a sink.
//!
//! A worker takes a morsel from the [`Source`], moves its batches through the [`Step`]s and hands what
//! comes out to a [`Sink`]. Workers share sources, steps and sinks, keep their own state for each, and
//! meet only when the sink is finished.

mod buffered;
mod chain;
mod queue;
mod scheduler;
mod stream;

pub(crate) use buffered::{BufferedSource, slices};
pub(crate) use chain::Chain;
pub(crate) use scheduler::run_to_sink;
pub(crate) use stream::PipelineStream;

use crate::batch::Batch;
use crate::metrics::OperatorMetrics;
use llkv_result::Result;
use std::sync::Arc;

/// Batches of one morsel.
pub(crate) type MorselReader = Box<dyn Iterator<Item = Result<Batch>> + Send>;

/// Where rows come from, cut into morsels that may be read at the same time.
pub(crate) trait Source: Send + Sync {
    /// How many morsels; their order is the order of the rows.
    fn morsels(&self) -> usize;

    /// Rows in all, roughly: decides whether threads are worth it.
    fn estimated_rows(&self) -> u64;

    /// All morsels in the order in which they are best read, where nobody needs them in their own.
    ///
    /// # Errors
    /// When what the order rests on cannot be read.
    fn best_first(&self) -> Result<Option<Vec<usize>>> {
        Ok(None)
    }

    /// Opens a morsel.
    fn read(&self, morsel: usize) -> Result<MorselReader>;
}

/// A streaming operator, shared by the workers.
pub(crate) trait Step: Send + Sync {
    /// The state of one worker.
    fn start(self: Arc<Self>) -> Box<dyn StepState>;
}

/// One worker's side of a [`Step`]: a batch is pushed, then results are pulled until there are none.
pub(crate) trait StepState: Send {
    /// Takes a batch. Called only after [`Self::pull`] gave `None`.
    fn push(&mut self, batch: Batch) -> Result<()>;

    /// The next result of the batch, `None` when the next batch is wanted.
    fn pull(&mut self) -> Result<Option<Batch>>;
}

/// The place of a batch in the order of the pipeline's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The morsel, counted over all stages.
    pub(crate) morsel: usize,
    /// The batch within what came out of the morsel.
    pub(crate) sequence: usize,
}

/// Whether a sink wants more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// More rows, please.
    Continue,
    /// The sink has all it needs; the sources stop.
    Stop,
}

/// Where a pipeline ends: rows are gathered per worker, then put together.
pub(crate) trait Sink: Send + Sync {
    /// What one worker gathers.
    type Local: Send;

    /// An empty start for a worker.
    fn local(&self) -> Result<Self::Local>;

    /// Takes a batch.
    fn consume(&self, local: &mut Self::Local, batch: Batch, place: Place) -> Result<Flow>;

    /// The counters of the operator that the sink belongs to.
    fn metrics(&self) -> &OperatorMetrics;
}

/// A step with the counters of its operator.
#[derive(Clone)]
pub(crate) struct CountedStep {
    pub(crate) step: Arc<dyn Step>,
    pub(crate) metrics: Arc<OperatorMetrics>,
}

/// A source and the steps that its rows go through.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) source: Arc<dyn Source>,
    /// Counters of the operator that the source belongs to.
    pub(crate) metrics: Arc<OperatorMetrics>,
    pub(crate) steps: Vec<CountedStep>,
    /// The stage may begin only when all stages before it have ended.
    pub(crate) barrier: bool,
}

/// A slice of a pipeline's rows in their order.
#[derive(Clone)]
pub(crate) struct Slice {
    pub(crate) skip: u64,
    pub(crate) fetch: u64,
    /// Counters of the operator that wants no more.
    pub(crate) metrics: Arc<OperatorMetrics>,
}

impl Slice {
    /// Rows from the start beyond which nothing is needed.
    pub(crate) fn end(&self) -> u64 {
        self.skip.saturating_add(self.fetch)
    }
}

/// Everything before a sink: the rows of the stages, one stage after the other.
#[derive(Clone, Default)]
pub(crate) struct Pipeline {
    pub(crate) stages: Vec<Stage>,
    /// Which of the rows are wanted. Row-by-row steps may come after; see [`Self::settled`].
    pub(crate) slice: Option<Slice>,
}

impl Pipeline {
    /// A pipeline that is only a source.
    pub(crate) fn from_source(source: Arc<dyn Source>, metrics: &Arc<OperatorMetrics>) -> Self {
        Self {
            stages: vec![Stage {
                source,
                metrics: Arc::clone(metrics),
                steps: Vec::new(),
                barrier: false,
            }],
            slice: None,
        }
    }

    /// Appends a step to every stage.
    pub(crate) fn then(mut self, step: Arc<dyn Step>, metrics: &Arc<OperatorMetrics>) -> Self {
        for stage in &mut self.stages {
            stage.steps.push(CountedStep {
                step: Arc::clone(&step),
                metrics: Arc::clone(metrics),
            });
        }
        self
    }

    /// Appends a stage.
    pub(crate) fn and_stage(mut self, stage: Stage) -> Self {
        self.stages.push(stage);
        self
    }

    /// The stages cut at the barriers: those of a group may run at the same time.
    pub(crate) fn into_groups(self) -> Vec<Vec<Stage>> {
        if !self.stages.iter().skip(1).any(|stage| stage.barrier) {
            return match self.stages.is_empty() {
                true => Vec::new(),
                false => vec![self.stages],
            };
        }
        let mut groups: Vec<Vec<Stage>> = Vec::new();
        for stage in self.stages {
            match groups.last_mut() {
                Some(group) if !stage.barrier => group.push(stage),
                _ => groups.push(vec![stage]),
            }
        }
        groups
    }
}
