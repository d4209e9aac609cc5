//! Numbered texts: one prefix for all, then a decimal number, of which the numbers are packed: `Customer#000000123`, `id57`.

use super::input::{Input, Strings};
use super::packed::{self, Lanes, Packed, PackedTest, Picked, packed_bytes};
use super::profile::Profile;
use super::{ColumnReader, Encoding, Scratch, kind_mismatch};
use crate::bytes::damaged;
use crate::chunk::{BodyReader, ChunkWriter};
use crate::column_buffer::{Values, ViewValues};
use crate::column_test::Test;
use crate::encoding::lanes::Lane;
use crate::kind::Kind;
use crate::scan::selection::{BLOCK_ROWS, Positions, Selection};
use crate::views::{INLINE_BYTES, view_len};
use arrow::buffer::Buffer;
use llkv_result::Result;
use std::ops::Bound;

/// Digits of the longest number.
const MAX_DIGITS: usize = 16;
/// Bytes of the longest prefix.
const MAX_PREFIX: usize = 64;
/// Texts looked at before all are read.
const SAMPLE_ROWS: usize = 64;
/// Ten to the power of eight: digits are made eight at a time.
const EIGHT_DIGITS: u64 = 100_000_000;

/// See the module.
pub(crate) static ENCODING: Encoding = Encoding {
    id: 10,
    name: "numbered",
    estimate,
    write,
    open,
};

/// What texts have in common: the prefix, and the least number of digits, which zeros in front make up. A text of more digits
/// has no such zero, so that each number is one text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Form {
    prefix: Vec<u8>,
    digits: usize,
}

impl Form {
    /// The form that some texts may have.
    fn of<'a>(texts: impl Iterator<Item = &'a [u8]> + Clone) -> Option<Self> {
        let first = texts.clone().next()?;
        let head = first.len()
            - first
                .iter()
                .rev()
                .take_while(|b| b.is_ascii_digit())
                .count();
        let prefix = first.get(..head)?;
        let shortest = texts.map(<[u8]>::len).min()?;
        let digits = shortest.checked_sub(head)?;
        let fits = (1..=MAX_DIGITS).contains(&digits) && head <= MAX_PREFIX;
        fits.then(|| Self {
            prefix: prefix.to_vec(),
            digits,
        })
    }

    /// The number of a text of this form.
    #[inline]
    fn number(&self, text: &[u8]) -> Option<u64> {
        let digits = text.strip_prefix(self.prefix.as_slice())?;
        let is_padded = digits.len() > self.digits && digits.first() == Some(&b'0');
        if digits.len() < self.digits || digits.len() > MAX_DIGITS || is_padded {
            return None;
        }
        value_of(0, digits)
    }

    /// The number of a text of this form that lies inside its view, eight digits at once.
    #[inline]
    fn number_inline(&self, inline: u128, view: u128) -> Option<u64> {
        let head = self.prefix.len();
        let count = view_len(view).checked_sub(head)?;
        let mask = (1 << (8 * head)) - 1;
        if (view >> 32) & mask != (inline >> 32) & mask || count < self.digits {
            return None;
        }
        let digits = view >> (32 + 8 * head);
        if count > self.digits && digits as u8 == b'0' {
            return None;
        }
        let first = value_of_eight(digits as u64, count.min(8))?;
        match count {
            0..=8 => Some(first),
            _ => {
                let rest = (digits >> 64).to_le_bytes();
                value_of(first, rest.get(..count - 8)?)
            }
        }
    }
}

/// The number of some digits that follow those of another number.
fn value_of(before: u64, digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(before, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| number * 10 + u64::from(digit))
    })
}

