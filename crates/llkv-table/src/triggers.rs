//! Triggers in the catalog: by their name, which is no table's, and by the table they fire for.

use crate::{CatalogObject, CatalogState, MAIN_SCHEMA, TriggerMeta};
use llkv_result::ObjectKind;
use llkv_types::TableId;
use std::collections::HashMap;
use std::sync::Arc;

/// Triggers by their table or view, the newest first: the order in which SQLite fires them.
pub type TriggersByTable = HashMap<TableId, Vec<Arc<TriggerMeta>>>;

/// Before the names of triggers, which are in one map with tables and may be called like them. No name
/// that a table is looked up by starts with it.
const TRIGGER_PREFIX: char = '\u{1}';

/// Under which the catalog keeps an object.
pub(crate) fn key_of(kind: ObjectKind, name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    match kind {
        ObjectKind::Trigger => format!("{TRIGGER_PREFIX}{lower}"),
        _ => lower,
    }
}

impl CatalogState {
    /// The triggers of a table or view, in the order in which they fire.
    #[must_use]
    pub fn triggers(&self, table: TableId) -> &[Arc<TriggerMeta>] {
        match self.triggers.is_empty() {
            true => &[],
            false => self.triggers.get(&table).map_or(&[], Vec::as_slice),
        }
    }

    /// An object of the database itself, of a kind.
    #[must_use]
    pub fn permanent_of(&self, kind: ObjectKind, name: &str) -> Option<&CatalogObject> {
        self.permanent_named(kind, MAIN_SCHEMA, name)
    }

    /// A temporary object, of a kind.
    #[must_use]
    pub fn temporary_of(&self, kind: ObjectKind, name: &str) -> Option<&CatalogObject> {
        if self.temporary.is_empty() {
            return None;
        }
        self.temporary.get(&key_of(kind, name))
    }

    /// Puts the triggers together anew: after one came or went.
    pub(crate) fn attach_triggers(&mut self) {
        let mut by_table = TriggersByTable::new();
        for object in self.objects() {
            if let CatalogObject::Trigger(trigger) = object {
                let of_table = by_table.entry(trigger.table).or_default();
                of_table.push(Arc::clone(trigger));
            }
        }
        for triggers in by_table.values_mut() {
            triggers.sort_by_key(|trigger| std::cmp::Reverse(trigger.id));
        }
        self.triggers = Arc::new(by_table);
    }

    /// Drops the triggers of a table or view that goes.
    pub(crate) fn drop_triggers_of(&mut self, table: TableId) {
        if self.triggers(table).is_empty() {
            return;
        }
        let is_of_table = |object: &CatalogObject| matches!(object, CatalogObject::Trigger(trigger) if trigger.table == table);
        self.by_name.retain(|_, entry| !is_of_table(&entry.object));
        if self.temporary.values().any(is_of_table) {
            Arc::make_mut(&mut self.temporary).retain(|_, object| !is_of_table(object));
        }
        self.attach_triggers();
    }
}
