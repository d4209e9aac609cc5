//! The general method: a subquery for all values at once that the outer rows put into it.
//!
//! `D` is the set of different values of the correlated columns. [`evaluate`] gives the rows of
//! the subquery for each `d` of `D`, each with its `d` beside it.

use super::first_row::per_row;
use crate::analysis::aggregate_of_no_rows;
use crate::column_set::ColumnSet;
use crate::rules::build::{column, empty, filter, join, pass, project};
use crate::rules::rebind::{fresh_copy, rename};
use crate::{
    Aggregate, Distinct, Filter, Join, JoinKind, Limit, LogicalPlan, PlanColumn, Projection,
    RuleContext, Series, SetOp, UnionAll, Window,
};
use hashbrown::HashMap;
use llkv_expr::{
    BinaryOp, ColumnId, Expr, SortKey, UnaryOp, WindowCall, WindowExpr, WindowFrame, WindowFunction,
};
use llkv_result::{BindError, Error, Result};
use llkv_types::{Scalar, SqlType};

/// `D`, and the outer columns that its columns stand for.
pub(super) struct Domain {
    /// Correlated columns of the outer plan.
    pub(super) columns: Vec<PlanColumn>,
    set: ColumnSet,
    plan: LogicalPlan,
    values: Vec<PlanColumn>,
}

impl Domain {
    pub(super) fn new(
        outer: &LogicalPlan,
        columns: Vec<PlanColumn>,
        context: &mut RuleContext<'_>,
    ) -> Self {
        let (copy, renaming) = fresh_copy(outer, context);
        let set = columns.iter().map(|c| c.id).collect();
        let mut values = Vec::with_capacity(columns.len());
        for c in &columns {
            // A column from further out is not in the copy and keeps its id: it is no column of
            // `outer`, so it is not among `columns` either.
            let id = renaming.get(&c.id).copied().unwrap_or(c.id);
            values.push(PlanColumn { id, ..c.clone() });
        }
        let plan = LogicalPlan::Aggregate(Aggregate {
            input: Box::new(copy),
            groups: values.iter().cloned().map(pass).collect(),
            aggregates: Vec::new(),
        });
        Self {
            columns,
            set,
            plan,
            values,
        }
    }

    /// `D` once more, with columns of its own.
    fn instance(&self, context: &mut RuleContext<'_>) -> (LogicalPlan, Vec<PlanColumn>) {
        let (plan, renaming) = fresh_copy(&self.plan, context);
        let values = self
            .values
            .iter()
            .map(|c| PlanColumn {
                id: renaming.get(&c.id).copied().unwrap_or(c.id),
                ..c.clone()
            })
            .collect();
        (plan, values)
    }

    /// An expression of the subquery over columns of `D` in place of outer ones.
    pub(super) fn over(&self, expr: Expr, values: &[PlanColumn]) -> Expr {
        let map: HashMap<ColumnId, Expr> = self
            .columns
            .iter()
            .zip(values)
            .map(|(c, value)| (c.id, column(value)))
            .collect();
        expr.map_columns(&mut |id| map.get(&id).cloned())
    }

    /// The same for the expressions of a node.
    fn stand_in(&self, node: &mut LogicalPlan, values: &[PlanColumn]) {
        node.for_each_expr_mut(&mut |expr| {
            let taken = std::mem::replace(expr, Expr::boolean(false));
            *expr = self.over(taken, values);
        });
    }

    fn reads(&self, expr: &Expr) -> bool {
        ColumnSet::of_expr(expr).intersects(&self.set)
    }
}

