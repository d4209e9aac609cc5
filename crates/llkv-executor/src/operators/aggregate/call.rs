//! One aggregate call: its arguments, its filter, its order.

use crate::batch::Batch;
use crate::keys::SortKeys;
use crate::resolve::{Prepared, prepare_all};
use arrow::array::{ArrayRef, BooleanArray};
use llkv_compute::{GroupsAccumulator, create_accumulator};
use llkv_expr::{AggregateExpr, AggregateFunction};
use llkv_plan::PlanColumn;
use llkv_result::Result;

/// A call over the input's columns.
pub(super) struct Call {
    call: AggregateExpr,
    args: Vec<Prepared>,
    filter: Option<Prepared>,
    /// Keys of ORDER BY within the call.
    order: Vec<Prepared>,
}

impl Call {
    pub(super) fn new(call: &AggregateExpr, columns: &[PlanColumn]) -> Result<Self> {
        let filter = call.filter.as_ref();
        Ok(Self {
            args: prepare_all(&call.args, columns)?,
            filter: filter.map(|f| Prepared::new(f, columns)).transpose()?,
            order: prepare_all(call.order_by.iter().map(|key| &key.expr), columns)?,
            call: call.clone(),
        })
    }

    /// An accumulator without any group.
    pub(super) fn accumulator(&self) -> Result<Box<dyn GroupsAccumulator>> {
        create_accumulator(&self.call)
    }

    /// The result depends on the order in which rows come in, as no ORDER BY within the call decides.
    pub(super) fn depends_on_order(&self) -> bool {
        matches!(
            self.call.function,
            AggregateFunction::First | AggregateFunction::AnyValue | AggregateFunction::StringAgg
        ) && self.is_direct()
    }

    /// Rows are fed as they come: there is no ORDER BY within the call.
    pub(super) fn is_direct(&self) -> bool {
        self.order.is_empty()
    }

    /// How many arguments.
    pub(super) fn arity(&self) -> usize {
        self.args.len()
    }

    /// The arguments for each row.
    pub(super) fn arguments(&self, batch: &Batch) -> Result<Vec<ArrayRef>> {
        self.args.iter().map(|arg| arg.evaluate(batch)).collect()
    }

    /// The rows that count; all where there is no filter.
    pub(super) fn mask(&self, batch: &Batch) -> Result<Option<BooleanArray>> {
        let filter = self.filter.as_ref();
        filter.map(|f| f.evaluate_predicate(batch)).transpose()
    }

    /// What is kept of a batch until all rows are there: the group keys, the arguments, the keys of the
    /// order, of the rows that count.
    pub(super) fn buffered(&self, batch: &Batch, keys: &[ArrayRef]) -> Result<Batch> {
        let mut columns = keys.to_vec();
        columns.extend(self.arguments(batch)?);
        for key in &self.order {
            columns.push(key.evaluate(batch)?);
        }
        let kept = Batch::new(columns, batch.rows);
        match self.mask(batch)? {
            Some(mask) => kept.filter(&mask),
            None => Ok(kept),
        }
    }

    /// The order of buffered rows, whose key columns begin at `position`.
    pub(super) fn buffered_order(&self, position: usize) -> Result<SortKeys> {
        SortKeys::from_position(&self.call.order_by, position)
    }
}
