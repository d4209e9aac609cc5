//! A connection: the running transaction, the settings, and the way of a statement.

use crate::backup::back_up;
use crate::catalog_view::Scope;
use crate::context::RuntimeContext;
use crate::deferral::Deferral;
use crate::direct::SmallTables;
use crate::firing::Firing;
use crate::known::Known;
use crate::sequences::SessionSequences;
use crate::settings::SessionSettings;
use crate::temporary::TemporarySpace;
use crate::transaction::{Failure, Transaction};
use crate::{OnStatementError, SessionCatalog};
use llkv_compute::{within_clock, within_statement};
use llkv_executor::{CancelToken, ExecutionStatistics, OperatorStatistics, ProgressHook};
use llkv_plan::{IsolationLevel, PlanStatement};
use llkv_result::{Error, Result, StatementResult, TransactionError};
use llkv_table::CatalogState;
use llkv_types::SystemClock;
use std::sync::Arc;

/// A connection to a database. Statements outside BEGIN are transactions of their own.
///
/// Result streams hold what they read: they may be pulled after the session's next statement, after the
/// end of the transaction, and by another thread.
pub struct RuntimeSession {
    pub(crate) context: Arc<RuntimeContext>,
    pub(crate) settings: SessionSettings,
    /// The transaction that BEGIN began.
    pub(crate) transaction: Option<Transaction>,
    /// Temporary objects; the transaction has them while one runs.
    temporary: TemporarySpace,
    pub(crate) last_execution: Option<ExecutionStatistics>,
    pub(crate) firing: Firing,
    sequences: Arc<SessionSequences>,
    /// The statement runs for EXPLAIN ANALYZE.
    pub(crate) is_analyzing: bool,
    /// What stable functions answer.
    pub(crate) known: Known,
    pub(crate) small_tables: SmallTables,
    /// The last statement of a transaction failed, and what it did stays.
    has_kept: bool,
}

impl RuntimeSession {
    pub(crate) fn new(context: Arc<RuntimeContext>) -> Self {
        Self {
            settings: SessionSettings::new(&context),
            transaction: None,
            has_kept: false,
            temporary: TemporarySpace::default(),
            last_execution: None,
            firing: Firing::default(),
            sequences: Arc::default(),
            is_analyzing: false,
            known: Known::default(),
            small_tables: SmallTables::default(),
            context,
        }
    }

    /// Runs a bound statement: transaction control here, everything else in a transaction, the one that
    /// BEGIN began or one of its own.
    ///
    /// # Errors
    /// Whatever goes wrong in the statement. It then leaves no trace; in a transaction, what becomes of
    /// the rest is told by [`OnStatementError`].
    pub fn execute(&mut self, statement: PlanStatement) -> Result<StatementResult> {
        let statement = Box::new(statement);
        if let Some(control) = self.control(&statement) {
            return control;
        }
        self.execute_with(|session, transaction| session.run_given(transaction, statement))
    }

    /// Runs a statement that was bound against a catalog. `None` where its transaction sees another one, because
    /// somebody changed a definition in between: it has to be bound again.
    ///
    /// # Errors
    /// Those of [`RuntimeSession::execute`].
    pub fn execute_bound(
        &mut self,
        statement: Box<PlanStatement>,
        catalog: &SessionCatalog,
    ) -> Result<Option<StatementResult>> {
        if let Some(control) = self.control(&statement) {
            return control.map(Some);
        }
        self.execute_on(catalog.state(), |session, transaction| {
            session.run_given(transaction, statement)
        })
    }

    /// [`Self::execute_with`] for work that was planned for a catalog; `None`, and nothing done, where the
    /// transaction sees another one.
    pub(crate) fn execute_on(
        &mut self,
        catalog: &Arc<CatalogState>,
        work: impl FnOnce(&mut Self, &mut Transaction) -> Result<StatementResult>,
    ) -> Result<Option<StatementResult>> {
        let mut is_stale = false;
        let result = self.execute_with(|session, transaction| {
            is_stale = !Arc::ptr_eq(transaction.catalog(), catalog);
            match is_stale {
                true => Ok(StatementResult::Utility { tag: "" }),
                false => work(session, transaction),
            }
        })?;
        Ok((!is_stale).then_some(result))
    }

    /// Does a statement's work in the transaction that BEGIN began, or in one of its own.
    pub(crate) fn execute_with(
        &mut self,
        work: impl FnOnce(&mut Self, &mut Transaction) -> Result<StatementResult>,
    ) -> Result<StatementResult> {
        let clock = self.context.options.clock.clone();
        let asked = clock.as_deref().unwrap_or(&SystemClock);
        let context = self.known.statement(asked, self.transaction.is_some());
        self.start_timeout();
        let result = within_statement(context, || match &clock {
            None => self.execute_in_transaction(work),
            Some(clock) => within_clock(clock, || self.execute_in_transaction(work)),
        });
        self.known.note(&result);
        result
    }

