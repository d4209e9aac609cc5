//! The rules, a file each, in the order in which they run.

mod build;
mod build_sides;
mod choose_indexes;
mod empty_relations;
mod group_distinct;
mod infer_predicates;
mod limit_partitions;
mod limits;
mod merge_projections;
mod outer_joins;
mod prune_columns;
mod push_down_filters;
mod push_down_semi_joins;
mod rebind;
mod redundant;
mod reorder_joins;
mod share_subplans;
mod simplify;
mod split_sums;
mod unnest;

use crate::Rule;
use simplify::fold;
pub(crate) use simplify::simplify;

/// All rules in order. A rule may stand more than once: later rules make work for earlier ones.
pub static RULES: &[&dyn Rule] = &[
    &simplify::Simplify,
    &push_down_filters::PushDownFilters,
    &unnest::Unnest,
    &outer_joins::SimplifyOuterJoins,
    &push_down_filters::PushDownFilters,
    &infer_predicates::InferPredicates,
    &push_down_filters::PushDownFilters,
    &infer_predicates::InferPredicates,
    &push_down_filters::PushDownFilters,
    &simplify::Simplify,
    &empty_relations::RemoveEmptyRelations,
    &split_sums::SplitSums,
    &redundant::RemoveRedundantWork,
    &limits::PushDownLimits,
    &group_distinct::GroupDistinct,
    &merge_projections::MergeProjections,
    &prune_columns::PruneColumns,
    &push_down_semi_joins::PushDownSemiJoins,
    &reorder_joins::ReorderJoins,
    &build_sides::ChooseBuildSides,
    &merge_projections::MergeProjections,
    &prune_columns::PruneColumns,
    &limit_partitions::LimitPartitions,
    &share_subplans::ShareSubplans,
    &choose_indexes::ChooseIndexes,
];
