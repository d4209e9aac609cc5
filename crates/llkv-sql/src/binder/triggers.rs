//! Triggers: CREATE and DROP, and the programs that a statement brings along.
//!
//! A statement on a table with triggers binds their bodies, and those of the triggers that these set off
//! in turn, once each. `OLD.x` and `NEW.x` become parameters, whose values come from the row when the
//! program runs. Text of a trigger is bound when a statement needs it, not when it is created: what it
//! names may come, go and change in between, as in SQLite.

use super::Binder;
use super::alter_triggers::{self, On};
use super::frame::{Clause, Frame};
use super::scope::Scope;
use super::statement::words_of;
use super::subquery::apply_all;
use crate::dialect::SqlDialect;
use crate::text::{TriggerText, parse_trigger};
use llkv_compute::functions::raise;
use llkv_expr::{Expr, SortKey};
use llkv_plan::{
    CascadeTarget, LogicalPlan, PlanColumn, PlanStatement, Project, Projection, Sort, TableInfo,
    TableRef, TriggerCall, TriggerCondition, TriggerDefinition, TriggerInfo, TriggerProgram,
    Triggers, ViewInfo,
};
use llkv_result::{BindError, ObjectKind, Result};
use llkv_types::{Collation, Scalar, SqlType, TableId, TriggerEvent, TriggerTime};
use sqlparser::ast::{self, FunctionArgExpr, Ident, SqliteOnConflict};
use std::sync::Arc;

/// The row that a trigger fires for, as its text names it.
#[derive(Debug, Clone)]
pub(super) struct TriggerRow {
    table: TableId,
    event: TriggerEvent,
    columns: Vec<(String, SqlType, Collation)>,
    /// The column that `rowid` means too.
    row_id: Option<usize>,
}

/// The programs of a statement, as they are being bound.
#[derive(Debug, Default)]
pub(super) struct TriggerPrograms {
    /// Triggers that were met, with the place of their program.
    known: hashbrown::HashMap<TableId, usize>,
    /// Empty while a program is being bound.
    programs: Vec<TriggerProgram>,
    /// Programs that are being bound at this moment.
    open: usize,
}

/// What a statement changes.
pub(super) enum Changed {
    Table(Arc<TableInfo>),
    /// A view, as the table that its triggers take it for, and its rows.
    View(Arc<TableInfo>, LogicalPlan),
}

