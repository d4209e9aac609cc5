//! EXPLAIN: the plan, the way it came about, or what it did.

use crate::transaction::Transaction;
use crate::{RuntimeSession, query};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchIterator, StringViewArray};
use llkv_plan::{
    ExplainFormat, ExplainMode, JsonWriter, LogicalPlan, OptimizerOptions, PlanStatement,
    QueryPlanStep, explain_estimated, explain_json, optimize, optimize_traced, query_plan,
};
use llkv_result::{BindError, Result, StatementResult};
use std::sync::Arc;
use std::time::Instant;

/// Runs EXPLAIN. The result has one column of text: a line a row, or one row of JSON.
pub(crate) fn explain(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    statement: PlanStatement,
    mode: ExplainMode,
    format: ExplainFormat,
) -> Result<StatementResult> {
    let text = match mode {
        ExplainMode::QueryPlan => return query_steps(session, transaction, statement),
        ExplainMode::Analyze => analyze(session, transaction, statement, format)?,
        ExplainMode::Plan | ExplainMode::Rules => {
            let title = title(&statement);
            let plan = source(statement)?;
            let plan = describe(session, transaction, plan, mode, format)?;
            match title {
                Some(title) if format == ExplainFormat::Text => format!("{title}\n{plan}"),
                _ => plan,
            }
        }
    };
    match format {
        ExplainFormat::Text => text_rows("plan", text.lines()),
        ExplainFormat::Json => text_rows("plan", [text.as_str()]),
    }
}

/// A result of one column of text.
pub(crate) fn text_rows<'a>(
    column: &str,
    rows: impl IntoIterator<Item = &'a str>,
) -> Result<StatementResult> {
    let rows: ArrayRef = Arc::new(StringViewArray::from_iter_values(rows));
    Ok(one_batch(RecordBatch::try_from_iter([(column, rows)])?))
}

/// A batch as the result of a statement.
pub(crate) fn one_batch(batch: RecordBatch) -> StatementResult {
    let schema = batch.schema();
    let reader = RecordBatchIterator::new([Ok(batch)], schema);
    StatementResult::Select(Box::new(reader))
}

/// `EXPLAIN QUERY PLAN`: a row a step.
fn query_steps(
    session: &RuntimeSession,
    transaction: &Transaction,
    statement: PlanStatement,
) -> Result<StatementResult> {
    let catalog = query::catalog_of(session, transaction);
    let plan = optimize(source(statement)?, &catalog, &session.settings.optimizer)?;
    let steps = query_plan(&plan);
    let numbers = |of: fn(&QueryPlanStep) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(steps.iter().map(of)))
    };
    let details = steps.iter().map(|step| step.detail.as_str());
    let details: ArrayRef = Arc::new(StringViewArray::from_iter_values(details));
    let batch = RecordBatch::try_from_iter([
        ("id", numbers(|step| step.id)),
        ("parent", numbers(|step| step.parent)),
        ("notused", numbers(|_| 0)),
        ("detail", details),
    ])?;
    Ok(one_batch(batch))
}

fn describe(
    session: &RuntimeSession,
    transaction: &Transaction,
    plan: LogicalPlan,
    mode: ExplainMode,
    format: ExplainFormat,
) -> Result<String> {
    let catalog = query::catalog_of(session, transaction);
    if mode == ExplainMode::Plan {
        let plan = optimize(plan, &catalog, &session.settings.optimizer)?;
        return Ok(match format {
            ExplainFormat::Text => explain_estimated(&plan, &catalog),
            ExplainFormat::Json => explain_json(&plan, &catalog),
        });
    }
    if format == ExplainFormat::Json {
        return Err(BindError::Unsupported {
            feature: "EXPLAIN RULES as JSON".into(),
            span: None,
        }
        .into());
    }
    let options = OptimizerOptions {
        trace: true,
        ..session.settings.optimizer.clone()
    };
    let steps = optimize_traced(plan, &catalog, &options)?.trace.into_iter();
    let steps: Vec<String> = steps
        .map(|s| format!("-- {}\n{}", s.rule, s.plan))
        .collect();
    Ok(steps.join("\n"))
}

/// Runs the statement and tells what its operators did.
fn analyze(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    statement: PlanStatement,
    format: ExplainFormat,
) -> Result<String> {
    let start = Instant::now();
    session.last_execution = None;
    session.is_analyzing = true;
    let result = session.run(transaction, Box::new(statement));
    session.is_analyzing = false;
    let result = result?;
    let mut rows = result.rows_affected().unwrap_or(0);
    if let StatementResult::Select(stream) = result {
        for batch in stream {
            rows += batch.map_err(llkv_result::Error::from_arrow)?.num_rows() as u64;
        }
    }
    let millis = start.elapsed().as_secs_f64() * 1e3;
    let operators = session.last_statistics();
    Ok(match format {
        ExplainFormat::Text => {
            let operators = operators.map(|s| s.to_string()).unwrap_or_default();
            format!("{rows} rows in {millis:.3} ms\n{operators}")
        }
        ExplainFormat::Json => {
            let mut json = JsonWriter::default();
            json.object(|json| {
                json.number("rows", rows);
                json.number("time_ms", format!("{millis:.3}"));
                if let Some(operators) = operators {
                    json.key("plan");
                    json.object(|json| operators.write_json(json));
                }
            });
            json.finish()
        }
    })
}

/// What stands above the plan of a statement that is no query.
fn title(statement: &PlanStatement) -> Option<String> {
    match statement {
        PlanStatement::Insert(insert) => Some(format!("insert into {}", insert.table_name)),
        PlanStatement::Update(update) => Some(format!("update {}", update.table_name)),
        PlanStatement::Delete(delete) => Some(format!("delete from {}", delete.table_name)),
        PlanStatement::Merge(merge) => Some(format!("merge into {}", merge.table_name)),
        PlanStatement::ChangeView(change) => {
            let event = change.event.to_string().to_lowercase();
            Some(format!("{event} of view {}", change.view))
        }
        PlanStatement::CreateTable { definition, .. } => {
            Some(format!("create table {}", definition.name.name))
        }
        PlanStatement::CopyTo { path, .. } => Some(format!("copy to {}", path.display())),
        _ => None,
    }
}

/// The plan within a statement.
fn source(statement: PlanStatement) -> Result<LogicalPlan> {
    match statement {
        PlanStatement::Query(plan) => Ok(plan),
        PlanStatement::Insert(insert) => Ok(insert.source),
        PlanStatement::Update(update) => Ok(update.source),
        PlanStatement::Delete(delete) => Ok(delete.source),
        PlanStatement::Merge(merge) => Ok(merge.source),
        PlanStatement::ChangeView(change) => Ok(change.source),
        PlanStatement::CopyTo { source, .. } => Ok(source),
        PlanStatement::CreateTable {
            source: Some(source),
            ..
        } => Ok(source),
        _ => Err(BindError::Unsupported {
            feature: "EXPLAIN of a statement without a plan".into(),
            span: None,
        }
        .into()),
    }
}
