//! Accumulators: the states of aggregate functions for many groups at once, column-wise and typed.
//!
//! An accumulator holds one state per group. [`GroupsAccumulator::update`] feeds rows,
//! [`GroupsAccumulator::state`] and [`GroupsAccumulator::merge`] carry partial results between
//! threads and to disk and back, [`GroupsAccumulator::finish`] gives the results.
//!
//! Sums of integers and decimals are exact and checked once, at the end. `avg` is DOUBLE for every
//! argument. `first` and `string_agg` take rows in the order in which they come.

mod approximate;
mod arg_extreme;
mod average;
mod bits;
mod boolean;
mod collected;
mod count;
mod create;
mod distinct;
mod extreme;
mod extreme_bytes;
mod first;
mod groups;
mod moments;
mod ordered;
mod product;
mod registry;
mod regression;
mod rows;
mod string_agg;
mod sum;
mod types;
mod variant;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::DataType;
use llkv_result::Result;

pub(crate) use average::means;
pub use create::create_accumulator;
pub(crate) use extreme::SqlOrder;
pub use groups::{Groups, RowsByGroup};
pub use registry::{AggregateEntry, aggregate_in, aggregates};
pub(crate) use sum::{exact_result, out_of_range as sum_out_of_range};
pub use types::aggregate_type;

/// The states of one aggregate call for groups numbered from 0.
pub trait GroupsAccumulator: Send {
    /// Feeds rows and their `groups`, which are less than `group_count`. Rows for which `filter` is not TRUE
    /// do not count. `args` are the call's arguments, of equal length; `count(*)` has none.
    ///
    /// # Errors
    /// Where a value does not fit the state, or an argument is not of the call's type.
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        group_count: usize,
        filter: Option<&BooleanArray>,
    ) -> Result<()>;

    /// Feeds partial results: row `i` of `states`, as given by [`GroupsAccumulator::state`] of
    /// another accumulator of the same call, belongs to group `group_of_row[i]`.
    ///
    /// # Errors
    /// As [`GroupsAccumulator::update`].
    fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[u32],
        group_count: usize,
    ) -> Result<()>;

    /// Makes room for groups that get no row, such as the only group of an empty input.
    fn resize(&mut self, group_count: usize);

    /// The types of the columns that [`GroupsAccumulator::state`] gives.
    fn state_types(&self) -> Vec<DataType>;

    /// The states as columns, one row per group. The accumulator is empty afterwards.
    ///
    /// # Errors
    /// Only when Arrow refuses the columns.
    fn state(&mut self) -> Result<Vec<ArrayRef>>;

    /// The results, one per group. The accumulator is empty afterwards.
    ///
    /// # Errors
    /// `EvalError::OutOfRange` where a result does not fit the call's type.
    fn finish(&mut self) -> Result<ArrayRef>;

    /// Bytes held, about.
    fn size_bytes(&self) -> usize;
}
