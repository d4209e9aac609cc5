//! Rows that exist when a unique index is created: no two of them may have one key.

use crate::{ScanRequest, TableHandle, UniqueKey};
use hashbrown::HashSet;
use llkv_result::Result;
use llkv_transaction::KeyBytes;
use xxhash_rust::xxh3::xxh3_64;

impl UniqueKey {
    /// Checks the rows of a table, eight bytes of memory for each, and takes note of the highest key.
    ///
    /// # Errors
    /// When two rows have one key, or the rows cannot be read.
    pub fn check_rows(&self, table: &str, handle: &TableHandle) -> Result<()> {
        let request = ScanRequest::new(self.meta().fields.clone());
        let mut hashes: Vec<u64> = Vec::new();
        let mut highest: Option<KeyBytes> = None;
        handle.scan_stream(&request)?.for_each_batch(|batch| {
            let keys = self.encode(batch.columns())?;
            hashes.extend(keys.iter().map(|(_, key)| xxh3_64(key)));
            let of_batch = keys.iter().map(|(_, key)| key).max();
            if of_batch > highest.as_deref() {
                highest = of_batch.map(KeyBytes::from);
            }
            Ok(())
        })?;
        hashes.sort_unstable();
        let twice: HashSet<u64, foldhash::fast::FixedState> = hashes
            .chunk_by(|a, b| a == b)
            .filter(|same| same.len() > 1)
            .filter_map(|same| same.first().copied())
            .collect();
        if !twice.is_empty() {
            self.look_twice(table, handle, &twice)?;
        }
        self.raise_highest(highest);
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
