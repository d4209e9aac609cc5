//! INTERVAL literals.

use super::Binder;
use llkv_expr::{BinaryOp, Expr};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use sqlparser::ast::{self, DateTimeField};

impl Binder<'_> {
    /// `INTERVAL '90' DAY`, `INTERVAL '1 year 2 days'`, `INTERVAL (n) HOUR`
    pub(super) fn bind_interval(
        &mut self,
        interval: &ast::Interval,
        node: &ast::Expr,
    ) -> Result<Expr> {
        if interval.last_field.is_some() {
            return self.unsupported("an INTERVAL of two fields (YEAR TO MONTH)", node);
        }
        let value = self.bind_expr(&interval.value)?;
        let Some(field) = &interval.leading_field else {
            return match value {
                Expr::Literal(Scalar::Text(_)) => Ok(value.cast(SqlType::Interval)),
                _ => self.invalid("INTERVAL takes text, or a number and a unit", node),
            };
        };
        let Some(unit) = unit_of(field) else {
            return self.invalid(format!("{field} is not a unit of time"), node);
        };
        match &value {
            Expr::Literal(Scalar::Text(text)) if is_number(text) => Ok(of_text(text.trim(), unit)),
            Expr::Literal(Scalar::Text(_)) => Ok(value.cast(SqlType::Interval)),
            Expr::Literal(scalar) if !scalar.is_null() && scalar.sql_type().is_numeric() => {
                Ok(of_text(&scalar.to_string(), unit))
            }
            _ => self.binary(BinaryOp::Multiply, of_text("1", unit), value, node),
        }
    }
}

fn of_text(number: &str, unit: &str) -> Expr {
    Expr::Literal(Scalar::Text(format!("{number} {unit}").into())).cast(SqlType::Interval)
}

fn is_number(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok()
}

const fn unit_of(field: &DateTimeField) -> Option<&'static str> {
    use DateTimeField as F;
    Some(match field {
        F::Year | F::Years => "year",
        F::Quarter => "quarter",
        F::Month | F::Months => "month",
        F::Week(_) | F::Weeks => "week",
        F::Day | F::Days => "day",
        F::Hour | F::Hours => "hour",
        F::Minute | F::Minutes => "minute",
        F::Second | F::Seconds => "second",
        F::Millisecond | F::Milliseconds => "millisecond",
        F::Microsecond | F::Microseconds => "microsecond",
        F::Decade => "decade",
        F::Century => "century",
        _ => return None,
    })
}
