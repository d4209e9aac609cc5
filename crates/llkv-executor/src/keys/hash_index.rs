//! A hash table from hashes to group numbers; the keys stand elsewhere.

/// Hashes whose slots are read at once.
const AHEAD: usize = 16;

/// Open addressing with linear probing. A slot holds 32 bits of the hash beside the group's number, so that a look-up
/// touches one cache line and next to no key is compared that is another.
pub(super) struct HashIndex {
    /// Bits of the hash above, the group's number plus one below; zero for an empty slot.
    slots: Vec<u64>,
    /// By group number.
    hashes: Vec<u64>,
}

/// The place comes from the hash's lowest bits, these from those above; the highest ones are for partitions.
fn tag(hash: u64) -> u64 {
    (hash >> 24) << 32
}

const TAG: u64 = u64::MAX << 32;

impl HashIndex {
    const INITIAL_SLOTS: usize = 1 << 8;
    /// Up to so many slots the table grows fourfold, then twofold.
    const FOURFOLD_SLOTS: usize = 1 << 17;

    pub(super) fn new() -> Self {
        Self {
            slots: vec![0; Self::INITIAL_SLOTS],
            hashes: Vec::new(),
        }
    }

    /// Hashes by group number.
    pub(super) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// The group that is likely to have the key of this hash: the first with equal bits, a new one where there is none.
    pub(super) fn likely_group(&mut self, hash: u64) -> u32 {
        let (mask, tag) = (self.slots.len() - 1, tag(hash));
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return self.insert(at, hash);
            }
            if slot & TAG == tag {
                return slot as u32 - 1;
            }
            at = (at + 1) & mask;
        }
    }

    /// Calls `each` with the group that is likely to have the key of each hash, as [`Self::likely_group`] tells it.
    pub(super) fn likely_groups(&mut self, hashes: &[u64], mut each: impl FnMut(u32)) {
        let (blocks, rest) = hashes.as_chunks::<AHEAD>();
        for block in blocks {
            let mask = self.slots.len() - 1;
            // Read before any is looked at, slots are waited for all at once.
            let mut slots = [0; AHEAD];
            for (slot, hash) in slots.iter_mut().zip(block) {
                *slot = self.slots[*hash as usize & mask];
            }
            for (hash, slot) in block.iter().zip(slots) {
                each(match slot as u32 {
                    group if group > 0 && slot & TAG == tag(*hash) => group - 1,
                    _ => self.likely_group(*hash),
                });
            }
        }
        for hash in rest {
            each(self.likely_group(*hash));
        }
    }

    /// The group of this hash for which `is_equal`, a new one where there is none.
    pub(super) fn group<E>(
        &mut self,
        hash: u64,
        mut is_equal: impl FnMut(u32) -> Result<bool, E>,
    ) -> Result<u32, E> {
        let (mask, tag) = (self.slots.len() - 1, tag(hash));
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return Ok(self.insert(at, hash));
            }
            let group = slot as u32;
            if slot & TAG == tag && is_equal(group - 1)? {
                return Ok(group - 1);
            }
            at = (at + 1) & mask;
        }
    }

    fn insert(&mut self, at: usize, hash: u64) -> u32 {
        self.hashes.push(hash);
        let number = self.hashes.len() as u32;
        self.slots[at] = tag(hash) | u64::from(number);
        if self.hashes.len() * 2 > self.slots.len() {
            self.rebuild(self.slots_for(self.hashes.len()));
        }
        number - 1
    }

    /// Slots for so many groups.
    fn slots_for(&self, groups: usize) -> usize {
        let mut slots = self.slots.len();
        while groups * 2 > slots {
            slots *= if slots < Self::FOURFOLD_SLOTS { 4 } else { 2 };
        }
        slots
    }

    fn rebuild(&mut self, slots: usize) {
        self.slots.clear();
        self.slots.resize(slots, 0);
        let mask = slots - 1;
        for (number, hash) in (1_u64..).zip(&self.hashes) {
            let mut at = *hash as usize & mask;
            while self.slots[at] != 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = tag(*hash) | number;
        }
    }

    /// Makes room for so many more groups.
    pub(super) fn reserve(&mut self, groups: usize) {
        self.hashes.reserve(groups);
        let slots = self.slots_for(self.hashes.len() + groups);
        if slots > self.slots.len() {
            self.rebuild(slots);
        }
    }

    /// Forgets all groups but the first so many.
    pub(super) fn truncate(&mut self, groups: usize) {
        self.hashes.truncate(groups);
        self.rebuild(self.slots.len());
    }

    /// Bytes held.
    pub(super) fn size_bytes(&self) -> usize {
        (self.slots.capacity() + self.hashes.capacity()) * size_of::<u64>()
    }

    /// Bytes that the table grows by, should all of so many keys be new.
    pub(super) fn growth_bytes(&self, keys: usize) -> usize {
        let slots = self.slots_for(self.hashes.len() + keys);
        (slots - self.slots.len()) * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[test]
    fn groups_are_found_through_growth_and_keys_of_one_hash_are_told_apart() {
        let mut index = HashIndex::new();
        let hash = |key: u32| u64::from(key % 1000).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut keys: Vec<u32> = Vec::new();
        for key in (0..3000).chain(0..3000) {
            let found = index.group(hash(key), |group| {
                Ok::<_, Infallible>(keys[group as usize] == key)
            });
            let group = found.unwrap();
            if group as usize == keys.len() {
                keys.push(key);
            }
            assert_eq!(group, key);
        }
        index.truncate(10);
        assert_eq!((index.likely_group(hash(9)), index.hashes().len()), (9, 10));
        assert_eq!(index.likely_group(hash(10)), 10);
        index.reserve(1 << 16);
        assert_eq!(
            (index.growth_bytes(1 << 15), index.likely_group(hash(10))),
            (0, 10)
        );
    }
}
