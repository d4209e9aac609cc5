//! Group commit: of those who wait for durability, one syncs the log for all.

use super::core::Core;
use super::options::PlantedBug;
use llkv_result::Result;
use std::sync::atomic::Ordering;

impl Core {
    /// Returns when every batch up to `upto` is durable.
    pub(crate) fn sync(&self, upto: u64) -> Result<()> {
        let mut sync = self.sync.lock();
        loop {
            if sync.durable >= upto {
                return Ok(());
            }
            self.check_poisoned()?;
            if !sync.has_leader {
                break;
            }
            self.sync_done.wait(&mut sync);
        }
        sync.has_leader = true;
        drop(sync);
        let synced = self.sync_log();
        if synced.is_err() {
            self.poisoned.store(true, Ordering::Release);
        }
        let mut sync = self.sync.lock();
        sync.has_leader = false;
        if let Ok(durable) = &synced {
            sync.durable = sync.durable.max(*durable);
        }
        let done = sync.durable >= upto;
        drop(sync);
        self.sync_done.notify_all();
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
        let mut sync = self.sync.lock();
        sync.durable = sync.durable.max(commit);
        drop(sync);
        self.sync_done.notify_all();
    }
}
