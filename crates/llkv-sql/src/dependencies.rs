//! What a prepared statement has seen of the catalog, to know when it must look again.

use llkv_plan::{
    CatalogView, ExternalSource, FileOptions, ForeignKeyDefinition, IndexInfo, TableInfo, TableRef,
    TableStatistics, TriggerInfo, ViewInfo,
};
use llkv_result::Result;
use llkv_types::TableId;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// An answer of the catalog.
#[derive(Debug, Clone)]
enum Answer {
    Table(TableRef, Option<Arc<TableInfo>>),
    View(TableRef, Option<Arc<ViewInfo>>),
    Triggers(TableId, Vec<TriggerInfo>),
    Referring(TableId, Vec<Arc<TableInfo>>),
    Sequence(TableRef, Option<u64>),
    SearchPath(Vec<String>),
    /// Something that only a change of the catalog changes, and any may.
    Catalog,
    /// A file or a view of the system: its schema is read at each execution.
    Volatile,
}

/// The answers that a binding rests on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dependencies {
    answers: Vec<Answer>,
}

impl Dependencies {
    /// True where an answer may be another one although the catalog is the same.
    pub(crate) fn are_volatile(&self) -> bool {
        let mut answers = self.answers.iter();
        answers.any(|answer| matches!(answer, Answer::Volatile))
    }

    /// True where the catalog would give the same answers now.
    pub(crate) fn are_current(&self, catalog: &dyn CatalogView) -> Result<bool> {
        for answer in &self.answers {
            let same = match answer {
                Answer::Table(name, known) => match (known, catalog.table(name)?) {
                    (None, None) => true,
                    (Some(a), Some(b)) => Arc::ptr_eq(a, &b) || **a == *b,
                    _ => false,
                },
                Answer::View(name, known) => *known == catalog.view(name)?,
                Answer::Triggers(table, known) => *known == catalog.triggers(*table),
                Answer::Referring(table, known) => *known == catalog.referring(*table),
                Answer::Sequence(name, known) => *known == catalog.sequence(name)?,
                Answer::SearchPath(known) => *known == catalog.search_path(),
                Answer::Catalog | Answer::Volatile => false,
            };
            if !same {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A catalog that remembers what it was asked.
pub(crate) struct RecordingCatalog<'c> {
    catalog: &'c dyn CatalogView,
    answers: Mutex<Vec<Answer>>,
}

impl<'c> RecordingCatalog<'c> {
    pub(crate) const fn new(catalog: &'c dyn CatalogView) -> Self {
        Self {
            catalog,
            answers: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn into_dependencies(self) -> Dependencies {
        let answers = self.answers.into_inner();
        Dependencies {
            answers: answers.unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn record(&self, answer: Answer) {
        let answers = self.answers.lock();
        answers.unwrap_or_else(PoisonError::into_inner).push(answer);
    }
}

impl CatalogView for RecordingCatalog<'_> {
    fn table(&self, name: &TableRef) -> Result<Option<Arc<TableInfo>>> {
        let table = self.catalog.table(name)?;
        self.record(Answer::Table(name.clone(), table.clone()));
        Ok(table)
    }

    fn view(&self, name: &TableRef) -> Result<Option<Arc<ViewInfo>>> {
        let view = self.catalog.view(name)?;
        self.record(Answer::View(name.clone(), view.clone()));
        Ok(view)
    }

    fn system_view(&self, name: &TableRef) -> Result<Option<Arc<dyn ExternalSource>>> {
        self.record(Answer::Volatile);
        self.catalog.system_view(name)
    }

    fn names(&self) -> Vec<String> {
        self.record(Answer::Catalog);
        self.catalog.names()
    }

    fn open_file(&self, path: &Path, options: &FileOptions) -> Result<Arc<dyn ExternalSource>> {
        self.record(Answer::Volatile);
        self.catalog.open_file(path, options)
    }

    fn referring(&self, table: TableId) -> Vec<Arc<TableInfo>> {
        let tables = self.catalog.referring(table);
        self.record(Answer::Referring(table, tables.clone()));
        tables
    }

    fn sequence(&self, name: &TableRef) -> Result<Option<u64>> {
        let sequence = self.catalog.sequence(name)?;
        self.record(Answer::Sequence(name.clone(), sequence));
        Ok(sequence)
    }

    fn search_path(&self) -> Vec<String> {
        let path = self.catalog.search_path();
        self.record(Answer::SearchPath(path.clone()));
        path
    }

    fn tables(&self) -> Vec<Arc<TableInfo>> {
        self.record(Answer::Catalog);
        self.catalog.tables()
    }

    fn views(&self) -> Vec<TableRef> {
        self.record(Answer::Catalog);
        self.catalog.views()
    }

    fn indexes(&self, table: TableId) -> Vec<IndexInfo> {
        self.record(Answer::Catalog);
        self.catalog.indexes(table)
    }

    fn foreign_keys(&self, table: TableId) -> Vec<ForeignKeyDefinition> {
        self.record(Answer::Catalog);
        self.catalog.foreign_keys(table)
    }

    fn triggers(&self, table: TableId) -> Vec<TriggerInfo> {
        let triggers = self.catalog.triggers(table);
        self.record(Answer::Triggers(table, triggers.clone()));
        triggers
    }

    fn statistics(&self, table: TableId) -> TableStatistics {
        self.catalog.statistics(table)
    }
}
