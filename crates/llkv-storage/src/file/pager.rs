//! The file pager: the contract of a pager over one database file.

use super::check::Verified;
use super::checkpoint::LogAfter;
use super::core::Core;
use super::options::FilePagerOptions;
use super::recovery::{open_reader, open_writer, when_unlocked};
use super::store::Store;
use super::tree::{Peek, Tree};
use crate::disk::{Disk, FileHandle, RealDisk, io_error};
use crate::{Blob, CommitId, Pager, PagerStats, Pin, WriteBatch};
use llkv_result::Result;
use llkv_types::{CancelToken, PhysicalKey};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A crash-safe pager over one file, `NAME.llkv`, and its log `NAME.llkv-wal`, which exists while
/// the database is open for writing (and after a crash, until it is opened again).
///
/// One handle writes, or many handles read: a second writer, a reader beside a writer and a writer
/// beside readers are refused with [`StorageError::Locked`](llkv_result::StorageError::Locked),
/// whether they are in this process or another. Dropping the pager folds the log into the file,
/// gives free space back and removes the log; [`FilePager::close`] does so and tells of errors.
pub struct FilePager {
    core: Arc<Core>,
}

impl std::fmt::Debug for FilePager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FilePager")
            .field("path", &self.core.path)
            .finish_non_exhaustive()
    }
}

impl FilePager {
    /// Opens a database for writing; makes it when there is no file, or an empty one.
    ///
    /// # Errors
    /// `Locked` beside another handle that stays for longer than the options' `lock_timeout_ms`; `NotADatabase`, `NewerFormat` and `Corrupt` for files that
    /// cannot be opened, none of which changes a byte; I/O errors.
    pub fn open(path: impl AsRef<Path>, options: FilePagerOptions) -> Result<Self> {
        Self::open_on(Arc::new(RealDisk), path, options)
    }

    /// Opens a database for reading. No byte of a file changes, also when a crash left a log.
    ///
    /// # Errors
    /// Those of [`FilePager::open`], and an `Io` error when there is no file.
    pub fn open_read_only(path: impl AsRef<Path>, options: FilePagerOptions) -> Result<Self> {
        Self::open_read_only_on(Arc::new(RealDisk), path, options)
    }

    /// [`FilePager::open`] on a disk of the caller's.
    ///
    /// # Errors
    /// Those of [`FilePager::open`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        path: impl AsRef<Path>,
        options: FilePagerOptions,
    ) -> Result<Self> {
        let path = resolved(&*disk, path.as_ref())?;
        let core = when_unlocked(options.lock_timeout_ms, || {
            open_writer(Arc::clone(&disk), &path, options.clone())
        })?;
        Ok(Self {
            core: Arc::new(core),
        })
    }

    /// [`FilePager::open_read_only`] on a disk of the caller's.
    ///
    /// # Errors
    /// Those of [`FilePager::open_read_only`].
    pub fn open_read_only_on(
        disk: Arc<dyn Disk>,
        path: impl AsRef<Path>,
        options: FilePagerOptions,
    ) -> Result<Self> {
        let path = resolved(&*disk, path.as_ref())?;
        let core = when_unlocked(options.lock_timeout_ms, || {
            open_reader(Arc::clone(&disk), &path, options.clone())
        })?;
        Ok(Self {
            core: Arc::new(core),
        })
    }

    /// Folds the log into the file, gives free space back to the disk, removes the log.
    ///
    /// # Errors
    /// On I/O errors and after a failed sync: the log then stays, and the next opening replays it.
    pub fn close(self) -> Result<()> {
        self.shut()
    }

    /// Reads every page and every value, compares them with their checksums, and accounts for every
    /// granule of the file. Batches wait meanwhile.
    ///
    /// # Errors
    /// The first damage found, by file, key and offset.
    pub fn verify(&self) -> Result<Verified> {
        self.core.verify(&CancelToken::new())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.core.path
    }

    fn shut(&self) -> Result<()> {
        self.join_checkpoint();
        if self.core.read_only {
            return Ok(());
        }
        self.core.check_poisoned()?;
        self.core.shut()
    }

    fn join_checkpoint(&self) {
        let thread = self.core.checkpoint_thread.lock().take();
        if let Some(thread) = thread {
            // A panic in it would have poisoned nothing: the next checkpoint starts from the tree.
            let _ = thread.join();
        }
    }

    /// Runs the checkpoint that a filling log asks for, on its own thread where so configured.
    /// Its errors are not the caller's: a failed sync poisons, all else shows when room runs out.
    fn ask_for_checkpoint(&self) {
        let core = Arc::clone(&self.core);
        if !core.options.background_checkpoint {
            let _ = core.checkpoint();
            return;
        }
        if core.checkpoint_asked.swap(true, Ordering::AcqRel) {
            return;
        }
        let run = move || {
            if let Err(error) = core.checkpoint() {
                tracing::warn!(%error, "a checkpoint failed");
            }
            core.checkpoint_asked.store(false, Ordering::Release);
        };
        let named = std::thread::Builder::new().name("llkv-checkpoint".to_owned());
        match named.spawn(run) {
            Ok(thread) => {
                let former = self.core.checkpoint_thread.lock().replace(thread);
                // It has done its work: what asked for this one came after its end.
                let _ = former.map(std::thread::JoinHandle::join);
            }
            Err(_) => self.core.checkpoint_asked.store(false, Ordering::Release),
        }
    }
}

