//! The rows that a frame holds, as ranges.

use super::range::RangeKeys;
use super::runs::RowRuns;
use crate::arithmetic::temporal::interval_nanos;
use crate::arrays::primitive;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow::datatypes::{
    DataType, Decimal64Type, Decimal128Type, Float64Type, Int64Type, IntervalMonthDayNanoType,
};
use llkv_expr::{FrameExclusion, FrameUnit};
use llkv_result::{Error, EvalError, Result};

/// The distance of a bound for each row.
#[derive(Debug, Clone)]
pub struct Offset {
    /// For ROWS and GROUPS: BIGINT. For RANGE of any type that has a sign.
    pub distance: ArrayRef,
    /// For RANGE: the bound itself.
    pub bound: Option<ArrayRef>,
}

/// One end of the frames of all rows.
#[derive(Debug, Clone)]
pub enum Bound {
    /// The end of the partition on that side.
    Unbounded,
    /// The row itself, or its peers.
    CurrentRow,
    /// So far before.
    Preceding(Offset),
    /// So far after.
    Following(Offset),
}

/// What [`Frames`] are made of.
#[derive(Debug, Clone)]
pub struct FrameRows {
    /// What bounds count in.
    pub unit: FrameUnit,
    /// First rows.
    pub start: Bound,
    /// Last rows.
    pub end: Bound,
    /// Rows left out.
    pub exclusion: FrameExclusion,
    /// For bounds of RANGE with a distance.
    pub keys: Option<RangeKeys>,
}

/// The frame of each row: a range of rows of its partition, and what is left out of it.
#[derive(Debug, Clone)]
pub struct Frames {
    start: Vec<u32>,
    end: Vec<u32>,
    /// What is left out, and the peers that decide it.
    excluded: Option<(FrameExclusion, RowRuns)>,
}

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Start,
    End,
}

impl Frames {
    /// The frames of rows.
    ///
    /// # Errors
    /// [`EvalError::FrameOffset`] for a distance that is NULL or negative.
    pub fn new(spec: &FrameRows, partitions: &RowRuns, peers: &RowRuns) -> Result<Self> {
        let edges = Edges {
            spec,
            partitions,
            peers,
        };
        let start = edges.of(&spec.start, Side::Start)?;
        let mut end = edges.of(&spec.end, Side::End)?;
        for (end, start) in end.iter_mut().zip(&start) {
            *end = (*end).max(*start);
        }
        let excluded = match spec.exclusion {
            FrameExclusion::NoOthers => None,
            exclusion => Some((exclusion, peers.clone())),
        };
        Ok(Self {
            start,
            end,
            excluded,
        })
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.start.len()
    }

    /// True where nothing is left out of any frame, so that each is one range.
    pub(super) fn is_plain(&self) -> bool {
        self.excluded.is_none()
    }

    /// First row and the row behind the last, before anything is left out.
    pub(super) fn range(&self, row: usize) -> (u32, u32) {
        let start = self.start.get(row).copied().unwrap_or_default();
        (start, self.end.get(row).copied().unwrap_or(start))
    }

    /// All ranges, before anything is left out.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.start.iter().copied().zip(self.end.iter().copied())
    }

    /// The ranges that the frame of a row is made of, in order; some may be empty.
    pub(super) fn pieces(&self, row: usize) -> [(u32, u32); 3] {
        let (start, end) = self.range(row);
        let Some((exclusion, peers)) = &self.excluded else {
            return [(start, end), (end, end), (end, end)];
        };
        let at = row as u32;
        let (from, to) = match exclusion {
            FrameExclusion::CurrentRow => (at, at + 1),
            _ => (peers.start(row), peers.end(row)),
        };
        let inside = |row: u32| row.clamp(start, end);
        let kept = match exclusion {
            FrameExclusion::Ties => (inside(at), inside(at + 1)),
            _ => (end, end),
        };
        let (before, after) = ((start, inside(from)), (inside(to), end));
        match exclusion {
            FrameExclusion::Ties => [before, kept, after],
            _ => [before, after, (end, end)],
        }
    }
}

struct Edges<'a> {
    spec: &'a FrameRows,
    partitions: &'a RowRuns,
    peers: &'a RowRuns,
}

