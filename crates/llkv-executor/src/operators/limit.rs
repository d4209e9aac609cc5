//! A slice of the rows.

use super::{Hints, Operator, OperatorInfo, open_input};
use crate::pipeline::{Pipeline, Slice};
use crate::run::Run;
use crate::spill::{RowBuffer, Spiller};
use llkv_result::Result;
use std::sync::Arc;

/// LIMIT and OFFSET over an input.
pub(crate) struct LimitOperator {
    pub(crate) info: OperatorInfo,
    pub(crate) input: Box<dyn Operator>,
    pub(crate) skip: u64,
    pub(crate) fetch: Option<u64>,
}

impl Operator for LimitOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }

    /// Marks the slice at the pipeline's end: whoever pulls the rows in their order stops after it. Hints
    /// stop here, for a row left out below the limit would let another one in.
    fn open(&self, run: &Arc<Run>, _: &Hints) -> Result<Pipeline> {
        let fetch = self.fetch.unwrap_or(u64::MAX);
        if fetch == 0 {
            return Ok(Pipeline::default());
        }
        let mut pipeline = open_input(self.input.as_ref(), run, &Hints::default())?;
        pipeline.slice = Some(Slice {
            skip: self.skip,
            fetch,
            metrics: Arc::clone(&self.info.metrics),
        });
        Ok(pipeline)
    }
}

/// A pipeline without a slice: its rows are gathered where it has one, stopping after the last wanted row.
pub(crate) fn settled(run: &Arc<Run>, pipeline: Pipeline, info: &OperatorInfo) -> Result<Pipeline> {
    if pipeline.slice.is_none() {
        return Ok(pipeline);
    }
    let spiller = Spiller::new(run, info).named("limit");
    let source = RowBuffer::of_pipeline(run, spiller, pipeline)?;
    // The rows were counted as they came; reading them again counts for nobody.
    Ok(Pipeline::from_source(source, &Arc::default()))
}
