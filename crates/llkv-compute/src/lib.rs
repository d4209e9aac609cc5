//! The expression evaluator, casts, functions and accumulators over Arrow arrays.
//!
//! Everything that LLKV computes with values is computed here, once: the planner folds constants with
//! [`fold`], the executor runs a [`PreparedExpr`] over batches, and as both are the same code they give
//! the same answers. The binder asks [`coercion`] which types meet in an operator and [`functions`]
//! what a name means; operators group with [`hash_columns`] and [`GroupsAccumulator`]s.
#![doc = include_str!("../README.md")]

mod aggregate;
mod arithmetic;
mod arrays;
mod cast;
pub mod coercion;
mod compare;
mod context;
pub mod functions;
mod hash;
mod keys;
mod prepared;
mod row;
pub mod sequences;
mod value;
pub mod window;

#[cfg(test)]
mod tests;

pub use aggregate::{
    AggregateEntry, Groups, GroupsAccumulator, RowsByGroup, aggregate_in, aggregate_type,
    aggregates, create_accumulator,
};
pub use cast::{cast, cast_scalar};
pub use context::{StatementContext, clock_micros, within_clock, within_statement};
pub use functions::{has_name, quoted_name};
pub use hash::hash_columns;
pub use keys::{key_type, normalized};
pub use prepared::{LikePattern, PreparedExpr, evaluate, fold};
pub use row::{Row, RowValue, compare_values, evaluate_row, order_of, row_passes, same_key};
