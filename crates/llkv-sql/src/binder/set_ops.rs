//! UNION, EXCEPT, INTERSECT.

use super::{Binder, MAX_DEPTH, too_complex};
use llkv_compute::coercion::common_type;
use llkv_expr::Expr;
use llkv_plan::{
    Distinct, LogicalPlan, PlanColumn, Project, Projection, SetOp, SetOpKind, UnionAll,
};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use sqlparser::ast::{SetExpr, SetOperator, SetQuantifier};

impl Binder<'_> {
    /// A chain of set operations, walked down its left spine: a chain of the same kind of UNION is one
    /// node with many inputs.
    pub(super) fn bind_set_operation(&mut self, body: &SetExpr) -> Result<LogicalPlan> {
        let mut spine = Vec::new();
        let mut node = body;
        while let SetExpr::SetOperation {
            left,
            op,
            set_quantifier,
            right,
        } = node
        {
            let mut first = right.as_ref();
            // What the parser has put under this operation for INTERSECT's sake comes after it.
            while self.dialect.set_operations_bind_alike()
                && let SetExpr::SetOperation {
                    left,
                    op,
                    set_quantifier,
                    right,
                } = first
            {
                spine.push((*op, *set_quantifier, right.as_ref()));
                first = left;
            }
            spine.push((*op, *set_quantifier, first));
            node = left;
        }
        let mut result = self.bind_set_expr(node)?;
        let mut levels = 0;
        while let Some((op, quantifier, right)) = spine.pop() {
            let all = self.is_all(quantifier, right)?;
            if op == SetOperator::Union {
                let mut inputs = vec![result, self.bind_set_expr(right)?];
                while let Some((SetOperator::Union, next, right)) = spine.last().copied() {
                    if self.is_all(next, right)? != all {
                        break;
                    }
                    inputs.push(self.bind_set_expr(right)?);
                    spine.pop();
                }
                result = self.union(inputs, all, body)?;
            } else {
                let right = self.bind_set_expr(right)?;
                result = self.set_op(op, all, result, right, body)?;
            }
            levels += 1;
            if self.depth + levels > MAX_DEPTH {
                return Err(too_complex("a chain of set operations", MAX_DEPTH));
            }
        }
        Ok(result)
    }

    fn is_all(&self, quantifier: SetQuantifier, node: &SetExpr) -> Result<bool> {
        match quantifier {
            SetQuantifier::All => Ok(true),
            SetQuantifier::Distinct | SetQuantifier::None => Ok(false),
            _ => self.unsupported("UNION BY NAME", node),
        }
    }

    fn union(
        &mut self,
        mut inputs: Vec<LogicalPlan>,
        all: bool,
        node: &SetExpr,
    ) -> Result<LogicalPlan> {
        let columns = self.unify_inputs(&mut inputs, node)?;
        let is_collated = !all && self.are_collated(&columns);
        let union = LogicalPlan::UnionAll(UnionAll {
            inputs,
            columns: columns.clone(),
        });
        if is_collated {
            return self.distinct_by_keys(union, &columns);
        }
        Ok(if all {
            union
        } else {
            LogicalPlan::Distinct(Distinct {
                input: Box::new(union),
            })
        })
    }

    fn set_op(
        &mut self,
        op: SetOperator,
        all: bool,
        left: LogicalPlan,
        right: LogicalPlan,
        node: &SetExpr,
    ) -> Result<LogicalPlan> {
        let kind = match op {
            SetOperator::Intersect => SetOpKind::Intersect,
            _ => SetOpKind::Except,
        };
        let mut inputs = vec![left, right];
        let columns = self.unify_inputs(&mut inputs, node)?;
        match (inputs.pop(), inputs.pop()) {
            (Some(right), Some(left)) if self.are_collated(&columns) => match all {
                true => self.unsupported("EXCEPT ALL or INTERSECT ALL of a collation", node),
                false => self.set_op_by_keys(kind, left, right, &columns),
            },
            (Some(right), Some(left)) => Ok(LogicalPlan::SetOp(SetOp {
                kind,
                all,
                left: Box::new(left),
                right: Box::new(right),
                columns,
            })),
            _ => self.invalid("a set operation without sides", node),
        }
    }

    /// Casts the inputs to common types; gives the columns of the result.
    pub(super) fn unify_inputs(
        &mut self,
        inputs: &mut [LogicalPlan],
        node: &SetExpr,
    ) -> Result<Vec<PlanColumn>> {
        let all: Vec<Vec<PlanColumn>> = inputs.iter().map(LogicalPlan::columns).collect();
        let Some(first) = all.first() else {
            return Ok(vec![]);
        };
        if let Some(other) = all.iter().find(|columns| columns.len() != first.len()) {
            return self.invalid(
                format!(
                    "each side of a set operation must have as many columns: {} and {}",
                    first.len(),
                    other.len()
                ),
                node,
            );
        }
        let mut columns = Vec::with_capacity(first.len());
        for (position, column) in first.iter().enumerate() {
            // Literals in quotes take the type of what they stand beside.
            let literals: Vec<bool> = inputs
                .iter()
                .map(|input| self.is_open_column(input, position))
                .collect();
            let takes_type = literals.iter().any(|open| !open);
            let mut ty = SqlType::Null;
            let mut nullable = false;
            let of_inputs = all.iter().filter_map(|columns| columns.get(position));
            for (own, is_literal) in of_inputs.zip(literals) {
                nullable |= own.nullable;
                if is_literal && takes_type {
                    continue;
                }
                let has_text = [ty, own.ty].contains(&SqlType::Text);
                let common = match self.dialect {
                    crate::SqlDialect::Sqlite => Some(self.unify_types([ty, own.ty])),
                    crate::SqlDialect::DuckDb if has_text => Some(SqlType::Text),
                    _ => common_type(ty, own.ty),
                };
                ty = match common {
                    Some(ty) => ty,
                    None => {
                        return self.mismatch(
                            format!("column {}: {ty} and {} do not meet", position + 1, own.ty),
                            node,
                        );
                    }
                };
            }
            let ty = if ty == SqlType::Null {
                SqlType::Text
            } else {
                ty
            };
            let new = self.new_column(column.name.clone(), ty, nullable);
            let affinity = self.column_affinity(column.id);
            if all
                .iter()
                .filter_map(|columns| columns.get(position))
                .all(|own| self.column_affinity(own.id) == affinity)
            {
                self.set_affinity(new.id, affinity);
            }
            let of_inputs = all.iter().filter_map(|columns| columns.get(position));
            self.set_collated_of(new.id, of_inputs.map(|own| own.id));
            columns.push(new);
        }
        let types: Vec<SqlType> = columns.iter().map(|column| column.ty).collect();
        for input in inputs.iter_mut() {
            let plan = std::mem::replace(input, LogicalPlan::one_row());
            *input = self.cast_columns(plan, &types);
        }
        Ok(columns)
    }

    /// True for a column of literals in quotes alone.
    fn is_open_column(&self, plan: &LogicalPlan, position: usize) -> bool {
        let LogicalPlan::Project(project) = plan else {
            return false;
        };
        let projection = project.projections.get(position);
        let is_text = |p: &Projection| matches!(p.expr.as_literal(), Some(Scalar::Text(_)));
        self.dialect == crate::SqlDialect::Llkv && projection.is_some_and(is_text)
    }

    /// The plan with its columns cast to `types`, by position.
    pub(super) fn cast_columns(&mut self, plan: LogicalPlan, types: &[SqlType]) -> LogicalPlan {
        let columns = plan.columns();
        if columns
            .iter()
            .zip(types)
            .all(|(column, ty)| column.ty == *ty)
        {
            return plan;
        }
        let projections = columns
            .into_iter()
            .zip(types)
            .map(|(column, ty)| {
                if column.ty == *ty {
                    return Projection {
                        expr: Expr::column(column.id, column.ty),
                        column,
                    };
                }
                let expr = match column.ty {
                    SqlType::Null => Expr::Literal(Scalar::Null(*ty)),
                    own => Expr::column(column.id, own).cast(*ty),
                };
                Projection {
                    column: self.new_column(column.name, *ty, column.nullable),
                    expr,
                }
            })
            .collect();
        LogicalPlan::Project(Project {
            input: Box::new(plan),
            projections,
        })
    }
}
