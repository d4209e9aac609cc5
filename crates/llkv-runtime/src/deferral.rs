//! Which foreign keys are looked at when the transaction ends, and not at the end of each statement.

use crate::RuntimeSession;
use crate::alter::no_constraint;
use crate::foreign_keys::{PendingKeys, check};
use crate::schemas;
use crate::transaction::Transaction;
use llkv_plan::TableRef;
use llkv_result::{CatalogError, Result, StatementResult};
use llkv_table::{CatalogObject, CatalogState, ForeignKeyMeta, Table};
use llkv_types::TableId;
use std::sync::Arc;

/// What a transaction says of all foreign keys, and then of some.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deferral {
    of_all: OfAll,
    /// Constraints by table and name: the last word on each comes last.
    named: Vec<(TableId, String, bool)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum OfAll {
    /// Those wait that are declared INITIALLY DEFERRED.
    #[default]
    Declared,
    /// Those that are declared DEFERRABLE: `SET CONSTRAINTS ALL DEFERRED`.
    Deferrable,
    /// All: `PRAGMA defer_foreign_keys = on`.
    All,
    /// None: `SET CONSTRAINTS ALL IMMEDIATE`.
    None,
}

impl Deferral {
    /// All wait, whatever they were declared.
    pub(crate) fn all() -> Self {
        Self {
            of_all: OfAll::All,
            named: Vec::new(),
        }
    }

    pub(crate) fn is_all(&self) -> bool {
        self.of_all == OfAll::All
    }

    /// What SET CONSTRAINTS has said since is taken back; what a pragma says holds to the end of the transaction.
    pub(crate) fn return_to(&mut self, then: &Self) {
        if !self.is_all() && !then.is_all() {
            self.clone_from(then);
        }
    }

    /// Whether a foreign key of a table waits, where that was said of it by name.
    fn by_name(&self, child: TableId, name: &str) -> Option<bool> {
        let mut named = self.named.iter().rev();
        let last = named.find(|(table, known, _)| *table == child && known == name);
        last.map(|(_, _, deferred)| *deferred)
    }

    /// Whether a foreign key of a table waits.
    pub(crate) fn puts_off(&self, child: TableId, key: &ForeignKeyMeta) -> bool {
        match self.by_name(child, &key.name) {
            Some(deferred) => deferred,
            None => match self.of_all {
                OfAll::Declared => key.initially_deferred,
                OfAll::Deferrable => key.deferrable,
                OfAll::All => true,
                OfAll::None => false,
            },
        }
    }
}

/// `SET CONSTRAINTS`. What waited so far and must wait no longer is looked at now.
///
/// # Errors
/// A name that no constraint has, one that is not DEFERRABLE, a row whose parent is not there: nothing is set then.
pub(crate) fn set_constraints(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    names: Option<&[TableRef]>,
    deferred: bool,
) -> Result<StatementResult> {
    let mut next = match names {
        Some(_) => session.settings.deferral.clone(),
        None => Deferral {
            of_all: if deferred {
                OfAll::Deferrable
            } else {
                OfAll::None
            },
            named: Vec::new(),
        },
    };
    for name in names.unwrap_or_default() {
        let of_name = find(session, transaction.catalog(), name)?;
        let of_name = of_name.into_iter();
        next.named
            .extend(of_name.map(|(table, name)| (table, name, deferred)));
    }
    if !deferred {
        let is_meant = |pending: &PendingKeys| {
            names.is_none() || next.by_name(pending.child, &pending.name) == Some(false)
        };
        let (meant, others): (Vec<_>, Vec<_>) =
            transaction.deferred().iter().cloned().partition(is_meant);
        check(transaction, meant)?;
        // A savepoint may take back what makes them hold: then they are looked at again at the end.
        if !transaction.has_named_savepoints() {
            transaction.take_deferred();
            others
                .into_iter()
                .for_each(|pending| transaction.defer(pending));
        }
    }
    session.settings.deferral = next;
    Ok(StatementResult::Utility { tag: "SET" })
}

/// True when keys of a table's rows, or of rows that refer to it, have yet to be looked at.
pub(crate) fn has_pending(transaction: &Transaction, table: &Arc<Table>) -> bool {
    let catalog = transaction.catalog();
    let concerns = |pending: &PendingKeys| {
        let constraint = pending.constraint(catalog);
        constraint.is_some_and(|(child, key)| [child.id(), key.parent].contains(&table.id()))
    };
    transaction.deferred().iter().any(concerns)
}

/// The foreign keys of a name: of all tables of the first schema of the path in which there is one.
fn find(
    session: &RuntimeSession,
    catalog: &CatalogState,
    wanted: &TableRef,
) -> Result<Vec<(TableId, String)>> {
    let path = &session.settings.path;
    let schemas: Vec<_> = match &wanted.schema {
        Some(schema) => schemas::schema_id(catalog, schema).into_iter().collect(),
        None => {
            let known = path.iter();
            known
                .filter_map(|name| schemas::schema_id(catalog, name))
                .collect()
        }
    };
    for schema in schemas {
        let mut found = Vec::new();
        for object in catalog.objects().filter(|object| object.schema() == schema) {
            if let CatalogObject::Table(table) = object {
                found.extend(of_table(table, &wanted.name)?);
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Err(no_constraint(&wanted.name))
}

/// The foreign key of a name that a table has.
fn of_table(table: &Arc<Table>, wanted: &str) -> Result<Option<(TableId, String)>> {
    let meta = table.meta();
    let is_it = |name: &String| name.eq_ignore_ascii_case(wanted);
    let mut keys = meta.foreign_keys.iter();
    let others = meta.keys.iter().map(|key| &key.name);
    let mut others = others.chain(meta.checks.iter().map(|check| &check.name));
    match keys.find(|key| is_it(&key.name)) {
        Some(key) if key.deferrable => Ok(Some((table.id(), key.name.clone()))),
        None if !others.any(is_it) => Ok(None),
        _ => Err(CatalogError::NotDeferrable {
            constraint: wanted.to_owned(),
        }
        .into()),
    }
}
