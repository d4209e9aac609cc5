//! A seeded disk in memory that does what real ones do on their worst day.
//!
//! Writes are visible at once and durable after a sync. At a power cut, what was not synced is
//! dropped, kept, reordered or garbled sector by sector. Operations fail once or for ever, write
//! less than they were asked to, run out of space; bits flip. The same seed does the same.

mod fault;
mod file;
mod pages;
mod random;

pub use fault::{Fault, FaultKind};

use super::{Disk, DiskFile, LockMode, OpenMode};
use arrow::buffer::Buffer;
use fault::Verdict;
use file::SimFile;
use parking_lot::Mutex;
use random::Random;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names and what they stand for.
type Names = BTreeMap<PathBuf, usize>;

/// A simulated disk. Clones are handles of the same disk; [`SimDisk::fork`] makes another one.
#[derive(Debug, Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone)]
struct State {
    random: Random,
    files: Vec<SimFile>,
    names: Names,
    /// The names after each unsynced change of the folder, oldest first; the first entry is durable.
    name_history: Vec<Names>,
    /// Operations so far.
    operations: u64,
    faults: Vec<Fault>,
    /// Bytes of all files together that fit.
    capacity_bytes: u64,
    /// Handles of an earlier power period are dead.
    period: u64,
    maps: bool,
    /// The state after every operation, while recorded.
    recording: Option<Vec<Self>>,
}

impl SimDisk {
    /// An empty disk whose misfortunes `seed` determines.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::from_state(State {
            random: Random::new(seed),
            files: Vec::new(),
            names: Names::new(),
            name_history: vec![Names::new()],
            operations: 0,
            faults: Vec::new(),
            capacity_bytes: u64::MAX,
            period: 0,
            maps: false,
            recording: None,
        })
    }

    fn from_state(state: State) -> Self {
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Lets [`DiskFile::map`] lend copies, as a disk that can be mapped would lend its bytes.
    #[must_use]
    pub fn with_maps(self) -> Self {
        self.state.lock().maps = true;
        self
    }

    /// An independent disk in the present state, with misfortunes of its own. Open handles stay
    /// with this one, and so do its locks.
    #[must_use]
    pub fn fork(&self, seed: u64) -> Self {
        let mut state = self.state.lock().clone_unrecorded();
        state.random = Random::new(seed);
        state.lose_handles();
        Self::from_state(state)
    }

    /// Switches the power off and on: unsynced writes meet their fates, handles die, locks open.
    pub fn power_cut(&self) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let luck = random::Luck::draw(&mut state.random);
        for file in &mut state.files {
            file.lose_power(&luck, &mut state.random);
        }
        let kept = state.random.below(state.name_history.len() as u64) as usize;
        let kept = luck.names_kept(kept, state.name_history.len());
        state.names = state.name_history.get(kept).cloned().unwrap_or_default();
        state.name_history = vec![state.names.clone()];
        state.lose_handles();
    }

    /// Operations so far: every call of a [`Disk`] or [`DiskFile`] method that can fail.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Arms a fault, in addition to those armed before.
    pub fn inject(&self, fault: Fault) {
        self.state.lock().faults.push(fault);
    }

    /// Disarms all faults.
    pub fn heal(&self) {
        self.state.lock().faults.clear();
    }

    /// Limits the bytes of all files together.
    pub fn set_capacity(&self, bytes: u64) {
        self.state.lock().capacity_bytes = bytes;
    }

    /// Keeps a copy of the disk after every operation from now on. Copies share their pages.
    pub fn record(&self) {
        self.state.lock().recording = Some(Vec::new());
    }

    /// Ends the recording; each copy is an independent disk, `operations` telling where it was taken.
    #[must_use]
    pub fn take_recording(&self) -> Vec<Self> {
        let states = self.state.lock().recording.take().unwrap_or_default();
        states.into_iter().map(Self::from_state).collect()
    }

    /// The bytes of a file as a reader would see them; `None` when there is none.
    #[must_use]
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state.lock();
        let file = state.files.get(*state.names.get(path)?)?;
        Some(file.contents())
    }

    /// Replaces the bytes of a file, durably, or makes one.
    pub fn set_contents(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state.lock();
        let index = match state.names.get(path) {
            Some(index) => *index,
            None => state.new_name(path),
        };
        let names = state.names.clone();
        state.name_history = vec![names];
        if let Some(file) = state.files.get_mut(index) {
            file.set_contents(bytes);
        }
    }

    /// Flips one bit of a file, durably; false when there is no such bit.
    #[must_use]
    pub fn flip_bit(&self, path: &Path, bit: u64) -> bool {
        let mut state = self.state.lock();
        let Some(index) = state.names.get(path).copied() else {
            return false;
        };
        state
            .files
            .get_mut(index)
            .is_some_and(|file| file.flip_bit(bit))
    }
}

