//! Unsigned integers in blocks of 1,024, each block with a minimum and a bit width of its own: the common
//! ground of frame-of-reference and dictionary chunks.

use super::Scratch;
use super::lanes::{self, Lane};
use super::plain::out_of_range;
use crate::bytes::damaged;
use crate::chunk::{BodyReader, ChunkWriter};
use crate::column_buffer::typed;
use crate::key_set::{KeySet, has_bit};
use crate::scan::selection::{BLOCK_ROWS, Positions, Selection, WINDOW_ROWS, narrow, retain_words};
use arrow::buffer::Buffer;
use llkv_result::Result;

/// Below this many rows of a block, values are unpacked one by one.
const SPARSE_ROWS: usize = 24;
const BLOCKS_PER_WINDOW: usize = WINDOW_ROWS / BLOCK_ROWS;

/// A block: where its bits lie, and what is added to each of its values.
#[derive(Debug, Clone)]
struct Block {
    base: u64,
    width: u8,
    bits: Buffer,
}

/// Packed integers.
#[derive(Debug)]
pub(crate) struct Packed {
    rows: usize,
    blocks: Vec<Block>,
}

/// Bits that hold every value up to `max`.
pub(crate) const fn bit_width(max: u64) -> usize {
    (u64::BITS - max.leading_zeros()) as usize
}

/// Bytes that [`write`] takes.
pub(crate) fn packed_bytes(values: &[u64]) -> usize {
    values
        .chunks(BLOCK_ROWS)
        .map(|block| {
            let (min, max) = min_max(block);
            9 + bit_width(max - min) * BLOCK_ROWS / 8
        })
        .sum()
}

fn min_max(values: &[u64]) -> (u64, u64) {
    let (mut min, mut max) = (u64::MAX, 0);
    for value in values {
        min = min.min(*value);
        max = max.max(*value);
    }
    (min.min(max), max)
}

/// Writes integers: the blocks' bases, their widths, their bits.
///
/// # Errors
/// Never for values of a chunk.
pub(crate) fn write(values: &[u64], out: &mut ChunkWriter) -> Result<()> {
    let mut bases = Vec::new();
    let mut widths = Vec::new();
    let mut bits: Vec<u8> = Vec::new();
    for block in values.chunks(BLOCK_ROWS) {
        let (min, max) = min_max(block);
        let width = bit_width(max - min);
        bases.extend_from_slice(&min.to_le_bytes());
        widths.push(width as u8);
        match width {
            0 => {}
            1..=8 => pack_into::<u8>(width, min, block, &mut bits)?,
            9..=16 => pack_into::<u16>(width, min, block, &mut bits)?,
            17..=32 => pack_into::<u32>(width, min, block, &mut bits)?,
            _ => pack_into::<u64>(width, min, block, &mut bits)?,
        }
    }
    out.buffer(&bases);
    out.buffer(&widths);
    out.buffer(&bits);
    Ok(())
}

fn pack_into<L: Lane>(width: usize, min: u64, block: &[u64], out: &mut Vec<u8>) -> Result<()> {
    let mut lanes = [L::default(); BLOCK_ROWS];
    for (lane, value) in lanes.iter_mut().zip(block) {
        *lane = L::cut_from(value - min);
    }
    let packed = lanes::pack(width, &lanes)?;
    out.extend_from_slice(Buffer::from_vec(packed).as_slice());
    Ok(())
}

