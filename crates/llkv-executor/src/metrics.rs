//! What every operator counts: rows, batches, time, bytes.

mod print;
mod span;

pub use span::{OperatorSpan, SpanRole};

use llkv_plan::PlanNote;
use llkv_table::ScanCounters;
use span::Spans;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counters of one operator while it runs, shared by the workers.
#[derive(Debug, Default)]
pub(crate) struct OperatorMetrics {
    rows: AtomicU64,
    batches: AtomicU64,
    nanos: AtomicU64,
    bytes: AtomicU64,
    spilled_bytes: AtomicU64,
    spans: Spans,
}

impl OperatorMetrics {
    /// Notes a stretch of time in which the operator took part in the query.
    pub(crate) fn span(&self, span: OperatorSpan) {
        self.spans.add(span);
    }

    /// Counts the time since `start`, which the operator needed between two pipelines.
    pub(crate) fn between_pipelines(&self, run: &crate::run::Run, start: Instant) {
        self.time_since(start);
        if !run.context.notes_spans {
            return;
        }
        let end = run.elapsed();
        self.span(OperatorSpan {
            pipeline: None,
            role: SpanRole::Between,
            start: end.saturating_sub(start.elapsed()),
            end,
            workers: 1,
        });
    }

    /// Counts bytes written to temporary files.
    pub(crate) fn spilled(&self, bytes: u64) {
        self.spilled_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts a batch that the operator put out.
    pub(crate) fn batch(&self, batch: &crate::batch::Batch) {
        self.rows.fetch_add(batch.rows as u64, Ordering::Relaxed);
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(batch.width_bytes(), Ordering::Relaxed);
    }

    /// Counts the time since `start` as the operator's own.
    pub(crate) fn time_since(&self, start: Instant) {
        self.add_time(start.elapsed());
    }

    /// Counts the time since `last`, in which nothing else was done, and moves `last` on: half as many looks at the
    /// clock as with a beginning and an end of each step.
    pub(crate) fn lap(&self, last: &mut Instant) {
        let now = Instant::now();
        self.add_time(now.duration_since(*last));
        *last = now;
    }

    /// Counts time as the operator's own.
    pub(crate) fn add_time(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// What one operator of a query did, with what its inputs did. Printed by `EXPLAIN ANALYZE`.
#[derive(Debug, Clone)]
pub struct OperatorStatistics {
    /// The operator's kind: `scan`, `hash join`, ...
    pub operator: &'static str,
    /// What it works on, for people.
    pub detail: String,
    /// Rows it put out.
    pub rows: u64,
    /// Batches it put out.
    pub batches: u64,
    /// Time spent in it, summed over the workers; its inputs not included.
    pub time: Duration,
    /// Bytes of the values it put out; a string counts as its 16-byte view.
    pub bytes: u64,
    /// Bytes it wrote to temporary files, as often as it wrote them.
    pub spilled_bytes: u64,
    /// When it took part in the query.
    pub spans: Vec<OperatorSpan>,
    /// What EXPLAIN says of the plan's node, where it was asked.
    pub note: Option<PlanNote>,
    /// What storage did, for scans of tables.
    pub scan: Option<ScanStatistics>,
    /// Its inputs.
    pub inputs: Vec<OperatorStatistics>,
}

/// What storage did for a scan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanStatistics {
    /// Row groups of which at least one value was read.
    pub row_groups_read: u64,
    /// Row groups left out by their statistics.
    pub row_groups_pruned: u64,
    /// Blocks of 8,192 rows that were read.
    pub blocks_read: u64,
    /// Blocks left out by their statistics, in row groups that were read.
    pub blocks_pruned: u64,
    /// Rows looked at.
    pub rows_scanned: u64,
    /// Stored bytes decoded.
    pub bytes_read: u64,
}

impl ScanStatistics {
    pub(crate) fn read(counters: &ScanCounters) -> Self {
        Self {
            row_groups_read: counters.row_groups_read.load(Ordering::Relaxed),
            row_groups_pruned: counters.row_groups_pruned.load(Ordering::Relaxed),
            blocks_read: counters.blocks_read.load(Ordering::Relaxed),
            blocks_pruned: counters.blocks_pruned.load(Ordering::Relaxed),
            rows_scanned: counters.rows_scanned.load(Ordering::Relaxed),
            bytes_read: counters.bytes_read.load(Ordering::Relaxed),
        }
    }
}

impl OperatorStatistics {
    pub(crate) fn read(
        operator: &'static str,
        detail: String,
        metrics: &OperatorMetrics,
        inputs: Vec<OperatorStatistics>,
    ) -> Self {
        Self {
            operator,
            detail,
            rows: metrics.rows.load(Ordering::Relaxed),
            batches: metrics.batches.load(Ordering::Relaxed),
            time: Duration::from_nanos(metrics.nanos.load(Ordering::Relaxed)),
            bytes: metrics.bytes.load(Ordering::Relaxed),
            spilled_bytes: metrics.spilled_bytes.load(Ordering::Relaxed),
            spans: metrics.spans.read(),
            note: None,
            scan: None,
            inputs,
        }
    }

    /// Sums per kind of operator, in order of first appearance.
    #[must_use]
    pub fn by_kind(&self) -> Vec<OperatorSums> {
        let mut sums = Vec::new();
        self.add_to(&mut sums);
        sums
    }

    fn add_to(&self, sums: &mut Vec<OperatorSums>) {
        let found = sums.iter().position(|s| s.operator == self.operator);
        let at = found.unwrap_or(sums.len());
        if found.is_none() {
            sums.push(OperatorSums {
                operator: self.operator,
                ..OperatorSums::default()
            });
        }
        if let Some(sum) = sums.get_mut(at) {
            sum.operators += 1;
            sum.rows += self.rows;
            sum.batches += self.batches;
            sum.time += self.time;
            sum.bytes += self.bytes;
            sum.spilled_bytes += self.spilled_bytes;
        }
        for input in &self.inputs {
            input.add_to(sums);
        }
    }
}

/// What all operators of one kind did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorSums {
    /// The kind.
    pub operator: &'static str,
    /// How many operators of it the plan has.
    pub operators: u64,
    /// Rows put out.
    pub rows: u64,
    /// Batches put out.
    pub batches: u64,
    /// Time spent, summed over the workers.
    pub time: Duration,
    /// Bytes of the values put out.
    pub bytes: u64,
    /// Bytes written to temporary files.
    pub spilled_bytes: u64,
}
