//! The order of inner joins, by cost.
//!
//! A region of inner joins is taken apart into relations and conditions ([`graph`]), the best tree
//! is searched ([`search`]) and built again. Equalities of columns form classes: a tree tests each
//! class once at each join that links two of its members, and may use equalities that the text
//! only implies. The smaller side of each join becomes the right one: the build side.

mod graph;
mod search;

use crate::rules::build::{conjunction, join, pass, project, replace};
use crate::rules::push_down_filters::push;
use crate::walk::{NodeKinds, take};
use crate::{JoinKind, LogicalPlan, PlanColumn, Rule, RuleContext};
use graph::{Condition, Graph};
use llkv_expr::Expr;
use llkv_result::Result;
use search::Tree;

/// Relations of a region that a set in one word can hold; larger regions keep their order.
const MOST_RELATIONS: usize = 64;

/// The rule.
pub(in crate::rules) struct ReorderJoins;

impl Rule for ReorderJoins {
    fn name(&self) -> &'static str {
        "reorder_joins"
    }

    fn description(&self) -> &'static str {
        "Inner joins run in the order of least expected cost, the smaller side as build side."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::JOIN
    }

    fn rewrite(&self, plan: &mut LogicalPlan, context: &mut RuleContext<'_>) -> Result<bool> {
        walk(plan, true, context);
        Ok(true)
    }
}

/// `exact`: somebody counts on the order of the columns.
fn walk(plan: &mut LogicalPlan, exact: bool, context: &mut RuleContext<'_>) {
    if is_inner(plan) {
        reorder(plan, exact, context);
        return;
    }
    let below = match plan {
        LogicalPlan::Project(_) | LogicalPlan::Aggregate(_) => false,
        LogicalPlan::UnionAll(_)
        | LogicalPlan::SetOp(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Recursive(_) => true,
        _ => exact,
    };
    plan.for_each_input_mut(&mut |input| walk(input, below, context));
}

fn is_inner(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(n) if n.kind == JoinKind::Inner)
}

fn count_relations(plan: &LogicalPlan) -> usize {
    match plan {
        LogicalPlan::Join(n) if n.kind == JoinKind::Inner => {
            count_relations(&n.left) + count_relations(&n.right)
        }
        _ => 1,
    }
}

fn reorder(plan: &mut LogicalPlan, exact: bool, context: &mut RuleContext<'_>) {
    if count_relations(plan) > MOST_RELATIONS {
        plan.for_each_input_mut(&mut |input| walk(input, exact, context));
        return;
    }
    let columns = exact.then(|| plan.columns());
    let mut region = Region::default();
    region.take_apart(take(plan));
    for relation in &mut region.relations {
        walk(relation, false, context);
    }
    let graph = Graph::new(&region.relations, region.conditions, &context.estimator);
    let tree = search::best(&graph);
    let mut builder = Builder {
        relations: region.relations.into_iter().map(Some).collect(),
        graph,
    };
    let (built, _) = builder.build(&tree);
    *plan = builder.finish(built);
    if let Some(columns) = columns {
        restore(plan, columns);
    }
}

/// Puts the columns back into their order where the new tree has another.
pub(in crate::rules) fn restore(plan: &mut LogicalPlan, columns: Vec<PlanColumn>) {
    let mut at = 0;
    let mut same = true;
    plan.for_each_column(&mut |c| {
        same &= columns.get(at).is_some_and(|wanted| wanted.id == c.id);
        at += 1;
    });
    if !same || at != columns.len() {
        replace(plan, |plan| {
            project(plan, columns.into_iter().map(pass).collect())
        });
    }
}

/// A tree of inner joins, taken apart.
#[derive(Default)]
struct Region {
    relations: Vec<LogicalPlan>,
    conditions: Vec<Condition>,
}

impl Region {
    fn take_apart(&mut self, plan: LogicalPlan) {
        match plan {
            LogicalPlan::Join(n) if n.kind == JoinKind::Inner => {
                self.take_apart(*n.left);
                self.take_apart(*n.right);
                for ((l, r), null_equal) in n.on.into_iter().zip(n.null_equal) {
                    self.conditions.push(Condition::Key(l, r, null_equal));
                }
                for predicate in n.filter.map(Expr::into_conjuncts).unwrap_or_default() {
                    self.conditions.push(Condition::Filter(predicate));
                }
            }
            other => self.relations.push(other),
        }
    }
}

/// Makes a plan of a tree.
struct Builder {
    relations: Vec<Option<LogicalPlan>>,
    graph: Graph,
}

impl Builder {
    /// The plan of a tree, and the relations in it.
    fn build(&mut self, tree: &Tree) -> (LogicalPlan, u64) {
        match tree {
            Tree::Relation(at) => {
                let plan = self.relations.get_mut(*at).and_then(Option::take);
                let plan = plan.unwrap_or_else(LogicalPlan::one_row);
                let predicates = self.graph.take_local(*at);
                if predicates.is_empty() {
                    (plan, 1 << at)
                } else {
                    (push(plan, predicates), 1 << at)
                }
            }
            Tree::Join(probe, build) => {
                let (left, left_set) = self.build(probe);
                let (right, right_set) = self.build(build);
                let (on, filter) = self.graph.take_conditions(left_set, right_set);
                let joined = join(left, right, JoinKind::Inner, on, filter);
                (LogicalPlan::Join(joined), left_set | right_set)
            }
        }
    }

    /// What no join could test: conditions without columns.
    fn finish(&mut self, plan: LogicalPlan) -> LogicalPlan {
        match conjunction(self.graph.take_rest()) {
            Some(predicate) => push(plan, vec![predicate]),
            None => plan,
        }
    }
}
