//! Unique keys that commits brought: what a transaction checks again when it commits.

use llkv_types::TxnId;
use std::collections::{BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

/// A key in a form whose bytes have the order of the key.
pub type KeyBytes = Box<[u8]>;

/// The unique keys of one constraint that a transaction inserted: each of them while they are few, the
/// range they lie in when they are many. A range errs on the safe side: two may seem to meet and the
/// later one is asked to try again.
#[derive(Debug, Clone, Default)]
pub struct KeyFootprint {
    bounds: Option<(KeyBytes, KeyBytes)>,
    /// Keys each of which was above all before it, as those of most tables come.
    ascending: Vec<KeyBytes>,
    /// The others.
    others: BTreeSet<KeyBytes>,
    /// The keys are not kept one by one.
    is_range: bool,
}

impl KeyFootprint {
    /// Keys kept one by one; more than this are kept as their range.
    pub const MAX_KEYS: usize = 1 << 16;

    /// Adds a key.
    pub fn insert(&mut self, key: &[u8]) {
        let ascends = match &mut self.bounds {
            None => {
                self.bounds = Some((key.into(), key.into()));
                true
            }
            Some((_, high)) if key > &**high => {
                replace(high, key);
                true
            }
            Some((low, _)) => {
                if key < &**low {
                    replace(low, key);
                }
                false
            }
        };
        if self.is_range {
            return;
        }
        match ascends {
            true => self.ascending.push(key.into()),
            false => drop(self.others.insert(key.into())),
        }
        if self.len() > Self::MAX_KEYS {
            (self.ascending, self.others) = (Vec::new(), BTreeSet::new());
            self.is_range = true;
        }
    }

    /// Adds all keys of a range, where only the range of the keys is known; false where they are kept one by one.
    pub fn widen(&mut self, least: &[u8], greatest: &[u8]) -> bool {
        let Some((low, high)) = self.bounds.as_mut().filter(|_| self.is_range) else {
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
        (!self.is_range).then(|| self.has(key))
    }

    /// Whether the key is among those that are kept.
    fn has(&self, key: &[u8]) -> bool {
        let found = self.ascending.binary_search_by(|own| (**own).cmp(key));
        found.is_ok() || self.others.contains(key)
    }

    /// Whether one of the keys that are kept lies in a range, bounds included.
    fn has_within(&self, low: &[u8], high: &[u8]) -> bool {
        let first = self.ascending.partition_point(|own| &**own < low);
        let first = self.ascending.get(first);
        let range = (Bound::Included(low), Bound::Included(high));
        first.is_some_and(|own| &**own <= high)
            || self.others.range::<[u8], _>(range).next().is_some()
    }

    /// The keys that are kept, in no order.
    fn kept(&self) -> impl Iterator<Item = &KeyBytes> {
        self.ascending.iter().chain(&self.others)
    }

    fn len(&self) -> usize {
        self.ascending.len() + self.others.len()
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
            (true, false) => other.has_within(low, high),
            (false, true) => self.has_within(other_low, other_high),
            (false, false) if self.len() > other.len() => other.kept().any(|key| self.has(key)),
            (false, false) => self.kept().any(|key| other.has(key)),
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
        fn keys_are_found_one_by_one_and_by_ranges(
            keys in prop::collection::vec(0u32..60, 0..20),
            low in 0u32..60,
            width in 0u32..20,
        ) {
            let own = footprint(keys.iter().copied());
            for key in 0..60_u32 {
                prop_assert_eq!(own.contains(&key.to_be_bytes()), Some(keys.contains(&key)));
            }
            let within = keys.iter().any(|key| (low..=low + width).contains(key));
            let found = own.has_within(&low.to_be_bytes(), &(low + width).to_be_bytes());
            prop_assert_eq!(found, within);
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
