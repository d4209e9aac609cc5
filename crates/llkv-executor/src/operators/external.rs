//! Rows of a file or a system view.

use super::{Hints, Operator, OperatorInfo};
use crate::batch::Batch;
use crate::pipeline::{MorselReader, Pipeline, Source};
use crate::run::Run;
use llkv_plan::ExternalSource;
use llkv_result::Result;
use std::sync::Arc;

/// A source outside of the database; its partitions are the morsels.
pub(crate) struct ExternalOperator {
    pub(crate) info: OperatorInfo,
    pub(crate) source: Arc<dyn ExternalSource>,
    /// Positions in the source's schema.
    pub(crate) projection: Vec<usize>,
}

impl Operator for ExternalOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![]
    }

    fn open(&self, run: &Arc<Run>, _: &Hints) -> Result<Pipeline> {
        let source = Partitions {
            source: Arc::clone(&self.source),
            projection: self.projection.clone(),
            batch_rows: run.batch_rows(),
        };
        Ok(Pipeline::from_source(Arc::new(source), &self.info.metrics))
    }
}

struct Partitions {
    source: Arc<dyn ExternalSource>,
    projection: Vec<usize>,
    batch_rows: usize,
}

impl Source for Partitions {
    fn morsels(&self) -> usize {
        self.source.partitions()
    }

    /// A source that does not know its rows is taken for a large one.
    fn estimated_rows(&self) -> u64 {
        self.source.estimated_rows().unwrap_or(u64::MAX)
    }

    fn read(&self, morsel: usize) -> Result<MorselReader> {
        let batches = self
            .source
            .read(morsel, &self.projection, self.batch_rows)?;
        Ok(Box::new(batches.map(|batch| batch.map(Batch::from))))
    }
}
