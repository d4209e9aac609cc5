//! Rows for which a predicate is true.

use super::{Hints, Operator, OperatorInfo, open_input};
use crate::batch::Batch;
use crate::pipeline::{Pipeline, Step, StepState};
use crate::resolve::Prepared;
use crate::run::Run;
use llkv_result::Result;
use std::sync::Arc;

/// A filter over its input.
pub(crate) struct FilterOperator {
    pub(crate) info: OperatorInfo,
    pub(crate) input: Box<dyn Operator>,
    pub(crate) filter: Arc<Filter>,
}

impl Operator for FilterOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }

    fn open(&self, run: &Arc<Run>, hints: &Hints) -> Result<Pipeline> {
        let positions = &self.filter.output;
        let position = |p: usize| positions.get(p).copied();
        let hints = Hints {
            live: hints.translated_live(position),
            ..hints.translated(position)
        };
        let input = open_input(self.input.as_ref(), run, &hints)?;
        Ok(input.then(Arc::clone(&self.filter) as _, &self.info.metrics))
    }
}

/// Keeps the rows for which the predicate is true, and of them some columns: one that only the predicate
/// reads is not worth copying.
pub(crate) struct Filter {
    pub(crate) predicate: Prepared,
    /// Positions of the columns put out.
    pub(crate) output: Vec<usize>,
}

impl Filter {
    fn apply(&self, batch: &Batch) -> Result<Batch> {
        let mask = self.predicate.evaluate_predicate(batch)?;
        let positions = self.output.iter();
        let columns: Result<Vec<_>> = positions.map(|p| batch.column(*p).cloned()).collect();
        Batch::new(columns?, batch.rows).filter(&mask)
    }
}

impl Step for Filter {
    fn start(self: Arc<Self>) -> Box<dyn StepState> {
        Box::new(FilterState {
            filter: self,
            batch: None,
        })
    }
}

struct FilterState {
    filter: Arc<Filter>,
    batch: Option<Batch>,
}

impl StepState for FilterState {
    fn push(&mut self, batch: Batch) -> Result<()> {
        self.batch = Some(batch);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Batch>> {
        let batch = self.batch.take();
        batch.map(|batch| self.filter.apply(&batch)).transpose()
    }
}
