//! Settings of a session.

use crate::OnStatementError;
use crate::context::RuntimeContext;
use crate::schemas::{self, SearchPath};
use llkv_executor::{CancelToken, ProgressHook, machine_threads};
use llkv_plan::{IndexUse, OptimizerOptions};
use llkv_result::{BindError, Result};
use llkv_table::LockWait;
use llkv_types::BATCH_ROWS;
use std::path::Path;

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
    /// A savepoint outside of a transaction begins one, which ends when it is released.
    pub(crate) savepoints_begin: bool,
    /// The programs of triggers may set themselves off.
    pub(crate) recursive_triggers: bool,
    /// Where names without a schema are looked for.
    pub(crate) path: SearchPath,
    /// Foreign keys are looked at.
    pub(crate) foreign_keys: bool,
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
            savepoints_begin: false,
            recursive_triggers: false,
            path: schemas::default_path(),
            foreign_keys: true,
            statement_timeout_ms: None,
            lock_timeout_ms: 0,
            version: 0,
        }
    }

    /// How a statement waits for rows.
    pub(crate) fn lock_wait(&self) -> LockWait {
        if self.lock_timeout_ms == 0 {
            return LockWait::default();
        }
        let cancel = self.cancel.clone();
        LockWait::new(self.lock_timeout_ms, move || cancel.check())
    }

    pub(crate) fn set(&mut self, context: &RuntimeContext, name: &str, value: &str) -> Result<()> {
        self.version += 1;
        let is_default = value.eq_ignore_ascii_case("default");
        match name {
            "threads" | "worker_threads" if is_default => self.threads = default_threads(context),
            "threads" | "worker_threads" => self.threads = count(name, value)?,
            "batch_size" if is_default => self.batch_rows = BATCH_ROWS,
            "batch_size" => self.batch_rows = count(name, value)?,
            "memory_limit" | "max_memory" => {
                let limit = match is_default {
                    true => context.options.memory_limit_bytes.unwrap_or(u64::MAX),
                    false => bytes(name, value)?,
                };
                context.memory.set_limit_bytes(limit);
            }
            "temp_directory" => {
                let (default, is_owned) = &context.temp_directory;
                let is_owned = *is_owned && is_default;
                let directory = if is_default {
                    default
                } else {
                    Path::new(value)
                };
                context.spill.set_owned(is_owned);
                context.spill.set_directory(directory);
            }
            "temp_limit" | "max_temp_directory_size" => {
                let limit = match value.trim() {
                    "0" => 0,
                    _ if is_default => context.options.temp_limit_bytes.unwrap_or(u64::MAX),
                    _ => bytes(name, value)?,
                };
                context.spill.set_limit_bytes(limit);
            }
            "force_spill" if is_default => self.force_spill = context.options.force_spill,
            "force_spill" => self.force_spill = switch(name, value)?,
            "direct_execution" => self.direct_execution = is_default || switch(name, value)?,
            "on_statement_error" => {
                self.on_statement_error = match value.to_ascii_lowercase().as_str() {
                    "abort" | "default" => OnStatementError::AbortTransaction,
                    "undo" => OnStatementError::UndoStatement,
                    _ => return Err(invalid(name, value, "abort or undo")),
                }
            }
            "recursive_triggers" => self.recursive_triggers = !is_default && switch(name, value)?,
            "search_path" | "schema" if is_default => self.path = schemas::default_path(),
            "search_path" | "schema" => self.path = schemas::parse_path(value),
            "statement_timeout" => {
                self.statement_timeout_ms = match is_default {
                    true => None,
                    false => Some(millis(name, value)?).filter(|limit_ms| *limit_ms > 0),
                };
                if self.statement_timeout_ms.is_none() {
                    self.cancel.clear_timeout();
                }
            }
            "lock_timeout" | "busy_timeout" if is_default => self.lock_timeout_ms = 0,
            "lock_timeout" | "busy_timeout" => self.lock_timeout_ms = millis(name, value)?,
            "foreign_keys" => self.foreign_keys = is_default || switch(name, value)?,
            "disabled_rules" if is_default => self.optimizer.disabled_rules.clear(),
            "disabled_rules" => {
                let names = value.split(',').map(str::trim).filter(|n| !n.is_empty());
                self.optimizer.disabled_rules = names.map(str::to_owned).collect();
            }
            "optimizer" => {
                self.optimizer.only_required = match value.to_ascii_lowercase().as_str() {
                    "on" | "default" => false,
                    "off" => true,
                    _ => return Err(invalid(name, value, "on or off")),
                }
            }
            "index_use" => {
                self.optimizer.index_use = match value.to_ascii_lowercase().as_str() {
                    "cost" | "default" => IndexUse::ByCost,
                    "always" => IndexUse::Always,
                    "never" => IndexUse::Never,
                    _ => return Err(invalid(name, value, "cost, always or never")),
                }
            }
            _ => {
                return Err(BindError::Unsupported {
                    feature: format!("the setting \"{name}\""),
                    span: None,
                }
                .into());
            }
        }
        Ok(())
    }
}

fn default_threads(context: &RuntimeContext) -> usize {
    context
        .options
        .threads
        .unwrap_or_else(machine_threads)
        .max(1)
}

/// `on`, `off`, and their other words.
fn switch(name: &str, value: &str) -> Result<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => Err(invalid(name, value, "on or off")),
    }
}

fn count(name: &str, value: &str) -> Result<usize> {
    match value.trim().parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(invalid(name, value, "a number above 0")),
    }
}

/// `1GB`, `512 MiB`, `1000000`.
fn bytes(name: &str, value: &str) -> Result<u64> {
    let text = value.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit: u64 = match text.get(digits.len()..).unwrap_or_default().trim() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return Err(invalid(name, value, "a size such as 2GB")),
    };
    match digits.parse::<f64>() {
        Ok(count) if count > 0.0 => Ok((count * unit as f64) as u64),
        _ => Err(invalid(name, value, "a size such as 2GB")),
    }
}

/// `1500` and `1500ms` are milliseconds; `2s`, `5 min`, `1h`.
fn millis(name: &str, value: &str) -> Result<u64> {
    let text = value.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit_ms: u64 = match text.get(digits.len()..).unwrap_or_default().trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(invalid(name, value, "a time such as 500ms or 2s")),
    };
    let count = digits.parse::<u64>().ok();
    let time = count.and_then(|count| count.checked_mul(unit_ms));
    time.ok_or_else(|| invalid(name, value, "a time such as 500ms or 2s"))
}

fn invalid(name: &str, value: &str, wanted: &str) -> llkv_result::Error {
    let message = format!("the setting \"{name}\" wants {wanted}, not '{value}'");
    BindError::Invalid {
        message,
        span: None,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("m", "2GB").unwrap(), 2_000_000_000);
        assert_eq!(bytes("m", "1.5 MiB").unwrap(), 3 << 19);
        assert_eq!(bytes("m", "77").unwrap(), 77);
        assert!(bytes("m", "2 parsecs").is_err());
        assert!(bytes("m", "-1").is_err());
    }

    #[test]
    fn times_have_units() {
        assert_eq!(millis("t", "1500").unwrap(), 1_500);
        assert_eq!(millis("t", "1500 ms").unwrap(), 1_500);
        assert_eq!(millis("t", "2min").unwrap(), 120_000);
        assert!(millis("t", "2 fortnights").is_err());
        assert!(millis("t", "-1").is_err());
    }
}
