//! SHOW, DESCRIBE: small tables about the catalog.

use super::Binder;
use crate::dialect::SqlDialect;
use llkv_expr::Expr;
use llkv_plan::{LogicalPlan, PlanColumn, PlanStatement, TableInfo};
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
            "all" => Ok(PlanStatement::ShowAll {
                others: self.own_settings(),
            }),
            other => {
                let mut own = self.own_settings().into_iter();
                if let Some([name, value, _]) = own.find(|[name, ..]| name == other) {
                    return self.rows(&[(&name, SqlType::Text)], vec![vec![text(&value)]]);
                }
                // In DuckDB SHOW t is DESCRIBE t.
                let name = ast::ObjectName::from(words.to_vec());
                if self.dialect == SqlDialect::DuckDb && words.len() == 1 {
                    return self.bind_describe(&name);
                }
                Ok(PlanStatement::Show {
                    name: other.to_owned(),
                    column: other.to_owned(),
                    as_number: false,
                })
            }
        }
    }

    /// What SHOW ALL tells of the binder's own settings.
    fn own_settings(&self) -> Vec<[String; 3]> {
        let null_order = match self.null_order {
            None => "default",
            Some(order) => order.name(),
        };
        let settings = [
            (
                "dialect",
                self.dialect.name(),
                "which dialect of SQL is spoken",
            ),
            (
                "default_null_order",
                null_order,
                "where NULLs are sorted that ORDER BY says nothing of",
            ),
        ];
        let rows = settings.map(|(name, value, help)| [name, value, help].map(str::to_owned));
        rows.into()
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
        let plan = self.bind_named_relation(name)?;
        self.describe_columns(&plan.columns())
    }

    /// The rows of what FROM knows by a name.
    pub(super) fn bind_named_relation(&mut self, name: &ast::ObjectName) -> Result<LogicalPlan> {
        let factor = ast::TableFactor::Table {
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
        self.bind_relation(&factor).map(|(plan, _)| plan)
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

    /// A query that gives constant rows.
    pub(super) fn rows(
        &mut self,
        columns: &[(&str, SqlType)],
        rows: Vec<Vec<Scalar>>,
    ) -> Result<PlanStatement> {
        self.rows_plan(columns, rows).map(PlanStatement::Query)
    }

    /// Constant rows.
    pub(super) fn rows_plan(
        &mut self,
        columns: &[(&str, SqlType)],
        rows: Vec<Vec<Scalar>>,
    ) -> Result<LogicalPlan> {
        let mut values: Vec<Vec<Expr>> = columns.iter().map(|_| Vec::new()).collect();
        for row in rows {
            for (column, scalar) in values.iter_mut().zip(row) {
                column.push(Expr::Literal(scalar));
            }
        }
        let types: Vec<SqlType> = columns.iter().map(|(_, ty)| *ty).collect();
        let mut plan = self.constant_values(values, &types, None)?;
        if let LogicalPlan::Values(values) = &mut plan {
            for (column, (name, _)) in values.columns.iter_mut().zip(columns) {
                column.name = (*name).into();
            }
        }
        Ok(plan)
    }
}

const DESCRIPTION: [(&str, SqlType); 5] = [
    ("column_name", SqlType::Text),
    ("column_type", SqlType::Text),
    ("null", SqlType::Text),
    ("key", SqlType::Text),
    ("default", SqlType::Text),
];

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
    let declared = column.declared.clone();
    vec![
        text(&column.name),
        text(&declared.unwrap_or_else(|| column.ty.to_string())),
        text(if column.nullable { "YES" } else { "NO" }),
        key.map_or(Scalar::Null(SqlType::Text), text),
        column
            .default_sql
            .as_deref()
            .map_or(Scalar::Null(SqlType::Text), text),
    ]
}
