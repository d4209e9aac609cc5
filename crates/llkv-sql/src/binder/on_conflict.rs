//! INSERT ... ON CONFLICT, INSERT OR ..., REPLACE: what happens to a row whose key exists.

use super::Binder;
use super::frame::{Clause, Frame};
use super::scope::Scope;
use llkv_expr::Expr;
use llkv_plan::{
    ConflictAction, LogicalPlan, PlanColumn, Projection, TableInfo, Upsert, UpsertUpdate,
};
use llkv_result::{BindError, Result};
use llkv_types::SqlType;
use sqlparser::ast::{self, ConflictTarget, OnConflictAction, OnInsert, SqliteOnConflict};

impl Binder<'_> {
    /// What the statement does about keys that exist. `source` are the columns of the rows to insert.
    pub(super) fn bind_on_conflict(
        &mut self,
        insert: &ast::Insert,
        info: &TableInfo,
        source: &[PlanColumn],
    ) -> Result<(ConflictAction, Option<Upsert>)> {
        let action = Self::insert_action(insert);
        if insert.replace_into {
            return Ok((action, None));
        }
        let conflict = match &insert.on {
            None => return Ok((action, None)),
            Some(OnInsert::OnConflict(conflict)) => conflict,
            Some(_) => {
                return self.unsupported("ON DUPLICATE KEY UPDATE", &insert.insert_token.0);
            }
        };
        let target = conflict.conflict_target.as_ref();
        let keys = self.conflict_keys(target, info)?;
        let update = match &conflict.action {
            OnConflictAction::DoNothing if target.is_none() => {
                return Ok((ConflictAction::Ignore, None));
            }
            OnConflictAction::DoNothing => None,
            OnConflictAction::DoUpdate(update) => {
                if keys.is_empty() {
                    return Err(no_such_key());
                }
                let alias = insert.table_alias.as_ref().map(|a| a.alias.value.as_str());
                Some(self.bind_do_update(update, info, alias, source)?)
            }
        };
        Ok((
            action,
            Some(Upsert {
                keys,
                update,
                in_order: self.dialect == crate::SqlDialect::Sqlite,
            }),
        ))
    }

    /// `INSERT OR REPLACE`, `REPLACE INTO`, ...
    pub(super) const fn insert_action(insert: &ast::Insert) -> ConflictAction {
        if insert.replace_into {
            return ConflictAction::Replace;
        }
        Self::conflict_action(insert.or)
    }

    /// `OR REPLACE`, `OR IGNORE`, ...
    pub(super) const fn conflict_action(or: Option<SqliteOnConflict>) -> ConflictAction {
        match or {
            Some(SqliteOnConflict::Ignore) => ConflictAction::Skip,
            Some(SqliteOnConflict::Replace) => ConflictAction::Replace,
            Some(SqliteOnConflict::Abort) | None => ConflictAction::Error,
            Some(SqliteOnConflict::Fail) => ConflictAction::Fail,
            Some(SqliteOnConflict::Rollback) => ConflictAction::Rollback,
        }
    }

    /// The keys that the target names, by position; all of the table where it names none.
    fn conflict_keys(
        &self,
        target: Option<&ConflictTarget>,
        info: &TableInfo,
    ) -> Result<Vec<usize>> {
        let columns = match target {
            None => return Ok((0..info.keys.len()).collect()),
            Some(ConflictTarget::OnConstraint(name)) => {
                let name = self.simple_name(name)?;
                let named =
                    |key: &&llkv_plan::KeyDefinition| key.name.eq_ignore_ascii_case(&name.value);
                return match info.keys.iter().position(|key| named(&key)) {
                    Some(key) => Ok(vec![key]),
                    None => Err(no_such_key()),
                };
            }
            Some(ConflictTarget::Columns(columns)) => columns,
        };
        let mut positions = Vec::with_capacity(columns.len());
        for column in columns {
            positions.push(self.column_position(info, column)? as u32);
        }
        positions.sort_unstable();
        positions.dedup();
        let found = info.keys.iter().position(|key| {
            let mut columns = key.columns.clone();
            columns.sort_unstable();
            columns == positions
        });
        found.map(|key| vec![key]).ok_or_else(no_such_key)
    }

    /// SET and WHERE see the row that exists by its table's name and the one to insert as `excluded`;
    /// a bare name is a column of the former.
    fn bind_do_update(
        &mut self,
        update: &ast::DoUpdate,
        info: &TableInfo,
        alias: Option<&str>,
        source: &[PlanColumn],
    ) -> Result<UpsertUpdate> {
        let existing = self.columns_of(info);
        let of_source = source.iter().zip(&info.columns);
        let excluded = of_source.map(|(column, own)| PlanColumn {
            name: own.name.clone(),
            ..column.clone()
        });
        // Collations alone: SQLite's `excluded` has no affinities.
        for (column, of_table) in source.iter().zip(&info.columns) {
            self.note_collation(column.id, of_table);
        }
        self.note_origins(info.id, source.iter().map(|column| column.id));
        let mut excluded = Scope::of_relation(Some("excluded"), excluded.collect());
        for column in &mut excluded.columns {
            column.hidden = true;
        }
        let own = Scope::of_table(info, alias, existing.clone());
        let scope = own.join(excluded);
        self.frames
            .push(Frame::new(scope, LogicalPlan::one_row(), Clause::Row));
        let bound = self.bind_do_update_clauses(update, info);
        let pending = self.frames.pop().map(|frame| frame.pending);
        let (values, filter) = bound?;
        let mut columns: Vec<Projection> = values
            .into_iter()
            .zip(&existing)
            .map(|(value, own)| Projection {
                column: self.new_column(own.name.clone(), own.ty, true),
                expr: value.unwrap_or_else(|| Expr::column(own.id, own.ty)),
            })
            .collect();
        self.fill_generated(&mut columns, info)?;
        let written: Vec<PlanColumn> = columns.iter().map(|p| p.column.clone()).collect();
        let checks = self.bind_checks(info, &written)?;
        let query = match pending.unwrap_or_default() {
            none if none.is_empty() => None,
            pending => {
                let mut computed = vec![Projection {
                    column: self.new_column("changes", SqlType::Boolean, true),
                    expr: filter.clone().unwrap_or_else(|| Expr::boolean(true)),
                }];
                computed.extend_from_slice(&columns);
                let rows = existing.iter().chain(source).cloned().collect();
                Some(self.row_query(rows, pending, &computed))
            }
        };
        Ok(UpsertUpdate {
            existing,
            filter,
            columns,
            checks,
            query,
        })
    }

    fn bind_do_update_clauses(
        &mut self,
        update: &ast::DoUpdate,
        info: &TableInfo,
    ) -> Result<(Vec<Option<Expr>>, Option<Expr>)> {
        let mut values: Vec<Option<Expr>> = vec![None; info.columns.len()];
        for assignment in &update.assignments {
            for (position, expr) in self.bind_assignment(assignment, info)? {
                if let Some(slot) = values.get_mut(position)
                    && slot.replace(expr).is_some()
                    && self.dialect != crate::SqlDialect::Sqlite
                {
                    return self.invalid("a column is set twice", assignment);
                }
            }
        }
        let filter = match &update.selection {
            None => None,
            Some(condition) => {
                let bound = self.bind_expr(condition)?;
                Some(self.condition(bound, condition)?)
            }
        };
        Ok((values, filter))
    }
}

fn no_such_key() -> llkv_result::Error {
    BindError::Invalid {
        message: "no PRIMARY KEY or UNIQUE constraint of the table fits ON CONFLICT".into(),
        span: None,
    }
    .into()
}
