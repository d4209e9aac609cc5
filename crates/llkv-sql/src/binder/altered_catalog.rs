//! The catalog as it will be when a table or view is altered: what a text means then.

use llkv_plan::{
    CatalogView, Dependent, ExternalSource, FileOptions, ForeignKeyDefinition, IndexInfo,
    TableInfo, TableRef, TableStatistics, TriggerInfo, ViewInfo,
};
use llkv_result::Result;
use llkv_types::TableId;
use std::path::Path;
use std::sync::Arc;

/// What becomes of a table or view.
pub(super) enum Altered {
    /// It goes.
    Gone,
    /// The table is another from now on, under its name.
    Table(Arc<TableInfo>),
    /// It has another name.
    Named {
        /// The name that it has.
        from: String,
        /// The name that it gets.
        to: String,
        /// The table under that name; none for a view.
        table: Option<Arc<TableInfo>>,
    },
}

/// A catalog in which one table or view is altered.
pub(super) struct AlteredCatalog<'c> {
    pub(super) catalog: &'c dyn CatalogView,
    pub(super) relation: TableId,
    pub(super) now: Altered,
    /// Views that have another text then, or are gone.
    pub(super) dependents: &'c [Dependent],
}

impl AlteredCatalog<'_> {
    /// The name by which the catalog knows what goes by a name then.
    fn former(&self, name: &TableRef) -> Option<TableRef> {
        match &self.now {
            Altered::Named { from, to, .. } if to.eq_ignore_ascii_case(&name.name) => {
                Some(TableRef {
                    schema: name.schema.clone(),
                    name: from.clone(),
                })
            }
            _ => None,
        }
    }

    /// A view with the text that it has then; none where it is gone.
    pub(super) fn rewritten(&self, view: Arc<ViewInfo>) -> Option<Arc<ViewInfo>> {
        let mut dependents = self.dependents.iter();
        let Some(dependent) = dependents.find(|dependent| dependent.id == view.id) else {
            return Some(view);
        };
        let sql = dependent.sql.clone()?;
        Some(Arc::new(ViewInfo {
            sql,
            ..view.as_ref().clone()
        }))
    }
}

impl CatalogView for AlteredCatalog<'_> {
    fn table(&self, name: &TableRef) -> Result<Option<Arc<TableInfo>>> {
        if let Some(former) = self.former(name)
            && let Some(info) = self.catalog.table(&former)?
            && info.id == self.relation
            && let Altered::Named { table, .. } = &self.now
        {
            return Ok(table.clone());
        }
        Ok(match (self.catalog.table(name)?, &self.now) {
            (Some(info), Altered::Table(now)) if info.id == self.relation => Some(Arc::clone(now)),
            (Some(info), _) if info.id == self.relation => None,
            (other, _) => other,
        })
    }

    fn view(&self, name: &TableRef) -> Result<Option<Arc<ViewInfo>>> {
        if let Some(former) = self.former(name)
            && let Some(view) = self.catalog.view(&former)?
            && view.id == self.relation
        {
            return Ok(Some(Arc::new(ViewInfo {
                name: name.name.clone(),
                ..view.as_ref().clone()
            })));
        }
        let view = self.catalog.view(name)?;
        let Some(view) = view.filter(|view| view.id != self.relation) else {
            return Ok(None);
        };
        Ok(self.rewritten(view))
    }

    fn system_view(&self, name: &TableRef) -> Result<Option<Arc<dyn ExternalSource>>> {
        self.catalog.system_view(name)
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn open_file(&self, path: &Path, options: &FileOptions) -> Result<Arc<dyn ExternalSource>> {
        self.catalog.open_file(path, options)
    }

    fn statistics(&self, table: TableId) -> TableStatistics {
        self.catalog.statistics(table)
    }

    fn sequence(&self, name: &TableRef) -> Result<Option<u64>> {
        self.catalog.sequence(name)
    }

    fn search_path(&self) -> Vec<String> {
        self.catalog.search_path()
    }

    fn indexes(&self, table: TableId) -> Vec<IndexInfo> {
        self.catalog.indexes(table)
    }

    fn foreign_keys(&self, table: TableId) -> Vec<ForeignKeyDefinition> {
        self.catalog.foreign_keys(table)
    }

    fn triggers(&self, table: TableId) -> Vec<TriggerInfo> {
        self.catalog.triggers(table)
    }
}
