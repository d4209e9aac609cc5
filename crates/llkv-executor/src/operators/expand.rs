//! Each row once for each of several sets of keys.

use super::{Hints, Operator, OperatorInfo, open_input};
use crate::batch::Batch;
use crate::pipeline::{Pipeline, Step, StepState};
use crate::resolve::Prepared;
use crate::run::Run;
use arrow::array::{ArrayRef, Int64Array, new_null_array};
use llkv_result::Result;
use std::sync::Arc;

/// Copies of rows, in which the keys that a set does not have are NULL.
pub(crate) struct ExpandOperator {
    pub(crate) info: OperatorInfo,
    pub(crate) input: Box<dyn Operator>,
    pub(crate) expansion: Arc<Expansion>,
}

impl Operator for ExpandOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }

    fn open(&self, run: &Arc<Run>, hints: &Hints) -> Result<Pipeline> {
        let passed = &self.expansion.passed;
        let below = hints.translated(|p| passed.get(p).copied());
        let input = open_input(self.input.as_ref(), run, &below)?;
        let step: Arc<Expansion> = Arc::clone(&self.expansion);
        Ok(input.then(step, &self.info.metrics))
    }
}

/// Columns of the copies: some of the input's, the keys, the number of the set.
pub(crate) struct Expansion {
    /// Positions in the input.
    pub(crate) passed: Vec<usize>,
    pub(crate) keys: Vec<Prepared>,
    pub(crate) sets: Vec<Vec<bool>>,
}

impl Step for Expansion {
    fn start(self: Arc<Self>) -> Box<dyn StepState> {
        Box::new(ExpansionState {
            expansion: self,
            rows: None,
            next: 0,
        })
    }
}

struct ExpansionState {
    expansion: Arc<Expansion>,
    /// Columns passed through and keys, of so many rows.
    rows: Option<(Vec<ArrayRef>, Vec<ArrayRef>, usize)>,
    /// The set of the next copy.
    next: usize,
}

impl StepState for ExpansionState {
    fn push(&mut self, batch: Batch) -> Result<()> {
        let passed = self
            .expansion
            .passed
            .iter()
            .map(|at| batch.column(*at).cloned());
        let keys = self.expansion.keys.iter().map(|key| key.evaluate(&batch));
        self.rows = Some((
            passed.collect::<Result<_>>()?,
            keys.collect::<Result<_>>()?,
            batch.rows,
        ));
        self.next = 0;
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Batch>> {
        let Some((passed, keys, rows)) = &self.rows else {
            return Ok(None);
        };
        let Some(set) = self.expansion.sets.get(self.next) else {
            self.rows = None;
            return Ok(None);
        };
        let mut columns = passed.clone();
        columns.extend(keys.iter().zip(set).map(|(key, has)| match has {
            true => Arc::clone(key),
            false => new_null_array(key.data_type(), *rows),
        }));
        columns.push(Arc::new(Int64Array::from_value(self.next as i64, *rows)));
        self.next += 1;
        Ok(Some(Batch::new(columns, *rows)))
    }
}
