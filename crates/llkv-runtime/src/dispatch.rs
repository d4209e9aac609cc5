//! Which function runs which statement.

use crate::transaction::Transaction;
use crate::{
    RuntimeSession, alter, copy, database_numbers, ddl, deferral, direct, dml, explain,
    foreign_key_changes, indexes, integrity, merge, query, row_by_row, schemas, sequences,
    triggers,
};
use llkv_plan::PlanStatement;
use llkv_result::{BindError, Result, StatementResult};

impl RuntimeSession {
    /// Runs a statement in a transaction. Boxed, because moving it takes as long as binding a small one.
    pub(crate) fn run(
        &mut self,
        transaction: &mut Transaction,
        mut statement: Box<PlanStatement>,
    ) -> Result<StatementResult> {
        transaction.set_path(&self.settings.path);
        if let PlanStatement::Query(plan) = statement.as_ref()
            && let Some(result) = direct::query(self, transaction, plan)?
        {
            return Ok(result);
        }
        direct::run_source(self, transaction, &mut statement)?;
        let catalog = query::catalog_of(self, transaction);
        let statement = query::optimize_statement(self, &catalog, *statement)?;
        self.run_optimized(transaction, statement)
    }

    /// Runs a statement whose plan was optimized.
    pub(crate) fn run_optimized(
        &mut self,
        transaction: &mut Transaction,
        statement: PlanStatement,
    ) -> Result<StatementResult> {
        transaction.set_path(&self.settings.path);
        match statement {
            PlanStatement::Query(plan) => query::select(self, transaction, plan),
            PlanStatement::Insert(insert) => dml::insert(self, transaction, insert),
            PlanStatement::Update(update) => dml::update(self, transaction, update),
            PlanStatement::Delete(delete) => dml::delete(self, transaction, delete),
            PlanStatement::Merge(merge) => merge::merge(self, transaction, merge),
            PlanStatement::Truncate(deletes) => dml::truncate(self, transaction, deletes),
            PlanStatement::ChangeView(change) => row_by_row::change_view(self, transaction, change),
            PlanStatement::CreateTrigger {
                definition,
                if_not_exists,
            } => triggers::create_trigger(self, transaction, definition, if_not_exists),
            PlanStatement::DropTrigger { names, if_exists } => {
                triggers::drop_triggers(transaction, &names, if_exists)
            }
            PlanStatement::CreateTable {
                definition,
                if_not_exists,
                or_replace,
                source,
            } => {
                let existing = ddl::IfExists::new(if_not_exists, or_replace);
                ddl::create_table(self, transaction, &definition, existing, source)
            }
            PlanStatement::DropTable {
                names,
                if_exists,
                cascade,
                views,
            } => {
                ddl::drop_views(transaction, &views, true)?;
                foreign_key_changes::before_drop(transaction, &names, cascade)?;
                ddl::drop_tables(transaction, &names, if_exists)
            }
            PlanStatement::CreateView {
                name,
                sql,
                columns,
                dialect,
                temporary,
                if_not_exists,
                or_replace,
            } => {
                let existing = ddl::IfExists::new(if_not_exists, or_replace);
                let text = ddl::ViewText {
                    sql,
                    columns,
                    dialect,
                    temporary,
                };
                ddl::create_view(self, transaction, &name, text, existing)
            }
            PlanStatement::DropView { names, if_exists } => {
                ddl::drop_views(transaction, &names, if_exists)
            }
            PlanStatement::CreateIndex {
                definition,
                if_not_exists,
            } => indexes::create_index(self, transaction, &definition, if_not_exists),
            PlanStatement::DropIndex { names, if_exists } => {
                ddl::drop_indexes(transaction, &names, if_exists)
            }
            PlanStatement::CreateSchema {
                name,
                if_not_exists,
            } => schemas::create_schema(self, transaction, &name, if_not_exists),
            PlanStatement::DropSchema {
                names,
                if_exists,
                cascade,
            } => schemas::drop_schemas(transaction, &names, if_exists, cascade),
            PlanStatement::CreateSequence {
                definition,
                if_not_exists,
            } => sequences::create_sequence(self, transaction, &definition, if_not_exists),
            PlanStatement::DropSequence {
                sequences,
                if_exists,
                cascade,
            } => sequences::drop_sequences(transaction, &sequences, if_exists, cascade),
            PlanStatement::AlterTable(alter) => alter::alter_table(self, transaction, *alter),
            PlanStatement::SetConstraints { names, deferred } => {
                deferral::set_constraints(self, transaction, names.as_deref(), deferred)
            }
            PlanStatement::Reindex(name) => indexes::reindex(self, transaction, name.as_ref()),
            PlanStatement::CopyTo {
                source,
                path,
                options,
            } => copy::copy_to(self, transaction, source, &path, &options),
            PlanStatement::IntegrityCheck => {
                let findings = integrity::check(&self.context, &self.settings.cancel)?;
                let rows = findings.iter().map(String::as_str);
                let all_well = findings.is_empty().then_some("ok");
                explain::text_rows("integrity_check", rows.chain(all_well))
            }
            PlanStatement::DatabaseNumber { number, value } => {
                database_numbers::read_or_set(transaction, number, value)
            }
            PlanStatement::Explain {
                statement,
                mode,
                format,
            } => explain::explain(self, transaction, *statement, mode, format),
            other => Err(BindError::Unsupported {
                feature: format!("{other:?} within a statement"),
                span: None,
            }
            .into()),
        }
    }
}