impl State {
    fn clone_unrecorded(&mut self) -> Self {
        let recording = self.recording.take();
        let copy = self.clone();
        self.recording = recording;
        copy
    }

    fn lose_handles(&mut self) {
        self.period += 1;
        self.files.iter_mut().for_each(SimFile::unlock_all);
    }

    fn new_name(&mut self, path: &Path) -> usize {
        let index = self.files.len();
        self.files.push(SimFile::default());
        self.names.insert(path.to_path_buf(), index);
        self.name_history.push(self.names.clone());
        index
    }

    /// Counts an operation and asks the faults about it. A torn write is asked as one.
    fn begin(&mut self) -> Verdict {
        self.operations += 1;
        let now = self.operations;
        let verdict = self.faults.iter().map(|fault| fault.strikes(now)).max();
        verdict.unwrap_or(Verdict::Pass)
    }

    fn end(&mut self) {
        if self.recording.is_some() {
            let copy = self.clone_unrecorded();
            if let Some(recording) = &mut self.recording {
                recording.push(copy);
            }
        }
    }

    fn used_bytes(&self) -> u64 {
        let live = self
            .names
            .values()
            .filter_map(|index| self.files.get(*index));
        live.map(SimFile::size).sum()
    }
}

fn broken() -> io::Error {
    io::Error::other("injected fault")
}

fn full() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

