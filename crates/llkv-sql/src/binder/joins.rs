//! JOIN: kinds, ON, USING, NATURAL.

use super::Binder;
use super::collations::Collated;
use super::frame::{Clause, Frame, PendingApply};
use super::from::{Rows, cross, is_lateral};
use super::scope::{Lookup, Scope, ScopeColumn};
use super::select::filter;
use super::subquery::apply_all;
use llkv_expr::{BinaryOp, Expr, UnaryOp};
use llkv_plan::{
    Apply, ApplyKind, ColumnSet, Join, JoinKind, LogicalPlan, PlanColumn, Project, Projection,
};
use llkv_result::{BindError, ObjectKind, Result};
use sqlparser::ast::{self, JoinConstraint, JoinOperator};

impl Binder<'_> {
    pub(super) fn bind_join(&mut self, left: Rows, join: &ast::Join) -> Result<Rows> {
        use JoinOperator as O;
        let (kind, constraint) = match &join.join_operator {
            O::Join(c) | O::Inner(c) | O::CrossJoin(c) | O::StraightJoin(c) => (JoinKind::Inner, c),
            O::Left(c) | O::LeftOuter(c) => (JoinKind::Left, c),
            O::Right(c) | O::RightOuter(c) => (JoinKind::Right, c),
            O::FullOuter(c) => (JoinKind::Full, c),
            O::Semi(c) | O::LeftSemi(c) => (JoinKind::Semi, c),
            O::Anti(c) | O::LeftAnti(c) => (JoinKind::Anti, c),
            _ => return self.unsupported("this kind of join", join),
        };
        if is_lateral(&join.relation) {
            return self.bind_lateral_join(left, join, kind, constraint);
        }
        let right = self.bind_relation(&join.relation)?;
        self.refuse_same_relations(&left.1, &right.1, join)?;
        match constraint {
            JoinConstraint::None if kind == JoinKind::Inner => Ok(cross(left, right)),
            JoinConstraint::None => self.invalid("an outer join needs ON or USING", join),
            JoinConstraint::On(condition) => self.join_on(left, right, kind, condition),
            JoinConstraint::Using(names) => {
                let mut columns = Vec::with_capacity(names.len());
                for name in names {
                    columns.push(self.simple_name(name)?.clone());
                }
                self.join_using(left, right, kind, &columns)
            }
            JoinConstraint::Natural => {
                let common = common_names(&left.1, &right.1);
                self.join_using(left, right, kind, &common)
            }
        }
    }

    fn bind_lateral_join(
        &mut self,
        left: Rows,
        join: &ast::Join,
        kind: JoinKind,
        constraint: &JoinConstraint,
    ) -> Result<Rows> {
        let always = match constraint {
            JoinConstraint::None => true,
            JoinConstraint::On(ast::Expr::Value(value)) => value.value == ast::Value::Boolean(true),
            _ => false,
        };
        match (kind, constraint) {
            (JoinKind::Inner, JoinConstraint::On(condition)) if !always => {
                let rows = self.bind_lateral(left, &join.relation, ApplyKind::Cross)?;
                self.filter_rows(rows, condition)
            }
            (JoinKind::Inner, _) if always => {
                self.bind_lateral(left, &join.relation, ApplyKind::Cross)
            }
            (JoinKind::Left, _) if always => {
                self.bind_lateral(left, &join.relation, ApplyKind::Left)
            }
            (JoinKind::Left, JoinConstraint::On(condition)) => {
                let (plan, scope) = self.bind_lateral(left, &join.relation, ApplyKind::Left)?;
                let LogicalPlan::Apply(mut apply) = plan else {
                    return super::invalid("a LATERAL join without its subquery");
                };
                // What does not meet the condition is no match: it belongs to the subquery.
                let rows = (*apply.inner, scope);
                let (mut frame, predicate) = self.bind_on(rows, condition)?;
                frame.flush();
                let scope = std::mem::take(&mut frame.scope);
                apply.inner = Box::new(filter(frame.take_plan(), predicate));
                Ok((LogicalPlan::Apply(apply), scope))
            }
            _ => self.unsupported("this kind of LATERAL join", join),
        }
    }

    /// Rows for which a condition of ON is true.
    fn filter_rows(&mut self, rows: Rows, condition: &ast::Expr) -> Result<Rows> {
        let (mut frame, predicate) = self.bind_on(rows, condition)?;
        frame.flush();
        let scope = std::mem::take(&mut frame.scope);
        Ok((filter(frame.take_plan(), predicate), scope))
    }

    /// The condition of ON, and the frame in which it was bound.
    fn bind_on(&mut self, rows: Rows, condition: &ast::Expr) -> Result<(Frame, Expr)> {
        self.frames.push(Frame::new(rows.1, rows.0, Clause::On));
        let bound = self.bind_expr(condition);
        let bound = bound.and_then(|expr| self.condition(expr, condition));
        match self.frames.pop() {
            Some(frame) => Ok((frame, bound?)),
            None => super::invalid("a join without rows"),
        }
    }

    pub(super) fn join_on(
        &mut self,
        left: Rows,
        right: Rows,
        kind: JoinKind,
        condition: &ast::Expr,
    ) -> Result<Rows> {
        // The condition sees the rows of both sides, and may ask their tables for `rowid`.
        let scopes = (left.1.clone(), right.1.clone());
        let (mut frame, predicate) = self.bind_on(cross(left, right), condition)?;
        let LogicalPlan::Join(both) = frame.take_plan() else {
            return super::invalid("a join without its sides");
        };
        let (left, right) = ((*both.left, scopes.0), (*both.right, scopes.1));
        if frame.pending.is_empty() {
            return Ok(joined(left, right, kind, Some(predicate)));
        }
        match kind {
            JoinKind::Inner => {
                let (plan, scope) = cross(left, right);
                let plan = apply_all(plan, frame.pending);
                Ok((filter(plan, predicate), scope))
            }
            JoinKind::Left => {
                let (mut right_plan, mut right_scope) = right;
                right_plan = filter(apply_all(right_plan, frame.pending), predicate);
                right_scope.set_nullable();
                Ok((matches_of(left.0, right_plan), left.1.join(right_scope)))
            }
            JoinKind::Right => {
                let (mut left_plan, mut left_scope) = left;
                left_plan = filter(apply_all(left_plan, frame.pending), predicate);
                left_scope.set_nullable();
                Ok((matches_of(right.0, left_plan), left_scope.join(right.1)))
            }
            _ if look_at_both(&frame.pending, &left, &right) => {
                let condition = (frame.pending, predicate);
                match kind {
                    JoinKind::Full => self.full_join_by_subquery(left, right, condition),
                    kind => {
                        let is_anti = kind == JoinKind::Anti;
                        Ok(self.half_join_by_subquery(left, right, is_anti, condition))
                    }
                }
            }
            _ => {
                let (left, right) = apply_to_sides(left, right, frame.pending);
                Ok(joined(left, right, kind, Some(predicate)))
            }
        }
    }

    /// USING and NATURAL: each pair of columns becomes one.
    fn join_using(
        &mut self,
        left: Rows,
        right: Rows,
        kind: JoinKind,
        names: &[ast::Ident],
    ) -> Result<Rows> {
        let mut tests = Vec::with_capacity(names.len());
        let mut pairs = Vec::with_capacity(names.len());
        for name in names {
            let l = self.using_column(&left.1, name)?;
            let r = self.using_column(&right.1, name)?;
            let of_left = Collated::column(self.collation_of_column(l.id));
            let of_right = Collated::column(self.collation_of_column(r.id));
            let collation = self.collation_between(of_left, of_right);
            let (left, right) = (Expr::column(l.id, l.ty), Expr::column(r.id, r.ty));
            let equal = self.compare_collated(BinaryOp::Eq, left, right, collation, name)?;
            tests.push(equal);
            pairs.push((l, r));
        }
        let predicate = (!tests.is_empty()).then(|| Expr::and(tests));
        let (plan, scope) = joined(left, right, kind, predicate);
        if kind == JoinKind::Full {
            return self.merge_full(plan, scope, &pairs);
        }
        let keep_right = kind == JoinKind::Right;
        if self.dialect.using_keeps_order() && !keep_right {
            return Ok((plan, hide_right(scope, &pairs)));
        }
        Ok((plan, merge(scope, &pairs, keep_right)))
    }

    fn using_column(&self, scope: &Scope, name: &ast::Ident) -> Result<PlanColumn> {
        match scope.lookup(None, &name.value) {
            Lookup::Found(found) => Ok(found.column.clone()),
            Lookup::Ambiguous => Err(BindError::Ambiguous {
                kind: ObjectKind::Column,
                name: name.value.clone(),
                span: self.source.span(name.span),
            }
            .into()),
            Lookup::Missing => self.column_not_found(name, scope.names()),
        }
    }

    /// FULL JOIN: the merged column has the value of whichever side has one.
    fn merge_full(
        &mut self,
        plan: LogicalPlan,
        mut scope: Scope,
        pairs: &[(PlanColumn, PlanColumn)],
    ) -> Result<Rows> {
        let mut projections: Vec<Projection> = plan
            .columns()
            .into_iter()
            .map(|column| Projection {
                expr: Expr::column(column.id, column.ty),
                column,
            })
            .collect();
        let mut merged = Vec::with_capacity(pairs.len());
        for (l, r) in pairs {
            let left = Expr::column(l.id, l.ty);
            let there = Expr::unary(UnaryOp::IsNotNull, left.clone());
            let right = Expr::column(r.id, r.ty);
            let node = ast::Ident::new(&*l.name);
            let value = self.case_of(vec![(there, left)], Some(right), &node)?;
            let column = self.new_column(l.name.clone(), value.ty(), true);
            self.copy_collated(l.id, column.id);
            projections.push(Projection {
                column: column.clone(),
                expr: value,
            });
            merged.push(ScopeColumn {
                relation: None,
                object: None,
                column,
                hidden: false,
            });
        }
        for column in &mut scope.columns {
            let id = column.column.id;
            column.hidden |= pairs.iter().any(|(l, r)| l.id == id || r.id == id);
        }
        merged.append(&mut scope.columns);
        let plan = LogicalPlan::Project(Project {
            input: Box::new(plan),
            projections,
        });
        Ok((plan, Scope { columns: merged }))
    }
}

