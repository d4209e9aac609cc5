//! What is tested of a column holds for the columns that are equal to it.

use super::build::{filter, replace};
use crate::walk::NodeKinds;
use crate::{Join, JoinKind, LogicalPlan, Rule, RuleContext};
use llkv_expr::{BinaryOp, ColumnId, Expr};
use llkv_result::Result;

/// Predicates of one node above which no equal columns are searched: the search is quadratic.
const MOST_PREDICATES: usize = 64;

/// The rule.
pub(super) struct InferPredicates;

impl Rule for InferPredicates {
    fn name(&self) -> &'static str {
        "infer_predicates"
    }

    fn description(&self) -> &'static str {
        "A test of a join key is made on the other side too: a = b AND a = 5 implies b = 5."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::JOIN.or(NodeKinds::FILTER)
    }

    fn rewrite(&self, plan: &mut LogicalPlan, _context: &mut RuleContext<'_>) -> Result<bool> {
        let mut changed = false;
        walk(plan, &mut changed);
        Ok(changed)
    }
}

/// A test of one column against constants.
#[derive(Clone)]
struct Known {
    column: ColumnId,
    test: Expr,
}

impl Known {
    fn of(predicate: &Expr) -> Option<Self> {
        let operand = match predicate {
            Expr::Binary {
                op, left, right, ..
            } if op.is_comparison() && right.as_literal().is_some() => left,
            Expr::InList { expr, .. } => expr,
            Expr::Like { expr, pattern, .. } if pattern.as_literal().is_some() => expr,
            _ => return None,
        };
        let Expr::Column { id, .. } = operand.as_ref() else {
            return None;
        };
        let mut columns = predicate.columns();
        let alone = columns.all(|read| read == *id);
        (alone && !predicate.is_volatile()).then(|| Self {
            column: *id,
            test: predicate.clone(),
        })
    }

    /// The same test of another column.
    fn on(&self, other: ColumnId) -> Self {
        let mut test = self.test.clone();
        rename(&mut test, other);
        Self {
            column: other,
            test,
        }
    }
}

fn rename(expr: &mut Expr, to: ColumnId) {
    if let Expr::Column { id, .. } = expr {
        *id = to;
    }
    expr.for_each_child_mut(&mut |child| rename(child, to));
}

/// Two columns that an equality makes equal.
fn equal_columns(left: &Expr, right: &Expr) -> Option<(ColumnId, ColumnId)> {
    match (left, right) {
        (Expr::Column { id: a, ty: x }, Expr::Column { id: b, ty: y }) if x == y => Some((*a, *b)),
        _ => None,
    }
}

fn equalities(predicates: &[Expr]) -> impl Iterator<Item = (ColumnId, ColumnId)> + '_ {
    predicates.iter().filter_map(|p| match p {
        Expr::Binary {
            op: BinaryOp::Eq,
            left,
            right,
            ..
        } => equal_columns(left, right),
        _ => None,
    })
}

/// Tests that `known` and the equality of `from` and `to` imply of `to`, without those known.
fn implied(known: &[Known], from: ColumnId, to: ColumnId) -> Vec<Known> {
    if known.len() > MOST_PREDICATES {
        return Vec::new();
    }
    known
        .iter()
        .filter(|k| k.column == from)
        .map(|k| k.on(to))
        .filter(|new| !known.iter().any(|k| k.test == new.test))
        .collect()
}

/// Adds to a conjunction what its equalities imply; gives the tests that hold.
fn close(predicates: &mut Vec<Expr>, mut known: Vec<Known>, changed: &mut bool) -> Vec<Known> {
    known.extend(predicates.iter().filter_map(Known::of));
    if predicates.len() > MOST_PREDICATES {
        return known;
    }
    let pairs: Vec<(ColumnId, ColumnId)> = equalities(predicates).collect();
    for (a, b) in pairs {
        for (from, to) in [(a, b), (b, a)] {
            for new in implied(&known, from, to) {
                predicates.push(new.test.clone());
                known.push(new);
                *changed = true;
            }
        }
    }
    known
}

