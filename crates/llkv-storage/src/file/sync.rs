//! Group commit: of those who wait for durability, one syncs the log for all. Before that it waits a little for those who were there at
//! the sync before: two threads that commit one after the other would lead each other's syncs, and each wait for two.

use super::core::Core;
use super::options::PlantedBug;
use llkv_result::Result;
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The part of a sync's time that one who leads the next waits for others.
const PATIENCE: u32 = 2;

/// How far batches are durable, and who waits for it.
pub(crate) struct Durability {
    state: Mutex<SyncState>,
    /// Those who wait for the end of a sync with an even number, and of one with an odd number. The standard library's: it
    /// wakes all at once, where others let those who are woken wake each other, one after the other.
    done: [Condvar; 2],
    /// Where one who leads waits for the others.
    gathered: Condvar,
}

struct SyncState {
    durable: u64,
    /// Syncs that have begun.
    begun: u64,
    is_syncing: bool,
    /// Threads that wait for durability, the one that leads among them.
    waiting: usize,
    /// How many there were at the last sync's end: so many are expected at the next.
    crowd: usize,
    /// How long the last sync took.
    last_sync: Duration,
}

impl Durability {
    pub(crate) fn new(durable: u64) -> Self {
        Self {
            state: Mutex::new(SyncState {
                durable,
                begun: 0,
                is_syncing: false,
                waiting: 0,
                crowd: 1,
                last_sync: Duration::ZERO,
            }),
            done: [Condvar::new(), Condvar::new()],
            gathered: Condvar::new(),
        }
    }

    pub(crate) fn durable(&self) -> u64 {
        self.lock().durable
    }

    fn lock(&self) -> MutexGuard<'_, SyncState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self, sync: u64) -> &Condvar {
        let [even, odd] = &self.done;
        if sync.is_multiple_of(2) { even } else { odd }
    }

    /// Waits until as many are there as were at the last sync, or for a part of the time that it took.
    fn gather<'a>(&'a self, mut sync: MutexGuard<'a, SyncState>) -> MutexGuard<'a, SyncState> {
        if sync.waiting >= sync.crowd {
            return sync;
        }
        let until = Instant::now() + sync.last_sync / PATIENCE;
        while sync.waiting < sync.crowd {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let gathered = self.gathered.wait_timeout(sync, left);
            sync = gathered.unwrap_or_else(PoisonError::into_inner).0;
        }
        sync
    }

    /// After a change that was made without the lock, too: nobody is between looking and waiting.
    pub(crate) fn wake_all(&self) {
        drop(self.lock());
        self.done.iter().for_each(Condvar::notify_all);
    }
}

impl Core {
    /// Returns when every batch up to `upto` is durable.
    pub(crate) fn sync(&self, upto: u64) -> Result<()> {
        let mut sync = self.durability.lock();
        sync.waiting += 1;
        if sync.is_syncing && sync.waiting == sync.crowd {
            self.durability.gathered.notify_one();
        }
        // One that runs may have begun too early.
        let number = sync.begun + 1;
        let mut has_waited = false;
        loop {
            if sync.durable >= upto {
                sync.waiting -= 1;
                let is_early = has_waited && sync.begun < number;
                drop(sync);
                if is_early {
                    // Another one of those who wait for that sync has to lead it.
                    self.durability.done(number).notify_one();
                }
                return Ok(());
            }
            if let Err(error) = self.check_poisoned() {
                sync.waiting -= 1;
                return Err(error);
            }
            if !sync.is_syncing {
                break;
            }
            let done = self.durability.done(number);
            sync = done.wait(sync).unwrap_or_else(PoisonError::into_inner);
            has_waited = true;
        }
        sync.is_syncing = true;
        sync = self.durability.gather(sync);
        sync.begun += 1;
        let number = sync.begun;
        drop(sync);
        let began = Instant::now();
        let synced = self.sync_log();
        if synced.is_err() {
            self.poisoned.store(true, Ordering::Release);
        }
        let mut sync = self.durability.lock();
        sync.is_syncing = false;
        sync.last_sync = began.elapsed();
        sync.crowd = sync.waiting;
        sync.waiting -= 1;
        if let Ok(durable) = &synced {
            sync.durable = sync.durable.max(*durable);
        }
        let done = sync.durable >= upto;
        drop(sync);
        match &synced {
            Ok(_) => {
                // The next leader first.
                self.durability.done(number + 1).notify_one();
                self.durability.done(number).notify_all();
            }
            Err(_) => self.durability.wake_all(),
        }
        synced?;
        // A place that no batch has yet: nothing to wait for.
        debug_assert!(done || upto > self.published.read().commit);
        Ok(())
    }

    /// Syncs the log once; tells up to which batch it was complete before.
    fn sync_log(&self) -> Result<u64> {
        let (last, file) = {
            let commit = self.commit.lock();
            (commit.last, commit.log.file().cloned())
        };
        if let Some(file) = file.filter(|_| !self.has_bug(PlantedBug::NoLogSync)) {
            file.sync_data()?;
        }
        Ok(last)
    }

    /// A durable root covers everything up to `commit`.
    pub(crate) fn mark_durable(&self, commit: u64) {
        let mut sync = self.durability.lock();
        sync.durable = sync.durable.max(commit);
        drop(sync);
        self.durability.wake_all();
    }
}
