//! Cardinalities: how many rows a plan is expected to give, and what is expected of its columns.
//!
//! The model is the classical one of System R: uniform values, independent predicates, and keys of
//! the side with fewer distinct values contained in those of the other; conditions on several
//! columns of one pair of relations are damped, since they rarely are independent.

mod selectivity;

use crate::{
    Aggregate, CatalogView, ColumnStatistics, IndexInfo, Join, JoinKind, LogicalPlan, Scan,
    SeriesColumn, SetOpKind, TableStatistics,
};
use hashbrown::HashMap;
use llkv_expr::{ColumnId, Expr};
use llkv_types::calendar::MICROS_PER_DAY;
use llkv_types::{Scalar, SqlType, TableId};
use std::cell::RefCell;
use std::sync::Arc;

pub use selectivity::selectivity;
pub(crate) use selectivity::{apply_predicates, expr_distinct};

/// Rows that an external source is taken to have where it does not say.
const UNKNOWN_ROWS: f64 = 10_000.0;

/// Values of a series whose bounds are computed.
const UNKNOWN_SERIES: f64 = 10.0;

/// Rounds that a recursion is taken to have.
const ROUNDS: f64 = 10.0;

/// What is expected of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColumnEstimate {
    /// Distinct values, at least 1.
    pub distinct: f64,
    /// Lower bound, for types with a place on the number line.
    pub min: Option<f64>,
    /// Upper bound.
    pub max: Option<f64>,
    /// Part of the rows in which it is NULL: 0 to 1.
    pub null_fraction: f64,
}

impl ColumnEstimate {
    /// A column of which nothing is known but the rows it is in.
    #[must_use]
    pub fn unknown(rows: f64) -> Self {
        Self {
            distinct: rows.max(1.0),
            min: None,
            max: None,
            null_fraction: 0.0,
        }
    }

    fn constant(value: &Scalar) -> Self {
        let number = scalar_number(value);
        Self {
            distinct: 1.0,
            min: number,
            max: number,
            null_fraction: if value.is_null() { 1.0 } else { 0.0 },
        }
    }
}

/// What is expected of a relation.
#[derive(Debug, Clone, Default)]
pub struct Estimate {
    /// Rows; never negative, may be below 1.
    pub rows: f64,
    /// Its columns. What is missing is unknown.
    pub columns: HashMap<ColumnId, ColumnEstimate>,
}

impl Estimate {
    /// What is expected of a column.
    #[must_use]
    pub fn column(&self, id: ColumnId) -> ColumnEstimate {
        self.columns
            .get(&id)
            .copied()
            .unwrap_or_else(|| ColumnEstimate::unknown(self.rows))
    }

    /// The same columns in fewer or more rows: no column has more values than there are rows.
    pub(crate) fn with_rows(mut self, rows: f64) -> Self {
        self.rows = rows.max(0.0);
        for column in self.columns.values_mut() {
            column.distinct = column.distinct.min(self.rows).max(1.0);
        }
        self
    }
}

/// Estimates plans on the statistics of a catalog; statistics are fetched once a table.
pub struct Estimator<'a> {
    catalog: &'a dyn CatalogView,
    tables: RefCell<HashMap<TableId, Arc<TableStatistics>>>,
}

impl<'a> Estimator<'a> {
    /// Over a catalog.
    #[must_use]
    pub fn new(catalog: &'a dyn CatalogView) -> Self {
        Self {
            catalog,
            tables: RefCell::new(HashMap::new()),
        }
    }

    /// The indexes of a table.
    #[must_use]
    pub fn indexes(&self, table: TableId) -> Vec<IndexInfo> {
        self.catalog.indexes(table)
    }

    /// The rows of a table.
    #[must_use]
    pub fn rows_of_table(&self, table: TableId) -> f64 {
        self.statistics(table).rows as f64
    }

