//! Statements: which binder takes which.

use super::Binder;
use crate::dialect::SqlDialect;
use crate::null_order::NullOrder;
use crate::text::Parsed;
use llkv_plan::{ExplainFormat, ExplainMode, IsolationLevel, PlanStatement, TableRef};
use llkv_result::Result;
use llkv_types::Scalar;
use sqlparser::ast::{self, Statement as S};

/// What a statement was bound to.
#[derive(Debug)]
#[non_exhaustive]
pub enum BoundStatement {
    /// Something for the runtime.
    Plan(Box<PlanStatement>),
    /// `SET dialect`; `None` to reset it.
    SetDialect(Option<SqlDialect>),
    /// `SET default_null_order`; `None` to reset it.
    SetNullOrder(Option<NullOrder>),
    /// A statement without effect, such as a setting that other engines have.
    Nothing {
        /// What its result is called.
        tag: &'static str,
    },
    /// `PREPARE name AS text`
    Prepare {
        /// Name, as written.
        name: String,
        /// The statement.
        text: String,
    },
    /// `EXECUTE name (values)`
    Execute {
        /// Name, as written.
        name: String,
        /// Values of the parameters, in their order.
        values: Vec<Scalar>,
    },
    /// Statements that stand for one: all of them take effect, or none.
    Steps {
        /// The SQL words of the one.
        tag: &'static str,
        /// The statements.
        texts: Vec<String>,
    },
    /// `DEALLOCATE name`; `None` for all.
    Deallocate(Option<String>),
}

