//! PRAGMA: small tables about the catalog, which are also table functions (`pragma_table_info('t')`), and
//! settings.

use super::Binder;
use super::statement::BoundStatement;
use crate::dialect::SqlDialect;
use llkv_expr::Dialects;
use llkv_plan::{
    ForeignKeyAction, IndexInfo, IndexOrigin, LogicalPlan, PlanStatement, TableInfo, TableRef,
};
use llkv_result::Result;
use llkv_types::{Collation, DatabaseNumber, Scalar, SqlType};
use sqlparser::ast;
use std::sync::Arc;

use SqlType::{Int64, Text};

type Row = Vec<Scalar>;

/// `hidden` of a column that is computed and stored.
const STORED: i64 = 3;

/// A pragma that gives rows.
struct Pragma {
    name: &'static str,
    columns: &'static [(&'static str, SqlType)],
    rows: fn(&mut Binder<'_>, Option<&str>, &ast::ObjectName) -> Result<Vec<Row>>,
}

/// All of them, with the columns that SQLite gives them.
const PRAGMAS: &[Pragma] = &[
    Pragma {
        name: "table_info",
        columns: &[
            ("cid", Int64),
            ("name", Text),
            ("type", Text),
            ("notnull", Int64),
            ("dflt_value", Text),
            ("pk", Int64),
        ],
        rows: |binder, of, node| binder.pragma_columns(of, node, false),
    },
    Pragma {
        name: "table_xinfo",
        columns: &[
            ("cid", Int64),
            ("name", Text),
            ("type", Text),
            ("notnull", Int64),
            ("dflt_value", Text),
            ("pk", Int64),
            ("hidden", Int64),
        ],
        rows: |binder, of, node| binder.pragma_columns(of, node, true),
    },
    Pragma {
        name: "table_list",
        columns: &[
            ("schema", Text),
            ("name", Text),
            ("type", Text),
            ("ncol", Int64),
            ("wr", Int64),
            ("strict", Int64),
        ],
        rows: |binder, of, node| binder.pragma_tables(of, node),
    },
    Pragma {
        name: "index_list",
        columns: &[
            ("seq", Int64),
            ("name", Text),
            ("unique", Int64),
            ("origin", Text),
            ("partial", Int64),
        ],
        rows: |binder, of, node| binder.pragma_indexes(of, node),
    },
    Pragma {
        name: "index_info",
        columns: &[("seqno", Int64), ("cid", Int64), ("name", Text)],
        rows: |binder, of, _| binder.pragma_index_columns(of),
    },
    Pragma {
        name: "index_xinfo",
        columns: &[
            ("seqno", Int64),
            ("cid", Int64),
            ("name", Text),
            ("desc", Int64),
            ("coll", Text),
            ("key", Int64),
        ],
        rows: |binder, of, _| binder.pragma_index_keys(of),
    },
    Pragma {
        name: "foreign_key_list",
        columns: &[
            ("id", Int64),
            ("seq", Int64),
            ("table", Text),
            ("from", Text),
            ("to", Text),
            ("on_update", Text),
            ("on_delete", Text),
            ("match", Text),
        ],
        rows: |binder, of, node| binder.pragma_foreign_keys(of, node),
    },
    Pragma {
        name: "database_list",
        columns: &[("seq", Int64), ("name", Text), ("file", Text)],
        rows: |_, _, _| Ok(vec![vec![Scalar::Int64(0), text("main"), text("")]]),
    },
    Pragma {
        name: "collation_list",
        columns: &[("seq", Int64), ("name", Text)],
        rows: |_, _, _| Ok(collations()),
    },
    Pragma {
        name: "function_list",
        columns: &[
            ("name", Text),
            ("builtin", Int64),
            ("type", Text),
            ("enc", Text),
            ("narg", Int64),
            ("flags", Int64),
        ],
        rows: |binder, _, _| Ok(functions(binder.dialect.functions())),
    },
];

/// What SQLite would answer about a database with one writer, a synced log, and UTF-8.
const ANSWERS: &[(&str, &str)] = &[("encoding", "UTF-8"), ("journal_mode", "wal")];

/// The same, for numbers.
const NUMBERS: &[(&str, i64)] = &[("synchronous", 2)];

