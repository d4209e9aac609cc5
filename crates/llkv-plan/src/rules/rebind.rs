//! Copies of plans with columns of their own.

use crate::{ApplyKind, LogicalPlan, PlanColumn, RuleContext};
use hashbrown::HashMap;
use llkv_expr::{ColumnId, Expr};

/// Old and new ids.
pub(super) type Renaming = HashMap<ColumnId, ColumnId>;

/// A copy in which every column that the plan makes has a new id. Free columns stay.
pub(super) fn fresh_copy(
    plan: &LogicalPlan,
    context: &mut RuleContext<'_>,
) -> (LogicalPlan, Renaming) {
    let mut copy = plan.clone();
    let renaming = freshen(&mut copy, context);
    (copy, renaming)
}

/// Gives new ids to all columns that the plan makes.
pub(super) fn freshen(plan: &mut LogicalPlan, context: &mut RuleContext<'_>) -> Renaming {
    let mut renaming = Renaming::new();
    definitions(plan, &mut |c| {
        renaming
            .entry(c.id)
            .or_insert_with(|| context.fresh("", c.ty, true).id);
    });
    rename(plan, &renaming);
    renumber(plan, &mut Vec::new(), context);
    renaming
}

/// Gives the working tables of recursions within the plan new numbers: two copies that run at the same time
/// must not read each other's rows. `inside` are old and new numbers of the recursions around.
fn renumber(plan: &mut LogicalPlan, inside: &mut Vec<(u32, u32)>, context: &mut RuleContext<'_>) {
    let around = inside.len();
    match plan {
        LogicalPlan::Recursive(n) => {
            let new = context.fresh("", llkv_types::SqlType::Null, true).id.0;
            inside.push((n.table, new));
            n.table = new;
        }
        LogicalPlan::WorkingTable(n) => {
            let found = inside.iter().rev().find(|(old, _)| *old == n.table);
            n.table = found.map_or(n.table, |(_, new)| *new);
        }
        _ => {}
    }
    plan.for_each_input_mut(&mut |input| renumber(input, inside, context));
    inside.truncate(around);
}

/// Gives columns other ids wherever the plan makes or reads them.
pub(super) fn rename(plan: &mut LogicalPlan, renaming: &Renaming) {
    definitions(plan, &mut |c| {
        if let Some(new) = renaming.get(&c.id) {
            c.id = *new;
        }
    });
    plan.for_each_expr_within_mut(&mut |e| rename_expr(e, renaming));
}

/// Gives the columns that an expression reads other ids.
pub(super) fn rename_expr(expr: &mut Expr, renaming: &Renaming) {
    if let Expr::Column { id, .. } = expr
        && let Some(new) = renaming.get(id)
    {
        *id = *new;
    }
    expr.for_each_child_mut(&mut |child| rename_expr(child, renaming));
}

/// Calls `f` on each column at the node that makes it or lists it as its own.
fn definitions(plan: &mut LogicalPlan, f: &mut dyn FnMut(&mut PlanColumn)) {
    match plan {
        LogicalPlan::Scan(n) => {
            n.columns.iter_mut().for_each(|(_, c)| f(c));
            n.row_id.iter_mut().for_each(&mut *f);
        }
        LogicalPlan::External(n) => n.columns.iter_mut().for_each(|(_, c)| f(c)),
        LogicalPlan::Values(n) => n.columns.iter_mut().for_each(&mut *f),
        LogicalPlan::Project(n) => n.projections.iter_mut().for_each(|p| f(&mut p.column)),
        LogicalPlan::Aggregate(n) => {
            n.groups.iter_mut().for_each(|g| f(&mut g.column));
            n.aggregates.iter_mut().for_each(|(c, _)| f(c));
        }
        LogicalPlan::Join(n) => {
            n.mark.iter_mut().for_each(&mut *f);
            n.aggregates.iter_mut().for_each(|(c, _)| f(c));
        }
        LogicalPlan::Apply(n) => {
            if let ApplyKind::Exists { mark } | ApplyKind::In { mark, .. } = &mut n.kind {
                f(mark);
            }
        }
        LogicalPlan::UnionAll(n) => n.columns.iter_mut().for_each(&mut *f),
        LogicalPlan::SetOp(n) => n.columns.iter_mut().for_each(&mut *f),
        LogicalPlan::Window(n) => n.functions.iter_mut().for_each(|(c, _)| f(c)),
        LogicalPlan::Expand(n) => {
            n.keys.iter_mut().for_each(|key| f(&mut key.column));
            f(&mut n.number);
        }
        LogicalPlan::Series(n) => n.series.iter_mut().for_each(|s| f(&mut s.column)),
        LogicalPlan::Recursive(n) => n.columns.iter_mut().for_each(&mut *f),
        LogicalPlan::WorkingTable(n) => n.columns.iter_mut().for_each(&mut *f),
        LogicalPlan::Filter(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Shared(_) => {}
    }
    plan.for_each_input_mut(&mut |input| definitions(input, f));
}
