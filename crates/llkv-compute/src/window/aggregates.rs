//! Aggregates over frames, each by the cheapest way that its frames allow.
//!
//! 1. Frames that lie side by side, whole partitions above all, are groups: each row is fed once.
//! 2. Counts and exact sums of any frame are differences of running sums ([`super::prefix`]).
//! 3. Where frames are short, or grow at their end alone, rows are fed once for each frame that they enter
//!    ([`super::short`]).
//! 4. Else partial results of blocks of rows are merged, blocks of blocks and so on: a tree ([`super::tree`]).
//!
//! Rows with equal frames share one result in all of them.

use super::frames::Frames;
use super::{prefix, short, tree};
use crate::aggregate::{Groups, create_accumulator};
use arrow::array::{ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::take;
use llkv_expr::AggregateExpr;
use llkv_result::Result;

/// What an aggregate over frames is computed of.
pub(super) struct Input<'a> {
    pub(super) call: &'a AggregateExpr,
    pub(super) args: &'a [ArrayRef],
    pub(super) filter: Option<&'a BooleanArray>,
    pub(super) rows: usize,
    /// Fails once the query was cancelled.
    pub(super) check: &'a dyn Fn() -> Result<()>,
}

/// Frames with the neighbours among them that are equal told once.
pub(super) struct Framed<'a> {
    frames: &'a Frames,
    /// A row of each different frame, in order.
    pub(super) rows: Vec<u32>,
}

impl Framed<'_> {
    /// First row and the row behind the last of each frame, before anything is left out.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.rows.iter().map(|row| self.frames.range(*row as usize))
    }

    /// The ranges of a frame.
    pub(super) fn pieces(&self, row: u32) -> [(u32, u32); 3] {
        self.frames.pieces(row as usize)
    }

    pub(super) fn is_plain(&self) -> bool {
        self.frames.is_plain()
    }
}

/// The value of an aggregate call over the frame of each row. `args` are the call's arguments for all rows,
/// `filter` tells which count; `check` is asked from time to time whether to go on.
///
/// # Errors
/// As accumulators give them, and what `check` gives.
pub fn aggregate_over(
    call: &AggregateExpr,
    args: &[ArrayRef],
    filter: Option<&BooleanArray>,
    frames: &Frames,
    check: &dyn Fn() -> Result<()>,
) -> Result<ArrayRef> {
    let input = Input {
        call,
        args,
        filter,
        rows: frames.rows(),
        check,
    };
    let (framed, place_of_row) = distinct_frames(frames);
    let values = match side_by_side(&framed, input.rows) {
        Some(group_of_row) => grouped(&input, &group_of_row, framed.rows.len())?,
        None => match prefix::differences(&input, &framed)? {
            Some(values) => values,
            None => match short::fed_by_frame(&input, &framed)? {
                Some(values) => values,
                None => tree::merged(&input, &framed)?,
            },
        },
    };
    match place_of_row {
        Some(places) => Ok(take(values.as_ref(), &UInt32Array::from(places), None)?),
        None => Ok(values),
    }
}

/// One row of each run of equal frames, and the run of each row where they are not one and the same.
fn distinct_frames(frames: &Frames) -> (Framed<'_>, Option<Vec<u32>>) {
    let rows = frames.rows();
    if !frames.is_plain() {
        let rows = (0..rows as u32).collect();
        return (Framed { frames, rows }, None);
    }
    let mut firsts: Vec<u32> = Vec::new();
    let mut places = Vec::with_capacity(rows);
    let mut last = None;
    for (row, range) in frames.ranges().enumerate() {
        if last != Some(range) {
            last = Some(range);
            firsts.push(row as u32);
        }
        places.push(firsts.len() as u32 - 1);
    }
    let places = (firsts.len() < rows).then_some(places);
    let framed = Framed {
        frames,
        rows: firsts,
    };
    (framed, places)
}

/// The frame that each row is in, where every row is in one frame.
fn side_by_side(framed: &Framed<'_>, rows: usize) -> Option<Vec<u32>> {
    if !framed.is_plain() {
        return None;
    }
    let mut groups = Vec::with_capacity(rows);
    for (number, (start, end)) in framed.ranges().enumerate() {
        if start as usize != groups.len() {
            return None;
        }
        groups.extend((start..end).map(|_| number as u32));
    }
    (groups.len() == rows).then_some(groups)
}

fn grouped(input: &Input<'_>, group_of_row: &[u32], groups: usize) -> Result<ArrayRef> {
    let mut accumulator = create_accumulator(input.call)?;
    let of_rows = if groups == 1 {
        Groups::Single(input.rows)
    } else {
        Groups::PerRow(group_of_row)
    };
    accumulator.update(input.args, of_rows, groups, input.filter)?;
    accumulator.resize(groups);
    (input.check)()?;
    accumulator.finish()
}
