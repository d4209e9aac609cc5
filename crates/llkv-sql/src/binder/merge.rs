//! MERGE: a join of a table with other rows, and what each of its WHEN clauses makes of the rows that it takes.

use super::Binder;
use super::frame::{Clause, Frame};
use super::from::Rows;
use super::scope::Scope;
use super::select::filter;
use super::subquery::{apply_all, keep, keeping};
use super::triggers::Changed;
use super::update::Assigned;
use llkv_expr::{Expr, UnaryOp};
use llkv_plan::{
    Delete, JoinKind, LogicalPlan, Merge, PlanColumn, PlanStatement, Project, Projection,
    TableInfo, Values,
};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType, TriggerEvent};
use sqlparser::ast::{self, MergeAction, MergeClauseKind, MergeInsertKind, MergeUpdateKind};

/// The rows of the join, and what their columns are.
struct Joined {
    /// The number of a row of the table; NULL where none matches.
    row_id: PlanColumn,
    /// NULL where no row of the source matches.
    present: PlanColumn,
    target: Scope,
    source: Scope,
}

impl Joined {
    /// What the expressions of a clause see: the sides that its rows have.
    fn scope(&self, kind: MergeClauseKind) -> Scope {
        match kind {
            MergeClauseKind::Matched => self.target.clone().join(self.source.clone()),
            MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => {
                self.source.clone()
            }
            MergeClauseKind::NotMatchedBySource => self.target.clone(),
        }
    }

    /// True for the rows of a clause, but for its condition.
    fn test(&self, kind: MergeClauseKind) -> Expr {
        let is = |op, column: &PlanColumn| Expr::unary(op, Expr::column(column.id, column.ty));
        match kind {
            MergeClauseKind::Matched => Expr::and(vec![
                is(UnaryOp::IsNotNull, &self.row_id),
                is(UnaryOp::IsNotNull, &self.present),
            ]),
            MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => {
                is(UnaryOp::IsNull, &self.row_id)
            }
            MergeClauseKind::NotMatchedBySource => is(UnaryOp::IsNull, &self.present),
        }
    }

    /// The columns that clauses read: the number of the row, then those of both sides.
    fn columns(&self) -> Vec<PlanColumn> {
        let sides = self.target.columns.iter().chain(&self.source.columns);
        let mut columns = vec![self.row_id.clone()];
        for side in sides {
            if columns.iter().all(|column| column.id != side.column.id) {
                columns.push(side.column.clone());
            }
        }
        columns
    }
}

