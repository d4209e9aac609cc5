//! When operators took part in a query.

use parking_lot::Mutex;
use std::time::Duration;

/// What an operator did in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpanRole {
    /// The rows of the pipeline came from it.
    Source,
    /// The rows of the pipeline went through it.
    Step,
    /// The pipeline ended in it.
    Sink,
    /// It worked on what it had gathered, while none of its pipelines ran.
    Between,
}

impl SpanRole {
    /// A word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Step => "step",
            Self::Sink => "sink",
            Self::Between => "between",
        }
    }
}

/// A stretch of time in which an operator took part in a query, counted from the query's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperatorSpan {
    /// The pipeline, numbered in the order in which pipelines ended.
    pub pipeline: Option<u32>,
    /// What the operator did.
    pub role: SpanRole,
    /// Beginning.
    pub start: Duration,
    /// End.
    pub end: Duration,
    /// Threads that ran the pipeline.
    pub workers: usize,
}

/// The spans of one operator, as they come.
#[derive(Debug, Default)]
pub(super) struct Spans(Mutex<Vec<OperatorSpan>>);

impl Spans {
    /// Spans that are kept: a recursion may run a pipeline a million times.
    const MOST: usize = 256;

    pub(super) fn add(&self, span: OperatorSpan) {
        let mut spans = self.0.lock();
        if spans.len() < Self::MOST {
            spans.push(span);
        }
    }

    pub(super) fn read(&self) -> Vec<OperatorSpan> {
        self.0.lock().clone()
    }
}