impl Binder<'_> {
    /// Binds a parsed statement.
    pub(crate) fn bind(&mut self, parsed: &Parsed) -> Result<BoundStatement> {
        let statement = match parsed {
            Parsed::Checkpoint => return Ok(plan(PlanStatement::Checkpoint)),
            Parsed::Vacuum => return Ok(plan(PlanStatement::Vacuum)),
            Parsed::Backup(target) => return Ok(plan(PlanStatement::Backup(target.clone()))),
            Parsed::Reindex(name) => {
                let name = name.as_ref().map(|name| self.table_ref(name));
                return Ok(plan(PlanStatement::Reindex(name.transpose()?)));
            }
            Parsed::SetConstraints { names, deferred } => {
                let refs = |names: &Vec<_>| names.iter().map(|name| self.table_ref(name)).collect();
                return Ok(plan(PlanStatement::SetConstraints {
                    names: names.as_ref().map(refs).transpose()?,
                    deferred: *deferred,
                }));
            }
            Parsed::ExplainRules(inner) => {
                return self
                    .explained(inner, ExplainMode::Rules, ExplainFormat::Text)
                    .map(plan);
            }
            Parsed::Summarize(what) => return self.bind_summarize(what).map(plan),
            Parsed::CreateTrigger(text) => return self.bind_create_trigger(text).map(plan),
            Parsed::Query(query) => {
                let query = self.bind_query_statement(query)?;
                let statement = Box::write(Box::new_uninit(), query);
                return Ok(BoundStatement::Plan(statement));
            }
            Parsed::Sql(statement) => statement,
        };
        match statement.as_ref() {
            S::Set(set) => self.bind_set(set),
            S::AlterTable(alter) => self.bind_alter_table(alter),
            S::Reset(reset) => self.bind_reset(reset),
            S::Analyze(analyze) => self.bind_analyze(analyze),
            S::Pragma { name, value, .. } => self.bind_pragma(name, value.as_ref()),
            S::Prepare {
                name, statement, ..
            } => Ok(BoundStatement::Prepare {
                name: name.value.clone(),
                text: statement.to_string(),
            }),
            S::Execute {
                name: Some(name),
                parameters,
                immediate: false,
                using,
                ..
            } if using.is_empty() => self.bind_execute(name, parameters),
            S::Deallocate { name, .. } => {
                let all = name.quote_style.is_none() && name.value.eq_ignore_ascii_case("ALL");
                Ok(BoundStatement::Deallocate(
                    (!all).then(|| name.value.clone()),
                ))
            }
            other => self.bind_statement(other).map(plan),
        }
    }

    /// `ANALYZE`, `ANALYZE t`: nothing is to be done, because statistics are kept with the rows.
    fn bind_analyze(&self, analyze: &ast::Analyze) -> Result<BoundStatement> {
        if let Some(name) = &analyze.table_name {
            let table = self.table_ref(name)?;
            if self.catalog.table(&table)?.is_none() && !self.is_index_or_schema(&table.name)? {
                return self.table_not_found(&table, name);
            }
        }
        Ok(BoundStatement::Nothing { tag: "ANALYZE" })
    }

    /// What SQLite analyzes beside tables.
    fn is_index_or_schema(&self, name: &str) -> Result<bool> {
        if self.dialect != SqlDialect::Sqlite {
            return Ok(false);
        }
        if ["main", "temp"]
            .iter()
            .any(|schema| schema.eq_ignore_ascii_case(name))
        {
            return Ok(true);
        }
        for table in self.catalog.names() {
            let table = TableRef {
                schema: None,
                name: table,
            };
            if let Some(info) = self.catalog.table(&table)?
                && (self.catalog.indexes(info.id).iter())
                    .any(|index| index.name.eq_ignore_ascii_case(name))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `EXECUTE name(1, x := 2)`: constants.
    fn bind_execute(
        &mut self,
        name: &ast::ObjectName,
        parameters: &[ast::Expr],
    ) -> Result<BoundStatement> {
        let name = self.simple_name(name)?.value.clone();
        let mut values = Vec::with_capacity(parameters.len());
        for parameter in parameters {
            values.push(self.bind_constant(parameter)?);
        }
        Ok(BoundStatement::Execute { name, values })
    }

    pub(super) fn bind_statement(&mut self, statement: &ast::Statement) -> Result<PlanStatement> {
        match statement {
            S::Query(query) => self.bind_query_statement(query),
            S::Insert(insert) => self.bind_insert(insert),
            S::Update(update) => self.bind_update(update),
            S::Delete(delete) => self.bind_delete(delete),
            S::Merge(merge) => self.bind_merge(merge),
            S::Truncate(truncate) => self.bind_truncate(truncate),
            S::CreateTable(create) => self.bind_create_table(create),
            S::CreateIndex(index) => self.bind_create_index(index),
            S::AlterIndex { name, operation } => self.bind_alter_index(name, operation),
            S::CreateSchema {
                schema_name: ast::SchemaName::Simple(name),
                if_not_exists,
                or_replace: false,
                clone: None,
                ..
            } => Ok(PlanStatement::CreateSchema {
                name: self.table_ref(name)?.name,
                if_not_exists: *if_not_exists,
            }),
            S::CreateSequence {
                temporary,
                if_not_exists,
                name,
                data_type,
                sequence_options,
                ..
            } => {
                let flags = (*temporary, *if_not_exists);
                self.bind_create_sequence(name, data_type.as_ref(), sequence_options, flags)
            }
            S::Use(target) => self.bind_use(target),
            S::CreateView(view) => self.bind_create_view(view),
            S::Drop {
                object_type,
                names,
                if_exists,
                cascade,
                ..
            } => self.bind_drop(object_type, names, (*if_exists, *cascade)),
            S::DropTrigger(drop) => self.bind_drop_trigger(drop),
            S::Copy {
                source,
                to,
                target,
                options,
                legacy_options,
                ..
            } => self.bind_copy(source, *to, target, options, legacy_options),
            S::Explain { .. } => self.bind_explain(statement),
            S::ExplainTable { table_name, .. } => self.bind_describe(table_name),
            S::ShowTables { .. } => self.bind_show_tables(),
            S::ShowVariable { variable } => self.bind_show_variable(variable),
            other => self.bind_transaction(other),
        }
    }

    fn bind_transaction(&mut self, statement: &ast::Statement) -> Result<PlanStatement> {
        Ok(match statement {
            S::StartTransaction {
                modes, statements, ..
            } if statements.is_empty() => {
                let (read_only, isolation) = transaction_modes(modes);
                PlanStatement::Begin {
                    read_only: read_only.unwrap_or(false),
                    isolation,
                }
            }
            S::Commit { chain: false, .. } => PlanStatement::Commit,
            S::Rollback {
                chain: false,
                savepoint: None,
            } => PlanStatement::Rollback,
            S::Rollback {
                chain: false,
                savepoint: Some(name),
            } => PlanStatement::RollbackTo(name.value.clone()),
            S::Savepoint { name } => PlanStatement::Savepoint(name.value.clone()),
            S::ReleaseSavepoint { name } => PlanStatement::Release(name.value.clone()),
            other => return self.unsupported(words_of(other), other),
        })
    }

    fn bind_explain(&mut self, statement: &ast::Statement) -> Result<PlanStatement> {
        let S::Explain {
            describe_alias,
            analyze,
            query_plan,
            statement,
            options,
            ..
        } = statement
        else {
            return self.unsupported("this EXPLAIN", statement);
        };
        if *describe_alias != ast::DescribeAlias::Explain
            && let S::Query(query) = statement.as_ref()
        {
            let plan = self.bind_query(query)?;
            return self.describe_columns(&plan.columns());
        }
        let wants = |name: &str| {
            options.iter().flatten().any(|option| {
                option.name.value.eq_ignore_ascii_case(name)
                    && !matches!(&option.arg, Some(arg) if is_false(arg))
            })
        };
        let mode = if *query_plan {
            ExplainMode::QueryPlan
        } else if *analyze || wants("analyze") {
            ExplainMode::Analyze
        } else if wants("rules") {
            ExplainMode::Rules
        } else {
            ExplainMode::Plan
        };
        let format = self.explain_format(options.as_deref().unwrap_or_default())?;
        self.explained(statement, mode, format)
    }

    /// `FORMAT text` or `FORMAT json`.
    fn explain_format(&self, options: &[ast::UtilityOption]) -> Result<ExplainFormat> {
        let mut format = ExplainFormat::default();
        for option in options {
            if !option.name.value.eq_ignore_ascii_case("format") {
                continue;
            }
            let value = option.arg.as_ref().map(ToString::to_string);
            format = match value.unwrap_or_default().to_ascii_lowercase().as_str() {
                "text" => ExplainFormat::Text,
                "json" => ExplainFormat::Json,
                other => return super::unsupported(format!("EXPLAIN with FORMAT {other}")),
            };
        }
        Ok(format)
    }

    fn explained(
        &mut self,
        statement: &ast::Statement,
        mode: ExplainMode,
        format: ExplainFormat,
    ) -> Result<PlanStatement> {
        Ok(PlanStatement::Explain {
            statement: Box::new(self.bind_statement(statement)?),
            mode,
            format,
        })
    }
}

/// READ ONLY or READ WRITE, and the isolation level. All levels but SERIALIZABLE are snapshot isolation, which is more than they
/// ask for.
pub(super) fn transaction_modes(
    modes: &[ast::TransactionMode],
) -> (Option<bool>, Option<IsolationLevel>) {
    let (mut read_only, mut isolation) = (None, None);
    for mode in modes {
        match mode {
            ast::TransactionMode::AccessMode(access) => {
                read_only = Some(matches!(access, ast::TransactionAccessMode::ReadOnly));
            }
            ast::TransactionMode::IsolationLevel(level) => {
                isolation = Some(match level {
                    ast::TransactionIsolationLevel::Serializable => IsolationLevel::Serializable,
                    _ => IsolationLevel::Snapshot,
                });
            }
        }
    }
    (read_only, isolation)
}

fn plan(statement: PlanStatement) -> BoundStatement {
    BoundStatement::Plan(Box::new(statement))
}

fn is_false(expr: &ast::Expr) -> bool {
    matches!(
        expr.to_string().to_ascii_lowercase().as_str(),
        "false" | "off" | "0"
    )
}

/// The first words of a statement, to name it by.
pub(super) fn words_of(statement: &ast::Statement) -> String {
    let text = super::output::text_of_node(statement);
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    words.join(" ")
}
