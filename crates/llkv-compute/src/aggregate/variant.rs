//! `sum`, `total` and `avg` over values that carry their own type. A sum is an integer as long as all values
//! are, a real from the first one on that is not; the others are reals.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::rows::{argument, counted, feed, for_each};
use crate::arrays::{boolean, primitive};
use crate::cast::sqlite::{Number, number, number_prefix};
use arrow::array::{Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use llkv_result::{Error, EvalError, Result};
use llkv_types::SqlType;
use llkv_types::variant::{self, Variant, VariantBuilder};
use std::sync::Arc;

/// The sum of a group so far.
#[derive(Clone, Copy, Default)]
struct State {
    /// Of the integers.
    exact: i128,
    /// Of all values.
    real: f64,
    /// A value was no integer.
    inexact: bool,
    count: i64,
}

/// What becomes of the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// `sum`
    Sum,
    /// `total`: 0.0 for no values.
    Total,
    /// `avg`
    Average,
}

/// Sums of variants.
pub(super) struct VariantSum {
    states: Vec<State>,
    result: Outcome,
}

impl VariantSum {
    pub(super) const fn new(result: Outcome) -> Self {
        Self {
            states: Vec::new(),
            result,
        }
    }

    fn feed(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let values = variant::encoded(argument(args, 0)?.as_ref())?;
        let counted = counted(values.nulls(), filter);
        let mut result = Ok(());
        let states = self.states.as_mut_slice();
        for_each(groups, counted.as_ref(), |row, group| {
            match (variant::value(&values, row), states.get_mut(group)) {
                (Ok(Some(value)), Some(state)) => state.add(value),
                (Err(error), _) => result = Err(error),
                _ => {}
            }
        });
        result
    }
}

impl State {
    fn add(&mut self, value: Variant<'_>) {
        self.count += 1;
        // A text that is a number counts as that number, any other as a real.
        match number(value) {
            Some(Number::Integer(value)) => {
                self.exact = self.exact.saturating_add(i128::from(value));
                self.real += value as f64;
            }
            _ => {
                self.inexact = true;
                self.real += number_prefix(value).real();
            }
        }
    }

    fn value(&self) -> Result<Option<Variant<'static>>> {
        if self.count == 0 {
            return Ok(None);
        }
        if self.inexact {
            return Ok(Variant::real(self.real));
        }
        match i64::try_from(self.exact) {
            Ok(exact) => Ok(Some(Variant::Integer(exact))),
            Err(_) => Err(EvalError::OutOfRange {
                operation: "sum".into(),
                ty: SqlType::Int64.to_string(),
            }
            .into()),
        }
    }
}

impl GroupsAccumulator for VariantSum {
    feed!();

    fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[u32],
        group_count: usize,
    ) -> Result<()> {
        self.resize(group_count);
        let exact = primitive::<Decimal128Type>(argument(states, 0)?.as_ref())?;
        let real = primitive::<Float64Type>(argument(states, 1)?.as_ref())?;
        let inexact = boolean(argument(states, 2)?.as_ref())?;
        let count = primitive::<Int64Type>(argument(states, 3)?.as_ref())?;
        for (row, group) in group_of_row.iter().enumerate() {
            if row >= exact.len() || row >= real.len() || row >= inexact.len() || row >= count.len()
            {
                return Err(Error::internal("states of unequal length are merged"));
            }
            let Some(state) = self.states.get_mut(*group as usize) else {
                continue;
            };
            if exact.is_valid(row) {
                state.count += count.value(row);
                state.exact = state.exact.saturating_add(exact.value(row));
                state.real += real.value(row);
                state.inexact |= inexact.value(row);
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
            DataType::Decimal128(SqlType::DECIMAL128_PRECISION, 0),
            DataType::Float64,
            DataType::Boolean,
            DataType::Int64,
        ]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let states = std::mem::take(&mut self.states);
        let exact: Decimal128Array = states
            .iter()
            .map(|s| (s.count > 0).then_some(s.exact))
            .collect();
        let real: Float64Array = states.iter().map(|s| Some(s.real)).collect();
        let inexact: BooleanArray = states.iter().map(|s| Some(s.inexact)).collect();
        let count: Int64Array = states.iter().map(|s| Some(s.count)).collect();
        let exact = exact.with_precision_and_scale(SqlType::DECIMAL128_PRECISION, 0)?;
        Ok(vec![
            Arc::new(exact),
            Arc::new(real),
            Arc::new(inexact),
            Arc::new(count),
        ])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let states = std::mem::take(&mut self.states);
        let real = |value: fn(&State) -> Option<f64>| {
            let values: Float64Array = states.iter().map(value).collect();
            Ok(Arc::new(values) as ArrayRef)
        };
        match self.result {
            Outcome::Sum => {}
            Outcome::Total => return real(|s| Some(s.real)),
            Outcome::Average => return real(|s| (s.count > 0).then(|| s.real / s.count as f64)),
        }
        let mut out = VariantBuilder::with_capacity(states.len());
        for state in &states {
            out.append(state.value()?)?;
        }
        out.finish()
    }

    fn size_bytes(&self) -> usize {
        self.states.capacity() * size_of::<State>()
    }
}
