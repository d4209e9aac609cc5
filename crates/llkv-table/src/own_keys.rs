//! The keys that a transaction itself has inserted under one constraint.

use crate::keys::BatchKeys;
use hashbrown::HashSet;
use llkv_transaction::KeyFootprint;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Every key that was ever inserted; deleted ones and rolled-back ones may still be among them.
#[derive(Debug, Default)]
pub(crate) struct OwnKeys {
    footprint: Arc<KeyFootprint>,
    /// Hashes of all keys, once a transaction with too many keys for its footprint inserts one that is
    /// not above all others.
    hashes: Option<HashSet<u64, foldhash::fast::FixedState>>,
    /// Rows whose keys are to be compared with all own ones at the end of their statement.
    unchecked_rows: u64,
    /// Comparing took too long for what it was about.
    looks_up: bool,
}

/// All own rows are compared again at the end of a statement as long as it brings one in so many of them.
const CHECKED_PER_NEW_ROW: u64 = 4;

impl OwnKeys {
    /// The keys as later commits are checked against them.
    pub(crate) fn footprint(&self) -> Arc<KeyFootprint> {
        Arc::clone(&self.footprint)
    }

    /// Adds a key.
    pub(crate) fn insert(&mut self, key: &[u8]) {
        Arc::make_mut(&mut self.footprint).insert(key);
        if let Some(hashes) = &mut self.hashes {
            hashes.insert(xxh3_64(key));
        }
    }

    /// True where comparing all keys at the end of the statement is faster than looking up each: of many keys in no order,
    /// each look-up misses the cache. Takes note of the rows then.
    pub(crate) fn put_off(&mut self, rows: usize) -> bool {
        let worth = !self.looks_up && self.hashes.is_none() && self.footprint.is_range();
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
        if self.hashes.is_none()
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
        self.footprint.contains(key).or_else(|| {
            let hashes = self.hashes.as_ref()?;
            Some(hashes.contains(&xxh3_64(key)))
        })
    }

    /// Takes the hashes of all own keys, as a scan of the own rows finds them.
    pub(crate) fn load_hashes(&mut self, hashes: HashSet<u64, foldhash::fast::FixedState>) {
        self.hashes = Some(hashes);
    }
}