    fn statistics(&self, table: TableId) -> Arc<TableStatistics> {
        self.tables
            .borrow_mut()
            .entry(table)
            .or_insert_with(|| Arc::new(self.catalog.statistics(table)))
            .clone()
    }

    /// Estimates a plan.
    #[must_use]
    pub fn of(&self, plan: &LogicalPlan) -> Estimate {
        let mut inputs = Vec::new();
        plan.for_each_input(&mut |input| inputs.push(self.of(input)));
        self.of_node(plan, &inputs)
    }

    /// Estimates a node whose inputs are estimated already.
    #[must_use]
    pub fn of_node(&self, plan: &LogicalPlan, inputs: &[Estimate]) -> Estimate {
        let first = || inputs.first().cloned().unwrap_or_default();
        match plan {
            LogicalPlan::Scan(n) => self.scan(n),
            LogicalPlan::External(n) => Estimate {
                rows: n.source.estimated_rows().map_or(UNKNOWN_ROWS, |r| r as f64),
                columns: HashMap::new(),
            },
            LogicalPlan::Values(n) => Estimate {
                rows: n.batches.iter().map(|b| b.num_rows() as f64).sum(),
                columns: HashMap::new(),
            },
            LogicalPlan::Filter(n) => apply_predicates(first(), n.predicate.conjuncts()),
            LogicalPlan::Project(n) => {
                let input = first();
                let columns = n
                    .projections
                    .iter()
                    .map(|p| (p.column.id, expr_estimate(&p.expr, &input)))
                    .collect();
                Estimate {
                    rows: input.rows,
                    columns,
                }
            }
            LogicalPlan::Join(n) => match inputs {
                [left, right] => self.join_of(n, left, right),
                _ => first(),
            },
            LogicalPlan::Apply(_) => match inputs {
                [outer, inner] => {
                    let mut estimate = outer.clone();
                    estimate.columns.extend(inner.columns.clone());
                    estimate
                }
                _ => first(),
            },
            LogicalPlan::Aggregate(n) => aggregate(n, &first()),
            LogicalPlan::Distinct(n) => {
                let input = first();
                let mut ids = Vec::new();
                n.input.for_each_column(&mut |c| ids.push(c.id));
                let values = ids.iter().map(|id| input.column(*id).distinct);
                let rows = group_count(values, input.rows);
                input.with_rows(rows)
            }
            LogicalPlan::Sort(n) => {
                let input = first();
                let rows = n.fetch.map_or(input.rows, |f| input.rows.min(f as f64));
                input.with_rows(rows)
            }
            LogicalPlan::Limit(n) => {
                let input = first();
                let left = (input.rows - n.skip as f64).max(0.0);
                let rows = n.fetch.map_or(left, |f| left.min(f as f64));
                input.with_rows(rows)
            }
            // Functions of a window are columns of which nothing is known.
            LogicalPlan::Window(_) | LogicalPlan::Shared(_) => first(),
            LogicalPlan::Expand(n) => {
                let mut input = first();
                for key in &n.keys {
                    let values = expr_estimate(&key.expr, &input);
                    input.columns.insert(key.column.id, values);
                }
                input.rows *= n.sets.len() as f64;
                input
            }
            LogicalPlan::Series(n) => {
                let input = first();
                let rows = input.rows * n.series.iter().map(series_rows).fold(1.0, f64::max);
                input.with_rows(rows)
            }
            LogicalPlan::Recursive(_) => Estimate {
                rows: inputs
                    .first()
                    .map_or(UNKNOWN_ROWS, |base| base.rows * ROUNDS),
                columns: HashMap::new(),
            },
            LogicalPlan::WorkingTable(_) => Estimate {
                rows: UNKNOWN_ROWS,
                columns: HashMap::new(),
            },
            LogicalPlan::UnionAll(_) => Estimate {
                rows: inputs.iter().map(|i| i.rows).sum(),
                columns: HashMap::new(),
            },
            LogicalPlan::SetOp(n) => {
                let left = inputs.first().map_or(0.0, |i| i.rows);
                let right = inputs.get(1).map_or(0.0, |i| i.rows);
                let rows = match n.kind {
                    SetOpKind::Except => left * 0.5,
                    SetOpKind::Intersect => left.min(right) * 0.5,
                };
                Estimate {
                    rows,
                    columns: HashMap::new(),
                }
            }
        }
    }

