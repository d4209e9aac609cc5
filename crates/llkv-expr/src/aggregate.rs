//! Aggregate calls.

use crate::{Expr, SortKey};
use llkv_types::SqlType;
use std::fmt;

/// The aggregate functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AggregateFunction {
    /// `count(*)`: rows. No argument.
    CountStar,
    /// `count(x)`: values that are not NULL.
    Count,
    /// `sum(x)`: NULL for no value. An error where the result does not fit its type.
    Sum,
    /// `total(x)`: SQLite's sum, always DOUBLE, 0.0 for no value.
    Total,
    /// `min(x)`
    Min,
    /// `max(x)`
    Max,
    /// `avg(x)`
    Avg,
    /// `string_agg(x, separator)`, `group_concat`. Second argument: a constant separator.
    StringAgg,
    /// `any_value(x)`: some value of the group, the first that is not NULL.
    AnyValue,
    /// The first value of the group, NULL or not: a bare column beside aggregates.
    First,
    /// `bool_and(x)`, `every`
    BoolAnd,
    /// `bool_or(x)`
    BoolOr,
}

impl AggregateFunction {
    /// Its SQL name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CountStar | Self::Count => "count",
            Self::Sum => "sum",
            Self::Total => "total",
            Self::Min => "min",
            Self::Max => "max",
            Self::Avg => "avg",
            Self::StringAgg => "string_agg",
            Self::AnyValue => "any_value",
            Self::First => "first",
            Self::BoolAnd => "bool_and",
            Self::BoolOr => "bool_or",
        }
    }
}

/// A call of an aggregate function.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateExpr {
    /// Function.
    pub function: AggregateFunction,
    /// Arguments.
    pub args: Vec<Expr>,
    /// DISTINCT: each value once.
    pub distinct: bool,
    /// FILTER (WHERE ...): rows that count.
    pub filter: Option<Expr>,
    /// ORDER BY within the call, for the functions whose result depends on order.
    pub order_by: Vec<SortKey>,
    /// Type of the result.
    pub ty: SqlType,
}

impl fmt::Display for AggregateExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function.name())?;
        if self.distinct {
            f.write_str("DISTINCT ")?;
        }
        if self.function == AggregateFunction::CountStar {
            f.write_str("*")?;
        }
        for (i, arg) in self.args.iter().enumerate() {
            write!(f, "{}{arg}", if i == 0 { "" } else { ", " })?;
        }
        for (i, key) in self.order_by.iter().enumerate() {
            write!(f, "{}{key}", if i == 0 { " ORDER BY " } else { ", " })?;
        }
        f.write_str(")")?;
        if let Some(filter) = &self.filter {
            write!(f, " FILTER (WHERE {filter})")?;
        }
        Ok(())
    }
}
