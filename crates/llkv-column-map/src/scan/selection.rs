//! Which rows of a window survive: a bitmap that predicates narrow, then a list of positions.

use llkv_types::BATCH_ROWS;

/// Rows of a block: the width of a FastLanes vector, the unit in which packed data is unpacked.
pub(crate) const BLOCK_ROWS: usize = 1_024;
/// Rows of a window: the unit of statistics and of one step of a scan.
pub(crate) const WINDOW_ROWS: usize = BATCH_ROWS;

const WORDS: usize = WINDOW_ROWS / 64;
const BLOCK_WORDS: usize = BLOCK_ROWS / 64;
const BLOCKS: usize = WINDOW_ROWS / BLOCK_ROWS;

/// The rows of one window that are still in.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    words: [u64; WORDS],
    rows: usize,
}

impl Selection {
    pub(crate) fn new() -> Self {
        Self {
            words: [0; WORDS],
            rows: 0,
        }
    }

    /// Selects all of a window of `rows` (at most [`WINDOW_ROWS`]) rows.
    pub(crate) fn fill(&mut self, rows: usize) {
        self.clear();
        self.rows = rows.min(WINDOW_ROWS);
        let last = self.rows % 64;
        let words = self.words_mut();
        words.fill(u64::MAX);
        if let (Some(word), true) = (words.last_mut(), last > 0) {
            *word = (1 << last) - 1;
        }
    }

    /// Rows of the window, selected or not.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn clear(&mut self) {
        self.words_mut().fill(0);
    }

    pub(crate) fn count(&self) -> usize {
        let words = self.words().iter();
        words.map(|word| word.count_ones() as usize).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words().iter().all(|word| *word == 0)
    }

    /// The words of a block of 1,024 rows; bit `i` of word `w` is row `64 * w + i` of the block.
    pub(crate) fn block_mut(&mut self, block: usize) -> &mut [u64] {
        self.words
            .get_mut(block * BLOCK_WORDS..(block + 1) * BLOCK_WORDS)
            .unwrap_or_default()
    }

    /// Blocks that the window's rows reach into.
    pub(crate) fn blocks(&self) -> usize {
        self.rows.div_ceil(BLOCK_ROWS)
    }

    /// The words that the window's rows reach into; all others are 0.
    fn words(&self) -> &[u64] {
        let used = self.rows.div_ceil(64);
        self.words.get(..used).unwrap_or_default()
    }

    /// The words that the window's rows reach into, for narrowing.
    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        let used = self.rows.div_ceil(64);
        self.words.get_mut(..used).unwrap_or_default()
    }

    /// Deselects one row.
    pub(crate) fn remove(&mut self, row: usize) {
        if let Some(word) = self.words.get_mut(row / 64) {
            *word &= !(1 << (row % 64));
        }
    }

    /// Deselects a range of rows.
    pub(crate) fn remove_range(&mut self, from: usize, to: usize) {
        let to = to.min(self.rows);
        for (index, word) in self.words_mut().iter_mut().enumerate() {
            let (first, after) = (index * 64, index * 64 + 64);
            if from <= first && after <= to {
                *word = 0;
            } else if first < to && from < after {
                let (low, high) = (from.max(first) - first, to.min(after) - first);
                let upto = |bits: usize| u64::MAX.checked_shr(64 - bits as u32).unwrap_or(0);
                *word &= !(upto(high) & !upto(low));
            }
        }
    }

    /// Keeps the rows for which `keep` holds, asking only for those still in.
    pub(crate) fn retain(&mut self, keep: impl FnMut(usize) -> bool) {
        retain_words(self.words_mut(), keep);
    }
}

/// [`Selection::retain`] for some of its words: rows are counted from the first of them.
#[inline]
pub(crate) fn retain_words(words: &mut [u64], mut keep: impl FnMut(usize) -> bool) {
    for (index, word) in words.iter_mut().enumerate() {
        let mut left = *word;
        while left != 0 {
            let bit = left.trailing_zeros() as usize;
            left &= left - 1;
            if !keep(index * 64 + bit) {
                *word &= !(1 << bit);
            }
        }
    }
}

/// A window is read whole, and the rows that did not survive are taken out, where they are at most one in so many: moving what lies
/// between them costs less than gathering the others.
const GAPS_SHARE: usize = 8;

/// Bits are listed byte by byte where at least one in so many is set.
const DENSE_SHARE: usize = 8;

/// The positions of the set bits of each byte, ascending; those after them are of no meaning.
static BITS_OF_BYTES: [[u16; 8]; 256] = bits_of_bytes();

