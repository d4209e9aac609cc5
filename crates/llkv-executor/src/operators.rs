//! The operators, a file each. All have the same skeleton: a struct of what the plan says, and one
//! [`Operator::open`] that gives a pipeline; streaming operators append a step to their input's
//! pipeline, breakers run it into a sink and begin a new one.

mod aggregate;
mod collect;
mod detail;
mod expand;
mod external;
mod filter;
mod join;
mod limit;
mod project;
mod recursive;
mod scan;
mod series;
mod set_op;
mod shared;
mod sort;
mod through;
mod top_k;
mod union_all;
mod values;
mod window;

pub(crate) use aggregate::AggregateOperator;
pub(crate) use detail::list;
pub(crate) use expand::{ExpandOperator, Expansion};
pub(crate) use external::ExternalOperator;
pub(crate) use filter::{Filter, FilterOperator};
pub(crate) use join::{JoinOperator, JoinSpec, PairCalls, PairFilter};
pub(crate) use limit::LimitOperator;
pub(crate) use project::{ProjectOperator, Projection};
pub(crate) use recursive::{RecursiveInputs, RecursiveOperator, WorkingTableOperator};
pub(crate) use scan::ScanOperator;
pub(crate) use series::{PreparedSeries, SeriesOperator, SeriesSpec};
pub(crate) use set_op::SetOperator;
pub(crate) use shared::SharedOperator;
pub(crate) use sort::{SortOperator, gather};
pub(crate) use top_k::TopKOperator;
pub(crate) use union_all::UnionAllOperator;
pub(crate) use values::ValuesOperator;
pub(crate) use window::{SieveSpec, WindowOperator, WindowSpec};

use crate::metrics::{OperatorMetrics, OperatorStatistics, ScanStatistics};
use crate::pipeline::Pipeline;
use crate::resolve::Column;
use crate::run::Run;
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use llkv_plan::{LogicalPlan, PlanNote, PlanNotes};
use llkv_result::Result;
use llkv_table::{KeySet, LiveBound, ScanCounters};
use llkv_types::{Scalar, SqlType};
use std::sync::{Arc, OnceLock};

/// A node of the physical tree.
pub(crate) trait Operator: Send + Sync {
    /// What it is and what it puts out.
    fn info(&self) -> &OperatorInfo;

    /// Its inputs.
    fn inputs(&self) -> Vec<&dyn Operator>;

    /// Does everything that must be done before rows can flow, and gives what makes them flow. `hints`
    /// tell which rows the operator above does not need.
    fn open(&self, run: &Arc<Run>, hints: &Hints) -> Result<Pipeline>;

    /// What storage did for it.
    fn scan_counters(&self) -> Option<&ScanCounters> {
        None
    }
}

/// What every operator has.
pub(crate) struct OperatorInfo {
    /// The kind, as statistics name it.
    pub(crate) kind: &'static str,
    /// What an operator works on that stands for no node of the plan, for people; of the others the plan tells.
    added: Option<String>,
    /// Columns put out.
    pub(crate) columns: Vec<Column>,
    /// Counters.
    pub(crate) metrics: Arc<OperatorMetrics>,
    /// What EXPLAIN says of the plan's node.
    pub(crate) note: OnceLock<PlanNote>,
}

impl OperatorInfo {
    pub(crate) fn new(kind: &'static str, columns: Vec<Column>) -> Self {
        Self {
            kind,
            added: None,
            columns,
            metrics: Arc::default(),
            note: OnceLock::new(),
        }
    }

    /// The same for an operator that stands for no node of the plan, and what it works on.
    pub(crate) fn added(mut self, detail: String) -> Self {
        self.added = Some(detail);
        self
    }

    /// Arrow types of the columns.
    pub(crate) fn types(&self) -> Vec<DataType> {
        self.columns.iter().map(|c| c.ty.to_arrow()).collect()
    }

    /// Arrow types of the columns, and whether NULL can be in them.
    pub(crate) fn key_types(&self) -> Vec<(DataType, bool)> {
        let columns = self.columns.iter();
        columns.map(|c| (c.ty.to_arrow(), c.nullable)).collect()
    }
}

/// Bounds of a column, both inclusive.
#[derive(Debug, Clone)]
pub(crate) struct ColumnBounds {
    /// Position among the operator's columns.
    pub(crate) position: usize,
    pub(crate) low: Scalar,
    pub(crate) high: Scalar,
    /// The only values that matter, and maybe a few strangers.
    pub(crate) keys: Option<Arc<KeySet>>,
}

