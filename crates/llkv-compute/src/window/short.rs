//! Frames that are short, or grow at their end alone: rows are fed once for each frame that they enter.

use super::aggregates::{Framed, Input};
use crate::aggregate::{Groups, SqlOrder, create_accumulator, means};
use crate::arrays::{primitive, some_nulls, true_mask};
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Float64Array, PrimitiveArray,
    UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes as dt;
use arrow::datatypes::Float64Type;
use llkv_expr::{AggregateFunction, Expr};
use llkv_result::Result;
use llkv_types::SqlType;
use std::sync::Arc;

/// Rows fed for each row of the input, in the mean, up to which feeding them again and again is cheaper than
/// merging partial results.
const MAX_FEEDS: u64 = 8;

/// Rows that are gathered at once.
const CHUNK_ROWS: usize = 32_768;

/// The values of the frames; `None` where too many rows would be fed.
pub(super) fn fed_by_frame(input: &Input<'_>, framed: &Framed<'_>) -> Result<Option<ArrayRef>> {
    let budget = (input.rows as u64).saturating_mul(MAX_FEEDS);
    if framed.is_plain()
        && grown_rows(framed) <= budget
        && let Some(values) = folded(input, framed)?
    {
        return Ok(Some(values));
    }
    let mut rows = framed.rows.iter();
    let mut fed = 0_u64;
    let short = rows.all(|row| {
        fed += length(framed.pieces(*row));
        fed <= budget
    });
    if short {
        return expanded(input, framed).map(Some);
    }
    Ok(None)
}

fn length(pieces: [(u32, u32); 3]) -> u64 {
    let lengths = pieces
        .into_iter()
        .map(|(start, end)| u64::from(end - start));
    lengths.sum()
}

/// Rows to be fed where a frame that continues the last one costs its new rows alone.
fn grown_rows(framed: &Framed<'_>) -> u64 {
    let mut last = (0, 0);
    let mut fed = 0;
    for range in framed.ranges() {
        fed += u64::from(range.1 - first_new(last, range));
        last = range;
    }
    fed
}

/// The first row of a frame that is not in the state of the frame before; the frame's start where the state
/// is of no use.
fn first_new(last: (u32, u32), range: (u32, u32)) -> u32 {
    if range.0 == last.0 && range.1 >= last.1 {
        last.1
    } else {
        range.0
    }
}

/// Each frame is a group of rows that are gathered for it.
fn expanded(input: &Input<'_>, framed: &Framed<'_>) -> Result<ArrayRef> {
    let mut parts: Vec<ArrayRef> = Vec::new();
    let mut indices: Vec<u32> = Vec::with_capacity(CHUNK_ROWS);
    let mut groups: Vec<u32> = Vec::with_capacity(CHUNK_ROWS);
    let mut frames = 0;
    let mut flush = |indices: &mut Vec<u32>, groups: &mut Vec<u32>, frames: usize| {
        (input.check)()?;
        parts.push(of_chunk(input, std::mem::take(indices), groups, frames)?);
        groups.clear();
        Ok::<(), llkv_result::Error>(())
    };
    for row in &framed.rows {
        for (start, end) in framed.pieces(*row) {
            indices.extend(start..end);
            groups.extend((start..end).map(|_| frames as u32));
        }
        frames += 1;
        if indices.len() + frames >= CHUNK_ROWS {
            flush(&mut indices, &mut groups, frames)?;
            frames = 0;
        }
    }
    if frames > 0 || framed.rows.is_empty() {
        flush(&mut indices, &mut groups, frames)?;
    }
    if let [part] = parts.as_slice() {
        return Ok(Arc::clone(part));
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(concat(&parts)?)
}

fn of_chunk(
    input: &Input<'_>,
    indices: Vec<u32>,
    groups: &[u32],
    frames: usize,
) -> Result<ArrayRef> {
    let indices = UInt32Array::from(indices);
    let gather = |array: &ArrayRef| take(array.as_ref(), &indices, None);
    let args: Vec<ArrayRef> = input.args.iter().map(gather).collect::<Result<_, _>>()?;
    let filter: Option<BooleanArray> = match input.filter {
        Some(filter) => Some(take(filter, &indices, None)?.as_boolean().clone()),
        None => None,
    };
    let mut accumulator = create_accumulator(input.call)?;
    accumulator.update(&args, Groups::PerRow(groups), frames, filter.as_ref())?;
    accumulator.resize(frames);
    accumulator.finish()
}

/// States that grow with their frames, for floats and the extremes of fixed-width types.
fn folded(input: &Input<'_>, framed: &Framed<'_>) -> Result<Option<ArrayRef>> {
    use AggregateFunction as A;
    let (Some(array), Some(ty)) = (
        input.args.first(),
        input
            .call
            .args
            .first()
            .map(Expr::ty)
            .filter(|_| !input.call.distinct),
    ) else {
        return Ok(None);
    };
    let fold = Fold {
        input,
        framed,
        array,
    };
    match (input.call.function, ty) {
        (A::Sum | A::Avg | A::Total, SqlType::Float64) => fold.floats().map(Some),
        (A::Min, ty) => fold.extremes::<false>(ty),
        (A::Max, ty) => fold.extremes::<true>(ty),
        _ => Ok(None),
    }
}

struct Fold<'a> {
    input: &'a Input<'a>,
    framed: &'a Framed<'a>,
    array: &'a ArrayRef,
}

