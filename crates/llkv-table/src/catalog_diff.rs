//! What a transaction changed in the catalog, and the rows of table 0 that make it so.

use crate::catalog::{CatalogEntry, ObjectKey, RowKind, SysCatalog};
use crate::{CatalogObject, CatalogState, Table};
use llkv_column_map::TableChange;
use llkv_result::Result;
use llkv_types::{DatabaseNumber, RowId, TableId, TxnId};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a transaction changed in the catalog.
#[derive(Debug, Clone, Default)]
pub struct CatalogDiff {
    /// Objects created.
    pub added: Vec<CatalogObject>,
    /// Objects that went, with their rows.
    pub removed: Vec<(CatalogObject, RowId)>,
    /// Tables that existed before and have another definition or other indexes now.
    pub altered: Vec<Arc<Table>>,
    /// Other objects that existed before and are described anew.
    pub changed: Vec<CatalogObject>,
    /// Numbers of the file that were set, with what they are now.
    pub numbers: Vec<(DatabaseNumber, i32)>,
}

impl CatalogDiff {
    /// True when nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.altered.is_empty()
            && self.changed.is_empty()
            && self.numbers.is_empty()
    }
}

impl CatalogState {
    fn altered(&self, base: &Self) -> Vec<Arc<Table>> {
        let tables = self.tables.values().filter(|table| {
            let before = base.tables.get(&table.id());
            before.is_some_and(|before| !Arc::ptr_eq(before, table))
                && !self.is_temporary(table.id())
        });
        tables.cloned().collect()
    }

    /// What a transaction changed that began with `base`.
    #[must_use]
    pub fn diff(&self, base: &Self) -> CatalogDiff {
        let (before, now) = unlike(&base.by_name, &self.by_name);
        let is_among = |entries: &[&CatalogEntry], entry: &CatalogEntry| {
            let mut entries = entries.iter();
            entries.any(|other| other.object.id() == entry.object.id())
        };
        let added = now.iter().filter(|e| e.row_id.is_none());
        let removed = before.iter().filter_map(|entry| {
            let is_gone = !is_among(&now, entry);
            is_gone.then_some((entry.object.clone(), entry.row_id?))
        });
        let changed = now.iter().filter(|entry| {
            let is_table = matches!(entry.object, CatalogObject::Table(_));
            let known = before.iter().find(|b| b.object.id() == entry.object.id());
            !is_table && known.is_some_and(|known| !known.object.is(&entry.object))
        });
        CatalogDiff {
            added: added.map(|e| e.object.clone()).collect(),
            removed: removed.collect(),
            altered: self.altered(base),
            changed: changed.map(|e| e.object.clone()).collect(),
            numbers: self.numbers_set(base),
        }
    }

    /// True where both states describe the same objects and numbers of the file, temporary objects and sequences left out:
    /// numbers of sequences belong to no transaction.
    #[must_use]
    pub fn has_same_definitions(&self, before: &Self) -> bool {
        if self.as_of == before.as_of {
            return true;
        }
        let (old, new) = unlike(&before.by_name, &self.by_name);
        let mut unlike = old.iter().chain(&new);
        unlike.all(|entry| matches!(entry.object, CatalogObject::Sequence(_)))
            && self.numbers_set(before).is_empty()
    }