const fn bits_of_bytes() -> [[u16; 8]; 256] {
    let mut all = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut listed) = (0, 0);
        while bit < 8 {
            if byte & (1 << bit) != 0 {
                all[byte][listed] = bit;
                listed += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    all
}

/// Writes the positions of a word's set bits to the beginning of `room`, and gives their number. Without a branch for each bit:
/// eight are written for each byte, and what the byte has not is written over by the next.
fn list_by_bytes(word: u64, base: u16, room: &mut [u16]) -> usize {
    let mut listed = 0;
    for (index, byte) in word.to_le_bytes().into_iter().enumerate() {
        let (Some(bits), Some(slots)) = (
            BITS_OF_BYTES.get(usize::from(byte)),
            room.get_mut(listed..)
                .and_then(<[u16]>::first_chunk_mut::<8>),
        ) else {
            break;
        };
        let base = base + 8 * index as u16;
        for (slot, bit) in slots.iter_mut().zip(bits) {
            *slot = base + bit;
        }
        listed += byte.count_ones() as usize;
    }
    listed
}

/// [`list_by_bytes`] for words with few bits.
fn list_by_bits(word: u64, base: u16, room: &mut [u16]) -> usize {
    let (mut left, mut listed) = (word, 0);
    for slot in room {
        if left == 0 {
            break;
        }
        *slot = base + left.trailing_zeros() as u16;
        left &= left - 1;
        listed += 1;
    }
    listed
}

/// The surviving rows of a window as ascending positions, with the border of each block.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    rows: Vec<u16>,
    /// In their place, the rows that did not survive, where they are few, ...
    gaps: Vec<u16>,
    /// ... among so many.
    window_rows: usize,
    /// `ends[b]`: positions in blocks `0..=b`.
    ends: [usize; BLOCKS],
}

impl Positions {
    /// Lists the selected rows.
    pub(crate) fn load(&mut self, selection: &Selection) {
        self.gaps.clear();
        let count = selection.count();
        let list = match count * DENSE_SHARE >= selection.rows {
            true => list_by_bytes,
            false => list_by_bits,
        };
        // With room for the bits that a last byte has not.
        self.rows.clear();
        self.rows.resize(count + 8, 0);
        let mut blocks = selection.words().chunks(BLOCK_WORDS);
        let mut listed = 0;
        for (block, end) in self.ends.iter_mut().enumerate() {
            for (index, word) in blocks.next().unwrap_or_default().iter().enumerate() {
                let base = (block * BLOCK_ROWS + index * 64) as u16;
                let room = self.rows.get_mut(listed..).unwrap_or_default();
                listed += list(*word, base, room);
            }
            *end = listed;
        }
        self.rows.truncate(count);
    }

    /// [`Positions::load`], or only the rows that are left out where these are few.
    pub(crate) fn load_or_gaps(&mut self, selection: &Selection) {
        let left_out = selection.rows - selection.count().min(selection.rows);
        if left_out == 0 || left_out * GAPS_SHARE > selection.rows {
            self.load(selection);
            return;
        }
        self.rows.clear();
        self.gaps.clear();
        self.window_rows = selection.rows;
        for (index, word) in selection.words.iter().enumerate() {
            let base = index * 64;
            let mut left = !*word;
            while left != 0 {
                let row = base + left.trailing_zeros() as usize;
                if row >= selection.rows {
                    return;
                }
                self.gaps.push(row as u16);
                left &= left - 1;
            }
        }
    }

    /// Where [`Positions::load_or_gaps`] took note of the gaps: the rows of the window, and the gaps among them, ascending.
    pub(crate) fn gaps(&self) -> Option<(usize, &[u16])> {
        (!self.gaps.is_empty()).then_some((self.window_rows, self.gaps.as_slice()))
    }

    /// All positions, however they were noted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        let (rows, gaps) = self.gaps().unwrap_or_default();
        let ends = gaps.iter().map(|gap| usize::from(*gap));
        let starts = ends.clone().map(|gap| gap + 1);
        let last = self.gaps().map(|_| rows);
        let runs = std::iter::once(0)
            .chain(starts)
            .zip(ends.chain(last))
            .flat_map(|(start, end)| start..end);
        self.rows.iter().map(|row| usize::from(*row)).chain(runs)
    }

    /// A list of single positions within one window, given ascending.
    pub(crate) fn load_rows(&mut self, rows: impl Iterator<Item = u16>) {
        self.gaps.clear();
        self.rows.clear();
        self.rows.extend(rows);
        for (block, end) in self.ends.iter_mut().enumerate() {
            let limit = (block + 1) * BLOCK_ROWS;
            *end = self.rows.partition_point(|row| usize::from(*row) < limit);
        }
    }

    /// Positions within the window, ascending, but for those after [`Positions::load_or_gaps`].
    pub(crate) fn rows(&self) -> &[u16] {
        &self.rows
    }

    pub(crate) fn len(&self) -> usize {
        match self.gaps() {
            Some((rows, gaps)) => rows - gaps.len(),
            None => self.rows.len(),
        }
    }

    /// The non-empty blocks: block number and the positions (within the window) that lie in it.
    pub(crate) fn by_block(&self) -> impl Iterator<Item = (usize, &[u16])> {
        (0..BLOCKS).filter_map(|block| {
            let from = match block {
                0 => 0,
                _ => self.ends.get(block - 1).copied().unwrap_or(0),
            };
            let to = self.ends.get(block).copied().unwrap_or(0);
            let rows = self.rows.get(from..to).unwrap_or_default();
            (!rows.is_empty()).then_some((block, rows))
        })
    }
}

