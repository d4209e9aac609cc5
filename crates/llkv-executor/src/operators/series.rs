//! Each row once for each value of a series: `generate_series` and `range`.

use super::{Hints, Operator, OperatorInfo, open_input};
use crate::batch::Batch;
use crate::pipeline::{Pipeline, Step, StepState};
use crate::resolve::Prepared;
use crate::run::Run;
use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, IntervalMonthDayNanoArray, PrimitiveArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, TimestampMicrosecondType,
};
use llkv_result::{Error, EvalError, Result};
use llkv_types::SqlType;
use llkv_types::calendar::{CivilDate, MICROS_PER_DAY};
use std::sync::Arc;

/// Rows with the values of series.
pub(crate) struct SeriesOperator {
    pub(crate) info: OperatorInfo,
    pub(crate) input: Box<dyn Operator>,
    pub(crate) spec: Arc<SeriesSpec>,
}

/// Columns put out: some of the input's, and the series.
pub(crate) struct SeriesSpec {
    /// Positions in the input.
    pub(crate) passed: Vec<usize>,
    pub(crate) series: Vec<PreparedSeries>,
}

pub(crate) struct PreparedSeries {
    pub(crate) function: &'static str,
    pub(crate) ty: SqlType,
    pub(crate) start: Prepared,
    pub(crate) stop: Prepared,
    pub(crate) step: Prepared,
    pub(crate) inclusive: bool,
}

impl Operator for SeriesOperator {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }

    fn open(&self, run: &Arc<Run>, hints: &Hints) -> Result<Pipeline> {
        let passed = &self.spec.passed;
        let below = hints.translated(|p| passed.get(p).copied());
        let input = open_input(self.input.as_ref(), run, &below)?;
        let step = SeriesStep {
            spec: Arc::clone(&self.spec),
            run: Arc::clone(run),
        };
        Ok(input.then(Arc::new(step), &self.info.metrics))
    }
}

struct SeriesStep {
    spec: Arc<SeriesSpec>,
    run: Arc<Run>,
}

impl Step for SeriesStep {
    fn start(self: Arc<Self>) -> Box<dyn StepState> {
        Box::new(SeriesState {
            step: self,
            held: None,
        })
    }
}

struct SeriesState {
    step: Arc<SeriesStep>,
    held: Option<Held>,
}

/// A batch whose rows are put out, and how far that is.
struct Held {
    batch: Batch,
    bounds: Vec<Bounds>,
    row: usize,
    /// What is left of the series of `row`; none where they have not begun.
    steps: Vec<Steps>,
}

impl StepState for SeriesState {
    fn push(&mut self, batch: Batch) -> Result<()> {
        let spec = &self.step.spec;
        let bounds = spec.series.iter().map(|s| Bounds::evaluate(s, &batch));
        let bounds = bounds.collect::<Result<_>>()?;
        let passed = spec.passed.iter().map(|at| batch.column(*at).cloned());
        self.held = Some(Held {
            batch: Batch::new(passed.collect::<Result<_>>()?, batch.rows),
            bounds,
            row: 0,
            steps: Vec::new(),
        });
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Batch>> {
        let Some(held) = &mut self.held else {
            return Ok(None);
        };
        // One row may have more values than anybody waits for.
        self.step.run.check()?;
        let spec = &self.step.spec;
        let batch_rows = self.step.run.batch_rows();
        let mut rows: Vec<u32> = Vec::new();
        let mut values: Vec<Values> = spec.series.iter().map(|_| Values::default()).collect();
        while rows.len() < batch_rows && held.row < held.batch.rows {
            if held.steps.is_empty() {
                let series = held.bounds.iter().zip(&spec.series);
                let steps = series.map(|(bounds, series)| bounds.steps(held.row, series));
                held.steps = steps.collect::<Result<_>>()?;
            }
            let room = batch_rows - rows.len();
            let taken = take_values(&mut held.steps, &mut values, room);
            rows.resize(rows.len() + taken, held.row as u32);
            if taken < room {
                held.row += 1;
                held.steps.clear();
            }
        }
        if rows.is_empty() {
            self.held = None;
            return Ok(None);
        }
        let count = rows.len();
        self.step.run.read_rows(count);
        let mut columns = match held.batch.columns.is_empty() {
            true => Vec::new(),
            false => held.batch.take(&UInt32Array::from(rows))?.columns,
        };
        let series = values.into_iter().zip(&spec.series);
        columns.extend(series.map(|(values, series)| values.finish(series.ty)));
        Ok(Some(Batch::new(columns, count)))
    }
}

/// Takes up to `room` places of the series of a row; fewer where they end.
fn take_values(steps: &mut [Steps], values: &mut [Values], room: usize) -> usize {
    if let ([steps], [values]) = (&mut *steps, &mut *values) {
        let before = values.values.len();
        steps.fill(&mut values.values, room);
        return values.values.len() - before;
    }
    let mut taken = 0;
    while taken < room && steps.iter().any(|steps| steps.next.is_some()) {
        for (steps, values) in steps.iter_mut().zip(values.iter_mut()) {
            values.push(steps.next());
        }
        taken += 1;
    }
    taken
}

/// Integers or microseconds.
#[derive(Default)]
struct Values {
    values: Vec<i64>,
    /// Which are there, where some are not.
    valid: Vec<bool>,
}

impl Values {
    fn push(&mut self, value: Option<i64>) {
        if value.is_none() && self.valid.is_empty() {
            self.valid.resize(self.values.len(), true);
        }
        if value.is_none() || !self.valid.is_empty() {
            self.valid.push(value.is_some());
        }
        self.values.push(value.unwrap_or_default());
    }

