//! The pager's contract in memory: for staging, for tests and for databases without a file.

use crate::{Blob, CommitId, Pager, PagerStats, Pin, WriteBatch};
use llkv_result::{Result, StorageError};
use llkv_types::{CancelToken, PhysicalKey};
use parking_lot::RwLock;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A pager without a file: the same order, atomicity and snapshots as the file pager; nothing
/// survives the handle, so a batch counts as durable as soon as it is logged.
#[derive(Debug, Default)]
pub struct MemPager {
    state: Arc<RwLock<State>>,
    next_key: AtomicU64,
}

/// The versions of one key, oldest first; `None` is a free. Longer than one only while a pin may
/// look at an older one.
type Versions = Vec<(u64, Option<Blob>)>;

#[derive(Debug, Default)]
struct State {
    values: BTreeMap<PhysicalKey, Versions>,
    last_commit: u64,
    key_count: u64,
    value_bytes: u64,
    /// Live pins by the commit that they see.
    pins: BTreeMap<u64, usize>,
    /// Keys with versions that go away when pins do.
    stale: HashSet<PhysicalKey>,
}

impl MemPager {
    /// An empty pager.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn bump_next_key(&self, batch: &WriteBatch) -> Result<()> {
        if let Some(max) = batch.puts.iter().map(|(key, _)| key.0).max() {
            let next = max.checked_add(1).ok_or_else(keys_used_up)?;
            self.next_key.fetch_max(next, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The name of a pager without a file in messages.
pub(crate) fn memory_path() -> PathBuf {
    PathBuf::from(":memory:")
}

fn keys_used_up() -> StorageError {
    StorageError::TooLarge {
        path: memory_path(),
        what: "key",
        size_bytes: u64::MAX,
        limit_bytes: u64::MAX - 1,
    }
}

impl State {
    fn apply(&mut self, batch: WriteBatch) -> u64 {
        self.last_commit += 1;
        for key in batch.frees {
            self.set(key, None);
        }
        for (key, blob) in batch.puts {
            self.set(key, Some(blob.compact()));
        }
        self.last_commit
    }

    fn set(&mut self, key: PhysicalKey, value: Option<Blob>) {
        let old = self.values.get(&key).and_then(|v| newest(v, u64::MAX));
        if let Some(blob) = &old {
            self.key_count -= 1;
            self.value_bytes -= blob.len() as u64;
        } else if value.is_none() {
            return;
        }
        if let Some(blob) = &value {
            self.key_count += 1;
            self.value_bytes += blob.len() as u64;
        }
        let versions = self.values.entry(key).or_default();
        versions.push((self.last_commit, value));
        if versions.len() > 1 || old.is_some() {
            self.prune(key);
        }
    }

    /// Drops the versions of `key` that no pin and no later reader can see.
    fn prune(&mut self, key: PhysicalKey) {
        let oldest = self.pins.keys().next().copied().unwrap_or(u64::MAX);
        let Some(versions) = self.values.get_mut(&key) else {
            return;
        };
        let seen = versions.iter().rposition(|(id, _)| *id <= oldest);
        versions.drain(..seen.unwrap_or(0));
        if matches!(versions.as_slice(), [(id, None)] if *id <= oldest) {
            self.values.remove(&key);
            self.stale.remove(&key);
        } else if versions.len() > 1 || matches!(versions.first(), Some((_, None))) {
            self.stale.insert(key);
        } else {
            self.stale.remove(&key);
        }
    }

    fn keys_in(&self, range: Range<PhysicalKey>, as_of: u64) -> Vec<PhysicalKey> {
        if range.is_empty() {
            return Vec::new();
        }
        let values = self.values.range(range);
        let live = values.filter(|(_, versions)| newest(versions, as_of).is_some());
        live.map(|(key, _)| *key).collect()
    }

    fn get(&self, key: PhysicalKey, as_of: u64) -> Option<Blob> {
        newest(self.values.get(&key)?, as_of)
    }

    fn unpin(&mut self, commit: u64) {
        let was_oldest = self.pins.keys().next() == Some(&commit);
        if let Some(count) = self.pins.get_mut(&commit) {
            *count -= 1;
            if *count > 0 {
                return;
            }
            self.pins.remove(&commit);
        }
        if was_oldest {
            for key in self.stale.iter().copied().collect::<Vec<_>>() {
                self.prune(key);
            }
        }
    }
}

fn newest(versions: &Versions, as_of: u64) -> Option<Blob> {
    let (_, value) = versions.iter().rev().find(|(id, _)| *id <= as_of)?;
    value.clone()
}

impl Pager for MemPager {
    fn alloc_many(&self, count: usize) -> Result<Range<u64>> {
        let count = count as u64;
        let start = self
            .next_key
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
                next.checked_add(count)
            })
            .map_err(|_| keys_used_up())?;
        Ok(start..start + count)
    }

    fn batch_get(&self, keys: &[PhysicalKey]) -> Result<Vec<Option<Blob>>> {
        let state = self.state.read();
        Ok(keys.iter().map(|key| state.get(*key, u64::MAX)).collect())
    }

    fn keys_in(&self, range: Range<PhysicalKey>) -> Result<Vec<PhysicalKey>> {
        Ok(self.state.read().keys_in(range, u64::MAX))
    }

    fn write_early(&self, value: &[u8]) -> Result<Blob> {
        Ok(Blob::from_bytes(value))
    }

    fn log(&self, batch: WriteBatch) -> Result<CommitId> {
        self.bump_next_key(&batch)?;
        Ok(CommitId(self.state.write().apply(batch)))
    }

    fn sync(&self, _upto: CommitId) -> Result<()> {
        Ok(())
    }

    fn pin(&self) -> Box<dyn Pin> {
        let mut state = self.state.write();
        let commit = state.last_commit;
        *state.pins.entry(commit).or_insert(0) += 1;
        Box::new(MemPin {
            state: Arc::clone(&self.state),
            commit,
        })
    }

    fn checkpoint(&self) -> Result<()> {
        Ok(())
    }

    fn compact(&self, _cancel: &CancelToken) -> Result<()> {
        Ok(())
    }

    fn check(&self, _cancel: &CancelToken) -> Result<()> {
        Ok(())
    }

    fn stats(&self) -> PagerStats {
        let state = self.state.read();
        PagerStats {
            last_commit: CommitId(state.last_commit),
            durable_commit: CommitId(state.last_commit),
            file_bytes: state.value_bytes,
            free_bytes: 0,
            log_bytes: 0,
            key_count: state.key_count,
        }
    }
}

struct MemPin {
    state: Arc<RwLock<State>>,
    commit: u64,
}

impl Pin for MemPin {
    fn commit_id(&self) -> CommitId {
        CommitId(self.commit)
    }

