//! A filter that tells most keys that a run does not have.

use llkv_storage::Blob;
use xxhash_rust::xxh3::xxh3_64;

/// Bits of a block: a cache line.
const BLOCK_BYTES: usize = 64;
/// Bits set for a key, all in one block.
const PROBES: u32 = 6;
/// Bits for each key: about one key in a hundred that is absent seems present.
const BITS_PER_KEY: usize = 10;

/// So many of the highest bits of a number of blocks are as they come, and all others are zero.
const COUNT_BITS: u32 = 8;

/// So many keys are added at a time: one by one, each would wait for its own block to come from memory.
const WAITING_KEYS: usize = 4_096;

/// Hashes of keys that are to be added to a filter.
#[derive(Debug)]
pub(crate) struct WaitingKeys {
    hashes: Vec<u64>,
    last: Option<u64>,
}

impl Default for WaitingKeys {
    fn default() -> Self {
        Self {
            hashes: Vec::with_capacity(WAITING_KEYS),
            last: None,
        }
    }
}

impl WaitingKeys {
    /// Takes note of a key; equal ones come one after the other. True when it is time to add what waits.
    pub(crate) fn push(&mut self, key: &[u8]) -> bool {
        let hash = xxh3_64(key);
        if self.last.replace(hash) != Some(hash) {
            self.hashes.push(hash);
        }
        self.hashes.len() >= WAITING_KEYS
    }
}

/// A filter that keys are added to.
#[derive(Debug)]
pub(crate) struct BloomBuilder {
    /// Blocks of 64 bytes; a key sets six bits of the one that its hash names.
    bytes: Vec<u8>,
    blocks: usize,
    keys: usize,
}

impl BloomBuilder {
    /// A filter for at most so many keys, in at most so many bytes: with fewer bits for each, it tells fewer that are absent.
    pub(crate) fn with_room(keys: u64, most_bytes: usize) -> Self {
        let wanted = blocks_for(keys as usize);
        let most = (most_bytes / BLOCK_BYTES).max(1);
        // So that it can be halved once it is known how many different keys there are.
        let zeros = usize::BITS - wanted.leading_zeros();
        let wanted = wanted.next_multiple_of(1 << zeros.saturating_sub(COUNT_BITS));
        let blocks = wanted.min(most);
        Self {
            bytes: vec![0; blocks * BLOCK_BYTES],
            blocks,
            keys: 0,
        }
    }

    /// Adds the keys that wait.
    pub(crate) fn add(&mut self, waiting: &mut WaitingKeys) {
        self.keys += waiting.hashes.len();
        for hash in waiting.hashes.drain(..) {
            let block = block_of(hash, self.blocks) * BLOCK_BYTES;
            for bit in bits_of(hash) {
                if let Some(byte) = self.bytes.get_mut(block + bit / 8) {
                    *byte |= 1 << (bit % 8);
                }
            }
        }
    }

    /// The filter, with about as many blocks as different keys need.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let needed = blocks_for(self.keys);
        while self.blocks.is_multiple_of(2) && self.blocks / 2 >= needed {
            self.halve();
        }
        self.bytes
    }

    /// A key's block is its hash's place among all blocks: of half as many, it is the one half as far.
    fn halve(&mut self) {
        self.blocks /= 2;
        let pairs = self.bytes.chunks_exact(2 * BLOCK_BYTES);
        let halves = pairs.flat_map(|pair| {
            let (left, right) = pair.split_at(BLOCK_BYTES);
            left.iter().zip(right).map(|(left, right)| left | right)
        });
        self.bytes = halves.collect();
    }
}

fn blocks_for(keys: usize) -> usize {
    (keys * BITS_PER_KEY).div_ceil(BLOCK_BYTES * 8).max(1)
}

/// A filter as it lies in the file.
#[derive(Debug)]
pub(crate) struct Bloom {
    blob: Blob,
}

impl Bloom {
    pub(crate) fn open(blob: Blob) -> Self {
        Self { blob }
    }

    /// False for a key that was certainly not added.
    pub(crate) fn may_contain(&self, key: &[u8]) -> bool {
        let bytes = self.blob.as_slice();
        let blocks = bytes.len() / BLOCK_BYTES;
        if blocks == 0 {
            return true;
        }
        let hash = xxh3_64(key);
        let block = block_of(hash, blocks);
        bits_of(hash).all(|bit| {
            bytes
                .get(block * BLOCK_BYTES + bit / 8)
                .is_some_and(|byte| byte & (1 << (bit % 8)) != 0)
        })
    }
}

fn block_of(hash: u64, blocks: usize) -> usize {
    ((u128::from(hash) * blocks as u128) >> 64) as usize
}

fn bits_of(hash: u64) -> impl Iterator<Item = usize> {
    // The low bits: the block is chosen by the high ones.
    let mixed = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ hash;
    (0..PROBES).map(move |probe| (mixed >> (probe * 9)) as usize % (BLOCK_BYTES * 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A filter of the numbers below 20,000, each of which comes so many times.
    fn filter_of(expected: u64, most_bytes: usize, times: usize) -> Vec<u8> {
        let mut builder = BloomBuilder::with_room(expected, most_bytes);
        let mut waiting = WaitingKeys::default();
        for n in 0..20_000u64 {
            for _ in 0..times {
                if waiting.push(&n.to_be_bytes()) {
                    builder.add(&mut waiting);
                }
            }
        }
        builder.add(&mut waiting);
        builder.finish()
    }

    #[test]
    fn every_key_is_there_and_few_others() {
        let filter = filter_of(20_000, usize::MAX, 1);
        let bloom = Bloom::open(Blob::from_bytes(&filter));
        assert!((0..20_000u64).all(|n| bloom.may_contain(&n.to_be_bytes())));
        let wrong = (20_000..40_000u64).filter(|n| bloom.may_contain(&n.to_be_bytes()));
        assert!(wrong.count() < 800);
    }

    #[test]
    fn a_filter_shrinks_to_the_different_keys_and_stays_within_its_room() {
        for (expected, most_bytes, most_wrong) in [
            (20_000, usize::MAX, 800),
            (5_000_000, usize::MAX, 800),
            (20_000, 8 << 10, 12_000),
        ] {
            let bytes = filter_of(expected, most_bytes, 2);
            assert!(bytes.len() <= 2 * blocks_for(20_000) * BLOCK_BYTES);
            assert!(bytes.len() <= most_bytes);
            let bloom = Bloom::open(Blob::from_bytes(&bytes));
            assert!((0..20_000u64).all(|n| bloom.may_contain(&n.to_be_bytes())));
            let wrong = (20_000..40_000u64).filter(|n| bloom.may_contain(&n.to_be_bytes()));
            assert!(wrong.count() < most_wrong, "{expected} {most_bytes}");
        }
    }
}
