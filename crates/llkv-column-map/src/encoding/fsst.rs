//! FSST: strings as codes of frequent pieces of up to eight bytes (Boncz, Neumann and Leis, "FSST: Fast Random
//! Access String Compression", VLDB 2020). Any string decodes alone, and a block of 1,024 in one go.

use super::input::{Input, InputValues, Strings};
use super::packed::{self, Lanes, Packed};
use super::profile::Profile;
use super::{ColumnReader, Encoding, Scratch, kind_mismatch};
use crate::bytes::damaged;
use crate::chunk::{BodyReader, ChunkWriter};
use crate::column_buffer::{Values, ViewValues, typed};
use crate::column_test::Test;
use crate::kind::Kind;
use crate::scan::selection::{BLOCK_ROWS, Positions, Selection};
use crate::views::{check_strings, make_view};
use ::fsst::{Compressor, ESCAPE_CODE};
use arrow::buffer::{Buffer, ScalarBuffer};
use llkv_result::Result;

/// Shorter columns are not worth a symbol table.
const MIN_BYTES: usize = 32 << 10;
/// Strings of so many bytes are compressed by two threads.
const PARALLEL_BYTES: usize = 1 << 20;
/// Strings compressed to learn the ratio.
const SAMPLE_ROWS: usize = 512;
/// Strings that the symbol table is made from.
const TRAINING_ROWS: usize = 4_096;
/// Up to so many strings of a block are found one by one, without the places of all others.
const FEW_ROWS: usize = 2;
/// Above this many picked rows of a block, the whole block is decoded.
const DENSE_ROWS: usize = BLOCK_ROWS / 4;

/// See the module.
pub(crate) static ENCODING: Encoding = Encoding {
    id: 7,
    name: "fsst",
    estimate,
    write,
    open,
};

/// A symbol table and what it saves on a sample.
pub(crate) struct Trained {
    compressor: Compressor,
    estimated_bytes: usize,
}

impl std::fmt::Debug for Trained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trained({} bytes)", self.estimated_bytes)
    }
}

impl Trained {
    /// Makes a symbol table for strings that are worth one.
    pub(crate) fn new(input: &Input, strings: &Strings) -> Option<Self> {
        if strings.total_bytes < MIN_BYTES {
            return None;
        }
        let sample = |count: usize| -> Vec<&[u8]> {
            let rows = input.sample(count);
            rows.map(|row| strings.get(row)).collect()
        };
        let compressor = Compressor::train(&sample(TRAINING_ROWS));
        let tried = sample(SAMPLE_ROWS);
        let plain: usize = tried.iter().map(|bytes| bytes.len()).sum();
        let (mut codes, mut ends) = (Vec::new(), Vec::new());
        compressor.compress_bulk_into::<{ Compressor::DEFAULT_BULK_LANES }>(
            &tried, &mut codes, &mut ends,
        );
        let share = codes.len() as f64 / plain.max(1) as f64;
        Some(Self {
            compressor,
            estimated_bytes: (strings.total_bytes as f64 * share) as usize + 2 * input.rows,
        })
    }
}

/// Reading costs more than reading plain strings, so a fifth must be saved at least.
fn estimate(_input: &Input, profile: &Profile) -> Option<usize> {
    let trained = profile.trained.as_ref()?;
    Some(trained.estimated_bytes + trained.estimated_bytes / 4)
}

fn write(input: &Input, profile: &Profile, out: &mut ChunkWriter) -> Result<()> {
    let (InputValues::Bytes(strings), Some(trained)) = (&input.values, &profile.trained) else {
        return Err(kind_mismatch());
    };
    let values: Vec<&[u8]> = (0..input.rows)
        .map(|row| match input.is_null(row) {
            true => &[][..],
            false => strings.get(row),
        })
        .collect();
    let (codes, ends) = compress(&trained.compressor, &values, strings.total_bytes);
    let symbols: Vec<u8> = trained
        .compressor
        .symbol_table()
        .iter()
        .flat_map(|symbol| symbol.to_u64().to_le_bytes())
        .collect();
    out.buffer(&symbols);
    out.buffer(trained.compressor.symbol_lengths());
    let lengths: Vec<u64> = values.iter().map(|bytes| bytes.len() as u64).collect();
    packed::write(&lengths, out)?;
    let mut before = 0;
    let mut starts: Vec<u8> = Vec::new();
    let mut code_lengths: Vec<u64> = Vec::with_capacity(ends.len());
    for (row, end) in ends.iter().enumerate() {
        if row % BLOCK_ROWS == 0 {
            starts.extend_from_slice(&(before as u32).to_le_bytes());
        }
        code_lengths.push(end - before);
        before = *end;
    }
    packed::write(&code_lengths, out)?;
    out.buffer(&starts);
    out.buffer(&codes);
    Ok(())
}

