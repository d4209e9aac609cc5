//! A hash table from packed keys to group numbers.

use super::Word;

#[derive(Clone, Copy, Default)]
struct Slot<W> {
    word: W,
    /// Group number plus one; zero for an empty slot.
    group: u32,
}

/// Open addressing with linear probing; the key stands in the slot, so that a look-up touches one
/// cache line.
pub(crate) struct WordTable<W> {
    slots: Vec<Slot<W>>,
    /// The slot is the hash's highest bits.
    shift: u32,
    /// The keys by group number.
    words: Vec<W>,
}

impl<W: Word> WordTable<W> {
    const INITIAL_BITS: u32 = 8;

    pub(crate) fn new() -> Self {
        Self {
            slots: vec![Slot::default(); 1 << Self::INITIAL_BITS],
            shift: 64 - Self::INITIAL_BITS,
            words: Vec::new(),
        }
    }

    /// Forgets all words.
    pub(crate) fn clear(&mut self) {
        self.words.clear();
        self.slots.fill(Slot::default());
    }

    /// The keys by group number.
    pub(crate) fn words(&self) -> &[W] {
        &self.words
    }

    /// Bytes held.
    pub(crate) fn size_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot<W>>() + self.words.capacity() * size_of::<W>()
    }

    /// Bytes that the table grows by, should all of so many words be new.
    pub(crate) fn growth_bytes(&self, words: usize) -> usize {
        let mut slots = self.slots.len();
        while (self.words.len() + words) * 2 > slots {
            slots *= 4;
        }
        (slots - self.slots.len()) * size_of::<Slot<W>>()
    }

    /// The group number of each word, new ones for new words.
    pub(crate) fn intern(&mut self, words: &[W], groups: &mut Vec<u32>) {
        groups.clear();
        groups.reserve(words.len());
        for word in words {
            groups.push(self.group(*word));
        }
    }

    fn group(&mut self, word: W) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = (word.hash() >> self.shift) as usize;
        loop {
            let slot = &mut self.slots[at & mask];
            if slot.group == 0 {
                break;
            }
            if slot.word == word {
                return slot.group - 1;
            }
            at += 1;
        }
        self.insert(at & mask, word)
    }

    #[cold]
    fn insert(&mut self, at: usize, word: W) -> u32 {
        self.words.push(word);
        let number = self.words.len() as u32;
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Slot {
                word,
                group: number,
            };
        }
        if self.words.len() * 2 > self.slots.len() {
            self.grow();
        }
        number - 1
    }

    fn grow(&mut self) {
        self.shift -= 2;
        let size = self.slots.len() * 4;
        self.slots.clear();
        self.slots.resize(size, Slot::default());
        let mask = size - 1;
        for (number, word) in self.words.iter().enumerate() {
            let mut at = (word.hash() >> self.shift) as usize;
            while self.slots[at & mask].group != 0 {
                at += 1;
            }
            self.slots[at & mask] = Slot {
                word: *word,
                group: number as u32 + 1,
            };
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
