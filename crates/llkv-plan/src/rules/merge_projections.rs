//! A projection of a projection becomes one, and neighbouring filters one.

use super::build::replace;
use crate::walk::{NodeKinds, take};
use crate::{LogicalPlan, Project, Rule, RuleContext};
use hashbrown::HashMap;
use llkv_expr::{ColumnId, Expr};
use llkv_result::Result;

/// The rule.
pub(super) struct MergeProjections;

impl Rule for MergeProjections {
    fn name(&self) -> &'static str {
        "merge_projections"
    }

    fn description(&self) -> &'static str {
        "Adjacent projections become one where no computation is repeated by it."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::PROJECT
    }

    fn rewrite(&self, plan: &mut LogicalPlan, _context: &mut RuleContext<'_>) -> Result<bool> {
        let mut changed = false;
        walk(plan, &mut changed);
        Ok(changed)
    }
}

fn walk(plan: &mut LogicalPlan, changed: &mut bool) {
    while let LogicalPlan::Project(n) = plan {
        let joins = matches!(&*n.input, LogicalPlan::Project(inner) if mergeable(n, inner));
        if !joins {
            break;
        }
        merge(n);
        *changed = true;
    }
    plan.for_each_input_mut(&mut |input| walk(input, changed));
}

/// Costs nothing to repeat.
fn is_free(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Column { .. } | Expr::Literal(_) | Expr::Parameter { .. }
    )
}

/// No computed column of the inner projection is read twice, none that is volatile is moved.
fn mergeable(outer: &Project, inner: &Project) -> bool {
    let computed: HashMap<ColumnId, bool> = inner
        .projections
        .iter()
        .filter(|p| !is_free(&p.expr))
        .map(|p| (p.column.id, p.expr.is_volatile()))
        .collect();
    if computed.is_empty() {
        return true;
    }
    let mut reads: HashMap<ColumnId, usize> = HashMap::new();
    for p in &outer.projections {
        p.expr.visit(&mut |e| {
            if let Expr::Column { id, .. } = e {
                *reads.entry(*id).or_default() += 1;
            }
        });
    }
    let simple = outer.projections.iter().all(|p| is_free(&p.expr));
    computed.iter().all(|(id, volatile)| match reads.get(id) {
        Some(count) => *count <= 1 && (!volatile || simple),
        // Nobody reads it: a volatile value that is not computed is not missed.
        None => true,
    })
}

/// Makes one projection of a projection over a projection.
fn merge(n: &mut Project) {
    let LogicalPlan::Project(mut inner) = take(&mut n.input) else {
        return;
    };
    let values: HashMap<ColumnId, Expr> = inner
        .projections
        .drain(..)
        .map(|p| (p.column.id, p.expr))
        .collect();
    for p in &mut n.projections {
        let expr = std::mem::replace(&mut p.expr, Expr::boolean(false));
        p.expr = expr.map_columns(&mut |id| values.get(&id).cloned());
    }
    replace(&mut n.input, |_| take(&mut inner.input));
}
