//! Expressions over the rows that a statement writes: RETURNING and the values of DO UPDATE.

use arrow::array::{BooleanArray, RecordBatch, RecordBatchIterator};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use llkv_compute::PreparedExpr;
use llkv_expr::{ColumnId, Expr};
use llkv_plan::{PlanColumn, Projection, Returning};
use llkv_result::{Result, SelectStream, StatementResult};
use std::sync::Arc;

/// An expression over columns of a plan, ready for batches that hold these columns in their order.
pub(crate) fn prepare(expr: &Expr, columns: &[PlanColumn]) -> Result<PreparedExpr> {
    let position = |id: ColumnId| {
        let at = columns.iter().position(|column| column.id == id)?;
        let ty = columns.get(at)?.ty;
        Some(Expr::column(ColumnId(u32::try_from(at).ok()?), ty))
    };
    PreparedExpr::new(&expr.clone().map_columns(&mut |id| position(id)))
}

/// Computed columns, ready for batches.
pub(crate) struct RowValues {
    schema: SchemaRef,
    values: Vec<PreparedExpr>,
}

impl RowValues {
    pub(crate) fn new(projections: &[Projection], columns: &[PlanColumn]) -> Result<Self> {
        let fields: Vec<Field> = projections
            .iter()
            .map(|p| Field::new(&p.column.name, p.column.ty.to_arrow(), true))
            .collect();
        let values = projections.iter().map(|p| prepare(&p.expr, columns));
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
            values: values.collect::<Result<_>>()?,
        })
    }

    pub(crate) fn of(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.values.iter().map(|value| value.evaluate(rows));
        let columns = columns.collect::<Result<_>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

/// The rows that RETURNING gives back: computed while the statement runs, so that an error undoes it.
pub(crate) struct Returned {
    values: Option<RowValues>,
    batches: Vec<RecordBatch>,
}

impl Returned {
    pub(crate) fn new(returning: Option<&Returning>) -> Result<Self> {
        let values = returning.map(|r| RowValues::new(&r.columns, &r.rows));
        Ok(Self {
            values: values.transpose()?,
            batches: Vec::new(),
        })
    }

    /// Takes the rows of a batch that `kept` marks; all where it is absent.
    pub(crate) fn add(&mut self, rows: &RecordBatch, kept: Option<&BooleanArray>) -> Result<()> {
        let Some(values) = &self.values else {
            return Ok(());
        };
        self.batches.push(match kept {
            Some(kept) => values.of(&filter_record_batch(rows, kept)?)?,
            None => values.of(rows)?,
        });
        Ok(())
    }

    /// The rows where the statement asked for them, else what it gives without.
    pub(crate) fn or(self, counted: StatementResult) -> StatementResult {
        let Some(values) = self.values else {
            return counted;
        };
        let batches = self.batches.into_iter().map(Ok);
        let batches: Vec<_> = batches.collect();
        let stream = RecordBatchIterator::new(batches, values.schema);
        StatementResult::Select(Box::new(stream) as SelectStream)
    }
}
