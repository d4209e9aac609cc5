//! Sorts whose order nobody sees, duplicates that cannot be, aggregates that say the same twice.

use crate::analysis::at_most_one_row;
use crate::column_set::ColumnSet;
use crate::walk::{NodeKinds, take};
use crate::{Aggregate, JoinKind, LogicalPlan, PlanColumn, Project, Rule, RuleContext};
use llkv_expr::{AggregateFunction, ColumnId, Expr};
use llkv_result::Result;

/// The rule.
pub(super) struct RemoveRedundantWork;

impl Rule for RemoveRedundantWork {
    fn name(&self) -> &'static str {
        "remove_redundant_work"
    }

    fn description(&self) -> &'static str {
        "Drops sorts whose order is lost, DISTINCT over distinct rows, repeated aggregates."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::SORT
            .or(NodeKinds::DISTINCT)
            .or(NodeKinds::AGGREGATE)
    }

    fn rewrite(&self, plan: &mut LogicalPlan, _context: &mut RuleContext<'_>) -> Result<bool> {
        let mut changed = false;
        walk(plan, true, &mut changed);
        Ok(changed)
    }
}

/// `ordered`: somebody may see the order of the rows.
fn walk(plan: &mut LogicalPlan, ordered: bool, changed: &mut bool) {
    loop {
        let input = match plan {
            LogicalPlan::Sort(n)
                if n.fetch.is_none() && (!ordered || at_most_one_row(&n.input)) =>
            {
                &mut n.input
            }
            LogicalPlan::Distinct(n) if has_distinct_rows(&n.input) => &mut n.input,
            _ => break,
        };
        *plan = take(input);
        *changed = true;
    }
    match plan {
        LogicalPlan::Sort(n) => {
            // The sort is stable, so the order below decides among equal keys: it is seen.
            walk(&mut n.input, ordered || n.fetch.is_some(), changed);
        }
        LogicalPlan::Limit(n) => walk(&mut n.input, true, changed),
        // The order below decides among rows that a window's keys leave equal.
        LogicalPlan::Window(n) => walk(&mut n.input, true, changed),
        LogicalPlan::Recursive(n) => {
            walk(&mut n.base, ordered, changed);
            walk(&mut n.step, ordered, changed);
        }
        LogicalPlan::Distinct(n) => walk(&mut n.input, false, changed),
        LogicalPlan::SetOp(n) => {
            walk(&mut n.left, false, changed);
            walk(&mut n.right, false, changed);
        }
        LogicalPlan::Aggregate(n) => {
            *changed |= simplify_calls(n);
            let calls = &n.aggregates;
            let below = calls
                .iter()
                .any(|(_, call)| call.function.depends_on_order());
            walk(&mut n.input, below, changed);
            if let Some(projections) = merge_equal_calls(n) {
                let aggregate = take(plan);
                *plan = LogicalPlan::Project(Project {
                    input: Box::new(aggregate),
                    projections,
                });
                *changed = true;
            }
        }
        LogicalPlan::Join(n) => {
            walk(&mut n.left, ordered, changed);
            let right_order_shows = matches!(n.kind, JoinKind::Right | JoinKind::Full);
            walk(&mut n.right, ordered && right_order_shows, changed);
        }
        other => {
            other.for_each_input_mut(&mut |input| walk(input, ordered, changed));
        }
    }
}

/// Are no two rows of the plan equal?
fn has_distinct_rows(plan: &LogicalPlan) -> bool {
    at_most_one_row(plan) || key(plan).is_some_and(|key| key.is_subset(&plan.column_set()))
}

/// Columns of which no two rows have the same values.
fn key(plan: &LogicalPlan) -> Option<ColumnSet> {
    match plan {
        LogicalPlan::Aggregate(n) => Some(n.groups.iter().map(|g| g.column.id).collect()),
        LogicalPlan::Distinct(n) => Some(n.input.column_set()),
        LogicalPlan::SetOp(n) if !n.all => Some(n.columns.iter().map(|c| c.id).collect()),
        LogicalPlan::Recursive(n) if n.distinct => Some(n.columns.iter().map(|c| c.id).collect()),
        LogicalPlan::Window(n) => key(&n.input),
        LogicalPlan::Filter(n) => key(&n.input),
        LogicalPlan::Sort(n) => key(&n.input),
        LogicalPlan::Limit(n) => key(&n.input),
        LogicalPlan::Project(n) => {
            let below = key(&n.input)?;
            let renamed = |id: ColumnId| {
                n.projections.iter().find_map(|p| match &p.expr {
                    Expr::Column { id: read, .. } if *read == id => Some(p.column.id),
                    _ => None,
                })
            };
            below.iter().map(renamed).collect()
        }
        LogicalPlan::Join(n)
            if matches!(
                n.kind,
                JoinKind::Semi
                    | JoinKind::Anti
                    | JoinKind::NullAwareAnti
                    | JoinKind::Mark
                    | JoinKind::Group
                    | JoinKind::Single
            ) =>
        {
            key(&n.left)
        }
        _ => None,
    }
}

/// DISTINCT where it changes nothing, `count(x)` of an x that is never NULL.
fn simplify_calls(n: &mut Aggregate) -> bool {
    let mut changed = false;
    let mut columns: Option<Vec<PlanColumn>> = None;
    for (_, call) in &mut n.aggregates {
        if call.distinct && call.function.ignores_duplicates() {
            call.distinct = false;
            changed = true;
        }
        if call.function == AggregateFunction::Count && !call.distinct {
            let columns = columns.get_or_insert_with(|| n.input.columns());
            let never_null = match call.args.first() {
                Some(Expr::Column { id, .. }) => columns.iter().any(|c| c.id == *id && !c.nullable),
                Some(Expr::Literal(value)) => !value.is_null(),
                _ => false,
            };
            if never_null {
                call.function = AggregateFunction::CountStar;
                call.args.clear();
                changed = true;
            }
        }
    }
    changed
}

/// Where two calls are equal: keeps one, and gives the projection that has its value twice.
fn merge_equal_calls(n: &mut Aggregate) -> Option<Vec<crate::Projection>> {
    let mut same: Vec<(usize, usize)> = Vec::new();
    for (at, (_, call)) in n.aggregates.iter().enumerate() {
        let earlier = n.aggregates.iter().take(at);
        let found = earlier.enumerate().find(|(_, (_, known))| known == call);
        if let Some((first, _)) = found
            && !call.args.iter().any(Expr::is_volatile)
        {
            same.push((at, first));
        }
    }
    if same.is_empty() {
        return None;
    }
    let groups = n.groups.iter().map(|g| g.column.clone());
    let mut projections: Vec<crate::Projection> = groups.map(super::build::pass).collect();
    for (at, (column, _)) in n.aggregates.iter().enumerate() {
        let source = same
            .iter()
            .find(|(gone, _)| *gone == at)
            .and_then(|(_, first)| n.aggregates.get(*first))
            .map_or(column, |(first, _)| first);
        projections.push(crate::Projection {
            column: column.clone(),
            expr: super::build::column(source),
        });
    }
    let mut at = 0;
    n.aggregates.retain(|_| {
        at += 1;
        !same.iter().any(|(gone, _)| *gone == at - 1)
    });
    Some(projections)
}