/// The number of up to eight digits, the first in the lowest byte and nothing behind the last: two, four and eight at once.
#[inline]
const fn value_of_eight(digits: u64, count: usize) -> Option<u64> {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    // Zeros come in front of the first digit.
    let shift = 8 * (8 - count as u32);
    let digits = match count {
        0 => return Some(0),
        _ => (digits << shift) ^ (ZEROS << shift),
    };
    if (digits | digits.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let twos = digits.wrapping_mul(10 << 8 | 1) >> 8 & 0x00FF_00FF_00FF_00FF;
    let fours = twos.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_FFFF_0000_FFFF;
    Some(fours.wrapping_mul(10_000 << 32 | 1) >> 32)
}

/// The first bytes of a prefix where a view has them.
fn inline_of(prefix: &[u8]) -> u128 {
    let mut inline = [0; 16];
    for (to, from) in inline.iter_mut().skip(4).zip(prefix) {
        *to = *from;
    }
    u128::from_le_bytes(inline)
}

/// A column as numbers.
#[derive(Debug)]
pub(crate) struct Numbered {
    form: Form,
    base: u64,
    offsets: Vec<u64>,
    estimated_bytes: usize,
}

impl Numbered {
    /// The texts of a column as numbers; `None` where one has another form.
    pub(crate) fn new(input: &Input, strings: &Strings) -> Option<Self> {
        let mut sample = input.sample(SAMPLE_ROWS).map(|row| strings.get(row));
        let sampled = Form::of(sample.clone())?;
        if sample.any(|text| sampled.number(text).is_none()) {
            return None;
        }
        let mut rows = (0..input.rows).filter(|row| !input.is_null(*row));
        let lengths = rows.clone().map(|row| view_len(strings.view(row)));
        let shortest = lengths.min()?;
        let form = Form {
            digits: shortest.checked_sub(sampled.prefix.len())?.max(1),
            ..sampled
        };
        let mut numbers = Vec::with_capacity(input.rows);
        let mut last = form.number(strings.get(rows.next()?))?;
        let inline = inline_of(&form.prefix);
        for row in 0..input.rows {
            if !input.is_null(row) {
                let view = strings.view(row);
                last = match view_len(view) <= INLINE_BYTES {
                    true => form.number_inline(inline, view)?,
                    false => form.number(strings.get(row))?,
                };
            }
            numbers.push(last);
        }
        let base = numbers.iter().copied().min()?;
        numbers.iter_mut().for_each(|number| *number -= base);
        Some(Self {
            estimated_bytes: packed_bytes(&numbers) + form.prefix.len(),
            form,
            base,
            offsets: numbers,
        })
    }

    /// Rows of the least and the greatest text among some rows; `None` where their texts are not of one length, which alone are
    /// ordered as their numbers are, or where there are none.
    pub(crate) fn least_and_greatest(
        &self,
        rows: impl Iterator<Item = usize>,
    ) -> Option<(usize, usize)> {
        let (mut least, mut greatest) = ((u64::MAX, 0), (0, 0));
        for row in rows {
            let number = *self.offsets.get(row)?;
            if number <= least.0 {
                least = (number, row);
            }
            if number >= greatest.0 {
                greatest = (number, row);
            }
        }
        if least.0 > greatest.0 {
            return None;
        }
        let length = |offset: u64| digits_of(self.base + offset, self.form.digits).1;
        (length(least.0) == length(greatest.0)).then_some((least.1, greatest.1))
    }

    /// Roughly how many distinct texts there are.
    pub(crate) fn distinct(&self) -> usize {
        let span = self.offsets.iter().copied().max().unwrap_or(0);
        super::profile::count_distinct(&self.offsets, span)
    }
}

/// Who groups, joins or tests texts gains from a dictionary, so half must be saved where there is one.
fn estimate(_input: &Input, profile: &Profile) -> Option<usize> {
    let numbered = profile.numbered.as_ref()?;
    match &profile.dictionary {
        Some(_) => Some(2 * numbered.estimated_bytes),
        None => Some(numbered.estimated_bytes),
    }
}

fn write(_input: &Input, profile: &Profile, out: &mut ChunkWriter) -> Result<()> {
    let numbered = profile.numbered.as_ref().ok_or_else(kind_mismatch)?;
    out.header.u8(numbered.form.digits as u8);
    out.header.u64(numbered.base);
    out.header.prefixed(&numbered.form.prefix);
    packed::write(&numbered.offsets, out)
}

fn open(kind: Kind, rows: usize, body: &mut BodyReader<'_>) -> Result<Box<dyn ColumnReader>> {
    let Kind::Bytes { utf8 } = kind else {
        return Err(kind_mismatch());
    };
    let digits = usize::from(body.header.u8()?);
    let base = body.header.u64()?;
    let prefix = body.header.prefixed()?.to_vec();
    if !(1..=MAX_DIGITS).contains(&digits) || prefix.len() > MAX_PREFIX {
        return Err(damaged("numbered texts of an unknown form"));
    }
    if utf8 && std::str::from_utf8(&prefix).is_err() {
        return Err(damaged("the prefix of numbered texts is no text"));
    }
    Ok(Box::new(NumberedReader {
        inline: inline_of(&prefix),
        form: Form { prefix, digits },
        base,
        packed: Packed::open(rows, body)?,
    }))
}

#[derive(Debug)]
struct NumberedReader {
    form: Form,
    /// The first bytes of the prefix where a view has them.
    inline: u128,
    base: u64,
    packed: Packed,
}

/// The eight digits of a number below 10^8, the first in the lowest byte: two, four and eight of them at once.
#[inline]
const fn eight_digits(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    // 10486 / 2^20 and 103 / 2^10 are one hundredth and one tenth, near enough for so few digits.
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | (twos - tens * 10) << 8
}

/// The digits of a number, the first in the lowest byte, and how many: at least `least`.
#[inline]
fn digits_of(number: u64, least: usize) -> (u128, usize) {
    const ZEROS: u128 = 0x3030_3030_3030_3030_3030_3030_3030_3030;
    if number < EIGHT_DIGITS && least <= 8 {
        let all = eight_digits(number);
        let skipped = (all.trailing_zeros() as usize / 8).min(8 - least);
        let digits = (all | ZEROS as u64) >> (8 * skipped);
        return (u128::from(digits), 8 - skipped);
    }
    let number = number % (EIGHT_DIGITS * EIGHT_DIGITS);
    let (upper, lower) = (number / EIGHT_DIGITS, number % EIGHT_DIGITS);
    let all = match upper {
        0 => u128::from(eight_digits(lower)) << 64,
        upper => u128::from(eight_digits(upper)) | u128::from(eight_digits(lower)) << 64,
    };
    let leading = all.trailing_zeros() as usize / 8;
    let skipped = leading.min(MAX_DIGITS - least);
    ((all | ZEROS) >> (8 * skipped), MAX_DIGITS - skipped)
}

impl NumberedReader {
    /// Appends the text of a number.
    #[inline]
    fn push(&self, number: u64, data: &mut Vec<u8>, buffer: u32, views: &mut Vec<u128>) {
        let (digits, count) = digits_of(number, self.form.digits);
        let head = self.form.prefix.len();
        let len = head + count;
        if len <= INLINE_BYTES {
            // Behind the last digit are none: they were shifted out.
            let digits = digits << (8 * (4 + head));
            views.push(len as u128 | self.inline | digits);
            return;
        }
        let offset = data.len();
        data.extend_from_slice(&self.form.prefix);
        data.extend_from_slice(digits.to_le_bytes().get(..count).unwrap_or_default());
        let first = data.get(offset..).and_then(<[u8]>::first_chunk::<4>);
        let first = first.map_or(0, |first| u32::from_le_bytes(*first));
        let place = u128::from(buffer) << 64 | (offset as u128) << 96;
        views.push(len as u128 | u128::from(first) << 32 | place);
    }

    fn push_all(
        &self,
        numbers: impl Iterator<Item = u64>,
        data: &mut Vec<u8>,
        out: &mut ViewValues,
    ) {
        let buffer = out.buffers.len() as u32;
        for number in numbers {
            self.push(number, data, buffer, &mut out.views);
        }
    }

    /// Puts what views point into where they say it is.
    fn finish(&self, data: Vec<u8>, out: &mut ViewValues) -> Result<()> {
        if data.len() > i32::MAX as usize {
            return Err(damaged("string lengths overflow"));
        }
        if !data.is_empty() {
            out.buffers.push(Buffer::from_vec(data));
        }
        Ok(())
    }

    /// The text of a number.
    fn text(&self, number: u64, out: &mut Vec<u8>) {
        let (digits, count) = digits_of(number, self.form.digits);
        out.clear();
        out.extend_from_slice(&self.form.prefix);
        out.extend_from_slice(digits.to_le_bytes().get(..count).unwrap_or_default());
    }

    /// Keeps the rows with one text, or all others.
    fn filter_one(
        &self,
        start: usize,
        text: &[u8],
        keep: bool,
        selection: &mut Selection,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let offset = self
            .form
            .number(text)
            .and_then(|n| n.checked_sub(self.base));
        let test = match (offset, keep) {
            (Some(offset), true) => PackedTest::Range {
                low: offset,
                high: offset,
            },
            (Some(offset), false) => PackedTest::Not(offset),
            (None, true) => {
                selection.clear();
                return Ok(());
            }
            (None, false) => return Ok(()),
        };
        self.packed.filter(start, &test, selection, scratch)
    }
}

fn above<L: Lane>(base: u64, lanes: &[L]) -> impl Iterator<Item = u64> {
    lanes
        .iter()
        .map(move |lane| base.wrapping_add(lane.widen()))
}

fn picked<'a, L: Lane>(
    base: u64,
    lanes: &'a [L; BLOCK_ROWS],
    rows: &'a [u16],
) -> impl Iterator<Item = u64> + 'a {
    rows.iter().map(move |row| {
        let lane = lanes.get(usize::from(*row) & (BLOCK_ROWS - 1));
        base.wrapping_add(lane.copied().unwrap_or_default().widen())
    })
}

