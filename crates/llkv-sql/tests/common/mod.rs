//! A catalog of a few tables in memory.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use llkv_plan::{
    BatchIterator, CatalogView, CheckDefinition, ColumnInfo, ExternalSource, FileOptions,
    KeyDefinition, TableInfo, TableRef, TableStatistics, ViewInfo,
};
use llkv_result::{FileError, Result};
use llkv_types::{FieldId, SqlType, TableId};
use std::path::Path;
use std::sync::Arc;

pub(crate) struct TestCatalog {
    tables: Vec<Arc<TableInfo>>,
    views: Vec<Arc<ViewInfo>>,
}

fn table(id: u32, name: &str, columns: &[(&str, SqlType, bool, Option<&str>)]) -> TableInfo {
    TableInfo {
        dialect: "llkv".into(),
        id: TableId(id),
        name: name.into(),
        columns: columns
            .iter()
            .enumerate()
            .map(|(i, (name, ty, nullable, default))| ColumnInfo {
                field: FieldId(i as u32),
                name: (*name).into(),
                ty: *ty,
                nullable: *nullable,
                default_sql: default.map(Into::into),
                generated: None,
                declared: None,
                collation: llkv_types::Collation::Binary,
            })
            .collect(),
        keys: vec![],
        checks: vec![],
    }
}

impl TestCatalog {
    pub(crate) fn new() -> Self {
        let decimal = SqlType::Decimal {
            precision: 15,
            scale: 2,
        };
        let mut orders = table(
            1,
            "orders",
            &[
                ("id", SqlType::Int32, false, None),
                ("customer", SqlType::Int32, true, None),
                ("day", SqlType::Date, true, None),
                ("price", decimal, true, Some("0.00")),
                ("note", SqlType::Text, true, None),
            ],
        );
        orders.keys = vec![KeyDefinition {
            name: "orders_pkey".into(),
            primary: true,
            columns: vec![0],
            collations: vec![],
        }];
        orders.checks = vec![CheckDefinition {
            name: "orders_check_1".into(),
            sql: "price >= 0".into(),
        }];
        let customers = table(
            2,
            "customers",
            &[
                ("id", SqlType::Int32, false, None),
                ("name", SqlType::Text, false, None),
                ("city", SqlType::Text, true, None),
            ],
        );
        let t1 = table(
            3,
            "t1",
            &[
                ("a", SqlType::Int64, true, None),
                ("b", SqlType::Int64, true, None),
                ("c", SqlType::Int64, true, None),
                ("d", SqlType::Int64, true, None),
                ("e", SqlType::Int64, true, None),
            ],
        );
        let view = ViewInfo {
            id: TableId(4),
            name: "big".into(),
            sql: "SELECT id, price FROM orders WHERE price > 100".into(),
            columns: vec!["id".into(), "amount".into()],
            dialect: "llkv".into(),
        };
        Self {
            tables: vec![Arc::new(orders), Arc::new(customers), Arc::new(t1)],
            views: vec![Arc::new(view)],
        }
    }
}

impl CatalogView for TestCatalog {
    fn table(&self, name: &TableRef) -> Result<Option<Arc<TableInfo>>> {
        let found = self
            .tables
            .iter()
            .find(|t| t.name.eq_ignore_ascii_case(&name.name));
        Ok(found.cloned())
    }

    fn view(&self, name: &TableRef) -> Result<Option<Arc<ViewInfo>>> {
        let found = self
            .views
            .iter()
            .find(|t| t.name.eq_ignore_ascii_case(&name.name));
        Ok(found.cloned())
    }

    fn system_view(&self, _name: &TableRef) -> Result<Option<Arc<dyn ExternalSource>>> {
        Ok(None)
    }

    fn names(&self) -> Vec<String> {
        let tables = self.tables.iter().map(|t| t.name.clone());
        tables
            .chain(self.views.iter().map(|v| v.name.clone()))
            .collect()
    }

    fn open_file(&self, path: &Path, _options: &FileOptions) -> Result<Arc<dyn ExternalSource>> {
        if path == Path::new("rows.csv") {
            return Ok(Arc::new(TestFile));
        }
        Err(FileError::Io {
            path: path.into(),
            operation: "open",
            detail: "no such file".into(),
        }
        .into())
    }

    fn statistics(&self, _table: TableId) -> TableStatistics {
        TableStatistics::default()
    }
}

#[derive(Debug)]
struct TestFile;

impl ExternalSource for TestFile {
    fn name(&self) -> String {
        "rows.csv".into()
    }

    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("name", DataType::Utf8View, true),
        ]))
    }

    fn read(&self, _: usize, _: &[usize], _: usize) -> Result<BatchIterator> {
        Ok(Box::new(std::iter::empty()))
    }
}
