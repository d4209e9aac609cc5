//! `PRAGMA foreign_key_check`: the rows whose foreign keys name no row, which `foreign_keys = off` lets in.

use super::Binder;
use super::alter_texts::ident;
use crate::dialect::SqlDialect;
use crate::text::parse_query;
use llkv_plan::{ForeignKeyDefinition, LogicalPlan, TableInfo, TableRef};
use llkv_result::Result;
use sqlparser::ast;

/// The columns' names, and no rows.
const NO_ROWS: &str = r#"SELECT '' AS "table", 0 AS "rowid", '' AS "parent", 0 AS "fkid" WHERE 0"#;

impl Binder<'_> {
    /// A row for each foreign key without its row, of one table or of all: table, number of the row, the table
    /// that is referred to, and the key's number in `foreign_key_list`.
    ///
    /// # Errors
    /// For a table that does not exist.
    pub(super) fn foreign_key_check(
        &mut self,
        only: Option<&str>,
        node: &ast::ObjectName,
    ) -> Result<LogicalPlan> {
        if let Some(name) = only {
            let table = TableRef {
                schema: None,
                name: name.to_owned(),
            };
            if self.catalog.table(&table)?.is_none() {
                return self.table_not_found(&table, node);
            }
        }
        let tables = self.named_tables()?;
        let mut queries = vec![NO_ROWS.to_owned()];
        for table in &tables {
            if only.is_some_and(|only| !only.eq_ignore_ascii_case(&table.name)) {
                continue;
            }
            for (key, number) in self.catalog.foreign_keys(table.id).iter().rev().zip(0..) {
                let parent = key.parent.unwrap_or(table.id);
                if let Some(parent) = tables.iter().find(|table| table.id == parent) {
                    queries.push(without_parent(key, number, table, parent));
                }
            }
        }
        let text = queries.join(" UNION ALL ");
        parse_query(&text, SqlDialect::Sqlite, |query| {
            self.apart(SqlDialect::Sqlite, |binder| binder.bind_query(query))
        })
    }
}

/// The query for the rows of `child` whose key has no row in `parent`; one with a NULL needs none.
fn without_parent(
    key: &ForeignKeyDefinition,
    number: usize,
    child: &TableInfo,
    parent: &TableInfo,
) -> String {
    let of = |table: &TableInfo, position: u32| {
        let column = table.columns.get(position as usize);
        ident(column.map_or("", |column| &column.name))
    };
    let columns = key.columns.iter().map(|at| of(child, *at));
    let known: Vec<String> = columns
        .map(|column| format!("c.{column} IS NOT NULL"))
        .collect();
    let pairs = key.columns.iter().zip(&key.parent_columns);
    let equal: Vec<String> = pairs
        .map(|(from, to)| format!("p.{} = c.{}", of(parent, *to), of(child, *from)))
        .collect();
    format!(
        "SELECT {}, c.rowid, {}, {number} FROM {} AS c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {})",
        text(&child.name),
        text(&parent.name),
        ident(&child.name),
        known.join(" AND "),
        ident(&parent.name),
        equal.join(" AND ")
    )
}

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
