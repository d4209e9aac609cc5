//! Dictionaries: the distinct values in order, and for each row which one it is, bit-packed.

use super::bit_packed::BitPacked;
use super::input::{Input, InputValues, Strings};
use super::packed::{self, Lanes, Packed, PackedTest, Picked};
use super::profile::Profile;
use super::table::{Table, with_table, write_bytes, write_keys};
use super::{ColumnReader, Encoding, Scratch, kind_mismatch};
use crate::bytes::damaged;
use crate::chunk::{BodyReader, ChunkWriter};
use crate::column_buffer::Values;
use crate::column_test::Test;
use crate::encoding::lanes::Lane;
use crate::kind::Kind;
use crate::scan::selection::{BLOCK_ROWS, Positions, Selection};
use arrow::array::ArrayRef;
use hashbrown::HashMap;
use llkv_result::Result;
use std::ops::Range;
use std::sync::Arc;

/// More distinct values than this, and looking them up costs more than it saves.
const MAX_ENTRIES: usize = 1 << 15;

/// See the module.
pub(crate) static ENCODING: Encoding = Encoding {
    id: 6,
    name: "dictionary",
    estimate,
    write,
    open,
};

/// Distinct values in order, and the code of each row.
#[derive(Debug)]
pub(crate) struct Dictionary {
    /// The row of the first occurrence of each value, by code.
    rows: Vec<u32>,
    codes: Vec<u64>,
}

impl Dictionary {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The most distinct values of some rows that a dictionary takes.
    pub(crate) fn limit(rows: usize) -> usize {
        MAX_ENTRIES.min(rows / 2)
    }

    /// A dictionary of strings; `None` when there are too many distinct ones. Where `places_repeat`, strings that came out of
    /// a dictionary mostly, most are known by the place where they lie, without a look at their bytes.
    pub(crate) fn of_strings(
        input: &Input,
        strings: &Strings,
        places_repeat: bool,
    ) -> Option<Self> {
        let limit = Self::limit(input.rows);
        let same = strings.same_buffers();
        let mut places: HashMap<u128, u32, foldhash::fast::FixedState> = HashMap::default();
        let mut seen: HashMap<&[u8], u32, foldhash::fast::FixedState> = HashMap::default();
        let mut rows: Vec<u32> = Vec::new();
        let mut codes = Vec::with_capacity(input.rows);
        let mut last = None;
        for row in 0..input.rows {
            if input.is_null(row) {
                codes.push(last.unwrap_or(0));
                continue;
            }
            let mut by_bytes = || {
                let next = rows.len() as u32;
                *seen.entry(strings.get(row)).or_insert_with(|| {
                    rows.push(row as u32);
                    next
                })
            };
            let code = match places_repeat {
                true => *places
                    .entry(strings.place(row, &same))
                    .or_insert_with(by_bytes),
                false => by_bytes(),
            };
            if rows.len() > limit {
                return None;
            }
            last = Some(u64::from(code));
            codes.push(u64::from(code));
        }
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        let row_of = |code: &u32| rows.get(*code as usize).copied().unwrap_or(0) as usize;
        let by_bytes = |a: &u32, b: &u32| strings.get(row_of(a)).cmp(strings.get(row_of(b)));
        if places_repeat {
            // In a dictionary strings lie in order, so those of one are a run of the sort that follows.
            order.sort_unstable_by_key(|code| {
                ((strings.place(row_of(code), &same) >> 64) as u64).rotate_left(32)
            });
            order.sort_by(by_bytes);
        } else {
            order.sort_unstable_by(by_bytes);
        }
        Some(Self::ordered(&order, &rows, codes))
    }

    /// The first rows of the least and the greatest value among some rows; `None` where there are none.
    pub(crate) fn least_and_greatest(
        &self,
        rows: impl Iterator<Item = usize>,
    ) -> Option<(usize, usize)> {
        let (mut least, mut greatest) = (u64::MAX, 0);
        for code in rows.filter_map(|row| self.codes.get(row)) {
            least = least.min(*code);
            greatest = greatest.max(*code);
        }
        let row_of = |code: u64| self.rows.get(usize::try_from(code).ok()?).copied();
        Some((row_of(least)? as usize, row_of(greatest)? as usize))
    }

    /// A dictionary of integers; `None` when there are too many distinct ones.
    pub(crate) fn of_ints(offsets: &[u64]) -> Option<Self> {
        let limit = Self::limit(offsets.len());
        let mut seen: HashMap<u64, u32, foldhash::fast::FixedState> = HashMap::default();
        let mut rows: Vec<u32> = Vec::new();
        let mut codes = Vec::with_capacity(offsets.len());
        for (row, offset) in offsets.iter().enumerate() {
            let next = rows.len() as u32;
            let code = *seen.entry(*offset).or_insert_with(|| {
                rows.push(row as u32);
                next
            });
            if rows.len() > limit {
                return None;
            }
            codes.push(u64::from(code));
        }
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_unstable_by_key(|code| {
            let row = rows.get(*code as usize).copied().unwrap_or(0);
            offsets.get(row as usize).copied().unwrap_or(0)
        });
        Some(Self::ordered(&order, &rows, codes))
    }

