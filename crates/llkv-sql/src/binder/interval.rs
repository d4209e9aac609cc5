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
        let value = self.bind_expr(&interval.value)?;
        if let (Some(first), Some(last)) = (&interval.leading_field, &interval.last_field) {
            return self.interval_of_fields(value, (first, last), node);
        }
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

impl Binder<'_> {
    /// `INTERVAL '1-2' YEAR TO MONTH`, `INTERVAL '3 4:05:06' DAY TO SECOND`: the text has all of the fields.
    fn interval_of_fields(
        &self,
        value: Expr,
        (first, last): (&DateTimeField, &DateTimeField),
        node: &ast::Expr,
    ) -> Result<Expr> {
        use DateTimeField as F;
        let Expr::Literal(Scalar::Text(text)) = &value else {
            return self.invalid("an INTERVAL of two fields is written as text", node);
        };
        let minutes = match (first, last) {
            (F::Year, F::Month)
            | (F::Day | F::Hour, F::Second)
            | (F::Day, F::Minute)
            | (F::Hour, F::Minute) => false,
            (F::Minute, F::Second) => text.matches(':').count() == 1,
            _ => {
                return self.unsupported(format!("an INTERVAL {first} TO {last}"), node);
            }
        };
        let text = match (minutes, text.strip_prefix('-')) {
            (false, _) => text.to_string(),
            (true, None) => format!("0:{text}"),
            (true, Some(text)) => format!("-0:{text}"),
        };
        Ok(Expr::Literal(Scalar::Text(text.into())).cast(SqlType::Interval))
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