    fn finish(self, ty: SqlType) -> ArrayRef {
        let nulls = (!self.valid.is_empty()).then(|| NullBuffer::from(self.valid));
        match ty {
            SqlType::Timestamp | SqlType::TimestampTz => {
                let array = TimestampMicrosecondArray::new(self.values.into(), nulls);
                Arc::new(array.with_data_type(ty.to_arrow()))
            }
            _ => Arc::new(Int64Array::new(self.values.into(), nulls)),
        }
    }
}

/// The bounds of a series, row by row.
enum Bounds {
    Integers([Int64Array; 3]),
    Moments([TimestampMicrosecondArray; 2], IntervalMonthDayNanoArray),
}

impl Bounds {
    fn evaluate(series: &PreparedSeries, batch: &Batch) -> Result<Self> {
        let [start, stop, step] =
            [&series.start, &series.stop, &series.step].map(|expr| expr.evaluate(batch));
        let (start, stop, step) = (start?, stop?, step?);
        let wrong = || Error::internal(format!("{} over other types", series.function));
        if series.ty == SqlType::Int64 {
            let typed = |array: &ArrayRef| array.as_primitive_opt::<Int64Type>().cloned();
            let bounds = (typed(&start), typed(&stop), typed(&step));
            let (Some(start), Some(stop), Some(step)) = bounds else {
                return Err(wrong());
            };
            return Ok(Self::Integers([start, stop, step]));
        }
        let typed = |array: &ArrayRef| {
            let array = array.as_primitive_opt::<TimestampMicrosecondType>();
            array.cloned()
        };
        let step = step.as_primitive_opt::<IntervalMonthDayNanoType>().cloned();
        match (typed(&start), typed(&stop), step) {
            (Some(start), Some(stop), Some(step)) => Ok(Self::Moments([start, stop], step)),
            _ => Err(wrong()),
        }
    }

    fn steps(&self, row: usize, series: &PreparedSeries) -> Result<Steps> {
        fn at<T: arrow::datatypes::ArrowPrimitiveType>(
            array: &PrimitiveArray<T>,
            row: usize,
        ) -> Option<T::Native> {
            array.is_valid(row).then(|| array.value(row))
        }
        let (start, stop, stride) = match self {
            Self::Integers([start, stop, step]) => {
                let step = at(step, row).map(Stride::Integer);
                (at(start, row), at(stop, row), step)
            }
            Self::Moments([start, stop], step) => {
                let step = at(step, row).map(Stride::Moment);
                (at(start, row), at(stop, row), step)
            }
        };
        let (Some(start), Some(stop), Some(stride)) = (start, stop, stride) else {
            return Ok(Steps::none());
        };
        let Some(backward) = stride.is_backward() else {
            let detail = match stride {
                Stride::Integer(_) => "the step is zero",
                Stride::Moment(_) => "the step leads nowhere",
            };
            return Err(EvalError::InvalidArgument {
                function: series.function,
                detail: detail.into(),
            }
            .into());
        };
        let mut steps = Steps {
            next: None,
            stop,
            stride,
            backward,
            inclusive: series.inclusive,
        };
        steps.next = steps.holds(start).then_some(start);
        Ok(steps)
    }
}

#[derive(Debug, Clone, Copy)]
enum Stride {
    Integer(i64),
    Moment(IntervalMonthDayNano),
}

impl Stride {
    /// None where it does not lead away from where it starts, or has parts of both signs.
    fn is_backward(self) -> Option<bool> {
        let parts = match self {
            Self::Integer(step) => [step, 0, 0],
            Self::Moment(step) => {
                let clock = step.nanoseconds / 1_000;
                [i64::from(step.months), i64::from(step.days), clock]
            }
        };
        let forward = parts.iter().any(|part| *part > 0);
        let backward = parts.iter().any(|part| *part < 0);
        (forward != backward).then_some(backward)
    }

