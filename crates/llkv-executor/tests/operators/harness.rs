//! Builds plans over constant rows and runs them in every configuration.

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::concat;
use arrow::datatypes::{Field, Schema};
use llkv_executor::{ExecutionContext, MemoryBudget, QueryExecutor, SpillSpace};
use llkv_expr::{ColumnId, Expr};
use llkv_plan::{LogicalPlan, PlanColumn, Values};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use std::sync::Arc;

/// A row as texts; NULL is `None`.
pub(crate) type Row = Vec<Option<String>>;

/// A row as values.
pub(crate) type Tuple = Vec<Scalar>;

pub(crate) fn column(id: u32, ty: SqlType) -> PlanColumn {
    PlanColumn {
        id: ColumnId(id),
        name: format!("c{id}").into(),
        ty,
        nullable: true,
    }
}

pub(crate) fn col(id: u32, ty: SqlType) -> Expr {
    Expr::column(ColumnId(id), ty)
}

pub(crate) fn int(value: i64) -> Scalar {
    Scalar::Int64(value)
}

pub(crate) fn maybe_int(value: Option<i64>) -> Scalar {
    value.map_or(Scalar::Null(SqlType::Int64), Scalar::Int64)
}

pub(crate) fn text(value: &str) -> Scalar {
    Scalar::Text(value.into())
}

/// Constant rows in batches of `chunk` rows.
pub(crate) fn values(columns: Vec<PlanColumn>, rows: &[Tuple], chunk: usize) -> LogicalPlan {
    let fields: Vec<Field> = columns
        .iter()
        .map(|c| Field::new(&*c.name, c.ty.to_arrow(), true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let batches = rows.chunks(chunk).map(|rows| {
        let arrays = (0..columns.len()).map(|at| array(rows, at));
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(Arc::clone(&schema), arrays.collect(), &options).unwrap()
    });
    LogicalPlan::Values(Values {
        batches: batches.collect(),
        columns,
    })
}

fn array(rows: &[Tuple], at: usize) -> ArrayRef {
    let values: Vec<ArrayRef> = rows
        .iter()
        .map(|row| row[at].to_array(1).unwrap())
        .collect();
    let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
    concat(&values).unwrap()
}

/// The context of a test: threads are used however few the rows are.
pub(crate) fn context(threads: usize, batch_rows: usize) -> ExecutionContext {
    ExecutionContext::without_tables()
        .with_threads(threads)
        .with_batch_rows(batch_rows)
        .with_parallel_threshold_rows(0)
}

pub(crate) fn run_in(context: &ExecutionContext, plan: &LogicalPlan) -> Result<Vec<Row>> {
    let mut execution = QueryExecutor::new(context.clone()).execute(plan)?;
    let mut rows = Vec::new();
    while let Some(batch) = execution.next_batch()? {
        assert!(batch.num_rows() > 0, "an empty batch came out");
        rows.extend((0..batch.num_rows()).map(|row| row_of(&batch, row)));
    }
    Ok(rows)
}

fn row_of(batch: &RecordBatch, row: usize) -> Row {
    let columns = batch.columns().iter();
    columns
        .map(|column| display(&Scalar::from_array(column.as_ref(), row).unwrap()))
        .collect()
}

/// A value as the tests compare it.
pub(crate) fn display(value: &Scalar) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

pub(crate) fn displayed(rows: &[Tuple]) -> Vec<Row> {
    rows.iter()
        .map(|r| r.iter().map(display).collect())
        .collect()
}

/// Every configuration that must give the same rows.
pub(crate) fn configurations() -> Vec<ExecutionContext> {
    let mut all = Vec::new();
    for threads in [1, 2] {
        for batch_rows in [1, 2, 1024, 8192] {
            all.push(context(threads, batch_rows).with_memory(MemoryBudget::new(1 << 40)));
        }
    }
    all
}

/// Configurations in which operators spill: all they hold, or what is over a budget that is next to nothing. Rows come in
/// another order, but for sorts.
pub(crate) fn spilling() -> Vec<ExecutionContext> {
    let contexts = [
        (1, 1, None),
        (2, 1024, None),
        (2, 3, Some(0)),
        (1, 2, Some(5_000)),
        (2, 8192, Some(20_000)),
    ];
    let contexts = contexts.map(|(threads, batch_rows, budget_bytes)| {
        let context = context(threads, batch_rows)
            .with_spill(SpillSpace::new(std::env::temp_dir()))
            .with_spill_grant_bytes(0)
            .with_spill_always(budget_bytes.is_none());
        context.with_memory(MemoryBudget::new(budget_bytes.unwrap_or(1 << 40)))
    });
    contexts.to_vec()
}

/// The rows in their order, the same in every configuration; all memory is given back.
pub(crate) fn run_ordered(plan: &LogicalPlan) -> Vec<Row> {
    let mut contexts = configurations();
    if matches!(plan, LogicalPlan::Sort(_) | LogicalPlan::Window(_)) {
        contexts.extend(spilling());
    }
    run_everywhere(plan, &contexts, |rows| rows)
}

/// The rows sorted, the same in every configuration.
pub(crate) fn run_sorted(plan: &LogicalPlan) -> Vec<Row> {
    let contexts = [configurations(), spilling()].concat();
    run_everywhere(plan, &contexts, |mut rows| {
        rows.sort();
        rows
    })
}

fn run_everywhere(
    plan: &LogicalPlan,
    contexts: &[ExecutionContext],
    normal: impl Fn(Vec<Row>) -> Vec<Row>,
) -> Vec<Row> {
    let mut first: Option<Vec<Row>> = None;
    for context in contexts {
        let rows = run_in(context, plan).unwrap_or_else(|error| panic!("{error} in {context:?}"));
        let rows = normal(rows);
        assert_nothing_is_left(context);
        match &first {
            None => first = Some(rows),
            Some(first) => assert_eq!(first, &rows, "{context:?}"),
        }
    }
    first.unwrap()
}

pub(crate) fn assert_nothing_is_left(context: &ExecutionContext) {
    assert_eq!(context.memory.used_bytes(), 0, "memory stays reserved");
    let space = &context.spill;
    assert_eq!((space.files(), space.used_bytes()), (0, 0), "files stay");
}

/// The rows sorted, for comparing without order.
pub(crate) fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort();
    rows
}
