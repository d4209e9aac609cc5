//! Columns that nobody reads are not computed, not carried and not scanned.

use super::build::{pass, project, replace};
use crate::analysis::at_most_one_row;
use crate::column_set::ColumnSet;
use crate::walk::{NodeKinds, take};
use crate::{
    ApplyKind, Join, JoinKind, LogicalPlan, PlanColumn, Rule, RuleContext, SeriesColumn, UnionAll,
};
use llkv_expr::{ColumnId, Expr};
use llkv_result::Result;

/// The rule.
pub(super) struct PruneColumns;

impl Rule for PruneColumns {
    fn name(&self) -> &'static str {
        "prune_columns"
    }

    fn description(&self) -> &'static str {
        "Drops columns, aggregates and joins whose values nobody reads."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::PROJECT
            .or(NodeKinds::JOIN)
            .or(NodeKinds::AGGREGATE)
            .or(NodeKinds::SET)
            .or(NodeKinds::DISTINCT)
            .or(NodeKinds::WINDOW)
            .or(NodeKinds::RECURSIVE)
    }

    fn is_settled_at_once(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: &mut LogicalPlan, _context: &mut RuleContext<'_>) -> Result<bool> {
        let columns = plan.columns();
        prune_exact(plan);
        keep_names(plan, columns);
        Ok(true)
    }
}

/// A projection that only gives names is dropped, but for those of the result.
fn keep_names(plan: &mut LogicalPlan, columns: Vec<PlanColumn>) {
    let mut at = 0;
    let mut same = true;
    plan.for_each_column(&mut |c| {
        same &= columns.get(at).is_some_and(|wanted| wanted.name == c.name);
        at += 1;
    });
    if !same {
        restore(plan, Some(columns));
    }
}

/// Prunes below a node whose rows must keep their layout.
fn prune_exact(plan: &mut LogicalPlan) {
    if let LogicalPlan::Project(n) = plan {
        let mut needed = ColumnSet::new();
        n.projections
            .iter()
            .for_each(|p| needed.insert_expr(&p.expr));
        prune(&mut n.input, &needed);
        let mut same = true;
        let mut at = 0;
        n.input.for_each_column(&mut |c| {
            same &= n.projections.get(at).is_some_and(|p| is_pass(p, c.id));
            at += 1;
        });
        if same && at == n.projections.len() {
            *plan = take(&mut n.input);
        }
        return;
    }
    let mut wanted: Vec<ColumnId> = Vec::new();
    plan.for_each_column(&mut |c| wanted.push(c.id));
    let needed = wanted.iter().copied().collect();
    let columns = if may_widen(plan) {
        Some(plan.columns())
    } else {
        None
    };
    prune(plan, &needed);
    let mut now = Vec::with_capacity(wanted.len());
    plan.for_each_column(&mut |c| now.push(c.id));
    if now != wanted {
        restore(plan, columns);
    }
}

