//! Two plans that go the same way, made one.

use crate::rules::rebind::{Renaming, rename_expr};
use crate::{Join, LogicalPlan, PlanColumn, Projection, RuleContext, Scan};
use llkv_expr::Expr;

/// Makes `plan` compute what `other` computes besides, columns for which no other rows are needed. `same` then has for
/// each column of `other` that of `plan`. False where the two do not give the same rows in the same order, or cannot be
/// seen to; `plan` and `other` are then of no further use.
pub(super) fn merge(
    plan: &mut LogicalPlan,
    other: &mut LogicalPlan,
    same: &mut Renaming,
    context: &mut RuleContext<'_>,
) -> bool {
    if !merge_inputs(plan, other, same, context) {
        return false;
    }
    if !matches!(other, LogicalPlan::Scan(_)) {
        other.for_each_expr_mut(&mut |expr| rename_expr(expr, same));
    }
    match (plan, other) {
        (LogicalPlan::Scan(a), LogicalPlan::Scan(b)) => scans(a, b, same, context),
        (LogicalPlan::Filter(a), LogicalPlan::Filter(b)) => a.predicate == b.predicate,
        (LogicalPlan::Project(a), LogicalPlan::Project(b)) => {
            projections(&mut a.projections, &b.projections, same, context);
            true
        }
        (LogicalPlan::Join(a), LogicalPlan::Join(b)) => joins(a, b, same),
        (LogicalPlan::Aggregate(a), LogicalPlan::Aggregate(b)) => {
            let groups = || a.groups.iter().zip(&b.groups);
            if a.groups.len() != b.groups.len() || groups().any(|(a, b)| a.expr != b.expr) {
                return false;
            }
            same.extend(groups().map(|(a, b)| (b.column.id, a.column.id)));
            computed(&mut a.aggregates, &b.aggregates, same, context);
            true
        }
        (LogicalPlan::Window(a), LogicalPlan::Window(b)) => {
            let fits = a.partition_by == b.partition_by
                && a.order_by == b.order_by
                && a.wanted == b.wanted;
            computed(&mut a.functions, &b.functions, same, context);
            fits
        }
        (LogicalPlan::Sort(a), LogicalPlan::Sort(b)) => a.keys == b.keys && a.fetch == b.fetch,
        (LogicalPlan::Limit(a), LogicalPlan::Limit(b)) => a.skip == b.skip && a.fetch == b.fetch,
        (LogicalPlan::Distinct(a), LogicalPlan::Distinct(b)) => {
            // Another column would make other rows distinct.
            let all = a.input.column_set();
            let mut of_other = b.input.columns().into_iter();
            let mut read = crate::ColumnSet::new();
            let known = of_other.all(|c| {
                same.get(&c.id).is_some_and(|id| {
                    read.insert(*id);
                    true
                })
            });
            known && all.is_subset(&read)
        }
        _ => false,
    }
}

/// The same for the inputs of two nodes of one kind.
fn merge_inputs(
    plan: &mut LogicalPlan,
    other: &mut LogicalPlan,
    same: &mut Renaming,
    context: &mut RuleContext<'_>,
) -> bool {
    if std::mem::discriminant(plan) != std::mem::discriminant(other) {
        return false;
    }
    let is_distinct = matches!(plan, LogicalPlan::Distinct(_));
    let before = plan.column_set();
    let (inputs, others) = (plan.inputs_mut(), other.inputs_mut());
    let merged = inputs.len() == others.len()
        && inputs
            .into_iter()
            .zip(others)
            .all(|(input, other)| merge(input, other, same, context));
    merged && (!is_distinct || plan.column_set().is_subset(&before))
}

fn scans(a: &mut Scan, b: &mut Scan, same: &mut Renaming, context: &mut RuleContext<'_>) -> bool {
    if a.table != b.table || a.predicates.len() != b.predicates.len() {
        return false;
    }
    for (field, column) in &b.columns {
        let known = a.columns.iter().find(|(known, _)| known == field);
        let id = match known {
            Some((_, known)) => known.id,
            None => {
                let fresh = renewed(column, context);
                let id = fresh.id;
                a.columns.push((*field, fresh));
                id
            }
        };
        same.insert(column.id, id);
    }
    if let Some(column) = &b.row_id {
        let known = a.row_id.get_or_insert_with(|| renewed(column, context));
        same.insert(column.id, known.id);
    }
    let predicates = b.predicates.iter_mut();
    predicates.for_each(|predicate| rename_expr(predicate, same));
    a.predicates == b.predicates
}

fn joins(a: &mut Join, b: &Join, same: &mut Renaming) -> bool {
    let own = a.own_columns().zip(b.own_columns());
    let own: Vec<_> = own.map(|(a, b)| (b.id, a.id)).collect();
    same.extend(own);
    a.kind == b.kind
        && a.on == b.on
        && a.null_equal == b.null_equal
        && a.filter == b.filter
        && a.mark.is_some() == b.mark.is_some()
        && a.null_aware_mark == b.null_aware_mark
        && a.aggregates.len() == b.aggregates.len()
        && a.aggregates
            .iter()
            .zip(&b.aggregates)
            .all(|((_, a), (_, b))| a == b)
}

fn projections(
    into: &mut Vec<Projection>,
    from: &[Projection],
    same: &mut Renaming,
    context: &mut RuleContext<'_>,
) {
    for projection in from {
        let id = match into.iter().find(|known| known.expr == projection.expr) {
            Some(known) => known.column.id,
            None => {
                let column = renewed(&projection.column, context);
                let (id, expr) = (column.id, projection.expr.clone());
                into.push(Projection { column, expr });
                id
            }
        };
        same.insert(projection.column.id, id);
    }
}

/// The same for calls, of aggregates or of windows.
fn computed<T: Clone + PartialEq>(
    into: &mut Vec<(PlanColumn, T)>,
    from: &[(PlanColumn, T)],
    same: &mut Renaming,
    context: &mut RuleContext<'_>,
) {
    for (column, call) in from {
        let id = match into.iter().find(|(_, known)| known == call) {
            Some((known, _)) => known.id,
            None => {
                let fresh = renewed(column, context);
                let id = fresh.id;
                into.push((fresh, call.clone()));
                id
            }
        };
        same.insert(column.id, id);
    }
}

fn renewed(column: &PlanColumn, context: &mut RuleContext<'_>) -> PlanColumn {
    context.fresh(column.name.clone(), column.ty, column.nullable)
}

/// A column of the other plan in terms of the merged one.
pub(super) fn read(column: &PlanColumn, same: &Renaming) -> Expr {
    let id = same.get(&column.id).copied().unwrap_or(column.id);
    Expr::column(id, column.ty)
}
