//! The manifest in memory: a copy-on-write radix map from key to value, loaded page by page.

use super::extent::Extent;
use super::value::Value;
use llkv_result::{Error, Result};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Bits of the key that one level resolves.
pub(crate) const LEVEL_BITS: u32 = 7;
/// Slots of a node.
pub(crate) const FANOUT: usize = 1 << LEVEL_BITS;
/// The level above which no key has bits.
pub(crate) const MAX_LEVEL: u8 = 9;

pub(crate) type Slots<T> = Box<[Option<Arc<T>>; FANOUT]>;

/// A node: leaves hold values, inner nodes hold cells of the next lower level.
#[derive(Clone)]
pub(crate) enum Node {
    Leaf(Slots<Value>),
    Inner(Slots<Cell>),
}

/// A node's place, shared by all trees that have it in common: the page it is stored in, the node
/// itself, or both. A cell without a page is dirty; one without a node was not loaded yet. Because
/// the trees share the cell and not copies of it, a page is loaded once, and the extents that it
/// names have one owner object each.
#[derive(Default)]
pub(crate) struct Cell {
    page: OnceLock<Arc<Extent>>,
    node: OnceLock<Node>,
}

/// Reads the node of a page.
pub(crate) trait Loader {
    /// The node at `level` that begins at key `first`.
    fn load(&self, page: &Arc<Extent>, level: u8, first: u64) -> Result<Node>;
}

/// One version of the map. A clone is a snapshot and costs a reference count.
#[derive(Clone, Default)]
pub(crate) struct Tree {
    root: Option<Arc<Cell>>,
    level: u8,
}

/// What a look-up without I/O found.
pub(crate) enum Peek {
    Found(Option<Arc<Value>>),
    NotLoaded,
}

fn empty_slots<T>() -> Slots<T> {
    Box::new([const { None }; FANOUT])
}

/// The slot of `key` in a node at `level`.
fn slot_of(key: u64, level: u8) -> usize {
    (key >> (LEVEL_BITS * u32::from(level))) as usize & (FANOUT - 1)
}

/// True when a root at `level` reaches `key`.
fn covers(level: u8, key: u64) -> bool {
    let bits = LEVEL_BITS * (u32::from(level) + 1);
    bits >= 64 || key >> bits == 0
}

/// The first key below slot `index` of a node at `level` that begins at `first`.
pub(crate) fn first_key(first: u64, level: u8, index: usize) -> u64 {
    first | ((index as u64) << (LEVEL_BITS * u32::from(level)))
}

/// The last key below that slot.
fn last_key(first: u64, level: u8, index: usize) -> u64 {
    let span = 1_u64
        .checked_shl(LEVEL_BITS * u32::from(level))
        .unwrap_or(0);
    first_key(first, level, index) | span.wrapping_sub(1)
}

impl Node {
    fn empty(level: u8) -> Self {
        if level == 0 {
            Self::Leaf(empty_slots())
        } else {
            Self::Inner(empty_slots())
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Leaf(slots) => slots.iter().all(Option::is_none),
            Self::Inner(slots) => slots.iter().all(Option::is_none),
        }
    }
}

impl Cell {
    /// A node that is stored in `page` and read when it is needed.
    pub(crate) fn stored(page: Arc<Extent>) -> Arc<Self> {
        Arc::new(Self {
            page: OnceLock::from(page),
            node: OnceLock::new(),
        })
    }

    fn dirty(node: Node) -> Arc<Self> {
        Arc::new(Self {
            page: OnceLock::new(),
            node: OnceLock::from(node),
        })
    }

    pub(crate) fn page(&self) -> Option<&Arc<Extent>> {
        self.page.get()
    }

    /// The node is stored in `page` from now on, for every tree that shares the cell.
    pub(crate) fn set_page(&self, page: Arc<Extent>) {
        let _ = self.page.set(page);
    }

    /// The node, if it is in memory.
    pub(crate) fn peek(&self) -> Option<&Node> {
        self.node.get()
    }

