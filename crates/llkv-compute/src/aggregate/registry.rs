//! The aggregate functions by their names: a registry of values, as the scalar functions are.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use llkv_expr::{AggregateFunction, Dialects};
use std::sync::LazyLock;

use AggregateFunction as F;

/// A name of an aggregate function, and what people are told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AggregateEntry {
    /// Name, lower case.
    pub name: &'static str,
    /// Other names, lower case.
    pub aliases: &'static [&'static str],
    /// What it computes.
    pub function: AggregateFunction,
    /// Its call as shown to people.
    pub usage: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// What follows SELECT in a query of one value, and that value as text. Each is run as a test, in the
    /// first of the function's dialects.
    pub example: (&'static str, &'static str),
    /// Where it goes by its name.
    pub dialects: Dialects,
    /// Of `(share) WITHIN GROUP (ORDER BY x)`: the order gives the values, the argument is a constant.
    pub ordered_set: bool,
}

/// The entry of a name or alias in lower case, as a dialect knows it.
///
/// ```
/// use llkv_compute::aggregate_in;
/// use llkv_expr::{AggregateFunction, Dialects};
///
/// let mean = aggregate_in(Dialects::DUCKDB, "mean").unwrap();
/// assert_eq!(mean.function, AggregateFunction::Avg);
/// assert!(aggregate_in(Dialects::LLKV, "lower").is_none());
/// ```
#[must_use]
pub fn aggregate_in(dialect: Dialects, name: &str) -> Option<&'static AggregateEntry> {
    let entry = NAMES.get(name).copied();
    entry.filter(|entry| entry.dialects.contains(dialect))
}

/// Each name and alias; no two dialects mean different functions by one.
static NAMES: LazyLock<HashMap<&'static str, &'static AggregateEntry, FixedState>> =
    LazyLock::new(|| {
        let all = |entry: &'static AggregateEntry| {
            let names = std::iter::once(entry.name).chain(entry.aliases.iter().copied());
            names.map(move |name| (name, entry))
        };
        ENTRIES.iter().flat_map(all).collect()
    });

/// Every entry.
pub fn aggregates() -> impl Iterator<Item = &'static AggregateEntry> {
    ENTRIES.iter()
}

const OTHERS: Dialects = Dialects::LLKV.or(Dialects::DUCKDB);

const fn entry(
    name: &'static str,
    function: AggregateFunction,
    usage: &'static str,
    description: &'static str,
    example: (&'static str, &'static str),
) -> AggregateEntry {
    AggregateEntry {
        name,
        aliases: &[],
        function,
        usage,
        description,
        example,
        dialects: Dialects::ALL,
        ordered_set: false,
    }
}

impl AggregateEntry {
    const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn only_in(mut self, dialects: Dialects) -> Self {
        self.dialects = dialects;
        self
    }

    const fn of_ordered_set(mut self) -> Self {
        self.ordered_set = true;
        self
    }
}

