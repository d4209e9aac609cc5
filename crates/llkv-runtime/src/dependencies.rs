//! What objects of the catalog rest on, looked at when a transaction commits: what it describes rests on nothing that
//! another one has taken away meanwhile, and nothing that another one has described meanwhile rests on what it takes away.

use crate::transaction::Transaction;
use llkv_compute::has_name;
use llkv_result::Result;
use llkv_table::{CatalogDiff, CatalogObject, CatalogState};
use llkv_transaction::conflict;
use llkv_types::TableId;

impl Transaction {
    /// Checks changes of the catalog against it as it is now, under the lock that orders commits.
    pub(crate) fn check_dependencies(
        &self,
        diff: &CatalogDiff,
        catalog: &CatalogState,
    ) -> Result<()> {
        let base = self.base_catalog();
        if diff.is_empty() || catalog.as_of() == base.as_of() {
            return Ok(());
        }
        let altered = diff.altered.iter().cloned().map(CatalogObject::Table);
        let altered: Vec<CatalogObject> = altered.collect();
        let described = diff.added.iter().chain(&diff.changed).chain(&altered);
        let of_others = base.described_since(catalog);
        let of_others = of_others.filter_map(|old| Gone::new(old, catalog.by_id(old.id())));
        if let Some((object, gone)) = resting(described, &of_others.collect::<Vec<_>>(), base) {
            return Err(conflict(
                object.name(),
                &format!(
                    "a concurrent transaction has dropped or altered {} \"{}\", which it needs",
                    gone.kind(),
                    gone.name()
                ),
            ));
        }
        let removed = diff.removed.iter();
        let removed = removed.filter_map(|(old, _)| Gone::new(old, None));
        let others = diff.changed.iter().chain(&altered);
        let others = others.filter_map(|new| Gone::new(base.by_id(new.id())?, Some(new)));
        let own: Vec<Gone<'_>> = removed.chain(others).collect();
        if let Some((object, gone)) = resting(catalog.described_since(base), &own, base) {
            return Err(conflict(
                gone.name(),
                &format!(
                    "a concurrent transaction has created or altered {} \"{}\", which needs it",
                    object.kind(),
                    object.name()
                ),
            ));
        }
        Ok(())
    }
}

/// An object that is no longer, or no longer as it was.
struct Gone<'c> {
    object: &'c CatalogObject,
    is_dropped: bool,
}

impl<'c> Gone<'c> {
    /// None for a table that has the same definition: other indexes, or another table's reference.
    fn new(old: &'c CatalogObject, new: Option<&CatalogObject>) -> Option<Self> {
        if let (CatalogObject::Table(old), Some(CatalogObject::Table(new))) = (old, new)
            && old.meta() == new.meta()
        {
            return None;
        }
        Some(Self {
            object: old,
            is_dropped: new.is_none(),
        })
    }
}

/// The first of some objects that newly rests on one that is gone, and that one.
fn resting<'d, 'g>(
    described: impl Iterator<Item = &'d CatalogObject>,
    gone: &[Gone<'g>],
    base: &CatalogState,
) -> Option<(&'d CatalogObject, &'g CatalogObject)> {
    if gone.is_empty() {
        return None;
    }
    let mut found = described.filter_map(|object| {
        let needs = new_needs(object, base);
        let texts = texts_of(object);
        let rests = |gone: &&Gone<'_>| {
            let id = gone.object.id();
            id != object.id()
                && (needs.iter().any(|need| match need {
                    Need::There(needed) => gone.is_dropped && *needed == id,
                    Need::Same(needed) => *needed == id,
                }) || texts.iter().any(|text| mentions(text, gone.object)))
        };
        Some((object, gone.iter().find(rests)?.object))
    });
    found.next()
}

/// Something that an object rests on.
enum Need {
    /// It is there.
    There(TableId),
    /// It is there as it was.
    Same(TableId),
}

/// What an object rests on, less what it rested on in `base` already.
fn new_needs(object: &CatalogObject, base: &CatalogState) -> Vec<Need> {
    let before = base.by_id(object.id());
    let mut needs = Vec::new();
    if before.is_none_or(|before| before.schema() != object.schema()) {
        needs.push(Need::There(object.schema()));
    }
    match object {
        CatalogObject::Table(table) => {
            let known = match before {
                Some(CatalogObject::Table(before)) => before.meta().foreign_keys.as_slice(),
                _ => &[],
            };
            let keys = table.meta().foreign_keys.iter();
            let new = keys.filter(|key| !known.contains(key) && key.parent != table.id());
            needs.extend(new.map(|key| Need::Same(key.parent)));
        }
        CatalogObject::Index(index) => needs.push(Need::There(index.table)),
        CatalogObject::Trigger(trigger) => needs.push(Need::There(trigger.table)),
        CatalogObject::Sequence(sequence) => {
            let owner = sequence.meta().owner;
            needs.extend(owner.map(|(table, _)| Need::There(table)));
        }
        CatalogObject::View(_) | CatalogObject::Schema(_) => {}
    }
    needs
}

/// The texts that are bound when they are used, and name what they need.
fn texts_of(object: &CatalogObject) -> Vec<&str> {
    match object {
        CatalogObject::View(view) => vec![&view.sql],
        CatalogObject::Trigger(trigger) => vec![&trigger.sql],
        CatalogObject::Table(table) => {
            let columns = table.meta().columns.iter();
            let defaults = columns.filter_map(|column| column.default_sql.as_deref());
            defaults.collect()
        }
        _ => Vec::new(),
    }
}

/// Whether a text has the name of a table, view or sequence as a word. It may be that of something else: the transaction is
/// then run once more for nothing.
fn mentions(text: &str, object: &CatalogObject) -> bool {
    let named = matches!(
        object,
        CatalogObject::Table(_) | CatalogObject::View(_) | CatalogObject::Sequence(_)
    );
    named && has_name(text, object.name())
}