impl Fold<'_> {
    fn counted(&self) -> Option<NullBuffer> {
        let filter = self.input.filter.map(|f| NullBuffer::new(true_mask(f)));
        NullBuffer::union(some_nulls(self.array).as_ref(), filter.as_ref())
    }

    /// Calls `feed` with the state and each value that counts, in order, and `done` with the state at the end of each
    /// frame. A frame that does not continue the one before starts from `new`.
    fn run<T: ArrowPrimitiveType, S: Copy>(
        &self,
        new: S,
        feed: impl Fn(&mut S, T::Native),
        mut done: impl FnMut(S),
    ) -> Result<()> {
        let values = primitive::<T>(self.array)?.values();
        let counted = self.counted();
        let mut last = (0, 0);
        let mut state = new;
        for (number, range) in self.framed.ranges().enumerate() {
            let from = first_new(last, range);
            if from == range.0 {
                state = new;
            }
            for row in from as usize..range.1 as usize {
                let counts = counted.as_ref().is_none_or(|nulls| nulls.is_valid(row));
                if let (true, Some(value)) = (counts, values.get(row)) {
                    feed(&mut state, *value);
                }
            }
            last = range;
            done(state);
            if number % CHUNK_ROWS == 0 {
                (self.input.check)()?;
            }
        }
        Ok(())
    }

    fn floats(&self) -> Result<ArrayRef> {
        let mut sums = Vec::with_capacity(self.framed.rows.len());
        let mut counts: Vec<i64> = Vec::with_capacity(self.framed.rows.len());
        self.run::<Float64Type, (f64, i64)>(
            (0.0, 0),
            |(sum, count), value| {
                *sum += value;
                *count += 1;
            },
            |(sum, count)| {
                sums.push(sum);
                counts.push(count);
            },
        )?;
        Ok(match self.input.call.function {
            AggregateFunction::Avg => means(sums.into_iter(), &counts),
            AggregateFunction::Total => Arc::new(Float64Array::from(sums)),
            _ => {
                let nulls = NullBuffer::from_iter(counts.iter().map(|count| *count > 0));
                Arc::new(Float64Array::new(sums.into(), Some(nulls)))
            }
        })
    }

    fn extremes<const MAX: bool>(&self, ty: SqlType) -> Result<Option<ArrayRef>> {
        use SqlType as T;
        Ok(Some(match ty {
            T::Int8 => self.extreme::<dt::Int8Type, MAX>(ty)?,
            T::Int16 => self.extreme::<dt::Int16Type, MAX>(ty)?,
            T::Int32 => self.extreme::<dt::Int32Type, MAX>(ty)?,
            T::Int64 => self.extreme::<dt::Int64Type, MAX>(ty)?,
            T::UInt8 => self.extreme::<dt::UInt8Type, MAX>(ty)?,
            T::UInt16 => self.extreme::<dt::UInt16Type, MAX>(ty)?,
            T::UInt32 => self.extreme::<dt::UInt32Type, MAX>(ty)?,
            T::UInt64 => self.extreme::<dt::UInt64Type, MAX>(ty)?,
            T::Float32 => self.extreme::<dt::Float32Type, MAX>(ty)?,
            T::Float64 => self.extreme::<dt::Float64Type, MAX>(ty)?,
            T::Decimal { precision, .. } if precision <= T::DECIMAL64_PRECISION => {
                self.extreme::<dt::Decimal64Type, MAX>(ty)?
            }
            T::Decimal { .. } => self.extreme::<dt::Decimal128Type, MAX>(ty)?,
            T::Date => self.extreme::<dt::Date32Type, MAX>(ty)?,
            T::Time => self.extreme::<dt::Time64MicrosecondType, MAX>(ty)?,
            T::Timestamp | T::TimestampTz => {
                self.extreme::<dt::TimestampMicrosecondType, MAX>(ty)?
            }
            T::Interval => self.extreme::<dt::IntervalMonthDayNanoType, MAX>(ty)?,
            _ => return Ok(None),
        }))
    }

    fn extreme<T: ArrowPrimitiveType, const MAX: bool>(&self, ty: SqlType) -> Result<ArrayRef>
    where
        T::Native: SqlOrder,
    {
        let mut best: Vec<Option<T::Native>> = Vec::with_capacity(self.framed.rows.len());
        self.run::<T, Option<T::Native>>(
            None,
            |state, value| {
                let better = state.is_none_or(|state| match MAX {
                    true => value.order(state).is_gt(),
                    false => value.order(state).is_lt(),
                });
                if better {
                    *state = Some(value);
                }
            },
            |state| best.push(state),
        )?;
        let array = PrimitiveArray::<T>::from_iter(best);
        Ok(Arc::new(array.with_data_type(ty.to_arrow())))
    }
}
