//! The life of a batch: staged outside the lock, one log frame within it, then readable.

use super::core::{CommitState, Core, Published};
use super::extent::Extent;
use super::frame::{self, HEADER, Kind};
use super::options::PlantedBug;
use super::record::{Put, Record};
use super::tree::Peek;
use super::value::{INLINE_MAX, Value};
use crate::{Blob, CommitId, WriteBatch};
use llkv_result::{Result, StorageError};
use parking_lot::MutexGuard;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Values of this size and more are written to the main file once, and logged by reference.
pub(crate) const LARGE: usize = 64 << 10;

/// A batch whose bulk is written and whose frame is ready but for its place.
struct Staged {
    puts: Vec<(u64, Arc<Value>)>,
    frees: Vec<u64>,
    next_key: u64,
    frame: Vec<u8>,
    kind: Kind,
    payload_checksum: u64,
    /// Extents that become reachable with the batch.
    adopted: Vec<Arc<Extent>>,
    /// The extent of a payload too long for the log.
    payload: Option<Arc<Extent>>,
}

/// Batches with more keys are applied to a copy of the tree, which costs a copy of each node touched.
const IN_PLACE: usize = 500;

/// What the tree let go of.
#[derive(Default)]
struct Gone {
    pages: Vec<Arc<Extent>>,
    values: Vec<Arc<Value>>,
}

impl Staged {
    /// Sets the keys of the batch.
    fn apply(&self, published: &mut Published, id: u64, gone: &mut Gone) -> Result<()> {
        for key in &self.frees {
            let removed = published.tree.set(*key, None, &mut gone.pages)?;
            published.key_count = published.key_count.saturating_sub(removed.is_some().into());
            gone.values.extend(removed);
        }
        for (key, value) in &self.puts {
            let value = Some(Arc::clone(value));
            let replaced = published.tree.set(*key, value, &mut gone.pages)?;
            published.key_count += u64::from(replaced.is_none());
            gone.values.extend(replaced);
        }
        published.commit = id;
        Ok(())
    }

    /// The batch failed: its extents belong to nobody again.
    fn abandon(&self) {
        self.adopted.iter().for_each(|extent| extent.disown());
    }
}

impl Core {
    /// Gives the batch its place and makes it readable; also tells whether the log, filling up,
    /// wants a checkpoint.
    pub(crate) fn log(&self, batch: WriteBatch) -> Result<(CommitId, bool)> {
        self.check_writable()?;
        let mut staged = self.stage(batch)?;
        let placed = self
            .load_paths(&staged)
            .and_then(|()| self.place(&mut staged));
        match placed {
            Ok((id, filling)) => Ok((CommitId(id), filling)),
            Err(error) => {
                staged.abandon();
                Err(error)
            }
        }
    }

    /// Writes what is written early, and encodes the frame.
    fn stage(&self, batch: WriteBatch) -> Result<Staged> {
        let mut staged = Staged {
            puts: Vec::with_capacity(batch.puts.len()),
            frees: batch.frees.iter().map(|key| key.0).collect(),
            next_key: 0,
            frame: Vec::new(),
            kind: Kind::Inline,
            payload_checksum: 0,
            adopted: Vec::new(),
            payload: None,
        };
        let result = self.stage_values(batch, &mut staged);
        if let Err(error) = result.and_then(|()| self.stage_frame(&mut staged)) {
            staged.abandon();
            return Err(error);
        }
        Ok(staged)
    }

    fn stage_values(&self, batch: WriteBatch, staged: &mut Staged) -> Result<()> {
        for (key, blob) in batch.puts {
            let next = key.0.checked_add(1).ok_or_else(|| self.keys_used_up())?;
            staged.next_key = staged.next_key.max(next);
            let value = match self.extent_of(&blob)? {
                Some(extent) => {
                    staged.adopted.push(Arc::clone(&extent));
                    Value::stored(extent)
                }
                None if blob.origin().is_some() => Value::memory(Blob::from_bytes(blob.as_slice())),
                None => Value::memory(blob.compact()),
            };
            staged.puts.push((key.0, value));
        }
        self.next_key.fetch_max(staged.next_key, Ordering::Relaxed);
        // A frame must not name bytes that a power cut could take away under it.
        self.sync_extents(staged.adopted.iter().map(|e| e.written).max())
    }

    pub(crate) fn keys_used_up(&self) -> StorageError {
        StorageError::TooLarge {
            path: self.path.clone(),
            what: "key",
            size_bytes: u64::MAX,
            limit_bytes: u64::MAX - 1,
        }
    }

    /// The extent, now adopted, that a value is stored by: its own when it was written early, a new
    /// one when it is large.
    fn extent_of(&self, blob: &Blob) -> Result<Option<Arc<Extent>>> {
        let own = blob
            .origin()
            .and_then(|o| Arc::clone(o).downcast::<Extent>().ok());
        if let Some(extent) = own.filter(|e| e.is_in(&self.store.space) && e.adopt()) {
            return Ok(Some(extent));
        }
        if blob.len() < LARGE {
            return Ok(None);
        }
        let extent = self.store.write(blob.as_slice())?;
        extent.adopt();
        Ok(Some(extent))
    }

