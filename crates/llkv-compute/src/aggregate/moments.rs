//! `var_pop`, `var_samp`, `stddev_pop`, `stddev_samp`: by the mean and the sum of squared distances from it.
//!
//! Rows are added by Welford's method, partial results by that of Chan, Golub and LeVeque, so that large
//! values that differ little keep their digits.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::rows::{argument, counted, feed, for_each};
use crate::arrays::primitive;
use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use llkv_expr::AggregateFunction;
use llkv_result::{EvalError, Result};
use llkv_types::SqlType;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, Default)]
struct State {
    count: i64,
    mean: f64,
    /// Squared distances from the mean, added up.
    squares: f64,
    /// A value was infinite or NaN: so is the result.
    odd: bool,
}

impl State {
    fn add(&mut self, x: f64) {
        self.count += 1;
        self.odd |= !x.is_finite();
        let distance = x - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (x - self.mean);
    }

    fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let count = self.count + other.count;
        let distance = other.mean - self.mean;
        let share = other.count as f64 / count as f64;
        self.squares += other.squares + distance * distance * self.count as f64 * share;
        self.mean += distance * share;
        self.count = count;
        self.odd |= other.odd;
    }
}

/// Variances or their roots.
pub(super) struct Variance {
    states: Vec<State>,
    function: AggregateFunction,
}

impl Variance {
    pub(super) const fn new(function: AggregateFunction) -> Self {
        Self {
            states: Vec::new(),
            function,
        }
    }

    fn feed(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let array = primitive::<Float64Type>(argument(args, 0)?)?;
        let counted = counted(array.nulls(), filter);
        let states = self.states.as_mut_slice();
        for_each(groups, counted.as_ref(), |row, group| {
            if let Some(state) = states.get_mut(group) {
                state.add(array.value(row));
            }
        });
        Ok(())
    }

    fn result(&self, state: &State) -> Result<Option<f64>> {
        use AggregateFunction as F;
        let sample = matches!(self.function, F::VarSamp | F::StddevSamp);
        let divisor = state.count - i64::from(sample);
        if divisor <= 0 {
            return Ok(None);
        }
        if state.odd {
            return Ok(Some(f64::NAN));
        }
        let variance = state.squares / divisor as f64;
        if !variance.is_finite() {
            return Err(EvalError::OutOfRange {
                operation: self.function.name().into(),
                ty: SqlType::Float64.to_string(),
            }
            .into());
        }
        let root = matches!(self.function, F::StddevPop | F::StddevSamp);
        Ok(Some(if root { variance.sqrt() } else { variance }))
    }
}

impl GroupsAccumulator for Variance {
    feed!();

    fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[u32],
        group_count: usize,
    ) -> Result<()> {
        self.resize(group_count);
        let counts = primitive::<Int64Type>(argument(states, 0)?)?;
        let means = primitive::<Float64Type>(argument(states, 1)?)?;
        let squares = primitive::<Float64Type>(argument(states, 2)?)?;
        let odd = crate::arrays::boolean(argument(states, 3)?)?;
        for (row, group) in group_of_row.iter().enumerate().take(counts.len()) {
            if let Some(state) = self.states.get_mut(*group as usize) {
                state.merge(&State {
                    count: counts.value(row),
                    mean: means.value(row),
                    squares: squares.value(row),
                    odd: odd.value(row),
                });
            }
        }
        Ok(())
    }

    fn resize(&mut self, group_count: usize) {
        if self.states.len() < group_count {
            self.states.resize(group_count, State::default());
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![
            DataType::Int64,
            DataType::Float64,
            DataType::Float64,
            DataType::Boolean,
        ]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let states = std::mem::take(&mut self.states);
        let counts = Int64Array::from_iter_values(states.iter().map(|s| s.count));
        let means = Float64Array::from_iter_values(states.iter().map(|s| s.mean));
        let squares = Float64Array::from_iter_values(states.iter().map(|s| s.squares));
        let odd: BooleanArray = states.iter().map(|s| Some(s.odd)).collect();
        Ok(vec![
            Arc::new(counts),
            Arc::new(means),
            Arc::new(squares),
            Arc::new(odd),
        ])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let states = std::mem::take(&mut self.states);
        let values = states.iter().map(|state| self.result(state));
        let values = values.collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(Float64Array::from(values)))
    }

    fn size_bytes(&self) -> usize {
        self.states.capacity() * size_of::<State>()
    }
}
