//! A step that passes batches on as they are: for an operator that only counts.

use crate::batch::Batch;
use crate::pipeline::{Step, StepState};
use llkv_result::Result;
use std::sync::Arc;

/// Passes batches on.
pub(crate) struct Through;

impl Step for Through {
    fn start(self: Arc<Self>) -> Box<dyn StepState> {
        Box::new(ThroughState { batch: None })
    }
}

struct ThroughState {
    batch: Option<Batch>,
}

impl StepState for ThroughState {
    fn push(&mut self, batch: Batch) -> Result<()> {
        self.batch = Some(batch);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Batch>> {
        Ok(self.batch.take())
    }
}
