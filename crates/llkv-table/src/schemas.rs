//! Schemas and sequences in the catalog.

use crate::catalog::key_in;
use crate::{CatalogObject, CatalogState, SCHEMAS, SchemaMeta, Sequence, Table};
use llkv_result::ObjectKind;
use llkv_types::TableId;
use std::sync::Arc;

impl CatalogState {
    /// A schema by its id.
    #[must_use]
    pub fn schema(&self, id: TableId) -> Option<&Arc<SchemaMeta>> {
        self.schemas().find(|schema| schema.id == id)
    }

    /// The schemas that statements created, in the order of their names.
    pub fn schemas(&self) -> impl Iterator<Item = &Arc<SchemaMeta>> {
        let named = self.by_name.range((SCHEMAS, String::new())..);
        named.filter_map(|(_, entry)| match &entry.object {
            CatalogObject::Schema(schema) => Some(schema),
            _ => None,
        })
    }

    /// A sequence by its id.
    #[must_use]
    pub fn sequence(&self, id: TableId) -> Option<&Arc<Sequence>> {
        self.objects().find_map(|object| match object {
            CatalogObject::Sequence(sequence) if sequence.meta().id == id => Some(sequence),
            _ => None,
        })
    }

    /// The sequences that belong to columns of a table.
    #[must_use]
    pub fn sequences_of(&self, table: &Table) -> Vec<Arc<Sequence>> {
        // A column with a sequence has a default.
        if table.meta().columns.iter().all(|c| c.default_sql.is_none()) {
            return Vec::new();
        }
        let owned = self.objects().filter_map(|object| match object {
            CatalogObject::Sequence(sequence) => Some(sequence),
            _ => None,
        });
        let is_its = |sequence: &&Arc<Sequence>| {
            let owner = sequence.meta().owner;
            owner.is_some_and(|(owner, _)| owner == table.id())
        };
        owned.filter(is_its).cloned().collect()
    }

    pub(crate) fn drop_sequences_of(&mut self, table: &Table) {
        for sequence in self.sequences_of(table) {
            let meta = sequence.meta();
            let key = key_in(ObjectKind::Sequence, meta.schema, &meta.name);
            self.by_name.remove(&key);
            if !self.temporary.is_empty() {
                Arc::make_mut(&mut self.temporary).remove(&key.1);
            }
        }
    }
}