/// Every row of one side with the rows of the other that match it; the condition is in the latter.
fn matches_of(outer: LogicalPlan, matching: LogicalPlan) -> LogicalPlan {
    LogicalPlan::Apply(Apply {
        outer: Box::new(outer),
        inner: Box::new(matching),
        kind: ApplyKind::Left,
    })
}

fn reads(columns: &ColumnSet, side: &Rows) -> bool {
    let mut of_side = side.0.columns().into_iter();
    of_side.any(|column| columns.contains(column.id))
}

/// True where a subquery of a condition looks at both sides of its join, or at another such subquery.
fn look_at_both(pending: &[PendingApply], left: &Rows, right: &Rows) -> bool {
    pending.iter().any(|subquery| {
        let columns = subquery.clone().on(LogicalPlan::one_row()).free_columns();
        reads(&columns, left) && reads(&columns, right)
    })
}

/// The sides of a join with the subqueries of its condition, each of which looks at one side alone at most.
fn apply_to_sides(mut left: Rows, mut right: Rows, pending: Vec<PendingApply>) -> (Rows, Rows) {
    for subquery in pending {
        let alone = subquery.clone().on(LogicalPlan::one_row());
        let side = match reads(&alone.free_columns(), &right) {
            false => &mut left,
            true => &mut right,
        };
        let rows = std::mem::replace(&mut side.0, LogicalPlan::nothing());
        side.0 = subquery.on(rows);
    }
    (left, right)
}

