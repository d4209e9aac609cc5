//! Packing: values near the end of the file move to free space before them, so that the end can be cut off.
//!
//! It is one more checkpoint, after one that left nothing else to do: the moved bytes and new manifest
//! pages are written to free space, both roots follow, and only then is the former place free. A crash at
//! any moment finds the one state or the other. A little of it happens at the clean end, all of it when
//! asked for.

use super::checkpoint::LogAfter;
use super::core::{CheckpointState, Core};
use super::extent::Extent;
use super::tree::{Cell, Node, Peek, first_key};
use super::value::Value;
use llkv_result::Result;
use llkv_types::CancelToken;
use std::cmp::Reverse;
use std::sync::Arc;

/// So much is moved by one checkpoint: closing takes a fraction of a second, and the next time goes on.
const MOVE_BYTES: u64 = 64 << 20;
/// Closing moves at most so often: what found no room of its size may find it behind what was moved before.
const CLOSING_ROUNDS: usize = 3;

/// What lies behind the cut.
#[derive(Default)]
struct Behind {
    values: Vec<(u64, Arc<Value>, Arc<Extent>)>,
    /// For each manifest page one of the keys below it.
    keys: Vec<u64>,
}

impl Core {
    /// At the clean end, moves some of what lies at the end of the file, as long as an eighth of the file is free and it becomes
    /// shorter.
    pub(super) fn pack_a_little(&self, state: &mut CheckpointState) -> Result<()> {
        let space = &self.store.space;
        for _ in 0..CLOSING_ROUNDS {
            let (end, _) = space.totals();
            let worth = space.is_worth_packing(self.options.pack_bytes);
            let Some(cut) = space.cut_for_packing(MOVE_BYTES).filter(|_| worth) else {
                break;
            };
            self.pack(state, cut, LogAfter::StartsOver)?;
            self.shrink()?;
            if space.totals().0 >= end {
                break;
            }
        }
        Ok(())
    }

    /// Moves all that has room before it, and cuts the end off, while batches go on.
    pub(super) fn compact(&self, cancel: &CancelToken) -> Result<()> {
        self.check_writable()?;
        let space = &self.store.space;
        let mut state = self.checkpoint.lock();
        self.run_checkpoint(&mut state, LogAfter::GoesOn)?;
        // What the last round freed is at hand only after the next root.
        self.run_checkpoint(&mut state, LogAfter::GoesOn)?;
        self.shrink()?;
        loop {
            cancel.check()?;
            let (end, _) = space.totals();
            let Some(cut) = space.cut_for_packing(MOVE_BYTES) else {
                return Ok(());
            };
            self.pack(&mut state, cut, LogAfter::GoesOn)?;
            self.shrink()?;
            if space.totals().0 >= end {
                return Ok(());
            }
        }
    }

    fn pack(&self, state: &mut CheckpointState, cut: u64, log: LogAfter) -> Result<()> {
        let space = &self.store.space;
        space.prefer_front(true);
        let moved = self
            .move_to_front(cut)
            .and_then(|()| self.run_checkpoint(state, log));
        space.prefer_front(false);
        moved
    }

    fn move_to_front(&self, cut: u64) -> Result<()> {
        let tree = self.published.read().tree.clone();
        let mut behind = Behind::default();
        if let Some(root) = tree.root() {
            self.find_behind(root, tree.level(), 0, cut, &mut behind)?;
        }
        drop(tree);
        // The last value of the file decides where it ends, so it has the first choice of what is free.
        behind
            .values
            .sort_unstable_by_key(|(_, _, extent)| Reverse(extent.at.offset));
        for (key, value, extent) in behind.values {
            self.move_value(key, &value, &extent, cut)?;
        }
        for key in behind.keys {
            self.touch(key)?;
        }
        Ok(())
    }

    /// Collects the values and pages of a subtree that lie behind the cut; gives its first key.
    fn find_behind(
        &self,
        cell: &Cell,
        level: u8,
        first: u64,
        cut: u64,
        behind: &mut Behind,
    ) -> Result<Option<u64>> {
        let mut a_key = None;
        match cell.node(&*self.store, level, first)? {
            Node::Leaf(slots) => {
                for (index, value) in slots.iter().enumerate() {
                    let Some(value) = value else { continue };
                    let key = first_key(first, 0, index);
                    a_key = a_key.or(Some(key));
                    if let Some(extent) = value.extent().filter(|e| e.at.offset >= cut) {
                        behind.values.push((key, Arc::clone(value), extent));
                    }
                }
            }
            Node::Inner(slots) => {
                for (index, child) in slots.iter().enumerate() {
                    let Some(child) = child else { continue };
                    let start = first_key(first, level, index);
                    let key = self.find_behind(child, level - 1, start, cut, behind)?;
                    a_key = a_key.or(key);
                }
            }
        }
        let page = cell.page().filter(|page| page.at.offset >= cut);
        behind.keys.extend(page.and(a_key));
        Ok(a_key)
    }

    /// Writes a value anew before the cut, where there is room for it.
    fn move_value(&self, key: u64, value: &Arc<Value>, extent: &Extent, cut: u64) -> Result<()> {
        let store = &*self.store;
        let Some(offset) = store.space.allocate_before(extent.at.len, cut) else {
            return Ok(());
        };
        let copy = match store.read_plain(&extent.at) {
            Ok(bytes) => store.write_at(&bytes, offset)?,
            Err(error) => {
                store.space.release(offset, extent.at.len);
                return Err(error);
            }
        };
        let mut commit = self.commit.lock();
        let mut published = self.published.write();
        let unchanged =
            matches!(published.tree.peek(key), Peek::Found(Some(now)) if Arc::ptr_eq(&now, value));
        if !unchanged {
            return Ok(());
        }
        copy.adopt();
        store.space.adopt(copy.at.offset, commit.epoch);
        let mut pages = Vec::new();
        let former = published
            .tree
            .set(key, Some(Value::stored(copy)), &mut pages)?;
        for page in pages {
            commit.retire(page, store, false);
        }
        if let Some(former) = former {
            commit.retire_value(&former, store, false);
        }
        Ok(())
    }

    /// Has the manifest pages on the way to a key written anew.
    fn touch(&self, key: u64) -> Result<()> {
        let mut commit = self.commit.lock();
        let mut published = self.published.write();
        let Peek::Found(Some(value)) = published.tree.peek(key) else {
            return Ok(());
        };
        let mut pages = Vec::new();
        published.tree.set(key, Some(value), &mut pages)?;
        for page in pages {
            commit.retire(page, &self.store, false);
        }
        Ok(())
    }
}