    /// The value after another; `None` where there is none. Each moment is taken from the one before, as in PostgreSQL: a month
    /// after the 31st is the last day of the next month, and stays on that day.
    fn after(self, value: i64) -> Option<i64> {
        let step = match self {
            Self::Integer(step) => return value.checked_add(step),
            Self::Moment(step) => step,
        };
        let days = i32::try_from(value.div_euclid(MICROS_PER_DAY)).ok()?;
        let clock = value.rem_euclid(MICROS_PER_DAY);
        let days = match step.months {
            0 => days,
            months => CivilDate::from_days(days).add_months(i64::from(months))?,
        };
        i64::from(days)
            .checked_add(i64::from(step.days))?
            .checked_mul(MICROS_PER_DAY)?
            .checked_add(clock)?
            .checked_add(step.nanoseconds / 1_000)
    }
}

/// What is left of a series.
struct Steps {
    next: Option<i64>,
    stop: i64,
    stride: Stride,
    backward: bool,
    inclusive: bool,
}

impl Steps {
    const fn none() -> Self {
        Self {
            next: None,
            stop: 0,
            stride: Stride::Integer(1),
            backward: false,
            inclusive: false,
        }
    }

    /// True before the end is reached.
    const fn holds(&self, value: i64) -> bool {
        match (self.backward, self.inclusive) {
            (false, true) => value <= self.stop,
            (false, false) => value < self.stop,
            (true, true) => value >= self.stop,
            (true, false) => value > self.stop,
        }
    }
}

impl Steps {
    /// Puts up to `room` values behind others.
    fn fill(&mut self, values: &mut Vec<i64>, room: usize) {
        let (Stride::Integer(step), Some(next)) = (self.stride, self.next) else {
            values.extend(self.take(room));
            return;
        };
        // What is left as one number, so that the values are computed without looking at the end.
        let distance = (i128::from(self.stop) - i128::from(next)).unsigned_abs();
        let width = u128::from(step.unsigned_abs());
        let ends_apart = self.inclusive || !distance.is_multiple_of(width);
        let left = distance / width + u128::from(ends_apart);
        let taken = room.min(usize::try_from(left).unwrap_or(usize::MAX));
        let value = |at: usize| next.wrapping_add(step.wrapping_mul(at as i64));
        values.extend((0..taken).map(value));
        self.next = ((taken as u128) < left).then(|| value(taken));
    }
}

impl Iterator for Steps {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        let value = self.next?;
        let after = self.stride.after(value);
        self.next = after.filter(|after| self.holds(*after));
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(start: i64, stop: i64, stride: Stride, inclusive: bool) -> Vec<i64> {
        let Some(backward) = stride.is_backward() else {
            return Vec::new();
        };
        let mut steps = Steps {
            next: None,
            stop,
            stride,
            backward,
            inclusive,
        };
        steps.next = steps.holds(start).then_some(start);
        let mut filled = Vec::new();
        while steps.next.is_some() {
            steps.fill(&mut filled, 2);
        }
        filled
    }

    #[test]
    fn bounds_and_steps_of_integers() {
        let values = |start, stop, step, inclusive| {
            super::tests::values(start, stop, Stride::Integer(step), inclusive)
        };
        assert_eq!(values(0, 5, 2, false), [0, 2, 4]);
        assert_eq!(values(0, 4, 2, true), [0, 2, 4]);
        assert_eq!(values(5, 0, -2, false), [5, 3, 1]);
        assert_eq!(values(3, 3, 1, false), Vec::<i64>::new());
        assert_eq!(values(3, 3, 1, true), [3]);
        let (last, most) = (i64::MAX - 1, i64::MAX);
        assert_eq!(values(last, most, 1, true), [last, most]);
        assert_eq!(values(0, 1, 0, true), Vec::<i64>::new());
    }

    #[test]
    fn moments_end_at_the_end_and_at_the_end_of_time() {
        let count = |start, stop, months, days, nanos| {
            let step = IntervalMonthDayNano::new(months, days, nanos);
            values(start, stop, Stride::Moment(step), true).len()
        };
        assert_eq!(count(0, 3 * MICROS_PER_DAY, 0, 1, 0), 4);
        assert_eq!(count(3 * MICROS_PER_DAY, 0, 0, -1, 0), 4);
        assert_eq!(count(0, -1, 0, 1, 0), 0);
        assert_eq!(count(0, i64::MAX, i32::MAX, 0, 0), 1);
        assert_eq!(count(0, 1, 0, 0, 0), 0);
        assert_eq!(count(0, 1, 1, -1, 0), 0);
        assert_eq!(count(0, 1, 0, 0, 999), 0);
    }
}
