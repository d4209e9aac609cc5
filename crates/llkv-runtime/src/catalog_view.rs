//! The catalog as one transaction sees it, for the binder and the optimizer.

use crate::context::RuntimeContext;
use crate::foreign_key_definition;
use crate::schemas::{self, SearchPath};
use crate::sequences::SessionSequences;
use crate::system_views::system_view;
use llkv_plan::{
    CatalogView, ExternalSource, FileOptions, ForeignKeyDefinition, IndexInfo, IndexOrigin,
    TableInfo, TableRef, TableStatistics, TriggerInfo, ViewInfo,
};
use llkv_result::{ObjectKind, Result};
use llkv_table::{CatalogObject, CatalogState, Table};
use llkv_types::TableId;
use std::path::Path;
use std::sync::Arc;

/// A catalog that does not change while it is looked at. Cheap to make.
#[derive(Debug, Clone)]
pub struct SessionCatalog {
    context: Arc<RuntimeContext>,
    catalog: Arc<CatalogState>,
    scope: Scope,
}

/// What a session brings to the names that it uses.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// Where names without a schema are looked for.
    pub(crate) path: SearchPath,
    /// The sequences that it has used.
    pub(crate) sequences: Arc<SessionSequences>,
}

impl SessionCatalog {
    pub(crate) fn new(
        context: Arc<RuntimeContext>,
        catalog: Arc<CatalogState>,
        scope: Scope,
    ) -> Self {
        Self {
            context,
            catalog,
            scope,
        }
    }

    /// The name of a schema.
    pub(crate) fn schema_name(&self, id: TableId) -> &str {
        schemas::schema_name(&self.catalog, id)
    }

    /// The name of the schema that an object lies in.
    pub(crate) fn schema_of(&self, object: TableId, schema: TableId) -> &str {
        match self.catalog.is_temporary(object) {
            true => schemas::TEMPORARY,
            false => self.schema_name(schema),
        }
    }

    /// The catalog itself.
    pub(crate) fn state(&self) -> &Arc<CatalogState> {
        &self.catalog
    }

    fn object(&self, name: &TableRef) -> Option<&CatalogObject> {
        schemas::find(&self.catalog, &self.scope.path, ObjectKind::Table, name)
    }

    pub(crate) fn context(&self) -> &RuntimeContext {
        &self.context
    }

    /// A table by its id.
    pub(crate) fn table_by_id(&self, id: TableId) -> Option<&Arc<Table>> {
        self.catalog.table(id)
    }

    /// The name of a table or view; empty where there is none of that id.
    pub(crate) fn relation_name(&self, id: TableId) -> String {
        let is_it = |object: &&CatalogObject| object.id() == id;
        let found = self.objects().find(is_it);
        found.map_or_else(String::new, |object| object.name().to_owned())
    }

    /// All tables, indexes, views and triggers.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &CatalogObject> {
        self.catalog.objects()
    }
}

impl CatalogView for SessionCatalog {
    fn table(&self, name: &TableRef) -> Result<Option<Arc<TableInfo>>> {
        Ok(match self.object(name) {
            Some(CatalogObject::Table(table)) => Some(self.context.table_infos.info(table)),
            _ => None,
        })
    }

    fn view(&self, name: &TableRef) -> Result<Option<Arc<ViewInfo>>> {
        Ok(match self.object(name) {
            Some(CatalogObject::View(view)) => Some(Arc::new(ViewInfo {
                id: view.id,
                name: view.name.clone(),
                sql: view.sql.clone(),
                columns: view.columns.clone(),
                dialect: view.dialect.clone(),
            })),
            _ => None,
        })
    }

    fn system_view(&self, name: &TableRef) -> Result<Option<Arc<dyn ExternalSource>>> {
        system_view(self, name)
    }

    fn names(&self) -> Vec<String> {
        self.objects()
            .filter(|object| matches!(object, CatalogObject::Table(_) | CatalogObject::View(_)))
            .map(|object| object.name().to_owned())
            .collect()
    }