    /// Renumbers codes of first occurrence by the order of their values, so that ranges of values are
    /// ranges of codes.
    fn ordered(order: &[u32], rows: &[u32], mut codes: Vec<u64>) -> Self {
        let mut rank = vec![0u64; order.len()];
        for (new, old) in order.iter().enumerate() {
            if let Some(slot) = rank.get_mut(*old as usize) {
                *slot = new as u64;
            }
        }
        for code in &mut codes {
            *code = rank.get(*code as usize).copied().unwrap_or(0);
        }
        Self {
            rows: order
                .iter()
                .filter_map(|old| rows.get(*old as usize).copied())
                .collect(),
            codes,
        }
    }
}

fn estimate(input: &Input, profile: &Profile) -> Option<usize> {
    let dictionary = profile.dictionary.as_ref()?;
    let code_bits = packed::bit_width(dictionary.len().saturating_sub(1) as u64);
    let values = match &input.values {
        InputValues::Bytes(strings) => dictionary
            .rows
            .iter()
            .map(|row| 4 + strings.get(*row as usize).len())
            .sum(),
        _ => dictionary.len() * super::bit_packed::value_bytes(input.kind),
    };
    Some(values + input.rows * code_bits / 8)
}

fn write(input: &Input, profile: &Profile, out: &mut ChunkWriter) -> Result<()> {
    let dictionary = profile.dictionary.as_ref().ok_or_else(kind_mismatch)?;
    out.header.u32(dictionary.len() as u32);
    let rows = dictionary.rows.iter().map(|row| *row as usize);
    match &input.values {
        InputValues::Bytes(strings) => {
            let values: Vec<&[u8]> = rows.map(|row| strings.get(row)).collect();
            write_bytes(&values, out)?;
        }
        InputValues::Ints(ints) => {
            let offset = |row: usize| ints.offsets.get(row).copied().unwrap_or(0);
            let keys = rows.map(|row| ints.base + i128::from(offset(row)));
            write_keys(input.kind, keys, out)?;
        }
        InputValues::Bits(_) | InputValues::Fixed(_) => return Err(kind_mismatch()),
    }
    packed::write(&dictionary.codes, out)
}

fn open(kind: Kind, rows: usize, body: &mut BodyReader<'_>) -> Result<Box<dyn ColumnReader>> {
    let len = body.header.u32()? as usize;
    let table = Table::open(kind, len, body)?;
    let codes = Packed::open(rows, body)?;
    let greatest = codes.max(&mut Scratch::default())?;
    if greatest >= len as u64 {
        return Err(damaged(format!(
            "code {greatest} of a dictionary of {len} values"
        )));
    }
    let strings = table.strings(matches!(kind, Kind::Bytes { utf8: true }))?;
    Ok(Box::new(DictionaryReader {
        table,
        strings,
        codes: BitPacked {
            base: 0,
            packed: codes,
        },
    }))
}

#[derive(Debug)]
struct DictionaryReader {
    table: Table,
    /// The table as an array, where it holds strings.
    strings: Option<ArrayRef>,
    codes: BitPacked,
}

fn look_up<V: Copy + Default, L: Lane>(out: &mut Vec<V>, values: &[V], base: u64, lanes: &[L]) {
    let values = values.get(base as usize..).unwrap_or_default();
    out.extend(lanes.iter().map(|lane| {
        values
            .get(lane.widen() as usize)
            .copied()
            .unwrap_or_default()
    }));
}

fn extend<V: Copy + Default>(
    out: &mut Vec<V>,
    values: &[V],
    base: u64,
    lanes: Lanes<'_>,
    part: Range<usize>,
) {
    match lanes {
        Lanes::Zero => {
            let value = values.get(base as usize).copied().unwrap_or_default();
            out.extend(std::iter::repeat_n(value, part.len()));
        }
        Lanes::L8(l) => look_up(out, values, base, l.get(part).unwrap_or_default()),
        Lanes::L16(l) => look_up(out, values, base, l.get(part).unwrap_or_default()),
        Lanes::L32(l) => look_up(out, values, base, l.get(part).unwrap_or_default()),
        Lanes::L64(l) => look_up(out, values, base, l.get(part).unwrap_or_default()),
    }
}