    /// The node, read from its page when it is not in memory yet.
    pub(crate) fn node(&self, loader: &dyn Loader, level: u8, first: u64) -> Result<&Node> {
        if let Some(node) = self.node.get() {
            return Ok(node);
        }
        let page = self.page.get().ok_or_else(lost_node)?;
        let node = loader.load(page, level, first)?;
        // Of two threads that load at once, the first wins; the other's objects own nothing.
        let _ = self.node.set(node);
        self.node.get().ok_or_else(lost_node)
    }
}

fn lost_node() -> Error {
    Error::internal("a manifest node is neither in memory nor stored")
}

impl Tree {
    /// A stored tree.
    pub(crate) fn stored(root: Option<Arc<Extent>>, level: u8) -> Self {
        Self {
            root: root.map(Cell::stored),
            level,
        }
    }

    pub(crate) fn root(&self) -> Option<&Arc<Cell>> {
        self.root.as_ref()
    }

    pub(crate) fn level(&self) -> u8 {
        self.level
    }

    /// The value of `key`.
    pub(crate) fn get(&self, key: u64, loader: &dyn Loader) -> Result<Option<Arc<Value>>> {
        match self.cell_at(key, 0, loader)? {
            Some(cell) => match cell.node(loader, 0, key & !(FANOUT as u64 - 1))? {
                Node::Leaf(slots) => Ok(slots.get(slot_of(key, 0)).cloned().flatten()),
                Node::Inner(_) => Err(lost_node()),
            },
            None => Ok(None),
        }
    }

    /// The cell on the way to `key` at `level`.
    pub(crate) fn cell_at(
        &self,
        key: u64,
        level: u8,
        loader: &dyn Loader,
    ) -> Result<Option<&Arc<Cell>>> {
        if !covers(self.level, key) || level > self.level {
            return Ok(None);
        }
        let Some(mut cell) = self.root.as_ref() else {
            return Ok(None);
        };
        for at in (level + 1..=self.level).rev() {
            let first = first_of(key, at);
            let Node::Inner(slots) = cell.node(loader, at, first)? else {
                return Err(lost_node());
            };
            match slots.get(slot_of(key, at)) {
                Some(Some(next)) => cell = next,
                _ => return Ok(None),
            }
        }
        Ok(Some(cell))
    }

    /// The value of `key`, if every node on the way is in memory.
    pub(crate) fn peek(&self, key: u64) -> Peek {
        if !covers(self.level, key) {
            return Peek::Found(None);
        }
        let Some(mut cell) = self.root.as_ref() else {
            return Peek::Found(None);
        };
        for level in (0..=self.level).rev() {
            match cell.peek() {
                None => return Peek::NotLoaded,
                Some(Node::Inner(slots)) => match slots.get(slot_of(key, level)) {
                    Some(Some(next)) => cell = next,
                    _ => return Peek::Found(None),
                },
                Some(Node::Leaf(slots)) => {
                    return Peek::Found(slots.get(slot_of(key, level)).cloned().flatten());
                }
            }
        }
        Peek::Found(None)
    }

    /// Sets or removes the value of `key` and returns the former one. Every node on the way must be
    /// in memory ([`Tree::get`] brings it there). Pages that the tree no longer has go to `retired`.
    pub(crate) fn set(
        &mut self,
        key: u64,
        value: Option<Arc<Value>>,
        retired: &mut Vec<Arc<Extent>>,
    ) -> Result<Option<Arc<Value>>> {
        if value.is_none() && (self.root.is_none() || !covers(self.level, key)) {
            return Ok(None);
        }
        if self.root.is_none() {
            self.level = (0..MAX_LEVEL)
                .find(|l| covers(*l, key))
                .unwrap_or(MAX_LEVEL);
        }
        while let Some(root) = self.root.take_if(|_| !covers(self.level, key)) {
            let mut slots = empty_slots();
            if let Some(slot) = slots.first_mut() {
                *slot = Some(root);
            }
            self.root = Some(Cell::dirty(Node::Inner(slots)));
            self.level += 1;
        }
        let level = self.level;
        let root = self
            .root
            .get_or_insert_with(|| Cell::dirty(Node::empty(level)));
        let (old, emptied) = set_below(root, level, key, value, retired)?;
        if emptied {
            self.root = None;
        }
        Ok(old)
    }