    /// The objects of the file that `before` has not, or describes otherwise.
    pub fn described_since<'c>(
        &'c self,
        before: &Self,
    ) -> impl Iterator<Item = &'c CatalogObject> + use<'c> {
        let (_, new) = unlike(&before.by_name, &self.by_name);
        new.into_iter().map(|entry| &entry.object)
    }

    /// The state after a commit that brings `diff`, and the changes of table 0 (and of the tables that
    /// come and go) that make it so.
    ///
    /// # Errors
    /// When a record cannot be built.
    pub fn apply(
        &self,
        diff: &CatalogDiff,
        commit_id: TxnId,
        first_row_id: RowId,
    ) -> Result<(Self, Vec<TableChange>)> {
        let mut next = self.clone();
        next.as_of = commit_id;
        let mut changes = Vec::new();
        let mut row_ids = Vec::new();
        let mut rows = Vec::new();
        let mut rows_of = Vec::new();
        for (object, row_id) in &diff.removed {
            let row_of = next.forget(object.id());
            row_ids.push(row_of.unwrap_or(*row_id));
            match object {
                CatalogObject::Table(table) => {
                    changes.push(TableChange::Drop { table: table.id() });
                }
                CatalogObject::Index(index) if next.tables.contains_key(&index.table) => {
                    changes.push(TableChange::DropIndex {
                        table: index.table,
                        index: index.index_id(),
                    });
                }
                _ => {}
            }
        }
        // First all out, then all in: names may change hands.
        let altered = diff.altered.iter().cloned().map(CatalogObject::Table);
        let again: Vec<CatalogObject> = altered.chain(diff.changed.iter().cloned()).collect();
        for object in &again {
            if let CatalogObject::Table(table) = object
                && let Some(before) = next.tables.get(&table.id())
            {
                changes.extend(alterations(before, table));
            }
            rows_of.push(next.forget(object.id()));
        }
        for (object, row_of) in again.into_iter().zip(rows_of) {
            let mut row_id = row_of;
            if self.is_described_anew(&object) {
                row_ids.extend(row_of);
                row_id = Some(first_row_id + rows.len() as u64);
                rows.push(object.record());
            }
            next.insert(object, row_id);
        }
        for object in &diff.added {
            let row_id = first_row_id + rows.len() as u64;
            rows.push(object.record());
            if let CatalogObject::Table(table) = object {
                let (id, columns) = (table.id(), table.meta().layout());
                changes.push(TableChange::Create { table: id, columns });
                changes.extend(table.meta().key_indexes().map(|index| {
                    let table = id;
                    TableChange::CreateIndex { table, index }
                }));
            }
            next.insert(object.clone(), Some(row_id));
        }
        // After the tables: their ids are no guide to which came first.
        for object in &diff.added {
            if let CatalogObject::Index(index) = object {
                changes.push(TableChange::CreateIndex {
                    table: index.table,
                    index: index.definition(),
                });
            }
        }
        let is_trigger = |object: &CatalogObject| matches!(object, CatalogObject::Trigger(_));
        let removed = diff.removed.iter().map(|(object, _)| object);
        let mut touched = diff.added.iter().chain(&diff.changed).chain(removed);
        if touched.any(is_trigger) {
            next.attach_triggers();
        }
        if !diff.removed.is_empty() {
            let highest = self.highest_id().max(next.highest_id());
            row_ids.extend(self.highest_id.map(|(row_id, _)| row_id));
            next.highest_id = Some((first_row_id + rows.len() as u64, highest));
            rows.push((RowKind::HighestId, TableId(highest), Vec::new()));
        }
        for (number, value) in &diff.numbers {
            let row_id = first_row_id + rows.len() as u64;
            row_ids.extend(next.store_number(*number, *value, row_id));
            let payload = value.to_le_bytes().to_vec();
            rows.push((RowKind::Number, TableId(*number as u32), payload));
        }
        let table = TableId::CATALOG;
        if !row_ids.is_empty() {
            row_ids.sort_unstable();
            changes.push(TableChange::Delete { table, row_ids });
        }
        if !rows.is_empty() {
            let batch = SysCatalog::rows(&rows)?;
            changes.push(TableChange::Append {
                table,
                first_row_id,
                batch,
            });
        }
        Ok((next, changes))
    }

    /// True for an object whose record here is not what it is now.
    fn is_described_anew(&self, object: &CatalogObject) -> bool {
        match object {
            // A table whose indexes alone are others keeps its record.
            CatalogObject::Table(table) => self
                .tables
                .get(&table.id())
                .is_none_or(|before| before.meta() != table.meta()),
            _ => true,
        }
    }
}

/// The entries of two catalogs, in their order, that do not have the same object under the same name in the other, or
/// have it not stored.
fn unlike<'b, 'n>(
    before: &'b BTreeMap<ObjectKey, CatalogEntry>,
    now: &'n BTreeMap<ObjectKey, CatalogEntry>,
) -> (Vec<&'b CatalogEntry>, Vec<&'n CatalogEntry>) {
    let (mut of_before, mut of_now) = (Vec::new(), Vec::new());
    let (mut left, mut right) = (before.iter().peekable(), now.iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (Some((l, _)), Some((r, _))) => l.cmp(r),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return (of_before, of_now),
        };
        let old = order.is_le().then(|| left.next()).flatten();
        let new = order.is_ge().then(|| right.next()).flatten();
        match (old, new) {
            (Some((_, old)), Some((_, new)))
                if new.row_id.is_some() && old.object.is(&new.object) => {}
            (old, new) => {
                of_before.extend(old.map(|(_, entry)| entry));
                of_now.extend(new.map(|(_, entry)| entry));
            }
        }
    }
}

/// What the column store has to do for another definition of a table.
fn alterations(before: &Table, after: &Table) -> Vec<TableChange> {
    let table = after.id();
    let (layout, columns) = (before.meta().layout(), after.meta().layout());
    let mut changes = Vec::new();
    let has = |keys: &Table, index| keys.meta().keys.iter().any(|key| key.index == index);
    for key in &before.meta().keys {
        if !has(after, key.index) {
            let index = key.index_id();
            changes.push(TableChange::DropIndex { table, index });
        }
    }
    if layout != columns {
        let fills = after.fills();
        changes.push(TableChange::Alter {
            table,
            columns,
            fills,
        });
    }
    let new = after.meta().key_indexes();
    let new = new.filter(|index| !has(before, index.id.0));
    changes.extend(new.map(|index| TableChange::CreateIndex { table, index }));
    changes
}