impl Binder<'_> {
    /// `CREATE TRIGGER`: the text is kept, and read again by the statements that it fires for.
    pub(super) fn bind_create_trigger(&mut self, text: &TriggerText) -> Result<PlanStatement> {
        let table = self.table_ref(&text.table)?;
        let on_view = text.time == TriggerTime::InsteadOf;
        let on = match (self.catalog.table(&table)?, self.catalog.view(&table)?) {
            (Some(info), _) if !on_view => On::Table(info),
            (None, Some(view)) if on_view => On::View(view),
            (None, None) => return self.table_not_found(&table, &text.table),
            (Some(_), _) => {
                let message = "INSTEAD OF is for views; a table has BEFORE and AFTER triggers";
                return self.invalid(message, &text.table);
            }
            (None, Some(_)) => {
                let message = "a view has INSTEAD OF triggers only";
                return self.invalid(message, &text.table);
            }
        };
        let (sql, of_temporary) = alter_triggers::with_schemas(self, text, &on)?;
        Ok(PlanStatement::CreateTrigger {
            definition: TriggerDefinition {
                name: self.table_ref(&text.name)?,
                table: on.id(),
                time: text.time,
                event: text.event,
                sql,
                dialect: self.dialect.name().to_owned(),
                // Others could not read what a temporary table has.
                temporary: text.temporary || of_temporary,
            },
            if_not_exists: text.if_not_exists,
        })
    }

    /// `DROP TRIGGER name`, with PostgreSQL's `ON table`, which must be the trigger's.
    pub(super) fn bind_drop_trigger(&self, drop: &ast::DropTrigger) -> Result<PlanStatement> {
        let name = self.table_ref(&drop.trigger_name)?;
        if let Some(table) = &drop.table_name {
            self.expect_trigger_of(&name, table, drop.if_exists)?;
        }
        Ok(PlanStatement::DropTrigger {
            names: vec![name],
            if_exists: drop.if_exists,
        })
    }

    fn expect_trigger_of(
        &self,
        trigger: &TableRef,
        table: &ast::ObjectName,
        if_exists: bool,
    ) -> Result<()> {
        let reference = self.table_ref(table)?;
        let Some(id) = self.relation_id(&reference)? else {
            return self.table_not_found(&reference, table);
        };
        let triggers = self.catalog.triggers(id);
        let is_it = |info: &TriggerInfo| info.name.eq_ignore_ascii_case(&trigger.name);
        if if_exists || triggers.iter().any(is_it) {
            return Ok(());
        }
        Err(BindError::NotFound {
            kind: ObjectKind::Trigger,
            name: trigger.name.clone(),
            hint: None,
            span: self.span(table),
        }
        .into())
    }

    /// The triggers that a statement with such events fires on a table or view; `changed` are the columns
    /// that it sets, `cascades` what foreign keys may change in turn. Some, though none of its own, where that fires any.
    pub(super) fn bind_triggers(
        &mut self,
        relation: &TableInfo,
        (events, changed): (&[TriggerEvent], &[usize]),
        cascades: &[CascadeTarget],
    ) -> Result<Option<Triggers>> {
        let own = self.bind_triggers_within(relation, events, changed)?;
        let fires = own.is_some() || cascades.iter().any(CascadeTarget::fires);
        let calls = own.map_or_else(Vec::new, |own| own.calls);
        Ok(fires.then(|| self.take_triggers(calls)))
    }

    /// Triggers of a statement, with all programs that were bound for it.
    pub(super) fn take_triggers(&mut self, calls: Vec<TriggerCall>) -> Triggers {
        let programs = match self.triggers.open {
            0 => std::mem::take(&mut self.triggers).programs,
            _ => Vec::new(),
        };
        Triggers {
            calls,
            programs: Arc::new(programs),
        }
    }

    /// The same of changes that are part of a statement, whose programs they share.
    pub(super) fn bind_triggers_within(
        &mut self,
        relation: &TableInfo,
        events: &[TriggerEvent],
        changed: &[usize],
    ) -> Result<Option<Triggers>> {
        // What a text of the catalog names does not depend on what it sets off.
        if self.found_names.borrow().is_some() {
            return Ok(None);
        }
        let infos = self.catalog.triggers(relation.id);
        let mut calls = Vec::new();
        for info in infos.iter().filter(|info| events.contains(&info.event)) {
            if let Some(program) = self.program_of(info, relation, changed)? {
                calls.push(TriggerCall {
                    time: info.time,
                    event: info.event,
                    program,
                });
            }
        }
        Ok((!calls.is_empty()).then(|| Triggers {
            calls,
            programs: Arc::default(),
        }))
    }

    /// The place of a trigger's program; none where it does not fire for these columns.
    fn program_of(
        &mut self,
        info: &TriggerInfo,
        relation: &TableInfo,
        changed: &[usize],
    ) -> Result<Option<usize>> {
        let dialect: SqlDialect = info.dialect.parse()?;
        parse_trigger(&info.sql, dialect, |text| {
            let is_known = |name: &&ast::Ident| self.position_of(relation, name).is_some();
            if let Some(gone) = text.columns.iter().find(|name| !is_known(name)) {
                return Err(BindError::Invalid {
                    message: format!(
                        "trigger \"{}\" is for UPDATE OF \"{}\", which \"{}\" does not have",
                        info.name, gone.value, relation.name
                    ),
                    span: None,
                }
                .into());
            }
            if !fires_for(&text.columns, relation, changed) {
                return Ok(None);
            }
            if let Some(program) = self.triggers.known.get(&info.id) {
                return Ok(Some(*program));
            }
            let place = self.triggers.programs.len();
            self.triggers.known.insert(info.id, place);
            self.triggers.programs.push(TriggerProgram {
                name: info.name.clone(),
                condition: None,
                steps: Vec::new(),
            });
            let row = self.row_of_trigger(info.event, relation);
            self.triggers.open += 1;
            let bound = self.of_catalog(dialect, |binder| {
                binder.trigger_row = Some(row);
                binder.bind_program(text)
            });
            self.triggers.open -= 1;
            let (condition, steps) = bound?;
            if let Some(program) = self.triggers.programs.get_mut(place) {
                program.condition = condition;
                program.steps = steps;
            }
            Ok(Some(place))
        })
    }

    /// The row that a trigger of a table fires for.
    pub(super) fn row_of_trigger(&self, event: TriggerEvent, relation: &TableInfo) -> TriggerRow {
        let columns = relation.columns.iter();
        TriggerRow {
            table: relation.id,
            event,
            row_id: self.row_id_position(relation),
            columns: columns
                .map(|column| (column.name.to_string(), column.ty, column.collation))
                .collect(),
        }
    }

    pub(super) fn bind_program(
        &mut self,
        text: &TriggerText,
    ) -> Result<(Option<TriggerCondition>, Vec<PlanStatement>)> {
        let condition = text.condition.as_ref();
        let condition = condition.map(|expr| self.bind_trigger_condition(expr));
        let mut steps = Vec::with_capacity(text.body.len());
        for statement in &text.body {
            let has_returning = match statement {
                ast::Statement::Insert(insert) => insert.returning.is_some(),
                ast::Statement::Update(update) => update.returning.is_some(),
                ast::Statement::Delete(delete) => delete.returning.is_some(),
                _ => false,
            };
            if has_returning {
                let what = format!("RETURNING in a trigger ({})", words_of(statement));
                return super::unsupported(what);
            }
            steps.push(self.bind_statement(statement)?);
        }
        Ok((condition.transpose()?, steps))
    }

    /// WHEN: an expression of the row, or a query for one value where there are subqueries in it.
    fn bind_trigger_condition(&mut self, expr: &ast::Expr) -> Result<TriggerCondition> {
        let frame = Frame::new(Scope::default(), LogicalPlan::one_row(), Clause::Row);
        self.frames.push(frame);
        let bound = self.bind_expr(expr);
        let bound = bound.and_then(|bound| self.condition(bound, expr));
        let pending = self.frames.pop().map(|frame| frame.pending);
        let (bound, pending) = (bound?, pending.unwrap_or_default());
        if pending.is_empty() {
            return Ok(TriggerCondition::Row(bound));
        }
        Ok(TriggerCondition::Query(LogicalPlan::Project(Project {
            input: Box::new(apply_all(LogicalPlan::one_row(), pending)),
            projections: vec![Projection {
                column: self.new_column("fires", SqlType::Boolean, true),
                expr: bound,
            }],
        })))
    }

    /// The rows that a statement changes, in the order in which SQLite goes through them, where that shows:
    /// triggers fire row by row, and a constraint that refuses a row may end the statement there.
    pub(super) fn in_key_order(
        &self,
        plan: LogicalPlan,
        info: &TableInfo,
        own: &[PlanColumn],
        or: Option<SqliteOnConflict>,
    ) -> LogicalPlan {
        let shows = or.is_some() || !self.catalog.triggers(info.id).is_empty();
        if self.dialect != SqlDialect::Sqlite || !shows {
            return plan;
        }
        let key = info.keys.iter().find(|key| key.primary);
        let column = match key.map(|key| key.columns.as_slice()) {
            Some([position]) => own.get(*position as usize),
            _ => None,
        };
        match column.filter(|column| column.ty == SqlType::Int64) {
            None => plan,
            Some(column) => LogicalPlan::Sort(Sort {
                input: Box::new(plan),
                keys: vec![SortKey {
                    expr: Expr::column(column.id, column.ty),
                    descending: false,
                    nulls_first: true,
                }],
                fetch: None,
            }),
        }
    }

    /// `OLD.x`, `NEW.x` in a trigger; none where the name is no such.
    pub(super) fn bind_row_name(
        &self,
        relation: Option<&str>,
        name: &Ident,
    ) -> Option<(Expr, Collation)> {
        let (row, relation) = (self.trigger_row.as_ref()?, relation?);
        let is_old = relation.eq_ignore_ascii_case("old") && row.event.has_old();
        let is_new = relation.eq_ignore_ascii_case("new") && row.event.has_new();
        if !is_old && !is_new {
            return None;
        }
        let of_name =
            |(column, ..): &(String, SqlType, Collation)| column.eq_ignore_ascii_case(&name.value);
        let position = row.columns.iter().position(of_name);
        let position = position.or_else(|| row.row_id.filter(|_| self.means_row_id(name)))?;
        let (_, ty, collation) = row.columns.get(position)?;
        self.note_position(name, (row.table, position));
        let first = match is_new && row.event.has_old() {
            true => row.columns.len(),
            false => 0,
        };
        let value = Expr::Parameter {
            index: first + position,
            ty: *ty,
        };
        Some((value, *collation))
    }

    /// `RAISE(IGNORE)`, `RAISE(ABORT, message)`: the word is no column.
    pub(super) fn bind_raise(
        &mut self,
        args: &[&FunctionArgExpr],
        call: &ast::Function,
    ) -> Result<Expr> {
        let (word, message) = match args {
            [FunctionArgExpr::Expr(ast::Expr::Identifier(word))] => (word, None),
            [
                FunctionArgExpr::Expr(ast::Expr::Identifier(word)),
                FunctionArgExpr::Expr(message),
            ] => (word, Some(message)),
            _ => return self.invalid(format!("it is called as {}", raise().usage), call),
        };
        let lower = word.value.to_ascii_lowercase();
        let message = match (lower.as_str(), message) {
            ("ignore", None) => Expr::Literal(Scalar::Text("".into())),
            ("abort" | "fail" | "rollback", Some(message)) => {
                let message = self.bind_expr(message)?;
                self.coerce(message, SqlType::Text)
            }
            _ => return self.invalid(format!("it is called as {}", raise().usage), call),
        };
        Ok(Expr::Function {
            function: raise(),
            args: vec![Expr::Literal(Scalar::Text(lower.into())), message],
            ty: SqlType::Null,
        })
    }

    /// What a statement changes: a table, or a view of which an INSTEAD OF trigger fires at the event.
    ///
    /// # Errors
    /// For a view without such a trigger, and where there is nothing of this name.
    pub(super) fn changed(
        &mut self,
        name: &ast::ObjectName,
        event: TriggerEvent,
    ) -> Result<Changed> {
        let reference = self.table_ref(name)?;
        self.note_relation(name, &reference)?;
        if let Some(info) = self.catalog.table(&reference)? {
            return Ok(Changed::Table(info));
        }
        let fires = |view: &ViewInfo| {
            let triggers = self.catalog.triggers(view.id);
            triggers.iter().any(|trigger| trigger.event == event)
        };
        let Some(view) = self.catalog.view(&reference)?.filter(|view| fires(view)) else {
            return self.no_target(&reference, name);
        };
        let (info, plan) = self.view_as_table(&view)?;
        Ok(Changed::View(info, plan))
    }

    /// A view as the table that its triggers take it for, and its rows.
    pub(super) fn view_as_table(
        &mut self,
        view: &ViewInfo,
    ) -> Result<(Arc<TableInfo>, LogicalPlan)> {
        let plan = self.bind_view(view)?;
        let columns = plan.columns();
        let columns = columns
            .iter()
            .zip(0..)
            .map(|(column, at)| llkv_plan::ColumnInfo {
                field: llkv_types::FieldId(at),
                name: column.name.clone(),
                ty: column.ty,
                nullable: true,
                default_sql: None,
                generated: None,
                declared: None,
                collation: self.collation_of_column(column.id),
            });
        let info = TableInfo {
            id: view.id,
            name: view.name.clone(),
            columns: columns.collect(),
            keys: Vec::new(),
            checks: Vec::new(),
            dialect: self.dialect.name().to_owned(),
        };
        Ok((Arc::new(info), plan))
    }
}

/// UPDATE OF: the trigger's columns, of which the statement must set one. Every change fires one that
/// names none.
fn fires_for(columns: &[Ident], relation: &TableInfo, changed: &[usize]) -> bool {
    columns.is_empty()
        || changed.iter().any(|position| {
            let column = relation.columns.get(*position);
            column.is_some_and(|column| {
                columns
                    .iter()
                    .any(|name| name.value.eq_ignore_ascii_case(&column.name))
            })
        })
}