/// Pragmas that are settings, for all dialects.
const READ_AND_SET: &[&str] = &[
    "busy_timeout",
    "defer_foreign_keys",
    "foreign_keys",
    "lock_timeout",
    "recursive_triggers",
];

impl Binder<'_> {
    /// `PRAGMA name`, `PRAGMA name(value)`, `PRAGMA name = value`
    pub(super) fn bind_pragma(
        &mut self,
        name: &ast::ObjectName,
        value: Option<&ast::ValueWithSpan>,
    ) -> Result<BoundStatement> {
        // The schema before the name is the one that there is.
        let Some(word) = name.0.last().and_then(|part| part.as_ident()) else {
            return self.unsupported("this PRAGMA", name);
        };
        let pragma = word.value.to_ascii_lowercase();
        let value = value.map(|value| text_of(&value.value));
        if let Some(plan) = self.pragma_rows(&pragma, value.as_deref(), name)? {
            return Ok(bound(PlanStatement::Query(plan)));
        }
        if self.dialect != SqlDialect::DuckDb
            && let Some(number) = DatabaseNumber::by_name(&pragma)
        {
            return self.database_number(number, value.as_deref(), name);
        }
        match (pragma.as_str(), value) {
            ("show_tables", None) => self.bind_show_tables().map(bound),
            ("integrity_check" | "quick_check", None) => Ok(bound(PlanStatement::IntegrityCheck)),
            (name, None) if self.dialect != SqlDialect::DuckDb && READ_AND_SET.contains(&name) => {
                // SQLite's column is not called as its pragma here.
                let column = if name == "busy_timeout" {
                    "timeout"
                } else {
                    name
                };
                Ok(bound(PlanStatement::Show {
                    name: name.to_owned(),
                    column: column.to_owned(),
                    as_number: true,
                }))
            }
            (_, None) if self.dialect == SqlDialect::Sqlite => self.bind_pragma_answer(&pragma),
            // One that is chosen is told, and is the one that there is.
            ("journal_mode", Some(_)) if self.dialect == SqlDialect::Sqlite => {
                self.bind_pragma_answer(&pragma)
            }
            (_, value) => self.bind_pragma_setting(pragma, value, name),
        }
    }

    /// The rows of a pragma, where there is one of that name.
    pub(super) fn pragma_rows(
        &mut self,
        name: &str,
        value: Option<&str>,
        node: &ast::ObjectName,
    ) -> Result<Option<LogicalPlan>> {
        if name == "foreign_key_check" && self.dialect == SqlDialect::Sqlite {
            return self.foreign_key_check(value, node).map(Some);
        }
        let Some(pragma) = PRAGMAS.iter().find(|pragma| pragma.name == name) else {
            return Ok(None);
        };
        let rows = (pragma.rows)(self, value, node)?;
        self.rows_plan(pragma.columns, rows).map(Some)
    }

    /// What a setting of SQLite is; nothing for one that there is not, as in SQLite.
    fn bind_pragma_answer(&mut self, pragma: &str) -> Result<BoundStatement> {
        if let Some((name, answer)) = ANSWERS.iter().find(|(name, _)| *name == pragma) {
            return self
                .rows(&[(name, Text)], vec![vec![text(answer)]])
                .map(bound);
        }
        if let Some((name, answer)) = NUMBERS.iter().find(|(name, _)| *name == pragma) {
            let row = vec![Scalar::Int64(*answer)];
            return self.rows(&[(name, Int64)], vec![row]).map(bound);
        }
        Ok(BoundStatement::Nothing { tag: "SET" })
    }

    /// A number of the file, read or set.
    fn database_number(
        &self,
        number: DatabaseNumber,
        value: Option<&str>,
        node: &ast::ObjectName,
    ) -> Result<BoundStatement> {
        let value = value.map(str::parse).transpose();
        let Ok(value) = value else {
            let name = number.name();
            return self.invalid(format!("{name} is an integer of 32 bits"), node);
        };
        Ok(bound(PlanStatement::DatabaseNumber { number, value }))
    }

    /// In DuckDB a pragma is another way to change a setting. In SQLite one that is not known does nothing,
    /// and those that are concern how it works.
    fn bind_pragma_setting(
        &self,
        pragma: String,
        value: Option<String>,
        node: &ast::ObjectName,
    ) -> Result<BoundStatement> {
        let taken = [
            "threads",
            "memory_limit",
            "temp_directory",
            "max_temp_directory_size",
            "default_null_order",
        ];
        match (self.dialect, value) {
            (_, Some(value)) if READ_AND_SET.contains(&pragma.as_str()) => {
                return self.setting(pragma, value);
            }
            (SqlDialect::DuckDb, Some(value)) if taken.contains(&pragma.as_str()) => {
                return self.setting(pragma, value);
            }
            (SqlDialect::DuckDb, _) if super::tuning::is_without_effect(&pragma) => {
                return Ok(BoundStatement::Nothing { tag: "SET" });
            }
            // It would change what LIKE answers.
            (SqlDialect::Sqlite, Some(value))
                if pragma == "case_sensitive_like" && !super::copy::is_no(&value) => {}
            (SqlDialect::Sqlite, _) => return Ok(BoundStatement::Nothing { tag: "SET" }),
            _ => {}
        }
        self.unsupported(format!("PRAGMA {pragma}"), node)
    }

    /// The table that a pragma is about. In SQLite one that does not exist has no rows.
    fn pragma_table(
        &self,
        name: Option<&str>,
        node: &ast::ObjectName,
    ) -> Result<Option<Arc<TableInfo>>> {
        let Some(name) = name else {
            return self.invalid("the pragma takes the name of a table", node);
        };
        let table = TableRef {
            schema: None,
            name: name.to_owned(),
        };
        match self.catalog.table(&table)? {
            None if self.dialect != SqlDialect::Sqlite => self.table_not_found(&table, node),
            found => Ok(found),
        }
    }

    fn pragma_columns(
        &mut self,
        of: Option<&str>,
        node: &ast::ObjectName,
        hidden: bool,
    ) -> Result<Vec<Row>> {
        let view = self.pragma_view(of)?;
        Ok(match view {
            Some(mut columns) => {
                if hidden {
                    columns
                        .iter_mut()
                        .for_each(|row| row.push(Scalar::Int64(0)));
                }
                columns
            }
            None => match self.pragma_table(of, node)? {
                Some(info) => self.table_columns(&info, hidden),
                None => vec![],
            },
        })
    }

    /// The columns of a view.
    fn pragma_view(&mut self, name: Option<&str>) -> Result<Option<Vec<Row>>> {
        let table = TableRef {
            schema: None,
            name: name.unwrap_or_default().to_owned(),
        };
        let Some(view) = self.catalog.view(&table)? else {
            return Ok(None);
        };
        let columns = self.bind_view(&view)?.columns();
        let rows = columns.iter().zip(0..).map(|(column, position)| {
            vec![
                Scalar::Int64(position),
                text(&column.name),
                text(&self.declared(column.ty)),
                Scalar::Int64(0),
                Scalar::Null(Text),
                Scalar::Int64(0),
            ]
        });
        Ok(Some(rows.collect()))
    }

    /// The columns of a table. SQLite leaves computed ones out where it does not tell which are hidden, and row ids that the
    /// table numbers have no default.
    fn table_columns(&self, info: &TableInfo, hidden: bool) -> Vec<Row> {
        let primary = info.keys.iter().find(|key| key.primary);
        let row_id = self.row_id_position(info);
        let leaves_out = !hidden && self.dialect == SqlDialect::Sqlite;
        let columns = info.columns.iter().enumerate();
        columns
            .filter(|(_, column)| !(leaves_out && column.is_computed()))
            .zip(0..)
            .map(|((position, column), number)| {
                let key = primary
                    .and_then(|key| key.columns.iter().position(|c| *c as usize == position))
                    .map_or(0, |at| at as i64 + 1);
                // AUTOINCREMENT: a sequence, and no NULLs.
                let is_numbered = row_id == Some(position) && column.default_sql.is_some();
                let default = column.default_sql.as_deref().filter(|_| !is_numbered);
                let declared = column.declared.clone();
                let mut row = vec![
                    Scalar::Int64(number),
                    text(&column.name),
                    text(&declared.unwrap_or_else(|| self.declared(column.ty))),
                    Scalar::Int64(i64::from(!column.nullable && !is_numbered)),
                    default.map_or(Scalar::Null(Text), text),
                    Scalar::Int64(key),
                ];
                if hidden {
                    let kind = if column.is_computed() { STORED } else { 0 };
                    row.push(Scalar::Int64(kind));
                }
                row
            })
            .collect()
    }

    /// A type by the name that the dialect has for it.
    fn declared(&self, ty: SqlType) -> String {
        match ty {
            SqlType::Int64 if self.dialect == SqlDialect::Sqlite => "INTEGER".into(),
            SqlType::Float64 if self.dialect == SqlDialect::Sqlite => "REAL".into(),
            SqlType::Text if self.dialect == SqlDialect::Sqlite => "TEXT".into(),
            SqlType::Variant => String::new(),
            ty => ty.to_string(),
        }
    }

    /// Tables and views, or the one that is asked for.
    fn pragma_tables(&mut self, only: Option<&str>, _: &ast::ObjectName) -> Result<Vec<Row>> {
        let mut names = self.catalog.names();
        names.sort_unstable();
        let mut rows = Vec::new();
        for name in names {
            if only.is_some_and(|only| !only.eq_ignore_ascii_case(&name)) {
                continue;
            }
            let table = TableRef {
                schema: None,
                name: name.clone(),
            };
            let (kind, columns) = match self.catalog.table(&table)? {
                Some(info) => ("table", info.columns.len()),
                None => match self.pragma_view(Some(&name))? {
                    Some(columns) => ("view", columns.len()),
                    None => continue,
                },
            };
            rows.push(vec![
                text("main"),
                text(&name),
                text(kind),
                Scalar::Int64(columns as i64),
                Scalar::Int64(0),
                Scalar::Int64(0),
            ]);
        }
        Ok(rows)
    }

    /// The tables, without views, in the order of their names.
    pub(super) fn named_tables(&self) -> Result<Vec<Arc<TableInfo>>> {
        let mut names = self.catalog.names();
        names.sort_unstable();
        let tables = names.into_iter().map(|name| {
            let table = TableRef { schema: None, name };
            self.catalog.table(&table)
        });
        tables.filter_map(Result::transpose).collect()
    }

    fn pragma_indexes(&mut self, of: Option<&str>, node: &ast::ObjectName) -> Result<Vec<Row>> {
        let Some(info) = self.pragma_table(of, node)? else {
            return Ok(vec![]);
        };
        let indexes = self.catalog.indexes(info.id).into_iter().zip(0..);
        let rows = indexes.map(|(index, number)| {
            vec![
                Scalar::Int64(number),
                text(&index.name),
                Scalar::Int64(i64::from(index.unique)),
                text(origin(index.origin)),
                Scalar::Int64(0),
            ]
        });
        Ok(rows.collect())
    }

    /// The last foreign key first, as in SQLite.
    fn pragma_foreign_keys(
        &mut self,
        of: Option<&str>,
        node: &ast::ObjectName,
    ) -> Result<Vec<Row>> {
        let Some(info) = self.pragma_table(of, node)? else {
            return Ok(vec![]);
        };
        let tables = self.named_tables()?;
        let mut rows = Vec::new();
        let keys = self.catalog.foreign_keys(info.id);
        for (key, id) in keys.iter().rev().zip(0..) {
            let parent = key.parent.unwrap_or(info.id);
            let Some(parent) = tables.iter().find(|table| table.id == parent) else {
                continue;
            };
            let name_in = |table: &TableInfo, position: &u32| {
                let column = table.columns.get(*position as usize);
                column.map_or(Scalar::Null(Text), |column| text(&column.name))
            };
            let columns = key.columns.iter().zip(&key.parent_columns).zip(0..);
            rows.extend(columns.map(|((from, to), number)| {
                vec![
                    Scalar::Int64(id),
                    Scalar::Int64(number),
                    text(&parent.name),
                    name_in(&info, from),
                    name_in(parent, to),
                    text(action(key.on_update)),
                    text(action(key.on_delete)),
                    text("NONE"),
                ]
            }));
        }
        Ok(rows)
    }

    fn pragma_index_columns(&mut self, name: Option<&str>) -> Result<Vec<Row>> {
        self.index_rows(name, index_columns)
    }

    /// The columns with their order and collation, then the row's number, which ends each key in SQLite.
    fn pragma_index_keys(&mut self, name: Option<&str>) -> Result<Vec<Row>> {
        self.index_rows(name, |index, info| {
            let mut rows = index_columns(index, info);
            for (row, at) in rows.iter_mut().zip(0..) {
                let descending = index.descending.get(at) == Some(&true);
                let collation = index.collations.get(at).copied().unwrap_or_default();
                row.push(Scalar::Int64(i64::from(descending)));
                row.push(text(collation.name()));
                row.push(Scalar::Int64(1));
            }
            rows.push(vec![
                Scalar::Int64(index.fields.len() as i64),
                Scalar::Int64(-1),
                Scalar::Null(Text),
                Scalar::Int64(0),
                text(Collation::Binary.name()),
                Scalar::Int64(0),
            ]);
            rows
        })
    }

    /// Rows about an index; none for one that does not exist.
    fn index_rows(
        &mut self,
        name: Option<&str>,
        rows_of: impl Fn(&IndexInfo, &TableInfo) -> Vec<Row>,
    ) -> Result<Vec<Row>> {
        let name = name.unwrap_or_default();
        let mut rows = Vec::new();
        for info in self.named_tables()? {
            let indexes = self.catalog.indexes(info.id).into_iter();
            for index in indexes.filter(|index| index.name.eq_ignore_ascii_case(name)) {
                rows.extend(rows_of(&index, &info));
            }
        }
        Ok(rows)
    }
}

