//! Unique keys that commits brought: what a transaction checks again when it commits.

use crate::key_list::KeyList;
use llkv_types::TxnId;
use std::collections::VecDeque;
use std::sync::Arc;

/// A key in a form whose bytes have the order of the key.
pub type KeyBytes = Box<[u8]>;

/// The unique keys of one constraint that a transaction inserted: each of them while they are few, the
/// range they lie in when they are many. A range errs on the safe side: two may seem to meet and the
/// later one is asked to try again.
#[derive(Debug, Clone, Default)]
pub struct KeyFootprint {
    known: Known,
}

/// What is known of the keys.
#[derive(Debug, Clone)]
enum Known {
    Each(KeyList),
    /// The least and the greatest.
    Range(KeyBytes, KeyBytes),
}

impl Default for Known {
    fn default() -> Self {
        Self::Each(KeyList::default())
    }
}

impl KeyFootprint {
    /// Keys kept one by one; more than this are kept as their range. One that came several times counts as often.
    pub const MAX_KEYS: usize = 1 << 16;
    /// Bytes of keys kept one by one.
    const MAX_BYTES: usize = 1 << 24;

    /// Adds a key.
    pub fn insert(&mut self, key: &[u8]) {
        match &mut self.known {
            Known::Range(..) => drop(self.widen(key, key)),
            Known::Each(keys) => {
                keys.push(key);
                if (keys.len() > Self::MAX_KEYS || keys.bytes.len() > Self::MAX_BYTES)
                    && let Some((least, greatest)) = keys.bounds()
                {
                    self.known = Known::Range(least.into(), greatest.into());
                }
            }
        }
    }

    /// Adds all keys of a range, where only the range of the keys is known; false where they are kept one by one.
    pub fn widen(&mut self, least: &[u8], greatest: &[u8]) -> bool {
        let Known::Range(low, high) = &mut self.known else {
            return false;
        };
        if least < &**low {
            replace(low, least);
        }
        if greatest > &**high {
            replace(high, greatest);
        }
        true
    }

    /// True when no key was inserted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(&self.known, Known::Each(keys) if keys.len() == 0)
    }

    /// True when only the range of the keys is known.
    #[must_use]
    pub fn is_range(&self) -> bool {
        matches!(self.known, Known::Range(..))
    }

    /// The least and the highest key.
    fn bounds(&self) -> Option<(&[u8], &[u8])> {
        match &self.known {
            Known::Each(keys) => keys.bounds(),
            Known::Range(low, high) => Some((low, high)),
        }
    }

    /// The highest key inserted.
    #[must_use]
    pub fn highest(&self) -> Option<&[u8]> {
        self.bounds().map(|(_, high)| high)
    }

    /// Whether the key was inserted; `None` where only the range is known and the key lies in it.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> Option<bool> {
        match self.bounds() {
            Some((low, high)) if key >= low && key <= high => match &self.known {
                Known::Each(keys) => Some(keys.contains(key)),
                Known::Range(..) => None,
            },
            _ => Some(false),
        }
    }

    /// True when both may hold one key.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let (Some((low, high)), Some((other_low, other_high))) = (self.bounds(), other.bounds())
        else {
            return false;
        };
        if high < other_low || other_high < low {
            return false;
        }
        match (&self.known, &other.known) {
            (Known::Range(..), Known::Range(..)) => true,
            (Known::Range(..), Known::Each(keys)) => keys.has_within(low, high),
            (Known::Each(keys), Known::Range(..)) => keys.has_within(other_low, other_high),
            (Known::Each(many), Known::Each(few)) if many.len() > few.len() => {
                few.iter().any(|key| many.contains(key))
            }
            (Known::Each(few), Known::Each(many)) => few.iter().any(|key| many.contains(key)),
        }
    }
}

/// Puts a key in the place of another, where it lies if that is as long.
fn replace(bound: &mut KeyBytes, key: &[u8]) {
    match bound.len() == key.len() {
        true => bound.copy_from_slice(key),
        false => *bound = key.into(),
    }
}

