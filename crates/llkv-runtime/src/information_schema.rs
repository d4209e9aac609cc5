//! More of `information_schema`: the columns of keys, CHECK constraints.

use crate::SessionCatalog;
use crate::system_views::{base_tables, texts};
use arrow::array::{ArrayRef, Int32Array, RecordBatch};
use llkv_result::Result;
use std::sync::Arc;

/// The columns of primary keys and UNIQUE constraints, in their order.
pub(crate) fn key_column_usage(catalog: &SessionCatalog) -> Result<RecordBatch> {
    let mut rows: Vec<(&str, &str, &str, i32, &str)> = Vec::new();
    for table in base_tables(catalog) {
        let meta = table.meta();
        let schema = catalog.schema_of(meta.id, meta.schema);
        for key in &meta.keys {
            for (field, position) in key.fields.iter().zip(1..) {
                let column = meta.columns.iter().find(|column| column.field == *field);
                let column = column.map_or("", |column| column.name.as_str());
                rows.push((&key.name, &meta.name, column, position, schema));
            }
        }
    }
    let positions: ArrayRef = Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.3)));
    Ok(RecordBatch::try_from_iter([
        ("constraint_catalog", texts(rows.iter().map(|_| "llkv"))),
        ("constraint_schema", texts(rows.iter().map(|row| row.4))),
        ("constraint_name", texts(rows.iter().map(|row| row.0))),
        ("table_catalog", texts(rows.iter().map(|_| "llkv"))),
        ("table_schema", texts(rows.iter().map(|row| row.4))),
        ("table_name", texts(rows.iter().map(|row| row.1))),
        ("column_name", texts(rows.iter().map(|row| row.2))),
        ("ordinal_position", positions),
    ])?)
}

/// CHECK constraints with their conditions.
pub(crate) fn check_constraints(catalog: &SessionCatalog) -> Result<RecordBatch> {
    let mut rows: Vec<(&str, &str, &str)> = Vec::new();
    for table in base_tables(catalog) {
        let schema = catalog.schema_of(table.id(), table.meta().schema);
        let checks = table.meta().checks.iter();
        rows.extend(checks.map(|check| (check.name.as_str(), check.sql.as_str(), schema)));
    }
    Ok(RecordBatch::try_from_iter([
        ("constraint_catalog", texts(rows.iter().map(|_| "llkv"))),
        ("constraint_schema", texts(rows.iter().map(|row| row.2))),
        ("constraint_name", texts(rows.iter().map(|row| row.0))),
        ("check_clause", texts(rows.iter().map(|row| row.1))),
    ])?)
}
