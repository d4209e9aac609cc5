//! Doubles that are decimals: integers divided by a power of ten, which are packed. The idea is that of Afroozeh, Kuffó and
//! Boncz, "ALP: Adaptive Lossless floating-Point Compression" (SIGMOD 2024); dividing, where ALP multiplies twice, gives every
//! double back that was read from a decimal of up to fifteen digits.

use super::input::{Input, Ints};
use super::lanes::Lane;
use super::packed::{self, Lanes, Packed, PackedTest, Picked, packed_bytes};
use super::plain::filter_ints;
use super::profile::Profile;
use super::{ColumnReader, Encoding, Scratch, kind_mismatch};
use crate::bytes::damaged;
use crate::chunk::{BodyReader, ChunkWriter};
use crate::column_buffer::{Values, typed};
use crate::column_test::{Test, float_key};
use crate::kind::{Kind, Width};
use crate::scan::selection::{BLOCK_ROWS, Positions, Selection};
use arrow::buffer::ScalarBuffer;
use llkv_result::Result;

/// Ten to the power of the number of digits behind the point.
const POWERS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];
/// Values looked at to find the number of digits.
const SAMPLE_ROWS: usize = 256;
/// One in so many values may be no decimal, and is then stored as it is.
const EXCEPTIONS: usize = 16;
/// 2^52 as a double: with the bits of an integer below in its lower ones it is the sum of both.
const SHIFT_BITS: u64 = 0x4330_0000_0000_0000;
/// Bytes of such a value and its position.
const EXCEPTION_BYTES: usize = 12;

/// See the module.
pub(crate) static ENCODING: Encoding = Encoding {
    id: 9,
    name: "decimal",
    estimate,
    write,
    open,
};

/// A column as integers.
#[derive(Debug)]
pub(crate) struct Scaled {
    digits: u8,
    /// The least of the integers, and ...
    base: i64,
    /// ... what each is above it.
    offsets: Vec<u64>,
    /// Positions and bits of the values that are no such decimals.
    exceptions: Vec<(u32, u64)>,
    estimated_bytes: usize,
}

/// The integer that gives `value` back when it is divided by `power`.
#[inline]
fn number(value: f64, power: f64) -> Option<i64> {
    /// Adding it and taking it away again leaves no digits behind the point of what is below 2^51.
    const ROUNDING: f64 = 6_755_399_441_055_744.0;
    const LIMIT: f64 = 2_251_799_813_685_248.0;
    let scaled = value * power;
    let number = ((scaled + ROUNDING) - ROUNDING) as i64;
    let is_exact = (number as f64 / power).to_bits() == value.to_bits();
    (is_exact && scaled.abs() < LIMIT).then_some(number)
}

impl Scaled {
    /// The doubles of a column as decimals; `None` where too many are none.
    pub(crate) fn new(input: &Input, ints: &Ints) -> Option<Self> {
        if input.kind != Kind::Float(Width::W8) {
            return None;
        }
        let values = typed::<f64>(&ints.raw, input.rows).ok()?;
        let sample = input.sample(SAMPLE_ROWS);
        let sample: Vec<f64> = sample.filter_map(|row| values.get(row).copied()).collect();
        let misses = |power: f64| {
            let missed = |value: &&f64| number(**value, power).is_none();
            sample.iter().filter(missed).count()
        };
        let digits = POWERS
            .iter()
            .position(|power| misses(*power) * EXCEPTIONS <= sample.len())?;
        let power = *POWERS.get(digits)?;
        let mut numbers = Vec::with_capacity(input.rows);
        let mut exceptions = Vec::new();
        let mut last = sample.iter().find_map(|value| number(*value, power))?;
        for (row, value) in values.iter().enumerate() {
            match number(*value, power) {
                Some(number) => last = number,
                None if input.is_null(row) => {}
                None => exceptions.push((row as u32, value.to_bits())),
            }
            numbers.push(last);
        }
        if exceptions.len() * EXCEPTIONS > input.rows {
            return None;
        }
        let base = numbers.iter().copied().min()?;
        let offset = |number: &i64| number.wrapping_sub(base) as u64;
        let offsets: Vec<u64> = numbers.iter().map(offset).collect();
        Some(Self {
            digits: digits as u8,
            base,
            estimated_bytes: packed_bytes(&offsets) + EXCEPTION_BYTES * exceptions.len(),
            offsets,
            exceptions,
        })
    }
}

