//! One running query: its context, its table handles, its stop flag.

use crate::batch::Batch;
use crate::context::ExecutionContext;
use crate::pipeline::Source;
use crate::progress::Watch;
use llkv_result::{Error, ExecError, Result};
use llkv_table::TableHandle;
use llkv_types::MemoryReservation;
use llkv_types::TableId;
use parking_lot::Mutex;
use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What all workers of one query share.
pub(crate) struct Run {
    pub(crate) context: ExecutionContext,
    tables: BTreeMap<TableId, TableHandle>,
    stopped: AtomicBool,
    started: Instant,
    /// Pipelines that have ended.
    pipelines: AtomicU32,
    /// The rows of the last round of each recursion, by the number of its working table.
    working: Mutex<HashMap<u32, Vec<Batch>>>,
    /// Rows that several places of the plan read, by their number.
    shared: Mutex<HashMap<u32, Arc<Mutex<SharedRows>>>>,
    watch: Option<Watch>,
}

/// Rows that several places read.
#[derive(Default)]
struct SharedRows {
    /// None before the first place asks.
    source: Option<Arc<dyn Source>>,
    /// Places that have asked.
    asked: u32,
}

impl Run {
    pub(crate) fn new(context: ExecutionContext, tables: BTreeMap<TableId, TableHandle>) -> Self {
        Self {
            watch: context.progress.as_ref().map(Watch::new),
            context,
            tables,
            stopped: AtomicBool::new(false),
            started: Instant::now(),
            pipelines: AtomicU32::new(0),
            working: Mutex::default(),
            shared: Mutex::default(),
        }
    }

    /// The handle of a table of the plan, taken when the query began.
    pub(crate) fn table(&self, id: TableId) -> Result<&TableHandle> {
        self.tables
            .get(&id)
            .ok_or_else(|| Error::internal(format!("no handle was taken of table {id}")))
    }

    /// Puts rows into a working table, in the place of those of the round before.
    pub(crate) fn set_working(&self, table: u32, rows: Vec<Batch>) {
        self.working.lock().insert(table, rows);
    }

    /// The rows of a working table.
    pub(crate) fn working(&self, table: u32) -> Vec<Batch> {
        self.working.lock().get(&table).cloned().unwrap_or_default()
    }

    /// The rows of a number, computed for the first of so many places and held until the last has asked for them.
    pub(crate) fn shared(
        &self,
        number: u32,
        places: u32,
        compute: impl FnOnce() -> Result<Arc<dyn Source>>,
    ) -> Result<Arc<dyn Source>> {
        let rows = Arc::clone(self.shared.lock().entry(number).or_default());
        let mut rows = rows.lock();
        let source = match &rows.source {
            Some(source) => Arc::clone(source),
            None => Arc::clone(rows.source.insert(compute()?)),
        };
        rows.asked += 1;
        if rows.asked == places {
            self.shared.lock().remove(&number);
        }
        Ok(source)
    }

    /// Time since the query began, where operators note when they took part; else nobody looks at the clock.
    pub(crate) fn elapsed(&self) -> Duration {
        match self.context.notes_spans {
            true => self.started.elapsed(),
            false => Duration::ZERO,
        }
    }

    /// The number of a pipeline that has ended.
    pub(crate) fn next_pipeline(&self) -> u32 {
        self.pipelines.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn batch_rows(&self) -> usize {
        self.context.batch_rows
    }

    pub(crate) fn is_memory_limited(&self) -> bool {
        self.context.memory.limit_bytes() < u64::MAX
    }

    pub(crate) fn reserve(&self, operator: &'static str) -> MemoryReservation {
        self.context.memory.reserve(operator)
    }

    /// Makes all workers stop at their next batch.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// An error once the query was cancelled or stopped.
    pub(crate) fn check(&self) -> Result<()> {
        self.context.cancel.check()?;
        if let Some(watch) = &self.watch {
            watch.check()?;
        }
        if self.stopped.load(Ordering::Acquire) {
            return Err(ExecError::Disconnected { operator: "query" }.into());
        }
        Ok(())
    }

    /// A pipeline begins, over so many rows.
    pub(crate) fn expect_rows(&self, rows: u64) {
        if let Some(watch) = &self.watch {
            watch.expect(rows);
        }
    }

    /// A source put out so many rows.
    pub(crate) fn read_rows(&self, rows: usize) {
        if let Some(watch) = &self.watch {
            watch.read(rows as u64);
        }
    }

    /// Threads for work over about `rows` rows that falls into `parts`.
    pub(crate) fn workers(&self, parts: usize, rows: u64) -> usize {
        if rows < self.context.parallel_threshold_rows {
            return 1;
        }
        self.context.threads.min(parts).max(1)
    }

    /// Calls `work` with `0..parts` on as many threads as `rows` rows are worth; results in order.
    pub(crate) fn for_each_part<T: Send>(
        &self,
        parts: usize,
        rows: u64,
        work: impl Fn(usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let workers = self.workers(parts, rows);
        if workers == 1 {
            return (0..parts).map(work).collect();
        }
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(parts));
        on_threads(workers, |_| {
            loop {
                let part = next.fetch_add(1, Ordering::Relaxed);
                if part >= parts {
                    return Ok(());
                }
                self.check()?;
                let result =
                    guarded(|| work(part)).inspect_err(|_| next.store(parts, Ordering::Relaxed))?;
                done.lock().push((part, result));
            }
        })?;
        let mut done = done.into_inner();
        done.sort_unstable_by_key(|(part, _)| *part);
        Ok(done.into_iter().map(|(_, result)| result).collect())
    }
}

/// Runs `work` on the caller's thread and on `workers - 1` more, each with its number, and gives the
/// first error, where a panic counts as one. Should the system refuse a thread, the others do its work.
pub(crate) fn on_threads<T: Send>(
    workers: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    std::thread::scope(|scope| {
        let work = &work;
        let spawned: Vec<_> = (1..workers)
            .filter_map(|number| {
                std::thread::Builder::new()
                    .name(format!("llkv-worker-{number}"))
                    .spawn_scoped(scope, move || guarded(|| work(number)))
                    .ok()
            })
            .collect();
        let mut results = vec![guarded(|| work(0))];
        for handle in spawned {
            results.push(handle.join().unwrap_or_else(|panic| Err(panicked(&*panic))));
        }
        first_error(results)
    })
}

/// All results, or the error that best tells what went wrong.
fn first_error<T>(results: Vec<Result<T>>) -> Result<Vec<T>> {
    let mut values = Vec::with_capacity(results.len());
    let mut first: Option<Error> = None;
    for result in results {
        match result {
            Ok(value) => values.push(value),
            // "Ended early" is only the echo of the error that ended the others.
            Err(error) if first.is_none() || matches!(first, Some(ref e) if is_echo(e)) => {
                first = Some(error);
            }
            Err(_) => {}
        }
    }
    first.map_or(Ok(values), Err)
}

fn is_echo(error: &Error) -> bool {
    matches!(error, Error::Exec(ExecError::Disconnected { .. }))
}

/// Runs `work`; a panic within becomes an error.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // What a panicking operator leaves half-done is dropped with the query and never looked at.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Error::internal(format!("an operator panicked: {text}"))
}
