//! Subqueries become joins, correlated or not; no plan runs a subquery row by row.
//!
//! Innermost subqueries come first. Where the correlation is made of predicates that can be lifted
//! to the top of the subquery, they become the condition of the join ([`pull_up`]). An aggregate of rows that
//! more than equalities tie to few outer rows is computed as these meet ([`mod@group`]). Everything
//! else is done by the general method of Neumann and Kemper ("Unnesting Arbitrary Queries", 2015):
//! the subquery is evaluated at once for the set of all different values that the outer rows put
//! into it ([`domain`]), and its rows are joined back to the outer ones.

mod attach;
mod domain;
mod first_row;
mod group;
mod pull_up;

use crate::analysis::exactly_one_row;
use crate::column_set::ColumnSet;
use crate::rules::build::{column, pass, project};
use crate::rules::reorder_joins::restore;
use crate::walk::{NodeKinds, take};
use crate::{
    Apply, ApplyKind, Limit, LogicalPlan, PlanColumn, Projection, Rule, RuleContext, Series, Shared,
};
use attach::{Link, attach};
use llkv_compute::functions::lookup;
use llkv_expr::Expr;
use llkv_result::Result;
use llkv_types::SqlType;

/// The rule.
pub(in crate::rules) struct Unnest;

impl Rule for Unnest {
    fn name(&self) -> &'static str {
        "unnest"
    }

    fn description(&self) -> &'static str {
        "Subqueries become joins, whatever they are correlated with."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::APPLY
    }

    fn is_required(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: &mut LogicalPlan, context: &mut RuleContext<'_>) -> Result<bool> {
        walk(plan, context)?;
        Ok(true)
    }
}

fn walk(plan: &mut LogicalPlan, context: &mut RuleContext<'_>) -> Result<()> {
    plan.try_for_each_input_mut(&mut |input| walk(input, context))?;
    if matches!(plan, LogicalPlan::Apply(_)) {
        // Keys of the join stand beside the columns of the subquery: nobody above expects them.
        let columns = plan.columns();
        if let LogicalPlan::Apply(apply) = take(plan) {
            *plan = unnest(apply, context)?;
            restore(plan, columns);
        }
    }
    Ok(())
}

fn unnest(apply: Apply, context: &mut RuleContext<'_>) -> Result<LogicalPlan> {
    let Apply { outer, inner, kind } = apply;
    let (outer, inner) = (*outer, simplified(*inner, &kind));
    let around = outer.column_set();
    let mut correlated = inner.free_columns();
    if let ApplyKind::In { haystack, .. } = &kind {
        haystack.iter().for_each(|e| correlated.insert_expr(e));
    }
    correlated.retain(&around);
    if correlated.is_empty() {
        let link = Link::default();
        return attach(outer, inner, kind, link, context);
    }
    let (outer, inner) = match computed(outer, inner, &kind) {
        Ok(plan) => return Ok(plan),
        Err(unchanged) => unchanged,
    };
    // What is random or counts is computed for each outer row, also where nothing but a condition reads that row.
    let (outer, inner) = match inner.is_volatile() {
        true => (outer, inner),
        false => match joined(outer, inner, &kind, &around, context)? {
            Ok(plan) => return Ok(plan),
            Err(unchanged) => unchanged,
        },
    };
    let outer = told_apart(outer, &mut correlated, context);
    let outer = fixed(outer, &inner, &mut correlated, context);
    let columns: Vec<_> = outer
        .columns()
        .into_iter()
        .filter(|c| correlated.contains(c.id))
        .collect();
    let domain = domain::Domain::new(&outer, columns, context);
    let (inner, values) = domain::evaluate(inner, &domain, context)?;
    let keys = domain
        .columns
        .iter()
        .zip(&values)
        .map(|(outer, inner)| (column(outer), column(inner), true))
        .collect();
    let kind = match kind {
        ApplyKind::In {
            mark,
            needle,
            haystack,
        } => ApplyKind::In {
            mark,
            needle,
            haystack: haystack
                .into_iter()
                .map(|e| domain.over(e, &values))
                .collect(),
        },
        other => other,
    };
    let link = Link {
        keys,
        ..Link::default()
    };
    attach(outer, inner, kind, link, context)
}

/// By the correlation's predicates as conditions of a join; else gives back what it got.
fn joined(
    outer: LogicalPlan,
    inner: LogicalPlan,
    kind: &ApplyKind,
    around: &ColumnSet,
    context: &mut RuleContext<'_>,
) -> Result<std::result::Result<LogicalPlan, (LogicalPlan, LogicalPlan)>> {
    if let Some(pulled) = pull_up::pull_up(inner.clone(), around, context)
        && pulled.serves(kind)
    {
        let link = pulled.link(around);
        return attach(outer, pulled.plan, kind.clone(), link, context).map(Ok);
    }
    Ok(group::group(outer, inner, kind, around, context))
}

/// What is computed of the outer row alone, or of it and the values of a series, stands on top of the outer rows; else gives back
/// what it got.
fn computed(
    outer: LogicalPlan,
    inner: LogicalPlan,
    kind: &ApplyKind,
) -> std::result::Result<LogicalPlan, (LogicalPlan, LogicalPlan)> {
    let is_one = exactly_one_row(&inner);
    let fits = match kind {
        ApplyKind::Cross => true,
        ApplyKind::Scalar { .. } | ApplyKind::Left => is_one,
        _ => false,
    };
    if !fits || !is_of_one_row(&inner) {
        return Err((outer, inner));
    }
    Ok(on_top(inner, outer))
}

