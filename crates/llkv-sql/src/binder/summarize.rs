//! SUMMARIZE: a row of statistics for each column of a table or query.

use super::Binder;
use crate::dialect::SqlDialect;
use crate::text::{Summarized, parse_query};
use llkv_plan::{LogicalPlan, PlanColumn, PlanStatement};
use llkv_result::Result;
use llkv_types::SqlType;
use std::fmt::Write as _;

impl Binder<'_> {
    /// SUMMARIZE t, SUMMARIZE SELECT ...
    pub(super) fn bind_summarize(&mut self, summarized: &Summarized) -> Result<PlanStatement> {
        if self.dialect == SqlDialect::Sqlite {
            return super::unsupported("SUMMARIZE");
        }
        let columns = self.columns_summarized(summarized)?;
        if columns.is_empty() {
            return super::invalid("SUMMARIZE of no columns");
        }
        let source = match summarized {
            Summarized::Table(name) => name.to_string(),
            Summarized::Query(query) => format!("({query})"),
        };
        let text = summary_of(&source, &columns);
        let dialect = self.dialect;
        parse_query(&text, dialect, |query| {
            self.apart(dialect, |binder| binder.bind_query(query))
        })
        .map(PlanStatement::Query)
    }

    /// The columns, and the errors of what was written, at their places.
    fn columns_summarized(&mut self, summarized: &Summarized) -> Result<Vec<PlanColumn>> {
        let plan: LogicalPlan = match summarized {
            Summarized::Table(name) => self.bind_named_relation(name)?,
            Summarized::Query(query) => self.bind_query(query)?,
        };
        Ok(plan.columns())
    }
}

/// A statistic: its name, and the call that computes it of a column of a type; none where it has none.
type Statistic = (&'static str, fn(&str, SqlType) -> Option<String>);

/// In the order in which DuckDB shows them.
const STATISTICS: &[Statistic] = &[
    ("min", |column, ty| extreme("min", column, ty)),
    ("max", |column, ty| extreme("max", column, ty)),
    ("approx_unique", |column, _| {
        Some(format!("approx_count_distinct({column})"))
    }),
    ("avg", |column, ty| of_numbers("avg", column, ty)),
    ("std", |column, ty| of_numbers("stddev_samp", column, ty)),
    ("q25", |column, ty| quantile("0.25", column, ty)),
    ("q50", |column, ty| quantile("0.5", column, ty)),
    ("q75", |column, ty| quantile("0.75", column, ty)),
    ("count", |_, _| Some("count(*)".into())),
    ("null_percentage", |column, _| {
        let share = format!("100.0 * (count(*) - count({column})) / nullif(count(*), 0)");
        Some(format!("CAST({share} AS DECIMAL(9, 2))"))
    }),
];

fn extreme(call: &str, column: &str, ty: SqlType) -> Option<String> {
    Some(match ty {
        SqlType::Boolean => format!("{call}(CAST({column} AS VARCHAR))"),
        _ => format!("CAST({call}({column}) AS VARCHAR)"),
    })
}

fn of_numbers(call: &str, column: &str, ty: SqlType) -> Option<String> {
    let number = format!("CAST({call}(CAST({column} AS DOUBLE)) AS VARCHAR)");
    ty.is_numeric().then_some(number)
}

/// Numbers between two are interpolated; of moments one is taken.
fn quantile(share: &str, column: &str, ty: SqlType) -> Option<String> {
    let (call, value) = match ty {
        ty if ty.is_numeric() => ("percentile_cont", format!("CAST({column} AS DOUBLE)")),
        ty if ty.is_temporal() => ("percentile_disc", column.to_owned()),
        _ => return None,
    };
    Some(format!(
        "CAST({call}({share}) WITHIN GROUP (ORDER BY {value}) AS VARCHAR)"
    ))
}

/// One pass computes all statistics as one row, which becomes a row for each column.
fn summary_of(source: &str, columns: &[PlanColumn]) -> String {
    let names: Vec<String> = (0..columns.len()).map(|n| format!("c{n}")).collect();
    let mut calls = Vec::new();
    let mut shown = String::new();
    for (statistic, of) in STATISTICS {
        let mut cases = String::new();
        for (n, (name, column)) in names.iter().zip(columns).enumerate() {
            if let Some(call) = of(name, column.ty) {
                calls.push(format!("{call} AS {statistic}_{n}"));
                let _ = write!(cases, " WHEN {n} THEN {statistic}_{n}");
            }
        }
        let value = match cases.is_empty() {
            true => "CAST(NULL AS VARCHAR)".to_owned(),
            false => format!("CASE n{cases} END"),
        };
        let _ = write!(shown, ", {value} AS \"{statistic}\"");
    }
    let rows = columns.iter().enumerate().map(|(n, column)| {
        let name = column.name.replace('\'', "''");
        format!("({n}, '{name}', '{}')", column.ty)
    });
    let rows: Vec<String> = rows.collect();
    format!(
        "SELECT column_name, column_type{shown} \
         FROM (SELECT {} FROM (SELECT * FROM {source}) AS summarized({})) AS statistics \
         CROSS JOIN (VALUES {}) AS columns(n, column_name, column_type) ORDER BY n",
        calls.join(", "),
        names.join(", "),
        rows.join(", "),
    )
}
