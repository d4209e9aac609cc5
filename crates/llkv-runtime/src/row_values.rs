//! Expressions over the rows that a statement writes: RETURNING and the values of DO UPDATE.

use crate::tables::TransactionTables;
use crate::transaction::Transaction;
use crate::{RuntimeSession, query};
use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchIterator};
use arrow::compute::{concat_batches, filter_record_batch, sort_to_indices, take_record_batch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use llkv_compute::PreparedExpr;
use llkv_expr::{ColumnId, Expr};
use llkv_plan::{LogicalPlan, PlanColumn, Projection, Returning, RowQuery};
use llkv_result::{Error, Result, SelectStream, StatementResult};
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
        let values = projections.iter().map(|p| prepare(&p.expr, columns));
        Ok(Self {
            values: values.collect::<Result<_>>()?,
            ..Self::named(projections)
        })
    }

    /// The names of the columns alone.
    fn named(projections: &[Projection]) -> Self {
        let fields: Vec<Field> = projections
            .iter()
            .map(|p| Field::new(&*p.column.name, p.column.ty.to_arrow(), true))
            .collect();
        Self {
            schema: Arc::new(Schema::new(fields)),
            values: Vec::new(),
        }
    }

    pub(crate) fn of(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.values.iter().map(|value| value.evaluate(rows));
        let columns = columns.collect::<Result<_>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

/// Expressions with subqueries over rows that are at hand.
pub(crate) struct RowQueries {
    query: RowQuery,
    /// The tables as they were before the statement, where its subqueries see them so.
    before: Option<Arc<TransactionTables>>,
}

impl RowQueries {
    /// Ready for the rows of a statement that begins.
    pub(crate) fn new(
        query: &RowQuery,
        session: &RuntimeSession,
        transaction: &Transaction,
    ) -> Result<Self> {
        let tables = || TransactionTables::new(Arc::clone(&session.context), transaction);
        let before = (!query.sees_changes).then(tables).transpose()?;
        Ok(Self {
            query: query.clone(),
            before: before.map(Arc::new),
        })
    }

    /// What is computed of the rows, in their order.
    pub(crate) fn of(
        &self,
        session: &mut RuntimeSession,
        transaction: &Transaction,
        rows: &RecordBatch,
    ) -> Result<RecordBatch> {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..).take(rows.num_rows())));
        let columns = rows.columns().iter().cloned().chain([numbers]);
        let of_plan = self.query.rows.iter();
        let fields: Vec<Field> = of_plan
            .map(|c| Field::new(&*c.name, c.ty.to_arrow(), true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(schema, columns.collect())?;
        let mut plan = self.query.plan.clone();
        fill(&mut plan, &self.query.rows, &[batch]);
        let mut execution = match &self.before {
            None => query::execute(session, transaction, plan)?,
            Some(tables) => query::execute_on(session, transaction, plan, Arc::clone(tables))?,
        };
        let mut computed = Vec::new();
        while let Some(batch) = execution.next_batch()? {
            computed.push(batch);
        }
        let Some(first) = computed.first() else {
            return Err(Error::internal("rows without their values"));
        };
        let all = concat_batches(&first.schema(), &computed)?;
        if all.num_rows() != rows.num_rows() {
            return Err(Error::internal("a row with several values"));
        }
        // Joins may give the rows in another order.
        let order = sort_to_indices(all.column(0), None, None)?;
        let values: Vec<usize> = (1..all.num_columns()).collect();
        Ok(take_record_batch(&all.project(&values)?, &order)?)
    }
}

/// Rows of columns that are told by their places.
pub(crate) fn unnamed(columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    let fields = columns.iter();
    let fields = fields.map(|column| Field::new("", column.data_type().clone(), true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

/// Puts rows into the leaf of a plan that waits for them.
pub(crate) fn fill(plan: &mut LogicalPlan, columns: &[PlanColumn], rows: &[RecordBatch]) {
    if let LogicalPlan::Values(values) = plan
        && values.columns.last().map(|c| c.id) == columns.last().map(|c| c.id)
    {
        values.batches = rows.to_vec();
        return;
    }
    plan.for_each_input_mut(&mut |input| fill(input, columns, rows));
}

/// The rows that RETURNING gives back: computed while the statement runs, so that an error undoes it.
pub(crate) struct Returned {
    values: Option<RowValues>,
    queries: Option<RowQueries>,
    /// Rows whose subqueries have not run yet.
    waiting: Vec<RecordBatch>,
    batches: Vec<RecordBatch>,
}

impl Returned {
    pub(crate) fn new(
        returning: Option<&Returning>,
        session: &RuntimeSession,
        transaction: &Transaction,
    ) -> Result<Self> {
        let query = returning.and_then(|returning| returning.query.as_ref());
        let queries = query.map(|query| RowQueries::new(query, session, transaction));
        let values = returning.map(|r| match r.query {
            None => RowValues::new(&r.columns, &r.rows),
            Some(_) => Ok(RowValues::named(&r.columns)),
        });
        Ok(Self {
            values: values.transpose()?,
            queries: queries.transpose()?,
            waiting: Vec::new(),
            batches: Vec::new(),
        })
    }

    /// True where the subqueries must run after each row.
    pub(crate) fn wants_single_rows(&self) -> bool {
        self.queries
            .as_ref()
            .is_some_and(|queries| queries.query.sees_changes)
    }

    /// Takes the rows of a batch that `kept` marks; all where it is absent.
    pub(crate) fn add(&mut self, rows: &RecordBatch, kept: Option<&BooleanArray>) -> Result<()> {
        let Some(values) = &self.values else {
            return Ok(());
        };
        let rows = match kept {
            Some(kept) => filter_record_batch(rows, kept)?,
            None => rows.clone(),
        };
        match self.queries {
            Some(_) if rows.num_rows() == 0 => {}
            Some(_) => self.waiting.push(rows),
            None => self.batches.push(values.of(&rows)?),
        }
        Ok(())
    }

    /// Runs the subqueries of the rows that wait for them.
    pub(crate) fn run_queries(
        &mut self,
        session: &mut RuntimeSession,
        transaction: &Transaction,
    ) -> Result<()> {
        let (Some(queries), Some(values)) = (&self.queries, &self.values) else {
            return Ok(());
        };
        for rows in std::mem::take(&mut self.waiting) {
            let computed = queries.of(session, transaction, &rows)?;
            let columns = computed.columns().to_vec();
            let batch = RecordBatch::try_new(Arc::clone(&values.schema), columns)?;
            self.batches.push(batch);
        }
        Ok(())
    }

    /// True where the statement asked for rows.
    pub(crate) const fn is_wanted(&self) -> bool {
        self.values.is_some()
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
