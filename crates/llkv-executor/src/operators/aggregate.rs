//! Groups and values over them, in two phases: every worker groups the rows that it sees, then the workers'
//! groups are merged, large numbers of them partition by partition in parallel. Groups over the memory budget are written
//! to partitions in temporary files, as partial results, and merged a partition at a time.

mod call;
mod finish;
mod local;
mod merged;
mod spilled;

use super::{Hints, Operator, OperatorInfo, open_input};
use crate::keys::has_digits;
use crate::metrics::OperatorMetrics;
use crate::pipeline::{Flow, Pipeline, Place, Sink, run_to_sink};
use crate::resolve::{Prepared, prepare_all};
use crate::run::Run;
use crate::spill::Spiller;
use arrow::datatypes::DataType;
pub(super) use call::Call;
use llkv_expr::AggregateExpr;
use llkv_plan::Projection;
use llkv_result::Result;
use local::Partial;
use std::sync::Arc;
use std::time::Instant;

/// GROUP BY, or DISTINCT where there are no calls.
pub(crate) struct AggregateOperator {
    info: OperatorInfo,
    input: Box<dyn Operator>,
    spec: Arc<AggregateSpec>,
}

/// What is grouped and computed.
struct AggregateSpec {
    keys: Vec<Prepared>,
    /// Arrow types of the keys, and whether NULL can be in them.
    key_types: Vec<(DataType, bool)>,
    calls: Vec<Call>,
}

impl AggregateSpec {
    /// Without keys there is one group, even of no rows.
    fn is_ungrouped(&self) -> bool {
        self.keys.is_empty()
    }

    /// Some call's result depends on the order in which rows come.
    fn is_ordered(&self) -> bool {
        self.calls.iter().any(Call::depends_on_order)
    }

    /// Positions of the keys that may come as codes: columns of text that nothing else reads, beside which there are only
    /// others that a table of combinations takes.
    fn coded_keys(&self) -> Vec<usize> {
        let mut coded = Vec::new();
        for (key, (data_type, _)) in self.keys.iter().zip(&self.key_types) {
            match (data_type, key.as_column()) {
                (DataType::Utf8View, Some(position)) => coded.push(position),
                (other, _) if has_digits(other) => {}
                _ => return Vec::new(),
            }
        }
        let is_read = |position: &usize| {
            let mut keys = self.keys.iter().filter(|key| key.as_column().is_none());
            self.calls.iter().any(|call| call.reads(*position))
                || keys.any(|key| key.reads(*position))
        };
        match self.is_direct() && !coded.iter().any(is_read) {
            true => coded,
            false => Vec::new(),
        }
    }

    /// All calls are computed row by row as they come, so that groups can be merged by partition.
    fn is_direct(&self) -> bool {
        self.calls.iter().all(Call::is_direct)
    }
}

impl AggregateOperator {
    pub(crate) fn new(
        info: OperatorInfo,
        input: Box<dyn Operator>,
        groups: &[Projection],
        calls: &[AggregateExpr],
    ) -> Result<Self> {
        let columns = &input.info().columns;
        let calls: Result<Vec<Call>> = calls.iter().map(|c| Call::new(c, columns)).collect();
        let spec = AggregateSpec {
            keys: prepare_all(groups.iter().map(|g| &g.expr), columns)?,
            key_types: groups
                .iter()
                .map(|g| (g.expr.ty().to_arrow(), g.column.nullable))
                .collect(),
            calls: calls?,
        };
        Ok(Self {
            info,
            input,
            spec: Arc::new(spec),
        })
    }

    /// Each row of the input once.
    pub(crate) fn distinct(info: OperatorInfo, input: Box<dyn Operator>) -> Self {
        let spec = AggregateSpec {
            keys: (0..info.columns.len()).map(Prepared::Column).collect(),
            key_types: info.key_types(),
            calls: Vec::new(),
        };
        Self {
            info,
            input,
            spec: Arc::new(spec),
        }
    }
}

impl Operator for AggregateOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }

    fn open(&self, run: &Arc<Run>, hints: &Hints) -> Result<Pipeline> {
        // A group is wanted or not as a whole, so what is known of a key holds below too.
        let mut hints = hints.translated(|p| self.spec.keys.get(p).and_then(Prepared::as_column));
        hints.coded = self.spec.coded_keys();
        let pipeline = open_input(self.input.as_ref(), run, &hints)?;
        let sink = AggregateSink {
            run,
            operator: self,
            spiller: Spiller::new(run, &self.info),
        };
        let workers = if self.spec.is_ordered() {
            1
        } else {
            usize::MAX
        };
        let locals = run_to_sink(run, pipeline, &sink, workers)?;
        let start = Instant::now();
        let source = finish::finish(run, &sink.spiller, &self.spec, locals)?;
        self.info.metrics.between_pipelines(run, start);
        Ok(Pipeline::from_source(source, &self.info.metrics))
    }
}

struct AggregateSink<'a> {
    run: &'a Run,
    operator: &'a AggregateOperator,
    spiller: Spiller,
}

impl Sink for AggregateSink<'_> {
    type Local = Partial;

    fn local(&self) -> Result<Partial> {
        Partial::new(self.run, &self.spiller, &self.operator.spec)
    }

    fn consume(
        &self,
        local: &mut Partial,
        batch: crate::batch::Batch,
        place: Place,
    ) -> Result<Flow> {
        local.update(&self.operator.spec, &batch, place)?;
        Ok(Flow::Continue)
    }

    fn metrics(&self) -> &OperatorMetrics {
        &self.operator.info.metrics
    }
}
