//! How many distinct values rows hold, estimated in little room: hashes while they are few, registers after.

use hashbrown::HashSet;

/// Hashes kept as they are up to here: so many distinct values are counted exactly.
const EXACT: usize = 128;
/// Bits of a hash that choose a register. 1,024 registers are right within about three percent.
const INDEX_BITS: u32 = 10;
const REGISTERS: usize = 1 << INDEX_BITS;

/// A set of hashes of which only the size is known. Two sketches merge into that of both inputs' values.
#[derive(Debug, Clone)]
pub(crate) enum DistinctSketch {
    /// The hashes themselves.
    Exact(HashSet<u64, foldhash::fast::FixedState>),
    /// `HyperLogLog` registers (Flajolet, Fusy, Gandouet and Meunier, 2007).
    Registers(Box<[u8; REGISTERS]>),
}

impl Default for DistinctSketch {
    fn default() -> Self {
        Self::Exact(HashSet::default())
    }
}

impl DistinctSketch {
    /// Adds the hash of a value: 64 bits, all of them well mixed.
    #[inline]
    pub(crate) fn insert(&mut self, hash: u64) {
        match self {
            Self::Registers(registers) => raise(registers, hash),
            Self::Exact(hashes) => {
                hashes.insert(hash);
                if hashes.len() > EXACT {
                    let mut registers = Box::new([0; REGISTERS]);
                    hashes.iter().for_each(|hash| raise(&mut registers, *hash));
                    *self = Self::Registers(registers);
                }
            }
        }
    }

    /// Adds what another sketch has seen.
    pub(crate) fn merge(&mut self, other: &Self) {
        match other {
            Self::Exact(hashes) => hashes.iter().for_each(|hash| self.insert(*hash)),
            Self::Registers(theirs) => {
                let mut merged = theirs.clone();
                match self {
                    Self::Exact(hashes) => hashes.iter().for_each(|h| raise(&mut merged, *h)),
                    Self::Registers(ours) => {
                        for (to, from) in merged.iter_mut().zip(ours.iter()) {
                            *to = (*to).max(*from);
                        }
                    }
                }
                *self = Self::Registers(merged);
            }
        }
    }

    /// About so many distinct values were added.
    pub(crate) fn estimate(&self) -> u64 {
        let registers = match self {
            Self::Exact(hashes) => return hashes.len() as u64,
            Self::Registers(registers) => registers,
        };
        let m = REGISTERS as f64;
        let sum: f64 = registers
            .iter()
            .map(|rank| (-f64::from(*rank)).exp2())
            .sum();
        let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
        let empty = registers.iter().filter(|rank| **rank == 0).count();
        if raw <= 2.5 * m && empty > 0 {
            return (m * (m / empty as f64).ln()) as u64;
        }
        raw as u64
    }
}

/// Notes a hash: the register that its first bits choose keeps the longest row of zeroes that follows them.
fn raise(registers: &mut [u8; REGISTERS], hash: u64) {
    let rest = hash << INDEX_BITS | 1 << (INDEX_BITS - 1);
    let rank = rest.leading_zeros() as u8 + 1;
    if let Some(register) = registers.get_mut((hash >> (u64::BITS - INDEX_BITS)) as usize) {
        *register = (*register).max(rank);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64;

    fn sketch(values: impl Iterator<Item = u64>) -> DistinctSketch {
        let mut sketch = DistinctSketch::default();
        values.for_each(|value| sketch.insert(xxh3_64(&value.to_le_bytes())));
        sketch
    }

    fn near(estimate: u64, truth: u64) -> bool {
        estimate.abs_diff(truth) * 10 <= truth
    }

    #[test]
    fn few_values_are_counted_and_many_are_estimated() {
        for count in [0, 1, 7, EXACT as u64] {
            assert_eq!(
                sketch((0..3 * count).map(|v| v % count.max(1))).estimate(),
                count
            );
        }
        for count in [200, 1_000, 2_560, 5_000, 100_000, 1_000_000] {
            let estimate = sketch(0..count).estimate();
            assert!(near(estimate, count), "{estimate} for {count}");
        }
    }

    #[test]
    fn merged_sketches_are_those_of_all_values() {
        for (left, right) in [
            (0..50, 25..75),
            (0..90, 60..150),
            (0..5_000, 4_000..4_020),
            (0..20, 0..3_000),
        ] {
            let mut merged = sketch(left.clone());
            merged.merge(&sketch(right.clone()));
            let whole = sketch(left.chain(right));
            assert_eq!(merged.estimate(), whole.estimate());
        }
    }
}
