//! Rows that several places of the plan read.

use super::{Hints, Operator, OperatorInfo, open_input};
use crate::pipeline::Pipeline;
use crate::run::Run;
use crate::spill::{RowBuffer, Spiller};
use llkv_result::Result;
use std::sync::Arc;

/// One of the places. The first that is opened computes the rows; what is over the memory budget is written to a file.
pub(crate) struct SharedOperator {
    pub(crate) info: OperatorInfo,
    pub(crate) input: Box<dyn Operator>,
    /// Which rows.
    pub(crate) number: u32,
    /// How many places read them.
    pub(crate) places: u32,
}

impl Operator for SharedOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }

    /// Hints stop here: another place may need the rows.
    fn open(&self, run: &Arc<Run>, _: &Hints) -> Result<Pipeline> {
        let source = run.shared(self.number, self.places, || {
            let pipeline = open_input(self.input.as_ref(), run, &Hints::default())?;
            RowBuffer::of_pipeline(run, Spiller::new(run, &self.info), pipeline)
        })?;
        Ok(Pipeline::from_source(source, &self.info.metrics))
    }
}
