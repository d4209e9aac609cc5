//! A run of bytes in the main file, and who still needs it.

use super::bytes::Reader;
use super::space::Space;
use arrow::buffer::Buffer;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

/// Where an extent is and what it must hash to; kept in the parent, never beside the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ExtentRef {
    /// Byte offset in the main file, a multiple of the granule. Zero: no extent.
    pub(crate) offset: u64,
    /// Length in bytes; the rest of the last granule is not looked at.
    pub(crate) len: u64,
    /// xxh3-64 of the bytes, seeded with the generation.
    pub(crate) checksum: u64,
    /// The root generation that was in preparation when the extent was written.
    pub(crate) generation: u64,
}

impl ExtentRef {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for field in [self.offset, self.len, self.checksum, self.generation] {
            out.extend_from_slice(&field.to_le_bytes());
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            offset: reader.u64()?,
            len: reader.u64()?,
            checksum: reader.u64()?,
            generation: reader.u64()?,
        })
    }
}

/// Nothing refers to the extent yet: dropping it gives the space back.
const UNREFERENCED: u8 = 0;
/// The current tree refers to it: dropping the handle only forgets it.
const LIVE: u8 = 1;
/// The tree no longer refers to it: the last holder gives the space back.
const DEAD: u8 = 2;

/// An allocated extent. Trees, pins, blobs and the list of retired extents share it; the space goes
/// back to the free list when the last of them lets go of one that no tree refers to.
pub(crate) struct Extent {
    pub(crate) at: ExtentRef,
    state: AtomicU8,
    space: Arc<Space>,
    /// The bytes, mapped, once they were verified.
    region: OnceLock<Buffer>,
    /// Which data write made the bytes; a frame that names them waits for its sync.
    pub(crate) written: u64,
}

impl Extent {
    /// An extent just allocated: free again when dropped without being adopted.
    pub(crate) fn fresh(at: ExtentRef, space: Arc<Space>, written: u64) -> Self {
        Self::with_state(at, space, written, UNREFERENCED)
    }

    /// An extent that a stored tree refers to.
    pub(crate) fn stored(at: ExtentRef, space: Arc<Space>) -> Self {
        Self::with_state(at, space, 0, LIVE)
    }

    fn with_state(at: ExtentRef, space: Arc<Space>, written: u64, state: u8) -> Self {
        Self {
            at,
            state: AtomicU8::new(state),
            space,
            region: OnceLock::new(),
            written,
        }
    }

    fn step(&self, from: u8, to: u8) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Makes a tree its owner; false when it already has, or had, one.
    pub(crate) fn adopt(&self) -> bool {
        self.step(UNREFERENCED, LIVE)
    }

    /// Takes an adoption back that came to nothing.
    pub(crate) fn disown(&self) {
        self.step(LIVE, UNREFERENCED);
    }

    /// The tree lets go; false when it had done so before.
    pub(crate) fn retire(&self) -> bool {
        self.step(LIVE, DEAD)
    }

    /// True when it belongs to `space`.
    pub(crate) fn is_in(&self, space: &Arc<Space>) -> bool {
        Arc::ptr_eq(&self.space, space)
    }

    pub(crate) fn region(&self) -> Option<&Buffer> {
        self.region.get()
    }

    /// Keeps the verified, mapped bytes.
    pub(crate) fn set_region(&self, buffer: Buffer) {
        if self.region.set(buffer).is_ok() {
            self.space.lent().lend(self.at.offset, self.at.len);
        }
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        if self.region.get().is_some() {
            self.space.lent().take_back(self.at.offset);
        }
        if self.state.load(Ordering::Acquire) != LIVE {
            self.space.release(self.at.offset, self.at.len);
        }
    }
}
