//! What the binder and the optimizer may know of the database.

use crate::{
    CheckDefinition, ExternalSource, FileOptions, ForeignKeyDefinition, GeneratedColumn,
    KeyDefinition, TriggerInfo,
};
use llkv_result::Result;
use llkv_types::{Collation, FieldId, IndexId, Scalar, SqlType, TableId};
use std::path::Path;
use std::sync::Arc;

/// A name as written: `table` or `schema.table`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableRef {
    /// Schema; the default one where absent.
    pub schema: Option<String>,
    /// Name, compared without regard to ASCII case.
    pub name: String,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnInfo {
    /// Identity.
    pub field: FieldId,
    /// Name as created.
    pub name: Arc<str>,
    /// Type.
    pub ty: SqlType,
    /// False for NOT NULL.
    pub nullable: bool,
    /// SQL text of the default, bound anew where it is used.
    pub default_sql: Option<String>,
    /// Where its values come from, if not from statements alone.
    pub generated: Option<GeneratedColumn>,
    /// The type as written, where `ty` does not say it: NUMERIC in SQLite's dialect.
    pub declared: Option<String>,
    /// How its texts compare.
    pub collation: Collation,
}

impl ColumnInfo {
    /// True where an expression over other columns gives its values: GENERATED ALWAYS AS (...).
    pub const fn is_computed(&self) -> bool {
        matches!(self.generated, Some(GeneratedColumn::Expression(_)))
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableInfo {
    /// Identity.
    pub id: TableId,
    /// Name as created.
    pub name: String,
    /// Columns in order.
    pub columns: Vec<ColumnInfo>,
    /// PRIMARY KEY and UNIQUE constraints.
    pub keys: Vec<KeyDefinition>,
    /// CHECK constraints.
    pub checks: Vec<CheckDefinition>,
    /// Dialect of the defaults and CHECKs.
    pub dialect: String,
}

/// An index of a table, that of a constraint or one that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexInfo {
    /// Identity within the table.
    pub id: IndexId,
    /// Name, of the constraint where it has none of its own.
    pub name: String,
    /// Columns of the key, the most significant first.
    pub fields: Vec<FieldId>,
    /// How their texts compare, column by column; empty where all compare by their bytes.
    pub collations: Vec<Collation>,
    /// Which of them were declared DESC; empty where none was.
    pub descending: Vec<bool>,
    /// No two rows have one key, but for keys with a NULL.
    pub unique: bool,
    /// Where it comes from.
    pub origin: IndexOrigin,
}

/// Where an index comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IndexOrigin {
    /// CREATE INDEX.
    Created,
    /// A UNIQUE constraint.
    Unique,
    /// A PRIMARY KEY constraint.
    PrimaryKey,
}

/// A view: its text, bound anew at each use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewInfo {
    /// Identity.
    pub id: TableId,
    /// Name as created.
    pub name: String,
    /// `SELECT` text.
    pub sql: String,
    /// Names of its columns, where the definition gave them.
    pub columns: Vec<String>,
    /// Dialect in which the text was written: `llkv`, `sqlite`, `duckdb`.
    pub dialect: String,
}

/// What is known of a column's values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnStatistics {
    /// A lower bound of the values.
    pub min: Option<Scalar>,
    /// An upper bound of the values.
    pub max: Option<Scalar>,
    /// NULLs.
    pub null_count: Option<u64>,
    /// Estimate of distinct values.
    pub distinct_count: Option<u64>,
}

/// What is known of a table's rows. Bounds hold for every snapshot; counts are estimates.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableStatistics {
    /// Rows.
    pub rows: u64,
    /// By column.
    pub columns: Vec<(FieldId, ColumnStatistics)>,
}

/// A catalog as one transaction sees it.
pub trait CatalogView {
    /// A table by name.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    fn table(&self, name: &TableRef) -> Result<Option<Arc<TableInfo>>>;

    /// A view by name.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    fn view(&self, name: &TableRef) -> Result<Option<Arc<ViewInfo>>>;

    /// A view of the system's own: `information_schema.tables`, ...
    ///
    /// # Errors
    /// When the catalog cannot be read.
    fn system_view(&self, name: &TableRef) -> Result<Option<Arc<dyn ExternalSource>>>;

    /// Names of all tables and views, for "did you mean".
    fn names(&self) -> Vec<String>;

    /// A file named in FROM or COPY, with its schema found out.
    ///
    /// # Errors
    /// When the file cannot be opened or is not of its format.
    fn open_file(&self, path: &Path, options: &FileOptions) -> Result<Arc<dyn ExternalSource>>;

    /// Statistics of a table.
    fn statistics(&self, table: TableId) -> TableStatistics;

    /// The tables with foreign keys that refer to a table, itself included where it refers to itself.
    fn referring(&self, _table: TableId) -> Vec<Arc<TableInfo>> {
        Vec::new()
    }

    /// The number under which the functions of sequences know a sequence of the session.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    fn sequence(&self, _name: &TableRef) -> Result<Option<u64>> {
        Ok(None)
    }

    /// The schemas in which names without one are looked for.
    fn search_path(&self) -> Vec<String> {
        vec!["main".into()]
    }

    /// All tables.
    fn tables(&self) -> Vec<Arc<TableInfo>> {
        Vec::new()
    }

    /// The names of all views.
    fn views(&self) -> Vec<TableRef> {
        Vec::new()
    }

    /// The indexes of a table.
    fn indexes(&self, _table: TableId) -> Vec<IndexInfo> {
        Vec::new()
    }

    /// The FOREIGN KEY constraints of a table.
    fn foreign_keys(&self, _table: TableId) -> Vec<ForeignKeyDefinition> {
        Vec::new()
    }

    /// The triggers of a table or view, in the order in which they fire.
    fn triggers(&self, _table: TableId) -> Vec<TriggerInfo> {
        Vec::new()
    }
}
