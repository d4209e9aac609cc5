//! Rows that exist when a unique index is created: no two of them may have one key.

use crate::{ScanRequest, TableHandle, UniqueKey};
use hashbrown::HashSet;
use llkv_result::Result;
use llkv_transaction::KeyBytes;
use rayon::slice::ParallelSliceMut;
use xxhash_rust::xxh3::xxh3_64;

/// Hashes of so many rows are sorted by several threads.
const PARALLEL_ROWS: usize = 1 << 17;

impl UniqueKey {
    /// Checks the rows of a table, eight bytes of memory for each, and takes note of the highest key.
    ///
    /// # Errors
    /// When two rows have one key, or the rows cannot be read.
    pub fn check_rows(&self, table: &str, handle: &TableHandle) -> Result<()> {
        let (_, highest) = self.compare_rows(table, handle)?;
        self.raise_highest(highest);
        Ok(())
    }

    /// [`Self::check_rows`] for rows that nobody else sees; gives back how many have a key.
    pub(crate) fn check_own_rows(&self, table: &str, handle: &TableHandle) -> Result<u64> {
        Ok(self.compare_rows(table, handle)?.0)
    }

    /// Rows with a key, and the highest key.
    fn compare_rows(&self, table: &str, handle: &TableHandle) -> Result<(u64, Option<KeyBytes>)> {
        let request = ScanRequest::new(self.meta().fields.clone());
        let mut hashes: Vec<u64> = Vec::new();
        let mut highest: Option<KeyBytes> = None;
        handle.scan_stream(&request)?.for_each_batch(|batch| {
            let keys = self.encode(batch.columns())?;
            hashes.extend(keys.iter().map(|(_, key)| xxh3_64(key)));
            let of_batch = keys.bounds().map(|(_, greatest)| greatest);
            if of_batch > highest.as_deref() {
                highest = of_batch.map(KeyBytes::from);
            }
            Ok(())
        })?;
        match hashes.len() >= PARALLEL_ROWS {
            true => hashes.par_sort_unstable(),
            false => hashes.sort_unstable(),
        }
        let twice: HashSet<u64, foldhash::fast::FixedState> = hashes
            .chunk_by(|a, b| a == b)
            .filter(|same| same.len() > 1)
            .filter_map(|same| same.first().copied())
            .collect();
        if !twice.is_empty() {
            self.look_twice(table, handle, &twice)?;
        }
        Ok((hashes.len() as u64, highest))
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