/// The collations that SQLite has of itself, in its order.
fn collations() -> Vec<Row> {
    let names = [Collation::RightTrim, Collation::NoCase, Collation::Binary];
    let rows = names.iter().zip(0..);
    rows.map(|(collation, number)| vec![Scalar::Int64(number), text(collation.name())])
        .collect()
}

fn index_columns(index: &IndexInfo, info: &TableInfo) -> Vec<Row> {
    let mut rows = Vec::with_capacity(index.fields.len());
    for (field, number) in index.fields.iter().zip(0..) {
        let mut columns = info.columns.iter().zip(0..);
        if let Some((column, position)) = columns.find(|(column, _)| column.field == *field) {
            rows.push(vec![
                Scalar::Int64(number),
                Scalar::Int64(position),
                text(&column.name),
            ]);
        }
    }
    rows
}

/// Every name of a function: `s` for scalar, `w` for aggregate, as SQLite has them.
fn functions(dialect: Dialects) -> Vec<Row> {
    let scalars = llkv_compute::functions::all()
        .filter(|function| function.dialects.contains(dialect))
        .map(|function| (function.name, function.aliases, "s"));
    let aggregates = llkv_compute::aggregates()
        .filter(|entry| entry.dialects.contains(dialect))
        .map(|entry| (entry.name, entry.aliases, "w"));
    let mut names: Vec<(&str, &str)> = scalars
        .chain(aggregates)
        .flat_map(|(name, aliases, kind)| {
            let names = std::iter::once(&name).chain(aliases).copied();
            names.map(|name| (name, kind)).collect::<Vec<_>>()
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    let rows = names.into_iter().map(|(name, kind)| {
        vec![
            text(name),
            Scalar::Int64(1),
            text(kind),
            text("utf8"),
            Scalar::Int64(-1),
            Scalar::Int64(0),
        ]
    });
    rows.collect()
}

const fn action(action: ForeignKeyAction) -> &'static str {
    match action {
        ForeignKeyAction::NoAction => "NO ACTION",
        ForeignKeyAction::Restrict => "RESTRICT",
        ForeignKeyAction::Cascade => "CASCADE",
        ForeignKeyAction::SetNull => "SET NULL",
        ForeignKeyAction::SetDefault => "SET DEFAULT",
    }
}

const fn origin(origin: IndexOrigin) -> &'static str {
    match origin {
        IndexOrigin::Created => "c",
        IndexOrigin::Unique => "u",
        IndexOrigin::PrimaryKey => "pk",
    }
}

fn bound(plan: PlanStatement) -> BoundStatement {
    BoundStatement::Plan(Box::new(plan))
}

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