impl ColumnReader for NumberedReader {
    fn append(
        &self,
        start: usize,
        rows: usize,
        out: &mut Values,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let Values::Views(out) = out else {
            return Err(kind_mismatch());
        };
        let mut data = Vec::new();
        self.packed
            .each_block(start, rows, scratch, |base, lanes, part| {
                let base = self.base.wrapping_add(base);
                let data = &mut data;
                match lanes {
                    Lanes::Zero => self.push_all(std::iter::repeat_n(base, part.len()), data, out),
                    Lanes::L8(l) => self.push_all(above(base, cut(l, part)), data, out),
                    Lanes::L16(l) => self.push_all(above(base, cut(l, part)), data, out),
                    Lanes::L32(l) => self.push_all(above(base, cut(l, part)), data, out),
                    Lanes::L64(l) => self.push_all(above(base, cut(l, part)), data, out),
                }
            })?;
        self.finish(data, out)
    }

    fn append_at(
        &self,
        start: usize,
        positions: &Positions,
        out: &mut Values,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let Values::Views(out) = out else {
            return Err(kind_mismatch());
        };
        let mut data = Vec::new();
        self.packed
            .each_position(start, positions, scratch, |base, values| {
                let base = self.base.wrapping_add(base);
                let data = &mut data;
                match values {
                    Picked::One(value) => {
                        self.push_all(std::iter::once(base.wrapping_add(value)), data, out);
                    }
                    Picked::Many(Lanes::Zero, rows) => {
                        self.push_all(std::iter::repeat_n(base, rows.len()), data, out);
                    }
                    Picked::Many(Lanes::L8(l), rows) => {
                        self.push_all(picked(base, l, rows), data, out);
                    }
                    Picked::Many(Lanes::L16(l), rows) => {
                        self.push_all(picked(base, l, rows), data, out);
                    }
                    Picked::Many(Lanes::L32(l), rows) => {
                        self.push_all(picked(base, l, rows), data, out);
                    }
                    Picked::Many(Lanes::L64(l), rows) => {
                        self.push_all(picked(base, l, rows), data, out);
                    }
                }
            })?;
        self.finish(data, out)
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
            Test::BytesNot(text) => self.filter_one(start, text, false, selection, scratch),
            Test::BytesRange {
                low: Bound::Included(low),
                high: Bound::Included(high),
            } if low == high => self.filter_one(start, low, true, selection, scratch),
            test => {
                let rows = selection.rows();
                let mut numbers: Vec<u64> = Vec::with_capacity(rows);
                self.packed
                    .each_block(start, rows, scratch, |base, lanes, part| {
                        let base = self.base.wrapping_add(base);
                        super::bit_packed::extend(&mut numbers, base, lanes, part);
                    })?;
                let mut text = Vec::new();
                selection.retain(|row| {
                    self.text(numbers.get(row).copied().unwrap_or_default(), &mut text);
                    test.accepts_bytes(&text)
                });
                Ok(())
            }
        }
    }
}