impl SimDisk {
    /// Runs an operation on the whole disk.
    fn operate<T>(&self, body: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock();
        let result = match state.begin() {
            Verdict::Pass | Verdict::Short => body(&mut state),
            Verdict::Full => Err(full()),
            Verdict::Fail => Err(broken()),
        };
        state.end();
        result
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let (index, period) = self.operate(|state| {
            let index = match (state.names.get(path), mode) {
                (Some(index), _) => *index,
                (None, OpenMode::Create) => state.new_name(path),
                (None, _) => return Err(io::ErrorKind::NotFound.into()),
            };
            Ok((index, state.period))
        })?;
        Ok(Arc::new(SimHandle {
            disk: self.clone(),
            index,
            period,
            writable: mode != OpenMode::Read,
            held: Mutex::new(None),
        }))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.operate(|state| Ok(state.names.contains_key(path)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate(|state| {
            let index = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
            state.names.insert(to.to_path_buf(), index);
            state.name_history.push(state.names.clone());
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.operate(|state| {
            state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
            state.name_history.push(state.names.clone());
            Ok(())
        })
    }

    fn sync_folder(&self, _path: &Path) -> io::Result<()> {
        self.operate(|state| {
            state.name_history = vec![state.names.clone()];
            Ok(())
        })
    }

    fn entropy(&self) -> u64 {
        self.state.lock().random.next()
    }
}

/// An open simulated file.
struct SimHandle {
    disk: SimDisk,
    index: usize,
    period: u64,
    writable: bool,
    held: Mutex<Option<LockMode>>,
}

impl SimHandle {
    /// Runs an operation on the file. What a fault leaves of it is the body's matter.
    fn operate<T>(
        &self,
        body: impl FnOnce(&mut SimFile, &mut Random, Verdict) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut guard = self.disk.state.lock();
        let verdict = guard.begin();
        let state = &mut *guard;
        let result = if self.period == state.period {
            match state.files.get_mut(self.index) {
                Some(file) => body(file, &mut state.random, verdict),
                None => Err(io::ErrorKind::NotFound.into()),
            }
        } else {
            Err(io::Error::other("the power went off"))
        };
        guard.end();
        result
    }

    /// An operation that either happens or does not.
    fn whole<T>(&self, body: impl FnOnce(&mut SimFile) -> io::Result<T>) -> io::Result<T> {
        self.operate(|file, _, verdict| match verdict {
            Verdict::Pass | Verdict::Short => body(file),
            Verdict::Full | Verdict::Fail => Err(broken()),
        })
    }

    /// Room for `bytes` more at the end of the file.
    fn room(&self, end: u64) -> u64 {
        let state = self.disk.state.lock();
        let size = state.files.get(self.index).map_or(0, SimFile::size);
        let free = state.capacity_bytes.saturating_sub(state.used_bytes());
        size.saturating_add(free).min(end)
    }

    fn refuse_readers(&self) -> io::Result<()> {
        if self.writable {
            Ok(())
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
}

impl DiskFile for SimHandle {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.whole(|file| Ok(file.read(bytes, offset)))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.refuse_readers()?;
        let end = offset + bytes.len() as u64;
        let room = self.room(end).saturating_sub(offset) as usize;
        self.operate(|file, random, verdict| {
            let fits = bytes.get(..room.min(bytes.len())).unwrap_or_default();
            let half = fits.get(..fits.len().div_ceil(2)).unwrap_or_default();
            match verdict {
                Verdict::Pass if fits.is_empty() => Err(full()),
                Verdict::Pass => Ok(file.write(fits, offset)),
                Verdict::Short if half.is_empty() => Err(full()),
                Verdict::Short => Ok(file.write(half, offset)),
                Verdict::Full => Err(full()),
                Verdict::Fail => {
                    // A failed write may have reached the disk in part, or whole.
                    let part = random.below(fits.len() as u64 + 1) as usize;
                    file.write(fits.get(..part).unwrap_or_default(), offset);
                    Err(broken())
                }
            }
        })
    }

    fn size(&self) -> io::Result<u64> {
        self.whole(|file| Ok(file.size()))
    }

    fn set_size(&self, len: u64) -> io::Result<()> {
        self.refuse_readers()?;
        let fits = self.room(len) >= len;
        self.whole(|file| {
            if !fits {
                return Err(full());
            }
            file.resize(len);
            Ok(())
        })
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        self.refuse_readers()?;
        let fits = self.room(len) >= len;
        self.operate(|file, _, verdict| match verdict {
            Verdict::Fail => Err(broken()),
            Verdict::Full => Err(full()),
            Verdict::Pass | Verdict::Short if !fits => Err(full()),
            Verdict::Pass | Verdict::Short => {
                file.resize(len.max(file.size()));
                Ok(())
            }
        })
    }

    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        self.refuse_readers()?;
        self.whole(|file| {
            let stop = (offset + len).min(file.size());
            if let Ok(len) = usize::try_from(stop.saturating_sub(offset)) {
                file.write(&vec![0; len], offset);
            }
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.operate(|file, random, verdict| match verdict {
            Verdict::Pass | Verdict::Short => {
                file.sync();
                Ok(())
            }
            Verdict::Full | Verdict::Fail => {
                file.fail_sync(random);
                Err(broken())
            }
        })
    }

    fn map(&self, offset: u64, len: usize) -> io::Result<Option<Buffer>> {
        if !self.disk.state.lock().maps {
            return Ok(None);
        }
        self.whole(|file| {
            let mut bytes = arrow::buffer::MutableBuffer::from_len_zeroed(len);
            let got = file.read(bytes.as_slice_mut(), offset);
            Ok((got == len).then(|| bytes.into()))
        })
    }

    fn try_lock(&self, mode: LockMode) -> io::Result<bool> {
        let taken = self.whole(|file| Ok(file.try_lock(mode)))?;
        if taken {
            *self.held.lock() = Some(mode);
        }
        Ok(taken)
    }
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        let current = self.period == state.period;
        let held = self.held.lock().filter(|_| current);
        if let (Some(mode), Some(file)) = (held, state.files.get_mut(self.index)) {
            file.unlock(mode);
        }
    }
}
