//! The shared state of an open database, and who guards which part.

use super::extent::Extent;
use super::log::Log;
use super::options::{FilePagerOptions, PlantedBug};
use super::root::Root;
use super::store::Store;
use super::sync::Durability;
use super::tree::Tree;
use super::value::Value;
use crate::disk::Disk;
use llkv_result::{Result, StorageError};
use parking_lot::{Mutex, RwLock};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// An open database. Locks are taken in the order `checkpoint`, `commit`, `published`; that of `durability` is
/// never held together with another.
pub(crate) struct Core {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) path: PathBuf,
    pub(crate) options: FilePagerOptions,
    pub(crate) read_only: bool,
    pub(crate) store: Arc<Store>,
    /// What readers see.
    pub(crate) published: RwLock<Published>,
    /// The order of batches: held while a frame is written and published.
    pub(crate) commit: Mutex<CommitState>,
    pub(crate) durability: Durability,
    /// One checkpoint at a time.
    pub(crate) checkpoint: Mutex<CheckpointState>,
    /// The thread of the last checkpoint that the filling log asked for.
    pub(crate) checkpoint_thread: Mutex<Option<JoinHandle<()>>>,
    pub(crate) checkpoint_asked: AtomicBool,
    pub(crate) next_key: AtomicU64,
    pub(crate) poisoned: AtomicBool,
}

/// The state after the last logged batch. A clone is a snapshot.
#[derive(Clone)]
pub(crate) struct Published {
    pub(crate) tree: Tree,
    pub(crate) key_count: u64,
    pub(crate) commit: u64,
}

pub(crate) struct CommitState {
    pub(crate) last: u64,
    /// Counts checkpoints begun: a batch belongs to the first root that covers its epoch.
    pub(crate) epoch: u64,
    pub(crate) log: Log,
    /// Extents that the tree let go of, by epoch, kept until no durable root names them.
    pub(crate) retired: Vec<(u64, Arc<Extent>)>,
}

pub(crate) struct CheckpointState {
    /// The newest durable root.
    pub(crate) root: Root,
    /// The newest generation ever tried.
    pub(crate) generation: u64,
    /// The slot that holds `root` for certain.
    pub(crate) durable_slot: usize,
    /// Both slots hold `root`.
    pub(crate) mirrored: bool,
    pub(crate) free_list: Option<Arc<Extent>>,
}

impl CommitState {
    /// The tree lets go of an extent: it stays as it is until a durable root does not name it.
    pub(crate) fn retire(&mut self, extent: Arc<Extent>, store: &Store, bug: bool) {
        if extent.retire() && !bug {
            store
                .space
                .retire(extent.at.offset, extent.at.len, self.epoch);
            self.retired.push((self.epoch, extent));
        }
    }

    /// [`CommitState::retire`] for a value that was replaced or freed.
    pub(crate) fn retire_value(&mut self, value: &Value, store: &Store, bug: bool) {
        if let Some(extent) = value.extent() {
            self.retire(extent, store, bug);
        }
    }
}

impl Core {
    /// Refuses writes on handles that take none.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.read_only {
            return Err(StorageError::ReadOnly {
                path: self.path.clone(),
            }
            .into());
        }
        self.check_poisoned()
    }

    pub(crate) fn check_poisoned(&self) -> Result<()> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(self.poisoned_error());
        }
        Ok(())
    }

    pub(crate) fn poisoned_error(&self) -> llkv_result::Error {
        StorageError::Poisoned {
            path: self.path.clone(),
        }
        .into()
    }

    /// What the disk holds is unknown from now on: no more writes, and whoever waits is told.
    pub(crate) fn poison(&self) {
        self.poisoned.store(true, Ordering::Release);
        self.durability.wake_all();
    }

    pub(crate) fn has_bug(&self, bug: PlantedBug) -> bool {
        self.options.has_bug(bug)
    }
}
