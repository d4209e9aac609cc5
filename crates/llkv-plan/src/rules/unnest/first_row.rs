//! The first row of a subquery as an aggregate, so that it can be had once for each outer row.

use crate::analysis::at_most_one_row;
use crate::rules::build::{column, filter, pass, project};
use crate::rules::rebind::freshen;
use crate::{Aggregate, Limit, LogicalPlan, RuleContext};
use llkv_expr::{AggregateExpr, AggregateFunction, BinaryOp, Expr};
use llkv_types::{Scalar, SqlType};

/// A LIMIT that holds for each outer row by itself: gone where there is one row at most, an
/// aggregate where one row is wanted.
///
/// # Errors
/// A LIMIT that no aggregate can stand for, as it is.
pub(super) fn per_row(
    n: Limit,
    context: &mut RuleContext<'_>,
) -> std::result::Result<LogicalPlan, Limit> {
    match (n.skip, n.fetch) {
        (0, None) => Ok(*n.input),
        (0, Some(fetch)) if fetch > 0 && at_most_one_row(&n.input) => Ok(*n.input),
        (_, Some(0)) => Ok(filter(*n.input, vec![Expr::boolean(false)])),
        (0, Some(1)) => Ok(first_row(*n.input, context)),
        _ => Err(n),
    }
}

/// `first(c ORDER BY keys)` for each column, and no row where the input has none.
fn first_row(input: LogicalPlan, context: &mut RuleContext<'_>) -> LogicalPlan {
    let columns = input.columns();
    let mut input = input;
    let renaming = freshen(&mut input, context);
    let (input, keys) = match input {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => (*sort.input, sort.keys),
        other => (other, Vec::new()),
    };
    let mut aggregates = Vec::with_capacity(columns.len() + 1);
    for c in &columns {
        let below = renaming.get(&c.id).copied().unwrap_or(c.id);
        let call = AggregateExpr {
            function: AggregateFunction::First,
            args: vec![Expr::column(below, c.ty)],
            distinct: false,
            filter: None,
            order_by: keys.clone(),
            ty: c.ty,
        };
        aggregates.push((c.clone(), call));
    }
    let count = context.fresh("rows", SqlType::Int64, false);
    let call = AggregateExpr {
        function: AggregateFunction::CountStar,
        args: Vec::new(),
        distinct: false,
        filter: None,
        order_by: Vec::new(),
        ty: SqlType::Int64,
    };
    aggregates.push((count.clone(), call));
    let groups = LogicalPlan::Aggregate(Aggregate {
        input: Box::new(input),
        groups: Vec::new(),
        aggregates,
    });
    let some = Expr::compare(
        BinaryOp::Gt,
        column(&count),
        Expr::Literal(Scalar::Int64(0)),
    );
    project(
        filter(groups, vec![some]),
        columns.into_iter().map(pass).collect(),
    )
}
