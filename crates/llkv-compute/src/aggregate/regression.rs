//! `covar_*`, `corr` and `regr_*`: two columns, by their means and the sums of products of distances from them.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::moments::{is_settled, no_less_than_zero};
use super::rows::{argument, counted, feed, for_each};
use crate::arrays::primitive;
use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use llkv_expr::AggregateFunction;
use llkv_result::Result;
use std::sync::Arc;

/// Pairs by their means: the form of partial results.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: i64,
    mean_x: f64,
    mean_y: f64,
    squares_x: f64,
    squares_y: f64,
    products: f64,
}

/// Pairs by what was added up of their distances from a pair that is near to their mean: a row is added without a division,
/// and large values that differ little keep their digits.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    count: i64,
    near_x: f64,
    near_y: f64,
    sum_x: f64,
    sum_y: f64,
    squares_x: f64,
    squares_y: f64,
    products: f64,
}

impl State {
    #[inline]
    fn add(&mut self, x: f64, y: f64) {
        if self.count == 0 {
            (self.near_x, self.near_y) = (x, y);
            // Nothing, but for what has no distance from itself.
            let (dx, dy) = (x - self.near_x, y - self.near_y);
            (self.squares_x, self.squares_y, self.products) = (dx, dy, dx * dy);
            self.count = 1;
            return;
        }
        let (dx, dy) = (x - self.near_x, y - self.near_y);
        self.count += 1;
        self.sum_x += dx;
        self.sum_y += dy;
        self.squares_x += dx * dx;
        self.squares_y += dy * dy;
        self.products += dx * dy;
        if is_settled(self.count) {
            *self = self.moments().into();
        }
    }

    fn moments(&self) -> Moments {
        let count = self.count.max(1) as f64;
        let (mean_x, mean_y) = (self.sum_x / count, self.sum_y / count);
        Moments {
            count: self.count,
            mean_x: self.near_x + mean_x,
            mean_y: self.near_y + mean_y,
            squares_x: no_less_than_zero(self.squares_x - mean_x * self.sum_x),
            squares_y: no_less_than_zero(self.squares_y - mean_y * self.sum_y),
            products: self.products - mean_x * self.sum_y,
        }
    }
}

impl From<Moments> for State {
    fn from(moments: Moments) -> Self {
        Self {
            count: moments.count,
            near_x: moments.mean_x,
            near_y: moments.mean_y,
            sum_x: 0.0,
            sum_y: 0.0,
            squares_x: moments.squares_x,
            squares_y: moments.squares_y,
            products: moments.products,
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
        let (xs, ys) = (x.values(), y.values());
        if let (Groups::Sorted(_, sorted), None) = (groups, &counted) {
            for ((_, rows), state) in sorted.iter().zip(states) {
                let mut local = *state;
                for row in rows {
                    if let (Some(x), Some(y)) = (xs.get(*row as usize), ys.get(*row as usize)) {
                        local.add(*x, *y);
                    }
                }
                *state = local;
            }
            return Ok(());
        }
        for_each(groups, counted.as_ref(), |row, group| {
            if let (Some(state), Some(x), Some(y)) =
                (states.get_mut(group), xs.get(row), ys.get(row))
            {
                state.add(*x, *y);
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
                let mut moments = state.moments();
                moments.merge(&Moments {
                    count: counts.value(row),
                    mean_x: mean_x.value(row),
                    mean_y: mean_y.value(row),
                    squares_x: squares_x.value(row),
                    squares_y: squares_y.value(row),
                    products: products.value(row),
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
        let mut types = vec![DataType::Int64];
        types.resize(6, DataType::Float64);
        types
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let states = std::mem::take(&mut self.states);
        let states: Vec<Moments> = states.iter().map(State::moments).collect();
        let counts = Int64Array::from_iter_values(states.iter().map(|s| s.count));
        let column = |of: fn(&Moments) -> f64| -> ArrayRef {
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
        let values = states
            .iter()
            .map(|state| state.moments().result(self.function));
        Ok(Arc::new(values.collect::<Float64Array>()))
    }

    fn size_bytes(&self) -> usize {
        self.states.capacity() * size_of::<State>()
    }
}