/// The codes of strings, and where those of each end. Each string's codes depend on itself alone, so many are made by two
/// threads.
fn compress(compressor: &Compressor, values: &[&[u8]], bytes: usize) -> (Vec<u8>, Vec<u64>) {
    let part = |values: &[&[u8]]| {
        let (mut codes, mut ends) = (Vec::new(), Vec::new());
        compressor.compress_bulk_into::<{ Compressor::DEFAULT_BULK_LANES }>(
            values, &mut codes, &mut ends,
        );
        (codes, ends)
    };
    if bytes < PARALLEL_BYTES {
        return part(values);
    }
    let (left, right) = values.split_at(values.len() / 2);
    let ((mut codes, mut ends), (more, their_ends)) = rayon::join(|| part(left), || part(right));
    let base = codes.len() as u64;
    codes.extend_from_slice(&more);
    ends.extend(their_ends.iter().map(|end| base + end));
    (codes, ends)
}

fn open(kind: Kind, rows: usize, body: &mut BodyReader<'_>) -> Result<Box<dyn ColumnReader>> {
    let Kind::Bytes { utf8 } = kind else {
        return Err(kind_mismatch());
    };
    let (symbols, symbol_lengths) = (body.buffer()?, body.buffer()?);
    let (words, rest) = symbols.as_slice().as_chunks::<8>();
    if words.len() != symbol_lengths.len() || words.len() > 255 || !rest.is_empty() {
        return Err(damaged("a symbol table of the wrong size"));
    }
    let mut symbols = Box::new(Symbols::default());
    let slots = symbols.words.iter_mut().zip(&mut symbols.lengths);
    for ((slot, length), (bytes, len)) in slots.zip(words.iter().zip(symbol_lengths.as_slice())) {
        *slot = u64::from_le_bytes(*bytes);
        *length = (*len).min(SYMBOL_BYTES as u8);
    }
    let lengths = Packed::open(rows, body)?;
    let code_lengths = Packed::open(rows, body)?;
    let starts = typed::<u32>(&body.buffer()?, rows.div_ceil(BLOCK_ROWS))?;
    let codes = body.buffer()?;
    Ok(Box::new(FsstReader {
        utf8,
        rows,
        symbols,
        lengths,
        code_lengths,
        starts,
        codes,
    }))
}

/// Bytes of the longest symbol.
const SYMBOL_BYTES: usize = 8;
/// Codes that are decoded together.
const CODES: usize = 4;

/// The pieces of strings that codes stand for.
#[derive(Debug)]
struct Symbols {
    /// Their bytes, from the lowest on.
    words: [u64; 256],
    lengths: [u8; 256],
}

impl Default for Symbols {
    fn default() -> Self {
        Self {
            words: [0; 256],
            lengths: [0; 256],
        }
    }
}

impl Symbols {
    /// Writes what some codes stand for, none of them an escape, and gives its length.
    fn decode(&self, codes: [u8; CODES], room: &mut [u8; CODES * SYMBOL_BYTES]) -> usize {
        let mut at = 0;
        for code in codes {
            let slot = room.get_mut(at..);
            if let Some(slot) = slot.and_then(<[u8]>::first_chunk_mut::<SYMBOL_BYTES>) {
                *slot = self.words[usize::from(code)].to_le_bytes();
            }
            at += usize::from(self.lengths[usize::from(code)]);
        }
        at
    }
}

/// Whether one of the codes is an escape, whose bits are all set.
fn has_escape(codes: [u8; CODES]) -> bool {
    let zeros = !u32::from_le_bytes(codes);
    zeros.wrapping_sub(0x0101_0101) & !zeros & 0x8080_8080 != 0
}

#[derive(Debug)]
struct FsstReader {
    utf8: bool,
    rows: usize,
    symbols: Box<Symbols>,
    /// Bytes of each string.
    lengths: Packed,
    /// Codes of each string.
    code_lengths: Packed,
    /// Where the codes of each block begin.
    starts: ScalarBuffer<u32>,
    codes: Buffer,
}

/// The part of a block that is read, with its strings' sizes.
#[derive(Debug, Default)]
struct Part {
    /// Strings of the block before the part.
    skipped: usize,
    /// Ends of the strings' bytes, from the block's first string on.
    ends: Vec<u32>,
    /// Ends of the strings' codes, likewise.
    code_ends: Vec<u32>,
}