impl Binder<'_> {
    pub(super) fn bind_merge(&mut self, merge: &ast::Merge) -> Result<PlanStatement> {
        if merge.output.is_some() {
            return self.unsupported("RETURNING or OUTPUT of MERGE", &merge.merge_token.0);
        }
        if self.dialect == crate::SqlDialect::Sqlite {
            return self.unsupported("MERGE in SQLite's dialect", &merge.merge_token.0);
        }
        if merge.clauses.is_empty() {
            return self.invalid("MERGE without a WHEN clause", &merge.merge_token.0);
        }
        let info = match self.changed_relation(&merge.table, TriggerEvent::Update)? {
            Changed::Table(info) => info,
            Changed::View(..) => return self.unsupported("MERGE into a view", &merge.table),
        };
        let (plan, joined) = self.merged_rows(merge, &info)?;
        let source = self.rows_by_clause(merge, plan, &joined)?;
        let rows = joined.columns();
        let mut arms = Vec::with_capacity(merge.clauses.len());
        for clause in &merge.clauses {
            let leaf = LogicalPlan::Values(Values {
                columns: rows.clone(),
                batches: vec![],
            });
            let rows = (leaf, joined.scope(clause.clause_kind));
            arms.push(self.bind_merge_action(clause, rows, &info, &joined)?);
        }
        Ok(PlanStatement::Merge(Merge {
            table_name: info.name.clone(),
            source,
            rows,
            arms,
        }))
    }

    /// The join. Rows that match nothing are in it where a clause takes them.
    fn merged_rows(
        &mut self,
        merge: &ast::Merge,
        info: &TableInfo,
    ) -> Result<(LogicalPlan, Joined)> {
        let (target, row_id) = self.changed_rows(&merge.table, info)?;
        let source = self.bind_relation(&merge.source)?;
        self.refuse_same_relations(&target.1, &source.1, &merge.source)?;
        let present = self.new_column("present", SqlType::Boolean, false);
        let mut projections: Vec<Projection> = keeping(source.0.columns());
        projections.push(Projection {
            column: present.clone(),
            expr: Expr::boolean(true),
        });
        let marked = LogicalPlan::Project(Project {
            input: Box::new(source.0),
            projections,
        });
        let takes = |by_source: bool| {
            let mut kinds = merge.clauses.iter().map(|clause| clause.clause_kind);
            kinds.any(|kind| match kind {
                MergeClauseKind::Matched => false,
                MergeClauseKind::NotMatchedBySource => by_source,
                _ => !by_source,
            })
        };
        let kind = match (takes(false), takes(true)) {
            (false, false) => JoinKind::Inner,
            (true, false) => JoinKind::Left,
            (false, true) => JoinKind::Right,
            (true, true) => JoinKind::Full,
        };
        let joined = Joined {
            row_id,
            present,
            target: target.1.clone(),
            source: source.1.clone(),
        };
        let rows = self.join_on((marked, source.1), target, kind, &merge.on)?;
        Ok((rows.0, joined))
    }

    /// The rows that a clause takes, each with the number of the first one that does.
    fn rows_by_clause(
        &mut self,
        merge: &ast::Merge,
        mut plan: LogicalPlan,
        joined: &Joined,
    ) -> Result<LogicalPlan> {
        let mut branches = Vec::with_capacity(merge.clauses.len());
        for (clause, number) in merge.clauses.iter().zip(0..) {
            let mut tests = vec![joined.test(clause.clause_kind)];
            if let Some(condition) = &clause.predicate {
                let scope = joined.scope(clause.clause_kind);
                self.frames.push(Frame::new(scope, plan, Clause::Where));
                let bound = self.bind_row_condition(condition);
                let Some(mut frame) = self.frames.pop() else {
                    return super::invalid("MERGE without rows");
                };
                plan = frame.take_plan();
                tests.push(bound?);
            }
            let number = Expr::Literal(Scalar::Int32(number));
            branches.push((Expr::and(tests), number));
        }
        let arm = self.new_column("clause", SqlType::Int32, true);
        let mut projections = vec![Projection {
            expr: Expr::Case {
                branches,
                otherwise: None,
                ty: SqlType::Int32,
            },
            column: arm.clone(),
        }];
        projections.extend(keeping(joined.columns()));
        let plan = LogicalPlan::Project(Project {
            input: Box::new(plan),
            projections,
        });
        let is_taken = Expr::unary(UnaryOp::IsNotNull, Expr::column(arm.id, arm.ty));
        Ok(filter(plan, is_taken))
    }

    /// The statement that a clause is, over the rows that it takes; `None` for DO NOTHING.
    fn bind_merge_action(
        &mut self,
        clause: &ast::MergeClause,
        rows: Rows,
        info: &TableInfo,
        joined: &Joined,
    ) -> Result<Option<PlanStatement>> {
        let by_target = matches!(
            clause.clause_kind,
            MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget
        );
        Ok(match &clause.action {
            MergeAction::DoNothing { .. } => None,
            MergeAction::Insert(insert) if by_target => {
                Some(self.bind_merge_insert(insert, rows, info)?)
            }
            MergeAction::Update(update) if !by_target => {
                Some(self.bind_merge_update(update, rows, info, joined)?)
            }
            MergeAction::Delete { .. } if !by_target => {
                let cascades = self.cascades(info.id)?;
                let events = [TriggerEvent::Delete];
                let triggers = self.bind_triggers(info, (&events, &[]), &cascades)?;
                Some(PlanStatement::Delete(Delete {
                    table: info.id,
                    table_name: info.name.clone(),
                    source: keep(rows.0, vec![joined.row_id.clone()]),
                    returning: None,
                    triggers,
                    cascades,
                }))
            }
            _ => {
                let message = format!("this action under WHEN {}", clause.clause_kind);
                return self.invalid(message, &clause.when_token.0);
            }
        })
    }

    fn bind_merge_update(
        &mut self,
        update: &ast::MergeUpdateExpr,
        (leaf, scope): Rows,
        info: &TableInfo,
        joined: &Joined,
    ) -> Result<PlanStatement> {
        let MergeUpdateKind::Set(assignments) = &update.kind else {
            return self.unsupported("UPDATE SET *", &update.update_token.0);
        };
        if update.update_predicate.is_some() || update.delete_predicate.is_some() {
            return self.unsupported("WHERE in a WHEN clause", &update.update_token.0);
        }
        let assigned = |binder: &mut Self| binder.bind_assignments(assignments, info);
        let (plan, assigned): (_, Vec<Assigned>) = self.over_rows(leaf, scope, assigned)?;
        let own = joined.target.columns.iter().map(|c| c.column.clone());
        let own: Vec<PlanColumn> = own.collect();
        let changed: Vec<usize> = assigned.iter().map(|(position, _)| *position).collect();
        let row_id = joined.row_id.clone();
        let mut planned = self.plan_update(info, plan, row_id, &own, assigned)?;
        planned.cascades = self.cascades(info.id)?;
        let events = (&[TriggerEvent::Update][..], &changed[..]);
        planned.triggers = self.bind_triggers(info, events, &planned.cascades)?;
        Ok(PlanStatement::Update(planned))
    }

    fn bind_merge_insert(
        &mut self,
        insert: &ast::MergeInsertExpr,
        (leaf, scope): Rows,
        info: &TableInfo,
    ) -> Result<PlanStatement> {
        let MergeInsertKind::Values(values) = &insert.kind else {
            return self.unsupported("INSERT ROW and INSERT *", &insert.insert_token.0);
        };
        if insert.insert_predicate.is_some() {
            return self.unsupported("WHERE in a WHEN clause", &insert.insert_token.0);
        }
        let [row] = values.rows.as_slice() else {
            return self.invalid("MERGE inserts one row for each", &insert.insert_token.0);
        };
        let row = &row.content;
        let positions = self.insert_positions(&insert.columns, info, Some(row.len()))?;
        if positions.len() != row.len() {
            let (values, columns) = (row.len(), positions.len());
            let message = format!("INSERT has {values} values for {columns} columns");
            return self.invalid(message, &insert.insert_token.0);
        }
        let (plan, projections) = self.over_rows(leaf, scope, |binder| {
            let mut given: Vec<Option<Expr>> = vec![None; info.columns.len()];
            for (value, position) in row.iter().zip(&positions) {
                if let Some(slot) = given.get_mut(*position) {
                    *slot = Some(binder.bind_new_value(value, info, *position)?);
                }
            }
            let mut projections = Vec::with_capacity(given.len());
            for (position, (given, column)) in given.into_iter().zip(&info.columns).enumerate() {
                let expr = match given {
                    Some(expr) => expr,
                    None => {
                        let default = binder.default_of(info, position)?;
                        binder.stored_value(default, column)?
                    }
                };
                projections.push(binder.new_value(&column.name, column.ty, expr));
            }
            Ok(projections)
        })?;
        let source = LogicalPlan::Project(Project {
            input: Box::new(plan),
            projections,
        });
        let source = self.with_identity(source, info)?;
        Ok(PlanStatement::Insert(self.plain_insert(source, info)?))
    }

    /// Binds expressions over rows; also gives back the rows with the subqueries that were met.
    fn over_rows<T>(
        &mut self,
        plan: LogicalPlan,
        scope: Scope,
        bind: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<(LogicalPlan, T)> {
        self.frames.push(Frame::new(scope, plan, Clause::Row));
        let bound = bind(self);
        let Some(mut frame) = self.frames.pop() else {
            return super::invalid("MERGE without rows");
        };
        let plan = frame.take_plan();
        Ok((apply_all(plan, frame.pending), bound?))
    }
}
