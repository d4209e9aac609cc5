//! The keys that a transaction itself has inserted under one constraint.

use crate::keys::BatchKeys;
use hashbrown::HashSet;
use llkv_transaction::KeyFootprint;
use llkv_types::{MemoryBudget, MemoryReservation};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Every key that was ever inserted; deleted ones and rolled-back ones may still be among them.
#[derive(Debug, Default)]
pub(crate) struct OwnKeys {
    footprint: Arc<KeyFootprint>,
    hashes: OwnHashes,
    /// Rows whose keys are to be compared with all own ones at the end of their statement.
    unchecked_rows: u64,
    /// Comparing took too long for what it was about.
    looks_up: bool,
}

/// All own rows are compared again at the end of a statement as long as it brings one in so many of them.
const CHECKED_PER_NEW_ROW: u64 = 4;

/// Hashes of all own keys.
#[derive(Debug, Default)]
enum OwnHashes {
    /// Not asked for: the footprint knows enough.
    #[default]
    Unknown,
    /// A transaction with too many keys for its footprint has inserted one that is not above all others.
    Loaded(KeyHashes),
    /// There is no room for them: whether a key is there is for the rows to say.
    TooMany,
}

/// Hashes of keys, within the memory limit.
#[derive(Debug)]
pub(crate) struct KeyHashes {
    hashes: HashSet<u64, foldhash::fast::FixedState>,
    memory: MemoryReservation,
}

impl KeyHashes {
    /// Room is made for so many at first.
    const FIRST: usize = 1_024;
    /// Bytes for each hash that there is to be room for, at most: the table has a byte more for each place, and is half full.
    const BYTES: usize = 2 * (size_of::<u64>() + 1) + 2;

    pub(crate) fn new(memory: &Arc<MemoryBudget>) -> Self {
        Self {
            hashes: HashSet::default(),
            memory: memory.reserve("keys of a transaction"),
        }
    }

    /// False where there is no room for one more.
    #[must_use]
    pub(crate) fn insert(&mut self, hash: u64) -> bool {
        if self.hashes.len() == self.hashes.capacity() {
            let more = self.hashes.len().max(Self::FIRST);
            let bytes = (self.hashes.len() + more) * Self::BYTES;
            // The old table is there until the new one is filled.
            if self.memory.grow(bytes as u64).is_err() {
                return false;
            }
            self.hashes.reserve(more);
            self.memory.shrink(self.hashes.allocation_size() as u64);
        }
        self.hashes.insert(hash);
        true
    }
}

impl OwnKeys {
    /// The keys as later commits are checked against them.
    pub(crate) fn footprint(&self) -> Arc<KeyFootprint> {
        Arc::clone(&self.footprint)
    }

    /// Adds a key.
    pub(crate) fn insert(&mut self, key: &[u8]) {
        Arc::make_mut(&mut self.footprint).insert(key);
        if let OwnHashes::Loaded(hashes) = &mut self.hashes
            && !hashes.insert(xxh3_64(key))
        {
            self.hashes = OwnHashes::TooMany;
        }
    }

    const fn has_hashes(&self) -> bool {
        matches!(self.hashes, OwnHashes::Loaded(_))
    }

    /// True where comparing all keys at the end of the statement is faster than looking up each: of many keys in no order,
    /// each look-up misses the cache. Takes note of the rows then.
    pub(crate) fn put_off(&mut self, rows: usize) -> bool {
        let worth = !self.looks_up && !self.has_hashes() && self.footprint.is_range();
        if worth {
            self.unchecked_rows += rows as u64;
        }
        worth
    }

    /// True where keys wait to be compared.
    pub(crate) fn is_unchecked(&self) -> bool {
        self.unchecked_rows > 0
    }

    /// All `rows` own rows were compared, or those that were to be are gone.
    pub(crate) fn set_checked(&mut self, rows: u64) {
        self.looks_up |= self.unchecked_rows.saturating_mul(CHECKED_PER_NEW_ROW) < rows;
        self.unchecked_rows = 0;
    }

    /// Adds the keys of a batch whose rows are kept.
    pub(crate) fn extend(&mut self, keys: &BatchKeys, is_kept: impl Fn(usize) -> bool) {
        if !self.has_hashes()
            && let Some((least, greatest)) = keys.bounds()
            && Arc::make_mut(&mut self.footprint).widen(least, greatest)
        {
            return;
        }
        let kept = keys.iter().filter(|(row, _)| is_kept(*row));
        kept.for_each(|(_, key)| self.insert(key));
    }

    /// The highest key that was inserted.
    pub(crate) fn highest(&self) -> Option<&[u8]> {
        self.footprint.highest()
    }

    /// False when the key was certainly not inserted; `None` where [`Self::load_hashes`] has to tell.
    pub(crate) fn may_contain(&self, key: &[u8]) -> Option<bool> {
        self.footprint.contains(key).or_else(|| match &self.hashes {
            OwnHashes::Unknown => None,
            OwnHashes::Loaded(own) => Some(own.hashes.contains(&xxh3_64(key))),
            OwnHashes::TooMany => Some(true),
        })
    }

    /// Takes the hashes of all own keys, as a scan of the own rows finds them; none where there is no room for them.
    pub(crate) fn load_hashes(&mut self, hashes: Option<KeyHashes>) {
        self.hashes = hashes.map_or(OwnHashes::TooMany, OwnHashes::Loaded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_stay_within_the_budget_and_give_back_what_they_took() {
        let budget = MemoryBudget::new(256 << 10);
        let mut hashes = KeyHashes::new(&budget);
        let held = (0..100_000_u64).take_while(|n| hashes.insert(*n)).count();
        assert!((2_000..30_000).contains(&held), "{held}");
        assert!(budget.used_bytes() <= budget.limit_bytes());
        assert!(budget.used_bytes() >= hashes.hashes.allocation_size() as u64);
        drop(hashes);
        assert_eq!(budget.used_bytes(), 0);
        let mut hashes = KeyHashes::new(&MemoryBudget::unlimited());
        assert!((0..100_000_u64).all(|n| hashes.insert(n)));
    }

    #[test]
    fn keys_that_have_no_room_may_be_there() {
        let mut own = OwnKeys::default();
        for n in 0..100_000_u64 {
            own.insert(&(n * 7_919 % 100_003).to_be_bytes());
        }
        let key = 5_u64.to_be_bytes();
        assert_eq!(own.may_contain(&key), None);
        own.load_hashes(None);
        assert_eq!(own.may_contain(&key), Some(true));
        let mut none = KeyHashes::new(&MemoryBudget::new(100 << 10));
        assert!(none.insert(1));
        own.load_hashes(Some(none));
        assert_eq!(own.may_contain(&key), Some(false));
        (0..50_000_u64).for_each(|n| own.insert(&n.to_be_bytes()));
        assert_eq!(own.may_contain(&60_000_u64.to_be_bytes()), Some(true));
    }
}
