//! SHOW, DESCRIBE, PRAGMA: small tables about the catalog.

use super::Binder;
use super::statement::BoundStatement;
use crate::dialect::SqlDialect;
use llkv_expr::Expr;
use llkv_plan::{LogicalPlan, PlanColumn, PlanStatement, TableInfo, TableRef};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use sqlparser::ast;

impl Binder<'_> {
    /// SHOW TABLES
    pub(super) fn bind_show_tables(&mut self) -> Result<PlanStatement> {
        let mut names = self.catalog.names();
        names.sort_unstable();
        let rows = names.into_iter().map(|name| vec![text(&name)]).collect();
        self.rows(&[("name", SqlType::Text)], rows)
    }

    /// SHOW name
    pub(super) fn bind_show_variable(&mut self, words: &[ast::Ident]) -> Result<PlanStatement> {
        let name: Vec<String> = words.iter().map(|w| w.value.to_ascii_lowercase()).collect();
        match name.join(" ").as_str() {
            "tables" | "all tables" => self.bind_show_tables(),
            "dialect" => {
                let value = text(self.dialect.name());
                self.rows(&[("dialect", SqlType::Text)], vec![vec![value]])
            }
            other => {
                // In DuckDB SHOW t is DESCRIBE t.
                let name = ast::ObjectName::from(words.to_vec());
                if self.dialect == SqlDialect::DuckDb && words.len() == 1 {
                    return self.bind_describe(&name);
                }
                super::unsupported(format!("SHOW {other}"))
            }
        }
    }

    /// DESCRIBE t
    pub(super) fn bind_describe(&mut self, name: &ast::ObjectName) -> Result<PlanStatement> {
        let table = self.table_ref(name)?;
        if let Some(info) = self.catalog.table(&table)? {
            let rows = (0..info.columns.len())
                .map(|i| description(&info, i))
                .collect();
            return self.rows(&DESCRIPTION, rows);
        }
        let ast_table = ast::TableFactor::Table {
            name: name.clone(),
            alias: None,
            args: None,
            with_hints: vec![],
            version: None,
            with_ordinality: false,
            partitions: vec![],
            json_path: None,
            sample: None,
            index_hints: vec![],
        };
        let (plan, _) = self.bind_relation(&ast_table)?;
        self.describe_columns(&plan.columns())
    }

    /// DESCRIBE SELECT ...
    pub(super) fn describe_columns(&mut self, columns: &[PlanColumn]) -> Result<PlanStatement> {
        let rows = columns
            .iter()
            .map(|column| {
                vec![
                    text(&column.name),
                    text(&column.ty.to_string()),
                    text(if column.nullable { "YES" } else { "NO" }),
                    Scalar::Null(SqlType::Text),
                    Scalar::Null(SqlType::Text),
                ]
            })
            .collect();
        self.rows(&DESCRIPTION, rows)
    }

    /// PRAGMA table_info(t), PRAGMA name = value
    pub(super) fn bind_pragma(
        &mut self,
        name: &ast::ObjectName,
        value: Option<&ast::ValueWithSpan>,
    ) -> Result<BoundStatement> {
        let pragma = self.simple_name(name)?.value.to_ascii_lowercase();
        let plan = match (pragma.as_str(), value) {
            ("table_info", Some(value)) => self.bind_table_info(value, name)?,
            ("index_list", Some(value)) => self.bind_index_list(text_of(&value.value), name)?,
            ("index_info", Some(value)) => self.bind_index_info(&text_of(&value.value))?,
            ("show_tables", None) => self.bind_show_tables()?,
            ("integrity_check" | "quick_check", None) => PlanStatement::IntegrityCheck,
            (_, value) => {
                let value = value.map(|value| text_of(&value.value));
                return self.bind_pragma_setting(pragma, value, name);
            }
        };
        Ok(BoundStatement::Plan(Box::new(plan)))
    }

    /// In DuckDB a pragma is another way to change a setting.
    fn bind_pragma_setting(
        &self,
        pragma: String,
        value: Option<String>,
        node: &ast::ObjectName,
    ) -> Result<BoundStatement> {
        if pragma == "recursive_triggers"
            && let Some(value) = &value
        {
            return self.setting(pragma, value.clone());
        }
        let taken = [
            "threads",
            "memory_limit",
            "temp_directory",
            "max_temp_directory_size",
            "default_null_order",
        ];
        match value {
            Some(value) if pragma == "foreign_keys" => return self.setting(pragma, value),
            _ if self.dialect != SqlDialect::DuckDb => {}
            Some(value) if taken.contains(&pragma.as_str()) => return self.setting(pragma, value),
            _ if super::tuning::is_without_effect(&pragma) => return Ok(BoundStatement::Nothing),
            _ => {}
        }
        self.unsupported(format!("PRAGMA {pragma}"), node)
    }

    fn bind_table_info(
        &mut self,
        value: &ast::ValueWithSpan,
        node: &ast::ObjectName,
    ) -> Result<PlanStatement> {
        let table = TableRef {
            schema: None,
            name: text_of(&value.value),
        };
        let Some(info) = self.catalog.table(&table)? else {
            return self.table_not_found(&table, node);
        };
        let rows = info
            .columns
            .iter()
            .enumerate()
            .map(|(position, column)| {
                let key = info
                    .keys
                    .iter()
                    .find(|key| key.primary)
                    .and_then(|key| key.columns.iter().position(|c| *c as usize == position))
                    .map_or(0, |n| n as i64 + 1);
                vec![
                    Scalar::Int64(position as i64),
                    text(&column.name),
                    text(&column.ty.to_string()),
                    Scalar::Int64(i64::from(!column.nullable)),
                    column
                        .default_sql
                        .as_deref()
                        .map_or(Scalar::Null(SqlType::Text), text),
                    Scalar::Int64(key),
                ]
            })
            .collect();
        self.rows(&TABLE_INFO, rows)
    }

    /// A query that gives constant rows.
    pub(super) fn rows(
        &mut self,
        columns: &[(&str, SqlType)],
        rows: Vec<Vec<Scalar>>,
    ) -> Result<PlanStatement> {
        let mut values: Vec<Vec<Expr>> = columns.iter().map(|_| Vec::new()).collect();
        for row in rows {
            for (column, scalar) in values.iter_mut().zip(row) {
                column.push(Expr::Literal(scalar));
            }
        }
        let types: Vec<SqlType> = columns.iter().map(|(_, ty)| *ty).collect();
        let mut plan = self.constant_values(values, &types)?;
        if let LogicalPlan::Values(values) = &mut plan {
            for (column, (name, _)) in values.columns.iter_mut().zip(columns) {
                (*name).clone_into(&mut column.name);
            }
        }
        Ok(PlanStatement::Query(plan))
    }
}