/// Reading plain values copies nothing, so a fifth must be saved at least.
fn estimate(_input: &Input, profile: &Profile) -> Option<usize> {
    let scaled = profile.scaled.as_ref()?;
    Some(scaled.estimated_bytes + scaled.estimated_bytes / 4)
}

fn write(_input: &Input, profile: &Profile, out: &mut ChunkWriter) -> Result<()> {
    let scaled = profile.scaled.as_ref().ok_or_else(kind_mismatch)?;
    out.header.u8(scaled.digits);
    out.header.u64(scaled.base as u64);
    out.header.u32(scaled.exceptions.len() as u32);
    packed::write(&scaled.offsets, out)?;
    let rows = scaled
        .exceptions
        .iter()
        .flat_map(|(row, _)| row.to_le_bytes());
    out.buffer(&rows.collect::<Vec<u8>>());
    let bits = scaled
        .exceptions
        .iter()
        .flat_map(|(_, bits)| bits.to_le_bytes());
    out.buffer(&bits.collect::<Vec<u8>>());
    Ok(())
}

fn open(kind: Kind, rows: usize, body: &mut BodyReader<'_>) -> Result<Box<dyn ColumnReader>> {
    if kind != Kind::Float(Width::W8) {
        return Err(kind_mismatch());
    }
    let digits = usize::from(body.header.u8()?);
    let base = body.header.u64()? as i64;
    let count = body.header.u32()? as usize;
    let Some(power) = POWERS.get(digits) else {
        return Err(damaged(format!("decimals of {digits} digits")));
    };
    let packed = Packed::open(rows, body)?;
    let positions = typed::<u32>(&body.buffer()?, count)?;
    let bits = typed::<u64>(&body.buffer()?, count)?;
    let ascend = positions.windows(2).all(|pair| pair.first() < pair.last());
    if !ascend || positions.last().is_some_and(|last| *last as usize >= rows) {
        return Err(damaged(
            "values that are no decimals lie outside their chunk",
        ));
    }
    Ok(Box::new(DecimalReader {
        power: *power,
        base,
        packed,
        positions,
        bits,
    }))
}

#[derive(Debug)]
struct DecimalReader {
    power: f64,
    base: i64,
    packed: Packed,
    /// Rows whose value is no decimal, ascending, and ...
    positions: ScalarBuffer<u32>,
    /// ... their values.
    bits: ScalarBuffer<u64>,
}

/// Turns integers above a base into doubles.
#[derive(Clone, Copy)]
struct Scale {
    /// The base, less what [`Self::bits`] adds to a distance.
    base: f64,
    power: f64,
}

impl Scale {
    /// The double of an integer is made of its bits, and then moved by the base: all of it exact below 2^52, and several at
    /// once, which conversions are not everywhere.
    #[inline]
    fn bits<L: Lane>(self, lane: L) -> u64 {
        ((f64::from_bits(SHIFT_BITS | lane.widen()) + self.base) / self.power).to_bits()
    }

    fn extend(self, out: &mut Vec<u64>, lanes: &Lanes<'_>, part: std::ops::Range<usize>) {
        fn go<L: Lane>(
            scale: Scale,
            out: &mut Vec<u64>,
            lanes: &[L],
            part: std::ops::Range<usize>,
        ) {
            let lanes = lanes.get(part).unwrap_or_default();
            out.extend(lanes.iter().map(|lane| scale.bits(*lane)));
        }
        match lanes {
            Lanes::Zero => out.extend(std::iter::repeat_n(self.bits(0_u8), part.len())),
            Lanes::L8(lanes) => go(self, out, *lanes, part),
            Lanes::L16(lanes) => go(self, out, *lanes, part),
            Lanes::L32(lanes) => go(self, out, *lanes, part),
            Lanes::L64(lanes) => go(self, out, *lanes, part),
        }
    }

    fn pick(self, out: &mut Vec<u64>, picked: &Picked<'_>) {
        fn go<L: Lane>(scale: Scale, out: &mut Vec<u64>, lanes: &[L; BLOCK_ROWS], rows: &[u16]) {
            out.extend(rows.iter().map(|row| {
                // The mask shows the compiler that the index is in bounds.
                let lane = lanes.get(usize::from(*row) & (BLOCK_ROWS - 1));
                scale.bits(lane.copied().unwrap_or_default())
            }));
        }
        match picked {
            Picked::One(value) => out.push(self.bits(*value)),
            Picked::Many(Lanes::Zero, rows) => {
                out.extend(std::iter::repeat_n(self.bits(0_u8), rows.len()));
            }
            Picked::Many(Lanes::L8(lanes), rows) => go(self, out, lanes, rows),
            Picked::Many(Lanes::L16(lanes), rows) => go(self, out, lanes, rows),
            Picked::Many(Lanes::L32(lanes), rows) => go(self, out, lanes, rows),
            Picked::Many(Lanes::L64(lanes), rows) => go(self, out, lanes, rows),
        }
    }
}

