//! The expression evaluator, casts, functions and accumulators over Arrow arrays

mod aggregate;
mod arithmetic;
mod arrays;
mod cast;
pub mod coercion;
mod compare;
pub mod functions;
mod hash;
mod keys;
mod prepared;
mod value;

pub use aggregate::{GroupsAccumulator, aggregate_type, create_accumulator};
pub use cast::{cast, cast_scalar};
pub use hash::hash_columns;
pub use keys::{key_type, normalized};
pub use prepared::{LikePattern, PreparedExpr, evaluate, fold};
