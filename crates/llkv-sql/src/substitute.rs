//! The places of a statement's parameters, and the values that go there.

use crate::binder::convert;
use llkv_expr::Expr;
use llkv_plan::PlanStatement;
use llkv_result::{BindError, Result};
use llkv_types::{Scalar, SqlType};
use std::borrow::Cow;

/// Values by place: those that were given, or new ones where one had to be converted.
pub(crate) type PlacedValues<'v> = Cow<'v, [Scalar]>;

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

    /// True where values may go to the places as they are: each of its place's type, in their order.
    fn take_as_given(&self, values: &[Scalar]) -> bool {
        let mut pairs = self.places.iter().zip(values).enumerate();
        self.places.len() == values.len()
            && pairs.all(|(at, ((index, ty), value))| *index == at && value.sql_type() == *ty)
    }

    /// The values by place, where each is the same in the type that the place asks for.
    pub(crate) fn exact_values<'v>(&self, values: &'v [Scalar]) -> Option<PlacedValues<'v>> {
        if self.take_as_given(values) {
            return Some(Cow::Borrowed(values));
        }
        // A loop with room made before: adaptors that stop early took a tenth of the time of a prepared INSERT.
        let mut converted = Vec::with_capacity(self.places.len());
        for (index, ty) in &self.places {
            converted.push(convert(values.get(*index)?, *ty)?);
        }
        Some(Cow::Owned(converted))
    }

    /// The values by place: each parameter's, cast to the type that the place asks for. None where that would make another
    /// number of one: the statement is another one with it.
    ///
    /// # Errors
    /// When a value cannot be cast.
    pub(crate) fn values<'v>(&self, values: &'v [Scalar]) -> Result<Option<PlacedValues<'v>>> {
        if self.take_as_given(values) {
            return Ok(Some(Cow::Borrowed(values)));
        }
        // A loop, as above.
        let mut converted = Vec::with_capacity(self.places.len());
        for (index, ty) in &self.places {
            let value = values.get(*index).ok_or(BindError::ParameterCount {
                expected: index + 1,
                given: values.len(),
            })?;
            converted.push(match convert(value, *ty) {
                Some(converted) => converted,
                None if is_exact(*ty) && value.sql_type().is_numeric() => {
                    match same_number(value, *ty) {
                        Some(converted) => converted,
                        None => return Ok(None),
                    }
                }
                None => llkv_compute::fold(&Expr::Literal(value.clone()).cast(*ty))?,
            });
        }
        Ok(Some(Cow::Owned(converted)))
    }
}

/// True for the types of numbers that round what does not fit them.
const fn is_exact(ty: SqlType) -> bool {
    ty.is_integer() || matches!(ty, SqlType::Decimal { .. })
}

/// The value in another type, if it is the same number there.
fn same_number(value: &Scalar, ty: SqlType) -> Option<Scalar> {
    let cast = |value: &Scalar, ty| llkv_compute::fold(&Expr::Literal(value.clone()).cast(ty)).ok();
    let converted = cast(value, ty)?;
    (cast(&converted, value.sql_type()).as_ref() == Some(value)).then_some(converted)
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
