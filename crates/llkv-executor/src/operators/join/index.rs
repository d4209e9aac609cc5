//! The build side's rows by their keys.

use super::chains::Chains;
use super::dense::DenseKeys;
use crate::batch::all_valid;
use crate::keys::{PackedLayout, Packing, RowKeys, Word, hash_bytes};
use arrow::array::ArrayRef;
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use arrow_row::Rows;
use llkv_compute::normalized;
use llkv_result::Result;

/// Build rows by key, in the form that fits the keys. Row numbers go out plus one; zero means none.
pub(super) enum JoinIndex {
    /// No keys: every row is a candidate.
    All { rows: u32 },
    /// One integer key of a narrow range: an array over the range, nothing to hash or compare.
    Dense { keys: DenseKeys, chains: Chains },
    /// Keys packed into 64 bits.
    Narrow(WordIndex<u64>),
    /// Keys packed into 128 bits.
    Wide(WordIndex<u128>),
    /// Keys as rows of bytes.
    Rows(RowIndex),
}

pub(super) struct WordIndex<W> {
    layout: PackedLayout,
    words: Vec<W>,
    chains: Chains,
    shift: u32,
    /// No two rows have one key.
    unique: bool,
}

pub(super) struct RowIndex {
    keys: RowKeys,
    rows: Rows,
    chains: Chains,
    shift: u32,
    /// No two rows have one key.
    unique: bool,
}

/// A batch's keys against an index: what [`JoinIndex::probe`] found, with the buffers it needs.
#[derive(Default)]
pub(super) struct Probe {
    /// For each probe row the first build row with its key, plus one; zero for none.
    pub(super) first: Vec<u32>,
    narrow: Packing<u64>,
    wide: Packing<u128>,
    rows: Option<Rows>,
}

impl JoinIndex {
    /// An index over `rows` rows with these key columns. Rows with NULL in a key whose `null_equal` flag is
    /// not set are left out: they match nothing.
    pub(super) fn build(keys: &[ArrayRef], null_equal: &[bool], rows: usize) -> Result<Self> {
        if keys.is_empty() {
            return Ok(Self::All { rows: rows as u32 });
        }
        let keys: Vec<ArrayRef> = keys.iter().map(normalized).collect::<Result<_>>()?;
        let valid = valid_rows(&keys, null_equal);
        if let ([key], [false]) = (keys.as_slice(), null_equal)
            && let Some(dense) = DenseKeys::new(key)?
        {
            let chains = dense.chains(key, valid.as_ref())?;
            return Ok(Self::Dense {
                keys: dense,
                chains,
            });
        }
        let columns: Vec<(DataType, bool)> = keys
            .iter()
            .zip(null_equal)
            .map(|(key, null_equal)| (key.data_type().clone(), *null_equal))
            .collect();
        if let Some(layout) = PackedLayout::new(&columns) {
            let packed = if layout.bits() <= 64 {
                WordIndex::build(layout, &keys, valid.as_ref(), rows)?.map(Self::Narrow)
            } else {
                WordIndex::build(layout, &keys, valid.as_ref(), rows)?.map(Self::Wide)
            };
            if let Some(index) = packed {
                return Ok(index);
            }
        }
        let types: Vec<DataType> = columns.into_iter().map(|(t, _)| t).collect();
        let index = RowIndex::build(&types, &keys, valid.as_ref(), rows)?;
        Ok(Self::Rows(index))
    }

    /// Looks up the keys of a batch.
    pub(super) fn probe(
        &self,
        keys: &[ArrayRef],
        null_equal: &[bool],
        rows: usize,
        probe: &mut Probe,
    ) -> Result<()> {
        probe.first.clear();
        if let Self::All { rows: candidates } = self {
            probe.first.resize(rows, u32::from(*candidates > 0));
            return Ok(());
        }
        let keys: Vec<ArrayRef> = keys.iter().map(normalized).collect::<Result<_>>()?;
        match self {
            Self::All { .. } => {}
            Self::Dense {
                keys: dense,
                chains,
            } => {
                if let [key] = keys.as_slice() {
                    dense.probe(key, chains, &mut probe.first)?;
                }
            }
            Self::Narrow(index) => {
                index.probe(&keys, rows, &mut probe.narrow, &mut probe.first)?;
            }
            Self::Wide(index) => index.probe(&keys, rows, &mut probe.wide, &mut probe.first)?,
            Self::Rows(index) => {
                let valid = valid_rows(&keys, null_equal);
                let scratch = probe.rows.get_or_insert_with(|| index.keys.empty());
                index.keys.encode(&keys, scratch)?;
                index.probe(scratch, valid.as_ref(), &mut probe.first);
            }
        }
        Ok(())
    }

    /// The next build row with the key of probe row `row`, after build row `number`.
    pub(super) fn next(&self, probe: &Probe, row: usize, number: u32) -> u32 {
        match self {
            Self::All { rows } if number < *rows => number + 1,
            Self::All { .. } => 0,
            Self::Dense { chains, .. } => chains.next(number),
            Self::Narrow(index) => index.next(&probe.narrow, row, number),
            Self::Wide(index) => index.next(&probe.wide, row, number),
            Self::Rows(index) => index.next(probe.rows.as_ref(), row, number),
        }
    }