    /// From now on a statement has its time.
    fn start_timeout(&mut self) {
        if let Some(limit_ms) = self.settings.statement_timeout_ms {
            let clock = self.context.options.clock.clone();
            let clock = clock.unwrap_or_else(SystemClock::shared);
            self.settings.cancel.set_timeout(&clock, limit_ms);
        }
    }

    fn execute_in_transaction(
        &mut self,
        work: impl FnOnce(&mut Self, &mut Transaction) -> Result<StatementResult>,
    ) -> Result<StatementResult> {
        match self.transaction.take() {
            Some(mut transaction) => {
                transaction.patience = self.settings.patience();
                let result = match transaction.flush() {
                    Ok(()) => self.execute_within(&mut transaction, work),
                    Err(error) => {
                        transaction.abort();
                        Err(error)
                    }
                };
                let failure = match result {
                    Ok(_) => None,
                    Err(_) => transaction.take_failure(),
                };
                self.has_kept = failure == Some(Failure::Keep);
                if failure == Some(Failure::RollBack) {
                    self.temporary = transaction.take_temporary(false)?;
                    return result;
                }
                self.transaction = Some(transaction);
                result
            }
            None => {
                let mut transaction = self.begin_implicitly();
                transaction.patience = self.settings.patience();
                let result = work(self, &mut transaction);
                self.known.inserted(transaction.last_row_id.take());
                let is_kept = result.is_ok() || transaction.take_failure() == Some(Failure::Keep);
                let committed = match is_kept {
                    true => self.context.commit(&mut transaction).map(|_| ()),
                    false => Ok(()),
                };
                self.settings.deferral = Deferral::default();
                let is_kept = is_kept && committed.is_ok();
                self.temporary = transaction.take_temporary(is_kept)?;
                result.and_then(|result| committed.map(|()| result))
            }
        }
    }

    /// A statement of a transaction that goes on afterwards.
    fn execute_within(
        &mut self,
        transaction: &mut Transaction,
        work: impl FnOnce(&mut Self, &mut Transaction) -> Result<StatementResult>,
    ) -> Result<StatementResult> {
        if transaction.is_aborted() {
            return Err(TransactionError::Aborted.into());
        }
        let undoable = self.settings.on_statement_error == OnStatementError::UndoStatement;
        if undoable {
            transaction.savepoint(None, Deferral::default());
        }
        transaction.take_failure();
        transaction.has_run = true;
        let result = work(self, transaction);
        self.known.inserted(transaction.last_row_id.take());
        if result.is_err() {
            transaction.reads().by_failed_statement();
        }
        match &result {
            Err(_) if transaction.failure() == Some(Failure::Keep) => {
                if undoable {
                    transaction.release(None)?;
                }
            }
            Err(error) if !undoable || error.is_retryable() => transaction.abort(),
            Err(_) => {
                transaction.rollback_to(None)?;
                transaction.release(None)?;
            }
            Ok(_) if undoable => transaction.release(None)?,
            Ok(_) => return result.map(|result| transaction.watch(result)),
        }
        result
    }

    /// BEGIN, COMMIT and the like; `None` for all other statements. One that fails aborts the transaction as others do, but for
    /// BEGIN, which changes nothing within one.
    pub(crate) fn control(&mut self, statement: &PlanStatement) -> Option<Result<StatementResult>> {
        let done = self.run_control(statement)?;
        if let (Err(error), false) = (&done, matches!(statement, PlanStatement::Begin { .. })) {
            self.note_error(error);
        }
        Some(done)
    }