impl FsstReader {
    /// The sizes of the strings from the start of the block of `row` up to `end` within it.
    fn part(&self, row: usize, end: usize, scratch: &mut Scratch) -> Result<Part> {
        let from = row / BLOCK_ROWS * BLOCK_ROWS;
        let ends = |packed: &Packed, scratch: &mut Scratch| -> Result<Vec<u32>> {
            let mut out = Vec::with_capacity(end - from);
            let mut sum = 0u64;
            packed.each_block(from, end - from, scratch, |base, lanes, part| {
                each_value(&lanes, part, |value| {
                    sum = sum.saturating_add(base).saturating_add(value);
                    out.push(u32::try_from(sum).unwrap_or(u32::MAX));
                });
            })?;
            match sum <= i32::MAX as u64 {
                true => Ok(out),
                false => Err(damaged("string lengths overflow")),
            }
        };
        Ok(Part {
            skipped: row - from,
            ends: ends(&self.lengths, scratch)?,
            code_ends: ends(&self.code_lengths, scratch)?,
        })
    }

    /// Appends one string of a block, by the sizes of those before it.
    fn decode_one(
        &self,
        block: usize,
        row: usize,
        out: &mut Vec<u8>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let at = block * BLOCK_ROWS + row;
        let before = self.code_lengths.sum(at - row, row, scratch)?;
        let codes = self.code_lengths.value(at)?;
        let len = self.lengths.value(at)?;
        let start = self.starts.get(block).map_or(0, |start| u64::from(*start));
        let from = start.saturating_add(before);
        let range = usize::try_from(from)
            .ok()
            .zip(usize::try_from(from.saturating_add(codes)).ok());
        let codes = range.and_then(|(from, to)| self.codes.get(from..to));
        let codes = codes.ok_or_else(|| damaged("codes of strings lie outside their chunk"))?;
        self.decode(codes, usize::try_from(len).unwrap_or(usize::MAX), out)
    }

    /// The codes of strings `from..to` of a block.
    fn codes_of(&self, block: usize, part: &Part, from: usize, to: usize) -> Result<&[u8]> {
        let start = self.starts.get(block).map_or(0, |start| *start as usize);
        let (lo, hi) = (
            end_before(&part.code_ends, from),
            end_before(&part.code_ends, to),
        );
        self.codes
            .get(start + lo..start + hi)
            .ok_or_else(|| damaged("codes of strings lie outside their chunk"))
    }

    /// Appends the decoded bytes, which must be `len`.
    fn decode(&self, codes: &[u8], len: usize, out: &mut Vec<u8>) -> Result<()> {
        if len > codes.len() * 8 {
            return Err(damaged("a string is longer than its codes can make it"));
        }
        let base = out.len();
        // A symbol is copied as eight bytes, whatever its length, and several together.
        out.resize(base + len + CODES * SYMBOL_BYTES, 0);
        let room = out.get_mut(base..).unwrap_or_default();
        let mut at = 0;
        let mut rest = codes;
        while let Some((code, after)) = rest.split_first() {
            let slots = room.get_mut(at..).unwrap_or_default();
            if let (Some((codes, after)), Some(slots)) =
                (rest.split_first_chunk(), slots.first_chunk_mut())
                && !has_escape(*codes)
            {
                at += self.symbols.decode(*codes, slots);
                rest = after;
                continue;
            }
            rest = after;
            if *code != ESCAPE_CODE {
                let symbol = self.symbols.words[usize::from(*code)];
                match slots.first_chunk_mut::<SYMBOL_BYTES>() {
                    Some(slot) => *slot = symbol.to_le_bytes(),
                    None => return Err(damaged("a string is longer than its length")),
                }
                at += usize::from(self.symbols.lengths[usize::from(*code)]);
                continue;
            }
            match (rest.split_first(), slots.first_mut()) {
                (Some((literal, after)), Some(slot)) => {
                    *slot = *literal;
                    rest = after;
                }
                _ => return Err(damaged("a code after the end of a string")),
            }
            at += 1;
        }
        if at != len {
            return Err(damaged(format!("a string of {at} bytes for {len}")));
        }
        out.truncate(base + len);
        Ok(())
    }

    /// Decodes all strings of a part and hands out their bytes and ends, both from the part's start on.
    fn decode_part(&self, block: usize, part: &Part, out: &mut Vec<u8>) -> Result<()> {
        let (from, to) = (part.skipped, part.ends.len());
        let len = end_before(&part.ends, to) - end_before(&part.ends, from);
        let codes = self.codes_of(block, part, from, to)?;
        self.decode(codes, len, out)
    }

    fn check_range(&self, start: usize, rows: usize) -> Result<()> {
        match start.checked_add(rows) {
            Some(end) if end <= self.rows => Ok(()),
            _ => Err(super::plain::out_of_range(start, rows, self.rows)),
        }
    }