    /// True where no probe row can have two matches.
    pub(super) fn is_unique(&self) -> bool {
        match self {
            Self::All { rows } => *rows <= 1,
            Self::Dense { chains, .. } => !chains.is_chained(),
            Self::Narrow(index) => index.unique,
            Self::Wide(index) => index.unique,
            Self::Rows(index) => index.unique,
        }
    }

    /// Bytes held.
    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::All { .. } => 0,
            Self::Dense { chains, .. } => chains.size_bytes(),
            Self::Narrow(index) => index.chains.size_bytes() + index.words.capacity() * 8,
            Self::Wide(index) => index.chains.size_bytes() + index.words.capacity() * 16,
            Self::Rows(index) => index.chains.size_bytes() + index.rows.size(),
        }
    }

    /// What the index is called in EXPLAIN ANALYZE.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::All { .. } => "all",
            Self::Dense { .. } => "dense",
            Self::Narrow(_) => "64-bit keys",
            Self::Wide(_) => "128-bit keys",
            Self::Rows(_) => "row keys",
        }
    }
}

/// Rows whose keys can match; all where it is `None`.
fn valid_rows(keys: &[ArrayRef], null_equal: &[bool]) -> Option<NullBuffer> {
    let strict = keys.iter().zip(null_equal).filter(|(_, equal)| !**equal);
    all_valid(strict.map(|(key, _)| key))
}

fn is_valid(valid: Option<&NullBuffer>, row: usize) -> bool {
    valid.is_none_or(|v| v.is_valid(row))
}

/// Bits of a bucket number for `rows` rows: at most half of the buckets are used.
fn bucket_bits(rows: usize) -> u32 {
    (rows.max(8) * 2).next_power_of_two().trailing_zeros()
}

impl<W: Word> WordIndex<W> {
    /// `None` where a key has no packed form.
    fn build(
        layout: PackedLayout,
        keys: &[ArrayRef],
        valid: Option<&NullBuffer>,
        rows: usize,
    ) -> Result<Option<Self>> {
        let mut packing = Packing::default();
        layout.pack(keys, rows, &mut packing)?;
        if packing
            .misfits
            .iter()
            .any(|row| is_valid(valid, *row as usize))
        {
            return Ok(None);
        }
        let words: Vec<W> = packing.words;
        let bits = bucket_bits(rows);
        let shift = 64 - bits;
        let chains = Chains::build(1 << bits, rows, |row| {
            let word = words.get(row).filter(|_| is_valid(valid, row))?;
            Some((word.hash() >> shift) as usize)
        });
        let unique = chains.are_distinct(|a, b| words.get(a) == words.get(b));
        Ok(Some(Self {
            layout,
            words,
            chains,
            shift,
            unique,
        }))
    }

    fn probe(
        &self,
        keys: &[ArrayRef],
        rows: usize,
        packing: &mut Packing<W>,
        first: &mut Vec<u32>,
    ) -> Result<()> {
        self.layout.pack(keys, rows, packing)?;
        // Two passes: the first has only independent loads, which the processor overlaps.
        let words = packing.words.iter();
        first.extend(words.map(|word| self.chains.head((word.hash() >> self.shift) as usize)));
        for (number, word) in first.iter_mut().zip(&packing.words) {
            while *number != 0 && self.words.get(*number as usize - 1) != Some(word) {
                *number = self.chains.next(*number);
            }
        }
        // What has no packed form cannot be among the build side's keys.
        for row in &packing.misfits {
            if let Some(number) = first.get_mut(*row as usize) {
                *number = 0;
            }
        }
        Ok(())
    }

    fn next(&self, packing: &Packing<W>, row: usize, number: u32) -> u32 {
        let word = packing.words.get(row);
        let mut number = self.chains.next(number);
        while number != 0 && self.words.get(number as usize - 1) != word {
            number = self.chains.next(number);
        }
        number
    }
}

impl RowIndex {
    fn build(
        types: &[DataType],
        columns: &[ArrayRef],
        valid: Option<&NullBuffer>,
        count: usize,
    ) -> Result<Self> {
        let keys = RowKeys::new(types)?;
        let mut rows = keys.empty();
        keys.encode(columns, &mut rows)?;
        let bits = bucket_bits(count);
        let shift = 64 - bits;
        let chains = Chains::build(1 << bits, count, |row| {
            is_valid(valid, row).then(|| (hash_bytes(rows.row(row).data()) >> shift) as usize)
        });
        let unique = chains.are_distinct(|a, b| rows.row(a) == rows.row(b));
        Ok(Self {
            keys,
            rows,
            chains,
            shift,
            unique,
        })
    }

    fn probe(&self, probe: &Rows, valid: Option<&NullBuffer>, first: &mut Vec<u32>) {
        for (at, row) in probe.iter().enumerate() {
            if !is_valid(valid, at) {
                first.push(0);
                continue;
            }
            let mut number = self
                .chains
                .head((hash_bytes(row.data()) >> self.shift) as usize);
            while number != 0 && self.rows.row(number as usize - 1) != row {
                number = self.chains.next(number);
            }
            first.push(number);
        }
    }

    fn next(&self, probe: Option<&Rows>, row: usize, number: u32) -> u32 {
        let Some(probe) = probe else {
            return 0;
        };
        let row = probe.row(row);
        let mut number = self.chains.next(number);
        while number != 0 && self.rows.row(number as usize - 1) != row {
            number = self.chains.next(number);
        }
        number
    }
}
