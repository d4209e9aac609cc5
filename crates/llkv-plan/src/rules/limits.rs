//! A LIMIT reaches the sort below it, which then keeps the first rows only (top-k), and the inputs
//! of a union.

use super::build::{empty, replace};
use crate::analysis::exactly_one_row;
use crate::walk::{NodeKinds, take};
use crate::{Limit, LogicalPlan, Rule, RuleContext};
use llkv_result::Result;

/// The rule.
pub(super) struct PushDownLimits;

impl Rule for PushDownLimits {
    fn name(&self) -> &'static str {
        "push_down_limits"
    }

    fn description(&self) -> &'static str {
        "Limits move below projections and into unions, and turn sorts into top-k."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::LIMIT
    }

    fn rewrite(&self, plan: &mut LogicalPlan, _context: &mut RuleContext<'_>) -> Result<bool> {
        let mut changed = false;
        walk(plan, &mut changed);
        Ok(changed)
    }
}

fn walk(plan: &mut LogicalPlan, changed: &mut bool) {
    if matches!(plan, LogicalPlan::Limit(_)) {
        replace(plan, |plan| match plan {
            LogicalPlan::Limit(n) => push(n, changed),
            other => other,
        });
    }
    plan.for_each_input_mut(&mut |input| walk(input, changed));
}

fn push(mut n: Limit, changed: &mut bool) -> LogicalPlan {
    if n.fetch == Some(0) {
        *changed = true;
        return empty(n.input.columns());
    }
    if n.skip == 0 && (n.fetch.is_none() || exactly_one_row(&n.input)) {
        *changed = true;
        return *n.input;
    }
    let wanted = n.fetch.map(|fetch| fetch.saturating_add(n.skip));
    match n.input.as_mut() {
        LogicalPlan::Project(project) => {
            *changed = true;
            let mut project = std::mem::replace(
                project,
                crate::Project {
                    input: Box::new(empty(Vec::new())),
                    projections: Vec::new(),
                },
            );
            *n.input = take(&mut project.input);
            *project.input = push(n, changed);
            return LogicalPlan::Project(project);
        }
        LogicalPlan::Limit(inner) => {
            // Rows skip..skip+fetch of rows inner.skip..inner.skip+inner.fetch.
            *changed = true;
            let left = inner.fetch.map(|f| f.saturating_sub(n.skip));
            let fetch = match (left, n.fetch) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            let merged = Limit {
                skip: inner.skip.saturating_add(n.skip),
                fetch,
                input: Box::new(take(&mut inner.input)),
            };
            return push(merged, changed);
        }
        LogicalPlan::Sort(sort) => {
            if let Some(wanted) = wanted
                && sort.fetch.is_none_or(|f| f > wanted)
            {
                sort.fetch = Some(wanted);
                *changed = true;
            }
        }
        LogicalPlan::UnionAll(union) => {
            if let Some(wanted) = wanted {
                for input in &mut union.inputs {
                    let bounded = match input {
                        LogicalPlan::Limit(l) => l.fetch.is_some_and(|f| f <= wanted),
                        LogicalPlan::Values(v) => {
                            v.batches.iter().map(|b| b.num_rows() as u64).sum::<u64>() <= wanted
                        }
                        _ => false,
                    };
                    if !bounded {
                        *changed = true;
                        replace(input, |input| {
                            LogicalPlan::Limit(Limit {
                                input: Box::new(input),
                                skip: 0,
                                fetch: Some(wanted),
                            })
                        });
                    }
                }
            }
        }
        _ => {}
    }
    LogicalPlan::Limit(n)
}
