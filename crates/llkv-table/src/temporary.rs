//! Temporary tables and views: objects of one session in its copy of the catalog, never in table 0.

use crate::catalog::key_in;
use crate::triggers::key_of;
use crate::{CatalogObject, CatalogState, MAIN_SCHEMA};
use llkv_result::{CatalogError, ObjectKind, Result};
use llkv_types::TableId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The temporary objects of a session, by their lower-case names.
pub type TemporaryObjects = BTreeMap<String, CatalogObject>;

impl CatalogState {
    /// The temporary objects in it.
    #[must_use]
    pub fn temporaries(&self) -> &Arc<TemporaryObjects> {
        &self.temporary
    }

    /// The same state with the temporary objects of a session.
    #[must_use]
    pub fn with_temporaries(&self, temporary: Arc<TemporaryObjects>) -> Self {
        let mut state = self.clone();
        for object in temporary.values() {
            state.know_table(object);
        }
        let has_trigger = |object: &CatalogObject| matches!(object, CatalogObject::Trigger(_));
        let has_triggers = temporary.values().any(has_trigger);
        state.temporary = temporary;
        if has_triggers {
            state.attach_triggers();
        }
        state
    }

    /// An object of the database itself, whether a temporary one hides it or not.
    #[must_use]
    pub fn permanent(&self, name: &str) -> Option<&CatalogObject> {
        self.permanent_in(MAIN_SCHEMA, name)
    }

    /// An object of a schema of the database.
    #[must_use]
    pub fn permanent_in(&self, schema: TableId, name: &str) -> Option<&CatalogObject> {
        self.permanent_named(ObjectKind::Table, schema, name)
    }

    /// An object of a kind and of a schema of the database; all kinds but triggers share their names.
    #[must_use]
    pub fn permanent_named(
        &self,
        kind: ObjectKind,
        schema: TableId,
        name: &str,
    ) -> Option<&CatalogObject> {
        let entry = self.by_name.get(&key_in(kind, schema, name))?;
        Some(&entry.object)
    }

    /// A temporary object.
    #[must_use]
    pub fn temporary(&self, name: &str) -> Option<&CatalogObject> {
        self.temporary.get(&name.to_ascii_lowercase())
    }

    /// True for a temporary table.
    #[must_use]
    pub fn is_temporary(&self, table: TableId) -> bool {
        self.temporary.values().any(|object| object.id() == table)
    }

    /// Adds a temporary object. It hides one of the database that has its name.
    ///
    /// # Errors
    /// When another temporary object has the name.
    pub fn create_temporary(&mut self, object: CatalogObject) -> Result<()> {
        self.check_free_temporary(&object)?;
        self.know_table(&object);
        let key = object.key();
        Arc::make_mut(&mut self.temporary).insert(key.1, object.clone());
        match object {
            CatalogObject::Index(index) => {
                self.alter_table(index.table, |indexes| indexes.push(Arc::clone(&index)))
            }
            CatalogObject::Trigger(_) => {
                self.attach_triggers();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Refuses a name that another temporary object has.
    pub(crate) fn check_free_temporary(&self, object: &CatalogObject) -> Result<()> {
        match self.temporary_of(object.kind(), object.name()) {
            Some(existing) if existing.id() != object.id() => Err(CatalogError::AlreadyExists {
                kind: existing.kind(),
                name: existing.name().to_owned(),
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// Removes a temporary object.
    ///
    /// # Errors
    /// When no temporary object of this kind has the name.
    pub fn remove_temporary(&mut self, kind: ObjectKind, name: &str) -> Result<()> {
        match self.temporary_of(kind, name) {
            Some(object) if object.kind() == kind => {}
            _ => {
                let name = name.to_owned();
                return Err(CatalogError::NotFound { kind, name }.into());
            }
        }
        let temporary = Arc::make_mut(&mut self.temporary);
        match temporary.remove(&key_of(kind, name)) {
            Some(CatalogObject::Table(table)) => {
                for index in table.indexes() {
                    temporary.remove(&index.name.to_ascii_lowercase());
                }
                self.tables.remove(&table.id());
                self.drop_triggers_of(table.id());
                self.drop_sequences_of(&table);
                Ok(())
            }
            Some(CatalogObject::Index(gone)) => {
                self.alter_table(gone.table, |indexes| indexes.retain(|i| i.id != gone.id))
            }
            Some(CatalogObject::View(view)) => {
                self.drop_triggers_of(view.id);
                Ok(())
            }
            Some(CatalogObject::Trigger(_)) => {
                self.attach_triggers();
                Ok(())
            }
            None | Some(CatalogObject::Schema(_) | CatalogObject::Sequence(_)) => Ok(()),
        }
    }

    fn know_table(&mut self, object: &CatalogObject) {
        if let CatalogObject::Table(table) = object {
            self.know_references(table);
            self.tables.insert(table.id(), Arc::clone(table));
        }
    }
}