/// The names, those asked for most first.
static ENTRIES: &[AggregateEntry] = &[
    entry(
        "count",
        F::Count,
        "count(*), count(x)",
        "How many rows there are, or values that are not NULL.",
        ("count(x) FROM (VALUES (1), (NULL), (3)) t(x)", "2"),
    ),
    entry(
        "sum",
        F::Sum,
        "sum(x)",
        "The sum; NULL for no value.",
        ("sum(x) FROM (VALUES (1), (2), (3)) t(x)", "6"),
    ),
    entry(
        "min",
        F::Min,
        "min(x)",
        "The least value.",
        ("min(x) FROM (VALUES (2), (1), (3)) t(x)", "1"),
    ),
    entry(
        "max",
        F::Max,
        "max(x)",
        "The greatest value.",
        ("max(x) FROM (VALUES (2), (1), (3)) t(x)", "3"),
    ),
    entry(
        "avg",
        F::Avg,
        "avg(x)",
        "The mean, as DOUBLE.",
        ("avg(x) FROM (VALUES (1), (2)) t(x)", "1.5"),
    )
    .also(&["mean"]),
    entry(
        "total",
        F::Total,
        "total(x)",
        "The sum as DOUBLE; 0.0 for no value.",
        ("total(x) FROM (VALUES (1), (2)) t(x)", "3.0"),
    ),
    entry(
        "string_agg",
        F::StringAgg,
        "string_agg(text [, separator] [ORDER BY ...])",
        "The texts, one after another, with a separator between them.",
        ("string_agg(x, '-' ORDER BY x) FROM (VALUES ('b'), ('a')) t(x)", "a-b"),
    )
    .also(&["group_concat", "listagg"]),
    entry(
        "bool_and",
        F::BoolAnd,
        "bool_and(condition)",
        "Whether the condition is true of all rows in which it is not NULL.",
        ("bool_and(x > 1) FROM (VALUES (1), (2)) t(x)", "false"),
    )
    .also(&["every"])
    .only_in(OTHERS),
    entry(
        "bool_or",
        F::BoolOr,
        "bool_or(condition)",
        "Whether the condition is true of some row.",
        ("bool_or(x > 1) FROM (VALUES (1), (2)) t(x)", "true"),
    )
    .only_in(OTHERS),
    entry(
        "count_if",
        F::CountStar,
        "count_if(condition)",
        "How many rows the condition is true of.",
        ("count_if(x > 1) FROM (VALUES (1), (2), (3)) t(x)", "2"),
    )
    .also(&["countif"])
    .only_in(OTHERS),
    entry(
        "any_value",
        F::AnyValue,
        "any_value(x)",
        "Some value that is not NULL: the first that came.",
        ("any_value(x) FROM (VALUES (NULL), (2)) t(x)", "2"),
    ),
    entry(
        "first",
        F::First,
        "first(x [ORDER BY ...])",
        "The first value, NULL or not.",
        ("first(x ORDER BY x DESC) FROM (VALUES (1), (2)) t(x)", "2"),
    )
    .also(&["arbitrary"])
    .only_in(OTHERS),
    entry(
        "last",
        F::Last,
        "last(x [ORDER BY ...])",
        "The last value, NULL or not.",
        ("last(x ORDER BY x DESC) FROM (VALUES (1), (2)) t(x)", "1"),
    )
    .only_in(OTHERS),
    entry(
        "arg_min",
        F::ArgMin,
        "arg_min(x, y)",
        "The x beside the least y; rows with a NULL do not count.",
        ("arg_min(x, y) FROM (VALUES ('a', 2), ('b', 1)) t(x, y)", "b"),
    )
    .also(&["argmin", "min_by"])
    .only_in(OTHERS),
    entry(
        "arg_max",
        F::ArgMax,
        "arg_max(x, y)",
        "The x beside the greatest y; rows with a NULL do not count.",
        ("arg_max(x, y) FROM (VALUES ('a', 2), ('b', 1)) t(x, y)", "a"),
    )
    .also(&["argmax", "max_by"])
    .only_in(OTHERS),
    entry(
        "bit_and",
        F::BitAnd,
        "bit_and(x)",
        "The bits that all integers have.",
        ("bit_and(x) FROM (VALUES (5), (6)) t(x)", "4"),
    )
    .only_in(OTHERS),
    entry(
        "bit_or",
        F::BitOr,
        "bit_or(x)",
        "The bits that some integer has.",
        ("bit_or(x) FROM (VALUES (5), (6)) t(x)", "7"),
    )
    .only_in(OTHERS),
    entry(
        "bit_xor",
        F::BitXor,
        "bit_xor(x)",
        "The bits that an odd number of integers have.",
        ("bit_xor(x) FROM (VALUES (5), (6)) t(x)", "3"),
    )
    .only_in(OTHERS),
    entry(
        "product",
        F::Product,
        "product(x)",
        "The product, as DOUBLE.",
        ("product(x) FROM (VALUES (2), (3), (4)) t(x)", "24.0"),
    )
    .only_in(OTHERS),
    entry(
        "var_samp",
        F::VarSamp,
        "var_samp(x)",
        "The variance of a sample, as DOUBLE; NULL for fewer than two values.",
        ("var_samp(x) FROM (VALUES (1), (3)) t(x)", "2.0"),
    )
    .also(&["variance"])
    .only_in(OTHERS),
    entry(
        "var_pop",
        F::VarPop,
        "var_pop(x)",
        "The variance of all there is, as DOUBLE.",
        ("var_pop(x) FROM (VALUES (1), (3)) t(x)", "1.0"),
    )
    .only_in(OTHERS),
    entry(
        "stddev_samp",
        F::StddevSamp,
        "stddev_samp(x)",
        "The standard deviation of a sample, as DOUBLE; NULL for fewer than two values.",
        ("stddev_samp(x) FROM (VALUES (1), (5), (3)) t(x)", "2.0"),
    )
    .also(&["stddev"])
    .only_in(OTHERS),
    entry(
        "stddev_pop",
        F::StddevPop,
        "stddev_pop(x)",
        "The standard deviation of all there is, as DOUBLE.",
        ("stddev_pop(x) FROM (VALUES (1), (3)) t(x)", "1.0"),
    )
    .only_in(OTHERS),
    entry(
        "median",
        F::QuantileCont,
        "median(x)",
        "The value in the middle; between two values, their mean.",
        ("median(x) FROM (VALUES (1), (2), (10), (4)) t(x)", "3.0"),
    )
    .only_in(OTHERS),
    entry(
        "quantile_cont",
        F::QuantileCont,
        "quantile_cont(x, share)",
        "The value at a share, from 0 to 1, of the way through the ordered values, between two where it falls there.",
        ("quantile_cont(x, 0.25) FROM (VALUES (1), (2), (3), (4)) t(x)", "1.75"),
    )
    .only_in(OTHERS),
    entry(
        "quantile_disc",
        F::QuantileDisc,
        "quantile_disc(x, share)",
        "The first of the ordered values up to which there is so large a share, from 0 to 1, of them.",
        ("quantile_disc(x, 0.25) FROM (VALUES (1), (2), (3), (4)) t(x)", "1"),
    )
    .also(&["quantile"])
    .only_in(OTHERS),
    entry(
        "percentile_cont",
        F::QuantileCont,
        "percentile_cont(share) WITHIN GROUP (ORDER BY x)",
        "The value at a share of the way through the ordered values, between two where it falls there.",
        (
            "percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM (VALUES (1), (2)) t(x)",
            "1.5",
        ),
    )
    .only_in(OTHERS)
    .of_ordered_set(),
    entry(
        "percentile_disc",
        F::QuantileDisc,
        "percentile_disc(share) WITHIN GROUP (ORDER BY x)",
        "The first of the ordered values up to which there is so large a share of them.",
        (
            "percentile_disc(0.5) WITHIN GROUP (ORDER BY x DESC) FROM (VALUES (1), (2)) t(x)",
            "2",
        ),
    )
    .only_in(OTHERS)
    .of_ordered_set(),
    entry(
        "mode",
        F::Mode,
        "mode(x), mode() WITHIN GROUP (ORDER BY x)",
        "The most frequent value, the first in order of several.",
        ("mode(x) FROM (VALUES (2), (1), (2)) t(x)", "2"),
    )
    .only_in(OTHERS),
    entry(
        "approx_count_distinct",
        F::ApproxCountDistinct,
        "approx_count_distinct(x)",
        "About how many different values there are: exact up to some hundreds, within a few percent above.",
        ("approx_count_distinct(x) FROM (VALUES (1), (2), (1)) t(x)", "2"),
    )
    .only_in(OTHERS),
    entry(
        "covar_pop",
        F::CovarPop,
        "covar_pop(y, x)",
        "The covariance of all there is.",
        ("covar_pop(y, x) FROM (VALUES (1, 1), (3, 5)) t(y, x)", "2.0"),
    )
    .only_in(OTHERS),
    entry(
        "covar_samp",
        F::CovarSamp,
        "covar_samp(y, x)",
        "The covariance of a sample.",
        ("covar_samp(y, x) FROM (VALUES (1, 1), (3, 5)) t(y, x)", "4.0"),
    )
    .only_in(OTHERS),
    entry(
        "corr",
        F::Corr,
        "corr(y, x)",
        "The correlation, from -1 to 1; NULL where one of the columns has one value only.",
        ("corr(y, x) FROM (VALUES (1, 1), (3, 5)) t(y, x)", "1.0"),
    )
    .only_in(OTHERS),
    entry(
        "regr_count",
        F::RegrCount,
        "regr_count(y, x)",
        "How many rows have both values.",
        ("regr_count(y, x) FROM (VALUES (1, 1), (NULL, 5)) t(y, x)", "1"),
    )
    .only_in(OTHERS),
    entry(
        "regr_slope",
        F::RegrSlope,
        "regr_slope(y, x)",
        "The slope of the line that fits the points best.",
        ("regr_slope(y, x) FROM (VALUES (1, 1), (3, 5)) t(y, x)", "0.5"),
    )
    .only_in(OTHERS),
    entry(
        "regr_intercept",
        F::RegrIntercept,
        "regr_intercept(y, x)",
        "Where the line that fits the points best meets x = 0.",
        ("regr_intercept(y, x) FROM (VALUES (1, 1), (3, 5)) t(y, x)", "0.5"),
    )
    .only_in(OTHERS),
    entry(
        "regr_r2",
        F::RegrR2,
        "regr_r2(y, x)",
        "The square of the correlation.",
        ("regr_r2(y, x) FROM (VALUES (1, 1), (3, 5)) t(y, x)", "1.0"),
    )
    .only_in(OTHERS),
    entry(
        "regr_avgx",
        F::RegrAvgX,
        "regr_avgx(y, x)",
        "The mean of x in rows that have both values.",
        ("regr_avgx(y, x) FROM (VALUES (1, 1), (3, 5)) t(y, x)", "3.0"),
    )
    .only_in(OTHERS),
    entry(
        "regr_avgy",
        F::RegrAvgY,
        "regr_avgy(y, x)",
        "The mean of y in rows that have both values.",
        ("regr_avgy(y, x) FROM (VALUES (1, 1), (3, 5)) t(y, x)", "2.0"),
    )
    .only_in(OTHERS),
    entry(
        "regr_sxx",
        F::RegrSxx,
        "regr_sxx(y, x)",
        "The squared distances of x from its mean, added up.",
        ("regr_sxx(y, x) FROM (VALUES (1, 1), (3, 5)) t(y, x)", "8.0"),
    )
    .only_in(OTHERS),
    entry(
        "regr_syy",
        F::RegrSyy,
        "regr_syy(y, x)",
        "The squared distances of y from its mean, added up.",
        ("regr_syy(y, x) FROM (VALUES (1, 1), (3, 5)) t(y, x)", "2.0"),
    )
    .only_in(OTHERS),
    entry(
        "regr_sxy",
        F::RegrSxy,
        "regr_sxy(y, x)",
        "The products of the distances of x and y from their means, added up.",
        ("regr_sxy(y, x) FROM (VALUES (1, 1), (3, 5)) t(y, x)", "4.0"),
    )
    .only_in(OTHERS),
];