/// The rows of `plan` for each value of the domain, and the columns that hold the value. The
/// columns of `plan` keep their ids; others may be beside them.
pub(super) fn evaluate(
    plan: LogicalPlan,
    domain: &Domain,
    context: &mut RuleContext<'_>,
) -> Result<(LogicalPlan, Vec<PlanColumn>)> {
    if !plan.depends_on(&domain.set) {
        let (all, values) = domain.instance(context);
        let cross = join(all, plan, JoinKind::Inner, Vec::new(), Vec::new());
        return Ok((LogicalPlan::Join(cross), values));
    }
    match plan {
        LogicalPlan::Filter(n) => {
            let (input, values) = evaluate(*n.input, domain, context)?;
            let plan = LogicalPlan::Filter(Filter {
                input: Box::new(input),
                predicate: domain.over(n.predicate, &values),
            });
            Ok((plan, values))
        }
        LogicalPlan::Project(n) => {
            let (input, values) = evaluate(*n.input, domain, context)?;
            let mut projections: Vec<Projection> = n
                .projections
                .into_iter()
                .map(|p| Projection {
                    expr: domain.over(p.expr, &values),
                    column: p.column,
                })
                .collect();
            projections.extend(values.iter().cloned().map(pass));
            Ok((project(input, projections), values))
        }
        LogicalPlan::Join(n) => evaluate_join(n, domain, context),
        LogicalPlan::Aggregate(n) => evaluate_aggregate(n, domain, context),
        LogicalPlan::Distinct(n) => {
            let columns = n.input.columns();
            let (input, values) = evaluate(*n.input, domain, context)?;
            let plan = LogicalPlan::Distinct(Distinct {
                input: Box::new(exact(input, columns, &values)),
            });
            Ok((plan, values))
        }
        LogicalPlan::Sort(n) if n.fetch.is_none() => evaluate(*n.input, domain, context),
        LogicalPlan::Limit(n) => match per_row(n, context) {
            Ok(plan) => evaluate(plan, domain, context),
            Err(n) => evaluate_limit(n, domain, context),
        },
        LogicalPlan::Window(n) => evaluate_window(n, domain, context),
        LogicalPlan::Expand(mut n) => {
            let (input, values) = evaluate(*n.input, domain, context)?;
            n.input = Box::new(input);
            for key in &mut n.keys {
                let taken = std::mem::replace(&mut key.expr, Expr::boolean(false));
                key.expr = domain.over(taken, &values);
            }
            Ok((LogicalPlan::Expand(n), values))
        }
        LogicalPlan::Series(n) => {
            let (input, values) = evaluate(*n.input, domain, context)?;
            let mut plan = LogicalPlan::Series(Series {
                input: Box::new(input),
                series: n.series,
            });
            domain.stand_in(&mut plan, &values);
            Ok((plan, values))
        }
        LogicalPlan::UnionAll(n) => evaluate_union(n, domain, context),
        LogicalPlan::SetOp(n) => evaluate_set_op(n, domain, context),
        other => Err(unsupported(&format!(
            "a correlated subquery over {}",
            crate::explain(&other).lines().next().unwrap_or_default()
        ))),
    }
}

fn unsupported(feature: &str) -> Error {
    BindError::Unsupported {
        feature: feature.into(),
        span: None,
    }
    .into()
}

/// Cut down to the given columns and the values of the domain.
fn exact(input: LogicalPlan, columns: Vec<PlanColumn>, values: &[PlanColumn]) -> LogicalPlan {
    let projections = columns
        .into_iter()
        .chain(values.iter().cloned())
        .map(pass)
        .collect();
    project(input, projections)
}

fn evaluate_join(
    n: Join,
    domain: &Domain,
    context: &mut RuleContext<'_>,
) -> Result<(LogicalPlan, Vec<PlanColumn>)> {
    let left_keys_read = n.on.iter().any(|(l, _)| domain.reads(l));
    let right_keys_read = n.on.iter().any(|(_, r)| domain.reads(r));
    let filter_reads = n.filter.iter().any(|f| domain.reads(f));
    let mut right = n.right.depends_on(&domain.set) || right_keys_read;
    let mut left = n.left.depends_on(&domain.set) || left_keys_read;
    match n.kind {
        JoinKind::Inner => left |= filter_reads && !right,
        JoinKind::Right => {
            right = true;
        }
        JoinKind::Full => {
            left = true;
            right = true;
        }
        _ => left = true,
    }
    let (left_plan, left_values) = side(*n.left, left, domain, context)?;
    let (right_plan, right_values) = side(*n.right, right, domain, context)?;
    let (Some(values), Some(far)) = (
        left_values.clone().or_else(|| right_values.clone()),
        right_values.clone().or_else(|| left_values.clone()),
    ) else {
        return Err(Error::internal("a dependent join depends on nothing"));
    };
    let mut on = Vec::new();
    if let (Some(l), Some(r)) = (&left_values, &right_values) {
        on.extend(l.iter().zip(r).map(|(l, r)| (column(l), column(r), true)));
    }
    for ((l, r), flag) in n.on.into_iter().zip(n.null_equal) {
        on.push((domain.over(l, &values), domain.over(r, &far), flag));
    }
    let filter = n.filter.map(|f| domain.over(f, &values));
    let mut aggregates = n.aggregates;
    for (_, call) in &mut aggregates {
        for expr in call.args.iter_mut().chain(&mut call.filter) {
            let taken = std::mem::replace(expr, Expr::boolean(false));
            *expr = domain.over(taken, &far);
        }
    }
    let joined = LogicalPlan::Join(Join {
        mark: n.mark,
        null_aware_mark: n.null_aware_mark,
        aggregates,
        ..join(
            left_plan,
            right_plan,
            n.kind,
            on,
            filter.into_iter().collect(),
        )
    });
    match n.kind {
        // Rows without a left one have the value of the right one only.
        JoinKind::Right => Ok((joined, far)),
        JoinKind::Full => Ok(either(joined, &values, &far, context)),
        _ => Ok((joined, values)),
    }
}

