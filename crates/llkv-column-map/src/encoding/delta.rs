//! Delta encoding: integers as distances from the one before, for sorted keys and times of events.
//!
//! Taken for values that need more than two bytes packed in blocks, where it saves one of them.
//!
//! ```text
//! header: base i128 (the chunk's minimum), least delta u64
//! buffers: first value of each block of 1,024 rows, less the base (u64 each); deltas, packed in blocks
//! ```
//!
//! A delta is stored as its distance from the least one of the chunk, so that descending values cost as little
//! as ascending ones. Any row is found by decoding its block.

use super::bit_packed::{Target, extend, offset_range, pick, with_vec};
use super::input::{Input, InputValues};
use super::packed::{self, Lanes, Packed, PackedTest, Picked};
use super::plain::out_of_range;
use super::profile::Profile;
use super::{ColumnReader, Encoding, Scratch, kind_mismatch};
use crate::bytes::damaged;
use crate::chunk::{BodyReader, ChunkWriter};
use crate::column_buffer::Values;
use crate::column_test::Test;
use crate::kind::Kind;
use crate::scan::selection::{BLOCK_ROWS, Positions, Selection, retain_words};
use llkv_result::Result;

/// See the module.
pub(crate) static ENCODING: Encoding = Encoding {
    id: 8,
    name: "delta",
    estimate,
    write,
    open,
};

/// Adding up deltas is slower than unpacking distances from a minimum, and a filter cannot pass over a block:
/// worth it where it saves a byte a value and a quarter of the whole.
fn estimate(input: &Input, profile: &Profile) -> Option<usize> {
    if !matches!(input.kind, Kind::Signed(_) | Kind::Unsigned(_)) {
        return None;
    }
    let (delta, packed) = (profile.delta_bytes?, profile.packed_bytes);
    let worth = delta + input.rows <= packed && delta * 4 <= packed * 3;
    worth.then_some(delta)
}

/// Distances between neighbours, less the least of them; and the least. The first row of a block, which has
/// no neighbour there, has that of the second.
pub(super) fn deltas(offsets: &[u64]) -> (Vec<u64>, u64) {
    let mut deltas = Vec::with_capacity(offsets.len());
    for block in offsets.chunks(BLOCK_ROWS) {
        let pairs = block.iter().zip(block.iter().skip(1));
        let mut within = pairs.map(|(a, b)| b.wrapping_sub(*a) as i64).peekable();
        deltas.push(within.peek().copied().unwrap_or(0));
        deltas.extend(within);
    }
    let least = deltas.iter().copied().min().unwrap_or(0);
    let above = |delta: i64| delta.wrapping_sub(least) as u64;
    (deltas.into_iter().map(above).collect(), least as u64)
}

/// Bytes that [`write`] takes.
pub(super) fn delta_bytes(offsets: &[u64]) -> usize {
    packed::packed_bytes(&deltas(offsets).0) + offsets.len().div_ceil(BLOCK_ROWS) * 8
}

fn write(input: &Input, _profile: &Profile, out: &mut ChunkWriter) -> Result<()> {
    let InputValues::Ints(ints) = &input.values else {
        return Err(kind_mismatch());
    };
    let (deltas, least) = deltas(&ints.offsets);
    out.header.i128(ints.base);
    out.header.u64(least);
    let firsts = ints.offsets.iter().step_by(BLOCK_ROWS);
    let firsts: Vec<u8> = firsts.flat_map(|first| first.to_le_bytes()).collect();
    out.buffer(&firsts);
    packed::write(&deltas, out)
}

fn open(kind: Kind, rows: usize, body: &mut BodyReader<'_>) -> Result<Box<dyn ColumnReader>> {
    if !matches!(kind, Kind::Signed(_) | Kind::Unsigned(_)) {
        return Err(kind_mismatch());
    }
    let (base, least) = (body.header.i128()?, body.header.u64()?);
    let firsts = body.buffer()?;
    let (firsts, rest) = firsts.as_slice().as_chunks::<8>();
    if firsts.len() != rows.div_ceil(BLOCK_ROWS) || !rest.is_empty() {
        return Err(damaged(
            "first values of delta blocks do not cover the rows",
        ));
    }
    Ok(Box::new(Delta {
        rows,
        base,
        least,
        firsts: firsts
            .iter()
            .map(|first| u64::from_le_bytes(*first))
            .collect(),
        deltas: Packed::open(rows, body)?,
    }))
}

#[derive(Debug)]
struct Delta {
    rows: usize,
    base: i128,
    /// Added to each stored delta, wrapping around.
    least: u64,
    firsts: Vec<u64>,
    deltas: Packed,
}

