//! Groups of a few rows. What is counted, added or compared is so as it comes; other calls get their arguments as
//! arrays in the end, when the accumulators of all queries compute them.

use super::check::is_plain;
use super::collected::column;
use super::key_set::{Key, KeySet};
use super::walk::Walk;
use llkv_compute::{create_accumulator, order_of};
use llkv_expr::{AggregateExpr, AggregateFunction, Expr};
use llkv_plan::Aggregate;
use llkv_result::{EvalError, Result};
use llkv_types::{Scalar, SqlType};
use smallvec::SmallVec;

/// The groups of a node so far.
pub(super) struct Groups<'p> {
    node: &'p Aggregate,
    keys: KeySet,
    states: Vec<Calls>,
}

/// The states of all calls in a group.
pub(super) struct Calls(SmallVec<[State; 2]>);

/// A call's state in a group.
enum State {
    Count(i64),
    /// The sum of integers.
    Sum(Option<i128>),
    /// The sum and the number of integers.
    Mean(i128, i64),
    /// The least value, or the greatest.
    Extreme(Option<Scalar>),
    /// The first value, NULL or not.
    First(Option<Scalar>),
    /// A state that is fed each value once.
    Distinct(KeySet, Box<State>),
    /// The arguments, by position.
    Arguments(SmallVec<[Vec<Scalar>; 2]>),
}

/// The keys and the values of groups.
type Finished = Vec<(Key, SmallVec<[Scalar; 4]>)>;

impl<'p> Groups<'p> {
    pub(super) fn new(node: &'p Aggregate) -> Self {
        Self {
            node,
            keys: KeySet::default(),
            states: Vec::new(),
        }
    }

    /// Takes the row at hand.
    pub(super) fn feed(&mut self, walk: &Walk<'_>) -> Result<()> {
        let groups = self.node.groups.iter();
        let key = groups.map(|group| walk.evaluate(&group.expr));
        let (group, is_new) = self.keys.place(key.collect::<Result<_>>()?);
        if is_new {
            self.states.push(Calls::new(self.node));
        }
        match self.states.get_mut(group) {
            Some(calls) => calls.feed(self.node, walk),
            None => Ok(()),
        }
    }

    /// All groups, in the order in which they came.
    pub(super) fn finish(self) -> Result<Finished> {
        let keys = self.keys.into_keys().into_iter();
        keys.zip(self.states)
            .map(|(key, calls)| Ok((key, calls.finish(self.node).collect::<Result<_>>()?)))
            .collect()
    }
}

impl Calls {
    /// The calls of a node, over no rows yet.
    pub(super) fn new(node: &Aggregate) -> Self {
        let calls = node.aggregates.iter();
        Self(calls.map(|(_, call)| State::of(call)).collect())
    }

    /// Takes the row at hand.
    pub(super) fn feed(&mut self, node: &Aggregate, walk: &Walk<'_>) -> Result<()> {
        for (state, (_, call)) in self.0.iter_mut().zip(&node.aggregates) {
            let counts = call.filter.as_ref();
            if counts.map_or(Ok(true), |filter| walk.passes(filter))? {
                state.feed_row(call, walk)?;
            }
        }
        Ok(())
    }

    /// The values of the calls.
    pub(super) fn finish(self, node: &Aggregate) -> impl Iterator<Item = Result<Scalar>> {
        let states = self.0.into_iter().zip(&node.aggregates);
        states.map(|(state, (_, call))| state.finish(call))
    }
}

impl State {
    fn of(call: &AggregateExpr) -> Self {
        use AggregateFunction as F;
        let argument = call.args.first().map_or(SqlType::Null, Expr::ty);
        let is_integer = matches!(argument, SqlType::Int64 | SqlType::Int32);
        let state = match call.function {
            F::CountStar | F::Count => Self::Count(0),
            F::Sum if is_integer && call.ty == SqlType::Int64 => Self::Sum(None),
            F::Avg if is_integer => Self::Mean(0, 0),
            F::Min | F::Max if is_plain(argument) => Self::Extreme(None),
            F::First => Self::First(None),
            _ => return Self::Arguments(call.args.iter().map(|_| Vec::new()).collect()),
        };
        let once = call.distinct && !call.function.ignores_duplicates();
        match once && call.function != F::CountStar {
            false => state,
            true if is_plain(argument) => Self::Distinct(KeySet::default(), Box::new(state)),
            true => Self::Arguments(call.args.iter().map(|_| Vec::new()).collect()),
        }
    }

