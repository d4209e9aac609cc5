//! UNION, EXCEPT and INTERSECT of texts that compare under another collation than that of the bytes: rows are
//! compared by keys, and of those that are equal one stands for all.

use super::Binder;
use super::subquery::keep;
use llkv_expr::{AggregateExpr, AggregateFunction, Expr};
use llkv_plan::{
    Aggregate, Join, JoinKind, LogicalPlan, PlanColumn, Project, Projection, SetOpKind,
};
use llkv_result::Result;
use llkv_types::Collation;

impl Binder<'_> {
    /// True where one of the columns does not compare by its bytes.
    pub(super) fn are_collated(&self, columns: &[PlanColumn]) -> bool {
        let mut collations = columns.iter().map(|c| self.collation_of_column(c.id));
        collations.any(|collation| !collation.is_binary())
    }

    /// Each row once; the collations of `columns`, by position, decide which are the same.
    pub(super) fn distinct_by_keys(
        &mut self,
        plan: LogicalPlan,
        columns: &[PlanColumn],
    ) -> Result<LogicalPlan> {
        let (plan, keys) = self.with_keys(plan, columns)?;
        let mut aggregates = Vec::new();
        let mut outputs = Vec::with_capacity(columns.len());
        for (own, key) in plan.columns().iter().zip(&keys) {
            if own.id == key.id {
                outputs.push(own.clone());
                continue;
            }
            let first = self.new_column(own.name.clone(), own.ty, own.nullable);
            let call = AggregateExpr {
                function: AggregateFunction::First,
                args: vec![Expr::column(own.id, own.ty)],
                distinct: false,
                filter: None,
                order_by: vec![],
                ty: own.ty,
            };
            outputs.push(first.clone());
            aggregates.push((first, call));
        }
        for (output, column) in outputs.iter().zip(columns) {
            self.copy_collated(column.id, output.id);
        }
        let groups = keys.into_iter().map(|column| Projection {
            expr: Expr::column(column.id, column.ty),
            column,
        });
        let plan = LogicalPlan::Aggregate(Aggregate {
            input: Box::new(plan),
            groups: groups.collect(),
            aggregates,
        });
        Ok(keep(plan, outputs))
    }

    /// EXCEPT and INTERSECT: each row of the left side once that has none, or one, beside it.
    pub(super) fn set_op_by_keys(
        &mut self,
        kind: SetOpKind,
        left: LogicalPlan,
        right: LogicalPlan,
        columns: &[PlanColumn],
    ) -> Result<LogicalPlan> {
        let left = self.distinct_by_keys(left, columns)?;
        let outputs = left.columns();
        let (left, left_keys) = self.with_keys(left, columns)?;
        let (right, right_keys) = self.with_keys(right, columns)?;
        let pairs = left_keys.iter().zip(&right_keys);
        let on = pairs.map(|(l, r)| (Expr::column(l.id, l.ty), Expr::column(r.id, r.ty)));
        let joined = LogicalPlan::Join(Join {
            left: Box::new(left),
            right: Box::new(right),
            kind: match kind {
                SetOpKind::Intersect => JoinKind::Semi,
                SetOpKind::Except => JoinKind::Anti,
            },
            on: on.collect(),
            null_equal: vec![true; left_keys.len()],
            filter: None,
            mark: None,
            null_aware_mark: false,
            aggregates: Vec::new(),
            left_first: false,
        });
        Ok(keep(joined, outputs))
    }

    /// The rows with a key more for each column that does not compare by its bytes; for each column what it is
    /// compared by.
    fn with_keys(
        &mut self,
        plan: LogicalPlan,
        columns: &[PlanColumn],
    ) -> Result<(LogicalPlan, Vec<PlanColumn>)> {
        let own = plan.columns();
        let mut projections: Vec<Projection> = own
            .iter()
            .map(|column| Projection {
                expr: Expr::column(column.id, column.ty),
                column: column.clone(),
            })
            .collect();
        let mut keys = Vec::with_capacity(own.len());
        for (column, of_result) in own.iter().zip(columns) {
            let collation: Collation = self.collation_of_column(of_result.id);
            let value = Expr::column(column.id, column.ty);
            let expr = self.collated(value, collation)?;
            if matches!(expr, Expr::Column { .. }) {
                keys.push(column.clone());
                continue;
            }
            let key = self.new_column("key", expr.ty(), column.nullable);
            keys.push(key.clone());
            projections.push(Projection { column: key, expr });
        }
        let plan = LogicalPlan::Project(Project {
            input: Box::new(plan),
            projections,
        });
        Ok((plan, keys))
    }
}
