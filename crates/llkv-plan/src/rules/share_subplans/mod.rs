//! Parts of a plan that compute the same rows, as those of a WITH that is read twice, are computed once.
//!
//! Runs after columns were pruned, filters pushed down and joins ordered: a part that its place needs less of than the
//! others is then another part. Columns may differ, for computing all of them costs little where the rows are there.

mod merge;

use super::build::{pass, project};
use super::rebind::{Renaming, fresh_copy};
use crate::walk::NodeKinds;
use crate::{Join, LogicalPlan, PlanColumn, Projection, Rule, RuleContext, Shared};
use llkv_result::Result;
use llkv_types::{SqlType, TableId};
use merge::{merge, read};
use smallvec::SmallVec;

/// Rows that computing a part again must cost for each row that is kept of it.
const WORK_PER_ROW: f64 = 8.0;
/// Rows that it must cost at least: less is done before rows were kept and handed out.
const LEAST_WORK: f64 = 20_000.0;
/// Rows that a table must have for that.
const LEAST_ROWS: f64 = 5_000.0;
/// The keys of the other side of a join leave little of a part that is so many times larger.
const REDUCED: f64 = 4.0;

/// The rule.
pub(super) struct ShareSubplans;

impl Rule for ShareSubplans {
    fn name(&self) -> &'static str {
        "share_subplans"
    }

    fn description(&self) -> &'static str {
        "Computes once what several parts of the plan compute alike."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::JOIN.or(NodeKinds::SET)
    }

    fn rewrite(&self, plan: &mut LogicalPlan, context: &mut RuleContext<'_>) -> Result<bool> {
        if !reads_a_table_twice(plan, context) {
            return Ok(false);
        }
        let mut changed = false;
        while let Some(shared) = find(plan, context) {
            share(plan, &shared, context);
            changed = true;
        }
        Ok(changed)
    }
}

/// Whether there may be something to share, without recursion or allocation: nearly all plans end here.
fn reads_a_table_twice(plan: &LogicalPlan, context: &RuleContext<'_>) -> bool {
    let mut tables: SmallVec<[TableId; 16]> = SmallVec::new();
    let mut plans: SmallVec<[&LogicalPlan; 16]> = SmallVec::new();
    plans.push(plan);
    while let Some(node) = plans.pop() {
        if let LogicalPlan::Scan(scan) = node {
            let is_read = tables.contains(&scan.table);
            if is_read && context.estimator.rows_of_table(scan.table) >= LEAST_ROWS {
                return true;
            }
            tables.push(scan.table);
        }
        node.for_each_input(&mut |input| plans.push(input));
    }
    false
}

/// A part that may be shared.
struct Part<'a> {
    plan: &'a LogicalPlan,
    /// Number of its node in the plan, each node before its inputs, ...
    at: usize,
    /// ... and how many nodes it has.
    nodes: usize,
    /// Its place needs few of its rows, and a join tells it so while it runs.
    is_reduced: bool,
    /// Tables in the order in which they stand there.
    tables: Vec<TableId>,
}

impl Part<'_> {
    fn may_equal(&self, other: &Self) -> bool {
        other.at >= self.at + self.nodes
            && self.nodes == other.nodes
            && self.tables == other.tables
            && std::mem::discriminant(self.plan) == std::mem::discriminant(other.plan)
    }
}

/// What several places have in common.
struct Found {
    plan: LogicalPlan,
    /// The number of each place's node, and its columns in terms of the plan's.
    places: Vec<(usize, Vec<Projection>)>,
}

