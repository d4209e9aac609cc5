//! The rows of a pipeline, pulled by one consumer in their order.

use super::queue::OrderedQueue;
use super::scheduler::{Group, Lane};
use super::{Pipeline, Slice};
use crate::batch::Batch;
use crate::run::{Run, guarded};
use llkv_result::Result;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A pipeline that runs while it is pulled: on the caller's thread where it is small, else on threads
/// of its own that run ahead by a bounded number of batches. Dropping it stops them.
pub(crate) struct PipelineStream {
    run: Arc<Run>,
    groups: VecDeque<Group>,
    current: Option<Current>,
    /// Rows still to be left out, and those still wanted.
    slice: Slice,
    /// Rows of one morsel beyond which nothing is needed.
    morsel_rows: u64,
}

/// The group that runs.
struct Current {
    runner: Runner,
    group: Group,
    start: Duration,
    workers: usize,
}

enum Runner {
    Serial(Serial),
    Parallel(Parallel),
}

impl PipelineStream {
    pub(crate) fn new(run: &Arc<Run>, mut pipeline: Pipeline) -> Self {
        let slice = pipeline.slice.take().unwrap_or_else(|| Slice {
            skip: 0,
            fetch: u64::MAX,
            metrics: Arc::default(),
        });
        let groups = pipeline.into_groups().into_iter().map(Group::new);
        Self {
            run: Arc::clone(run),
            groups: groups.collect(),
            current: None,
            morsel_rows: slice.end(),
            slice,
        }
    }

    /// The next batch, `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Batch>> {
        while self.slice.fetch > 0 {
            let Some(batch) = self.next_unsliced()? else {
                break;
            };
            let rows = batch.rows as u64;
            let slice = &mut self.slice;
            if rows <= slice.skip {
                slice.skip -= rows;
                continue;
            }
            let offset = std::mem::take(&mut slice.skip);
            let kept = (rows - offset).min(slice.fetch);
            slice.fetch -= kept;
            // Both are at most the batch's rows.
            let batch = batch.slice(offset as usize, kept as usize);
            slice.metrics.batch(&batch);
            return Ok(Some(batch));
        }
        self.end_current();
        self.groups.clear();
        Ok(None)
    }

    fn next_unsliced(&mut self) -> Result<Option<Batch>> {
        loop {
            let batch = match self.current.as_mut().map(|current| &mut current.runner) {
                Some(Runner::Serial(serial)) => serial.next(&self.run)?,
                Some(Runner::Parallel(parallel)) => parallel.next()?,
                None => None,
            };
            if batch.is_some() {
                return Ok(batch);
            }
            self.end_current();
            let Some(group) = self.groups.pop_front() else {
                return Ok(None);
            };
            self.run.expect_rows(group.rows);
            self.current = Some(self.start(group));
        }
    }

    fn start(&self, group: Group) -> Current {
        let start = self.run.elapsed();
        let workers = self.run.workers(group.morsels, group.rows);
        if workers > 1
            && let Some(parallel) = Parallel::start(&self.run, &group, workers, self.morsel_rows)
        {
            return Current {
                runner: Runner::Parallel(parallel),
                group,
                start,
                workers,
            };
        }
        let serial = Serial {
            lane: Lane::new(&group),
            morsels: group.morsels,
            next: 0,
            open: false,
        };
        Current {
            runner: Runner::Serial(serial),
            group,
            start,
            workers: 1,
        }
    }

    /// Ends the group that runs, its threads first.
    fn end_current(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        drop(current.runner);
        let group = current.group;
        group.note_spans(&self.run, current.start, current.workers, None);
    }
}

impl Drop for PipelineStream {
    fn drop(&mut self) {
        self.end_current();
    }
}

/// A group on the caller's thread.
struct Serial {
    lane: Lane,
    morsels: usize,
    next: usize,
    open: bool,
}

impl Serial {
    fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        loop {
            if self.open {
                if let Some(batch) = self.lane.next(run)? {
                    return Ok(Some(batch));
                }
                self.open = false;
            }
            if self.next >= self.morsels {
                return Ok(None);
            }
            self.lane.begin(self.next)?;
            self.open = true;
            self.next += 1;
        }
    }
}

/// A group on threads of its own.
struct Parallel {
    queue: Arc<OrderedQueue>,
    /// Batches taken out of the queue.
    ready: VecDeque<Batch>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// What a worker thread of a [`Parallel`] works on.
struct Worker {
    run: Arc<Run>,
    group: Group,
    queue: Arc<OrderedQueue>,
    next: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    morsel_rows: u64,
}

impl Parallel {
    /// `None` where the system gives no thread.
    fn start(run: &Arc<Run>, group: &Group, workers: usize, morsel_rows: u64) -> Option<Self> {
        let queue = Arc::new(OrderedQueue::new(
            group.morsels,
            workers,
            run.is_memory_limited(),
        ));
        let stop = Arc::new(AtomicBool::new(false));
        let next = Arc::new(AtomicUsize::new(0));
        let mut threads = Vec::with_capacity(workers);
        for number in 0..workers {
            let worker = Worker {
                run: Arc::clone(run),
                group: group.clone(),
                queue: Arc::clone(&queue),
                next: Arc::clone(&next),
                stop: Arc::clone(&stop),
                morsel_rows,
            };
            let spawned = std::thread::Builder::new()
                .name(format!("llkv-stream-{number}"))
                .spawn(move || {
                    let outcome = guarded(|| worker.work());
                    let queue = Arc::clone(&worker.queue);
                    // The worker's share of the query goes before the consumer hears of its end.
                    drop(worker);
                    queue.leave(outcome);
                });
            match spawned {
                Ok(thread) => threads.push(thread),
                Err(_) => queue.leave(Ok(())),
            }
        }
        (!threads.is_empty()).then_some(Self {
            queue,
            ready: VecDeque::new(),
            stop,
            threads,
        })
    }

    fn next(&mut self) -> Result<Option<Batch>> {
        if self.ready.is_empty() {
            self.ready = self.queue.pop()?;
        }
        Ok(self.ready.pop_front())
    }
}

impl Worker {
    fn work(&self) -> Result<()> {
        let mut lane = Lane::new(&self.group);
        while !self.stop.load(Ordering::Relaxed) {
            let morsel = self.next.fetch_add(1, Ordering::Relaxed);
            if morsel >= self.group.morsels {
                return Ok(());
            }
            lane.begin(morsel)?;
            let mut rows = 0;
            while rows < self.morsel_rows
                && let Some(batch) = lane.next(&self.run)?
            {
                rows += batch.rows as u64;
                if self.stop.load(Ordering::Relaxed) || !self.queue.push(morsel, batch) {
                    return Ok(());
                }
            }
            self.queue.finish(morsel);
            if rows >= self.morsel_rows {
                // The chain may stand in the middle of a batch: the next morsel begins afresh.
                lane = Lane::new(&self.group);
            }
        }
        Ok(())
    }
}

impl Drop for Parallel {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.queue.close();
        for thread in self.threads.drain(..) {
            // A panic of the thread already became an error in the queue.
            let _ = thread.join();
        }
    }
}