    fn referring(&self, table: TableId) -> Vec<Arc<TableInfo>> {
        let tables = self.catalog.tables_with_foreign_keys();
        let refers = |child: &&Arc<Table>| {
            let mut keys = child.meta().foreign_keys.iter();
            keys.any(|key| key.parent == table)
        };
        tables
            .filter(refers)
            .map(|child| self.context.table_infos.info(child))
            .collect()
    }

    fn sequence(&self, name: &TableRef) -> Result<Option<u64>> {
        Ok(match self.object(name) {
            Some(CatalogObject::Sequence(sequence)) => {
                Some(self.scope.sequences.number(&self.context, sequence))
            }
            _ => None,
        })
    }

    fn search_path(&self) -> Vec<String> {
        let path = self.scope.path.iter();
        let known = path.filter(|name| schemas::schema_id(&self.catalog, name).is_some());
        known.cloned().collect()
    }

    fn tables(&self) -> Vec<Arc<TableInfo>> {
        let tables = self.objects().filter_map(|object| match object {
            CatalogObject::Table(table) => Some(self.context.table_infos.info(table)),
            _ => None,
        });
        tables.collect()
    }

    fn views(&self) -> Vec<TableRef> {
        let views = self.objects();
        let views = views.filter(|object| matches!(object, CatalogObject::View(_)));
        let named = |object: &CatalogObject| TableRef {
            schema: match self.catalog.is_temporary(object.id()) {
                true => None,
                false => Some(self.schema_name(object.schema()).to_owned()),
            },
            name: object.name().to_owned(),
        };
        views.map(named).collect()
    }

    fn open_file(&self, path: &Path, options: &FileOptions) -> Result<Arc<dyn ExternalSource>> {
        llkv_files::open_source(path, options)
    }

    fn indexes(&self, table: TableId) -> Vec<IndexInfo> {
        let Some(table) = self.catalog.table(table) else {
            return Vec::new();
        };
        let of_constraints = table.meta().keys.iter().zip(table.meta().key_indexes());
        let of_constraints = of_constraints.map(|(key, index)| IndexInfo {
            id: index.id,
            name: key.name.clone(),
            fields: index.fields,
            collations: index.collations,
            descending: Vec::new(),
            unique: true,
            origin: match key.primary {
                true => IndexOrigin::PrimaryKey,
                false => IndexOrigin::Unique,
            },
        });
        let created = table.indexes().iter().map(|index| IndexInfo {
            id: index.index_id(),
            name: index.name.clone(),
            fields: index.definition().fields,
            collations: index.collations(),
            descending: index.columns.iter().map(|c| c.descending).collect(),
            unique: index.unique,
            origin: IndexOrigin::Created,
        });
        of_constraints.chain(created).collect()
    }

    fn foreign_keys(&self, table: TableId) -> Vec<ForeignKeyDefinition> {
        let Some(child) = self.catalog.table(table) else {
            return Vec::new();
        };
        let keys = child.meta().foreign_keys.iter();
        let definitions = keys.filter_map(|key| {
            let parent = self.catalog.table(key.parent)?;
            Some(foreign_key_definition::definition(
                key,
                child.meta(),
                parent.meta(),
            ))
        });
        definitions.collect()
    }

    fn triggers(&self, table: TableId) -> Vec<TriggerInfo> {
        let triggers = self.catalog.triggers(table).iter();
        let infos = triggers.map(|trigger| TriggerInfo {
            id: trigger.id,
            name: trigger.name.clone(),
            time: trigger.time,
            event: trigger.event,
            sql: trigger.sql.clone(),
            dialect: trigger.dialect.clone(),
        });
        infos.collect()
    }

    fn statistics(&self, table: TableId) -> TableStatistics {
        match self.context.store.table(table) {
            Ok(Some(version)) => self.context.table_infos.statistics(&version),
            // Estimates: an unreadable table is told of where it is read.
            Ok(None) | Err(_) => TableStatistics::default(),
        }
    }
}
