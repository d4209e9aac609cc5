//! All settings, in alphabetical order: each a value with its names, its meaning, how it is changed and read.

use super::value::{Change, Value};
use super::{SessionSettings, default_threads};
use crate::OnStatementError;
use crate::context::RuntimeContext;
use crate::deferral::Deferral;
use crate::schemas;
use llkv_plan::{IndexUse, IsolationLevel};
use llkv_result::Result;
use llkv_types::BATCH_ROWS;
use std::path::Path;

/// What SET, RESET, SHOW and some pragmas know by a name.
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) aliases: &'static [&'static str],
    /// What SHOW ALL says of it.
    pub(super) help: &'static str,
    pub(super) change: fn(&mut SessionSettings, &RuntimeContext, Change<'_>) -> Result<()>,
    pub(super) value: fn(&SessionSettings, &RuntimeContext) -> Value,
}

const INDEX_USES: &[(&str, IndexUse)] = &[
    ("cost", IndexUse::ByCost),
    ("always", IndexUse::Always),
    ("never", IndexUse::Never),
];

/// The standard's words, by which clients ask.
const ISOLATION_LEVELS: &[(&str, IsolationLevel)] = &[
    ("repeatable read", IsolationLevel::Snapshot),
    ("read committed", IsolationLevel::Snapshot),
    ("read uncommitted", IsolationLevel::Snapshot),
    ("snapshot", IsolationLevel::Snapshot),
    ("serializable", IsolationLevel::Serializable),
];

const ON_STATEMENT_ERROR: &[(&str, OnStatementError)] = &[
    ("abort", OnStatementError::AbortTransaction),
    ("undo", OnStatementError::UndoStatement),
];