impl Core {
    /// Folds what replay found into the file and starts the log over, in the file that was there.
    pub(crate) fn start_over(&self, log: Option<FileHandle>) -> Result<()> {
        let mut state = self.checkpoint.lock();
        self.run_checkpoint(&mut state, LogAfter::StartsOver)?;
        match log {
            Some(file) => self.commit.lock().log.adopt_file(file),
            None => Ok(()),
        }
    }

    /// The clean end: everything in the main file, no log.
    fn shut(&self) -> Result<()> {
        let mut state = self.checkpoint.lock();
        let changed = {
            let commit = self.commit.lock();
            commit.last != state.root.commit || commit.log.file().is_some() || !state.mirrored
        };
        if !changed {
            return Ok(());
        }
        self.run_checkpoint(&mut state, LogAfter::StartsOver)?;
        self.shrink()?;
        self.pack_a_little(&mut state)?;
        self.commit.lock().log.remove()
    }

    /// Cuts the free tail off and punches large holes. Extents that blobs still hold are not free.
    pub(super) fn shrink(&self) -> Result<()> {
        const WORTH_PUNCHING: u64 = 1 << 20;
        let (main, space) = (&self.store.main, &self.store.space);
        space.give_back(|end, free| {
            if main.size()? > end {
                main.set_size(end)?;
            }
            for (offset, len) in free {
                if *len >= WORTH_PUNCHING {
                    main.punch(*offset, *len)?;
                }
            }
            Ok(())
        })
    }

    /// The values of `keys` in the newest tree. As long as all nodes are in memory this holds the
    /// tree only for the look-up; a missing node is read without holding anybody up.
    fn batch_get(&self, keys: &[PhysicalKey]) -> Result<Vec<Option<Blob>>> {
        let mut values = Vec::with_capacity(keys.len());
        {
            let published = self.published.read();
            for key in keys {
                match published.tree.peek(key.0) {
                    Peek::Found(value) => values.push(value),
                    Peek::NotLoaded => {
                        let tree = published.tree.clone();
                        drop(published);
                        return read_keys(&tree, &self.store, keys);
                    }
                }
            }
        }
        let reads = keys.iter().zip(values);
        reads
            .map(|(key, value)| value.map(|v| v.read(key.0, &self.store)).transpose())
            .collect()
    }
}