    fn sync_extents(&self, written: Option<u64>) -> Result<()> {
        let Some(written) = written.filter(|_| !self.has_bug(PlantedBug::NoDataSync)) else {
            return Ok(());
        };
        self.store
            .sync_written(written)
            .inspect_err(|_| self.poison())
    }

    fn stage_frame(&self, staged: &mut Staged) -> Result<()> {
        let slots: Vec<_> = staged
            .puts
            .iter()
            .map(|(key, v)| (*key, v.slot()))
            .collect();
        let record = Record {
            next_key: staged.next_key,
            frees: std::mem::take(&mut staged.frees),
            puts: slots
                .iter()
                .map(|(key, slot)| match slot {
                    super::value::Slot::Memory(blob) => (*key, Put::Bytes(blob.as_slice())),
                    super::value::Slot::Stored(extent) => (*key, Put::Extent(extent.at)),
                })
                .collect(),
        };
        staged.frame = frame::start(|out| record.encode(out));
        staged.frees = record.frees;
        let payload = staged.frame.get(HEADER..).unwrap_or_default();
        if payload.len() as u64 > self.options.segment_bytes() / 4 {
            let extent = self.store.write(payload)?;
            extent.adopt();
            staged.adopted.push(Arc::clone(&extent));
            self.sync_extents(Some(extent.written))?;
            staged.frame = frame::start(|out| extent.at.encode(out));
            staged.kind = Kind::Extent;
            staged.payload = Some(extent);
        }
        staged.payload_checksum = frame::payload_checksum(&staged.frame);
        Ok(())
    }

    /// Brings the manifest nodes that the batch changes into memory. Later trees keep them there:
    /// on the way to a key they have the same cells, or new ones that are in memory anyway.
    fn load_paths(&self, staged: &Staged) -> Result<()> {
        let tree = self.published.read().tree.clone();
        let keys = staged.puts.iter().map(|(key, _)| key).chain(&staged.frees);
        for key in keys {
            if matches!(tree.peek(*key), Peek::NotLoaded) {
                tree.get(*key, &*self.store)?;
            }
        }
        Ok(())
    }

    /// Writes the frame and publishes the batch; also tells whether the log wants a checkpoint.
    fn place(&self, staged: &mut Staged) -> Result<(u64, bool)> {
        let len = frame::stored_len(staged.frame.len() - HEADER);
        let mut commit = self.commit_with_room(len)?;
        self.check_poisoned()?;
        let id = commit.last + 1;
        let mut frame = std::mem::take(&mut staged.frame);
        let appended = commit
            .log
            .append(&mut frame, staged.kind, id, staged.payload_checksum);
        if let Err(error) = appended {
            // Part of the frame, or all of it, may be there; the caller is told that nothing is.
            return match commit.log.wipe() {
                Ok(()) => Err(error),
                Err(_) => {
                    drop(commit);
                    self.poison();
                    Err(self.poisoned_error())
                }
            };
        }
        commit.last = id;
        let published = self.publish(staged, &mut commit, id);
        let filling = commit.log.live_bytes() > commit.log.segment_bytes() / 4 * 3;
        drop(commit);
        // The frame is written: if the tree cannot follow, memory and log have parted.
        published.inspect_err(|_| self.poison())?;
        Ok((id, filling))
    }

    /// The commit lock, with room in the log for a frame of `len` bytes.
    fn commit_with_room(&self, len: u64) -> Result<MutexGuard<'_, CommitState>> {
        for _ in 0..4 {
            let mut commit = self.commit.lock();
            if commit.log.make_room(len) {
                return Ok(commit);
            }
            drop(commit);
            self.checkpoint_for_room(len)?;
        }
        Err(StorageError::DiskFull {
            path: self.path.clone(),
            needed_bytes: len,
        }
        .into())
    }

    fn publish(&self, staged: &Staged, commit: &mut CommitState, id: u64) -> Result<()> {
        let bug = self.has_bug(PlantedBug::EarlyReuse);
        let store = &*self.store;
        for extent in &staged.adopted {
            store.space.adopt(extent.at.offset, commit.epoch);
        }
        let mut gone = Gone::default();
        if staged.puts.len() + staged.frees.len() <= IN_PLACE {
            staged.apply(&mut self.published.write(), id, &mut gone)?;
        } else {
            // Readers go on with the former tree while the next one is made.
            let mut next = self.published.read().clone();
            staged.apply(&mut next, id, &mut gone)?;
            *self.published.write() = next;
        }
        for page in gone.pages {
            commit.retire(page, store, bug);
        }
        for value in gone.values {
            commit.retire_value(&value, store, bug);
        }
        if let Some(payload) = &staged.payload {
            // Replay may need it until a root covers the batch.
            commit.retire(Arc::clone(payload), store, false);
        }
        Ok(())
    }

    /// [`crate::Pager::write_early`].
    pub(crate) fn write_early(&self, value: &[u8]) -> Result<Blob> {
        self.check_writable()?;
        if value.len() <= INLINE_MAX {
            return Ok(Blob::from_bytes(value));
        }
        self.store.write_blob(value)
    }
}