/// The word that has this meaning.
fn word<T: PartialEq>(words: &[(&str, T)], meaning: &T) -> Value {
    let mut words = words.iter();
    let found = words.find(|(_, of_word)| of_word == meaning);
    Value::Word(found.map_or("", |(word, _)| word).to_owned())
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "batch_size",
        aliases: &[],
        help: "rows that operators hand on at a time",
        change: |settings, _, change| {
            settings.batch_rows = change.count(BATCH_ROWS)?;
            Ok(())
        },
        value: |settings, _| Value::Count(settings.batch_rows),
    },
    Setting {
        name: "default_transaction_isolation",
        aliases: &[],
        help: "the isolation level of transactions that name none; all below serializable are snapshot isolation",
        change: |settings, _, change| {
            let wanted = "serializable, repeatable read, read committed or read uncommitted";
            settings.isolation = change.word(ISOLATION_LEVELS, IsolationLevel::Snapshot, wanted)?;
            Ok(())
        },
        value: |settings, _| word(ISOLATION_LEVELS, &settings.isolation),
    },
    Setting {
        name: "defer_foreign_keys",
        aliases: &[],
        help: "all foreign keys wait for the end of the transaction, also those that are not deferrable",
        change: |settings, _, change| {
            settings.deferral = match change.switch(false)? {
                true => Deferral::all(),
                false => Deferral::default(),
            };
            Ok(())
        },
        value: |settings, _| Value::Switch(settings.deferral.is_all()),
    },
    Setting {
        name: "direct_execution",
        aliases: &[],
        help: "queries over a few rows run as they were bound, without optimizer and operators",
        change: |settings, _, change| {
            settings.direct_execution = change.switch(true)?;
            Ok(())
        },
        value: |settings, _| Value::Switch(settings.direct_execution),
    },
    Setting {
        name: "disabled_rules",
        aliases: &[],
        help: "rules of the optimizer that are not applied, with commas between",
        change: |settings, _, change| {
            let names = match change.is_default {
                true => "",
                false => change.text(),
            };
            let names = names.split(',').map(str::trim).filter(|n| !n.is_empty());
            settings.optimizer.disabled_rules = names.map(str::to_owned).collect();
            Ok(())
        },
        value: |settings, _| {
            let mut names: Vec<&str> = Vec::new();
            names.extend(settings.optimizer.disabled_rules.iter().map(String::as_str));
            names.sort_unstable();
            Value::Word(names.join(", "))
        },
    },
    Setting {
        name: "force_spill",
        aliases: &[],
        help: "operators write to temporary files whatever they can",
        change: |settings, context, change| {
            settings.force_spill = change.switch(context.options.force_spill)?;
            Ok(())
        },
        value: |settings, _| Value::Switch(settings.force_spill),
    },
    Setting {
        name: "foreign_keys",
        aliases: &[],
        help: "foreign keys are checked and their actions carried out",
        change: |settings, _, change| {
            settings.foreign_keys = change.switch(true)?;
            Ok(())
        },
        value: |settings, _| Value::Switch(settings.foreign_keys),
    },
    Setting {
        name: "index_use",
        aliases: &[],
        help: "when indexes are used: by cost, always or never",
        change: |settings, _, change| {
            let wanted = "cost, always or never";
            settings.optimizer.index_use = change.word(INDEX_USES, IndexUse::ByCost, wanted)?;
            Ok(())
        },
        value: |settings, _| word(INDEX_USES, &settings.optimizer.index_use),
    },
    Setting {
        name: "lock_timeout",
        aliases: &["busy_timeout"],
        help: "how long a statement waits for a row that another transaction is changing",
        change: |settings, _, change| {
            settings.lock_timeout_ms = change.millis(0)?;
            Ok(())
        },
        value: |settings, _| Value::Millis(settings.lock_timeout_ms),
    },
    Setting {
        name: "memory_limit",
        aliases: &["max_memory"],
        help: "memory that the operators of all sessions may hold; what is over it goes to temporary files",
        change: |_, context, change| {
            let default = context.options.memory_limit_bytes.unwrap_or(u64::MAX);
            context.memory.set_limit_bytes(change.bytes(default)?);
            Ok(())
        },
        value: |_, context| Value::Bytes(context.memory.limit_bytes()),
    },
    Setting {
        name: "on_statement_error",
        aliases: &[],
        help: "what a failed statement does within a transaction: abort it, or undo the statement alone",
        change: |settings, _, change| {
            let default = OnStatementError::AbortTransaction;
            settings.on_statement_error =
                change.word(ON_STATEMENT_ERROR, default, "abort or undo")?;
            Ok(())
        },
        value: |settings, _| word(ON_STATEMENT_ERROR, &settings.on_statement_error),
    },
    Setting {
        name: "optimizer",
        aliases: &[],
        help: "off: only the rules without which no plan can run",
        change: |settings, _, change| {
            settings.optimizer.only_required = !change.switch(true)?;
            Ok(())
        },
        value: |settings, _| Value::Switch(!settings.optimizer.only_required),
    },
    Setting {
        name: "recursive_triggers",
        aliases: &[],
        help: "the programs of triggers may set themselves off",
        change: |settings, _, change| {
            settings.recursive_triggers = change.switch(false)?;
            Ok(())
        },
        value: |settings, _| Value::Switch(settings.recursive_triggers),
    },
    Setting {
        name: "search_path",
        aliases: &["schema"],
        help: "schemas where names without one are looked for",
        change: |settings, _, change| {
            settings.path = match change.is_default {
                true => schemas::default_path(),
                false => schemas::parse_path(change.text()),
            };
            Ok(())
        },
        value: |settings, _| Value::Word(settings.path.join(", ")),
    },
    Setting {
        name: "statement_timeout",
        aliases: &[],
        help: "a statement that runs for longer is cancelled; 0 is no limit",
        change: |settings, _, change| {
            settings.statement_timeout_ms = Some(change.millis(0)?).filter(|limit| *limit > 0);
            if settings.statement_timeout_ms.is_none() {
                settings.cancel.clear_timeout();
            }
            Ok(())
        },
        value: |settings, _| Value::Millis(settings.statement_timeout_ms.unwrap_or(0)),
    },
    Setting {
        name: "temp_directory",
        aliases: &[],
        help: "where temporary files go, of all sessions",
        change: |_, context, change| {
            let (default, is_owned) = &context.temp_directory;
            let directory = match change.is_default {
                true => default,
                false => Path::new(change.text()),
            };
            context.spill.set_owned(*is_owned && change.is_default);
            context.spill.set_directory(directory);
            Ok(())
        },
        value: |_, context| Value::Word(context.spill.directory().display().to_string()),
    },
    Setting {
        name: "temp_limit",
        aliases: &["max_temp_directory_size"],
        help: "size of all temporary files together; with 0 none are made",
        change: |_, context, change| {
            let default = context.options.temp_limit_bytes.unwrap_or(u64::MAX);
            let limit = match change.text() {
                "0" => 0,
                _ => change.bytes(default)?,
            };
            context.spill.set_limit_bytes(limit);
            Ok(())
        },
        value: |_, context| Value::Bytes(context.spill.limit_bytes()),
    },
    Setting {
        name: "threads",
        aliases: &["worker_threads"],
        help: "threads that run a statement",
        change: |settings, context, change| {
            settings.threads = change.count(default_threads(context))?;
            Ok(())
        },
        value: |settings, _| Value::Count(settings.threads),
    },
];
