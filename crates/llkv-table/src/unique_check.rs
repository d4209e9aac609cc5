//! Rows that exist when a unique index is created, or that a large statement brought: no two of them may have one key.

use crate::{ScanRequest, TableHandle, UniqueKey};
use hashbrown::HashSet;
use llkv_result::{ExecError, Result};
use llkv_transaction::KeyBytes;
use llkv_types::{CancelToken, MemoryBudget};
use rayon::slice::ParallelSliceMut;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Hashes of so many rows are sorted by several threads.
const PARALLEL_ROWS: usize = 1 << 17;
/// Memory for hashes that is taken whatever the limit says.
const LEAST_BYTES: u64 = 1 << 20;
/// Keys of so many hashes are looked at together.
const LOOKED_AT_ONCE: usize = 1 << 16;
/// Who asks for memory.
const OPERATOR: &str = "comparing keys";

/// The hashes that begin with some bits.
#[derive(Debug, Clone, Copy)]
struct Part {
    bits: u32,
    prefix: u64,
}

/// What a scan tells of the keys of all rows.
#[derive(Debug, Default)]
struct Keys {
    /// Rows that have one.
    rows: u64,
    highest: Option<KeyBytes>,
}

impl UniqueKey {
    /// Checks the rows of a table and takes note of the highest key. Eight bytes of memory are used for each row, or what
    /// there is: the rows are then read several times.
    ///
    /// # Errors
    /// When two rows have one key, the rows cannot be read, or it was cancelled.
    pub fn check_rows(
        &self,
        table: &str,
        handle: &TableHandle,
        memory: &Arc<MemoryBudget>,
        cancel: &CancelToken,
    ) -> Result<()> {
        let keys = self.compare_rows(table, handle, memory, cancel)?;
        self.raise_highest(keys.highest);
        Ok(())
    }

    /// [`Self::check_rows`] for rows that nobody else sees; gives back how many have a key.
    pub(crate) fn check_own_rows(
        &self,
        table: &str,
        handle: &TableHandle,
        memory: &Arc<MemoryBudget>,
        cancel: &CancelToken,
    ) -> Result<u64> {
        Ok(self.compare_rows(table, handle, memory, cancel)?.rows)
    }

    fn compare_rows(
        &self,
        table: &str,
        handle: &TableHandle,
        memory: &Arc<MemoryBudget>,
        cancel: &CancelToken,
    ) -> Result<Keys> {
        let request = ScanRequest::new(self.meta().fields.clone());
        let rows = handle.scan_stream(&request)?.estimated_rows();
        let wanted_bytes = rows.saturating_mul(size_of::<u64>() as u64);
        let memory = memory.reserve_most(OPERATOR, wanted_bytes, LEAST_BYTES);
        let most = memory.bytes() as usize / size_of::<u64>();
        let mut parts = Part::cut(rows.div_ceil(most as u64));
        let mut keys = Keys::default();
        let mut hashes: Vec<u64> = Vec::with_capacity(most.min(rows as usize));
        while let Some(part) = parts.pop() {
            hashes.clear();
            keys = Keys::default();
            let mut has_room = true;
            handle.scan_stream(&request)?.for_each_batch(|batch| {
                cancel.check()?;
                let of_batch = self.encode(batch.columns())?;
                for (_, key) in of_batch.iter() {
                    keys.rows += 1;
                    let hash = xxh3_64(key);
                    if part.contains(hash) {
                        has_room &= hashes.len() < most;
                        if has_room {
                            hashes.push(hash);
                        }
                    }
                }
                let greatest = of_batch.bounds().map(|(_, greatest)| greatest);
                if greatest > keys.highest.as_deref() {
                    keys.highest = greatest.map(KeyBytes::from);
                }
                Ok(())
            })?;
            self.check_hashes(table, handle, &mut hashes)?;
            if !has_room {
                let halves = part.halves().ok_or(ExecError::MemoryLimit {
                    operator: OPERATOR,
                    needed_bytes: wanted_bytes,
                    limit_bytes: memory.limit_bytes(),
                })?;
                parts.extend(halves);
            }
        }
        Ok(keys)
    }

    /// Looks at the keys of hashes that occur more than once.
    fn check_hashes(&self, table: &str, handle: &TableHandle, hashes: &mut [u64]) -> Result<()> {
        match hashes.len() >= PARALLEL_ROWS {
            true => hashes.par_sort_unstable(),
            false => hashes.sort_unstable(),
        }
        let mut twice = hashes
            .chunk_by(|a, b| a == b)
            .filter(|same| same.len() > 1)
            .filter_map(|same| same.first().copied())
            .peekable();
        while twice.peek().is_some() {
            let some = twice.by_ref().take(LOOKED_AT_ONCE).collect();
            self.look_twice(table, handle, &some)?;
        }
        Ok(())
    }

    /// Looks at the keys of some hashes: different keys may have one.
    fn look_twice(
        &self,
        table: &str,
        handle: &TableHandle,
        hashes: &HashSet<u64, foldhash::fast::FixedState>,
    ) -> Result<()> {
        let request = ScanRequest::new(self.meta().fields.clone());
        let mut seen: HashSet<KeyBytes> = HashSet::new();
        handle.scan_stream(&request)?.for_each_batch(|batch| {
            for (row, key) in self.encode(batch.columns())?.iter() {
                if hashes.contains(&xxh3_64(key)) && !seen.insert(key.into()) {
                    return Err(self.duplicate(table, batch.columns(), row));
                }
            }
            Ok(())
        })
    }
}

impl Part {
    /// All hashes, in at least so many parts.
    fn cut(parts: u64) -> Vec<Self> {
        let parts = parts.max(1).next_power_of_two();
        let bits = parts.trailing_zeros();
        (0..parts).map(|prefix| Self { bits, prefix }).collect()
    }

    fn contains(self, hash: u64) -> bool {
        hash.checked_shr(u64::BITS - self.bits).unwrap_or(0) == self.prefix
    }

    /// `None` for a single hash.
    fn halves(self) -> Option<[Self; 2]> {
        let bits = self.bits + 1;
        (bits <= u64::BITS).then(|| {
            [0, 1].map(|last| Self {
                bits,
                prefix: self.prefix << 1 | last,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hash_is_in_one_part() {
        for wanted in [0, 1, 2, 3, 9] {
            let mut parts = Part::cut(wanted);
            assert!(parts.len() as u64 >= wanted);
            let last = parts.pop().unwrap();
            parts.extend(last.halves().unwrap());
            for hash in [0, 1, u64::MAX, u64::MAX / 3, 1 << 63, 1 << 62] {
                let holding = parts.iter().filter(|part| part.contains(hash));
                assert_eq!(holding.count(), 1, "{wanted} {hash}");
            }
        }
        let single = Part {
            bits: 64,
            prefix: 7,
        };
        assert!(single.contains(7) && !single.contains(8) && single.halves().is_none());
    }
}
