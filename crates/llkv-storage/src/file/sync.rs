//! Group commit: of those who wait for durability, one syncs the log for all.

use super::core::Core;
use super::options::PlantedBug;
use llkv_result::Result;
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How far batches are durable, and who waits for it.
pub(crate) struct Durability {
    state: Mutex<SyncState>,
    /// Those who wait for the end of a sync with an even number, and of one with an odd number. The standard library's: it
    /// wakes all at once, where others let those who are woken wake each other, one after the other.
    done: [Condvar; 2],
}

struct SyncState {
    durable: u64,
    /// Syncs that have begun.
    begun: u64,
    is_syncing: bool,
}

impl Durability {
    pub(crate) fn new(durable: u64) -> Self {
        Self {
            state: Mutex::new(SyncState {
                durable,
                begun: 0,
                is_syncing: false,
            }),
            done: [Condvar::new(), Condvar::new()],
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
        // One that runs may have begun too early.
        let number = sync.begun + 1;
        let mut has_waited = false;
        loop {
            if sync.durable >= upto {
                let is_early = has_waited && sync.begun < number;
                drop(sync);
                if is_early {
                    // Another one of those who wait for that sync has to lead it.
                    self.durability.done(number).notify_one();
                }
                return Ok(());
            }
            self.check_poisoned()?;
            if !sync.is_syncing {
                break;
            }
            let done = self.durability.done(number);
            sync = done.wait(sync).unwrap_or_else(PoisonError::into_inner);
            has_waited = true;
        }
        sync.is_syncing = true;
        sync.begun += 1;
        let number = sync.begun;
        drop(sync);
        let synced = self.sync_log();
        if synced.is_err() {
            self.poisoned.store(true, Ordering::Release);
        }
        let mut sync = self.durability.lock();
        sync.is_syncing = false;
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
