//! Computed columns.

use super::{Hints, Operator, OperatorInfo};
use crate::batch::Batch;
use crate::pipeline::{Pipeline, Step, StepState};
use crate::resolve::Prepared;
use crate::run::Run;
use llkv_result::Result;
use std::sync::Arc;

/// A projection over its input.
pub(crate) struct ProjectOperator {
    pub(crate) info: OperatorInfo,
    pub(crate) input: Box<dyn Operator>,
    pub(crate) projection: Arc<Projection>,
}

impl Operator for ProjectOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }

    /// A LIMIT below stays at the pipeline's end: a projection puts out a row for each row.
    fn open(&self, run: &Arc<Run>, hints: &Hints) -> Result<Pipeline> {
        let exprs = &self.projection.exprs;
        let position = |p: usize| exprs.get(p).and_then(Prepared::as_column);
        let mut below = Hints {
            live: hints.translated_live(position),
            ..hints.translated(position)
        };
        // What is passed through and read by nothing else stays in whatever form it comes.
        let passed = hints
            .coded
            .iter()
            .filter_map(|p| exprs.get(*p)?.as_column());
        below.coded = passed
            .filter(|at| exprs.iter().filter(|expr| expr.reads(*at)).count() == 1)
            .collect();
        let hints = below;
        let input = self.input.open(run, &hints)?;
        let step: Arc<Projection> = Arc::clone(&self.projection);
        Ok(input.then(step, &self.info.metrics))
    }
}

/// One expression for each column put out.
pub(crate) struct Projection {
    pub(crate) exprs: Vec<Prepared>,
}

impl Step for Projection {
    fn start(self: Arc<Self>) -> Box<dyn StepState> {
        Box::new(ProjectionState {
            projection: self,
            batch: None,
        })
    }
}

struct ProjectionState {
    projection: Arc<Projection>,
    batch: Option<Batch>,
}

impl StepState for ProjectionState {
    fn push(&mut self, batch: Batch) -> Result<()> {
        self.batch = Some(batch);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Batch>> {
        let Some(batch) = self.batch.take() else {
            return Ok(None);
        };
        let exprs = self.projection.exprs.iter();
        let columns: Result<Vec<_>> = exprs.map(|expr| expr.evaluate(&batch)).collect();
        Ok(Some(Batch::new(columns?, batch.rows)))
    }
}