/// A block's values without its base, in the narrowest lanes that hold them.
pub(crate) enum Lanes<'a> {
    /// All are zero.
    Zero,
    /// Up to 8 bits.
    L8(&'a [u8; BLOCK_ROWS]),
    /// Up to 16 bits.
    L16(&'a [u16; BLOCK_ROWS]),
    /// Up to 32 bits.
    L32(&'a [u32; BLOCK_ROWS]),
    /// Up to 64 bits.
    L64(&'a [u64; BLOCK_ROWS]),
}

impl Block {
    fn unpack<'a>(&self, scratch: &'a mut Scratch) -> Result<Lanes<'a>> {
        fn go<L: Lane>(block: &Block, out: &mut [L; BLOCK_ROWS]) -> Result<()> {
            let width = usize::from(block.width);
            let packed = typed::<L>(&block.bits, lanes::packed_len::<L>(width))?;
            lanes::unpack(width, &packed, out)
        }
        Ok(match self.width {
            0 => Lanes::Zero,
            1..=8 => {
                let lanes = scratch.lanes8.get();
                go(self, lanes)?;
                Lanes::L8(lanes)
            }
            9..=16 => {
                let lanes = scratch.lanes16.get();
                go(self, lanes)?;
                Lanes::L16(lanes)
            }
            17..=32 => {
                let lanes = scratch.lanes32.get();
                go(self, lanes)?;
                Lanes::L32(lanes)
            }
            _ => {
                let lanes = scratch.lanes64.get();
                go(self, lanes)?;
                Lanes::L64(lanes)
            }
        })
    }

    fn one(&self, index: usize) -> Result<u64> {
        fn go<L: Lane>(block: &Block, index: usize) -> Result<u64> {
            let width = usize::from(block.width);
            let packed = typed::<L>(&block.bits, lanes::packed_len::<L>(width))?;
            lanes::unpack_one(width, &packed, index).map(L::widen)
        }
        match self.width {
            0 => Ok(0),
            1..=8 => go::<u8>(self, index),
            9..=16 => go::<u16>(self, index),
            17..=32 => go::<u32>(self, index),
            _ => go::<u64>(self, index),
        }
    }

    /// The largest value that the width can hold, base aside.
    fn limit(&self) -> u64 {
        match self.width {
            0 => 0,
            width => u64::MAX >> (64 - u32::from(width)),
        }
    }
}

/// A test of unsigned integers.
#[derive(Debug, Clone)]
pub(crate) enum PackedTest<'a> {
    /// `low..=high`.
    Range { low: u64, high: u64 },
    /// Anything but one value.
    Not(u64),
    /// Values that a table says yes to.
    Table(&'a [bool]),
    /// Values that are keys once `base` is added.
    Keys { keys: &'a KeySet, base: i64 },
}

impl PackedTest<'_> {
    fn accepts(&self, value: u64) -> bool {
        match self {
            Self::Range { low, high } => (*low..=*high).contains(&value),
            Self::Not(other) => value != *other,
            Self::Table(table) => usize::try_from(value)
                .ok()
                .and_then(|index| table.get(index))
                .copied()
                .unwrap_or(false),
            Self::Keys { keys, base } => keys.contains(base.wrapping_add(value as i64)),
        }
    }
}

impl Packed {
    /// Opens what [`write`] wrote.
    ///
    /// # Errors
    /// When the buffers do not fit the rows.
    pub(crate) fn open(rows: usize, body: &mut BodyReader<'_>) -> Result<Self> {
        let (bases, widths, bits) = (body.buffer()?, body.buffer()?, body.buffer()?);
        let count = rows.div_ceil(BLOCK_ROWS);
        let (bases, rest) = bases.as_slice().as_chunks::<8>();
        if bases.len() != count || !rest.is_empty() || widths.len() != count {
            return Err(damaged("packed blocks do not cover the rows"));
        }
        let mut blocks = Vec::with_capacity(count);
        let mut at = 0;
        for (base, width) in bases.iter().zip(widths.as_slice()) {
            let len = usize::from(*width) * BLOCK_ROWS / 8;
            if *width > 64 || at + len > bits.len() {
                return Err(damaged("a packed block lies outside its chunk"));
            }
            // The greatest value that the width could hold may lie beyond 64 bits, though no stored value does.
            blocks.push(Block {
                base: u64::from_le_bytes(*base),
                width: *width,
                bits: bits.slice_with_length(at, len),
            });
            at += len;
        }
        Ok(Self { rows, blocks })
    }

    /// The value of one row.
    ///
    /// # Errors
    /// When there is no such row.
    pub(crate) fn value(&self, row: usize) -> Result<u64> {
        self.check(row, 1)?;
        let block = self.blocks.get(row / BLOCK_ROWS);
        let block = block.ok_or_else(|| out_of_range(row, 1, self.rows))?;
        Ok(block.base.wrapping_add(block.one(row % BLOCK_ROWS)?))
    }

    /// The sum of some values of one block.
    ///
    /// # Errors
    /// When they are not there.
    pub(crate) fn sum(&self, start: usize, rows: usize, scratch: &mut Scratch) -> Result<u64> {
        fn go<L: Lane>(lanes: &[L; BLOCK_ROWS], part: std::ops::Range<usize>) -> u64 {
            let lanes = lanes.get(part).unwrap_or_default();
            lanes
                .iter()
                .fold(0, |sum, lane| sum.saturating_add(lane.widen()))
        }
        let mut sum = 0u64;
        self.each_block(start, rows, scratch, |base, lanes, part| {
            let of_bases = base.saturating_mul(part.len() as u64);
            let above = match lanes {
                Lanes::Zero => 0,
                Lanes::L8(lanes) => go(lanes, part),
                Lanes::L16(lanes) => go(lanes, part),
                Lanes::L32(lanes) => go(lanes, part),
                Lanes::L64(lanes) => go(lanes, part),
            };
            sum = sum.saturating_add(of_bases).saturating_add(above);
        })?;
        Ok(sum)
    }

    /// The greatest value; unpacks everything.
    ///
    /// # Errors
    /// Never for an open chunk.
    pub(crate) fn max(&self, scratch: &mut Scratch) -> Result<u64> {
        let mut max = 0;
        for (index, block) in self.blocks.iter().enumerate() {
            let rows = BLOCK_ROWS.min(self.rows - index * BLOCK_ROWS);
            let top = match block.unpack(scratch)? {
                Lanes::Zero => 0,
                Lanes::L8(lanes) => lanes.iter().take(rows).max().map_or(0, |l| u64::from(*l)),
                Lanes::L16(lanes) => lanes.iter().take(rows).max().map_or(0, |l| u64::from(*l)),
                Lanes::L32(lanes) => lanes.iter().take(rows).max().map_or(0, |l| u64::from(*l)),
                Lanes::L64(lanes) => lanes.iter().take(rows).max().copied().unwrap_or(0),
            };
            max = max.max(block.base.saturating_add(top));
        }
        Ok(max)
    }

    fn check(&self, start: usize, rows: usize) -> Result<()> {
        match start.checked_add(rows) {
            Some(end) if end <= self.rows => Ok(()),
            _ => Err(out_of_range(start, rows, self.rows)),
        }
    }

    /// Hands the lanes of each block in a range to `each`, with the block's base and the part of the
    /// lanes that is meant.
    pub(crate) fn each_block(
        &self,
        start: usize,
        rows: usize,
        scratch: &mut Scratch,
        mut each: impl FnMut(u64, Lanes<'_>, std::ops::Range<usize>),
    ) -> Result<()> {
        self.check(start, rows)?;
        let (mut at, end) = (start, start + rows);
        while at < end {
            let index = at / BLOCK_ROWS;
            let block_end = ((index + 1) * BLOCK_ROWS).min(end);
            let Some(block) = self.blocks.get(index) else {
                return Err(out_of_range(start, rows, self.rows));
            };
            let from = at % BLOCK_ROWS;
            each(
                block.base,
                block.unpack(scratch)?,
                from..from + (block_end - at),
            );
            at = block_end;
        }
        Ok(())
    }

    /// Hands single values or whole blocks to `each`, whichever is cheaper for the block's positions.
    pub(crate) fn each_position(
        &self,
        start: usize,
        positions: &Positions,
        scratch: &mut Scratch,
        mut each: impl FnMut(u64, Picked<'_>),
    ) -> Result<()> {
        if let Some(last) = positions.rows().last() {
            self.check(start, usize::from(*last) + 1)?;
        }
        for (index, rows) in positions.by_block() {
            let Some(block) = self.blocks.get(start / BLOCK_ROWS + index) else {
                return Err(out_of_range(start, positions.len(), self.rows));
            };
            if rows.len() < SPARSE_ROWS {
                for row in rows {
                    let value = block.one(usize::from(*row) % BLOCK_ROWS)?;
                    each(block.base, Picked::One(value));
                }
            } else {
                each(block.base, Picked::Many(block.unpack(scratch)?, rows));
            }
        }
        Ok(())
    }

    /// Drops the rows of the window at `start` that fail the test.
    pub(crate) fn filter(
        &self,
        start: usize,
        test: &PackedTest<'_>,
        selection: &mut Selection,
        scratch: &mut Scratch,
    ) -> Result<()> {
        self.check(start, selection.rows())?;
        debug_assert!(start.is_multiple_of(WINDOW_ROWS));
        for index in 0..selection.blocks().min(BLOCKS_PER_WINDOW) {
            let Some(block) = self.blocks.get(start / BLOCK_ROWS + index) else {
                return Err(out_of_range(start, selection.rows(), self.rows));
            };
            let words = selection.block_mut(index);
            let left: u32 = words.iter().map(|word| word.count_ones()).sum();
            if left == 0 {
                continue;
            }
            filter_block(block, test, words, left as usize, scratch)?;
        }
        Ok(())
    }
}

/// Values at positions of one block.
pub(crate) enum Picked<'a> {
    /// One value, without the base.
    One(u64),
    /// The whole block, and the positions within the window that are meant.
    Many(Lanes<'a>, &'a [u16]),
}

fn filter_block(
    block: &Block,
    test: &PackedTest<'_>,
    words: &mut [u64],
    left: usize,
    scratch: &mut Scratch,
) -> Result<()> {
    let top = block.base.saturating_add(block.limit());
    match test {
        PackedTest::Range { low, high } => {
            if *low > *high || *high < block.base || *low > top {
                words.fill(0);
                return Ok(());
            }
            if *low <= block.base && top <= *high {
                return Ok(());
            }
        }
        PackedTest::Keys { keys, base } => {
            let base = i128::from(*base);
            if !keys.meets(base + i128::from(block.base), base + i128::from(top)) {
                words.fill(0);
                return Ok(());
            }
        }
        PackedTest::Not(other) if *other < block.base || *other > top => return Ok(()),
        _ => {}
    }
    if left < SPARSE_ROWS || block.width == 0 {
        return filter_points(block, test, words);
    }
    match block.unpack(scratch)? {
        Lanes::Zero => {}
        Lanes::L8(lanes) => filter_lanes(block.base, test, words, lanes),
        Lanes::L16(lanes) => filter_lanes(block.base, test, words, lanes),
        Lanes::L32(lanes) => filter_lanes(block.base, test, words, lanes),
        Lanes::L64(lanes) => filter_lanes(block.base, test, words, lanes),
    }
    Ok(())
}

fn filter_points(block: &Block, test: &PackedTest<'_>, words: &mut [u64]) -> Result<()> {
    if block.width == 0 {
        if !test.accepts(block.base) {
            words.fill(0);
        }
        return Ok(());
    }
    let mut outcome = Ok(());
    retain_words(words, |row| match block.one(row) {
        Ok(value) => test.accepts(block.base.wrapping_add(value)),
        Err(error) => {
            outcome = Err(error);
            false
        }
    });
    outcome
}

/// Drops the rows of a block whose value fails the test.
pub(super) fn filter_lanes<L: Lane>(
    base: u64,
    test: &PackedTest<'_>,
    words: &mut [u64],
    lanes: &[L; BLOCK_ROWS],
) {
    match test {
        PackedTest::Range { low, high } => {
            // One comparison instead of two: distances from the lower bound wrap around below it.
            let max = L::cut_from(u64::MAX).widen();
            let low = low.saturating_sub(base);
            let high = high.saturating_sub(base).min(max);
            let (low, span) = (L::cut_from(low), L::cut_from(high - low));
            narrow(words, lanes, |v: L| v.minus(low) <= span);
        }
        PackedTest::Not(other) => {
            let other = L::cut_from(other.wrapping_sub(base));
            narrow(words, lanes, |v: L| v != other);
        }
        PackedTest::Keys { keys, base: offset } => {
            let base = offset.wrapping_add(base as i64);
            let key = |v: L| base.wrapping_add(v.widen() as i64);
            match keys.bitmap() {
                Some((bits, low)) => narrow(words, lanes, |v: L| has_bit(bits, low, key(v))),
                None => narrow(words, lanes, |v: L| keys.contains(key(v))),
            }
        }
        PackedTest::Table(table) => {
            let table = usize::try_from(base)
                .ok()
                .and_then(|base| table.get(base..))
                .unwrap_or_default();
            narrow(words, lanes, |v: L| {
                table.get(v.widen() as usize).copied().unwrap_or(false)
            });
        }
    }
}
