//! Constant rows.

use super::{Hints, Operator, OperatorInfo};
use crate::batch::Batch;
use crate::pipeline::{BufferedSource, Pipeline};
use crate::run::Run;
use llkv_result::Result;
use std::sync::Arc;

/// Rows that the plan holds.
pub(crate) struct ValuesOperator {
    pub(crate) info: OperatorInfo,
    /// The rows, with the columns of `info` only.
    pub(crate) batches: Vec<Batch>,
}

impl Operator for ValuesOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![]
    }

    fn open(&self, run: &Arc<Run>, _: &Hints) -> Result<Pipeline> {
        let source = BufferedSource::new(self.batches.clone(), run.batch_rows(), None);
        Ok(Pipeline::from_source(Arc::new(source), &self.info.metrics))
    }
}
