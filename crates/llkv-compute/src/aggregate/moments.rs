//! `var_pop`, `var_samp`, `stddev_pop`, `stddev_samp`: by the mean and the sum of squared distances from it.
//!
//! Rows are added by their distances from a value near to the mean, partial results by the method of Chan, Golub and LeVeque,
//! so that large values that differ little keep their digits.

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

/// Rows from which on distances are now and then taken from the mean of the rows so far, in place of the first row; and before
/// that the sums of small numbers are exact.
const MIN_SETTLED: i64 = 64;

/// Whether distances are to be taken from the mean once there are so many rows: when they have doubled, so that it is near to
/// that of all.
#[inline]
pub(super) const fn is_settled(count: i64) -> bool {
    count & (count - 1) == 0 && count >= MIN_SETTLED
}

/// What rounding has taken below zero is zero; NaN stays.
pub(super) fn no_less_than_zero(value: f64) -> f64 {
    if value < 0.0 { 0.0 } else { value }
}

/// Values by their mean: the form of partial results.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: i64,
    mean: f64,
    /// Squared distances from the mean, added up.
    squares: f64,
    /// A value was infinite or NaN: so is the result.
    odd: bool,
}

/// Values by their distances from one that is near to their mean, added up and squared: a row is added without a division.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    count: i64,
    near: f64,
    sum: f64,
    squares: f64,
    odd: bool,
}

impl State {
    #[inline]
    fn add(&mut self, x: f64) {
        self.odd |= !x.is_finite();
        if self.count == 0 {
            self.near = x;
        }
        let distance = x - self.near;
        self.count += 1;
        self.sum += distance;
        self.squares += distance * distance;
        if is_settled(self.count) {
            *self = self.moments().into();
        }
    }

    fn moments(&self) -> Moments {
        let mean = self.sum / self.count.max(1) as f64;
        Moments {
            count: self.count,
            mean: self.near + mean,
            squares: no_less_than_zero(self.squares - mean * self.sum),
            odd: self.odd,
        }
    }
}

impl From<Moments> for State {
    fn from(moments: Moments) -> Self {
        Self {
            count: moments.count,
            near: moments.mean,
            sum: 0.0,
            squares: moments.squares,
            odd: moments.odd,
        }
    }
}

impl Moments {
    fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
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
        let values = array.values();
        if let (Groups::Sorted(_, sorted), None) = (groups, &counted) {
            for ((_, rows), state) in sorted.iter().zip(states) {
                let mut local = *state;
                for row in rows {
                    local.add(values.get(*row as usize).copied().unwrap_or_default());
                }
                *state = local;
            }
            return Ok(());
        }
        for_each(groups, counted.as_ref(), |row, group| {
            if let (Some(state), Some(value)) = (states.get_mut(group), values.get(row)) {
                state.add(*value);
            }
        });
        Ok(())
    }

    fn result(&self, state: &Moments) -> Result<Option<f64>> {
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
                let mut moments = state.moments();
                moments.merge(&Moments {
                    count: counts.value(row),
                    mean: means.value(row),
                    squares: squares.value(row),
                    odd: odd.value(row),
                });
                *state = moments.into();
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
        let states: Vec<Moments> = states.iter().map(State::moments).collect();
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
        let values = states.iter().map(|state| self.result(&state.moments()));
        let values = values.collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(Float64Array::from(values)))
    }

    fn size_bytes(&self) -> usize {
        self.states.capacity() * size_of::<State>()
    }
}