/// Nodes that hand their input's rows on: once a projection below is gone, these may be wider.
fn may_widen(plan: &LogicalPlan) -> bool {
    !matches!(
        plan,
        LogicalPlan::Scan(_)
            | LogicalPlan::External(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::UnionAll(_)
            | LogicalPlan::SetOp(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Recursive(_)
            | LogicalPlan::WorkingTable(_)
    )
}

fn restore(plan: &mut LogicalPlan, columns: Option<Vec<PlanColumn>>) {
    if let Some(columns) = columns {
        replace(plan, |plan| {
            project(plan, columns.into_iter().map(pass).collect())
        });
    }
}

fn is_pass(p: &crate::Projection, id: ColumnId) -> bool {
    p.column.id == id && matches!(&p.expr, Expr::Column { id: read, .. } if *read == id)
}

/// Prunes a node of which only `needed` is read. Its rows may end up wider or narrower; what is
/// needed is in them.
fn prune(plan: &mut LogicalPlan, needed: &ColumnSet) {
    match plan {
        LogicalPlan::Scan(n) => {
            let mut read = needed.clone();
            n.predicates.iter().for_each(|p| read.insert_expr(p));
            n.columns.retain(|(_, c)| read.contains(c.id));
            n.row_id = n.row_id.take().filter(|c| read.contains(c.id));
        }
        LogicalPlan::External(n) => n.columns.retain(|(_, c)| needed.contains(c.id)),
        LogicalPlan::Values(n) => {
            let kept: Vec<usize> = (0..n.columns.len())
                .filter(|i| n.columns.get(*i).is_some_and(|c| needed.contains(c.id)))
                .collect();
            if kept.len() == n.columns.len() {
                return;
            }
            let batches: Result<Vec<_>, _> = n.batches.iter().map(|b| b.project(&kept)).collect();
            if let Ok(batches) = batches {
                n.batches = batches;
                n.columns.retain(|c| needed.contains(c.id));
            }
        }
        LogicalPlan::Filter(n) => {
            let mut below = needed.clone();
            below.insert_expr(&n.predicate);
            prune(&mut n.input, &below);
        }
        LogicalPlan::Project(n) => {
            n.projections.retain(|p| needed.contains(p.column.id));
            let mut below = ColumnSet::new();
            n.projections
                .iter()
                .for_each(|p| below.insert_expr(&p.expr));
            prune(&mut n.input, &below);
            if n.projections.iter().all(|p| is_pass(p, p.column.id)) {
                *plan = take(&mut n.input);
            }
        }
        LogicalPlan::Join(n) => {
            n.aggregates.retain(|(c, _)| needed.contains(c.id));
            if drops_right(n, needed) {
                let mut left = take(&mut n.left);
                prune(&mut left, needed);
                *plan = left;
                return;
            }
            let mut below = needed.clone();
            for (l, r) in &n.on {
                below.insert_expr(l);
                below.insert_expr(r);
            }
            n.filter.iter().for_each(|f| below.insert_expr(f));
            for (_, call) in &n.aggregates {
                let exprs = call.args.iter().chain(&call.filter);
                exprs.for_each(|e| below.insert_expr(e));
            }
            prune(&mut n.left, &below);
            prune(&mut n.right, &below);
        }
        LogicalPlan::Apply(n) => {
            let mut below = needed.clone();
            below.extend(&n.inner.free_columns());
            let mut inside = needed.clone();
            match &n.kind {
                ApplyKind::In {
                    needle, haystack, ..
                } => {
                    needle.iter().for_each(|e| below.insert_expr(e));
                    haystack.iter().for_each(|e| inside.insert_expr(e));
                }
                ApplyKind::Scalar { .. } => inside = n.inner.column_set(),
                ApplyKind::Cross | ApplyKind::Left | ApplyKind::Exists { .. } => {}
            }
            prune(&mut n.outer, &below);
            prune(&mut n.inner, &inside);
        }
        LogicalPlan::Aggregate(n) => {
            n.aggregates.retain(|(c, _)| needed.contains(c.id));
            if n.groups.is_empty() && n.aggregates.is_empty() {
                *plan = LogicalPlan::one_row();
                return;
            }
            let mut below = ColumnSet::new();
            n.groups.iter().for_each(|g| below.insert_expr(&g.expr));
            for (_, call) in &n.aggregates {
                call.args.iter().for_each(|e| below.insert_expr(e));
                call.filter.iter().for_each(|e| below.insert_expr(e));
                call.order_by
                    .iter()
                    .for_each(|k| below.insert_expr(&k.expr));
            }
            prune(&mut n.input, &below);
        }
        LogicalPlan::Distinct(n) => prune_exact(&mut n.input),
        LogicalPlan::Sort(n) => {
            let mut below = needed.clone();
            n.keys.iter().for_each(|k| below.insert_expr(&k.expr));
            prune(&mut n.input, &below);
        }
        LogicalPlan::Limit(n) => prune(&mut n.input, needed),
        // All places read the same columns.
        LogicalPlan::Shared(n) => prune_exact(&mut n.input),
        LogicalPlan::Window(n) => {
            n.functions.retain(|(c, _)| needed.contains(c.id));
            if n.functions.is_empty() {
                let mut input = take(&mut n.input);
                prune(&mut input, needed);
                *plan = input;
                return;
            }
            let mut below = needed.clone();
            for e in n
                .partition_by
                .iter()
                .chain(n.order_by.iter().map(|k| &k.expr))
            {
                below.insert_expr(e);
            }
            for e in n.functions.iter().flat_map(|(_, call)| call.exprs()) {
                below.insert_expr(e);
            }
            prune(&mut n.input, &below);
        }
        LogicalPlan::Expand(n) => {
            let mut below = needed.clone();
            n.keys.iter().for_each(|key| below.insert_expr(&key.expr));
            prune(&mut n.input, &below);
        }
        LogicalPlan::Series(n) => {
            let mut below = needed.clone();
            let exprs = n.series.iter().flat_map(SeriesColumn::exprs);
            exprs.for_each(|expr| below.insert_expr(expr));
            prune(&mut n.input, &below);
        }
        // Each round reads all columns of the one before.
        LogicalPlan::Recursive(n) => {
            prune_exact(&mut n.base);
            prune_exact(&mut n.step);
        }
        LogicalPlan::WorkingTable(_) => {}
        LogicalPlan::UnionAll(n) => prune_union(n, needed),
        LogicalPlan::SetOp(n) => {
            prune_exact(&mut n.left);
            prune_exact(&mut n.right);
        }
    }
}

/// Joins that keep each left row once and whose other columns nobody reads.
fn drops_right(n: &Join, needed: &ColumnSet) -> bool {
    match n.kind {
        JoinKind::Mark => n.mark.as_ref().is_some_and(|m| !needed.contains(m.id)),
        JoinKind::Group => n.aggregates.is_empty(),
        JoinKind::Left | JoinKind::Single => {
            at_most_one_row(&n.right) && !n.right.column_set().intersects(needed)
        }
        _ => false,
    }
}

fn prune_union(n: &mut UnionAll, needed: &ColumnSet) {
    let keep: Vec<bool> = n.columns.iter().map(|c| needed.contains(c.id)).collect();
    for input in &mut n.inputs {
        let kept: Vec<PlanColumn> = input
            .columns()
            .into_iter()
            .zip(&keep)
            .filter_map(|(c, keep)| keep.then_some(c))
            .collect();
        let ids = kept.iter().map(|c| c.id).collect();
        prune(input, &ids);
        let mut at = 0;
        let mut same = true;
        input.for_each_column(&mut |c| {
            same &= kept.get(at).is_some_and(|k| k.id == c.id);
            at += 1;
        });
        if !same || at != kept.len() {
            restore(input, Some(kept));
        }
    }
    let mut keep = keep.into_iter();
    n.columns.retain(|_| keep.next().unwrap_or(true));
}
