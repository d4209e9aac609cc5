//! The places of a statement's parameters, and the values that go there.

use crate::binder::convert;
use llkv_expr::Expr;
use llkv_plan::PlanStatement;
use llkv_result::{BindError, Result};
use llkv_types::{Scalar, SqlType};

/// For each kind of place which parameter stands there, and the type that it asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    places: Vec<(usize, SqlType)>,
}

impl Places {
    /// The places of a statement, whose parameters are numbered by them from now on.
    pub(crate) fn of(statement: &mut PlanStatement) -> Self {
        let mut places = Vec::new();
        statement.for_each_expr_mut(&mut |expr| number(expr, &mut places));
        Self { places }
    }

    /// The values by place, where each is the same in the type that the place asks for.
    pub(crate) fn exact_values(&self, values: &[Scalar]) -> Option<Vec<Scalar>> {
        let places = self.places.iter();
        places
            .map(|(index, ty)| convert(values.get(*index)?, *ty))
            .collect()
    }

    /// The values by place: each parameter's, cast to the type that the place asks for.
    ///
    /// # Errors
    /// When a value cannot be cast.
    pub(crate) fn values(&self, values: &[Scalar]) -> Result<Vec<Scalar>> {
        let value = |(index, ty): &(usize, SqlType)| {
            let value = values.get(*index).ok_or(BindError::ParameterCount {
                expected: index + 1,
                given: values.len(),
            })?;
            match convert(value, *ty) {
                Some(converted) => Ok(converted),
                None => llkv_compute::fold(&Expr::Literal(value.clone()).cast(*ty)),
            }
        };
        self.places.iter().map(value).collect()
    }
}

fn number(expr: &mut Expr, places: &mut Vec<(usize, SqlType)>) {
    if let Expr::Parameter { index, ty } = expr {
        let known = places.iter().position(|place| *place == (*index, *ty));
        *index = known.unwrap_or_else(|| {
            places.push((*index, *ty));
            places.len() - 1
        });
        return;
    }
    expr.for_each_child_mut(&mut |child| number(child, places));
}