    /// Calls `visit` for the keys in `range`, ascending.
    pub(crate) fn for_each(
        &self,
        range: Range<u64>,
        loader: &dyn Loader,
        visit: &mut dyn FnMut(u64, &Arc<Value>) -> Result<()>,
    ) -> Result<()> {
        match &self.root {
            Some(root) if !range.is_empty() => walk(root, self.level, 0, &range, loader, visit),
            _ => Ok(()),
        }
    }
}

/// The first key of the node at `level` that has `key` below it.
fn first_of(key: u64, level: u8) -> u64 {
    let bits = LEVEL_BITS * (u32::from(level) + 1);
    if bits >= 64 { 0 } else { key >> bits << bits }
}

fn walk(
    cell: &Cell,
    level: u8,
    first: u64,
    range: &Range<u64>,
    loader: &dyn Loader,
    visit: &mut dyn FnMut(u64, &Arc<Value>) -> Result<()>,
) -> Result<()> {
    match cell.node(loader, level, first)? {
        Node::Leaf(slots) => {
            for (index, value) in slots.iter().enumerate() {
                let key = first_key(first, 0, index);
                if let Some(value) = value.as_ref().filter(|_| range.contains(&key)) {
                    visit(key, value)?;
                }
            }
        }
        Node::Inner(slots) => {
            for (index, child) in slots.iter().enumerate() {
                let start = first_key(first, level, index);
                let overlaps = start < range.end && last_key(first, level, index) >= range.start;
                if let Some(child) = child.as_ref().filter(|_| overlaps) {
                    walk(child, level - 1, start, range, loader, visit)?;
                }
            }
        }
    }
    Ok(())
}

/// Makes the cell dirty and its node this tree's own, copying it when others share it.
fn own<'a>(cell: &'a mut Arc<Cell>, retired: &mut Vec<Arc<Extent>>) -> Result<&'a mut Node> {
    if Arc::get_mut(cell).is_none() {
        let copy = Cell::dirty(cell.node.get().ok_or_else(lost_node)?.clone());
        retired.extend(cell.page.get().cloned());
        *cell = copy;
    }
    let cell = Arc::get_mut(cell).ok_or_else(lost_node)?;
    retired.extend(cell.page.take());
    cell.node.get_mut().ok_or_else(lost_node)
}

/// [`Tree::set`] below one cell. Also tells whether the node has become empty.
fn set_below(
    cell: &mut Arc<Cell>,
    level: u8,
    key: u64,
    value: Option<Arc<Value>>,
    retired: &mut Vec<Arc<Extent>>,
) -> Result<(Option<Arc<Value>>, bool)> {
    let index = slot_of(key, level);
    if value.is_none() && !has_slot(cell, index)? {
        return Ok((None, false));
    }
    let removing = value.is_none();
    let node = own(cell, retired)?;
    let old = match node {
        Node::Leaf(slots) => match slots.get_mut(index) {
            Some(slot) => std::mem::replace(slot, value),
            None => return Err(lost_node()),
        },
        Node::Inner(slots) => {
            let slot = slots.get_mut(index).ok_or_else(lost_node)?;
            let child = slot.get_or_insert_with(|| Cell::dirty(Node::empty(level - 1)));
            let (old, emptied) = set_below(child, level - 1, key, value, retired)?;
            if emptied {
                *slot = None;
            }
            old
        }
    };
    let emptied = removing && node.is_empty();
    Ok((old, emptied))
}

fn has_slot(cell: &Cell, index: usize) -> Result<bool> {
    Ok(match cell.node.get().ok_or_else(lost_node)? {
        Node::Leaf(slots) => slots.get(index).is_some_and(Option::is_some),
        Node::Inner(slots) => slots.get(index).is_some_and(Option::is_some),
    })
}
