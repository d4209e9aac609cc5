//! Verification: every reachable byte fits its checksum, and every granule has exactly one owner.

use super::GRANULE;
use super::core::Core;
use super::extent::ExtentRef;
use super::space::FIRST_EXTENT;
use super::tree::{Cell, Node, first_key};
use super::value::Slot;
use llkv_result::{Error, Result};
use llkv_types::CancelToken;
use std::collections::BTreeMap;

/// What [`FilePager::verify`](crate::FilePager::verify) read and found in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// Keys that hold a value.
    pub keys: u64,
    /// Manifest pages in the file.
    pub pages: u64,
    /// Bytes of values, wherever they are.
    pub value_bytes: u64,
}

/// The walk over one version of the tree.
struct Walk<'a> {
    core: &'a Core,
    cancel: &'a CancelToken,
    /// The generation in preparation: no extent can be of a later one.
    newest: u64,
    found: Verified,
    /// Extents by offset, in granules' length.
    owned: BTreeMap<u64, u64>,
}

impl Core {
    pub(crate) fn verify(&self, cancel: &CancelToken) -> Result<Verified> {
        let state = self.checkpoint.lock();
        let _no_batches = self.commit.lock();
        let (tree, key_count) = {
            let published = self.published.read();
            (published.tree.clone(), published.key_count)
        };
        let mut walk = Walk {
            core: self,
            cancel,
            newest: state.generation + 1,
            found: Verified::default(),
            owned: BTreeMap::new(),
        };
        if let Some(root) = tree.root() {
            walk.visit(root, tree.level(), 0)?;
        }
        if let Some(list) = &state.free_list {
            walk.own(&list.at)?;
        }
        let main = &self.store.main;
        if walk.found.keys != key_count {
            let detail = format!("{} keys are stored, {key_count} counted", walk.found.keys);
            return Err(main.corrupt(0, None, detail));
        }
        let space = &self.store.space;
        for (offset, len) in space.tracked_extents() {
            walk.owned.entry(offset).or_insert(len);
        }
        for (offset, len) in space.free_ranges() {
            walk.own_range(offset, len)?;
        }
        walk.tiles_the_file(space.totals().0)?;
        Ok(walk.found)
    }
}

impl Walk<'_> {
    fn own(&mut self, at: &ExtentRef) -> Result<()> {
        if at.generation > self.newest {
            let detail = format!("generation {} is yet to come", at.generation);
            return Err(self.core.store.main.corrupt(at.offset, None, detail));
        }
        self.own_range(at.offset, at.len)
    }

    fn own_range(&mut self, offset: u64, len: u64) -> Result<()> {
        let len = len.max(1).next_multiple_of(GRANULE);
        if self.owned.insert(offset, len).is_some() {
            let main = &self.core.store.main;
            return Err(main.corrupt(offset, None, "the extent has two owners"));
        }
        Ok(())
    }

    fn visit(&mut self, cell: &Cell, level: u8, first: u64) -> Result<()> {
        self.cancel.check()?;
        let store = &self.core.store;
        if let Some(page) = cell.page() {
            store.verify(&page.at, None)?;
            self.found.pages += 1;
            self.own(&page.at)?;
        }
        match cell.node(&**store, level, first)? {
            Node::Inner(slots) => {
                for (index, child) in slots.iter().enumerate() {
                    if let Some(child) = child {
                        self.visit(child, level - 1, first_key(first, level, index))?;
                    }
                }
            }
            Node::Leaf(slots) => {
                for (index, value) in slots.iter().enumerate() {
                    if let Some(value) = value {
                        self.visit_value(first_key(first, 0, index), &value.slot())?;
                    }
                }
            }
        }
        Ok(())
    }

    fn visit_value(&mut self, key: u64, slot: &Slot) -> Result<()> {
        self.found.keys += 1;
        match slot {
            Slot::Memory(blob) => self.found.value_bytes += blob.len() as u64,
            Slot::Stored(extent) => {
                self.core.store.verify(&extent.at, Some(key))?;
                self.found.value_bytes += extent.at.len;
                self.own(&extent.at)?;
            }
        }
        Ok(())
    }

    /// Checks that the owned ranges cover the file from the first extent to `end`, each granule once.
    fn tiles_the_file(&self, end: u64) -> Result<()> {
        let mut at = FIRST_EXTENT;
        for (offset, len) in self.owned.iter().chain([(&end, &0)]) {
            if *offset != at {
                return Err(self.misfit(at, *offset));
            }
            at = offset + len;
        }
        Ok(())
    }

    fn misfit(&self, expected: u64, found: u64) -> Error {
        let detail = if found > expected {
            format!("nobody owns the {} bytes from here", found - expected)
        } else {
            format!("the {} bytes before here have two owners", expected - found)
        };
        self.core
            .store
            .main
            .corrupt(expected.min(found), None, detail)
    }
}