    fn run_control(&mut self, statement: &PlanStatement) -> Option<Result<StatementResult>> {
        let tagged = |tag| StatementResult::Transaction { tag };
        Some(match statement {
            PlanStatement::Begin {
                read_only,
                isolation,
            } => {
                let isolation = isolation.unwrap_or(self.settings.isolation);
                let begun = self.begin_at(isolation, *read_only);
                begun.map(|()| tagged("BEGIN"))
            }
            PlanStatement::SetTransaction {
                read_only,
                isolation,
            } => {
                let set = self.set_transaction(*read_only, *isolation);
                set.map(|()| StatementResult::Utility { tag: "SET" })
            }
            PlanStatement::Commit => match self.commit() {
                Ok(true) => Ok(tagged("COMMIT")),
                Ok(false) => Ok(tagged("ROLLBACK")),
                Err(error) => Err(error),
            },
            PlanStatement::Rollback => self.rollback().map(|()| tagged("ROLLBACK")),
            PlanStatement::Savepoint(name) => self.savepoint(name).map(|()| tagged("SAVEPOINT")),
            PlanStatement::Release(name) => self.release(name).map(|()| tagged("RELEASE")),
            PlanStatement::RollbackTo(name) => self.rollback_to(name).map(|()| tagged("ROLLBACK")),
            PlanStatement::Checkpoint => {
                let tag = "CHECKPOINT";
                self.start_timeout();
                let done = self.context.checkpoint(&self.settings.cancel);
                done.map(|()| StatementResult::Utility { tag })
            }
            PlanStatement::Vacuum => self
                .vacuum()
                .map(|()| StatementResult::Utility { tag: "VACUUM" }),
            PlanStatement::Backup(target) => {
                self.start_timeout();
                let done = back_up(&self.context, target, &self.settings.cancel);
                done.map(|_| StatementResult::Utility { tag: "BACKUP" })
            }
            PlanStatement::Set { name, value } => {
                let set = self.set(name, value);
                set.map(|()| StatementResult::Utility { tag: "SET" })
            }
            PlanStatement::Show {
                name,
                column,
                as_number,
            } => self.settings.show(&self.context, name, column, *as_number),
            PlanStatement::ShowAll { others } => self.settings.show_all(&self.context, others),
            _ => return None,
        })
    }

    /// Outside transactions: the one that it runs in would hold on to dead rows.
    fn vacuum(&mut self) -> Result<()> {
        if self.transaction.is_some() {
            let statement = "VACUUM";
            return Err(TransactionError::NotAllowedWithin { statement }.into());
        }
        self.start_timeout();
        self.context.vacuum(&self.settings.cancel)
    }

    /// Begins a transaction of the session's isolation level. It sees what is committed now, until it ends.
    ///
    /// # Errors
    /// When one is in progress.
    pub fn begin(&mut self, read_only: bool) -> Result<()> {
        self.begin_at(self.settings.isolation, read_only)
    }

    /// Begins a transaction of some isolation level.
    ///
    /// # Errors
    /// When one is in progress.
    pub fn begin_at(&mut self, isolation: IsolationLevel, read_only: bool) -> Result<()> {
        if self.transaction.is_some() {
            return Err(TransactionError::AlreadyActive.into());
        }
        let clock = self.context.options.clock.as_deref();
        self.known.begin(clock.unwrap_or(&SystemClock));
        self.transaction = Some(self.begin_transaction(read_only, isolation));
        Ok(())
    }

    fn begin_transaction(&mut self, read_only: bool, isolation: IsolationLevel) -> Transaction {
        let temporary = std::mem::take(&mut self.temporary);
        Transaction::begin(&self.context, read_only, isolation, temporary)
    }

    /// Begins the transaction of a statement alone, or of a savepoint that stands for BEGIN.
    fn begin_implicitly(&mut self) -> Transaction {
        self.begin_transaction(false, self.settings.isolation)
    }

    /// Gives the transaction, in which no statement has run yet, another mode.
    ///
    /// # Errors
    /// When none is in progress, or a statement has run in it.
    fn set_transaction(
        &mut self,
        read_only: Option<bool>,
        isolation: Option<IsolationLevel>,
    ) -> Result<()> {
        self.active()?.set_mode(read_only, isolation)
    }

    /// Commits the transaction. False when it was rolled back instead, because a statement had failed.
    ///
    /// # Errors
    /// When none is in progress; a retryable conflict, or a failure of the disk: then it is rolled back.
    pub fn commit(&mut self) -> Result<bool> {
        let mut transaction = self.transaction.take().ok_or(TransactionError::NotActive)?;
        self.start_timeout();
        transaction.patience = self.settings.patience();
        self.settings.deferral = Deferral::default();
        if transaction.is_aborted() {
            self.temporary = transaction.take_temporary(false)?;
            return Ok(false);
        }
        let committed = self.context.commit(&mut transaction);
        self.temporary = transaction.take_temporary(committed.is_ok())?;
        committed.map(|_| true)
    }

    /// Ends the transaction without a trace.
    ///
    /// # Errors
    /// When none is in progress.
    pub fn rollback(&mut self) -> Result<()> {
        let mut ended = self.transaction.take().ok_or(TransactionError::NotActive)?;
        self.settings.deferral = Deferral::default();
        self.temporary = ended.take_temporary(false)?;
        Ok(())
    }

    /// Sets a savepoint in the transaction.
    ///
    /// # Errors
    /// When none is in progress, or it is aborted.
    pub fn savepoint(&mut self, name: &str) -> Result<()> {
        if self.transaction.is_none() && self.settings.savepoints_begin {
            let mut transaction = self.begin_implicitly();
            transaction.begun_by_savepoint = true;
            self.transaction = Some(transaction);
        }
        let deferral = self.settings.deferral.clone();
        self.active()?.savepoint(Some(name.to_owned()), deferral);
        Ok(())
    }

