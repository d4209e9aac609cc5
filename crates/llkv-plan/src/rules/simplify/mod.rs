//! Expressions become smaller: constants are folded, logic is normalised, comparisons are brought
//! into the form that scans and joins know.

mod comparison;
mod conditional;
mod constant;
mod logic;

use crate::analysis::{is_always_true, is_never_true};
use crate::walk::NodeKinds;
use crate::{LogicalPlan, Rule, RuleContext};
use llkv_expr::{Expr, UnaryOp};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};

pub(in crate::rules) use constant::fold;

/// The rule.
pub(in crate::rules) struct Simplify;

impl Rule for Simplify {
    fn name(&self) -> &'static str {
        "simplify"
    }

    fn description(&self) -> &'static str {
        "Folds constants and rewrites expressions into their simplest form."
    }

    fn needs(&self) -> NodeKinds {
        NodeKinds::COMPUTED.or(NodeKinds::FILTER)
    }

    fn is_settled_at_once(&self) -> bool {
        true
    }

    fn looks_at_expressions(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: &mut LogicalPlan, _context: &mut RuleContext<'_>) -> Result<bool> {
        Ok(walk(plan))
    }
}

/// A simplification of one node whose operands are simple already; true where it changed something.
type Step = fn(&mut Expr) -> bool;

/// All simplifications, in the order in which they are tried.
const STEPS: &[Step] = &[
    constant::fold_constant,
    constant::strict_null,
    logic::push_not_down,
    logic::flatten,
    logic::factor_or,
    logic::or_of_equalities,
    comparison::constant_right,
    comparison::with_truth_value,
    comparison::without_cast,
    conditional::constant_branches,
    conditional::short_list,
    conditional::like_without_wildcards,
];

fn walk(plan: &mut LogicalPlan) -> bool {
    let mut changed = false;
    plan.for_each_expr_mut(&mut |e| changed |= simplify(e));
    match plan {
        LogicalPlan::Filter(n) => changed |= as_filter(&mut n.predicate),
        LogicalPlan::Scan(n) => n
            .predicates
            .iter_mut()
            .for_each(|p| changed |= as_filter(p)),
        LogicalPlan::Join(n) => {
            if let Some(filter) = &mut n.filter {
                changed |= as_filter(filter);
            }
            if n.filter.as_ref().is_some_and(is_always_true) {
                n.filter = None;
            }
        }
        _ => {}
    }
    plan.for_each_input_mut(&mut |input| changed |= walk(input));
    changed
}

/// Simplifies an expression, operands first.
pub(crate) fn simplify(expr: &mut Expr) -> bool {
    if matches!(expr, Expr::Column { .. } | Expr::Literal(_)) {
        return false;
    }
    let mut changed = false;
    expr.for_each_child_mut(&mut |child| changed |= simplify(child));
    for step in STEPS {
        changed |= step(expr);
        if matches!(expr, Expr::Column { .. } | Expr::Literal(_)) {
            break;
        }
    }
    changed
}

/// Takes an expression out of its place.
fn taken(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::Literal(Scalar::Null(SqlType::Boolean)))
}

/// Simplifies a predicate of which only "true or not" counts: NULL is FALSE there.
fn as_filter(predicate: &mut Expr) -> bool {
    match predicate {
        Expr::And(parts) | Expr::Or(parts) => {
            let mut changed = false;
            for part in parts {
                changed |= as_filter(part);
            }
            changed && {
                logic::flatten(predicate);
                true
            }
        }
        Expr::Unary {
            op: UnaryOp::IsTrue,
            expr,
        } => {
            *predicate = taken(expr);
            as_filter(predicate);
            true
        }
        Expr::Literal(Scalar::Null(_)) => {
            *predicate = Expr::boolean(false);
            true
        }
        Expr::Case {
            branches,
            otherwise,
            ..
        } => {
            // CASE WHEN a THEN true [WHEN b THEN false or NULL] ... END
            let rest_fails = branches.iter().skip(1).all(|(_, r)| is_never_true(r))
                && otherwise.as_ref().is_none_or(|e| is_never_true(e));
            match branches.first_mut() {
                Some((condition, result)) if rest_fails && is_always_true(result) => {
                    *predicate = taken(condition);
                    as_filter(predicate);
                    true
                }
                _ => false,
            }
        }
        _ => false,
    }
}
