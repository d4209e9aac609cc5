//! Settings of a session: what its plans run with, and the list of names to change and to read them by.

mod list;
mod value;

use crate::OnStatementError;
use crate::context::RuntimeContext;
use crate::deferral::Deferral;
use crate::explain::one_batch;
use crate::schemas::{self, SearchPath};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use list::{SETTINGS, Setting};
use llkv_executor::{CancelToken, ProgressHook, machine_threads};
use llkv_plan::{IsolationLevel, OptimizerOptions};
use llkv_result::{BindError, Result, StatementResult};
use llkv_table::Patience;
use llkv_types::BATCH_ROWS;
use std::sync::Arc;
use std::time::Duration;
use value::Change;

/// What a session runs its plans with. Memory and temporary files are the engine's: `memory_limit`, `temp_directory` and
/// `temp_limit` change them for all sessions.
#[derive(Debug, Clone)]
pub(crate) struct SessionSettings {
    pub(crate) threads: usize,
    pub(crate) batch_rows: usize,
    pub(crate) force_spill: bool,
    /// Queries over a few rows run as they were bound, without operators.
    pub(crate) direct_execution: bool,
    pub(crate) cancel: CancelToken,
    pub(crate) progress: Option<ProgressHook>,
    pub(crate) optimizer: OptimizerOptions,
    pub(crate) on_statement_error: OnStatementError,
    /// Of transactions that say nothing else.
    pub(crate) isolation: IsolationLevel,
    /// A savepoint outside of a transaction begins one, which ends when it is released.
    pub(crate) savepoints_begin: bool,
    /// The programs of triggers may set themselves off.
    pub(crate) recursive_triggers: bool,
    /// Where names without a schema are looked for.
    pub(crate) path: SearchPath,
    /// Foreign keys are looked at.
    pub(crate) foreign_keys: bool,
    /// Which of them only at the end of the transaction; it ends with that.
    pub(crate) deferral: Deferral,
    /// A statement that runs for longer is cancelled.
    pub(crate) statement_timeout_ms: Option<u64>,
    /// A statement waits so long for a row that another transaction is changing.
    pub(crate) lock_timeout_ms: u64,
    /// Counts the changes.
    pub(crate) version: u64,
}

impl SessionSettings {
    pub(crate) fn new(context: &RuntimeContext) -> Self {
        Self {
            threads: default_threads(context),
            batch_rows: BATCH_ROWS,
            force_spill: context.options.force_spill,
            direct_execution: true,
            cancel: CancelToken::new(),
            progress: None,
            optimizer: OptimizerOptions::default(),
            on_statement_error: OnStatementError::default(),
            isolation: IsolationLevel::default(),
            savepoints_begin: false,
            recursive_triggers: false,
            path: schemas::default_path(),
            foreign_keys: true,
            deferral: Deferral::default(),
            statement_timeout_ms: None,
            lock_timeout_ms: 0,
            version: 0,
        }
    }

    /// When a statement gives up.
    pub(crate) fn patience(&self) -> Patience {
        Patience {
            lock_timeout: Duration::from_millis(self.lock_timeout_ms),
            cancel: self.cancel.clone(),
        }
    }

    /// `SET name = value`
    pub(crate) fn set(&mut self, context: &RuntimeContext, name: &str, value: &str) -> Result<()> {
        let setting = setting(name)?;
        self.version += 1;
        (setting.change)(self, context, Change::new(name, value))
    }

    /// `SHOW name`: a row with the value, as text or, as SQLite's pragmas give it, as a number.
    pub(crate) fn show(
        &self,
        context: &RuntimeContext,
        name: &str,
        column: &str,
        as_number: bool,
    ) -> Result<StatementResult> {
        let value = (setting(name)?.value)(self, context);
        let values: ArrayRef = match value.number().filter(|_| as_number) {
            Some(number) => Arc::new(Int64Array::from(vec![number])),
            None => texts([value.to_string()]),
        };
        Ok(one_batch(RecordBatch::try_from_iter([(column, values)])?))
    }

    /// `SHOW ALL`: each setting's name, value and meaning, and those of others, by name.
    pub(crate) fn show_all(
        &self,
        context: &RuntimeContext,
        others: &[[String; 3]],
    ) -> Result<StatementResult> {
        let own = SETTINGS.iter().map(|setting| {
            let value = (setting.value)(self, context).to_string();
            [setting.name.to_owned(), value, setting.help.to_owned()]
        });
        let mut rows: Vec<[String; 3]> = own.chain(others.iter().cloned()).collect();
        rows.sort_unstable();
        let (mut names, mut values, mut helps) = (vec![], vec![], vec![]);
        for [name, value, help] in rows {
            names.push(name);
            values.push(value);
            helps.push(help);
        }
        let columns = [
            ("name", texts(names)),
            ("setting", texts(values)),
            ("description", texts(helps)),
        ];
        Ok(one_batch(RecordBatch::try_from_iter(columns)?))
    }
}

fn texts(values: impl IntoIterator<Item = String>) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values(values))
}

/// The setting of that name.
fn setting(name: &str) -> Result<&'static Setting> {
    let mut settings = SETTINGS.iter();
    let found = settings.find(|setting| setting.name == name || setting.aliases.contains(&name));
    found.ok_or_else(|| {
        let feature = format!("the setting \"{name}\"");
        BindError::Unsupported {
            feature,
            span: None,
        }
        .into()
    })
}

fn default_threads(context: &RuntimeContext) -> usize {
    context
        .options
        .threads
        .unwrap_or_else(machine_threads)
        .max(1)
}
