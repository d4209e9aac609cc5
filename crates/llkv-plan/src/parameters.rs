//! Values in the place of parameters: in a statement as it was bound, or after it was optimized without them.

use crate::rules::simplify;
use crate::{PlanStatement, Projection, Returning, RowCheck, RowQuery};
use llkv_expr::Expr;
use llkv_types::Scalar;

impl PlanStatement {
    /// Calls `f` on each expression that may hold a parameter, the whole of it, for change in place. The
    /// programs of triggers have parameters of their own and are left alone.
    pub fn for_each_expr_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        match self {
            Self::Query(plan)
            | Self::CopyTo { source: plan, .. }
            | Self::CreateTable {
                source: Some(plan), ..
            } => plan.for_each_expr_within_mut(f),
            Self::Insert(insert) => {
                insert.source.for_each_expr_within_mut(f);
                of_checks(&mut insert.checks, f);
                of_returning(insert.returning.as_mut(), f);
                let update = insert.upsert.as_mut().and_then(|u| u.update.as_mut());
                if let Some(update) = update {
                    update.filter.iter_mut().for_each(&mut *f);
                    of_projections(&mut update.columns, f);
                    of_checks(&mut update.checks, f);
                    of_query(update.query.as_mut(), f);
                }
            }
            Self::Update(update) => {
                update.source.for_each_expr_within_mut(f);
                of_checks(&mut update.checks, f);
                of_returning(update.returning.as_mut(), f);
            }
            Self::Delete(delete) => {
                delete.source.for_each_expr_within_mut(f);
                of_returning(delete.returning.as_mut(), f);
            }
            Self::Merge(merge) => {
                merge.source.for_each_expr_within_mut(f);
                let arms = merge.arms.iter_mut();
                arms.flatten()
                    .for_each(|statement| statement.for_each_expr_mut(f));
            }
            Self::ChangeView(change) => change.source.for_each_expr_within_mut(f),
            Self::Explain { statement, .. } => statement.for_each_expr_mut(f),
            _ => {}
        }
    }

    /// Puts values in the place of parameters; what becomes constant by it is computed.
    pub fn set_parameters(&mut self, values: &[Scalar]) {
        self.for_each_expr_mut(&mut |expr| set_parameters(expr, values));
    }
}

/// Puts values, which are of the types that the places ask for, in the place of an expression's parameters,
/// and computes what becomes constant by it. A parameter without a value stays.
pub fn set_parameters(expr: &mut Expr, values: &[Scalar]) {
    if replace(expr, values) {
        simplify(expr);
    }
}

fn replace(expr: &mut Expr, values: &[Scalar]) -> bool {
    if let Expr::Parameter { index, .. } = expr {
        let value = values.get(*index);
        if let Some(value) = value {
            *expr = Expr::Literal(value.clone());
        }
        return value.is_some();
    }
    let mut replaced = false;
    expr.for_each_child_mut(&mut |child| replaced |= replace(child, values));
    replaced
}

fn of_returning(returning: Option<&mut Returning>, f: &mut dyn FnMut(&mut Expr)) {
    if let Some(returning) = returning {
        of_projections(&mut returning.columns, f);
        of_query(returning.query.as_mut(), f);
    }
}

fn of_query(query: Option<&mut RowQuery>, f: &mut dyn FnMut(&mut Expr)) {
    if let Some(query) = query {
        query.plan.for_each_expr_within_mut(f);
    }
}

fn of_checks(checks: &mut [RowCheck], f: &mut dyn FnMut(&mut Expr)) {
    for check in checks {
        f(&mut check.expr);
    }
}

fn of_projections(projections: &mut [Projection], f: &mut dyn FnMut(&mut Expr)) {
    for projection in projections {
        f(&mut projection.expr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llkv_expr::{BinaryOp, ColumnId};
    use llkv_types::SqlType;

    #[test]
    fn what_becomes_constant_is_computed() {
        let parameter = |index| Expr::Parameter {
            index,
            ty: SqlType::Int64,
        };
        let column = Expr::column(ColumnId(3), SqlType::Int64);
        let sum = Expr::binary(
            BinaryOp::Add,
            parameter(1),
            Expr::Literal(Scalar::Int64(100)),
            SqlType::Int64,
        );
        let mut expr = Expr::compare(BinaryOp::Lt, column.clone(), sum);
        set_parameters(&mut expr, &[Scalar::Int64(1), Scalar::Int64(7)]);
        let expected = Expr::compare(BinaryOp::Lt, column, Expr::Literal(Scalar::Int64(107)));
        assert_eq!(expr, expected);
        let mut open = parameter(4);
        set_parameters(&mut open, &[]);
        assert_eq!(open, parameter(4));
    }
}
