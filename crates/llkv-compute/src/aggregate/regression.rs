//! `covar_*`, `corr` and `regr_*`: two columns, by their means and the sums of products of distances from them.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::rows::{argument, counted, feed, for_each};
use crate::arrays::primitive;
use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use llkv_expr::AggregateFunction;
use llkv_result::Result;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, Default)]
struct State {
    count: i64,
    mean_x: f64,
    mean_y: f64,
    squares_x: f64,
    squares_y: f64,
    products: f64,
}

impl State {
    fn add(&mut self, x: f64, y: f64) {
        self.merge(&Self {
            count: 1,
            mean_x: x,
            mean_y: y,
            ..Self::default()
        });
    }

    fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let count = self.count + other.count;
        let share = other.count as f64 / count as f64;
        let weight = self.count as f64 * share;
        let (dx, dy) = (other.mean_x - self.mean_x, other.mean_y - self.mean_y);
        self.squares_x += other.squares_x + dx * dx * weight;
        self.squares_y += other.squares_y + dy * dy * weight;
        self.products += other.products + dx * dy * weight;
        self.mean_x += dx * share;
        self.mean_y += dy * share;
        self.count = count;
    }

    fn result(&self, function: AggregateFunction) -> Option<f64> {
        use AggregateFunction as F;
        if self.count == 0 {
            return None;
        }
        let slope = (self.squares_x != 0.0).then(|| self.products / self.squares_x);
        match function {
            F::CovarPop => Some(self.products / self.count as f64),
            F::CovarSamp => (self.count > 1).then(|| self.products / (self.count - 1) as f64),
            F::Corr => (self.squares_x != 0.0 && self.squares_y != 0.0).then(|| {
                let product = self.squares_x * self.squares_y;
                // The product may leave the range of DOUBLE where its root does not.
                let both = if product.is_finite() && product > 0.0 {
                    product.sqrt()
                } else {
                    self.squares_x.sqrt() * self.squares_y.sqrt()
                };
                (self.products / both).clamp(-1.0, 1.0)
            }),
            F::RegrAvgX => Some(self.mean_x),
            F::RegrAvgY => Some(self.mean_y),
            F::RegrSxx => Some(self.squares_x),
            F::RegrSyy => Some(self.squares_y),
            F::RegrSxy => Some(self.products),
            F::RegrSlope => slope,
            F::RegrIntercept => slope.map(|slope| self.mean_y - slope * self.mean_x),
            F::RegrR2 => slope.map(|slope| {
                if self.squares_y == 0.0 {
                    1.0
                } else {
                    slope * self.products / self.squares_y
                }
            }),
            _ => None,
        }
    }
}

/// What is known of pairs (y, x).
pub(super) struct Regression {
    states: Vec<State>,
    function: AggregateFunction,
}

impl Regression {
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
        let y = primitive::<Float64Type>(argument(args, 0)?)?;
        let x = primitive::<Float64Type>(argument(args, 1)?)?;
        let both = NullBuffer::union(y.nulls(), x.nulls());
        let counted = counted(both.as_ref(), filter);
        let states = self.states.as_mut_slice();
        for_each(groups, counted.as_ref(), |row, group| {
            if let Some(state) = states.get_mut(group) {
                state.add(x.value(row), y.value(row));
            }
        });
        Ok(())
    }
}

impl GroupsAccumulator for Regression {
    feed!();

    fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[u32],
        group_count: usize,
    ) -> Result<()> {
        self.resize(group_count);
        let counts = primitive::<Int64Type>(argument(states, 0)?)?;
        let mut sums = Vec::with_capacity(5);
        for at in 1..=5 {
            sums.push(primitive::<Float64Type>(argument(states, at)?)?);
        }
        let [mean_x, mean_y, squares_x, squares_y, products] = sums.as_slice() else {
            return Ok(());
        };
        for (row, group) in group_of_row.iter().enumerate().take(counts.len()) {
            if let Some(state) = self.states.get_mut(*group as usize) {
                state.merge(&State {
                    count: counts.value(row),
                    mean_x: mean_x.value(row),
                    mean_y: mean_y.value(row),
                    squares_x: squares_x.value(row),
                    squares_y: squares_y.value(row),
                    products: products.value(row),
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
        let mut types = vec![DataType::Int64];
        types.resize(6, DataType::Float64);
        types
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let states = std::mem::take(&mut self.states);
        let counts = Int64Array::from_iter_values(states.iter().map(|s| s.count));
        let column = |of: fn(&State) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(states.iter().map(of)))
        };
        Ok(vec![
            Arc::new(counts),
            column(|s| s.mean_x),
            column(|s| s.mean_y),
            column(|s| s.squares_x),
            column(|s| s.squares_y),
            column(|s| s.products),
        ])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let states = std::mem::take(&mut self.states);
        if self.function == AggregateFunction::RegrCount {
            let counts = states.iter().map(|state| state.count);
            return Ok(Arc::new(Int64Array::from_iter_values(counts)));
        }
        let values = states.iter().map(|state| state.result(self.function));
        Ok(Arc::new(values.collect::<Float64Array>()))
    }

    fn size_bytes(&self) -> usize {
        self.states.capacity() * size_of::<State>()
    }
}