/// A join, and the scope with the NULLs that it brings.
fn joined(left: Rows, right: Rows, kind: JoinKind, predicate: Option<Expr>) -> Rows {
    let (mut left_scope, mut right_scope) = (left.1, right.1);
    if matches!(kind, JoinKind::Left | JoinKind::Full) {
        right_scope.set_nullable();
    }
    if matches!(kind, JoinKind::Right | JoinKind::Full) {
        left_scope.set_nullable();
    }
    let plan = LogicalPlan::Join(Join {
        left: Box::new(left.0),
        right: Box::new(right.0),
        kind,
        on: vec![],
        null_equal: vec![],
        filter: predicate,
        mark: None,
        null_aware_mark: false,
        aggregates: Vec::new(),
        left_first: false,
    });
    let scope = match kind {
        JoinKind::Semi | JoinKind::Anti => left_scope,
        _ => left_scope.join(right_scope),
    };
    (plan, scope)
}

/// The scope in which each pair is one column: the left one, or the right one of a RIGHT JOIN. Merged
/// columns stand first.
fn merge(scope: Scope, pairs: &[(PlanColumn, PlanColumn)], keep_right: bool) -> Scope {
    let mut columns = scope.columns;
    let mut merged = Vec::with_capacity(columns.len());
    for (l, r) in pairs {
        let (kept, hidden) = if keep_right {
            (r.id, l.id)
        } else {
            (l.id, r.id)
        };
        for column in &mut columns {
            column.hidden |= column.column.id == hidden;
        }
        if let Some(at) = columns.iter().position(|c| c.column.id == kept) {
            merged.push(columns.remove(at));
        }
    }
    merged.append(&mut columns);
    Scope { columns: merged }
}

/// The scope in which each pair is one column, the left one, in its place.
fn hide_right(mut scope: Scope, pairs: &[(PlanColumn, PlanColumn)]) -> Scope {
    for column in &mut scope.columns {
        let id = column.column.id;
        column.hidden |= pairs.iter().any(|(_, right)| right.id == id);
    }
    scope
}

/// The names that both sides have, in the order of the left one.
fn common_names(left: &Scope, right: &Scope) -> Vec<ast::Ident> {
    left.star(None)
        .filter(|column| !matches!(right.lookup(None, &column.name), Lookup::Missing))
        .map(|column| ast::Ident::new(&*column.name))
        .collect()
}