    /// Estimates a join whose inputs are estimated already.
    #[must_use]
    pub fn join_of(&self, n: &Join, left: &Estimate, right: &Estimate) -> Estimate {
        join(n, left, right)
    }

    fn scan(&self, scan: &Scan) -> Estimate {
        let statistics = self.statistics(scan.table);
        let rows = statistics.rows as f64;
        let columns = scan
            .columns
            .iter()
            .map(|(field, column)| {
                let known = statistics.columns.iter().find(|(f, _)| f == field);
                (
                    column.id,
                    from_statistics(known.map(|k| &k.1), column.ty, rows),
                )
            })
            .collect();
        apply_predicates(Estimate { rows, columns }, &scan.predicates)
    }
}

fn from_statistics(
    statistics: Option<&ColumnStatistics>,
    ty: SqlType,
    rows: f64,
) -> ColumnEstimate {
    let Some(statistics) = statistics else {
        return ColumnEstimate::unknown(rows);
    };
    let min = statistics.min.as_ref().and_then(scalar_number);
    let max = statistics.max.as_ref().and_then(scalar_number);
    let mut distinct = statistics.distinct_count.map_or(rows, |d| d as f64);
    if let (true, Some(min), Some(max)) = (ty.is_integer() || ty == SqlType::Date, min, max) {
        distinct = distinct.min(max - min + 1.0);
    }
    ColumnEstimate {
        distinct: distinct.min(rows).max(1.0),
        min,
        max,
        null_fraction: statistics
            .null_count
            .map_or(0.0, |n| (n as f64 / rows.max(1.0)).min(1.0)),
    }
}

/// What is expected of a computed value.
pub(crate) fn expr_estimate(expr: &Expr, input: &Estimate) -> ColumnEstimate {
    match expr {
        Expr::Column { id, .. } => input.column(*id),
        Expr::Literal(value) => ColumnEstimate::constant(value),
        Expr::Cast { expr, .. } => expr_estimate(expr, input),
        other => ColumnEstimate {
            distinct: expr_distinct(other, input),
            min: None,
            max: None,
            null_fraction: 0.0,
        },
    }
}

/// Combinations of group keys, at most the rows.
fn group_count(distinct: impl Iterator<Item = f64>, rows: f64) -> f64 {
    distinct.product::<f64>().min(rows).max(rows.min(1.0))
}

fn aggregate(n: &Aggregate, input: &Estimate) -> Estimate {
    let keys: Vec<_> = n
        .groups
        .iter()
        .map(|g| (g.column.id, expr_estimate(&g.expr, input)))
        .collect();
    let rows = if keys.is_empty() {
        1.0
    } else {
        group_count(keys.iter().map(|(_, k)| k.distinct), input.rows)
    };
    Estimate {
        rows,
        columns: keys.into_iter().collect(),
    }
    .with_rows(rows)
}

/// The part of all pairs that agree in the keys.
pub(crate) fn key_selectivity(
    keys: &mut dyn Iterator<Item = (f64, f64)>,
    left_rows: f64,
    right_rows: f64,
) -> f64 {
    let (mut product, mut left, mut right, mut count) = (1.0f64, 1.0f64, 1.0f64, 0);
    for (l, r) in keys {
        product /= l.max(r).max(1.0);
        left *= l;
        right *= r;
        count += 1;
    }
    if count < 2 {
        return product;
    }
    // A composite key: neither side has more combinations than rows, and the side with fewer is
    // taken to be the key that the other refers to.
    let combinations = left.min(left_rows).min(right.min(right_rows)).max(1.0);
    product.max(1.0 / combinations)
}

