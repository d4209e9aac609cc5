//! Expressions that several aggregate calls compute, computed once.

use llkv_expr::{AggregateExpr, ColumnId, Expr, InList, Volatility};
use llkv_plan::{PlanColumn, Projection};
use std::collections::HashMap;

/// Takes out of the calls' arguments what occurs more than once (`sum(a * b)`, `sum(a * b * c)`): the
/// arguments then read new columns, which the projections given back compute. Their ids go on from `first`, which
/// no column of the input has: sets of columns are bitmaps, as long as the largest id.
pub(super) fn share(calls: &mut [AggregateExpr], first: ColumnId) -> Vec<Projection> {
    let args = || calls.iter().flat_map(|call| &call.args);
    if args().filter(|arg| is_computed(arg)).count() < 2
        || args().map(size).sum::<usize>() > MAX_NODES
    {
        return Vec::new();
    }
    let mut counts = HashMap::new();
    for arg in calls
        .iter()
        .filter(|c| c.filter.is_none())
        .flat_map(|c| &c.args)
    {
        count(arg, &mut counts);
    }
    counts.retain(|_, count| *count > 1);
    let mut shared = Vec::new();
    for call in calls.iter_mut().filter(|call| call.filter.is_none()) {
        for arg in &mut call.args {
            replace(arg, &counts, first, &mut shared);
        }
    }
    shared
        .into_iter()
        .map(|(_, projection)| projection)
        .collect()
}

/// Larger arguments are not searched: the search takes the square of their size.
const MAX_NODES: usize = 500;

fn size(expr: &Expr) -> usize {
    let mut nodes = 0;
    expr.visit(&mut |_| nodes += 1);
    nodes
}

fn is_computed(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Binary { .. } | Expr::Unary { .. } | Expr::Cast { .. } | Expr::Function { .. }
    )
}

/// The expression as a text that only equal expressions have; `None` where there is no such text.
fn identity(expr: &Expr) -> Option<String> {
    let mut exact = true;
    expr.visit(&mut |part| match part {
        // A long list of constants is shown abridged.
        Expr::InList {
            list: InList::Values(_),
            ..
        } => exact = false,
        Expr::Function { function, .. } if function.volatility == Volatility::Volatile => {
            exact = false;
        }
        _ => {}
    });
    exact.then(|| format!("{expr:?}"))
}

/// Counts the parts that are evaluated for every row: what a CASE or an AND guards is left alone.
fn count(expr: &Expr, counts: &mut HashMap<String, usize>) {
    if !is_computed(expr) {
        return;
    }
    if let Some(text) = identity(expr) {
        *counts.entry(text).or_default() += 1;
    }
    expr.for_each_child(&mut |child| count(child, counts));
}

fn replace(
    expr: &mut Expr,
    counts: &HashMap<String, usize>,
    first: ColumnId,
    shared: &mut Vec<(String, Projection)>,
) {
    if !is_computed(expr) {
        return;
    }
    let Some(text) = identity(expr).filter(|text| counts.contains_key(text)) else {
        expr.for_each_child_mut(&mut |child| replace(child, counts, first, shared));
        return;
    };
    let ty = expr.ty();
    let known = shared.iter().find(|(other, _)| *other == text);
    let id = known.map_or(
        ColumnId(first.0.saturating_add(shared.len() as u32)),
        |(_, projection)| projection.column.id,
    );
    let column = Expr::column(id, ty);
    let is_new = known.is_none();
    let computed = std::mem::replace(expr, column);
    if is_new {
        let column = PlanColumn {
            id,
            name: "".into(),
            ty,
            nullable: true,
        };
        shared.push((
            text,
            Projection {
                column,
                expr: computed,
            },
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llkv_expr::{AggregateFunction, BinaryOp};
    use llkv_types::SqlType;

    #[test]
    fn new_columns_follow_those_of_the_input() {
        let column = |id| Expr::column(ColumnId(id), SqlType::Int64);
        let product = || Expr::binary(BinaryOp::Multiply, column(3), column(7), SqlType::Int64);
        let sum = |arg| AggregateExpr {
            function: AggregateFunction::Sum,
            args: vec![arg],
            distinct: false,
            filter: None,
            order_by: Vec::new(),
            ty: SqlType::Int64,
        };
        let mut calls = [sum(product()), sum(product())];
        let shared = share(&mut calls, ColumnId(8));
        let ids: Vec<ColumnId> = shared.iter().map(|p| p.column.id).collect();
        assert_eq!(ids, [ColumnId(8)]);
        assert!(calls.iter().all(|call| call.args == [column(8)]));
    }
}