/// Packs 64 comparison results, one byte of 0 or 1 each, into a word.
#[inline]
pub(crate) fn pack_bools(bytes: &[u8; 64]) -> u64 {
    let mut word = 0;
    let (chunks, _) = bytes.as_chunks::<8>();
    for (index, chunk) in chunks.iter().enumerate() {
        // The product moves bit 0 of byte i to bit 56 + i.
        let bits = u64::from_le_bytes(*chunk).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        word |= bits << (index * 8);
    }
    word
}

/// ANDs `test` over the values of one block into the block's selection words. Words of which no row
/// is left are not tested. Values beyond the end of the slice keep their bit.
#[inline]
pub(crate) fn narrow<T: Copy>(words: &mut [u64], values: &[T], test: impl Fn(T) -> bool) {
    let (whole, rest) = values.as_chunks::<64>();
    for (word, chunk) in words.iter_mut().zip(whole) {
        if *word != 0 {
            let mut bytes = [0; 64];
            for (byte, value) in bytes.iter_mut().zip(chunk) {
                *byte = u8::from(test(*value));
            }
            *word &= pack_bools(&bytes);
        }
    }
    if let Some(word) = words.get_mut(whole.len())
        && !rest.is_empty()
        && *word != 0
    {
        let mut mask = u64::MAX;
        for (bit, value) in rest.iter().enumerate() {
            if !test(*value) {
                mask &= !(1 << bit);
            }
        }
        *word &= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packing_keeps_the_order_of_bits() {
        let mut bytes = [0; 64];
        for bit in [0, 1, 7, 8, 31, 63] {
            bytes[bit] = 1;
        }
        let expected = [0, 1, 7, 8, 31, 63]
            .iter()
            .fold(0u64, |word, bit| word | 1 << bit);
        assert_eq!(pack_bools(&bytes), expected);
    }

    #[test]
    fn narrowing_then_listing_gives_what_a_filter_gives() {
        let values: Vec<i32> = (0..5_000).map(|i| (i * 7919) % 101).collect();
        let mut selection = Selection::new();
        selection.fill(values.len());
        for block in 0..selection.blocks() {
            let from = block * BLOCK_ROWS;
            let to = (from + BLOCK_ROWS).min(values.len());
            narrow(selection.block_mut(block), &values[from..to], |v| v < 17);
        }
        let expected: Vec<u16> = (0..values.len())
            .filter(|i| values[*i] < 17)
            .map(|i| i as u16)
            .collect();
        let mut positions = Positions::default();
        positions.load(&selection);
        assert_eq!(positions.rows(), expected);
        let by_block: Vec<u16> = positions
            .by_block()
            .flat_map(|(_, rows)| rows.to_vec())
            .collect();
        assert_eq!(by_block, expected);
    }

    proptest! {
        /// The rows of the set bits, whether they are many or few.
        #[test]
        fn what_is_listed_is_what_is_selected(
            rows in 1..=WINDOW_ROWS,
            kept in prop_oneof![0..=64_u64, Just(0), Just(64)],
            seed in any::<u64>(),
        ) {
            let mut selection = Selection::new();
            selection.fill(rows);
            let is_kept = |row: usize| {
                (row as u64 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58 < kept
            };
            selection.retain(is_kept);
            let mut positions = Positions::default();
            positions.load(&selection);
            let expected: Vec<usize> = (0..rows).filter(|row| is_kept(*row)).collect();
            prop_assert_eq!(positions.iter().collect::<Vec<_>>(), expected.clone());
            let blocks = positions.by_block().flat_map(|(block, rows)| {
                rows.iter().map(move |row| (block, usize::from(*row)))
            });
            prop_assert!(blocks.eq(expected.iter().map(|row| (row / BLOCK_ROWS, *row))));
        }
    }

    #[test]
    fn positions_are_the_same_however_they_are_noted() {
        for (rows, step) in [(8_192, 20), (5_000, 9), (1, 2), (64, 64), (700, 3)] {
            let mut selection = Selection::new();
            selection.fill(rows);
            for row in (step - 1..rows).step_by(step) {
                selection.remove(row);
            }
            let (mut listed, mut noted) = (Positions::default(), Positions::default());
            listed.load(&selection);
            noted.load_or_gaps(&selection);
            assert_eq!(
                noted.gaps().is_some(),
                step > 8 && rows >= step,
                "{rows} {step}"
            );
            let expected: Vec<usize> = listed.rows().iter().map(|row| usize::from(*row)).collect();
            assert_eq!(noted.iter().collect::<Vec<_>>(), expected);
            assert_eq!(listed.iter().collect::<Vec<_>>(), expected);
            assert_eq!(
                (noted.len(), listed.len()),
                (expected.len(), expected.len())
            );
        }
    }
}
