//! One aggregate call: its arguments, its filter, its order.

use crate::batch::Batch;
use crate::keys::SortKeys;
use crate::resolve::{Column, Prepared, prepare_all};
use arrow::array::{ArrayRef, BooleanArray};
use llkv_compute::{GroupsAccumulator, create_accumulator};
use llkv_expr::AggregateExpr;
use llkv_result::Result;

/// A call over the input's columns.
pub(in crate::operators) struct Call {
    call: AggregateExpr,
    args: Vec<Prepared>,
    filter: Option<Prepared>,
    /// Keys of ORDER BY within the call.
    order: Vec<Prepared>,
}

/// Rows for an accumulator.
#[derive(Default)]
pub(in crate::operators) struct Fed {
    pub(in crate::operators) args: Vec<ArrayRef>,
    /// The rows that count; all where it is absent.
    pub(in crate::operators) mask: Option<BooleanArray>,
    /// The groups of the rows, where they are not those of the batch.
    pub(in crate::operators) groups: Option<Vec<u32>>,
}

impl Call {
    pub(in crate::operators) fn new(call: &AggregateExpr, columns: &[Column]) -> Result<Self> {
        let filter = call.filter.as_ref();
        Ok(Self {
            args: prepare_all(&call.args, columns)?,
            filter: filter.map(|f| Prepared::new(f, columns)).transpose()?,
            order: prepare_all(call.order_by.iter().map(|key| &key.expr), columns)?,
            call: call.clone(),
        })
    }

    /// An accumulator without any group.
    pub(in crate::operators) fn accumulator(&self) -> Result<Box<dyn GroupsAccumulator>> {
        create_accumulator(&self.call)
    }

    /// The result depends on the order in which rows come in, as no ORDER BY within the call decides.
    pub(in crate::operators) fn depends_on_order(&self) -> bool {
        self.call.function.depends_on_order() && self.is_direct()
    }

    /// Rows are fed as they come: there is no ORDER BY within the call.
    pub(in crate::operators) fn is_direct(&self) -> bool {
        self.order.is_empty()
    }

    /// Whether the call reads the column at a position.
    pub(in crate::operators) fn reads(&self, position: usize) -> bool {
        let exprs = self.args.iter().chain(&self.filter).chain(&self.order);
        exprs.into_iter().any(|expr| expr.reads(position))
    }

    /// How many arguments.
    pub(in crate::operators) fn arity(&self) -> usize {
        self.args.len()
    }

    /// What an accumulator is to be fed of a batch. Arguments that are computed are computed only for the
    /// rows that pass the call's filter: `sum(1 / x) FILTER (WHERE x <> 0)` does not fail.
    pub(in crate::operators) fn fed(&self, batch: &Batch, groups: &[u32]) -> Result<Fed> {
        let Some(filter) = &self.filter else {
            return Ok(Fed {
                args: self.arguments(batch)?,
                ..Fed::default()
            });
        };
        let mask = filter.evaluate_predicate(batch)?;
        if self.args.iter().all(|arg| arg.as_column().is_some()) {
            return Ok(Fed {
                args: self.arguments(batch)?,
                mask: Some(mask),
                groups: None,
            });
        }
        let kept = batch.clone().filter(&mask)?;
        let rows = mask.values().set_indices();
        let groups = rows.filter_map(|row| groups.get(row).copied());
        Ok(Fed {
            args: self.arguments(&kept)?,
            mask: None,
            groups: Some(groups.collect()),
        })
    }

    /// The arguments for each row.
    fn arguments(&self, batch: &Batch) -> Result<Vec<ArrayRef>> {
        self.args.iter().map(|arg| arg.evaluate(batch)).collect()
    }

    /// What is kept of a batch until all rows are there: the group keys, the arguments, the keys of the
    /// order, of the rows that count.
    pub(in crate::operators) fn buffered(&self, batch: &Batch, keys: &[ArrayRef]) -> Result<Batch> {
        let mut kept = Batch::new(keys.to_vec(), batch.rows);
        let mut rows = batch.clone();
        if let Some(filter) = &self.filter {
            let mask = filter.evaluate_predicate(batch)?;
            kept = kept.filter(&mask)?;
            rows = rows.filter(&mask)?;
        }
        kept.columns.extend(self.arguments(&rows)?);
        for key in &self.order {
            kept.columns.push(key.evaluate(&rows)?);
        }
        Ok(kept)
    }

    /// Columns that [`Self::buffered`] gives after the group keys.
    pub(in crate::operators) fn buffered_columns(&self) -> usize {
        self.args.len() + self.order.len()
    }

    /// The order of buffered rows, whose key columns begin at `position`.
    pub(in crate::operators) fn buffered_order(&self, position: usize) -> Result<SortKeys> {
        SortKeys::from_position(&self.call.order_by, position)
    }
}