/// The values of a block, less the chunk's base.
type Block = [u64; BLOCK_ROWS];

impl Delta {
    /// Decodes a block.
    fn decode(&self, index: usize, block: &mut Block, scratch: &mut Scratch) -> Result<()> {
        let start = index * BLOCK_ROWS;
        let rows = BLOCK_ROWS.min(self.rows.saturating_sub(start));
        let Some(first) = self.firsts.get(index) else {
            return Err(out_of_range(start, rows, self.rows));
        };
        self.deltas
            .each_block(start, rows, scratch, |base, lanes, _| {
                let least = self.least.wrapping_add(base);
                // The first row's delta is not meant: it is taken back before it is added.
                let mut value = first.wrapping_sub(least);
                match lanes {
                    Lanes::Zero => sum(&mut value, least, block, std::iter::repeat(0)),
                    Lanes::L8(l) => sum(&mut value, least, block, widen(l)),
                    Lanes::L16(l) => sum(&mut value, least, block, widen(l)),
                    Lanes::L32(l) => sum(&mut value, least, block, widen(l)),
                    Lanes::L64(l) => sum(&mut value, least, block, widen(l)),
                }
            })
    }

    fn check(&self, start: usize, rows: usize) -> Result<()> {
        match start.checked_add(rows) {
            Some(end) if end <= self.rows => Ok(()),
            _ => Err(out_of_range(start, rows, self.rows)),
        }
    }
}

/// Stored deltas with the first one as zero: it would lead to the first value.
fn widen<L: Copy + Into<u64>>(lanes: &[L; BLOCK_ROWS]) -> impl Iterator<Item = u64> {
    std::iter::once(0).chain(lanes.iter().skip(1).map(|lane| (*lane).into()))
}

#[inline]
fn sum(value: &mut u64, least: u64, block: &mut Block, deltas: impl Iterator<Item = u64>) {
    for (out, delta) in block.iter_mut().zip(deltas) {
        *value = value.wrapping_add(least).wrapping_add(delta);
        *out = *value;
    }
}

impl ColumnReader for Delta {
    fn append(
        &self,
        start: usize,
        rows: usize,
        out: &mut Values,
        scratch: &mut Scratch,
    ) -> Result<()> {
        self.check(start, rows)?;
        let mut block = [0; BLOCK_ROWS];
        let (mut at, end) = (start, start + rows);
        while at < end {
            let index = at / BLOCK_ROWS;
            let stop = ((index + 1) * BLOCK_ROWS).min(end);
            let part = at - index * BLOCK_ROWS..stop - index * BLOCK_ROWS;
            self.decode(index, &mut block, scratch)?;
            with_vec!(out, |vec| {
                extend(vec, Target::cut(self.base), Lanes::L64(&block), part);
                Ok(())
            })?;
            at = stop;
        }
        Ok(())
    }

    fn append_at(
        &self,
        start: usize,
        positions: &Positions,
        out: &mut Values,
        scratch: &mut Scratch,
    ) -> Result<()> {
        if let Some(last) = positions.rows().last() {
            self.check(start, usize::from(*last) + 1)?;
        }
        let mut block = [0; BLOCK_ROWS];
        for (index, rows) in positions.by_block() {
            self.decode(start / BLOCK_ROWS + index, &mut block, scratch)?;
            let picked = Picked::Many(Lanes::L64(&block), rows);
            with_vec!(out, |vec| {
                pick(vec, Target::cut(self.base), picked);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn filter(
        &self,
        start: usize,
        test: &Test,
        _answers: &[bool],
        selection: &mut Selection,
        scratch: &mut Scratch,
    ) -> Result<()> {
        self.check(start, selection.rows())?;
        let packed = match test {
            Test::Range { low, high } => match offset_range(self.base, *low, *high) {
                Some((low, high)) => Some(PackedTest::Range { low, high }),
                None => {
                    selection.clear();
                    return Ok(());
                }
            },
            Test::Not(other) => match offset_range(self.base, *other, *other) {
                Some((offset, _)) => Some(PackedTest::Not(offset)),
                None => return Ok(()),
            },
            _ => None,
        };
        let mut block = [0; BLOCK_ROWS];
        for index in 0..selection.blocks() {
            if selection.block_mut(index).iter().all(|word| *word == 0) {
                continue;
            }
            self.decode(start / BLOCK_ROWS + index, &mut block, scratch)?;
            match &packed {
                Some(test) => packed::filter_lanes(0, test, selection.block_mut(index), &block),
                None => retain_words(selection.block_mut(index), |row| {
                    let value = block.get(row).copied().unwrap_or_default();
                    test.accepts_int(self.base.wrapping_add(i128::from(value)))
                }),
            }
        }
        Ok(())
    }
}