fn read_keys(tree: &Tree, store: &Store, keys: &[PhysicalKey]) -> Result<Vec<Option<Blob>>> {
    keys.iter()
        .map(|key| {
            let value = tree.get(key.0, store)?;
            value.map(|v| v.read(key.0, store)).transpose()
        })
        .collect()
}

fn keys_in(tree: &Tree, store: &Store, range: Range<PhysicalKey>) -> Result<Vec<PhysicalKey>> {
    let mut keys = Vec::new();
    tree.for_each(range.start.0..range.end.0, store, &mut |key, _| {
        keys.push(PhysicalKey(key));
        Ok(())
    })?;
    Ok(keys)
}

impl Drop for FilePager {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`. What was acknowledged is in the log in any case.
        if let Err(error) = self.shut() {
            tracing::warn!(%error, path = %self.core.path.display(), "the database did not close cleanly");
        }
    }
}

/// The file itself: its log and the lock on it are the same by whatever link it is opened.
fn resolved(disk: &dyn Disk, path: &Path) -> Result<PathBuf> {
    let resolved = disk.resolve(path);
    Ok(resolved.map_err(|e| io_error(path, "open", 0, 0, e))?)
}

impl Pager for FilePager {
    fn alloc_many(&self, count: usize) -> Result<Range<u64>> {
        self.core.check_writable()?;
        let count = count as u64;
        let start = self
            .core
            .next_key
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
                next.checked_add(count)
            })
            .map_err(|_| self.core.keys_used_up())?;
        Ok(start..start + count)
    }

    fn batch_get(&self, keys: &[PhysicalKey]) -> Result<Vec<Option<Blob>>> {
        self.core.batch_get(keys)
    }

    fn keys_in(&self, range: Range<PhysicalKey>) -> Result<Vec<PhysicalKey>> {
        let tree = self.core.published.read().tree.clone();
        keys_in(&tree, &self.core.store, range)
    }

    fn write_early(&self, value: &[u8]) -> Result<Blob> {
        self.core.write_early(value)
    }

    fn log(&self, batch: WriteBatch) -> Result<CommitId> {
        let (id, filling) = self.core.log(batch)?;
        if filling {
            self.ask_for_checkpoint();
        }
        Ok(id)
    }

    fn sync(&self, upto: CommitId) -> Result<()> {
        self.core.sync(upto.0)
    }

    fn pin(&self) -> Box<dyn Pin> {
        let published = self.core.published.read();
        Box::new(FilePin {
            tree: published.tree.clone(),
            commit: published.commit,
            store: Arc::clone(&self.core.store),
        })
    }

    fn checkpoint(&self) -> Result<()> {
        self.core.checkpoint()
    }

    fn compact(&self, cancel: &CancelToken) -> Result<()> {
        self.core.compact(cancel)
    }

    fn check(&self, cancel: &CancelToken) -> Result<()> {
        self.core.verify(cancel).map(|_| ())
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.core.path)
    }

    fn stats(&self) -> PagerStats {
        let durable = self.core.durability.durable();
        let log_bytes = self.core.commit.lock().log.live_bytes();
        let (file_bytes, free_bytes) = self.core.store.space.totals();
        let published = self.core.published.read();
        PagerStats {
            last_commit: CommitId(published.commit),
            durable_commit: CommitId(durable),
            file_bytes,
            free_bytes,
            log_bytes,
            key_count: published.key_count,
        }
    }
}

/// A version of the tree. Its nodes and values keep their extents.
struct FilePin {
    tree: Tree,
    commit: u64,
    store: Arc<Store>,
}

impl Pin for FilePin {
    fn commit_id(&self) -> CommitId {
        CommitId(self.commit)
    }

    fn batch_get(&self, keys: &[PhysicalKey]) -> Result<Vec<Option<Blob>>> {
        read_keys(&self.tree, &self.store, keys)
    }

    fn keys_in(&self, range: Range<PhysicalKey>) -> Result<Vec<PhysicalKey>> {
        keys_in(&self.tree, &self.store, range)
    }
}
