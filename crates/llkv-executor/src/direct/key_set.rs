//! Rows that are keys: of groups, of DISTINCT, of set operations.

use foldhash::fast::FixedState;
use llkv_compute::same_key;
use llkv_types::Scalar;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};

/// The values of a key.
pub(super) type Key = SmallVec<[Scalar; 2]>;

/// Keys up to which one is searched by looking at all.
const FEW: usize = 12;

/// Different keys, numbered in the order in which they came. NULL equals NULL.
#[derive(Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// The numbers of the keys by hash, once there are many.
    by_hash: Option<HashMap<u64, SmallVec<[u32; 2]>, FixedState>>,
}

impl KeySet {
    /// The number of a key, and whether it is new.
    pub(super) fn place(&mut self, key: Key) -> (usize, bool) {
        if let Some(found) = self.find(&key) {
            return (found, false);
        }
        let number = self.keys.len();
        if number == FEW && self.by_hash.is_none() {
            let mut map: HashMap<u64, SmallVec<[u32; 2]>, FixedState> = HashMap::default();
            for (number, key) in self.keys.iter().enumerate() {
                map.entry(hash(key)).or_default().push(number as u32);
            }
            self.by_hash = Some(map);
        }
        if let Some(map) = &mut self.by_hash {
            map.entry(hash(&key)).or_default().push(number as u32);
        }
        self.keys.push(key);
        (number, true)
    }

    /// The number of a key that is there.
    pub(super) fn find(&self, key: &[Scalar]) -> Option<usize> {
        let Some(map) = &self.by_hash else {
            return self.keys.iter().position(|own| are_same(own, key));
        };
        let numbers = map.get(&hash(key))?;
        let found = numbers.iter().find(|number| {
            let own = self.keys.get(**number as usize);
            own.is_some_and(|own| are_same(own, key))
        });
        found.map(|number| *number as usize)
    }

    /// The keys in their order.
    pub(super) fn into_keys(self) -> Vec<Key> {
        self.keys
    }
}

fn are_same(left: &[Scalar], right: &[Scalar]) -> bool {
    let mut pairs = left.iter().zip(right);
    pairs.all(|(l, r)| same_key(l, r).unwrap_or_default())
}

/// The same for keys that are the same.
fn hash(key: &[Scalar]) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    for value in key {
        match value {
            Scalar::Text(text) => text.hash(&mut hasher),
            Scalar::Blob(bytes) => bytes.hash(&mut hasher),
            Scalar::Boolean(value) => value.hash(&mut hasher),
            Scalar::Float64(value) if value.is_nan() => f64::NAN.to_bits().hash(&mut hasher),
            // Both zeros are one.
            Scalar::Float64(value) => (value + 0.0).to_bits().hash(&mut hasher),
            value => value.as_integer().hash(&mut hasher),
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use llkv_types::SqlType;

    #[test]
    fn keys_are_found_again_whether_few_or_many() {
        let mut set = KeySet::default();
        let key = |number: i64| -> Key {
            let first = match number % 3 {
                0 => Scalar::Null(SqlType::Text),
                rest => Scalar::Text(rest.to_string().into()),
            };
            [first, Scalar::Int64(number)].into_iter().collect()
        };
        for number in 0..100 {
            assert_eq!(set.place(key(number)), (number as usize, true));
        }
        for number in 0..100 {
            assert_eq!(set.place(key(number)), (number as usize, false));
        }
        assert_eq!(set.find(&key(100)), None);
        assert_eq!(set.into_keys().len(), 100);
    }

    #[test]
    fn zeros_are_one_key_and_so_are_nans() {
        let mut set = KeySet::default();
        let mut place = |value: f64| set.place([Scalar::Float64(value)].into_iter().collect()).0;
        for _ in 0..2 {
            assert_eq!((place(0.0), place(-0.0)), (0, 0));
            assert_eq!((place(f64::NAN), place(-f64::NAN)), (1, 1));
            for number in 1..20 {
                assert_eq!(place(f64::from(number)), number as usize + 1);
            }
        }
    }
}
