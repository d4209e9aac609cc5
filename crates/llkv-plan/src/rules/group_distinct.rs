//! Aggregates of distinct texts without groups: the texts become groups first, which all threads share and which may
//! be written to files.

use super::build::column;
use crate::walk::{NodeKinds, take};
use crate::{Aggregate, LogicalPlan, Projection, Rule, RuleContext};
use llkv_expr::Expr;
use llkv_result::Result;
use llkv_types::SqlType;

/// The rule.
pub(super) struct GroupDistinct;

impl Rule for GroupDistinct {
    fn name(&self) -> &'static str {
        "group_distinct"
    }

    fn description(&self) -> &'static str {
        "count(DISTINCT x) of all rows counts the groups of a text x."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::AGGREGATE
    }

    fn rewrite(&self, plan: &mut LogicalPlan, context: &mut RuleContext<'_>) -> Result<bool> {
        let mut changed = false;
        walk(plan, context, &mut changed);
        Ok(changed)
    }
}

fn walk(plan: &mut LogicalPlan, context: &mut RuleContext<'_>, changed: &mut bool) {
    plan.for_each_input_mut(&mut |input| walk(input, context, changed));
    if let LogicalPlan::Aggregate(n) = plan
        && let Some(value) = only_value(n).cloned()
    {
        regroup(n, value, context);
        *changed = true;
    }
}

/// The one expression of which every call takes the distinct values.
fn only_value(n: &Aggregate) -> Option<&Expr> {
    let (_, first) = n.aggregates.first()?;
    let [value] = first.args.as_slice() else {
        return None;
    };
    let takes_it = |call: &llkv_expr::AggregateExpr| {
        call.distinct
            && call.filter.is_none()
            && call.order_by.is_empty()
            && !call.function.depends_on_order()
            && call.args == first.args
    };
    // Numbers are told apart in the aggregate for less than as groups.
    let is_long = matches!(value.ty(), SqlType::Text | SqlType::Blob);
    let fits = n.groups.is_empty() && n.aggregates.iter().all(|(_, call)| takes_it(call));
    (fits && is_long && !value.is_volatile()).then_some(value)
}

fn regroup(n: &mut Aggregate, value: Expr, context: &mut RuleContext<'_>) {
    let key = context.fresh("value", value.ty(), true);
    let input = take(&mut n.input);
    *n.input = LogicalPlan::Aggregate(Aggregate {
        input: Box::new(input),
        groups: vec![Projection {
            column: key.clone(),
            expr: value,
        }],
        aggregates: Vec::new(),
    });
    for (_, call) in &mut n.aggregates {
        call.distinct = false;
        call.args = vec![column(&key)];
    }
}
