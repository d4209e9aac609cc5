//! A connection: scripts, queries, prepared statements.

use crate::bind::{bind_append, bind_as, shifted};
use crate::binder::{Binder, BoundStatement, ParameterMode};
use crate::null_order::{NullOrder, Reading};
use crate::prepared::Prepared;
use crate::row_inserts::RowInserts;
use crate::text::stack_bytes;
use crate::{PreparedStatement, SqlDialect, split_statements};
use arrow::array::{RecordBatchIterator, RecordBatchReader};
use llkv_plan::{ExternalSource, PlanStatement};
use llkv_result::{
    BindError, Error, EvalError, ObjectKind, Result, SelectStream, StatementResult,
    TransactionError,
};
use llkv_runtime::{
    CancelToken, OnStatementError, OperatorStatistics, ProgressHook, RuntimeEngine, RuntimeSession,
    SessionCatalog,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Stack that optimizing and starting the deepest plan takes.
const PLAN_STACK_BYTES: usize = 1 << 20;

/// A connection to a database. Statements run one after another; clones are the same connection.
#[derive(Debug, Clone)]
pub struct Session {
    state: Arc<Mutex<SessionState>>,
}

/// What the statements of a session share.
#[derive(Debug)]
pub(crate) struct SessionState {
    pub(crate) runtime: RuntimeSession,
    pub(crate) dialect: SqlDialect,
    null_order: Option<NullOrder>,
    /// What PREPARE prepared, by lower-case name.
    prepared: HashMap<String, Prepared>,
    pub(crate) row_inserts: RowInserts,
    default_dialect: SqlDialect,
}

impl Session {
    pub(crate) fn new(engine: &RuntimeEngine, dialect: SqlDialect) -> Self {
        let mut state = SessionState {
            runtime: engine.session(),
            dialect,
            null_order: None,
            prepared: HashMap::new(),
            row_inserts: RowInserts::default(),
            default_dialect: dialect,
        };
        state.set_dialect(dialect);
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Runs all statements of a script, one after another, up to the first that fails.
    ///
    /// # Errors
    /// Of the first statement that fails, with its place in the script. What ran before it stays.
    pub fn execute(&self, script: &str) -> Result<Vec<StatementResult>> {
        let mut results = Vec::new();
        for (statement, offset) in split_statements(script) {
            let result = self.state().execute(statement);
            results.push(result.map_err(|error| shifted(error, offset))?);
        }
        Ok(results)
    }

    /// Runs one statement that gives rows.
    ///
    /// # Errors
    /// When it fails, when it gives no rows, or when there is more than one statement.
    pub fn sql(&self, query: &str) -> Result<SelectStream> {
        match self.state().execute(query)? {
            StatementResult::Select(stream) => Ok(stream),
            _ => Err(BindError::Invalid {
                message: "the statement gives no rows".into(),
                span: None,
            }
            .into()),
        }
    }

    /// Prepares a statement, with `?`, `$1` or `:name` in the place of values.
    ///
    /// # Errors
    /// When the text cannot be bound.
    pub fn prepare(&self, statement: &str) -> Result<PreparedStatement> {
        PreparedStatement::new(self.clone(), statement)
    }

    /// Appends the rows of a source to a table, columns by position: the way in for Arrow data.
    ///
    /// # Errors
    /// When there is no such table, types do not fit, or a constraint refuses a row; then no row is kept.
    pub fn insert_from(
        &self,
        table: &str,
        source: Arc<dyn ExternalSource>,
    ) -> Result<StatementResult> {
        let mut state = self.state();
        loop {
            let catalog = state.runtime.catalog_view();
            let plan = bind_append(table, Arc::clone(&source), state.dialect, &catalog)?;
            if let Some(result) = state.run(Box::new(plan), &catalog)? {
                return Ok(result);
            }
        }
    }

    /// Changes the dialect, as `SET dialect` does.
    pub fn set_dialect(&self, dialect: SqlDialect) {
        self.state().set_dialect(dialect);
    }

    /// The dialect in which text is read.
    #[must_use]
    pub fn dialect(&self) -> SqlDialect {
        self.state().dialect
    }

    /// True between BEGIN and the end of its transaction.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.state().runtime.in_transaction()
    }

    /// The token that stops the running statement, from any thread.
    #[must_use]
    pub fn cancel_token(&self) -> CancelToken {
        self.state().runtime.cancel_token()
    }

    /// Bytes that the operators of all sessions may hold together; none without a limit.
    #[must_use]
    pub fn memory_limit_bytes(&self) -> Option<u64> {
        self.state().runtime.memory_limit_bytes()
    }

    /// Has somebody told how far later statements have come while they run, or nobody any more.
    pub fn set_progress(&self, progress: Option<ProgressHook>) {
        self.state().runtime.set_progress(progress);
    }

    /// What the operators of the last statement that ran a plan have counted so far.
    #[must_use]
    pub fn last_statistics(&self) -> Option<OperatorStatistics> {
        self.state().runtime.last_statistics()
    }

    /// The state; a panic elsewhere does not lock it for ever.
    pub(crate) fn state(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionState {
    /// One statement, and again where it needed a column to take values of other types.
    fn execute(&mut self, statement: &str) -> Result<StatementResult> {
        match self.insert_like_before(statement)? {
            Some(result) => Ok(result),
            None => self.storing(|state| state.execute_once(statement)),
        }
    }

    /// One statement: parsed, bound against what the session sees, run; again where that has changed before
    /// it began.
    fn execute_once(&mut self, statement: &str) -> Result<StatementResult> {
        loop {
            let catalog = self.runtime.catalog_view();
            if let Some(result) = self.execute_on(statement, &catalog)? {
                return Ok(result);
            }
        }
    }

    fn execute_on(
        &mut self,
        statement: &str,
        catalog: &SessionCatalog,
    ) -> Result<Option<StatementResult>> {
        let bound = bind_as(statement, self.reading(), catalog);
        let bound = bound.inspect_err(|error| self.runtime.note_error(error))?;
        self.note_insert(statement, &bound.statement, catalog)?;
        match bound.statement {
            BoundStatement::Plan(plan) if bound.may_widen => {
                self.run_or_widen(plan, statement, catalog)
            }
            BoundStatement::Plan(plan) => self.run(plan, catalog),
            other => self.execute_here(other, catalog).map(Some),
        }
    }

    /// A statement about the session itself.
    fn execute_here(
        &mut self,
        statement: BoundStatement,
        catalog: &SessionCatalog,
    ) -> Result<StatementResult> {
        match statement {
            BoundStatement::SetDialect(dialect) => {
                self.set_dialect(dialect.unwrap_or(self.default_dialect));
                Ok(StatementResult::Utility { tag: "SET" })
            }
            BoundStatement::SetNullOrder(order) => {
                self.null_order = order;
                Ok(StatementResult::Utility { tag: "SET" })
            }
            BoundStatement::Steps { tag, texts } => self.run_steps(tag, &texts),
            BoundStatement::Nothing { tag } => Ok(StatementResult::Utility { tag }),
            BoundStatement::Prepare { name, text } => {
                let prepared = Prepared::new(&text, self.reading(), catalog);
                let prepared = prepared.inspect_err(|error| self.runtime.note_error(error))?;
                self.prepared.insert(name.to_ascii_lowercase(), prepared);
                Ok(StatementResult::Utility { tag: "PREPARE" })
            }
            BoundStatement::Execute { name, values } => {
                let key = name.to_ascii_lowercase();
                let Some(mut prepared) = self.prepared.remove(&key) else {
                    let error = no_such_statement(name);
                    self.runtime.note_error(&error);
                    return Err(error);
                };
                let result = self.run_prepared(&mut prepared, &values);
                self.prepared.insert(key, prepared);
                result
            }
            BoundStatement::Deallocate(name) => {
                match name {
                    None => self.prepared.clear(),
                    Some(name) => {
                        let known = self.prepared.remove(&name.to_ascii_lowercase());
                        known.ok_or_else(|| no_such_statement(name))?;
                    }
                }
                Ok(StatementResult::Utility { tag: "DEALLOCATE" })
            }
            BoundStatement::Plan(_) => {
                Err(Error::internal("a plan is no statement about the session"))
            }
        }
    }

    /// Runs a statement of SQLite's dialect. Where it has a value for a column that holds values of another type
    /// alone, the column becomes one whose values carry their type, and the statement runs again.
    pub(crate) fn storing(
        &mut self,
        mut run: impl FnMut(&mut Self) -> Result<StatementResult>,
    ) -> Result<StatementResult> {
        let result = run(self);
        let Some(widening) = self.widening(&result)? else {
            return result;
        };
        self.as_one(|state| {
            let mut next = Some(widening);
            while let Some((plan, catalog)) = next.take() {
                let Some(_) = state.run(plan, &catalog)? else {
                    return Err(Error::internal("a transaction's catalog is another one"));
                };
                let result = run(state);
                next = state.widening(&result)?;
                if next.is_none() {
                    return result;
                }
            }
            Err(Error::internal("a column was not widened"))
        })
    }

    /// The change of a table that a statement wants that failed for the type of a column.
    fn widening(
        &self,
        result: &Result<StatementResult>,
    ) -> Result<Option<(Box<PlanStatement>, SessionCatalog)>> {
        let Err(Error::Eval(EvalError::ColumnType { table, column, .. })) = result else {
            return Ok(None);
        };
        let catalog = self.runtime.catalog_view();
        let mut binder = Binder::new(&catalog, self.reading(), "", ParameterMode::None);
        let plan = binder.bind_widening(table, column)?;
        drop(binder);
        Ok(plan.map(|plan| (Box::new(plan), catalog)))
    }

    /// Runs the statements that stand for one.
    fn run_steps(&mut self, tag: &'static str, texts: &[String]) -> Result<StatementResult> {
        self.as_one(|state| {
            let mut texts = texts.iter();
            texts.try_for_each(|text| state.execute(text).map(drop).map_err(without_place))
        })?;
        Ok(StatementResult::Catalog { tag })
    }

    /// Does what stands for one statement, within the session's transaction or in one of its own.
    fn as_one<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        // No name that a statement can write.
        const SAVEPOINT: &str = "\0steps";
        let own = !self.runtime.in_transaction();
        match own {
            true => self.runtime.begin(false)?,
            false if self.runtime.is_aborted() => return Err(TransactionError::Aborted.into()),
            false => self.runtime.savepoint(SAVEPOINT)?,
        }
        let done = work(self);
        if !self.runtime.in_transaction() {
            // A failure that rolled the transaction back.
            return done;
        }
        let undoes = self.dialect == SqlDialect::Sqlite;
        let stays = done.is_ok() || self.runtime.has_kept();
        match (own, &done) {
            (true, _) if stays => self.runtime.commit().map(drop)?,
            (false, _) if stays => self.runtime.release(SAVEPOINT)?,
            (true, _) => self.runtime.rollback()?,
            (false, Err(error)) if undoes && !error.is_retryable() => {
                self.runtime.rollback_to(SAVEPOINT)?;
                self.runtime.release(SAVEPOINT)?;
            }
            (false, _) => {}
        }
        done
    }

    /// Runs a statement that computes with integers in SQLite's dialect. One that meets a result of more
    /// than 64 bits in its first rows is bound again, with results that may become reals: so those
    /// that never do, which are nearly all, stay plain integers.
    fn run_or_widen(
        &mut self,
        plan: Box<PlanStatement>,
        text: &str,
        catalog: &SessionCatalog,
    ) -> Result<Option<StatementResult>> {
        let ran = self.run(plan, catalog);
        let started = ran.and_then(|ran| ran.map(|ran| started_result(Ok(ran))).transpose());
        match started {
            Err(Error::Eval(EvalError::OutOfRange { .. })) => {
                let reading = Reading {
                    wide_results: true,
                    ..self.reading()
                };
                match bind_as(text, reading, catalog)?.statement {
                    BoundStatement::Plan(plan) => self.run(plan, catalog),
                    _ => Err(Error::internal("a statement changed its kind")),
                }
            }
            other => other,
        }
    }

    /// How the next statement's text is read.
    pub(crate) const fn reading(&self) -> Reading {
        Reading {
            dialect: self.dialect,
            null_order: self.null_order,
            wide_results: false,
        }
    }

    /// Runs a bound statement, on a stack that the deepest plan fits; `None` where it has to be bound again.
    pub(crate) fn run(
        &mut self,
        plan: Box<PlanStatement>,
        catalog: &SessionCatalog,
    ) -> Result<Option<StatementResult>> {
        self.on_large_stack(|state| state.runtime.execute_bound(plan, catalog))
    }

    /// Does something on a stack that the deepest plan fits.
    pub(crate) fn on_large_stack<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let need = stack_bytes(0) + PLAN_STACK_BYTES;
        stacker::maybe_grow(need, 4 * need, || work(self))
    }

    /// A dialect is also how a failed statement leaves its transaction.
    fn set_dialect(&mut self, dialect: SqlDialect) {
        self.dialect = dialect;
        self.runtime.set_foreign_keys(dialect.checks_foreign_keys());
        self.runtime
            .set_savepoints_begin(dialect == SqlDialect::Sqlite);
        self.runtime.set_on_statement_error(match dialect {
            SqlDialect::Sqlite => OnStatementError::UndoStatement,
            SqlDialect::Llkv | SqlDialect::DuckDb => OnStatementError::AbortTransaction,
        });
    }
}

/// Rows of a result that are waited for before it is handed out: a statement that is bound anew must not
/// have given any.
const STARTED_ROWS: usize = llkv_types::BATCH_ROWS;

/// A result whose first rows are there, if it has any.
pub(crate) fn started_result(result: Result<StatementResult>) -> Result<StatementResult> {
    match result {
        Ok(StatementResult::Select(stream)) => started(stream).map(StatementResult::Select),
        other => other,
    }
}

/// A stream whose first rows are there, or all of few.
///
/// # Errors
/// Of those rows.
fn started(mut stream: SelectStream) -> Result<SelectStream> {
    let schema = stream.schema();
    let mut first = Vec::new();
    let mut rows = 0;
    while rows < STARTED_ROWS
        && let Some(batch) = stream.next()
    {
        let batch = batch.map_err(Error::from_arrow)?;
        rows += batch.num_rows();
        first.push(batch);
    }
    let batches = first.into_iter().map(Ok).chain(stream);
    Ok(Box::new(RecordBatchIterator::new(batches, schema)))
}

/// An error of a text that nobody wrote: its places mean nothing to the reader.
fn without_place(error: Error) -> Error {
    let Error::Bind(mut error) = error else {
        return error;
    };
    if let BindError::Syntax { span, .. }
    | BindError::NotFound { span, .. }
    | BindError::Ambiguous { span, .. }
    | BindError::TypeMismatch { span, .. }
    | BindError::UndefinedFunction { span, .. }
    | BindError::Invalid { span, .. }
    | BindError::Unsupported { span, .. } = &mut error
    {
        *span = None;
    }
    error.into()
}

fn no_such_statement(name: String) -> Error {
    BindError::NotFound {
        kind: ObjectKind::PreparedStatement,
        name,
        hint: None,
        span: None,
    }
    .into()
}
