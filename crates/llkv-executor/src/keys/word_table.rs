//! A hash table from packed keys to group numbers.

use super::Word;

/// Words whose slots are read at once.
const AHEAD: usize = 16;

/// Open addressing with linear probing. A slot holds 32 bits of the hash beside the group's number, so that the table is small
/// and next to no word is compared that is another.
pub(crate) struct WordTable<W> {
    /// Bits of the hash above, the group's number plus one below; zero for an empty slot.
    slots: Vec<u64>,
    /// The slot is the hash's highest bits.
    shift: u32,
    /// The keys by group number.
    words: Vec<W>,
}

/// The lowest bits of the hash, where they stand in a slot.
fn tag(hash: u64) -> u64 {
    hash << 32
}

const TAG: u64 = u64::MAX << 32;

impl<W: Word> WordTable<W> {
    const INITIAL_BITS: u32 = 8;

    pub(crate) fn new() -> Self {
        Self {
            slots: vec![0; 1 << Self::INITIAL_BITS],
            shift: 64 - Self::INITIAL_BITS,
            words: Vec::new(),
        }
    }

    /// Forgets all words.
    pub(crate) fn clear(&mut self) {
        self.words.clear();
        self.slots.fill(0);
    }

    /// The keys by group number.
    pub(crate) fn words(&self) -> &[W] {
        &self.words
    }

    /// Bytes held.
    pub(crate) fn size_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>() + self.words.capacity() * size_of::<W>()
    }

    /// Bytes that the table grows by, should all of so many words be new.
    pub(crate) fn growth_bytes(&self, words: usize) -> usize {
        let mut slots = self.slots.len();
        while (self.words.len() + words) * 2 > slots {
            slots *= 4;
        }
        (slots - self.slots.len()) * size_of::<u64>()
    }

    /// The group number of each word, new ones for new words.
    pub(crate) fn intern(&mut self, words: &[W], groups: &mut Vec<u32>) {
        groups.clear();
        groups.reserve(words.len());
        let (blocks, rest) = words.as_chunks::<AHEAD>();
        for block in blocks {
            // Read before any is looked at, slots are waited for all at once, and then the words of their groups.
            let mask = self.slots.len() - 1;
            let mut first = [0; AHEAD];
            for (group, word) in first.iter_mut().zip(block) {
                *group = self.slots[(word.hash() >> self.shift) as usize & mask] as u32;
            }
            let mut found = [W::default(); AHEAD];
            for (word, group) in found.iter_mut().zip(first) {
                let known = self.words.get(group.wrapping_sub(1) as usize);
                *word = known.copied().unwrap_or_default();
            }
            for ((word, found), group) in block.iter().zip(found).zip(first) {
                groups.push(match group {
                    group if group > 0 && *word == found => group - 1,
                    _ => self.group(*word),
                });
            }
        }
        for word in rest {
            groups.push(self.group(*word));
        }
    }

    fn group(&mut self, word: W) -> u32 {
        let hash = word.hash();
        let (mask, tag) = (self.slots.len() - 1, tag(hash));
        let mut at = (hash >> self.shift) as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return self.insert(at, word, tag);
            }
            let group = slot as u32 - 1;
            if slot & TAG == tag && self.words.get(group as usize) == Some(&word) {
                return group;
            }
            at = (at + 1) & mask;
        }
    }

    fn insert(&mut self, at: usize, word: W, tag: u64) -> u32 {
        self.words.push(word);
        let number = self.words.len() as u32;
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = tag | u64::from(number);
        }
        if self.words.len() * 2 > self.slots.len() {
            self.grow();
        }
        number - 1
    }

    #[cold]
    fn grow(&mut self) {
        self.shift -= 2;
        let size = self.slots.len() * 4;
        self.slots.clear();
        self.slots.resize(size, 0);
        let mask = size - 1;
        for (number, word) in (1_u64..).zip(&self.words) {
            let hash = word.hash();
            let mut at = (hash >> self.shift) as usize & mask;
            while self.slots[at] != 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = tag(hash) | number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_words_share_a_number_through_growth() {
        let mut table = WordTable::<u64>::new();
        let words: Vec<u64> = (0..5000).map(|i| (i % 2500) << 40).collect();
        let mut groups = Vec::new();
        table.intern(&words, &mut groups);
        assert_eq!(table.words().len(), 2500);
        assert!((0..2500).all(|i| groups[i] == i as u32 && groups[i + 2500] == i as u32));
    }
}
