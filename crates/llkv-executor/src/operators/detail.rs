//! What an operator works on, in words: made of the plan's node when somebody asks.

use llkv_plan::{Join, JoinKind, LogicalPlan, Scan, SetOpKind};
use std::fmt::Display;

/// What the operator of a node works on, for people.
pub(super) fn of(plan: &LogicalPlan) -> String {
    match plan {
        LogicalPlan::Scan(node) => of_scan(node),
        LogicalPlan::External(node) => node.source.name(),
        LogicalPlan::Values(node) => {
            let rows: usize = node.batches.iter().map(|batch| batch.num_rows()).sum();
            format!("{rows} rows")
        }
        LogicalPlan::Filter(node) => node.predicate.to_string(),
        LogicalPlan::Project(node) => list(node.projections.iter().map(|p| &p.expr)),
        LogicalPlan::Join(node) => of_join(node),
        LogicalPlan::Aggregate(node) => format!(
            "[{}] [{}]",
            list(node.groups.iter().map(|group| &group.expr)),
            list(node.aggregates.iter().map(|(_, call)| call))
        ),
        LogicalPlan::Sort(node) => match node.fetch {
            Some(fetch) => format!("{fetch} by {}", list(&node.keys)),
            None => list(&node.keys),
        },
        LogicalPlan::Limit(node) => {
            let fetch = node.fetch.map_or("all".to_owned(), |rows| rows.to_string());
            format!("{fetch} skip {}", node.skip)
        }
        LogicalPlan::SetOp(node) => match (node.kind, node.all) {
            (SetOpKind::Except | SetOpKind::Intersect, true) => "all".to_owned(),
            (SetOpKind::Except | SetOpKind::Intersect, false) => "distinct".to_owned(),
        },
        LogicalPlan::Window(node) => format!(
            "[{}] [{}] [{}]",
            list(&node.partition_by),
            list(&node.order_by),
            list(node.functions.iter().map(|(_, call)| call))
        ),
        LogicalPlan::Expand(node) => format!(
            "{} sets of [{}]",
            node.sets.len(),
            list(node.keys.iter().map(|key| &key.expr))
        ),
        LogicalPlan::Series(node) => {
            let calls = node.series.iter();
            let calls = calls.map(|s| format!("{}({})", s.function(), list(s.exprs())));
            calls.collect::<Vec<_>>().join(", ")
        }
        LogicalPlan::Recursive(node) => match node.distinct {
            true => node.name.clone(),
            false => format!("{} all", node.name),
        },
        LogicalPlan::WorkingTable(node) => node.name.clone(),
        LogicalPlan::Shared(node) => node.number.to_string(),
        _ => String::new(),
    }
}

fn of_scan(node: &Scan) -> String {
    let mut text = node.table_name.clone();
    if let Some(index) = &node.index {
        text = format!("{text} by index {}", index.name);
    }
    if !node.predicates.is_empty() {
        text = format!("{text} where {}", list(&node.predicates));
    }
    text
}

fn of_join(node: &Join) -> String {
    let kind = match node.kind {
        JoinKind::Inner => "inner",
        JoinKind::Left => "left",
        JoinKind::Right => "right",
        JoinKind::Full => "full",
        JoinKind::Semi => "semi",
        JoinKind::Anti => "anti",
        JoinKind::NullAwareAnti => "null-aware anti",
        JoinKind::Mark => "mark",
        JoinKind::Group => "group",
        JoinKind::Single => "single",
    };
    let on = list(node.on.iter().map(|(l, r)| format!("{l} = {r}")));
    let filter = node.filter.as_ref().map(|f| format!(" and {f}"));
    let first = if node.left_first { " (left first)" } else { "" };
    format!("{kind} on [{on}]{}{first}", filter.unwrap_or_default())
}

/// Items behind one another.
pub(crate) fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(", ")
}
