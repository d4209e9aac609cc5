//! Rows of a table.

use super::filter::Filter;
use super::{Hints, Operator, OperatorInfo};
use crate::batch::Batch;
use crate::pipeline::{MorselReader, Pipeline, Source};
use crate::run::Run;
use llkv_result::Result;
use llkv_table::{
    ColumnPredicate, ColumnTest, LiveColumn, RowFilter, ScanCounters, ScanRequest, TableScan,
};
use llkv_types::{Collation, FieldId, IndexId, TableId};
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
    /// What is evaluated in the scan, before the columns of `info` are read.
    pub(crate) filter: Option<RowFilter>,
    /// By which rows are looked up.
    pub(crate) index: Option<IndexId>,
    /// Tests of collations' keys by which it finds rows; they are in `filter` or `residual` too.
    pub(crate) of_keys: Vec<(ColumnPredicate, Collation)>,
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
        let field = |position: usize| {
            let read = match &self.residual {
                Some(residual) => *residual.output.get(position)?,
                None => position,
            };
            self.fields.get(read).copied()
        };
        let mut predicates = self.predicates.clone();
        predicates.extend(hints.bounds.iter().filter_map(|bounds| {
            Some(ColumnPredicate {
                field: field(bounds.position)?,
                test: match &bounds.keys {
                    Some(keys) => ColumnTest::Keys(Arc::clone(keys)),
                    None => ColumnTest::Range {
                        low: Bound::Included(bounds.low.clone()),
                        high: Bound::Included(bounds.high.clone()),
                    },
                },
            })
        }));
        let live = hints.live.as_ref().and_then(|(position, bound)| {
            Some(LiveColumn {
                field: field(*position)?,
                bound: Arc::clone(bound),
            })
        });
        let best_first = live.is_some();
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
            filter: self.filter.clone(),
            live,
            index: self.index,
            of_keys: self.of_keys.clone(),
            batch_rows: run.batch_rows(),
            counters: Some(Arc::clone(&self.counters)),
        })?;
        let pipeline =
            Pipeline::from_source(Arc::new(Morsels { scan, best_first }), &self.info.metrics);
        Ok(match &self.residual {
            // Counted as the scan's own: what it puts out is what passes.
            Some(filter) => pipeline.then(Arc::clone(filter) as _, &self.info.metrics),
            None => pipeline,
        })
    }
}

struct Morsels {
    scan: TableScan,
    /// Somebody above wants the best values soon, and rows in any order.
    best_first: bool,
}

impl Source for Morsels {
    fn morsels(&self) -> usize {
        self.scan.morsel_count()
    }

    fn estimated_rows(&self) -> u64 {
        self.scan.estimated_rows()
    }

    fn best_first(&self) -> Result<Option<Vec<usize>>> {
        match self.best_first {
            true => self.scan.best_first(),
            false => Ok(None),
        }
    }

    fn read(&self, morsel: usize) -> Result<MorselReader> {
        let batches = self.scan.read(morsel)?;
        Ok(Box::new(batches.map(|batch| batch.map(Batch::from))))
    }
}