/// The footprints of one constraint, by commit id, as far back as a live snapshot needs them.
#[derive(Debug, Default)]
pub struct KeyHistory {
    commits: VecDeque<(TxnId, Arc<KeyFootprint>)>,
}

impl KeyHistory {
    /// True when a commit after the snapshot may have brought one of the keys.
    #[must_use]
    pub fn meets(&self, keys: &KeyFootprint, snapshot_id: TxnId) -> bool {
        let newest_first = self.commits.iter().rev();
        newest_first
            .take_while(|(commit_id, _)| *commit_id > snapshot_id)
            .any(|(_, theirs)| theirs.meets(keys))
    }

    /// Keeps the keys of a commit; ids ascend.
    pub fn record(&mut self, commit_id: TxnId, keys: Arc<KeyFootprint>) {
        if !keys.is_empty() {
            self.commits.push_back((commit_id, keys));
        }
    }

    /// Forgets the commits that every snapshot sees.
    pub fn prune(&mut self, gc_bound: TxnId) {
        while self.commits.front().is_some_and(|(id, _)| *id <= gc_bound) {
            self.commits.pop_front();
        }
    }

    /// True when nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn footprint(keys: impl IntoIterator<Item = u32>) -> KeyFootprint {
        let mut footprint = KeyFootprint::default();
        for key in keys {
            footprint.insert(&key.to_be_bytes());
        }
        footprint
    }

    proptest! {
        #[test]
        fn few_keys_meet_exactly_when_they_share_one(
            a in prop::collection::vec(0u32..40, 0..10),
            b in prop::collection::vec(0u32..40, 0..10),
        ) {
            let meet = footprint(a.iter().copied()).meets(&footprint(b.iter().copied()));
            prop_assert_eq!(meet, a.iter().any(|key| b.contains(key)));
        }

        /// In whatever order keys come.
        #[test]
        fn keys_are_found(keys in prop::collection::vec(0u32..60, 0..20)) {
            let own = footprint(keys.iter().copied());
            for key in 0..60_u32 {
                prop_assert_eq!(own.contains(&key.to_be_bytes()), Some(keys.contains(&key)));
            }
            let highest = keys.iter().max().map(|key| key.to_be_bytes());
            prop_assert_eq!(own.highest(), highest.as_ref().map(|key| key.as_slice()));
        }
    }

    #[test]
    fn many_keys_are_their_range() {
        let many = footprint((0..KeyFootprint::MAX_KEYS as u32 + 1).map(|i| i * 2));
        assert!(many.meets(&footprint([7])));
        assert!(!many.meets(&footprint([u32::MAX])));
        assert!(footprint([7, u32::MAX]).meets(&many));
        assert!(!many.meets(&KeyFootprint::default()));
        assert!(many.meets(&many));
        let (mut few, mut wider) = (footprint([7]), many);
        let (low, high) = (9_u32.to_be_bytes(), (1_u32 << 30).to_be_bytes());
        assert!(!few.widen(&low, &high));
        assert!(wider.widen(&low, &high));
        assert!(wider.meets(&footprint([1 << 29])) && wider.meets(&footprint([0])));
        assert_eq!(wider.highest(), Some(high.as_slice()));
    }

    #[test]
    fn long_keys_are_their_range() {
        let mut long = KeyFootprint::default();
        for first in 1..=40 {
            long.insert(&vec![first; KeyFootprint::MAX_BYTES / 32]);
        }
        assert!(long.is_range());
        assert!(long.meets(&footprint([2 << 24])) && !long.meets(&footprint([50 << 24])));
    }

    #[test]
    fn history_is_checked_after_the_snapshot_and_pruned_before_it() {
        let mut history = KeyHistory::default();
        history.record(5, Arc::new(footprint([1])));
        history.record(6, Arc::new(footprint([2])));
        assert!(history.meets(&footprint([1]), 4));
        assert!(!history.meets(&footprint([1]), 5));
        assert!(history.meets(&footprint([2]), 5));
        history.prune(5);
        assert!(!history.meets(&footprint([1]), 4));
        history.prune(6);
        assert!(history.is_empty());
    }
}