fn join(n: &Join, left: &Estimate, right: &Estimate) -> Estimate {
    let keys: Vec<(f64, f64)> =
        n.on.iter()
            .map(|(l, r)| (expr_distinct(l, left), expr_distinct(r, right)))
            .collect();
    let equal = key_selectivity(&mut keys.iter().copied(), left.rows, right.rows);
    let mut both = left.clone();
    both.columns
        .extend(right.columns.iter().map(|(k, v)| (*k, *v)));
    let filter = n.filter.as_ref().map_or(1.0, |f| selectivity(f, &both));
    let inner = left.rows * right.rows * equal * filter;
    let matched = if keys.is_empty() {
        (right.rows * filter).min(1.0)
    } else {
        let part = keys.iter().map(|(l, r)| (r / l).min(1.0)).product::<f64>();
        part.min((right.rows * equal * filter * left.rows).min(1.0)) * filter.max(0.5)
    };
    let rows = match n.kind {
        JoinKind::Inner => inner,
        JoinKind::Left => inner.max(left.rows),
        JoinKind::Right => inner.max(right.rows),
        JoinKind::Full => inner.max(left.rows).max(right.rows),
        JoinKind::Semi => left.rows * matched,
        JoinKind::Anti | JoinKind::NullAwareAnti => left.rows * (1.0 - matched).max(0.1),
        JoinKind::Mark | JoinKind::Single | JoinKind::Group => left.rows,
    };
    if matches!(
        n.kind,
        JoinKind::Semi
            | JoinKind::Anti
            | JoinKind::NullAwareAnti
            | JoinKind::Mark
            | JoinKind::Group
    ) {
        return left.clone().with_rows(rows);
    }
    both.with_rows(rows)
}

/// Where a value lies on the number line; text by its first bytes. None for NULL and other types.
pub(crate) fn scalar_number(value: &Scalar) -> Option<f64> {
    Some(match value {
        Scalar::Boolean(v) => f64::from(u8::from(*v)),
        Scalar::Int8(v) => f64::from(*v),
        Scalar::Int16(v) => f64::from(*v),
        Scalar::Int32(v) | Scalar::Date(v) => f64::from(*v),
        Scalar::Int64(v) | Scalar::Time(v) | Scalar::Timestamp(v) | Scalar::TimestampTz(v) => {
            *v as f64
        }
        Scalar::UInt8(v) => f64::from(*v),
        Scalar::UInt16(v) => f64::from(*v),
        Scalar::UInt32(v) => f64::from(*v),
        Scalar::UInt64(v) => *v as f64,
        Scalar::Float32(v) => f64::from(*v),
        Scalar::Float64(v) => *v,
        Scalar::Decimal { value, scale, .. } => *value as f64 / 10f64.powi(i32::from(*scale)),
        Scalar::Text(text) => text
            .bytes()
            .chain(std::iter::repeat(0))
            .take(6)
            .fold(0.0, |number, byte| number * 256.0 + f64::from(byte)),
        _ => return None,
    })
}

/// How many values a series of constants has.
fn series_rows(series: &SeriesColumn) -> f64 {
    let number = |expr: &Expr| match expr.as_literal()? {
        Scalar::Int64(value) | Scalar::Timestamp(value) | Scalar::TimestampTz(value) => {
            Some(*value as f64)
        }
        Scalar::Interval(step) => {
            let days = f64::from(step.months) * 30.0 + f64::from(step.days);
            Some(days * MICROS_PER_DAY as f64 + step.nanoseconds as f64 / 1_000.0)
        }
        _ => None,
    };
    let [start, stop, step] = series.exprs().map(number);
    match (start, stop, step) {
        (Some(start), Some(stop), Some(step)) if step != 0.0 => {
            ((stop - start) / step + 1.0).floor().max(0.0)
        }
        _ => UNKNOWN_SERIES,
    }
}
