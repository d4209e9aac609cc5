//! Rows of a table.

use super::filter::Filter;
use super::{Hints, Operator, OperatorInfo};
use crate::batch::Batch;
use crate::pipeline::{MorselReader, Pipeline, Source};
use crate::run::Run;
use llkv_result::Result;
use llkv_table::{ColumnPredicate, ColumnTest, ScanCounters, ScanRequest, TableScan};
use llkv_types::{FieldId, IndexId, TableId};
use std::ops::Bound;
use std::sync::Arc;

/// A scan with the predicates that storage decides, and a filter for those that it cannot.
pub(crate) struct ScanOperator {
    pub(crate) info: OperatorInfo,
    pub(crate) table: TableId,
    /// Stored columns read; those of `info` first, then those that only `residual` reads.
    pub(crate) fields: Vec<FieldId>,
    /// The row id comes after the stored columns.
    pub(crate) with_row_id: bool,
    /// What storage decides.
    pub(crate) predicates: Vec<ColumnPredicate>,
    /// By which rows are looked up.
    pub(crate) index: Option<IndexId>,
    /// What is evaluated above the scan; it also brings the columns into the order of `info`.
    pub(crate) residual: Option<Arc<Filter>>,
    /// What storage did.
    pub(crate) counters: Arc<ScanCounters>,
}

impl Operator for ScanOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![]
    }

    fn scan_counters(&self) -> Option<&ScanCounters> {
        Some(&self.counters)
    }

    fn open(&self, run: &Arc<Run>, hints: &Hints) -> Result<Pipeline> {
        let mut predicates = self.predicates.clone();
        predicates.extend(hints.bounds.iter().filter_map(|bounds| {
            let read = self
                .residual
                .as_ref()
                .map(|r| r.output.get(bounds.position));
            let position = read.map_or(Some(bounds.position), Option::<&usize>::copied)?;
            Some(ColumnPredicate {
                field: *self.fields.get(position)?,
                test: match &bounds.keys {
                    Some(keys) => ColumnTest::Keys(Arc::clone(keys)),
                    None => ColumnTest::Range {
                        low: Bound::Included(bounds.low.clone()),
                        high: Bound::Included(bounds.high.clone()),
                    },
                },
            })
        }));
        let scan = run.table(self.table)?.scan_stream(&ScanRequest {
            columns: self.fields.clone(),
            with_row_id: self.with_row_id,
            coded: match &self.residual {
                None => hints
                    .coded
                    .iter()
                    .filter_map(|p| self.fields.get(*p).copied())
                    .collect(),
                Some(_) => Vec::new(),
            },
            predicates,
            index: self.index,
            batch_rows: run.batch_rows(),
            counters: Some(Arc::clone(&self.counters)),
        })?;
        let pipeline = Pipeline::from_source(Arc::new(Morsels { scan }), &self.info.metrics);
        Ok(match &self.residual {
            // Counted as the scan's own: what it puts out is what passes.
            Some(filter) => pipeline.then(Arc::clone(filter) as _, &self.info.metrics),
            None => pipeline,
        })
    }
}

struct Morsels {
    scan: TableScan,
}

impl Source for Morsels {
    fn morsels(&self) -> usize {
        self.scan.morsel_count()
    }

    fn estimated_rows(&self) -> u64 {
        self.scan.estimated_rows()
    }

    fn read(&self, morsel: usize) -> Result<MorselReader> {
        let batches = self.scan.read(morsel)?;
        Ok(Box::new(batches.map(|batch| batch.map(Batch::from))))
    }
}
