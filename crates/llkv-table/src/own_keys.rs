//! The keys that a transaction itself has inserted under one constraint.

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
}

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
