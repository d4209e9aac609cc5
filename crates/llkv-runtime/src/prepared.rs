//! Statements that are optimized once and run many times, with other values for their parameters.

use crate::direct;
use crate::single_row::{self, SingleRow};
use crate::transaction::Transaction;
use crate::{OnStatementError, RuntimeSession, SessionCatalog, query};
use arrow::array::RecordBatchIterator;
use llkv_executor::{PointPlan, PointResult};
use llkv_expr::Expr;
use llkv_plan::{CatalogView, IndexUse, LogicalPlan, PlanStatement, Values};
use llkv_result::{Result, StatementResult};
use llkv_table::CatalogState;
use llkv_types::{RowId, Scalar, TableId};
use std::sync::Arc;

/// A table that has grown by this factor, or by so many rows at the least, may want another plan.
const GROWTH: u64 = 2;
const GROWTH_ROWS: u64 = 1_000;

/// A statement whose plan was made without the values of its parameters.
#[derive(Debug)]
pub struct PreparedPlan {
    /// The statement without `source`.
    statement: PlanStatement,
    /// The plan of its rows, optimized.
    source: Option<LogicalPlan>,
    /// The way to a single row, where the statement asks for no more.
    point: Option<PointPlan>,
    /// The values of the one row that it inserts, where that is all it does.
    row: Option<Vec<Expr>>,
    /// The catalog that the plan was made for.
    catalog: Arc<CatalogState>,
    settings: u64,
    /// The tables that are read, with the ids that their next rows would have got.
    tables: Vec<(TableId, RowId)>,
}

impl RuntimeSession {
    /// Optimizes a statement that was bound against a catalog, in which values are left open.
    ///
    /// # Errors
    /// For a plan that cannot be made executable.
    pub fn prepare(
        &self,
        statement: PlanStatement,
        catalog: &SessionCatalog,
    ) -> Result<PreparedPlan> {
        let mut statement = query::optimize_statement(self, catalog, statement)?;
        let nothing = || {
            LogicalPlan::Values(Values {
                columns: Vec::new(),
                batches: Vec::new(),
            })
        };
        let source = source_mut(&mut statement).map(|plan| std::mem::replace(plan, nothing()));
        let by_index = self.settings.optimizer.index_use != IndexUse::Never;
        let point = match source.as_ref().filter(|_| by_index) {
            Some(plan) => PointPlan::of(plan, &|table| catalog.indexes(table))?,
            None => None,
        };
        let row = match (&statement, &source) {
            (PlanStatement::Insert(insert), Some(plan)) => {
                SingleRow::of(insert, plan).map(|row| row.values().cloned().collect())
            }
            _ => None,
        };
        let mut tables = Vec::new();
        if let (Some(plan), None) = (&source, &point) {
            self.note_sizes(plan, &mut tables)?;
        }
        Ok(PreparedPlan {
            statement,
            source,
            point,
            row,
            tables,
            catalog: Arc::clone(catalog.state()),
            settings: self.settings.version,
        })
    }

    /// The same for a statement that does nothing but insert one row of values that are given, where the session runs such
    /// ones without operators; `None` for others.
    ///
    /// # Errors
    /// For a plan that cannot be made executable.
    pub fn prepare_row(
        &self,
        statement: PlanStatement,
        catalog: &SessionCatalog,
    ) -> Result<Option<PreparedPlan>> {
        if !direct::is_allowed(self) {
            return Ok(None);
        }
        let plan = self.prepare(statement, catalog)?;
        Ok(plan.row.is_some().then_some(plan))
    }

    fn note_sizes(&self, plan: &LogicalPlan, tables: &mut Vec<(TableId, RowId)>) -> Result<()> {
        if let LogicalPlan::Scan(scan) = plan
            && tables.iter().all(|(table, _)| *table != scan.table)
        {
            tables.push((scan.table, self.next_row_id(scan.table)?));
        }
        for input in plan.inputs() {
            self.note_sizes(input, tables)?;
        }
        Ok(())
    }

    fn next_row_id(&self, table: TableId) -> Result<RowId> {
        let version = self.context.store.table(table)?;
        Ok(version.map_or(0, |version| version.next_row_id()))
    }

