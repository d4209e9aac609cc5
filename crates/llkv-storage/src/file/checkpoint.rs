//! Checkpoints: the tree's dirty pages to new extents, then one root after the other.
//!
//! Order is everything here. Extents first, one sync; then the slot that does not hold the newest
//! durable root, one sync; then the other slot, one sync: from there on each slot alone leads to the
//! whole state, so one damaged slot loses nothing. Only then are old extents and log segments reused.

use super::core::{CheckpointState, Core};
use super::extent::{Extent, ExtentRef};
use super::log::Position;
use super::options::PlantedBug;
use super::page::{self, Entry};
use super::root::{Root, SLOTS};
use super::tree::{Cell, Node, Peek, Tree, first_key};
use super::value::{INLINE_MAX, Slot, Value};
use crate::Blob;
use llkv_result::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What happens to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogAfter {
    /// Batches go on being logged meanwhile.
    GoesOn,
    /// Nobody logs, and afterwards the log starts over under a fresh salt: at open and at close.
    StartsOver,
}

/// The state that a checkpoint makes durable.
struct Capture {
    tree: Tree,
    key_count: u64,
    commit: u64,
    epoch: u64,
    position: Position,
}

/// What a checkpoint wrote, to be compared with the tree that has moved on meanwhile.
#[derive(Default)]
struct Written {
    pages: Vec<(u8, u64, Arc<Cell>)>,
    values: Vec<(u64, Arc<Value>)>,
}