fn side(
    plan: LogicalPlan,
    dependent: bool,
    domain: &Domain,
    context: &mut RuleContext<'_>,
) -> Result<(LogicalPlan, Option<Vec<PlanColumn>>)> {
    if dependent {
        let (plan, values) = evaluate(plan, domain, context)?;
        Ok((plan, Some(values)))
    } else {
        Ok((plan, None))
    }
}

/// After a full join: the value that the one side has or the other.
fn either(
    joined: LogicalPlan,
    left: &[PlanColumn],
    right: &[PlanColumn],
    context: &mut RuleContext<'_>,
) -> (LogicalPlan, Vec<PlanColumn>) {
    let mut projections: Vec<Projection> = joined.columns().into_iter().map(pass).collect();
    let mut values = Vec::with_capacity(left.len());
    for (l, r) in left.iter().zip(right) {
        let value = context.fresh(l.name.clone(), l.ty, true);
        projections.push(Projection {
            column: value.clone(),
            expr: Expr::Case {
                branches: vec![(Expr::unary(UnaryOp::IsNotNull, column(l)), column(l))],
                otherwise: Some(Box::new(column(r))),
                ty: l.ty,
            },
        });
        values.push(value);
    }
    (project(joined, projections), values)
}

fn evaluate_aggregate(
    mut n: Aggregate,
    domain: &Domain,
    context: &mut RuleContext<'_>,
) -> Result<(LogicalPlan, Vec<PlanColumn>)> {
    let scalar = n.groups.is_empty();
    let input = std::mem::replace(&mut *n.input, empty(Vec::new()));
    let (input, values) = evaluate(input, domain, context)?;
    *n.input = input;
    let mut plan = LogicalPlan::Aggregate(n);
    domain.stand_in(&mut plan, &values);
    let mut outputs = plan.columns();
    if let LogicalPlan::Aggregate(n) = &mut plan {
        n.groups.extend(values.iter().cloned().map(pass));
    }
    if !scalar {
        return Ok((plan, values));
    }
    // Values of the domain without a row have a group all the same: NULLs, and counts of 0.
    let mut defaults: HashMap<ColumnId, (ColumnId, Expr)> = HashMap::new();
    if let LogicalPlan::Aggregate(n) = &plan {
        for (c, call) in &n.aggregates {
            match aggregate_of_no_rows(call.function, call.ty) {
                Some(Expr::Literal(value)) if value.is_null() => {}
                Some(value) => {
                    let below = context.fresh("", c.ty, true).id;
                    defaults.insert(c.id, (below, value));
                }
                None => return Err(Error::internal(format!("{call} is of an unusual type"))),
            }
        }
    }
    let renaming = defaults.iter().map(|(id, (new, _))| (*id, *new)).collect();
    rename(&mut plan, &renaming);
    let (all, keys) = domain.instance(context);
    let on = keys
        .iter()
        .zip(&values)
        .map(|(l, r)| (column(l), column(r), true))
        .collect();
    let joined = LogicalPlan::Join(join(all, plan, JoinKind::Left, on, Vec::new()));
    let projections = outputs
        .drain(..)
        .map(|c| match defaults.remove(&c.id) {
            Some((below, value)) => Projection {
                expr: Expr::Case {
                    branches: vec![(
                        Expr::unary(UnaryOp::IsNull, Expr::column(below, c.ty)),
                        value,
                    )],
                    otherwise: Some(Box::new(Expr::column(below, c.ty))),
                    ty: c.ty,
                },
                column: c,
            },
            None => pass(PlanColumn {
                nullable: true,
                ..c
            }),
        })
        .chain(keys.iter().cloned().map(pass))
        .collect();
    Ok((project(joined, projections), keys))
}