impl ColumnBounds {
    /// What the keys of the other side of a join say of a column. `None` where they are no integers, or there
    /// are none.
    pub(crate) fn of_keys(position: usize, keys: &ArrayRef) -> Result<Option<Self>> {
        let Some((low, high)) = join::extremes(keys) else {
            return Ok(None);
        };
        Ok(Some(Self {
            position,
            low: Scalar::from_array(keys.as_ref(), low)?,
            high: Scalar::from_array(keys.as_ref(), high)?,
            keys: KeySet::of_array(keys.as_ref()).map(Arc::new),
        }))
    }
}

/// Rows that the operator above would throw away, found while the query runs. An operator may pass them
/// on, use them, or ignore them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints {
    /// Rows outside of any of these, or NULL there, are not needed.
    pub(crate) bounds: Vec<ColumnBounds>,
    /// Positions of text columns that may come as dictionary arrays: whoever asks for them reads them as such, and
    /// nobody in between reads them at all.
    pub(crate) coded: Vec<usize>,
    /// Position of a column of which a top-k above wants no values beyond a bound, which moves while rows flow. Rows may
    /// come in any order. For operators that hand on rows as they come.
    pub(crate) live: Option<(usize, Arc<LiveBound>)>,
}

impl Hints {
    /// All texts among some columns may come as dictionary arrays.
    pub(crate) fn of_coded_texts(columns: &[Column]) -> Self {
        let texts = columns.iter().enumerate();
        let texts = texts.filter(|(_, column)| column.ty == SqlType::Text);
        Self {
            coded: texts.map(|(position, _)| position).collect(),
            ..Self::default()
        }
    }

    /// The bound that moves in terms of an input, as [`Self::translated`].
    pub(crate) fn translated_live(
        &self,
        position: impl Fn(usize) -> Option<usize>,
    ) -> Option<(usize, Arc<LiveBound>)> {
        let (at, bound) = self.live.as_ref()?;
        Some((position(*at)?, Arc::clone(bound)))
    }

    /// The hints in terms of an input: `position` tells where a column comes from. Columns come plain, and a bound that
    /// moves is dropped.
    pub(crate) fn translated(&self, position: impl Fn(usize) -> Option<usize>) -> Self {
        let bounds = self.bounds.iter().filter_map(|bounds| {
            Some(ColumnBounds {
                position: position(bounds.position)?,
                ..bounds.clone()
            })
        });
        Self {
            bounds: bounds.collect(),
            coded: Vec::new(),
            live: None,
        }
    }
}

/// Opens an input whose rows may be filtered, joined or gathered: a LIMIT at its end is carried out first.
pub(crate) fn open_input(input: &dyn Operator, run: &Arc<Run>, hints: &Hints) -> Result<Pipeline> {
    // As deep as the plan, which may be deeper than the caller's stack.
    stacker::maybe_grow(64 * 1024, 1024 * 1024, || {
        limit::settled(run, input.open(run, hints)?, input.info())
    })
}

/// Gives the operators of a plan what EXPLAIN says of their nodes.
pub(crate) fn annotate(operator: &dyn Operator, plan: &LogicalPlan, notes: &PlanNotes) {
    stacker::maybe_grow(64 * 1024, 1024 * 1024, || {
        let inputs = operator.inputs();
        if operator.info().added.is_some() {
            inputs
                .into_iter()
                .for_each(|input| annotate(input, plan, notes));
            return;
        }
        if let Some(note) = notes.of(plan) {
            // Noted once: an operator is compiled for one plan.
            let _ = operator.info().note.set(note.clone());
        }
        for (input, plan) in inputs.into_iter().zip(plan.inputs()) {
            annotate(input, plan, notes);
        }
    });
}

/// What the operator of a plan and its inputs did so far.
pub(crate) fn statistics(operator: &dyn Operator, plan: &LogicalPlan) -> OperatorStatistics {
    stacker::maybe_grow(64 * 1024, 1024 * 1024, || {
        let info = operator.info();
        let inputs = operator.inputs().into_iter();
        let (detail, inputs) = match &info.added {
            Some(detail) => (
                detail.clone(),
                inputs.map(|input| statistics(input, plan)).collect(),
            ),
            None => (
                detail::of(plan),
                inputs
                    .zip(plan.inputs())
                    .map(|(input, plan)| statistics(input, plan))
                    .collect(),
            ),
        };
        OperatorStatistics {
            scan: operator.scan_counters().map(ScanStatistics::read),
            note: info.note.get().cloned(),
            ..OperatorStatistics::read(info.kind, detail, &info.metrics, inputs)
        }
    })
}
