//! The ids of the rows of a group: runs, or a bit for each id where runs are many.

use crate::descriptor::IdRun;
use llkv_types::RowId;

/// The ids of rows in the order of their positions, which is ascending.
#[derive(Debug, Clone)]
pub(crate) enum RowIds {
    Runs(Vec<IdRun>),
    Bits(IdBits),
}

/// Ids as bits: of rows of which every other one went, each is a run of its own of sixteen bytes.
#[derive(Debug, Clone)]
pub(crate) struct IdBits {
    /// The id of the first bit.
    base: RowId,
    first: RowId,
    last: RowId,
    words: Vec<u64>,
    /// For each [`BLOCK_WORDS`] words, the rows before them.
    ranks: Vec<u32>,
}

/// Fewer runs than these stay runs.
const MANY_RUNS: usize = 16;
/// A cache line.
const BLOCK_WORDS: usize = 8;
const WORD_BITS: u64 = u64::BITS as u64;

impl RowIds {
    /// The ids of so many rows, by their runs.
    pub(crate) fn of(runs: Vec<IdRun>, rows: usize) -> Self {
        let bits = IdBits::smaller_than(&runs, rows);
        bits.map_or_else(|| Self::Runs(runs), Self::Bits)
    }

    /// Ranges of ids that follow each other: no more than these.
    pub(crate) fn ranges(&self) -> usize {
        match self {
            Self::Runs(runs) => runs.len(),
            Self::Bits(bits) => bits.words.len() * (WORD_BITS as usize / 2),
        }
    }

    /// The runs of all rows.
    pub(crate) fn runs(&self, rows: usize) -> Vec<IdRun> {
        match self {
            Self::Runs(runs) => runs.clone(),
            Self::Bits(_) => {
                let mut runs = Vec::new();
                self.for_ranges(0..rows, rows, |start, _, first| {
                    let start = start as u32;
                    runs.push(IdRun { start, first });
                });
                runs
            }
        }
    }

    pub(crate) fn first(&self) -> RowId {
        match self {
            Self::Runs(runs) => runs.first().map_or(0, |run| run.first),
            Self::Bits(bits) => bits.first,
        }
    }

    /// The id of the last of `rows` rows.
    pub(crate) fn last(&self, rows: usize) -> RowId {
        match self {
            Self::Runs(runs) => runs.last().map_or(0, |run| {
                run.first + (rows as u64).saturating_sub(u64::from(run.start) + 1)
            }),
            Self::Bits(bits) => bits.last,
        }
    }

    /// The id of a row.
    pub(crate) fn get(&self, position: usize) -> RowId {
        match self {
            Self::Runs(runs) => {
                let after = runs.partition_point(|run| run.start as usize <= position);
                let run = after.checked_sub(1).and_then(|at| runs.get(at));
                run.map_or(0, |run| {
                    run.first + (position as u64 - u64::from(run.start))
                })
            }
            Self::Bits(bits) => bits.select(position).map_or(0, |bit| bits.base + bit),
        }
    }

    /// The position of a row id among `rows` rows, if the row is one of them.
    pub(crate) fn position(&self, row_id: RowId, rows: usize) -> Option<usize> {
        match self {
            Self::Runs(runs) => {
                let after = runs.partition_point(|run| run.first <= row_id);
                let index = after.checked_sub(1)?;
                let run = runs.get(index)?;
                let end = runs.get(index + 1).map_or(rows, |next| next.start as usize);
                let position = run.start as usize + usize::try_from(row_id - run.first).ok()?;
                (position < end).then_some(position)
            }
            Self::Bits(bits) => bits.rank_of(row_id),
        }
    }

    /// Calls `each` with the ranges of `positions` whose ids follow each other, and their first ids.
    pub(crate) fn for_ranges(
        &self,
        positions: std::ops::Range<usize>,
        rows: usize,
        mut each: impl FnMut(usize, usize, RowId),
    ) {
        let runs = match self {
            Self::Runs(runs) => runs,
            Self::Bits(bits) => return bits.for_ranges(positions, each),
        };
        let (start, end) = (positions.start, positions.end);
        let from = runs.partition_point(|run| run.start as usize <= start);
        let runs = runs.get(from.saturating_sub(1)..).unwrap_or_default();
        for (index, run) in runs.iter().enumerate() {
            let run_start = run.start as usize;
            if run_start >= end {
                break;
            }
            let run_end = runs.get(index + 1).map_or(rows, |next| next.start as usize);
            let (lo, hi) = (run_start.max(start), run_end.min(end));
            if lo < hi {
                each(lo, hi, run.first + (lo - run_start) as u64);
            }
        }
    }
}