impl DecimalReader {
    fn scale(&self, base: u64) -> Scale {
        Scale {
            base: self.base.wrapping_add(base as i64) as f64 - f64::from_bits(SHIFT_BITS),
            power: self.power,
        }
    }

    /// The rows of a range whose values are no decimals, with their bits.
    fn exceptions(&self, start: usize, rows: usize) -> impl Iterator<Item = (usize, u64)> {
        let from = self.positions.partition_point(|at| (*at as usize) < start);
        let positions = self.positions.iter().zip(self.bits.iter()).skip(from);
        positions
            .map(|(at, bits)| (*at as usize, *bits))
            .take_while(move |(at, _)| *at < start + rows)
    }

    fn values(
        &self,
        start: usize,
        rows: usize,
        out: &mut Vec<u64>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let before = out.len();
        self.packed
            .each_block(start, rows, scratch, |base, lanes, part| {
                self.scale(base).extend(out, &lanes, part);
            })?;
        for (at, bits) in self.exceptions(start, rows) {
            if let Some(slot) = out.get_mut(before + at - start) {
                *slot = bits;
            }
        }
        Ok(())
    }

    /// The first distance from the base whose value is at or above a key: values grow with their distances.
    fn first_at(&self, key: i128) -> u64 {
        /// Beyond all distances that are written.
        const END: u64 = 1 << 52;
        let (mut low, mut high) = (0, END);
        while low < high {
            let middle = low + (high - low) / 2;
            let value = f64::from_bits(self.scale(middle).bits(0_u8));
            match i128::from(float_key(value)) < key {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }
}

impl ColumnReader for DecimalReader {
    fn append(
        &self,
        start: usize,
        rows: usize,
        out: &mut Values,
        scratch: &mut Scratch,
    ) -> Result<()> {
        match out {
            Values::W8(out) => self.values(start, rows, out, scratch),
            _ => Err(kind_mismatch()),
        }
    }

    fn append_at(
        &self,
        start: usize,
        positions: &Positions,
        out: &mut Values,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let Values::W8(out) = out else {
            return Err(kind_mismatch());
        };
        let before = out.len();
        self.packed
            .each_position(start, positions, scratch, |base, picked| {
                self.scale(base).pick(out, &picked);
            })?;
        let rows = positions.rows();
        let end = rows.last().map_or(0, |row| usize::from(*row) + 1);
        for (at, bits) in self.exceptions(start, end) {
            let place = rows.binary_search_by_key(&(at - start), |row| usize::from(*row));
            if let Some(slot) = place.ok().and_then(|place| out.get_mut(before + place)) {
                *slot = bits;
            }
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
        let rows = selection.rows();
        if let Test::Range { low, high } = test
            && self.exceptions(start, rows).next().is_none()
        {
            let low = self.first_at(*low);
            let Some(high) = self.first_at(high.saturating_add(1)).checked_sub(1) else {
                selection.clear();
                return Ok(());
            };
            let test = PackedTest::Range { low, high };
            return self.packed.filter(start, &test, selection, scratch);
        }
        let mut values = Vec::with_capacity(rows);
        self.values(start, rows, &mut values, scratch)?;
        let key = |bits: u64| float_key(f64::from_bits(bits));
        filter_ints(&values, 0, test, selection, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_of_up_to_fifteen_digits_are_integers_divided() {
        for (value, digits, expected) in [
            (95.810582, 6, Some(95_810_582)),
            (0.1, 1, Some(1)),
            (-0.07, 2, Some(-7)),
            (1_234_567_890.123_45, 5, Some(123_456_789_012_345)),
            (0.1, 0, None),
            (1.0 / 3.0, 15, None),
            (-0.0, 2, None),
            (f64::NAN, 0, None),
            (f64::INFINITY, 0, None),
            (1e300, 0, None),
        ] {
            assert_eq!(number(value, POWERS[digits]), expected, "{value}");
        }
    }
}
