//! A pager that counts what is asked of another one.

use crate::{Blob, BoxedPager, CommitId, Pager, PagerStats, Pin, WriteBatch};
use llkv_result::Result;
use llkv_types::{CancelToken, PhysicalKey};
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Wraps a pager and counts calls, keys and bytes, for statistics, tests and benches.
pub struct InstrumentedPager {
    inner: BoxedPager,
    counters: Arc<Counters>,
}

/// Counts since the pager was wrapped or [`InstrumentedPager::reset`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PagerCounts {
    /// Calls of `batch_get`, of the pager and of its pins.
    pub get_calls: u64,
    /// Keys asked for.
    pub gets: u64,
    /// Keys among them that held a value.
    pub hits: u64,
    /// Bytes of those values.
    pub bytes_read: u64,
    /// Batches logged.
    pub batches: u64,
    /// Values put by them.
    pub puts: u64,
    /// Keys freed by them.
    pub frees: u64,
    /// Bytes of the values put.
    pub bytes_put: u64,
    /// Values written early.
    pub early_writes: u64,
    /// Bytes written early.
    pub early_bytes: u64,
    /// Calls of `sync`; those that commits make are among them.
    pub syncs: u64,
    /// Calls of `checkpoint`.
    pub checkpoints: u64,
    /// Pins taken.
    pub pins: u64,
    /// Keys handed out.
    pub keys_allocated: u64,
}

#[derive(Default)]
struct Counters {
    get_calls: AtomicU64,
    gets: AtomicU64,
    hits: AtomicU64,
    bytes_read: AtomicU64,
    batches: AtomicU64,
    puts: AtomicU64,
    frees: AtomicU64,
    bytes_put: AtomicU64,
    early_writes: AtomicU64,
    early_bytes: AtomicU64,
    syncs: AtomicU64,
    checkpoints: AtomicU64,
    pins: AtomicU64,
    keys_allocated: AtomicU64,
}

fn add(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

impl Counters {
    fn count_reads(&self, keys: &[PhysicalKey], found: &[Option<Blob>]) {
        add(&self.get_calls, 1);
        add(&self.gets, keys.len());
        add(&self.hits, found.iter().flatten().count());
        add(
            &self.bytes_read,
            found.iter().flatten().map(Blob::len).sum(),
        );
    }

    fn each(&self, mut visit: impl FnMut(&AtomicU64) -> u64) -> PagerCounts {
        PagerCounts {
            get_calls: visit(&self.get_calls),
            gets: visit(&self.gets),
            hits: visit(&self.hits),
            bytes_read: visit(&self.bytes_read),
            batches: visit(&self.batches),
            puts: visit(&self.puts),
            frees: visit(&self.frees),
            bytes_put: visit(&self.bytes_put),
            early_writes: visit(&self.early_writes),
            early_bytes: visit(&self.early_bytes),
            syncs: visit(&self.syncs),
            checkpoints: visit(&self.checkpoints),
            pins: visit(&self.pins),
            keys_allocated: visit(&self.keys_allocated),
        }
    }
}

impl InstrumentedPager {
    /// Counts what goes to `inner` through this handle.
    #[must_use]
    pub fn new(inner: BoxedPager) -> Self {
        Self {
            inner,
            counters: Arc::default(),
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> PagerCounts {
        self.counters
            .each(|counter| counter.load(Ordering::Relaxed))
    }

    /// Sets all counts to zero and returns what they were.
    pub fn reset(&self) -> PagerCounts {
        self.counters
            .each(|counter| counter.swap(0, Ordering::Relaxed))
    }
}

impl fmt::Debug for InstrumentedPager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InstrumentedPager")
            .field(&self.counts())
            .finish()
    }
}

impl Pager for InstrumentedPager {
    fn alloc_many(&self, count: usize) -> Result<Range<u64>> {
        let keys = self.inner.alloc_many(count)?;
        add(&self.counters.keys_allocated, count);
        Ok(keys)
    }

    fn batch_get(&self, keys: &[PhysicalKey]) -> Result<Vec<Option<Blob>>> {
        let found = self.inner.batch_get(keys)?;
        self.counters.count_reads(keys, &found);
        Ok(found)
    }

    fn keys_in(&self, range: Range<PhysicalKey>) -> Result<Vec<PhysicalKey>> {
        self.inner.keys_in(range)
    }

    fn write_early(&self, value: &[u8]) -> Result<Blob> {
        let blob = self.inner.write_early(value)?;
        add(&self.counters.early_writes, 1);
        add(&self.counters.early_bytes, value.len());
        Ok(blob)
    }

    fn log(&self, batch: WriteBatch) -> Result<CommitId> {
        let (puts, frees) = (batch.puts.len(), batch.frees.len());
        let bytes = batch.puts.iter().map(|(_, blob)| blob.len()).sum();
        let id = self.inner.log(batch)?;
        add(&self.counters.batches, 1);
        add(&self.counters.puts, puts);
        add(&self.counters.frees, frees);
        add(&self.counters.bytes_put, bytes);
        Ok(id)
    }

    fn sync(&self, upto: CommitId) -> Result<()> {
        add(&self.counters.syncs, 1);
        self.inner.sync(upto)
    }

    fn pin(&self) -> Box<dyn Pin> {
        add(&self.counters.pins, 1);
        Box::new(InstrumentedPin {
            inner: self.inner.pin(),
            counters: Arc::clone(&self.counters),
        })
    }

    fn checkpoint(&self) -> Result<()> {
        add(&self.counters.checkpoints, 1);
        self.inner.checkpoint()
    }

    fn compact(&self, cancel: &CancelToken) -> Result<()> {
        self.inner.compact(cancel)
    }

    fn check(&self, cancel: &CancelToken) -> Result<()> {
        self.inner.check(cancel)
    }

    fn stats(&self) -> PagerStats {
        self.inner.stats()
    }

    fn path(&self) -> Option<&Path> {
        self.inner.path()
    }
}

struct InstrumentedPin {
    inner: Box<dyn Pin>,
    counters: Arc<Counters>,
}

impl Pin for InstrumentedPin {
    fn commit_id(&self) -> CommitId {
        self.inner.commit_id()
    }

    fn batch_get(&self, keys: &[PhysicalKey]) -> Result<Vec<Option<Blob>>> {
        let found = self.inner.batch_get(keys)?;
        self.counters.count_reads(keys, &found);
        Ok(found)
    }

    fn keys_in(&self, range: Range<PhysicalKey>) -> Result<Vec<PhysicalKey>> {
        self.inner.keys_in(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemPager;

    #[test]
    fn calls_keys_and_bytes_are_counted() {
        let pager = InstrumentedPager::new(Arc::new(MemPager::new()));
        let batch = WriteBatch {
            puts: vec![(PhysicalKey(1), Blob::from_bytes(b"abc"))],
            frees: vec![PhysicalKey(9)],
        };
        pager.commit(batch).unwrap();
        pager.batch_get(&[PhysicalKey(1), PhysicalKey(2)]).unwrap();
        pager.pin().batch_get(&[PhysicalKey(1)]).unwrap();
        let counts = pager.reset();
        assert_eq!((counts.get_calls, counts.gets, counts.hits), (2, 3, 2));
        assert_eq!((counts.batches, counts.puts, counts.frees), (1, 1, 1));
        assert_eq!(
            (counts.bytes_put, counts.bytes_read, counts.syncs),
            (3, 6, 1)
        );
        assert_eq!(pager.counts(), PagerCounts::default());
    }
}
