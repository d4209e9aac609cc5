//! All rows of several inputs.

use super::{Hints, Operator, OperatorInfo, open_input};
use crate::pipeline::Pipeline;
use crate::run::Run;
use llkv_result::Result;
use std::sync::Arc;

/// The inputs' rows, one input after the other; threads work on several at the same time.
pub(crate) struct UnionAllOperator {
    pub(crate) info: OperatorInfo,
    /// Inputs with equal numbers of columns.
    pub(crate) inputs: Vec<Box<dyn Operator>>,
}

impl Operator for UnionAllOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        self.inputs.iter().map(AsRef::as_ref).collect()
    }

    fn open(&self, run: &Arc<Run>, hints: &Hints) -> Result<Pipeline> {
        let mut stages = Vec::new();
        for input in &self.inputs {
            stages.extend(open_input(input.as_ref(), run, hints)?.stages);
        }
        Ok(Pipeline {
            stages,
            slice: None,
        }
        .then(Arc::new(super::through::Through), &self.info.metrics))
    }
}