fn pick<V: Copy + Default>(out: &mut Vec<V>, values: &[V], base: u64, picked: Picked<'_>) {
    fn go<V: Copy + Default, L: Lane>(
        out: &mut Vec<V>,
        values: &[V],
        lanes: &[L; BLOCK_ROWS],
        rows: &[u16],
    ) {
        out.extend(rows.iter().map(|row| {
            let lane = lanes.get(usize::from(*row) & (BLOCK_ROWS - 1));
            let code = lane.map_or(0, |lane| lane.widen());
            values.get(code as usize).copied().unwrap_or_default()
        }));
    }
    let values = values.get(base as usize..).unwrap_or_default();
    match picked {
        Picked::One(code) => out.push(values.get(code as usize).copied().unwrap_or_default()),
        Picked::Many(Lanes::Zero, rows) => {
            let value = values.first().copied().unwrap_or_default();
            out.extend(std::iter::repeat_n(value, rows.len()));
        }
        Picked::Many(Lanes::L8(lanes), rows) => go(out, values, lanes, rows),
        Picked::Many(Lanes::L16(lanes), rows) => go(out, values, lanes, rows),
        Picked::Many(Lanes::L32(lanes), rows) => go(out, values, lanes, rows),
        Picked::Many(Lanes::L64(lanes), rows) => go(out, values, lanes, rows),
    }
}

impl ColumnReader for DictionaryReader {
    fn append(
        &self,
        start: usize,
        rows: usize,
        out: &mut Values,
        scratch: &mut Scratch,
    ) -> Result<()> {
        with_table!(&self.table, out, |values, vec| self
            .codes
            .packed
            .each_block(start, rows, scratch, |base, lanes, part| extend(
                vec, values, base, lanes, part
            )))
    }

    fn append_at(
        &self,
        start: usize,
        positions: &Positions,
        out: &mut Values,
        scratch: &mut Scratch,
    ) -> Result<()> {
        with_table!(&self.table, out, |values, vec| self
            .codes
            .packed
            .each_position(start, positions, scratch, |base, picked| pick(
                vec, values, base, picked
            )))
    }

    fn answers(&self, test: &Test) -> Result<Vec<bool>> {
        self.table.accepts(test)
    }

    fn coded(&self) -> Option<(ArrayRef, &dyn ColumnReader)> {
        let strings = self.strings.as_ref()?;
        Some((Arc::clone(strings), &self.codes))
    }

    fn filter(
        &self,
        start: usize,
        _test: &Test,
        answers: &[bool],
        selection: &mut Selection,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let count = answers.iter().filter(|yes| **yes).count();
        let Some(first) = answers.iter().position(|yes| *yes) else {
            selection.clear();
            return Ok(());
        };
        // Values are in order, so most tests accept one range of codes.
        let test = match answers.iter().skip(first).take_while(|yes| **yes).count() == count {
            true => PackedTest::Range {
                low: first as u64,
                high: (first + count - 1) as u64,
            },
            false => PackedTest::Table(answers),
        };
        self.codes.packed.filter(start, &test, selection, scratch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Lifetime;
    use arrow::array::{Array, StringViewArray};
    use arrow::compute::{concat, take};
    use llkv_types::SqlType;
    use proptest::prelude::*;

    /// Batches as a scan of dictionaries gives them: views into few buffers, the same ones in each batch.
    fn batches(words: &[String], picks: &[Vec<Option<u32>>]) -> ArrayRef {
        let mut words = words.to_vec();
        words.sort();
        let words = StringViewArray::from_iter_values(&words);
        let parts = picks.iter().map(|rows| {
            let rows = rows
                .iter()
                .map(|row| row.map(|row| row % words.len() as u32));
            take(&words, &arrow::array::UInt32Array::from_iter(rows), None).unwrap()
        });
        let parts: Vec<ArrayRef> = parts.collect();
        let parts: Vec<&dyn Array> = parts.iter().map(|part| part.as_ref()).collect();
        concat(&parts).unwrap()
    }

    proptest! {
        #[test]
        fn strings_known_by_their_place_give_the_same_dictionary(
            words in prop::collection::vec("[ab]{0,3}|[ab]{11,15}|a long word that begins alike [a-c]{1,2}", 1..12),
            picks in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.9, any::<u32>()), 1..60), 1..5),
        ) {
            let array = batches(&words, &picks);
            let input = Input::new(SqlType::Text, &array).unwrap();
            let InputValues::Bytes(strings) = &input.values else {
                panic!("texts are strings");
            };
            let by_bytes = Dictionary::of_strings(&input, strings, false);
            let by_place = Dictionary::of_strings(&input, strings, true);
            let parts = |d: Option<Dictionary>| d.map(|d| (d.rows, d.codes));
            prop_assert_eq!(parts(by_place), parts(by_bytes));
            let profile = Profile::new(&input, Lifetime::Lasting);
            prop_assert_eq!(input.window_stats(&profile), input.window_stats(&Profile::default()));
        }
    }
}
