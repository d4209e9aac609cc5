//! Values in the place of parameters.

use crate::binder::convert;
use llkv_expr::Expr;
use llkv_plan::{LogicalPlan, PlanStatement, Projection, Returning, RowQuery};
use llkv_result::{BindError, Error, Result};
use llkv_types::Scalar;

/// The statement with each parameter replaced by its value, cast to the type that its place asks for.
pub(crate) fn substitute(mut statement: PlanStatement, values: &[Scalar]) -> Result<PlanStatement> {
    let mut substitution = Substitution {
        values,
        result: Ok(()),
    };
    substitution.statement(&mut statement);
    substitution.result.map(|()| statement)
}

struct Substitution<'v> {
    values: &'v [Scalar],
    result: Result<()>,
}

impl Substitution<'_> {
    fn statement(&mut self, statement: &mut PlanStatement) {
        match statement {
            PlanStatement::Query(plan)
            | PlanStatement::CopyTo { source: plan, .. }
            | PlanStatement::CreateTable {
                source: Some(plan), ..
            } => self.plan(plan),
            PlanStatement::Insert(insert) => {
                self.plan(&mut insert.source);
                self.returning(insert.returning.as_mut());
                let update = insert.upsert.as_mut().and_then(|u| u.update.as_mut());
                if let Some(update) = update {
                    update.filter.iter_mut().for_each(|e| self.expr(e));
                    self.projections(&mut update.columns);
                    self.row_query(update.query.as_mut());
                }
            }
            PlanStatement::Update(update) => {
                self.plan(&mut update.source);
                self.returning(update.returning.as_mut());
            }
            PlanStatement::Delete(delete) => {
                self.plan(&mut delete.source);
                self.returning(delete.returning.as_mut());
            }
            PlanStatement::Explain { statement, .. } => self.statement(statement),
            _ => {}
        }
    }

    fn returning(&mut self, returning: Option<&mut Returning>) {
        if let Some(returning) = returning {
            self.projections(&mut returning.columns);
            self.row_query(returning.query.as_mut());
        }
    }

    fn row_query(&mut self, query: Option<&mut RowQuery>) {
        if let Some(query) = query {
            self.plan(&mut query.plan);
        }
    }

    fn projections(&mut self, projections: &mut [Projection]) {
        for projection in projections {
            self.expr(&mut projection.expr);
        }
    }

    fn plan(&mut self, plan: &mut LogicalPlan) {
        plan.for_each_expr_mut(&mut |expr| self.expr(expr));
        let ended = plan.try_for_each_input_mut(&mut |input| {
            self.plan(input);
            Ok::<(), std::convert::Infallible>(())
        });
        match ended {
            Ok(()) => {}
        }
    }

    fn expr(&mut self, expr: &mut Expr) {
        if let Expr::Parameter { index, ty } = expr {
            match self.value(*index, *ty) {
                Ok(scalar) => *expr = Expr::Literal(scalar),
                Err(error) => {
                    if self.result.is_ok() {
                        self.result = Err(error);
                    }
                }
            }
            return;
        }
        expr.for_each_child_mut(&mut |child| self.expr(child));
    }

    fn value(&self, index: usize, ty: llkv_types::SqlType) -> Result<Scalar, Error> {
        let Some(value) = self.values.get(index) else {
            return Err(BindError::ParameterCount {
                expected: index + 1,
                given: self.values.len(),
            }
            .into());
        };
        match convert(value, ty) {
            Some(converted) => Ok(converted),
            None => llkv_compute::fold(&Expr::Literal(value.clone()).cast(ty)),
        }
    }
}