    /// True while the plan is the one that [`RuntimeSession::prepare`] would make: catalog and settings are
    /// the same, and no table has become much larger.
    ///
    /// # Errors
    /// When a table's description is damaged.
    pub fn is_current(&self, plan: &PreparedPlan) -> Result<bool> {
        let same = match &self.transaction {
            Some(transaction) => Arc::ptr_eq(transaction.catalog(), &plan.catalog),
            None => Arc::ptr_eq(self.catalog_view().state(), &plan.catalog),
        };
        if !same || plan.settings != self.settings.version {
            return Ok(false);
        }
        for (table, then) in &plan.tables {
            if self.next_row_id(*table)? > then.saturating_mul(GROWTH) + GROWTH_ROWS {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Runs a prepared statement with values of the types that their places ask for. `None` where its plan
    /// is for another catalog than its transaction sees: it has to be prepared again.
    ///
    /// # Errors
    /// Those of [`RuntimeSession::execute`].
    pub fn execute_prepared(
        &mut self,
        plan: &PreparedPlan,
        values: &[Scalar],
    ) -> Result<Option<StatementResult>> {
        if let Some(control) = self.control(&plan.statement) {
            return control.map(Some);
        }
        if let Some(result) = self.insert_row(plan, values)? {
            return Ok(Some(result));
        }
        self.execute_on(&plan.catalog, |session, transaction| {
            session.run_prepared(transaction, plan, values)
        })
    }

    /// Inserts one row in the running transaction; `None` where that has to be done as for many.
    fn insert_row(
        &mut self,
        plan: &PreparedPlan,
        values: &[Scalar],
    ) -> Result<Option<StatementResult>> {
        let (Some(row), PlanStatement::Insert(insert)) = (&plan.row, &plan.statement) else {
            return Ok(None);
        };
        let Some(transaction) = &mut self.transaction else {
            return Ok(None);
        };
        if transaction.is_aborted() || !Arc::ptr_eq(transaction.catalog(), &plan.catalog) {
            return Ok(None);
        }
        let undoable = self.settings.on_statement_error == OnStatementError::UndoStatement;
        transaction.has_run = true;
        let inserted = single_row::append(transaction, insert, row.iter(), values);
        if let Err(error) = &inserted {
            transaction.reads().by_failed_statement();
            if !undoable || error.is_retryable() {
                transaction.abort();
            }
        }
        self.known.inserted(transaction.last_row_id.take());
        if !inserted? {
            return Ok(None);
        }
        let result = Ok(StatementResult::Insert { rows: 1 });
        self.known.note(&result);
        result.map(Some)
    }

    fn run_prepared(
        &mut self,
        transaction: &mut Transaction,
        plan: &PreparedPlan,
        values: &[Scalar],
    ) -> Result<StatementResult> {
        if let (Some(row), PlanStatement::Insert(insert)) = (&plan.row, &plan.statement)
            && single_row::append(transaction, insert, row.iter(), values)?
        {
            self.last_execution = None;
            return Ok(StatementResult::Insert { rows: 1 });
        }
        let found = match &plan.point {
            Some(point) => transaction.look_up(point, values)?,
            None => PointResult::Unknown,
        };
        let is_query = matches!(plan.statement, PlanStatement::Query(_));
        let source = match (found, &plan.point, &plan.source) {
            (PointResult::Row(row), Some(point), _) if is_query => {
                self.last_execution = None;
                let rows = RecordBatchIterator::new(row.into_iter().map(Ok), point.schema());
                return Ok(StatementResult::Select(Box::new(rows)));
            }
            (PointResult::Row(row), _, Some(source)) => {
                self.last_execution = None;
                Some(LogicalPlan::Values(Values {
                    columns: source.columns(),
                    batches: row.into_iter().collect(),
                }))
            }
            (_, _, source) => source.clone(),
        };
        let mut statement = plan.statement.clone();
        let is_optimized = source.is_some();
        if let (Some(place), Some(source)) = (source_mut(&mut statement), source) {
            *place = source;
        }
        statement.set_parameters(values);
        match is_optimized {
            true => self.run_optimized(transaction, statement),
            false => self.run(transaction, Box::new(statement)),
        }
    }
}

/// The plan of the rows that a statement gives or changes.
pub(crate) fn source_mut(statement: &mut PlanStatement) -> Option<&mut LogicalPlan> {
    match statement {
        PlanStatement::Query(plan) => Some(plan),
        PlanStatement::Insert(insert) => Some(&mut insert.source),
        PlanStatement::Update(update) => Some(&mut update.source),
        PlanStatement::Delete(delete) => Some(&mut delete.source),
        PlanStatement::Merge(merge) => Some(&mut merge.source),
        PlanStatement::ChangeView(change) => Some(&mut change.source),
        _ => None,
    }
}