/// Adds implied predicates below and gives the tests that hold for the rows of the plan.
fn walk(plan: &mut LogicalPlan, changed: &mut bool) -> Vec<Known> {
    match plan {
        LogicalPlan::Scan(n) => close(&mut n.predicates, Vec::new(), changed),
        LogicalPlan::Filter(n) => {
            let below = walk(&mut n.input, changed);
            let taken = std::mem::replace(&mut n.predicate, Expr::boolean(true));
            let mut predicates = taken.into_conjuncts();
            let known = close(&mut predicates, below, changed);
            n.predicate = Expr::and(predicates);
            known
        }
        LogicalPlan::Project(n) => {
            let below = walk(&mut n.input, changed);
            let mut known = Vec::new();
            for p in &n.projections {
                if let Expr::Column { id, .. } = &p.expr {
                    let same = below.iter().filter(|k| k.column == *id);
                    known.extend(same.map(|k| k.on(p.column.id)));
                }
            }
            known
        }
        LogicalPlan::Aggregate(n) => {
            let below = walk(&mut n.input, changed);
            let mut known = Vec::new();
            for g in &n.groups {
                if let Expr::Column { id, .. } = &g.expr {
                    let same = below.iter().filter(|k| k.column == *id);
                    known.extend(same.map(|k| k.on(g.column.id)));
                }
            }
            known
        }
        LogicalPlan::Distinct(n) => walk(&mut n.input, changed),
        LogicalPlan::Window(n) => walk(&mut n.input, changed),
        LogicalPlan::Expand(n) => walk(&mut n.input, changed),
        LogicalPlan::Series(n) => walk(&mut n.input, changed),
        LogicalPlan::Sort(n) => walk(&mut n.input, changed),
        LogicalPlan::Limit(n) => walk(&mut n.input, changed),
        LogicalPlan::Join(n) => join(n, changed),
        other => {
            other.for_each_input_mut(&mut |input| drop(walk(input, changed)));
            Vec::new()
        }
    }
}

fn join(n: &mut Join, changed: &mut bool) -> Vec<Known> {
    let mut left = walk(&mut n.left, changed);
    let mut right = walk(&mut n.right, changed);
    let to_right = matches!(
        n.kind,
        JoinKind::Inner | JoinKind::Left | JoinKind::Semi | JoinKind::Anti | JoinKind::Single
    ) || (n.kind == JoinKind::Mark && !n.null_aware_mark);
    let to_left = matches!(n.kind, JoinKind::Inner | JoinKind::Right | JoinKind::Semi);
    let pairs: Vec<(ColumnId, ColumnId)> =
        n.on.iter()
            .filter_map(|(l, r)| equal_columns(l, r))
            .collect();
    for (l, r) in &pairs {
        if to_right {
            let carried = carry(&left, *l, *r, &right);
            add(&mut n.right, carried, &mut right, changed);
        }
        if to_left {
            let carried = carry(&right, *r, *l, &left);
            add(&mut n.left, carried, &mut left, changed);
        }
    }
    match n.kind {
        JoinKind::Inner => {
            left.extend(right);
            left
        }
        JoinKind::Right => right,
        JoinKind::Full => Vec::new(),
        _ => left,
    }
}

/// The tests of `from` as tests of `to` that `there` does not have. A test that NULL passes stays:
/// under `null_equal` it says the same of both sides.
fn carry(known: &[Known], from: ColumnId, to: ColumnId, there: &[Known]) -> Vec<Known> {
    if known.len() > MOST_PREDICATES {
        return Vec::new();
    }
    known
        .iter()
        .filter(|k| k.column == from)
        .map(|k| k.on(to))
        .filter(|new| !there.iter().any(|k| k.test == new.test))
        .collect()
}

fn add(side: &mut LogicalPlan, new: Vec<Known>, known: &mut Vec<Known>, changed: &mut bool) {
    if new.is_empty() {
        return;
    }
    *changed = true;
    let predicates = new.iter().map(|k| k.test.clone()).collect();
    replace(side, |side| filter(side, predicates));
    known.extend(new);
}
