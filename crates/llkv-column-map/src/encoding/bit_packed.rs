//! Frame of reference and bit-packing: integers as distances from a minimum, in as few bits as they need.

use super::packed::{self, Lanes, Packed, PackedTest, Picked};
use super::profile::Profile;
use super::{ColumnReader, Encoding, Scratch, kind_mismatch};
use crate::chunk::{BodyReader, ChunkWriter};
use crate::column_buffer::Values;
use crate::column_test::Test;
use crate::encoding::input::{Input, InputValues};
use crate::encoding::lanes::Lane;
use crate::kind::{Kind, Width};
use crate::scan::selection::{BLOCK_ROWS, Positions, Selection};
use llkv_result::Result;
use std::ops::Range;

/// See the module.
pub(crate) static ENCODING: Encoding = Encoding {
    id: 4,
    name: "bit-packed",
    estimate,
    write,
    open,
};

fn estimate(input: &Input, profile: &Profile) -> Option<usize> {
    match (&input.values, input.kind) {
        (InputValues::Ints(_), Kind::Signed(_) | Kind::Unsigned(_)) => Some(profile.packed_bytes),
        _ => None,
    }
}

fn write(input: &Input, _profile: &Profile, out: &mut ChunkWriter) -> Result<()> {
    let InputValues::Ints(ints) = &input.values else {
        return Err(kind_mismatch());
    };
    out.header.i128(ints.base);
    packed::write(&ints.offsets, out)
}

fn open(kind: Kind, rows: usize, body: &mut BodyReader<'_>) -> Result<Box<dyn ColumnReader>> {
    if !matches!(kind, Kind::Signed(_) | Kind::Unsigned(_)) {
        return Err(kind_mismatch());
    }
    let base = body.header.i128()?;
    let packed = Packed::open(rows, body)?;
    Ok(Box::new(BitPacked { base, packed }))
}

/// Packed integers over a base.
#[derive(Debug)]
pub(super) struct BitPacked {
    pub(super) base: i128,
    pub(super) packed: Packed,
}

/// An integer of a column, as raw bits.
pub(crate) trait Target: Copy {
    /// The low bits.
    fn cut(value: i128) -> Self;
    /// This and an offset, wrapping around.
    fn plus<L: Lane>(self, lane: L) -> Self;
}

macro_rules! target {
    ($T:ty) => {
        impl Target for $T {
            #[inline]
            fn cut(value: i128) -> Self {
                value as $T
            }
            #[inline]
            fn plus<L: Lane>(self, lane: L) -> Self {
                self.wrapping_add(lane.widen() as $T)
            }
        }
    };
}
target!(u8);
target!(u16);
target!(u32);
target!(u64);
target!(u128);

pub(super) fn extend<T: Target>(out: &mut Vec<T>, base: T, lanes: Lanes<'_>, part: Range<usize>) {
    fn go<T: Target, L: Lane>(out: &mut Vec<T>, base: T, lanes: &[L], part: Range<usize>) {
        let lanes = lanes.get(part).unwrap_or_default();
        out.extend(lanes.iter().map(|lane| base.plus(*lane)));
    }
    match lanes {
        Lanes::Zero => out.extend(std::iter::repeat_n(base, part.len())),
        Lanes::L8(lanes) => go(out, base, lanes, part),
        Lanes::L16(lanes) => go(out, base, lanes, part),
        Lanes::L32(lanes) => go(out, base, lanes, part),
        Lanes::L64(lanes) => go(out, base, lanes, part),
    }
}

pub(super) fn pick<T: Target>(out: &mut Vec<T>, base: T, picked: Picked<'_>) {
    fn go<T: Target, L: Lane>(out: &mut Vec<T>, base: T, lanes: &[L; BLOCK_ROWS], rows: &[u16]) {
        out.extend(rows.iter().map(|row| {
            // The mask shows the compiler that the index is in bounds.
            let lane = lanes.get(usize::from(*row) & (BLOCK_ROWS - 1));
            base.plus(lane.copied().unwrap_or_default())
        }));
    }
    match picked {
        Picked::One(value) => out.push(base.plus(value)),
        Picked::Many(Lanes::Zero, rows) => out.extend(std::iter::repeat_n(base, rows.len())),
        Picked::Many(Lanes::L8(lanes), rows) => go(out, base, lanes, rows),
        Picked::Many(Lanes::L16(lanes), rows) => go(out, base, lanes, rows),
        Picked::Many(Lanes::L32(lanes), rows) => go(out, base, lanes, rows),
        Picked::Many(Lanes::L64(lanes), rows) => go(out, base, lanes, rows),
    }
}

