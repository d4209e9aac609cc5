//! Keys one after the other, as they came, which are found again.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::OnceLock;

/// Keys in the order in which they came, in one buffer. Most are never looked for: what finds them is made when one is.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyList {
    pub(crate) bytes: Vec<u8>,
    /// Where each key ends in `bytes`.
    ends: Vec<usize>,
    /// Positions of the least and the greatest key.
    bounds: (usize, usize),
    /// A key was not above all before it: the list is not sorted.
    is_mixed: bool,
    /// Positions of the keys by their hashes, of a list that is not sorted.
    places: OnceLock<HashTable<usize>>,
}

fn hash(key: &[u8]) -> u64 {
    FixedState::default().hash_one(key)
}

impl KeyList {
    /// Keys that came.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The key at a position that there is.
    fn get(&self, position: usize) -> &[u8] {
        let begin = position.checked_sub(1).and_then(|at| self.ends.get(at));
        let end = self.ends.get(position).copied().unwrap_or_default();
        self.bytes
            .get(begin.copied().unwrap_or_default()..end)
            .unwrap_or_default()
    }

    /// The keys as they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|position| self.get(position))
    }

    /// The least and the greatest key.
    pub(crate) fn bounds(&self) -> Option<(&[u8], &[u8])> {
        let (least, greatest) = self.bounds;
        (self.len() > 0).then(|| (self.get(least), self.get(greatest)))
    }

    /// Adds a key.
    pub(crate) fn push(&mut self, key: &[u8]) {
        let position = self.len();
        if let Some((least, greatest)) = self.bounds() {
            match key.cmp(greatest) {
                std::cmp::Ordering::Equal => return,
                std::cmp::Ordering::Greater => self.bounds.1 = position,
                std::cmp::Ordering::Less => {
                    if key < least {
                        self.bounds.0 = position;
                    }
                    self.is_mixed = true;
                }
            }
        }
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        if let Some(mut places) = self.places.take() {
            self.place(&mut places, position);
            self.places = OnceLock::from(places);
        }
    }

    fn place(&self, places: &mut HashTable<usize>, position: usize) {
        let of = |position: &usize| hash(self.get(*position));
        places.insert_unique(of(&position), position, of);
    }

    /// Whether a key is among them.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        if !self.is_mixed {
            let at = self.first_from(key);
            return at < self.len() && self.get(at) == key;
        }
        let places = self.places.get_or_init(|| {
            let mut places = HashTable::with_capacity(self.len());
            (0..self.len()).for_each(|position| self.place(&mut places, position));
            places
        });
        let same = |position: &usize| self.get(*position) == key;
        places.find(hash(key), same).is_some()
    }

    /// Position of the first key that is not below another, of a sorted list.
    fn first_from(&self, low: &[u8]) -> usize {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = from.midpoint(to);
            match self.get(middle) < low {
                true => from = middle + 1,
                false => to = middle,
            }
        }
        from
    }

    /// Whether a key lies in a range, bounds included.
    pub(crate) fn has_within(&self, low: &[u8], high: &[u8]) -> bool {
        match self.is_mixed {
            true => self.iter().any(|key| (low..=high).contains(&key)),
            false => {
                let at = self.first_from(low);
                at < self.len() && self.get(at) <= high
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// In whatever order keys come, and looked for before the last ones have come.
        #[test]
        fn keys_are_found_one_by_one_and_by_ranges(
            keys in prop::collection::vec(0u32..60, 0..20),
            sorted in any::<bool>(),
            low in 0u32..60,
            width in 0u32..20,
        ) {
            let mut keys = keys;
            if sorted {
                keys.sort_unstable();
            }
            let mut list = KeyList::default();
            for (count, key) in keys.iter().enumerate() {
                list.push(&key.to_be_bytes());
                for key in 0..60_u32 {
                    let came = keys[..=count].contains(&key);
                    prop_assert_eq!(list.contains(&key.to_be_bytes()), came);
                }
            }
            let within = keys.iter().any(|key| (low..=low + width).contains(key));
            let found = list.has_within(&low.to_be_bytes(), &(low + width).to_be_bytes());
            prop_assert_eq!(found, within);
            let bounds = keys.iter().min().zip(keys.iter().max());
            let bounds = bounds.map(|(low, high)| (low.to_be_bytes(), high.to_be_bytes()));
            prop_assert_eq!(list.bounds(), bounds.as_ref().map(|(low, high)| (&low[..], &high[..])));
        }
    }
}
