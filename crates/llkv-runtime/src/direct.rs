//! Queries over a few rows, and what statements read to change a few: run as they were bound, on values that the
//! session keeps of small tables.

use crate::RuntimeSession;
use crate::query;
use crate::settings::SessionSettings;
use crate::transaction::Transaction;
use arrow::array::RecordBatchIterator;
use llkv_column_map::TableVersion;
use llkv_executor::{DirectRows, PointPlan, PointResult, SmallTable, run_directly};
use llkv_plan::{CatalogView, IndexUse, LogicalPlan, PlanStatement, Values};
use llkv_result::{Result, StatementResult};
use llkv_table::TableHandle;
use llkv_types::{BATCH_ROWS, RowId, TableId, TableSchema, TxnId};
use std::sync::{Arc, Weak};

/// Tables of which a session remembers whether they are small, and the rows of those that are.
const MOST_TABLES: usize = 32;

/// What a session knows of tables that it has read.
#[derive(Debug, Default)]
pub(crate) struct SmallTables {
    known: Vec<Known>,
}

/// A table as a snapshot sees it.
#[derive(Debug)]
struct Known {
    table: TableId,
    /// Not held: a version that nobody else needs may go.
    version: Weak<TableVersion>,
    snapshot: TxnId,
    schema: Arc<TableSchema>,
    /// Rows from this id on came later; `None` where the snapshot does not see all that the version holds.
    end: Option<RowId>,
    /// `None` where there are many rows.
    rows: Option<Arc<SmallTable>>,
}

impl SmallTables {
    /// True where the rows of a table need not be read.
    fn has(&self, id: TableId, handle: &TableHandle) -> bool {
        let known = self.known.iter().find(|known| known.table == id);
        known.is_some_and(|known| known.rows.is_some() && known.is_of(handle))
    }

    /// The rows of a table that has few.
    fn rows(&mut self, id: TableId, handle: &TableHandle) -> Result<Option<Arc<SmallTable>>> {
        let Some((version, snapshot)) = handle.unchanged() else {
            return Ok(None);
        };
        let at = self.known.iter().position(|known| known.table == id);
        let known = at.and_then(|at| self.known.get(at));
        if let Some(known) = known.filter(|known| known.is_of(handle)) {
            return Ok(known.rows.clone());
        }
        let known = at.map(|at| self.known.remove(at));
        let rest = known.and_then(|known| known.rest(version, snapshot, handle.shared_schema()));
        let rows = match rest {
            Some(rows) => Some(rows),
            None => SmallTable::read(handle)?.map(Arc::new),
        };
        if self.known.len() >= MOST_TABLES {
            self.known.remove(0);
        }
        self.known.push(Known {
            table: id,
            version: Arc::downgrade(version),
            snapshot,
            schema: Arc::clone(handle.shared_schema()),
            end: (version.last_commit() <= snapshot).then(|| version.next_row_id()),
            rows: rows.clone(),
        });
        Ok(rows)
    }
}

impl Known {
    /// True for what a handle has.
    fn is_of(&self, handle: &TableHandle) -> bool {
        handle.unchanged().is_some_and(|(version, snapshot)| {
            self.snapshot == snapshot
                && std::ptr::eq(self.version.as_ptr(), Arc::as_ptr(version))
                && Arc::ptr_eq(&self.schema, handle.shared_schema())
        })
    }

    /// The rows that are left of those that were known, where none has come since.
    fn rest(
        self,
        version: &TableVersion,
        snapshot: TxnId,
        schema: &Arc<TableSchema>,
    ) -> Option<Arc<SmallTable>> {
        let is_later = self.snapshot <= snapshot && Arc::ptr_eq(&self.schema, schema);
        if !is_later || self.end != Some(version.next_row_id()) {
            return None;
        }
        let mut rows = self.rows?;
        let mut gone = version.deleted_between(self.snapshot, snapshot)?;
        if !gone.is_empty() {
            Arc::make_mut(&mut rows).remove(&mut gone);
        }
        Some(rows)
    }
}

impl SessionSettings {
    /// Nothing is set that asks for the usual way.
    fn allow_direct_runs(&self) -> bool {
        self.direct_execution
            && !self.optimizer.only_required
            && self.optimizer.disabled_rules.is_empty()
            && self.optimizer.index_use == IndexUse::ByCost
            && self.batch_rows == BATCH_ROWS
            && !self.force_spill
            && self.progress.is_none()
    }
}

/// Runs a query that was bound, where it is small; `None` where it is to be optimized and executed.
pub(crate) fn query(
    session: &mut RuntimeSession,
    transaction: &Transaction,
    plan: &LogicalPlan,
) -> Result<Option<StatementResult>> {
    let Some(found) = run(session, transaction, plan)? else {
        return Ok(None);
    };
    let rows = RecordBatchIterator::new(found.rows.into_iter().map(Ok), found.schema);
    Ok(Some(StatementResult::Select(Box::new(rows))))
}

/// Runs what a statement that was bound reads to change rows, where it is small: constants from here on.
pub(crate) fn run_source(
    session: &mut RuntimeSession,
    transaction: &Transaction,
    statement: &mut PlanStatement,
) -> Result<()> {
    let source = match statement {
        PlanStatement::Insert(insert) => &mut insert.source,
        PlanStatement::Update(update) => &mut update.source,
        PlanStatement::Delete(delete) => &mut delete.source,
        _ => return Ok(()),
    };
    if !matches!(source, LogicalPlan::Values(_))
        && let Some(found) = run(session, transaction, source)?
    {
        *source = LogicalPlan::Values(Values {
            columns: source.columns(),
            batches: found.rows.into_iter().collect(),
        });
    }
    Ok(())
}

/// True where a session's statements may be run as they were bound.
pub(crate) fn is_allowed(session: &RuntimeSession) -> bool {
    !session.is_analyzing && session.settings.allow_direct_runs()
}

/// The row that a plan asks for by a whole key, where that is less than to read the rows of its table.
fn look_up(
    session: &RuntimeSession,
    transaction: &Transaction,
    plan: &LogicalPlan,
) -> Result<Option<DirectRows>> {
    let Some(table) = PointPlan::table_tested(plan) else {
        return Ok(None);
    };
    let Some(described) = transaction.catalog().table(table) else {
        return Ok(None);
    };
    // Of a row that is looked up a serializable transaction takes note alone.
    if !transaction.reads().is_serializable()
        && session
            .small_tables
            .has(table, &transaction.handle(described)?)
    {
        return Ok(None);
    }
    let catalog = query::catalog_of(session, transaction);
    // What cannot be evaluated here is told of where it is compiled.
    let Ok(Some(point)) = PointPlan::of(plan, &|table| catalog.indexes(table)) else {
        return Ok(None);
    };
    Ok(match transaction.look_up(&point, &[])? {
        PointResult::Row(rows) => Some(DirectRows {
            schema: point.schema(),
            rows,
        }),
        PointResult::Unknown => None,
    })
}

fn run(
    session: &mut RuntimeSession,
    transaction: &Transaction,
    plan: &LogicalPlan,
) -> Result<Option<DirectRows>> {
    if !is_allowed(session) {
        return Ok(None);
    }
    let mut found = look_up(session, transaction, plan)?;
    if found.is_none() {
        let known = &mut session.small_tables;
        let mut tables = |id| match transaction.read_by_id(id)? {
            Some(handle) => known.rows(id, &handle),
            None => Ok(None),
        };
        found = run_directly(plan, &mut tables, &session.settings.cancel)?;
    }
    if found.is_some() {
        session.last_execution = None;
    }
    Ok(found)
}