impl IdBits {
    /// The ids of some runs, where bits take less memory.
    fn smaller_than(runs: &[IdRun], rows: usize) -> Option<Self> {
        let (first, last) = (runs.first()?.first, runs.last()?);
        let of_last = (rows as u64).checked_sub(u64::from(last.start) + 1)?;
        let last = last.first.checked_add(of_last)?;
        let base = first / WORD_BITS * WORD_BITS;
        let words = usize::try_from((last - base) / WORD_BITS + 1).ok()?;
        if runs.len() < MANY_RUNS || words.checked_mul(size_of::<u64>() + 1)? >= size_of_val(runs) {
            return None;
        }
        let mut bits = Self {
            base,
            first,
            last,
            words: vec![0; words],
            ranks: Vec::with_capacity(words.div_ceil(BLOCK_WORDS)),
        };
        let ends = runs.iter().skip(1).map(|run| run.start);
        for (run, end) in runs.iter().zip(ends.chain([rows as u32])) {
            let from = run.first - base;
            for bit in from..from + u64::from(end.checked_sub(run.start)?) {
                *bits.words.get_mut((bit / WORD_BITS) as usize)? |= 1 << (bit % WORD_BITS);
            }
        }
        let mut before = 0;
        for block in bits.words.chunks(BLOCK_WORDS) {
            bits.ranks.push(before);
            before += block.iter().map(|word| word.count_ones()).sum::<u32>();
        }
        Some(bits)
    }

    /// The bit of a row.
    fn select(&self, position: usize) -> Option<u64> {
        let after = self
            .ranks
            .partition_point(|rank| *rank as usize <= position);
        let block = after.checked_sub(1)?;
        let mut left = u32::try_from(position).ok()? - self.ranks.get(block)?;
        let first = block * BLOCK_WORDS;
        for (at, word) in (first..).zip(self.words.get(first..)?) {
            let ones = word.count_ones();
            if left < ones {
                let rest = (0..left).fold(*word, |rest, _| rest & (rest - 1));
                return Some(at as u64 * WORD_BITS + u64::from(rest.trailing_zeros()));
            }
            left -= ones;
        }
        None
    }

    /// The position of a row id.
    fn rank_of(&self, row_id: RowId) -> Option<usize> {
        let bit = row_id.checked_sub(self.base)?;
        let at = usize::try_from(bit / WORD_BITS).ok()?;
        let (word, one) = (*self.words.get(at)?, 1 << (bit % WORD_BITS));
        if word & one == 0 {
            return None;
        }
        let block = at / BLOCK_WORDS;
        let before = self.words.get(block * BLOCK_WORDS..at)?.iter();
        let before: u32 = before.map(|word| word.count_ones()).sum();
        let rank = self.ranks.get(block)? + before + (word & (one - 1)).count_ones();
        Some(rank as usize)
    }

    fn for_ranges(
        &self,
        positions: std::ops::Range<usize>,
        mut each: impl FnMut(usize, usize, RowId),
    ) {
        let mut position = positions.start;
        let mut next = self.select(position);
        while let Some(bit) = next.filter(|_| position < positions.end) {
            let end = self.first_bit(bit, |word| !word);
            let rows = ((end - bit) as usize).min(positions.end - position);
            each(position, position + rows, self.base + bit);
            position += rows;
            let set = self.first_bit(end, |word| word);
            next = (set / WORD_BITS < self.words.len() as u64).then_some(set);
        }
    }

    /// The first bit from one on that is set in what `of` makes of its word; behind the last for none.
    fn first_bit(&self, from: u64, of: impl Fn(u64) -> u64) -> u64 {
        let first = (from / WORD_BITS) as usize;
        let mut mask = u64::MAX << (from % WORD_BITS);
        for (at, word) in (first..).zip(self.words.get(first..).unwrap_or_default()) {
            let found = of(*word) & mask;
            if found != 0 {
                return at as u64 * WORD_BITS + u64::from(found.trailing_zeros());
            }
            mask = u64::MAX;
        }
        self.words.len() as u64 * WORD_BITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Dense runs become bits, scattered ones stay.
        #[test]
        fn ids_are_found_in_either_form(
            pieces in prop::collection::vec((1_u64..90, 1_u32..70), 1..300),
            dense in any::<bool>(),
            base in prop_oneof![Just(0), 1_u64 << 32..1 << 33],
            (from, len) in (0_usize..9_000, 0_usize..2_000),
        ) {
            let (mut runs, mut ids, mut next) = (Vec::new(), Vec::new(), base);
            for (gap, len) in pieces {
                let (gap, len) = if dense { (1 + gap % 3, 1 + len % 3) } else { (gap, len) };
                next += gap;
                runs.push(IdRun { start: ids.len() as u32, first: next });
                ids.extend(next..next + u64::from(len));
                next += u64::from(len);
            }
            let rows = ids.len();
            let row_ids = RowIds::of(runs.clone(), rows);
            if dense && runs.len() > 20 {
                prop_assert!(matches!(row_ids, RowIds::Bits(_)));
            }
            prop_assert_eq!(row_ids.runs(rows), runs);
            prop_assert_eq!((row_ids.first(), row_ids.last(rows)), (ids[0], ids[rows - 1]));
            for (position, id) in ids.iter().enumerate() {
                prop_assert_eq!(row_ids.get(position), *id);
            }
            for id in base..next + 200 {
                prop_assert_eq!(row_ids.position(id, rows), ids.binary_search(&id).ok());
            }
            let from = from % rows;
            let end = rows.min(from + len);
            let mut found = Vec::new();
            row_ids.for_ranges(from..end, rows, |start, end, first| {
                assert_eq!(start, from + found.len());
                found.extend(first..first + (end - start) as u64);
            });
            prop_assert_eq!(found.as_slice(), &ids[from..end]);
        }
    }
}