    fn batch_get(&self, keys: &[PhysicalKey]) -> Result<Vec<Option<Blob>>> {
        let state = self.state.read();
        Ok(keys
            .iter()
            .map(|key| state.get(*key, self.commit))
            .collect())
    }

    fn keys_in(&self, range: Range<PhysicalKey>) -> Result<Vec<PhysicalKey>> {
        Ok(self.state.read().keys_in(range, self.commit))
    }
}

impl Drop for MemPin {
    fn drop(&mut self) {
        self.state.write().unpin(self.commit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: u64, value: &[u8]) -> WriteBatch {
        WriteBatch {
            puts: vec![(PhysicalKey(key), Blob::from_bytes(value))],
            frees: Vec::new(),
        }
    }

    #[test]
    fn old_versions_go_with_the_last_pin_that_sees_them() {
        let pager = MemPager::new();
        pager.commit(put(1, b"a")).unwrap();
        let early = pager.pin();
        pager.commit(put(1, b"b")).unwrap();
        let late = pager.pin();
        pager.commit(put(1, b"c")).unwrap();
        let versions = |p: &MemPager| p.state.read().values[&PhysicalKey(1)].len();
        assert_eq!(versions(&pager), 3);
        drop(early);
        assert_eq!(versions(&pager), 2);
        drop(late);
        assert_eq!(versions(&pager), 1);
        assert!(pager.state.read().stale.is_empty());
    }

    #[test]
    fn a_freed_key_leaves_nothing_behind() {
        let pager = MemPager::new();
        pager.commit(put(1, b"a")).unwrap();
        let pin = pager.pin();
        let free = WriteBatch {
            puts: Vec::new(),
            frees: vec![PhysicalKey(1)],
        };
        pager.commit(free).unwrap();
        assert!(pin.batch_get(&[PhysicalKey(1)]).unwrap()[0].is_some());
        drop(pin);
        assert!(pager.state.read().values.is_empty());
        assert_eq!(pager.stats().file_bytes, 0);
    }
}
