//! What objects of the catalog rest on, looked at when a transaction commits: what it describes rests on nothing that
//! another one has taken away meanwhile, and nothing that another one has described meanwhile rests on what it takes away.

use crate::transaction::Transaction;
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
        for object in described {
            for needed in new_needs(object, base) {
                // What this transaction has made itself is no other's.
                let Some(before) = base.by_id(needed.id()) else {
                    continue;
                };
                if !needed.is_met(base, catalog) {
                    return Err(conflict(
                        object.name(),
                        &format!(
                            "a concurrent transaction has dropped or altered {} \"{}\", which it needs",
                            before.kind(),
                            before.name()
                        ),
                    ));
                }
            }
        }
        let removed = diff.removed.iter().map(|(object, _)| object);
        for other in catalog.described_since(base) {
            for needed in new_needs(other, base) {
                let of_removed = removed.clone().find(|object| object.id() == needed.id());
                let of_altered = altered.iter().find(|table| table.id() == needed.id());
                let of_altered = of_altered.filter(|_| matches!(needed, Need::Same(_)));
                if let Some(object) = of_removed.or(of_altered) {
                    return Err(conflict(
                        object.name(),
                        &format!(
                            "a concurrent transaction has created or altered {} \"{}\", which needs it",
                            other.kind(),
                            other.name()
                        ),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Something that an object rests on.
#[derive(Clone, Copy)]
enum Need {
    /// It is there.
    There(TableId),
    /// It is there as it was.
    Same(TableId),
}

impl Need {
    const fn id(self) -> TableId {
        match self {
            Self::There(id) | Self::Same(id) => id,
        }
    }

    fn is_met(self, base: &CatalogState, catalog: &CatalogState) -> bool {
        match self {
            Self::There(id) => catalog.by_id(id).is_some(),
            Self::Same(id) => base.is_same(id, catalog),
        }
    }
}

/// What an object rests on, less what it rested on in `base` already. The texts of views, defaults and triggers name what they
/// read, and find it or not when they are run.
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
