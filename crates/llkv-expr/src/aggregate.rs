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
    /// `last(x)`: the last value of the group, NULL or not.
    Last,
    /// `arg_min(x, y)`: the x beside the least y; rows with NULL in one of them do not count.
    ArgMin,
    /// `arg_max(x, y)`
    ArgMax,
    /// `bit_and(x)`
    BitAnd,
    /// `bit_or(x)`
    BitOr,
    /// `bit_xor(x)`
    BitXor,
    /// `product(x)`
    Product,
    /// `var_pop(x)`
    VarPop,
    /// `var_samp(x)`
    VarSamp,
    /// `stddev_pop(x)`
    StddevPop,
    /// `stddev_samp(x)`
    StddevSamp,
    /// `covar_pop(y, x)`
    CovarPop,
    /// `covar_samp(y, x)`
    CovarSamp,
    /// `corr(y, x)`
    Corr,
    /// `regr_count(y, x)`: rows with both.
    RegrCount,
    /// `regr_avgx(y, x)`
    RegrAvgX,
    /// `regr_avgy(y, x)`
    RegrAvgY,
    /// `regr_sxx(y, x)`
    RegrSxx,
    /// `regr_syy(y, x)`
    RegrSyy,
    /// `regr_sxy(y, x)`
    RegrSxy,
    /// `regr_slope(y, x)`
    RegrSlope,
    /// `regr_intercept(y, x)`
    RegrIntercept,
    /// `regr_r2(y, x)`
    RegrR2,
    /// `quantile_cont(x, share)`. The share is a constant; so is the third argument, which says whether the
    /// order is descending.
    QuantileCont,
    /// `quantile_disc(x, share)`, as [`Self::QuantileCont`].
    QuantileDisc,
    /// `mode(x)`: the most frequent value, the first in order of several.
    Mode,
    /// `approx_count_distinct(x)`
    ApproxCountDistinct,
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
            Self::Last => "last",
            Self::ArgMin => "arg_min",
            Self::ArgMax => "arg_max",
            Self::BitAnd => "bit_and",
            Self::BitOr => "bit_or",
            Self::BitXor => "bit_xor",
            Self::Product => "product",
            Self::VarPop => "var_pop",
            Self::VarSamp => "var_samp",
            Self::StddevPop => "stddev_pop",
            Self::StddevSamp => "stddev_samp",
            Self::CovarPop => "covar_pop",
            Self::CovarSamp => "covar_samp",
            Self::Corr => "corr",
            Self::RegrCount => "regr_count",
            Self::RegrAvgX => "regr_avgx",
            Self::RegrAvgY => "regr_avgy",
            Self::RegrSxx => "regr_sxx",
            Self::RegrSyy => "regr_syy",
            Self::RegrSxy => "regr_sxy",
            Self::RegrSlope => "regr_slope",
            Self::RegrIntercept => "regr_intercept",
            Self::RegrR2 => "regr_r2",
            Self::QuantileCont => "quantile_cont",
            Self::QuantileDisc => "quantile_disc",
            Self::Mode => "mode",
            Self::ApproxCountDistinct => "approx_count_distinct",
        }
    }

    /// True where a group of no rows has the value 0 instead of NULL.
    #[must_use]
    pub const fn is_count(self) -> bool {
        matches!(
            self,
            Self::Count | Self::CountStar | Self::RegrCount | Self::ApproxCountDistinct
        )
    }

    /// True where the result depends on the order in which rows come.
    #[must_use]
    pub const fn depends_on_order(self) -> bool {
        matches!(
            self,
            Self::StringAgg
                | Self::First
                | Self::Last
                | Self::AnyValue
                | Self::ArgMin
                | Self::ArgMax
        )
    }

    /// True where equal values count as one in any case, so that DISTINCT changes nothing.
    #[must_use]
    pub const fn ignores_duplicates(self) -> bool {
        matches!(
            self,
            Self::Min
                | Self::Max
                | Self::BoolAnd
                | Self::BoolOr
                | Self::BitAnd
                | Self::BitOr
                | Self::AnyValue
                | Self::First
                | Self::Last
                | Self::ArgMin
                | Self::ArgMax
                | Self::ApproxCountDistinct
        )
    }

    /// True for the functions of two columns (y, x).
    #[must_use]
    pub const fn takes_pairs(self) -> bool {
        matches!(
            self,
            Self::CovarPop
                | Self::CovarSamp
                | Self::Corr
                | Self::RegrCount
                | Self::RegrAvgX
                | Self::RegrAvgY
                | Self::RegrSxx
                | Self::RegrSyy
                | Self::RegrSxy
                | Self::RegrSlope
                | Self::RegrIntercept
                | Self::RegrR2
        )
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
