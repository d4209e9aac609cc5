//! The rules, a file each, in the order in which they run.

mod build;
mod merge_projections;
mod outer_joins;
mod prune_columns;
mod push_down_filters;
mod rebind;
mod unnest;

use crate::Rule;
use llkv_expr::Expr;

/// The value of a constant expression; the expression itself where it is none or its evaluation fails.
fn fold(expr: Expr) -> Expr {
    expr
}

/// All rules in order. A rule may stand more than once: later rules make work for earlier ones.
pub static RULES: &[&dyn Rule] = &[
    &unnest::Unnest,
    &outer_joins::SimplifyOuterJoins,
    &push_down_filters::PushDownFilters,
    &merge_projections::MergeProjections,
    &prune_columns::PruneColumns,
];