    /// Checks new strings, given by their ends in `data`, and pushes their views.
    fn push_views(&self, data: Vec<u8>, ends: &[u32], out: &mut ViewValues) -> Result<()> {
        let mut offsets = Vec::with_capacity(ends.len() + 1);
        offsets.push(0);
        offsets.extend_from_slice(ends);
        check_strings(&data, &offsets, self.utf8)?;
        let buffer = out.buffers.len() as u32;
        let mut from = 0;
        for end in ends {
            let bytes = data.get(from as usize..*end as usize).unwrap_or_default();
            out.views.push(make_view(bytes, buffer, from));
            from = *end;
        }
        out.buffers.push(Buffer::from_vec(data));
        Ok(())
    }
}

/// Where string `index` begins: the end of the one before.
fn end_before(ends: &[u32], index: usize) -> usize {
    index
        .checked_sub(1)
        .and_then(|before| ends.get(before))
        .map_or(0, |end| *end as usize)
}

fn each_value(lanes: &Lanes<'_>, part: std::ops::Range<usize>, mut each: impl FnMut(u64)) {
    match lanes {
        Lanes::Zero => part.for_each(|_| each(0)),
        Lanes::L8(l) => l
            .get(part)
            .unwrap_or_default()
            .iter()
            .for_each(|v| each(u64::from(*v))),
        Lanes::L16(l) => l
            .get(part)
            .unwrap_or_default()
            .iter()
            .for_each(|v| each(u64::from(*v))),
        Lanes::L32(l) => l
            .get(part)
            .unwrap_or_default()
            .iter()
            .for_each(|v| each(u64::from(*v))),
        Lanes::L64(l) => l
            .get(part)
            .unwrap_or_default()
            .iter()
            .for_each(|v| each(*v)),
    }
}

impl ColumnReader for FsstReader {
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
        self.check_range(start, rows)?;
        let (mut at, end) = (start, start + rows);
        let mut data = Vec::new();
        let mut ends = Vec::with_capacity(rows);
        while at < end {
            let block = at / BLOCK_ROWS;
            let to = ((block + 1) * BLOCK_ROWS).min(end);
            let part = self.part(at, to, scratch)?;
            let base = data.len();
            self.decode_part(block, &part, &mut data)?;
            let first = end_before(&part.ends, part.skipped);
            let wanted = part.ends.get(part.skipped..).unwrap_or_default();
            ends.extend(
                wanted
                    .iter()
                    .map(|end| (*end as usize - first + base) as u32),
            );
            at = to;
        }
        self.push_views(data, &ends, out)
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
        if let Some(last) = positions.rows().last() {
            self.check_range(start, usize::from(*last) + 1)?;
        }
        let mut data = Vec::new();
        let mut ends = Vec::with_capacity(positions.len());
        let mut whole: Vec<u8> = Vec::new();
        for (index, rows) in positions.by_block() {
            let block = start / BLOCK_ROWS + index;
            let first = block * BLOCK_ROWS;
            if rows.len() <= FEW_ROWS {
                for row in rows {
                    self.decode_one(block, usize::from(*row) % BLOCK_ROWS, &mut data, scratch)?;
                    ends.push(data.len() as u32);
                }
                continue;
            }
            let last = rows.last().map_or(0, |row| usize::from(*row) % BLOCK_ROWS);
            let part = self.part(first, first + last + 1, scratch)?;
            whole.clear();
            if rows.len() > DENSE_ROWS {
                self.decode_part(block, &part, &mut whole)?;
            }
            for row in rows {
                let row = usize::from(*row) % BLOCK_ROWS;
                let (from, to) = (end_before(&part.ends, row), end_before(&part.ends, row + 1));
                if rows.len() > DENSE_ROWS {
                    data.extend_from_slice(whole.get(from..to).unwrap_or_default());
                } else {
                    let codes = self.codes_of(block, &part, row, row + 1)?;
                    self.decode(codes, to - from, &mut data)?;
                }
                ends.push(data.len() as u32);
            }
        }
        self.push_views(data, &ends, out)
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
        self.check_range(start, rows)?;
        let mut whole: Vec<u8> = Vec::new();
        for index in 0..selection.blocks() {
            let words = selection.block_mut(index);
            if words.iter().all(|word| *word == 0) {
                continue;
            }
            let block = start / BLOCK_ROWS + index;
            let first = block * BLOCK_ROWS;
            let to = (first + BLOCK_ROWS).min(start + rows);
            let part = self.part(first, to, scratch)?;
            whole.clear();
            self.decode_part(block, &part, &mut whole)?;
            for (index, word) in words.iter_mut().enumerate() {
                let mut left = *word;
                while left != 0 {
                    let bit = left.trailing_zeros() as usize;
                    left &= left - 1;
                    let row = index * 64 + bit;
                    let (from, to) = (end_before(&part.ends, row), end_before(&part.ends, row + 1));
                    if !test.accepts_bytes(whole.get(from..to).unwrap_or_default()) {
                        *word &= !(1 << bit);
                    }
                }
            }
        }
        Ok(())
    }
}