/// The first part, the larger ones before those within them, that is worth computing once.
fn find(plan: &LogicalPlan, context: &mut RuleContext<'_>) -> Option<Found> {
    let mut parts = Vec::new();
    collect(plan, &mut 0, false, context, &mut parts);
    for (number, part) in parts.iter().enumerate() {
        let mut merged = part.plan.clone();
        let mut places: Vec<(&Part<'_>, Renaming)> = vec![(part, Renaming::new())];
        for other in parts.iter().skip(number + 1) {
            if !places.last().is_some_and(|(last, _)| last.may_equal(other)) {
                continue;
            }
            let (mut both, mut same) = (merged.clone(), Renaming::new());
            if merge(&mut both, &mut other.plan.clone(), &mut same, context) {
                merged = both;
                places.push((other, same));
            }
        }
        let is_read_whole = places.iter().any(|(place, _)| !place.is_reduced);
        if places.len() > 1 && is_read_whole && is_worth_it(&merged, places.len(), context) {
            let places = places.iter().map(|(place, same)| {
                let columns = place.plan.columns().into_iter();
                let columns = columns.map(|column| Projection {
                    expr: read(&column, same),
                    column,
                });
                (place.at, columns.collect())
            });
            let places = places.collect();
            return Some(Found {
                plan: merged,
                places,
            });
        }
    }
    None
}

/// All parts that may be shared, and the tables below each.
fn collect<'a>(
    plan: &'a LogicalPlan,
    next: &mut usize,
    is_reduced: bool,
    context: &RuleContext<'_>,
    parts: &mut Vec<Part<'a>>,
) -> Option<Vec<TableId>> {
    if matches!(plan, LogicalPlan::Shared(_) | LogicalPlan::Recursive(_)) {
        // Computed once already; and of a recursion nobody knows how often.
        *next += nodes(plan);
        return None;
    }
    let at = *next;
    *next += 1;
    let number = parts.len();
    // Parts are in the order of their nodes; what turns out to be none is taken out again.
    parts.push(Part {
        plan,
        at,
        nodes: 0,
        is_reduced,
        tables: Vec::new(),
    });
    let mut tables = Some(Vec::new());
    let mut is_right = false;
    plan.for_each_input(&mut |input| {
        let reduced = match plan {
            LogicalPlan::Join(join) => is_reduced || is_reduced_by(join, is_right, context),
            LogicalPlan::Aggregate(n) => is_reduced && !n.groups.is_empty(),
            _ => is_reduced,
        };
        is_right = true;
        let below = collect(input, next, reduced, context, parts);
        tables = tables.take().zip(below).map(|(mut all, below)| {
            all.extend(below);
            all
        });
    });
    if let LogicalPlan::Scan(scan) = plan {
        tables = Some(vec![scan.table]);
    }
    let mut is_pure = true;
    plan.for_each_expr(&mut |expr| is_pure &= !expr.is_volatile());
    let known = matches!(
        plan,
        LogicalPlan::Scan(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Project(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Distinct(_)
    );
    let tables = tables.filter(|_| is_pure && known);
    let is_work = matches!(
        plan,
        LogicalPlan::Join(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Distinct(_)
    );
    match (&tables, parts.get_mut(number)) {
        (Some(tables), Some(part)) if is_work => {
            part.nodes = *next - at;
            part.tables.clone_from(tables);
        }
        _ => {
            parts.remove(number);
        }
    }
    tables
}

/// Whether the keys of the other side leave few rows of an input of a join.
fn is_reduced_by(join: &Join, is_right: bool, context: &RuleContext<'_>) -> bool {
    let rows = |plan| context.estimator.of(plan).rows;
    let (own, other) = match is_right {
        true => (&join.right, &join.left),
        false => (&join.left, &join.right),
    };
    !join.on.is_empty() && rows(other) * REDUCED < rows(own)
}

fn is_worth_it(plan: &LogicalPlan, places: usize, context: &RuleContext<'_>) -> bool {
    let work = work(plan, context);
    let kept = context.estimator.of(plan).rows;
    work >= LEAST_WORK && work * (places as f64 - 1.0) > kept * places as f64 * WORK_PER_ROW
}

/// Rows that all nodes go through.
fn work(plan: &LogicalPlan, context: &RuleContext<'_>) -> f64 {
    let mut rows = match plan {
        LogicalPlan::Scan(scan) => context.estimator.rows_of_table(scan.table),
        _ => 0.0,
    };
    plan.for_each_input(&mut |input| {
        rows += context.estimator.of(input).rows + work(input, context);
    });
    rows
}

/// Puts what was found in its places.
fn share(plan: &mut LogicalPlan, found: &Found, context: &mut RuleContext<'_>) {
    let number = context.fresh("", SqlType::Null, true).id.0;
    let mut places = found
        .places
        .iter()
        .enumerate()
        .map(|(at, (node, columns))| {
            let (input, columns) = if at == 0 {
                (found.plan.clone(), columns.clone())
            } else {
                let (copy, renaming) = fresh_copy(&found.plan, context);
                let mut columns = columns.clone();
                for projection in &mut columns {
                    super::rebind::rename_expr(&mut projection.expr, &renaming);
                }
                (copy, columns)
            };
            let shared = LogicalPlan::Shared(Shared {
                number,
                places: found.places.len() as u32,
                input: Box::new(input),
            });
            (*node, handed_on(shared, columns))
        });
    let mut next_place = places.next();
    put(plan, &mut 0, &mut |node| {
        let (at, _) = next_place.as_ref()?;
        if *at != node {
            return None;
        }
        let place = std::mem::replace(&mut next_place, places.next());
        place.map(|(_, plan)| plan)
    });
}

/// The columns under the ids by which the place knows them.
fn handed_on(shared: LogicalPlan, columns: Vec<Projection>) -> LogicalPlan {
    let as_they_are: Vec<PlanColumn> = shared.columns();
    let is_same = as_they_are.len() == columns.len()
        && as_they_are.into_iter().zip(&columns).all(|(own, wanted)| {
            pass(own).expr == wanted.expr && wanted.expr == super::build::column(&wanted.column)
        });
    match is_same {
        true => shared,
        false => project(shared, columns),
    }
}

/// Puts plans in the place of nodes, which `plan_for` gives for the number of a node.
fn put(
    plan: &mut LogicalPlan,
    next: &mut usize,
    plan_for: &mut dyn FnMut(usize) -> Option<LogicalPlan>,
) {
    let at = *next;
    if let Some(new) = plan_for(at) {
        *next += nodes(plan);
        *plan = new;
        return;
    }
    *next += 1;
    plan.for_each_input_mut(&mut |input| put(input, next, plan_for));
}

fn nodes(plan: &LogicalPlan) -> usize {
    let mut count = 1;
    plan.for_each_input(&mut |input| count += nodes(input));
    count
}
