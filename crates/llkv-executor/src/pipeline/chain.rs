//! One worker's way through a stage: from the source's batches to what its steps make of them.

use super::{MorselReader, Stage, StepState};
use crate::batch::Batch;
use crate::metrics::OperatorMetrics;
use crate::run::Run;
use llkv_result::Result;
use std::sync::Arc;
use std::time::Instant;

struct Link {
    state: Box<dyn StepState>,
    metrics: Arc<OperatorMetrics>,
}

/// The steps of a stage with one worker's state of each. It can stop after any batch and go on later,
/// which is how a caller's thread pulls a result without a second thread.
pub(crate) struct Chain {
    reader: Option<MorselReader>,
    source: Arc<OperatorMetrics>,
    /// Whether the source's batches are what its operator puts out: not where the first step is the
    /// same operator's.
    counts_source: bool,
    links: Vec<Link>,
    /// Where the search for the next batch goes on: 0 is the source, `i` the i-th link.
    level: usize,
}

impl Chain {
    pub(crate) fn new(stage: &Stage) -> Self {
        let links = stage.steps.iter().map(|counted| Link {
            state: Arc::clone(&counted.step).start(),
            metrics: Arc::clone(&counted.metrics),
        });
        let first = stage.steps.first();
        Self {
            reader: None,
            source: Arc::clone(&stage.metrics),
            counts_source: first.is_none_or(|step| !Arc::ptr_eq(&step.metrics, &stage.metrics)),
            links: links.collect(),
            level: 0,
        }
    }

    /// Begins a morsel; the one before must have come to its end.
    pub(crate) fn begin(&mut self, reader: MorselReader) {
        self.reader = Some(reader);
        self.level = 0;
    }

    /// The next batch that comes out at the end, `None` at the end of the morsel.
    pub(crate) fn next(&mut self, run: &Run) -> Result<Option<Batch>> {
        let mut last = Instant::now();
        loop {
            let produced = match self.level.checked_sub(1) {
                None => {
                    run.check()?;
                    match self.read(&mut last)? {
                        Some(batch) => {
                            run.read_rows(batch.rows);
                            Some(batch)
                        }
                        None => return Ok(None),
                    }
                }
                Some(at) => self.pull(at, &mut last)?,
            };
            let Some(batch) = produced else {
                self.level -= 1;
                continue;
            };
            if batch.rows == 0 {
                continue;
            }
            match self.links.get_mut(self.level) {
                None => return Ok(Some(batch)),
                Some(link) => {
                    // Its time counts with that of the pull that follows.
                    link.state.push(batch)?;
                    self.level += 1;
                }
            }
        }
    }

    fn read(&mut self, last: &mut Instant) -> Result<Option<Batch>> {
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        let batch = reader.next().transpose()?;
        self.source.lap(last);
        match &batch {
            Some(batch) if self.counts_source => self.source.batch(batch),
            Some(_) => {}
            None => self.reader = None,
        }
        Ok(batch)
    }

    fn pull(&mut self, at: usize, last: &mut Instant) -> Result<Option<Batch>> {
        let Some(link) = self.links.get_mut(at) else {
            return Ok(None);
        };
        let batch = link.state.pull()?;
        link.metrics.lap(last);
        if let Some(batch) = &batch
            && batch.rows > 0
        {
            link.metrics.batch(batch);
        }
        Ok(batch)
    }
}