    fn feed_row(&mut self, call: &AggregateExpr, walk: &Walk<'_>) -> Result<()> {
        if let (Self::Count(count), AggregateFunction::CountStar) = (&mut *self, call.function) {
            *count += 1;
            return Ok(());
        }
        if let Self::Arguments(values) = self {
            for (values, arg) in values.iter_mut().zip(&call.args) {
                values.push(walk.evaluate(arg)?);
            }
            return Ok(());
        }
        match (call.function, call.args.first()) {
            (AggregateFunction::CountStar, _) | (_, None) => self.feed(call, None),
            (_, Some(arg)) => self.feed(call, Some(walk.evaluate(arg)?)),
        }
        Ok(())
    }

    /// Takes a value; none for `count(*)`.
    fn feed(&mut self, call: &AggregateExpr, value: Option<Scalar>) {
        if let (Self::First(first), Some(value)) = (&mut *self, &value) {
            first.get_or_insert_with(|| value.clone());
            return;
        }
        if value.as_ref().is_some_and(Scalar::is_null) {
            return;
        }
        match self {
            Self::Count(count) => *count += 1,
            Self::Sum(sum) => {
                let value = value.and_then(|value| value.as_integer()).unwrap_or(0);
                // Few values of 64 bits.
                *sum = Some(sum.unwrap_or(0).saturating_add(value));
            }
            Self::Mean(sum, count) => {
                let value = value.and_then(|value| value.as_integer()).unwrap_or(0);
                *sum = sum.saturating_add(value);
                *count += 1;
            }
            Self::Extreme(best) => {
                let wanted = match call.function {
                    AggregateFunction::Max => std::cmp::Ordering::Greater,
                    _ => std::cmp::Ordering::Less,
                };
                if let Some(value) = value
                    && best
                        .as_ref()
                        .is_none_or(|best| order_of(&value, best) == Some(wanted))
                {
                    *best = Some(value);
                }
            }
            Self::Distinct(seen, state) => {
                if let Some(value) = value
                    && seen.place([value.clone()].into_iter().collect()).1
                {
                    state.feed(call, Some(value));
                }
            }
            Self::First(_) | Self::Arguments(_) => {}
        }
    }

    fn finish(self, call: &AggregateExpr) -> Result<Scalar> {
        let null = Scalar::Null(call.ty);
        Ok(match self {
            Self::Count(count) => Scalar::Int64(count),
            Self::Sum(None) | Self::Mean(_, 0) => null,
            Self::Sum(Some(sum)) => {
                let sum = i64::try_from(sum).map_err(|_| EvalError::OutOfRange {
                    operation: "sum".into(),
                    ty: call.ty.to_string(),
                })?;
                Scalar::Int64(sum)
            }
            Self::Mean(sum, count) => Scalar::Float64(sum as f64 / count as f64),
            Self::Extreme(value) | Self::First(value) => match value {
                Some(value) if !value.is_null() => value,
                _ => null,
            },
            Self::Distinct(_, state) => state.finish(call)?,
            Self::Arguments(values) => of_arguments(call, &values)?,
        })
    }
}

/// The value of a call over all its arguments.
fn of_arguments(call: &AggregateExpr, values: &[Vec<Scalar>]) -> Result<Scalar> {
    let mut accumulator = create_accumulator(call)?;
    let rows = values.first().map_or(0, Vec::len);
    if rows > 0 {
        let args = values.iter().zip(&call.args);
        let args = args.map(|(values, arg)| column(values, arg.ty()));
        let groups = llkv_compute::Groups::Single(rows);
        accumulator.update(&args.collect::<Result<Vec<_>>>()?, groups, 1, None)?;
    }
    accumulator.resize(1);
    Scalar::from_array(accumulator.finish()?.as_ref(), 0)
}
