//! Runs a pipeline into a sink on one or several threads.

use super::{Chain, Flow, MorselReader, Pipeline, Place, Sink, Stage};
use crate::metrics::{OperatorMetrics, OperatorSpan, SpanRole};
use crate::run::{Run, guarded, on_threads};
use llkv_result::Result;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Stages that may run at the same time, with their morsels counted through.
#[derive(Clone)]
pub(crate) struct Group {
    /// Each with its first morsel.
    stages: Arc<Vec<(usize, Stage)>>,
    /// Morsels in all.
    pub(crate) morsels: usize,
    /// Rows in all, roughly.
    pub(crate) rows: u64,
}

impl Group {
    pub(crate) fn new(stages: Vec<Stage>) -> Self {
        let mut morsels = 0;
        let mut rows = 0_u64;
        let stages = stages.into_iter().map(|stage| {
            let start = morsels;
            morsels += stage.source.morsels();
            rows = rows.saturating_add(stage.source.estimated_rows());
            (start, stage)
        });
        Self {
            stages: Arc::new(stages.collect()),
            morsels,
            rows,
        }
    }

    /// The stage of a morsel of the group.
    pub(crate) fn stage_of(&self, morsel: usize) -> usize {
        self.stages.partition_point(|(start, _)| *start <= morsel) - 1
    }

    /// Notes in all operators that the group ran since `start`, and in which one it ended.
    pub(crate) fn note_spans(
        &self,
        run: &Run,
        start: Duration,
        workers: usize,
        sink: Option<&OperatorMetrics>,
    ) {
        if !run.context.notes_spans {
            return;
        }
        let (number, end) = (run.next_pipeline(), run.elapsed());
        let span = |role| OperatorSpan {
            pipeline: Some(number),
            role,
            start,
            end,
            workers,
        };
        for (_, stage) in self.stages.iter() {
            stage.metrics.span(span(SpanRole::Source));
            for step in &stage.steps {
                step.metrics.span(span(SpanRole::Step));
            }
        }
        if let Some(sink) = sink {
            sink.span(span(SpanRole::Sink));
        }
    }

    /// The order in which a sink that takes any gets the morsels of the group; `None` for their own.
    fn order(&self) -> Result<Option<Vec<usize>>> {
        match self.stages.as_slice() {
            [(_, stage)] => stage.source.best_first(),
            _ => Ok(None),
        }
    }

    /// Opens a morsel of the group.
    fn read(&self, morsel: usize) -> Result<Option<(usize, MorselReader)>> {
        let at = self.stage_of(morsel);
        let Some((start, stage)) = self.stages.get(at) else {
            return Ok(None);
        };
        Ok(Some((at, stage.source.read(morsel - start)?)))
    }
}

/// One worker's chains through the stages of a group, made when first needed.
pub(crate) struct Lane {
    group: Group,
    chains: Vec<Option<Chain>>,
    current: usize,
}

impl Lane {
    pub(crate) fn new(group: &Group) -> Self {
        Self {
            group: group.clone(),
            chains: group.stages.iter().map(|_| None).collect(),
            current: 0,
        }
    }

    /// Begins a morsel of the group.
    pub(crate) fn begin(&mut self, morsel: usize) -> Result<()> {
        if let Some((at, reader)) = self.group.read(morsel)?
            && let (Some(slot), Some((_, stage))) =
                (self.chains.get_mut(at), self.group.stages.get(at))
        {
            slot.get_or_insert_with(|| Chain::new(stage)).begin(reader);
            self.current = at;
        }
        Ok(())
    }

    /// The next batch of the morsel.
    pub(crate) fn next(&mut self, run: &Run) -> Result<Option<crate::batch::Batch>> {
        match self.chains.get_mut(self.current) {
            Some(Some(chain)) => chain.next(run),
            _ => Ok(None),
        }
    }
}

/// What the workers of one group share.
struct Shared<'a, S: Sink> {
    run: &'a Run,
    group: Group,
    order: Option<Vec<usize>>,
    /// Number of the group's first morsel in the pipeline.
    base: usize,
    sink: &'a S,
    next: AtomicUsize,
    stop: AtomicBool,
}

impl<S: Sink> Shared<'_, S> {
    fn work(&self, local: &mut S::Local) -> Result<()> {
        let mut lane = Lane::new(&self.group);
        loop {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            if turn >= self.group.morsels || self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let ordered = self.order.as_ref().and_then(|order| order.get(turn));
            let morsel = ordered.copied().unwrap_or(turn);
            lane.begin(morsel)?;
            let mut place = Place {
                morsel: self.base + morsel,
                sequence: 0,
            };
            while let Some(batch) = lane.next(self.run)? {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let start = Instant::now();
                let flow = self.sink.consume(local, batch, place)?;
                self.sink.metrics().time_since(start);
                if flow == Flow::Stop {
                    self.stop.store(true, Ordering::Relaxed);
                }
                place.sequence += 1;
            }
        }
    }
}

/// Runs all rows of `pipeline` into `sink` and gives what the workers gathered. With `workers` capped at
/// one the rows arrive in their order.
pub(crate) fn run_to_sink<S: Sink>(
    run: &Run,
    pipeline: Pipeline,
    sink: &S,
    max_workers: usize,
) -> Result<Vec<S::Local>> {
    let mut locals: Vec<S::Local> = Vec::new();
    let mut base = 0;
    for stages in pipeline.into_groups() {
        let group = Group::new(stages);
        let morsels = group.morsels;
        run.expect_rows(group.rows);
        let workers = run.workers(morsels, group.rows).min(max_workers);
        while locals.len() < workers {
            locals.push(sink.local()?);
        }
        let shared = Shared {
            run,
            order: match max_workers {
                // One worker, because the order of the rows matters.
                1 => None,
                _ => group.order()?,
            },
            group,
            base,
            sink,
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        };
        let start = run.elapsed();
        locals = run_group(&shared, locals, workers)?;
        let sink = Some(sink.metrics());
        shared.group.note_spans(run, start, workers, sink);
        base += morsels;
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
    }
    if locals.is_empty() {
        locals.push(sink.local()?);
    }
    Ok(locals)
}

fn run_group<S: Sink>(
    shared: &Shared<'_, S>,
    mut locals: Vec<S::Local>,
    workers: usize,
) -> Result<Vec<S::Local>> {
    if workers == 1 {
        if let Some(local) = locals.first_mut() {
            shared.work(local)?;
        }
        return Ok(locals);
    }
    let slots: Vec<Mutex<Option<S::Local>>> =
        locals.into_iter().map(|l| Mutex::new(Some(l))).collect();
    on_threads(workers, |number| {
        let Some(slot) = slots.get(number) else {
            return Ok(());
        };
        let mut local = slot.lock();
        if let Some(local) = local.as_mut() {
            // Errors and panics alike end the other workers.
            guarded(|| shared.work(local))
                .inspect_err(|_| shared.stop.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    })?;
    Ok(slots.into_iter().filter_map(Mutex::into_inner).collect())
}
