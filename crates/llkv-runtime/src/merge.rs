//! MERGE: the rows of a join, by the clause that takes them; then one DELETE, the UPDATEs and the INSERTs of the clauses.
//!
//! What the clauses write is computed first, of the tables as they were. Rows go before others change and come, so that a key
//! may pass from one to another.

use crate::prepared::source_mut;
use crate::row_values::fill;
use crate::tables::TransactionTables;
use crate::transaction::Transaction;
use crate::{RuntimeSession, dml, query};
use arrow::array::{AsArray, Int32Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::cmp::eq;
use arrow::datatypes::{Field, Int32Type, Schema, SchemaRef, UInt64Type};
use llkv_plan::{LogicalPlan, Merge, PlanColumn, PlanStatement, Values};
use llkv_result::{Error, ExecError, Result, StatementResult};
use llkv_types::MemoryReservation;
use roaring::RoaringTreemap;
use std::sync::Arc;

pub(crate) fn merge(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    merge: Merge,
) -> Result<StatementResult> {
    transaction.check_writable("MERGE")?;
    let before = Arc::new(TransactionTables::new(
        Arc::clone(&session.context),
        transaction,
    )?);
    let mut taken = TakenRows::new(&merge, session);
    dml::for_each_batch(session, transaction, merge.source, |_, batch| {
        taken.add(&batch)
    })?;
    let of_join = session.last_execution.take();
    let mut statements: Vec<PlanStatement> = Vec::new();
    let mut held = taken.held;
    for (arm, batches) in merge.arms.into_iter().zip(taken.batches) {
        let Some(mut statement) = arm.filter(|_| !batches.is_empty()) else {
            continue;
        };
        let Some(source) = source_mut(&mut statement) else {
            return Err(Error::internal("a clause of MERGE that changes no rows"));
        };
        let columns = source.columns();
        fill(source, &merge.rows, &batches);
        let plan = std::mem::replace(source, LogicalPlan::one_row());
        let mut execution = query::execute_on(session, transaction, plan, Arc::clone(&before))?;
        let mut written = Vec::new();
        while let Some(batch) = execution.next_batch()? {
            held.grow(batch.get_array_memory_size() as u64)?;
            written.push(batch);
        }
        add_source(&mut statements, statement, columns, written);
    }
    statements.sort_by_key(place);
    let mut rows = 0;
    for statement in statements {
        let result = match statement {
            PlanStatement::Delete(delete) => dml::delete(session, transaction, delete)?,
            PlanStatement::Update(update) => dml::update(session, transaction, update)?,
            PlanStatement::Insert(insert) => dml::insert(session, transaction, insert)?,
            _ => continue,
        };
        rows += result.rows_affected().unwrap_or(0);
    }
    session.last_execution = of_join;
    Ok(StatementResult::Merge { rows })
}

/// Gives a statement its rows. All DELETEs become one.
fn add_source(
    statements: &mut Vec<PlanStatement>,
    mut statement: PlanStatement,
    columns: Vec<PlanColumn>,
    batches: Vec<RecordBatch>,
) {
    let is_delete = matches!(statement, PlanStatement::Delete(_));
    let mut others = statements.iter_mut();
    let first = others.find(|other| is_delete && matches!(other, PlanStatement::Delete(_)));
    if let Some(PlanStatement::Delete(first)) = first
        && let LogicalPlan::Values(values) = &mut first.source
    {
        values.batches.extend(batches);
        return;
    }
    if let Some(source) = source_mut(&mut statement) {
        *source = LogicalPlan::Values(Values { columns, batches });
    }
    statements.push(statement);
}

/// The order in which statements run.
const fn place(statement: &PlanStatement) -> u8 {
    match statement {
        PlanStatement::Delete(_) => 0,
        PlanStatement::Update(_) => 1,
        _ => 2,
    }
}

/// The rows of the join, by clause.
struct TakenRows {
    schema: SchemaRef,
    /// Whether the clause changes rows of the target, each of which may change once.
    changes: Vec<bool>,
    batches: Vec<Vec<RecordBatch>>,
    seen: RoaringTreemap,
    table_name: String,
    held: MemoryReservation,
}

impl TakenRows {
    fn new(merge: &Merge, session: &RuntimeSession) -> Self {
        let fields = merge.rows.iter();
        let fields = fields.map(|c| Field::new(&*c.name, c.ty.to_arrow(), true));
        let changes = |arm: &Option<PlanStatement>| {
            let statement = arm.as_ref();
            statement.is_some_and(|statement| !matches!(statement, PlanStatement::Insert(_)))
        };
        Self {
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            changes: merge.arms.iter().map(changes).collect(),
            batches: vec![Vec::new(); merge.arms.len()],
            seen: RoaringTreemap::new(),
            table_name: merge.table_name.clone(),
            held: session.context.memory.reserve("MERGE"),
        }
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let clauses = batch.column(0).as_primitive_opt::<Int32Type>();
        let clauses = clauses.ok_or_else(|| Error::internal("rows of MERGE without a clause"))?;
        let columns = batch.columns().iter().skip(1).cloned();
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns.collect())?;
        for (number, (taken, changes)) in (0..).zip(self.batches.iter_mut().zip(&self.changes)) {
            let is_taken = eq(clauses, &Int32Array::new_scalar(number))?;
            if is_taken.true_count() == 0 {
                continue;
            }
            let rows = filter_record_batch(&rows, &is_taken)?;
            if *changes {
                let ids = rows.column(0).as_primitive_opt::<UInt64Type>();
                let mut ids = ids.into_iter().flat_map(|ids| ids.values());
                if ids.any(|id| !self.seen.insert(*id)) {
                    return Err(ExecError::MergedTwice {
                        table: self.table_name.clone(),
                    }
                    .into());
                }
            }
            self.held.grow(rows.get_array_memory_size() as u64)?;
            taken.push(rows);
        }
        Ok(())
    }
}