const DESCRIPTION: [(&str, SqlType); 5] = [
    ("column_name", SqlType::Text),
    ("column_type", SqlType::Text),
    ("null", SqlType::Text),
    ("key", SqlType::Text),
    ("default", SqlType::Text),
];

const TABLE_INFO: [(&str, SqlType); 6] = [
    ("cid", SqlType::Int64),
    ("name", SqlType::Text),
    ("type", SqlType::Text),
    ("notnull", SqlType::Int64),
    ("dflt_value", SqlType::Text),
    ("pk", SqlType::Int64),
];

/// The text of a quoted word, or the word itself.
fn text_of(value: &ast::Value) -> String {
    match value {
        ast::Value::SingleQuotedString(text) | ast::Value::DoubleQuotedString(text) => text.clone(),
        other => other.to_string(),
    }
}

fn text(value: &str) -> Scalar {
    Scalar::Text(value.into())
}

fn description(info: &TableInfo, position: usize) -> Vec<Scalar> {
    let Some(column) = info.columns.get(position) else {
        return vec![];
    };
    let key = info
        .keys
        .iter()
        .filter(|key| key.columns.iter().any(|c| *c as usize == position))
        .map(|key| if key.primary { "PRI" } else { "UNI" })
        .min();
    vec![
        text(&column.name),
        text(&column.ty.to_string()),
        text(if column.nullable { "YES" } else { "NO" }),
        key.map_or(Scalar::Null(SqlType::Text), text),
        column
            .default_sql
            .as_deref()
            .map_or(Scalar::Null(SqlType::Text), text),
    ]
}
