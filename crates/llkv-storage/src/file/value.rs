//! The value of a key: bytes in memory until a checkpoint writes them, then an extent.

use super::extent::Extent;
use super::store::Store;
use crate::Blob;
use llkv_result::Result;
use parking_lot::RwLock;
use std::sync::Arc;

/// Values up to this many bytes live in the manifest page itself.
pub(crate) const INLINE_MAX: usize = 512;

/// A value as trees share it. A checkpoint moves its bytes from memory to an extent, for all trees.
pub(crate) struct Value {
    slot: RwLock<Slot>,
}

/// Where the bytes are.
#[derive(Clone)]
pub(crate) enum Slot {
    /// In memory: in the log, or in the manifest page.
    Memory(Blob),
    /// In the main file.
    Stored(Arc<Extent>),
}

impl Value {
    pub(crate) fn memory(blob: Blob) -> Arc<Self> {
        Self::with(Slot::Memory(blob))
    }

    pub(crate) fn stored(extent: Arc<Extent>) -> Arc<Self> {
        Self::with(Slot::Stored(extent))
    }

    fn with(slot: Slot) -> Arc<Self> {
        Arc::new(Self {
            slot: RwLock::new(slot),
        })
    }

    pub(crate) fn slot(&self) -> Slot {
        self.slot.read().clone()
    }

    /// The extent, once there is one.
    pub(crate) fn extent(&self) -> Option<Arc<Extent>> {
        match &*self.slot.read() {
            Slot::Memory(_) => None,
            Slot::Stored(extent) => Some(Arc::clone(extent)),
        }
    }

    /// The bytes are in `extent` from now on.
    pub(crate) fn move_to(&self, extent: Arc<Extent>) {
        *self.slot.write() = Slot::Stored(extent);
    }

    /// The bytes, from wherever they are.
    pub(crate) fn read(&self, key: u64, store: &Store) -> Result<Blob> {
        match self.slot() {
            Slot::Memory(blob) => Ok(blob),
            Slot::Stored(extent) => store.read(&extent, Some(key)),
        }
    }
}
