//! Unique keys that commits brought: what a transaction checks again when it commits.

use llkv_types::TxnId;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// A key in a form whose bytes have the order of the key.
pub type KeyBytes = Box<[u8]>;

/// The unique keys of one constraint that a transaction inserted: each of them while they are few, the
/// range they lie in when they are many. A range errs on the safe side: two may seem to meet and the
/// later one is asked to try again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyFootprint {
    bounds: Option<(KeyBytes, KeyBytes)>,
    keys: BTreeSet<KeyBytes>,
    /// Keys were left out of `keys`.
    is_range: bool,
}

impl KeyFootprint {
    /// Keys kept one by one; more than this are kept as their range.
    pub const MAX_KEYS: usize = 1 << 16;

    /// Adds a key.
    pub fn insert(&mut self, key: &[u8]) {
        match &mut self.bounds {
            None => self.bounds = Some((key.into(), key.into())),
            Some((low, _)) if key < &**low => *low = key.into(),
            Some((_, high)) if key > &**high => *high = key.into(),
            Some(_) => {}
        }
        if self.is_range {
            return;
        }
        self.keys.insert(key.into());
        if self.keys.len() > Self::MAX_KEYS {
            self.keys = BTreeSet::new();
            self.is_range = true;
        }
    }

    /// Adds all keys of a range, where only the range of the keys is known; false where they are kept one by one.
    pub fn widen(&mut self, least: &[u8], greatest: &[u8]) -> bool {
        let Some((low, high)) = self.bounds.as_mut().filter(|_| self.is_range) else {
            return false;
        };
        if least < &**low {
            *low = least.into();
        }
        if greatest > &**high {
            *high = greatest.into();
        }
        true
    }

    /// True when no key was inserted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bounds.is_none()
    }

    /// True when only the range of the keys is known.
    #[must_use]
    pub fn is_range(&self) -> bool {
        self.is_range
    }

    /// The highest key inserted.
    #[must_use]
    pub fn highest(&self) -> Option<&[u8]> {
        self.bounds.as_ref().map(|(_, high)| &**high)
    }

    /// Whether the key was inserted; `None` where only the range is known and the key lies in it.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> Option<bool> {
        let (low, high) = match &self.bounds {
            Some((low, high)) => (&**low, &**high),
            None => return Some(false),
        };
        if key < low || key > high {
            return Some(false);
        }
        (!self.is_range).then(|| self.keys.contains(key))
    }

    /// True when both may hold one key.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let (Some((low, high)), Some((other_low, other_high))) = (&self.bounds, &other.bounds)
        else {
            return false;
        };
        if high < other_low || other_high < low {
            return false;
        }
        match (self.is_range, other.is_range) {
            (true, true) => true,
            (true, false) => other
                .keys
                .range(low.clone()..=high.clone())
                .next()
                .is_some(),
            (false, true) => other.meets(self),
            (false, false) => !self.keys.is_disjoint(&other.keys),
        }
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
            a in prop::collection::btree_set(0u32..40, 0..10),
            b in prop::collection::btree_set(0u32..40, 0..10),
        ) {
            let meet = footprint(a.iter().copied()).meets(&footprint(b.iter().copied()));
            prop_assert_eq!(meet, !a.is_disjoint(&b));
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