/// The rows of each value of the domain are numbered, and a slice of the numbers is kept.
fn evaluate_limit(
    n: Limit,
    domain: &Domain,
    context: &mut RuleContext<'_>,
) -> Result<(LogicalPlan, Vec<PlanColumn>)> {
    let (input, keys) = match *n.input {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => (*sort.input, sort.keys),
        other => (other, Vec::new()),
    };
    let (input, values) = evaluate(input, domain, context)?;
    let number = context.fresh("row number", SqlType::Int64, false);
    let order_by: Vec<SortKey> = keys
        .into_iter()
        .map(|key| SortKey {
            expr: domain.over(key.expr, &values),
            ..key
        })
        .collect();
    let partition_by = values.iter().map(column).collect();
    let numbered = numbered(input, partition_by, order_by, number.clone());
    let bound = |rows: u64| Expr::Literal(Scalar::Int64(i64::try_from(rows).unwrap_or(i64::MAX)));
    let mut kept = vec![Expr::compare(BinaryOp::Gt, column(&number), bound(n.skip))];
    if let Some(fetch) = n.fetch {
        let last = bound(n.skip.saturating_add(fetch));
        kept.push(Expr::compare(BinaryOp::LtEq, column(&number), last));
    }
    Ok((filter(numbered, kept), values))
}

/// The rows with their numbers within each partition.
pub(super) fn numbered(
    input: LogicalPlan,
    partition_by: Vec<Expr>,
    order_by: Vec<SortKey>,
    number: PlanColumn,
) -> LogicalPlan {
    let function = WindowExpr {
        call: WindowCall::Function {
            function: WindowFunction::RowNumber,
            args: Vec::new(),
            ignore_nulls: false,
            ty: SqlType::Int64,
        },
        peer_keys: order_by.len(),
        frame: WindowFrame::running(),
    };
    LogicalPlan::Window(Window {
        input: Box::new(input),
        partition_by,
        order_by,
        functions: vec![(number, function)],
        wanted: None,
    })
}

/// Each value of the domain has partitions of its own.
fn evaluate_window(
    mut n: Window,
    domain: &Domain,
    context: &mut RuleContext<'_>,
) -> Result<(LogicalPlan, Vec<PlanColumn>)> {
    let input = crate::walk::take(&mut n.input);
    let (input, values) = evaluate(input, domain, context)?;
    *n.input = input;
    n.partition_by.extend(values.iter().map(column));
    let mut plan = LogicalPlan::Window(n);
    domain.stand_in(&mut plan, &values);
    Ok((plan, values))
}

fn evaluate_union(
    mut n: UnionAll,
    domain: &Domain,
    context: &mut RuleContext<'_>,
) -> Result<(LogicalPlan, Vec<PlanColumn>)> {
    for input in &mut n.inputs {
        evaluate_exact(input, domain, context)?;
    }
    let values = fresh_values(domain, context);
    n.columns.extend(values.iter().cloned());
    Ok((LogicalPlan::UnionAll(n), values))
}

fn evaluate_set_op(
    mut n: SetOp,
    domain: &Domain,
    context: &mut RuleContext<'_>,
) -> Result<(LogicalPlan, Vec<PlanColumn>)> {
    evaluate_exact(&mut n.left, domain, context)?;
    evaluate_exact(&mut n.right, domain, context)?;
    let values = fresh_values(domain, context);
    n.columns.extend(values.iter().cloned());
    Ok((LogicalPlan::SetOp(n), values))
}

/// An input whose columns count by position: its own, then the values of the domain.
fn evaluate_exact(
    input: &mut LogicalPlan,
    domain: &Domain,
    context: &mut RuleContext<'_>,
) -> Result<()> {
    let columns = input.columns();
    let (plan, values) = evaluate(crate::walk::take(input), domain, context)?;
    *input = exact(plan, columns, &values);
    Ok(())
}

fn fresh_values(domain: &Domain, context: &mut RuleContext<'_>) -> Vec<PlanColumn> {
    domain
        .columns
        .iter()
        .map(|c| context.fresh(c.name.clone(), c.ty, c.nullable))
        .collect()
}
