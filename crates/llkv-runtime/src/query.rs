//! Running plans: optimized, with the tables as the transaction sees them, as a stream.

use crate::tables::TransactionTables;
use crate::transaction::Transaction;
use crate::{RuntimeSession, SessionCatalog};
use llkv_executor::{ExecutionContext, QueryExecutor, SelectExecution, TableProvider};
use llkv_plan::{Delete, Insert, LogicalPlan, Merge, PlanStatement, Update, ViewChange, optimize};
use llkv_result::{Result, StatementResult};
use std::sync::Arc;

/// SELECT, optimized: the rows come while they are pulled.
pub(crate) fn select(
    session: &mut RuntimeSession,
    transaction: &Transaction,
    plan: LogicalPlan,
) -> Result<StatementResult> {
    let execution = execute_optimized(session, transaction, plan)?;
    Ok(StatementResult::Select(Box::new(execution)))
}

/// Optimizes a plan and begins to run it.
pub(crate) fn execute(
    session: &mut RuntimeSession,
    transaction: &Transaction,
    plan: LogicalPlan,
) -> Result<SelectExecution> {
    let plan = optimized(session, &catalog_of(session, transaction), plan)?;
    execute_optimized(session, transaction, plan)
}

/// Optimizes a plan. Constant rows are as good as they get.
fn optimized(
    session: &RuntimeSession,
    catalog: &SessionCatalog,
    plan: LogicalPlan,
) -> Result<LogicalPlan> {
    if matches!(plan, LogicalPlan::Values(_)) {
        return Ok(plan);
    }
    optimize(plan, catalog, &session.settings.optimizer)
}

/// Optimizes what a query or a statement that changes rows reads; other statements stay.
pub(crate) fn optimize_statement(
    session: &RuntimeSession,
    catalog: &SessionCatalog,
    statement: PlanStatement,
) -> Result<PlanStatement> {
    let optimized = |plan| optimized(session, catalog, plan);
    Ok(match statement {
        PlanStatement::Query(plan) => PlanStatement::Query(optimized(plan)?),
        PlanStatement::Insert(insert) => PlanStatement::Insert(Insert {
            source: optimized(insert.source)?,
            ..insert
        }),
        PlanStatement::Update(update) => PlanStatement::Update(Update {
            source: optimized(update.source)?,
            ..update
        }),
        PlanStatement::Delete(delete) => PlanStatement::Delete(Delete {
            source: optimized(delete.source)?,
            ..delete
        }),
        PlanStatement::Truncate(deletes) => {
            let deletes = deletes.into_iter().map(|delete| {
                Ok(Delete {
                    source: optimized(delete.source)?,
                    ..delete
                })
            });
            PlanStatement::Truncate(deletes.collect::<Result<_>>()?)
        }
        PlanStatement::Merge(merge) => PlanStatement::Merge(Merge {
            source: optimized(merge.source)?,
            ..merge
        }),
        PlanStatement::ChangeView(change) => PlanStatement::ChangeView(ViewChange {
            source: optimized(change.source)?,
            ..change
        }),
        other => other,
    })
}

/// Begins to run a plan that was optimized.
pub(crate) fn execute_optimized(
    session: &mut RuntimeSession,
    transaction: &Transaction,
    plan: LogicalPlan,
) -> Result<SelectExecution> {
    let tables = TransactionTables::new(Arc::clone(&session.context), transaction)?;
    execute_with(session, transaction, plan, Arc::new(tables))
}

/// Optimizes a plan and begins to run it on tables as they were at another moment of the transaction.
pub(crate) fn execute_on(
    session: &mut RuntimeSession,
    transaction: &Transaction,
    plan: LogicalPlan,
    tables: Arc<TransactionTables>,
) -> Result<SelectExecution> {
    let catalog = catalog_of(session, transaction);
    let plan = optimize(plan, &catalog, &session.settings.optimizer)?;
    execute_with(session, transaction, plan, tables)
}

fn execute_with(
    session: &mut RuntimeSession,
    transaction: &Transaction,
    plan: LogicalPlan,
    tables: Arc<TransactionTables>,
) -> Result<SelectExecution> {
    let context = context_of(session, tables);
    let plan = Arc::new(plan);
    // Estimates are worth their time only where they are shown.
    let notes = session
        .is_analyzing
        .then(|| llkv_plan::notes(&plan, &catalog_of(session, transaction)));
    let execution = QueryExecutor::new(context).execute_noted(plan, notes.as_ref())?;
    session.last_execution = Some(execution.statistics());
    Ok(execution)
}

/// What queries of a session run in, and what else holds rows.
pub(crate) fn context_of(
    session: &RuntimeSession,
    tables: Arc<dyn TableProvider>,
) -> ExecutionContext {
    let settings = &session.settings;
    let memory = Arc::clone(&session.context.memory);
    ExecutionContext::within(tables, memory, Arc::clone(&session.context.spill))
        .with_threads(settings.threads)
        .with_batch_rows(settings.batch_rows)
        .with_spill_always(settings.force_spill)
        .with_spans(session.is_analyzing)
        .with_cancel(settings.cancel.clone())
        .with_progress(settings.progress.clone())
}

/// The catalog as the transaction sees it.
pub(crate) fn catalog_of(session: &RuntimeSession, transaction: &Transaction) -> SessionCatalog {
    let catalog = Arc::clone(transaction.catalog());
    SessionCatalog::new(Arc::clone(&session.context), catalog, session.scope())
}