    /// Forgets a savepoint; what was done since it stays. With the savepoint that began a transaction it is
    /// committed.
    ///
    /// # Errors
    /// When no transaction is in progress, it is aborted, or there is no such savepoint.
    pub fn release(&mut self, name: &str) -> Result<()> {
        let transaction = self.active()?;
        transaction.release(Some(name))?;
        if transaction.begun_by_savepoint && !transaction.has_savepoints() {
            self.commit()?;
        }
        Ok(())
    }

    /// Takes back what was done since a savepoint; an aborted transaction goes on from there.
    ///
    /// # Errors
    /// When no transaction is in progress, or there is no such savepoint.
    pub fn rollback_to(&mut self, name: &str) -> Result<()> {
        let transaction = self.transaction.as_mut();
        let transaction = transaction.ok_or(TransactionError::NotActive)?;
        transaction.rollback_to(Some(name))?;
        if let Some(then) = transaction.deferral() {
            self.settings.deferral.return_to(then);
        }
        Ok(())
    }

    fn active(&mut self) -> Result<&mut Transaction> {
        match self.transaction.as_mut() {
            None => Err(TransactionError::NotActive.into()),
            Some(transaction) if transaction.is_aborted() => Err(TransactionError::Aborted.into()),
            Some(transaction) => {
                transaction.flush()?;
                Ok(transaction)
            }
        }
    }

    /// True where the last statement of the transaction failed and what it did before stays, as `OR FAIL` has it.
    #[must_use]
    pub fn has_kept(&self) -> bool {
        self.has_kept
    }

    /// True between BEGIN and the end of its transaction.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// True when a statement of the transaction failed, so that it takes only a rollback.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.transaction
            .as_ref()
            .is_some_and(Transaction::is_aborted)
    }

    /// Tells the session of a statement that failed before it came here: its text did not bind.
    pub fn note_error(&mut self, _error: &Error) {
        if self.settings.on_statement_error == OnStatementError::AbortTransaction
            && let Some(transaction) = self.transaction.as_mut()
        {
            transaction.abort();
        }
    }

    /// The catalog as the next statement sees it, for binding its names.
    #[must_use]
    pub fn catalog_view(&self) -> SessionCatalog {
        let catalog = match &self.transaction {
            Some(transaction) => Arc::clone(transaction.catalog()),
            None => self.temporary.seen_with(self.context.catalog.load_full()),
        };
        SessionCatalog::new(Arc::clone(&self.context), catalog, self.scope())
    }

    /// What the session brings to the names that it uses.
    pub(crate) fn scope(&self) -> Scope {
        Scope {
            path: Arc::clone(&self.settings.path),
            sequences: Arc::clone(&self.sequences),
        }
    }

    /// Changes a setting: `threads`, `batch_size`, `on_statement_error`, `optimizer`, `disabled_rules`, `index_use`,
    /// `force_spill` of the session; `memory_limit`, `temp_directory`, `temp_limit` of the engine; `default` is a
    /// value of all.
    ///
    /// # Errors
    /// For names and values that do not exist.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.settings.set(&self.context, name, value)
    }

    /// What a failed statement does to its transaction.
    pub fn set_on_statement_error(&mut self, on_statement_error: OnStatementError) {
        self.settings.on_statement_error = on_statement_error;
    }

    /// Whether foreign keys are looked at.
    pub fn set_foreign_keys(&mut self, enforced: bool) {
        self.settings.foreign_keys = enforced;
    }

    /// True where foreign keys are looked at.
    #[must_use]
    pub fn enforces_foreign_keys(&self) -> bool {
        self.settings.foreign_keys
    }

    /// Whether a savepoint outside of a transaction begins one, as in SQLite; else it is an error.
    pub fn set_savepoints_begin(&mut self, begin: bool) {
        self.settings.savepoints_begin = begin;
    }

    /// The token that stops the running statement, from any thread. It stays cancelled until it is reset.
    #[must_use]
    pub fn cancel_token(&self) -> CancelToken {
        self.settings.cancel.clone()
    }

    /// Bytes that the operators of all sessions may hold together; none without a limit.
    #[must_use]
    pub fn memory_limit_bytes(&self) -> Option<u64> {
        Some(self.context.memory.limit_bytes()).filter(|limit| *limit < u64::MAX)
    }

    /// Has somebody told how far later statements have come while they run, or nobody any more.
    pub fn set_progress(&mut self, progress: Option<ProgressHook>) {
        self.settings.progress = progress;
    }

    /// What the operators of the last statement that ran a plan have counted so far.
    #[must_use]
    pub fn last_statistics(&self) -> Option<OperatorStatistics> {
        self.last_execution.as_ref().map(ExecutionStatistics::read)
    }
}

impl std::fmt::Debug for RuntimeSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuntimeSession")
            .field("in_transaction", &self.in_transaction())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