/// A part of a block's lanes.
fn cut<L: Lane>(lanes: &[L; BLOCK_ROWS], part: std::ops::Range<usize>) -> &[L] {
    lanes.get(part).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::make_view;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn digits_are_those_that_are_printed(
            number in prop_oneof![0..200_u64, 0..EIGHT_DIGITS, 0..EIGHT_DIGITS * EIGHT_DIGITS],
            least in 1..=MAX_DIGITS,
        ) {
            let (digits, count) = digits_of(number, least);
            let expected = format!("{number:0least$}");
            prop_assert_eq!(&digits.to_le_bytes()[..count], expected.as_bytes());
            prop_assert!(count == 16 || digits >> (8 * count) == 0);
        }
    }

    #[test]
    fn a_form_takes_what_it_gives_back_and_nothing_else() {
        let texts: [&[u8]; 3] = [b"id107", b"id19", b"id1234"];
        let form = Form::of(texts.into_iter()).unwrap();
        assert_eq!((form.prefix.as_slice(), form.digits), (b"id".as_slice(), 2));
        for (text, number) in [
            ("id107", Some(107)),
            ("id07", Some(7)),
            ("id007", None),
            ("id7", None),
            ("id1x", None),
            ("ix12", None),
            ("id", None),
            ("i", None),
            ("id1:", None),
            ("id1234567890", Some(1_234_567_890)),
            ("id12345678", Some(12_345_678)),
            ("id12345678901234567", None),
        ] {
            assert_eq!(form.number(text.as_bytes()), number, "{text}");
            if text.len() <= INLINE_BYTES {
                let view = make_view(text.as_bytes(), 0, 0);
                let inline = inline_of(&form.prefix);
                assert_eq!(form.number_inline(inline, view), number, "{text}");
            }
        }
        assert_eq!(Form::of(std::iter::once(b"plain".as_slice())), None);
    }
}