impl Edges<'_> {
    fn of(&self, bound: &Bound, side: Side) -> Result<Vec<u32>> {
        let rows = 0..self.partitions.rows();
        Ok(match (bound, self.spec.unit) {
            (Bound::Unbounded, _) => match side {
                Side::Start => rows.map(|row| self.partitions.start(row)).collect(),
                Side::End => rows.map(|row| self.partitions.end(row)).collect(),
            },
            (Bound::CurrentRow, FrameUnit::Rows) => match side {
                Side::Start => rows.map(|row| row as u32).collect(),
                Side::End => rows.map(|row| row as u32 + 1).collect(),
            },
            (Bound::CurrentRow, _) => match side {
                Side::Start => rows.map(|row| self.peers.start(row)).collect(),
                Side::End => rows.map(|row| self.peers.end(row)).collect(),
            },
            (Bound::Preceding(offset), FrameUnit::Range)
            | (Bound::Following(offset), FrameUnit::Range) => self.by_value(offset, side)?,
            (Bound::Preceding(offset), unit) => self.by_count(offset, unit, side, -1)?,
            (Bound::Following(offset), unit) => self.by_count(offset, unit, side, 1)?,
        })
    }

    fn by_value(&self, offset: &Offset, side: Side) -> Result<Vec<u32>> {
        if offset.distance.logical_null_count() > 0 {
            return Err(invalid(side, true));
        }
        if has_negative(&offset.distance)? {
            return Err(invalid(side, false));
        }
        match (&self.spec.keys, &offset.bound) {
            (Some(keys), Some(bound)) => keys.search(bound, side, self.partitions, self.peers),
            _ => Err(Error::internal("a RANGE frame misses its key")),
        }
    }

    /// So many rows or groups before (`sign` -1) or after.
    fn by_count(
        &self,
        offset: &Offset,
        unit: FrameUnit,
        side: Side,
        sign: i64,
    ) -> Result<Vec<u32>> {
        let distances = primitive::<Int64Type>(&offset.distance)?;
        if distances.null_count() > 0 {
            return Err(invalid(side, true));
        }
        if distances.values().iter().any(|distance| *distance < 0) {
            return Err(invalid(side, false));
        }
        let distances = distances.values().iter().enumerate();
        Ok(distances
            .map(|(row, distance)| match unit {
                FrameUnit::Rows => self.rows_away(row, distance.saturating_mul(sign), side),
                _ => self.groups_away(row, distance.saturating_mul(sign), side),
            })
            .collect())
    }

    fn rows_away(&self, row: usize, distance: i64, side: Side) -> u32 {
        let behind = i64::from(side == Side::End);
        let (first, last) = (self.partitions.start(row), self.partitions.end(row));
        let at = (row as i64).saturating_add(distance).saturating_add(behind);
        at.clamp(i64::from(first), i64::from(last)) as u32
    }

    fn groups_away(&self, row: usize, distance: i64, side: Side) -> u32 {
        let (first, last) = (self.partitions.start(row), self.partitions.end(row));
        let lowest = self.peers.run(first as usize) as i64;
        let highest = self.peers.run((last as usize).saturating_sub(1)) as i64;
        let group = (self.peers.run(row) as i64).saturating_add(distance);
        if group < lowest {
            return first;
        }
        if group > highest {
            return last;
        }
        match side {
            Side::Start => self.peers.start_of(group as usize),
            Side::End => self.peers.end_of(group as usize),
        }
    }
}

/// Is a distance less than nothing, or NaN?
fn has_negative(distances: &ArrayRef) -> Result<bool> {
    fn any<T: ArrowPrimitiveType>(
        array: &ArrayRef,
        is_negative: impl Fn(T::Native) -> bool,
    ) -> Result<bool> {
        Ok(primitive::<T>(array)?.iter().flatten().any(is_negative))
    }
    match distances.data_type() {
        DataType::Int64 => any::<Int64Type>(distances, |x| x < 0),
        DataType::Float64 => any::<Float64Type>(distances, |x| x < 0.0 || x.is_nan()),
        DataType::Decimal64(..) => any::<Decimal64Type>(distances, |x| x < 0),
        DataType::Decimal128(..) => any::<Decimal128Type>(distances, |x| x < 0),
        DataType::Interval(_) => {
            any::<IntervalMonthDayNanoType>(distances, |x| interval_nanos(x) < 0)
        }
        other => Err(Error::internal(format!("no sign of {other}"))),
    }
}

fn invalid(side: Side, is_null: bool) -> Error {
    let bound = match side {
        Side::Start => "starting",
        Side::End => "ending",
    };
    EvalError::FrameOffset { bound, is_null }.into()
}
