//! A tree of partial results over blocks of rows, from which the value of any frame is merged.
//!
//! Level 1 has the state of each block of `FANOUT` rows, level 2 that of each block of `FANOUT` blocks, and so on.
//! A frame is cut into rows at its ends and the largest blocks between them: a number that grows with the
//! logarithm of its length. All frames of a chunk are merged together, level by level and column-wise, in the
//! order of the rows, so that it serves aggregates that depend on order too. (Leis et al., "Efficient Processing
//! of Window Functions in Analytical SQL Queries", 2015, has segment trees for frames.)

use super::aggregates::{Framed, Input};
use crate::aggregate::{Groups, GroupsAccumulator, create_accumulator};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use arrow::compute::{concat, take};
use llkv_result::Result;
use std::sync::Arc;

/// Children of a block.
const FANOUT: u32 = 4;

/// Frames that are merged together.
const CHUNK_FRAMES: usize = 2_048;

/// Rows of blocks that are fed at once while the tree is built.
const BUILD_ROWS: usize = 65_536;

/// The values of the frames.
pub(super) fn merged(input: &Input<'_>, framed: &Framed<'_>) -> Result<ArrayRef> {
    let tree = Tree::new(input)?;
    let mut parts: Vec<ArrayRef> = Vec::new();
    for rows in framed.rows.chunks(CHUNK_FRAMES) {
        (input.check)()?;
        parts.push(tree.of_frames(framed, rows)?);
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    match parts.as_slice() {
        [] => create_accumulator(input.call)?.finish(),
        parts => Ok(concat(parts)?),
    }
}

struct Tree<'a> {
    input: &'a Input<'a>,
    /// States of the blocks of each level above the rows.
    levels: Vec<Vec<ArrayRef>>,
}

/// Blocks (rows at level 0) to be merged at one level, and the frames that they belong to.
#[derive(Default)]
struct Picked {
    blocks: Vec<u32>,
    frames: Vec<u32>,
}

impl Picked {
    fn add(&mut self, blocks: std::ops::Range<u32>, frame: u32) {
        self.frames.extend(blocks.clone().map(|_| frame));
        self.blocks.extend(blocks);
    }
}

impl<'a> Tree<'a> {
    fn new(input: &'a Input<'a>) -> Result<Self> {
        let mut tree = Self {
            input,
            levels: Vec::new(),
        };
        let mut size = input.rows;
        while size > FANOUT as usize {
            (input.check)()?;
            let level = match tree.levels.last() {
                None => tree.of_rows()?,
                Some(below) => merge_level(input, below, size)?,
            };
            size = size.div_ceil(FANOUT as usize);
            tree.levels.push(level);
        }
        Ok(tree)
    }

    /// The first level.
    fn of_rows(&self) -> Result<Vec<ArrayRef>> {
        let input = self.input;
        in_slices(input.rows, |start, len| {
            let mut accumulator = create_accumulator(input.call)?;
            let args: Vec<ArrayRef> = input.args.iter().map(|a| a.slice(start, len)).collect();
            let filter = input.filter.map(|f| f.slice(start, len));
            let blocks = len.div_ceil(FANOUT as usize);
            let of_row: Vec<u32> = (0..len as u32).map(|row| row / FANOUT).collect();
            accumulator.update(&args, Groups::PerRow(&of_row), blocks, filter.as_ref())?;
            accumulator.resize(blocks);
            accumulator.state()
        })
    }

    fn of_frames(&self, framed: &Framed<'_>, rows: &[u32]) -> Result<ArrayRef> {
        let levels = self.levels.len() + 1;
        let mut accumulator = create_accumulator(self.input.call)?;
        for piece in 0..3 {
            let mut left: Vec<Picked> = (0..levels).map(|_| Picked::default()).collect();
            let mut right: Vec<Picked> = (0..levels).map(|_| Picked::default()).collect();
            for (frame, row) in rows.iter().enumerate() {
                if let Some(range) = framed.pieces(*row).get(piece) {
                    cut(*range, frame as u32, &mut left, &mut right);
                }
            }
            for (level, picked) in left.iter().enumerate() {
                self.feed(accumulator.as_mut(), level, picked, rows.len())?;
            }
            for (level, picked) in right.iter().enumerate().rev() {
                self.feed(accumulator.as_mut(), level, picked, rows.len())?;
            }
        }
        accumulator.resize(rows.len());
        accumulator.finish()
    }

    fn feed(
        &self,
        accumulator: &mut dyn GroupsAccumulator,
        level: usize,
        picked: &Picked,
        frames: usize,
    ) -> Result<()> {
        if picked.blocks.is_empty() {
            return Ok(());
        }
        let indices = UInt32Array::from(picked.blocks.clone());
        let gather = |array: &ArrayRef| take(array.as_ref(), &indices, None);
        let Some(above) = level.checked_sub(1) else {
            let args: Vec<ArrayRef> = self
                .input
                .args
                .iter()
                .map(gather)
                .collect::<Result<_, _>>()?;
            let filter: Option<BooleanArray> = match self.input.filter {
                Some(filter) => Some(take(filter, &indices, None)?.as_boolean().clone()),
                None => None,
            };
            let groups = Groups::PerRow(&picked.frames);
            return accumulator.update(&args, groups, frames, filter.as_ref());
        };
        let states = self
            .levels
            .get(above)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let states: Vec<ArrayRef> = states.iter().map(gather).collect::<Result<_, _>>()?;
        accumulator.merge(&states, &picked.frames, frames)
    }
}

/// Cuts a range of rows: those before the first whole block and behind the last, then the same one level up.
/// Blocks of the left end come in the order of the levels, those of the right end in the opposite one.
fn cut(range: (u32, u32), frame: u32, left: &mut [Picked], right: &mut [Picked]) {
    let (mut start, mut end) = range;
    let top = left.len().saturating_sub(1);
    for (level, (left, right)) in left.iter_mut().zip(right).enumerate() {
        if start >= end {
            return;
        }
        let inner_start = start.div_ceil(FANOUT);
        let inner_end = end / FANOUT;
        if level == top || inner_start >= inner_end {
            left.add(start..end, frame);
            return;
        }
        left.add(start..inner_start * FANOUT, frame);
        right.add(inner_end * FANOUT..end, frame);
        (start, end) = (inner_start, inner_end);
    }
}

fn merge_level(input: &Input<'_>, below: &[ArrayRef], size: usize) -> Result<Vec<ArrayRef>> {
    in_slices(size, |start, len| {
        let mut accumulator = create_accumulator(input.call)?;
        let states: Vec<ArrayRef> = below.iter().map(|a| a.slice(start, len)).collect();
        let of_row: Vec<u32> = (0..len as u32).map(|row| row / FANOUT).collect();
        accumulator.merge(&states, &of_row, len.div_ceil(FANOUT as usize))?;
        accumulator.state()
    })
}

/// The columns that `of` gives for slices of `size` rows, put together.
fn in_slices(
    size: usize,
    of: impl Fn(usize, usize) -> Result<Vec<ArrayRef>>,
) -> Result<Vec<ArrayRef>> {
    let mut slices: Vec<Vec<ArrayRef>> = Vec::new();
    let mut start = 0;
    while start < size {
        let len = BUILD_ROWS.min(size - start);
        slices.push(of(start, len)?);
        start += len;
    }
    let columns = slices.first().map_or(0, Vec::len);
    (0..columns)
        .map(|at| {
            let parts: Vec<&dyn Array> = slices
                .iter()
                .filter_map(|slice| slice.get(at).map(Arc::as_ref))
                .collect();
            Ok(concat(&parts)?)
        })
        .collect()
}
