//! A filter that tells most keys that a run does not have.

use llkv_storage::Blob;
use xxhash_rust::xxh3::xxh3_64;

/// Bits of a block: a cache line.
const BLOCK_BYTES: usize = 64;
/// Bits set for a key, all in one block.
const PROBES: u32 = 6;
/// Bits for each key: about one key in a hundred that is absent seems present.
const BITS_PER_KEY: usize = 10;

/// Hashes of keys that become a filter.
#[derive(Debug, Default)]
pub(crate) struct BloomBuilder {
    hashes: Vec<u64>,
}

impl BloomBuilder {
    pub(crate) fn push(&mut self, key: &[u8]) {
        let hash = xxh3_64(key);
        if self.hashes.last() != Some(&hash) {
            self.hashes.push(hash);
        }
    }

    /// Blocks of 64 bytes; a key sets six bits of the one that its hash names.
    pub(crate) fn finish(self) -> Vec<u8> {
        let blocks = (self.hashes.len() * BITS_PER_KEY)
            .div_ceil(BLOCK_BYTES * 8)
            .max(1);
        let mut bytes = vec![0u8; blocks * BLOCK_BYTES];
        for hash in self.hashes {
            let block = block_of(hash, blocks);
            for bit in bits_of(hash) {
                if let Some(byte) = bytes.get_mut(block * BLOCK_BYTES + bit / 8) {
                    *byte |= 1 << (bit % 8);
                }
            }
        }
        bytes
    }
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

    #[test]
    fn every_key_is_there_and_few_others() {
        let mut builder = BloomBuilder::default();
        for n in 0..20_000u64 {
            builder.push(&n.to_be_bytes());
        }
        let bloom = Bloom::open(Blob::from_bytes(&builder.finish()));
        assert!((0..20_000u64).all(|n| bloom.may_contain(&n.to_be_bytes())));
        let wrong = (20_000..40_000u64).filter(|n| bloom.may_contain(&n.to_be_bytes()));
        assert!(wrong.count() < 800);
    }
}