/// True for projections and series over one row without columns.
fn is_of_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Project(n) => is_of_one_row(&n.input),
        LogicalPlan::Series(n) => is_of_one_row(&n.input),
        LogicalPlan::Values(_) => plan.columns().is_empty() && exactly_one_row(plan),
        _ => false,
    }
}

/// Such a plan with other rows in the place of the one; their columns are passed.
fn on_top(plan: LogicalPlan, rows: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Project(n) => {
            let mut projections: Vec<Projection> = rows.columns().into_iter().map(pass).collect();
            projections.extend(n.projections);
            project(on_top(*n.input, rows), projections)
        }
        LogicalPlan::Series(n) => LogicalPlan::Series(Series {
            input: Box::new(on_top(*n.input, rows)),
            ..n
        }),
        _ => rows,
    }
}

/// Values that are equal and not the same, as 2 and 2.0 where values carry their types, or a month and 30 days: the subquery is
/// evaluated for both. What tells them apart, their type or their text, is one more correlated column. (Zeros of both signs are
/// one key.)
fn told_apart(
    outer: LogicalPlan,
    correlated: &mut ColumnSet,
    context: &mut RuleContext<'_>,
) -> LogicalPlan {
    let columns = outer.columns();
    let read = columns.iter().filter(|own| correlated.contains(own.id));
    let difference = |own: &PlanColumn| match own.ty {
        SqlType::Interval => Some(column(own).cast(SqlType::Text)),
        SqlType::Variant => Some(Expr::Function {
            function: lookup("typeof")?,
            args: vec![column(own)],
            ty: SqlType::Text,
        }),
        _ => None,
    };
    let differences = read.filter_map(difference).map(|expr| Projection {
        column: context.fresh("difference", SqlType::Text, true),
        expr,
    });
    let projections: Vec<Projection> = differences.collect();
    if projections.is_empty() {
        return outer;
    }
    for added in &projections {
        correlated.insert(added.column.id);
    }
    project(
        outer,
        columns.into_iter().map(pass).chain(projections).collect(),
    )
}

/// The outer rows, which the general method reads twice, are the same both times: those that are random are computed once. A
/// subquery that is random has a value of its own for each of them, for which their number is one more correlated column.
fn fixed(
    outer: LogicalPlan,
    inner: &LogicalPlan,
    correlated: &mut ColumnSet,
    context: &mut RuleContext<'_>,
) -> LogicalPlan {
    let is_numbered = inner.is_volatile();
    if !is_numbered && !outer.is_volatile() || !outer.may_be_shared() {
        return outer;
    }
    let outer = match is_numbered {
        true => {
            let number = context.fresh("row", SqlType::Int64, false);
            correlated.insert(number.id);
            domain::numbered(outer, Vec::new(), Vec::new(), number)
        }
        false => outer,
    };
    LogicalPlan::Shared(Shared {
        number: context.fresh("", SqlType::Null, true).id.0,
        places: 0,
        input: Box::new(outer),
    })
}

/// What the kind of subquery makes of the plan: EXISTS asks for no order and no bound; the first
/// row of a scalar subquery is a LIMIT.
fn simplified(inner: LogicalPlan, kind: &ApplyKind) -> LogicalPlan {
    match (kind, inner) {
        (ApplyKind::Exists { .. }, LogicalPlan::Limit(n))
            if n.skip == 0 && n.fetch.is_none_or(|f| f > 0) =>
        {
            simplified(*n.input, kind)
        }
        (ApplyKind::Exists { .. }, LogicalPlan::Sort(n)) if n.fetch != Some(0) => {
            simplified(*n.input, kind)
        }
        (ApplyKind::Exists { .. }, LogicalPlan::Distinct(n)) => simplified(*n.input, kind),
        (ApplyKind::Scalar { first_row: true }, inner) => LogicalPlan::Limit(Limit {
            input: Box::new(inner),
            skip: 0,
            fetch: Some(1),
        }),
        (_, inner) => inner,
    }
}

/// Splits an equality between an expression over `outer` and one over anything but `outer`.
fn equality_with_outer(predicate: &Expr, outer: &ColumnSet) -> Option<(Expr, Expr, bool)> {
    use llkv_expr::BinaryOp::{Eq, IsNotDistinctFrom};
    let Expr::Binary {
        op: op @ (Eq | IsNotDistinctFrom),
        left,
        right,
        ..
    } = predicate
    else {
        return None;
    };
    let null_equal = *op == IsNotDistinctFrom;
    let (l, r) = (ColumnSet::of_expr(left), ColumnSet::of_expr(right));
    let only_outer = |set: &ColumnSet| !set.is_empty() && set.is_subset(outer);
    let no_outer = |set: &ColumnSet| !set.is_empty() && !set.intersects(outer);
    if left.ty() != right.ty() {
        None
    } else if only_outer(&l) && no_outer(&r) {
        Some(((**left).clone(), (**right).clone(), null_equal))
    } else if only_outer(&r) && no_outer(&l) {
        Some(((**right).clone(), (**left).clone(), null_equal))
    } else {
        None
    }
}
