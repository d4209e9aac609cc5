//! `approx_count_distinct`: HyperLogLog with 4,096 registers, about 1.6 % off; exact for small groups.
//!
//! See Flajolet and others, "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm"
//! (2007). A group keeps its hashes as they are until there are many, so that many small groups stay small.

use super::GroupsAccumulator;
use super::groups::Groups;
use super::rows::{argument, counted, feed, for_each};
use crate::hash::hash_columns;
use arrow::array::{Array, ArrayRef, BinaryArray, BooleanArray, Int64Array};
use arrow::datatypes::DataType;
use llkv_result::{Error, Result};
use std::collections::BTreeSet;
use std::sync::Arc;

const INDEX_BITS: u32 = 12;
const REGISTERS: usize = 1 << INDEX_BITS;

/// Hashes that a group keeps before it takes registers, which are as large.
const MAX_HASHES: usize = REGISTERS / 8;

#[derive(Debug, Clone)]
enum Sketch {
    Hashes(BTreeSet<u64>),
    Registers(Box<[u8]>),
}

impl Default for Sketch {
    fn default() -> Self {
        Self::Hashes(BTreeSet::new())
    }
}

/// The longest run of zeros, plus one, behind the bits that choose the register.
fn raise(registers: &mut [u8], hash: u64) {
    let index = (hash >> (u64::BITS - INDEX_BITS)) as usize;
    let rank = ((hash << INDEX_BITS) | (1 << (INDEX_BITS - 1))).leading_zeros() as u8 + 1;
    if let Some(register) = registers.get_mut(index) {
        *register = (*register).max(rank);
    }
}

impl Sketch {
    fn add(&mut self, hash: u64) {
        match self {
            Self::Registers(registers) => raise(registers, hash),
            Self::Hashes(hashes) => {
                hashes.insert(hash);
                if hashes.len() > MAX_HASHES {
                    self.widen();
                }
            }
        }
    }

    fn widen(&mut self) {
        if let Self::Hashes(hashes) = self {
            let mut registers = vec![0u8; REGISTERS].into_boxed_slice();
            hashes.iter().for_each(|hash| raise(&mut registers, *hash));
            *self = Self::Registers(registers);
        }
    }

    fn count(&self) -> i64 {
        let registers = match self {
            Self::Hashes(hashes) => return hashes.len() as i64,
            Self::Registers(registers) => registers,
        };
        let count = REGISTERS as f64;
        let sum: f64 = registers.iter().map(|r| 0.5f64.powi(i32::from(*r))).sum();
        let raw = 0.7213 / (1.0 + 1.079 / count) * count * count / sum;
        let zeros = registers.iter().filter(|r| **r == 0).count();
        if raw <= 2.5 * count && zeros > 0 {
            return (count * (count / zeros as f64).ln()).round() as i64;
        }
        raw.round() as i64
    }

    /// A byte for the kind, then hashes or registers.
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hashes(hashes) => {
                let mut bytes = vec![0];
                hashes
                    .iter()
                    .for_each(|h| bytes.extend_from_slice(&h.to_le_bytes()));
                bytes
            }
            Self::Registers(registers) => [&[1], registers.as_ref()].concat(),
        }
    }

    fn merge(&mut self, bytes: &[u8]) {
        match bytes.split_first() {
            Some((0, hashes)) => {
                for hash in hashes.as_chunks::<8>().0 {
                    self.add(u64::from_le_bytes(*hash));
                }
            }
            Some((_, others)) => {
                self.widen();
                if let Self::Registers(registers) = self {
                    for (own, other) in registers.iter_mut().zip(others) {
                        *own = (*own).max(*other);
                    }
                }
            }
            None => {}
        }
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Hashes(hashes) => hashes.len() * 2 * size_of::<u64>(),
            Self::Registers(registers) => registers.len(),
        }
    }
}

/// About how many different values.
#[derive(Default)]
pub(super) struct ApproximateCount {
    sketches: Vec<Sketch>,
    hashes: Vec<u64>,
}

/// Spreads bits, so that the leading ones depend on all (the finalizer of MurmurHash3).
const fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

impl ApproximateCount {
    fn feed(
        &mut self,
        args: &[ArrayRef],
        groups: Groups<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let array = argument(args, 0)?;
        let counted = counted(array.logical_nulls().as_ref(), filter);
        hash_columns(std::slice::from_ref(array), &mut self.hashes)?;
        let (hashes, sketches) = (&self.hashes, &mut self.sketches);
        for_each(groups, counted.as_ref(), |row, group| {
            if let (Some(hash), Some(sketch)) = (hashes.get(row), sketches.get_mut(group)) {
                sketch.add(mixed(*hash));
            }
        });
        Ok(())
    }
}

impl GroupsAccumulator for ApproximateCount {
    feed!();

    fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[u32],
        group_count: usize,
    ) -> Result<()> {
        self.resize(group_count);
        let encoded = argument(states, 0)?
            .as_any()
            .downcast_ref::<BinaryArray>()
            .ok_or_else(|| Error::internal("a sketch of distinct values is bytes"))?;
        for (bytes, group) in encoded.iter().zip(group_of_row) {
            if let (Some(bytes), Some(sketch)) = (bytes, self.sketches.get_mut(*group as usize)) {
                sketch.merge(bytes);
            }
        }
        Ok(())
    }

    fn resize(&mut self, group_count: usize) {
        if self.sketches.len() < group_count {
            self.sketches.resize(group_count, Sketch::default());
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Binary]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let sketches = std::mem::take(&mut self.sketches);
        let encoded = sketches.iter().map(|sketch| Some(sketch.encode()));
        Ok(vec![Arc::new(encoded.collect::<BinaryArray>())])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let sketches = std::mem::take(&mut self.sketches);
        let counts = sketches.iter().map(Sketch::count);
        Ok(Arc::new(Int64Array::from_iter_values(counts)))
    }

    fn size_bytes(&self) -> usize {
        let sketches: usize = self.sketches.iter().map(Sketch::size_bytes).sum();
        sketches + self.sketches.capacity() * size_of::<Sketch>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sketches_are_exact_while_small_and_close_when_large() {
        let mut sketch = Sketch::default();
        for value in 0..300u64 {
            sketch.add(mixed(value));
            sketch.add(mixed(value));
        }
        assert_eq!(sketch.count(), 300);
        let mut other = Sketch::default();
        for value in 200..100_000u64 {
            other.add(mixed(value));
        }
        sketch.merge(&other.encode());
        let error = (sketch.count() as f64 - 100_000.0).abs() / 100_000.0;
        assert!(error < 0.06, "{}", sketch.count());
    }
}
