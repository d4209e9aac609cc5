//! One window call, and one frame.

use crate::batch::Batch;
use crate::resolve::{Column, Prepared, prepare_all};
use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use llkv_compute::window::{
    Bound, FrameRows, Frames, Navigation, Offset, RangeKeys, RowRuns, aggregate_over, navigate,
    rank_rows,
};
use llkv_expr::{
    FrameBound, FrameExclusion, FrameOffset, FrameUnit, RangeKey, WindowCall, WindowFrame,
    WindowFunction,
};
use llkv_result::{Error, Result};

/// A call over the input's columns.
pub(super) struct Call {
    call: WindowCall,
    args: Vec<Prepared>,
    filter: Option<Prepared>,
    /// Number of the peers and of the frame among the window's.
    pub(super) peers: usize,
    pub(super) frame: usize,
}

impl Call {
    pub(super) fn new(
        call: &WindowCall,
        peers: usize,
        frame: usize,
        columns: &[Column],
    ) -> Result<Self> {
        let (args, filter) = match call {
            WindowCall::Aggregate(call) => (&call.args, call.filter.as_ref()),
            WindowCall::Function { args, .. } => (args, None),
        };
        Ok(Self {
            args: prepare_all(args, columns)?,
            filter: filter.map(|f| Prepared::new(f, columns)).transpose()?,
            call: call.clone(),
            peers,
            frame,
        })
    }

    /// Whether the value depends on the frame.
    pub(super) fn uses_frame(&self) -> bool {
        match &self.call {
            WindowCall::Aggregate(_) => true,
            WindowCall::Function { function, .. } => function.uses_frame(),
        }
    }

    /// Whether the value depends on which rows are equal in the order, the frame aside.
    pub(super) fn ranks_peers(&self) -> bool {
        match &self.call {
            WindowCall::Aggregate(_) => false,
            WindowCall::Function { function, .. } => {
                !function.takes_null_treatment() && *function != WindowFunction::RowNumber
            }
        }
    }

    /// The value for each row of whole partitions.
    pub(super) fn evaluate(
        &self,
        batch: &Batch,
        (partitions, peers): (&RowRuns, &RowRuns),
        frames: Option<&Frames>,
        check: &dyn Fn() -> Result<()>,
    ) -> Result<ArrayRef> {
        let mask = match &self.filter {
            Some(filter) => Some(filter.evaluate_predicate(batch)?),
            None => None,
        };
        let args = self.arguments(batch, mask.as_ref())?;
        match &self.call {
            WindowCall::Aggregate(call) => {
                let frames = frames.ok_or_else(|| Error::internal("an aggregate has no frames"))?;
                aggregate_over(call, &args, mask.as_ref(), frames, check)
            }
            WindowCall::Function {
                function,
                ignore_nulls,
                ..
            } if function.takes_null_treatment() => navigate(&Navigation {
                function: *function,
                args: &args,
                ignore_nulls: *ignore_nulls,
                partitions,
                frames,
            }),
            WindowCall::Function { function, .. } => rank_rows(*function, &args, partitions, peers),
        }
    }

    /// The arguments for each row. Those that are computed are computed only for the rows that pass the call's
    /// filter, and NULL for others: `sum(1 / x) FILTER (WHERE x <> 0)` does not fail.
    fn arguments(&self, batch: &Batch, mask: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let computed = self.args.iter().any(|arg| arg.as_column().is_none());
        let Some(mask) = mask.filter(|mask| computed && mask.true_count() < mask.len()) else {
            return self.args.iter().map(|arg| arg.evaluate(batch)).collect();
        };
        let kept = batch.clone().filter(mask)?;
        let mut next = 0;
        let places: UInt32Array = mask
            .values()
            .iter()
            .map(|counts| {
                next += u32::from(counts);
                counts.then(|| next - 1)
            })
            .collect();
        let spread = |arg: &Prepared| crate::batch::take_one(&arg.evaluate(&kept)?, &places);
        self.args.iter().map(spread).collect()
    }
}

/// A frame over the input's columns.
pub(super) struct Frame {
    unit: FrameUnit,
    start: PreparedBound,
    end: PreparedBound,
    exclusion: FrameExclusion,
    range_key: Option<(Prepared, RangeKey)>,
}

enum PreparedBound {
    Unbounded,
    CurrentRow,
    Preceding(PreparedOffset),
    Following(PreparedOffset),
}

struct PreparedOffset {
    distance: Prepared,
    bound: Option<Prepared>,
}

impl PreparedOffset {
    fn new(offset: &FrameOffset, columns: &[Column]) -> Result<Self> {
        let bound = offset.bound.as_ref();
        Ok(Self {
            distance: Prepared::new(&offset.distance, columns)?,
            bound: bound.map(|b| Prepared::new(b, columns)).transpose()?,
        })
    }

    fn evaluate(&self, batch: &Batch) -> Result<Offset> {
        let bound = self.bound.as_ref();
        Ok(Offset {
            distance: self.distance.evaluate(batch)?,
            bound: bound.map(|b| b.evaluate(batch)).transpose()?,
        })
    }
}

impl PreparedBound {
    fn new(bound: &FrameBound, columns: &[Column]) -> Result<Self> {
        Ok(match bound {
            FrameBound::Unbounded => Self::Unbounded,
            FrameBound::CurrentRow => Self::CurrentRow,
            FrameBound::Preceding(offset) => Self::Preceding(PreparedOffset::new(offset, columns)?),
            FrameBound::Following(offset) => Self::Following(PreparedOffset::new(offset, columns)?),
        })
    }

    fn evaluate(&self, batch: &Batch) -> Result<Bound> {
        Ok(match self {
            Self::Unbounded => Bound::Unbounded,
            Self::CurrentRow => Bound::CurrentRow,
            Self::Preceding(offset) => Bound::Preceding(offset.evaluate(batch)?),
            Self::Following(offset) => Bound::Following(offset.evaluate(batch)?),
        })
    }
}

impl Frame {
    pub(super) fn new(frame: &WindowFrame, columns: &[Column]) -> Result<Self> {
        let range_key = match &frame.range_key {
            Some(key) => Some((Prepared::new(&key.expr, columns)?, key.clone())),
            None => None,
        };
        Ok(Self {
            unit: frame.unit,
            start: PreparedBound::new(&frame.start, columns)?,
            end: PreparedBound::new(&frame.end, columns)?,
            exclusion: frame.exclusion,
            range_key,
        })
    }

    /// Whether the frames depend on which rows are equal in the order.
    pub(super) fn uses_peers(&self) -> bool {
        self.unit != FrameUnit::Rows || self.exclusion != FrameExclusion::NoOthers
    }

    /// The frames of rows.
    pub(super) fn evaluate(
        &self,
        batch: &Batch,
        partitions: &RowRuns,
        peers: &RowRuns,
    ) -> Result<Frames> {
        let keys = match &self.range_key {
            Some((prepared, key)) => Some(RangeKeys {
                values: prepared.evaluate(batch)?,
                descending: key.descending,
                nulls_first: key.nulls_first,
            }),
            None => None,
        };
        let spec = FrameRows {
            unit: self.unit,
            start: self.start.evaluate(batch)?,
            end: self.end.evaluate(batch)?,
            exclusion: self.exclusion,
            keys,
        };
        Frames::new(&spec, partitions, peers)
    }
}