/// Runs `$body` with the vector that `$out` holds.
macro_rules! with_vec {
    ($out:expr, |$vec:ident| $body:expr) => {
        match $out {
            Values::W1($vec) => $body,
            Values::W2($vec) => $body,
            Values::W4($vec) => $body,
            Values::W8($vec) => $body,
            Values::W16($vec) => $body,
            Values::Bits(_) | Values::Views(_) => Err(kind_mismatch()),
        }
    };
}

pub(super) use with_vec;

impl ColumnReader for BitPacked {
    fn integer(&self, row: usize) -> Result<Option<i128>> {
        let offset = self.packed.value(row)?;
        Ok(Some(self.base.wrapping_add(i128::from(offset))))
    }

    fn append(
        &self,
        start: usize,
        rows: usize,
        out: &mut Values,
        scratch: &mut Scratch,
    ) -> Result<()> {
        with_vec!(out, |vec| self.packed.each_block(
            start,
            rows,
            scratch,
            |base, lanes, part| {
                let base = Target::cut(self.base.wrapping_add(i128::from(base)));
                extend(vec, base, lanes, part);
            }
        ))
    }

    fn append_at(
        &self,
        start: usize,
        positions: &Positions,
        out: &mut Values,
        scratch: &mut Scratch,
    ) -> Result<()> {
        with_vec!(out, |vec| self.packed.each_position(
            start,
            positions,
            scratch,
            |base, picked| {
                let base = Target::cut(self.base.wrapping_add(i128::from(base)));
                pick(vec, base, picked);
            }
        ))
    }

    fn filter(
        &self,
        start: usize,
        test: &Test,
        _answers: &[bool],
        selection: &mut Selection,
        scratch: &mut Scratch,
    ) -> Result<()> {
        match test {
            Test::Range { low, high } => {
                let Some((low, high)) = self.offsets(*low, *high) else {
                    selection.clear();
                    return Ok(());
                };
                let test = PackedTest::Range { low, high };
                self.packed.filter(start, &test, selection, scratch)
            }
            Test::Not(other) => match self.offsets(*other, *other) {
                Some((offset, _)) => {
                    let test = PackedTest::Not(offset);
                    self.packed.filter(start, &test, selection, scratch)
                }
                None => Ok(()),
            },
            // Values of 64 bits, as keys are, lie at a base of 64 bits.
            Test::Keys(keys) if i64::try_from(self.base).is_ok() => {
                let base = self.base as i64;
                let test = PackedTest::Keys { keys, base };
                self.packed.filter(start, &test, selection, scratch)
            }
            test => self.filter_generic(start, test, selection, scratch),
        }
    }
}

impl BitPacked {
    fn offsets(&self, low: i128, high: i128) -> Option<(u64, u64)> {
        offset_range(self.base, low, high)
    }

    /// For sets: decodes the window, after its bounds have narrowed it.
    fn filter_generic(
        &self,
        start: usize,
        test: &Test,
        selection: &mut Selection,
        scratch: &mut Scratch,
    ) -> Result<()> {
        if let Test::Set(set) = test {
            let Some((low, high)) = self.offsets(set.low(), set.high()) else {
                selection.clear();
                return Ok(());
            };
            let range = PackedTest::Range { low, high };
            self.packed.filter(start, &range, selection, scratch)?;
        }
        let rows = selection.rows();
        let mut values: Vec<u128> = Vec::with_capacity(rows);
        self.packed
            .each_block(start, rows, scratch, |base, lanes, part| {
                let base = Target::cut(self.base.wrapping_add(i128::from(base)));
                extend(&mut values, base, lanes, part);
            })?;
        selection.retain(|row| {
            values
                .get(row)
                .is_some_and(|value| test.accepts_int(*value as i128))
        });
        Ok(())
    }
}

/// A range of values as a range of offsets from a base; `None` when it holds no offset.
pub(super) fn offset_range(base: i128, low: i128, high: i128) -> Option<(u64, u64)> {
    let high = high.saturating_sub(base);
    let low = low.saturating_sub(base).max(0);
    if high < 0 {
        return None;
    }
    let low = u64::try_from(low).ok()?;
    Some((low, u64::try_from(high).unwrap_or(u64::MAX)))
}

/// Bytes of one value of a kind.
pub(crate) fn value_bytes(kind: Kind) -> usize {
    kind.width().map_or(0, Width::bytes)
}