impl Core {
    /// Folds everything logged so far into the manifest.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        self.check_writable()?;
        let mut state = self.checkpoint.lock();
        let unchanged = self.commit.lock().last == state.root.commit && state.mirrored;
        if unchanged {
            return Ok(());
        }
        self.run_checkpoint(&mut state, LogAfter::GoesOn)
    }

    /// A checkpoint, unless another one has made room in the log since it was asked for.
    pub(crate) fn checkpoint_for_room(&self, len: u64) -> Result<()> {
        self.check_writable()?;
        let mut state = self.checkpoint.lock();
        if self.commit.lock().log.make_room(len) {
            return Ok(());
        }
        self.run_checkpoint(&mut state, LogAfter::GoesOn)
    }

    /// One whole checkpoint. After an error that is no failed sync, the state before stays valid and
    /// the next attempt goes on from what was written.
    pub(crate) fn run_checkpoint(&self, state: &mut CheckpointState, log: LogAfter) -> Result<()> {
        self.check_poisoned()?;
        state.generation += 1;
        self.store.set_generation(state.generation);
        let capture = self.capture(log, state.generation);
        let mut written = Written::default();
        let manifest = self.write_tree(&capture, &mut written);
        self.settle_written(&written)?;
        let manifest = manifest?;
        let free_list = self.write_free_list(state, capture.epoch)?;
        let root = Root {
            generation: state.generation,
            commit: capture.commit,
            next_key: self.next_key.load(Ordering::Relaxed),
            key_count: capture.key_count,
            end: self.store.space.free_as_of(capture.epoch).1,
            log_salt: capture.position.salt,
            segment_bytes: self.options.segment_bytes(),
            log_start: capture.position.offset,
            database: state.root.database,
            manifest: manifest.unwrap_or_default(),
            level: capture.tree.level(),
            free_list: free_list.as_ref().map(|e| e.at).unwrap_or_default(),
        };
        if let Err(error) = self.write_roots(state, root) {
            if let Some(list) = free_list {
                self.commit.lock().retire(list, &self.store, false);
            }
            return Err(error);
        }
        state.free_list = free_list;
        self.store.set_generation(state.generation + 1);
        self.finish(&capture, log);
        Ok(())
    }

    fn capture(&self, log: LogAfter, generation: u64) -> Capture {
        let mut commit = self.commit.lock();
        let epoch = commit.epoch;
        commit.epoch += 1;
        if self.has_bug(PlantedBug::EarlyLogReset) && log == LogAfter::GoesOn {
            commit.log.restart_too_early();
        }
        let mut position = commit.log.position();
        if log == LogAfter::StartsOver {
            position.offset = 0;
            position.salt = if self.has_bug(PlantedBug::NoSalt) {
                0
            } else {
                xxh3_64_with_seed(
                    &self.disk.entropy().to_le_bytes(),
                    position.salt ^ generation,
                )
            };
        }
        let published = self.published.read();
        Capture {
            tree: published.tree.clone(),
            key_count: published.key_count,
            commit: commit.last,
            epoch,
            position,
        }
    }

    fn write_tree(&self, capture: &Capture, written: &mut Written) -> Result<Option<ExtentRef>> {
        match capture.tree.root() {
            Some(root) => {
                let page =
                    self.write_cell(root, capture.tree.level(), 0, capture.epoch, written)?;
                Ok(Some(page))
            }
            None => Ok(None),
        }
    }

    /// Writes the dirty nodes of a subtree, children first; gives the page of its root.
    fn write_cell(
        &self,
        cell: &Arc<Cell>,
        level: u8,
        first: u64,
        epoch: u64,
        written: &mut Written,
    ) -> Result<ExtentRef> {
        if let Some(page) = cell.page() {
            return Ok(page.at);
        }
        let node = cell
            .peek()
            .ok_or_else(|| Error::internal("a dirty manifest node is not in memory"))?;
        let mut entries: Vec<(usize, Entry<Blob>)> = Vec::new();
        match node {
            Node::Leaf(slots) => {
                for (index, value) in present(slots.as_slice()) {
                    let key = first_key(first, 0, index);
                    entries.push((index, self.write_value(key, value, epoch, written)?));
                }
            }
            Node::Inner(slots) => {
                for (index, child) in present(slots.as_slice()) {
                    let start = first_key(first, level, index);
                    let at = self.write_cell(child, level - 1, start, epoch, written)?;
                    entries.push((index, Entry::Extent(at)));
                }
            }
        }
        let page = self.write_adopted(&page::encode(level, first, &entries), epoch)?;
        let at = page.at;
        cell.set_page(page);
        written.pages.push((level, first, Arc::clone(cell)));
        Ok(at)
    }

    fn write_value(
        &self,
        key: u64,
        value: &Arc<Value>,
        epoch: u64,
        written: &mut Written,
    ) -> Result<Entry<Blob>> {
        match value.slot() {
            Slot::Stored(extent) => Ok(Entry::Extent(extent.at)),
            Slot::Memory(blob) if blob.len() <= INLINE_MAX => Ok(Entry::Inline(blob)),
            Slot::Memory(blob) => {
                let extent = self.write_adopted(blob.as_slice(), epoch)?;
                let at = extent.at;
                value.move_to(extent);
                written.values.push((key, Arc::clone(value)));
                Ok(Entry::Extent(at))
            }
        }
    }

    /// Writes an extent that the root of `epoch` will reach.
    fn write_adopted(&self, bytes: &[u8], epoch: u64) -> Result<Arc<Extent>> {
        let extent = self.store.write(bytes)?;
        extent.adopt();
        self.store.space.adopt(extent.at.offset, epoch);
        Ok(extent)
    }

    /// Retires what was written for nodes and values that the current tree no longer has: who
    /// replaced them did so before they had an extent.
    fn settle_written(&self, written: &Written) -> Result<()> {
        let mut commit = self.commit.lock();
        let tree = self.published.read().tree.clone();
        for (key, value) in &written.values {
            let kept =
                matches!(tree.peek(*key), Peek::Found(Some(now)) if Arc::ptr_eq(&now, value));
            if !kept {
                commit.retire_value(value, &self.store, false);
            }
        }
        for (level, first, cell) in &written.pages {
            let now = tree.cell_at(*first, *level, &*self.store)?;
            let kept = now.is_some_and(|now| Arc::ptr_eq(now, cell));
            if let Some(page) = cell.page().filter(|_| !kept) {
                commit.retire(Arc::clone(page), &self.store, false);
            }
        }
        Ok(())
    }

    /// Writes the list of what the new root does not reach. The former list is among it.
    fn write_free_list(
        &self,
        state: &mut CheckpointState,
        epoch: u64,
    ) -> Result<Option<Arc<Extent>>> {
        let space = &self.store.space;
        if let Some(old) = state.free_list.take()
            && old.retire()
        {
            space.retire(old.at.offset, old.at.len, epoch);
            self.commit.lock().retired.push((epoch, old));
        }
        if space.free_as_of(epoch).0.is_empty() {
            return Ok(None);
        }
        loop {
            // The list lies in free space itself and others allocate meanwhile: leave slack.
            let bound = space.free_range_bound() + 62;
            let capacity = 8 + bound * 16;
            let offset = self.store.allocate(capacity as u64)?;
            space.adopt(offset, epoch);
            let (ranges, _) = space.free_as_of(epoch);
            if ranges.len() > bound {
                space.release(offset, capacity as u64);
                continue;
            }
            let mut bytes = (ranges.len() as u64).to_le_bytes().to_vec();
            for (offset, len) in ranges {
                bytes.extend_from_slice(&offset.to_le_bytes());
                bytes.extend_from_slice(&len.to_le_bytes());
            }
            bytes.resize(capacity, 0);
            let list = self.store.write_at(&bytes, offset)?;
            list.adopt();
            return Ok(Some(list));
        }
    }

    fn write_roots(&self, state: &mut CheckpointState, root: Root) -> Result<()> {
        let slot = root.encode();
        let main = &self.store.main;
        let poison = |_: &Error| self.poison();
        if !self.has_bug(PlantedBug::NoDataSync) {
            main.sync_data().inspect_err(poison)?;
        }
        let (first, second) = (1 - state.durable_slot, state.durable_slot);
        if self.has_bug(PlantedBug::OneRootSlot) {
            main.write_all(&slot, SLOTS[0])?;
            main.sync_data().inspect_err(poison)?;
            state.root = root;
            return Ok(());
        }
        main.write_all(&slot, slot_offset(first))?;
        main.sync_data().inspect_err(poison)?;
        state.root = root;
        state.durable_slot = first;
        state.mirrored = false;
        main.write_all(&slot, slot_offset(second))?;
        main.sync_data().inspect_err(poison)?;
        state.mirrored = true;
        Ok(())
    }

    /// Both slots hold the root: the past may be reused.
    fn finish(&self, capture: &Capture, log: LogAfter) {
        let space = &self.store.space;
        let dropped: Vec<_> = {
            let mut commit = self.commit.lock();
            match log {
                LogAfter::GoesOn => commit.log.forget_before(&capture.position),
                LogAfter::StartsOver => commit.log.restart(capture.position.salt),
            }
            let retired = std::mem::take(&mut commit.retired);
            let (done, kept) = retired.into_iter().partition(|(e, _)| *e <= capture.epoch);
            commit.retired = kept;
            done
        };
        space.settle(capture.epoch);
        drop(dropped);
        self.mark_durable(capture.commit);
        self.checkpoint_asked.store(false, Ordering::Release);
    }
}

fn slot_offset(slot: usize) -> u64 {
    if slot == 0 { SLOTS[0] } else { SLOTS[1] }
}

fn present<T>(slots: &[Option<Arc<T>>]) -> impl Iterator<Item = (usize, &Arc<T>)> {
    slots
        .iter()
        .enumerate()
        .filter_map(|(index, slot)| slot.as_ref().map(|value| (index, value)))
}
