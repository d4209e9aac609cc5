//! Opening a database: the newest valid root, then what the log has beyond it.

use super::bytes::Reader;
use super::core::{CheckpointState, CommitState, Core, Published};
use super::extent::{Extent, ExtentRef};
use super::frame::{self, HEADER, Kind};
use super::lent::Lent;
use super::log::{Log, next_salt};
use super::options::{FilePagerOptions, PlantedBug};
use super::page;
use super::record::{Put, Record};
use super::root::{Root, SLOT_BYTES, SLOTS, SlotContent};
use super::space::{FIRST_EXTENT, Space};
use super::store::Store;
use super::sync::Durability;
use super::tree::Tree;
use super::value::Value;
use super::{FORMAT, GRANULE};
use crate::Blob;
use crate::disk::{Disk, FileHandle, LockMode, OpenMode, io_error};
use llkv_result::{Result, StorageError};
use parking_lot::{Mutex, RwLock};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

/// The epoch of everything that replay finds in the log.
const REPLAY_EPOCH: u64 = 1;

/// `NAME.llkv` has its log in `NAME.llkv-wal`.
pub(crate) fn log_path(main: &Path) -> PathBuf {
    with_suffix(main, "-wal")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The longest pause between two looks whether a file is free.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Opens a file, again and again while another handle has it, for `timeout_ms` at the most. What was seen of the file before
/// is seen anew each time: whoever had it may have made, changed or replaced it.
pub(crate) fn when_unlocked<T>(timeout_ms: u64, mut open: impl FnMut() -> Result<T>) -> Result<T> {
    let (begun, timeout) = (Instant::now(), Duration::from_millis(timeout_ms));
    let mut pause = Duration::from_millis(1);
    loop {
        let opened = open();
        let Err(llkv_result::Error::Storage(StorageError::Locked { .. })) = &opened else {
            return opened;
        };
        let left = timeout.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return opened;
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(LOCK_PAUSE);
    }
}

/// Opens `path` for writing, making it when it does not exist.
pub(crate) fn open_writer(
    disk: Arc<dyn Disk>,
    path: &Path,
    options: FilePagerOptions,
) -> Result<Core> {
    let exists = |path: &Path| {
        let found = disk.exists(path);
        found.map_err(|e| io_error(path, "look for", 0, 0, e))
    };
    let main = if exists(path)? {
        let main = FileHandle::open(&*disk, path, OpenMode::Write)?;
        main.try_lock(LockMode::Exclusive)?;
        if main.size()? == 0 {
            create(&*disk, path, &options)?
        } else {
            main
        }
    } else {
        create(&*disk, path, &options)?
    };
    let has_log = exists(&log_path(path))?;
    let found = read_roots(&main, &options)?;
    let log = if has_log {
        Some(FileHandle::open(&*disk, &log_path(path), OpenMode::Write)?)
    } else {
        None
    };
    let stale = log.is_some()
        || !found.mirrored
        || found.root.log_start != 0
        || found.root.segment_bytes != options.segment_bytes();
    let core = assemble(disk, path, options, main, found, log.as_ref(), false)?;
    if stale {
        core.start_over(log)?;
    }
    Ok(core)
}

/// Opens `path` for reading. No byte of any file changes; what the log holds is replayed in memory.
pub(crate) fn open_reader(
    disk: Arc<dyn Disk>,
    path: &Path,
    options: FilePagerOptions,
) -> Result<Core> {
    let main = FileHandle::open(&*disk, path, OpenMode::Read)?;
    main.try_lock(LockMode::Shared)?;
    let log = match FileHandle::open(&*disk, &log_path(path), OpenMode::Read) {
        Ok(log) => Some(log),
        Err(llkv_result::Error::Storage(StorageError::Io { source, .. }))
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            None
        }
        Err(error) => return Err(error),
    };
    let found = read_roots(&main, &options)?;
    assemble(disk, path, options, main, found, log.as_ref(), true)
}

/// Makes an empty database under another name and gives it its own when it is complete: whoever
/// finds the file finds a database.
fn create(disk: &dyn Disk, path: &Path, options: &FilePagerOptions) -> Result<FileHandle> {
    let draft_path = with_suffix(path, "-new");
    let draft = FileHandle::open(disk, &draft_path, OpenMode::Create)?;
    draft.try_lock(LockMode::Exclusive)?;
    if disk.exists(path).unwrap_or(false)
        && FileHandle::open(disk, path, OpenMode::Read)?.size()? > 0
    {
        // Somebody else has made it since we looked, perhaps of this very draft.
        return Err(StorageError::Locked {
            path: path.to_path_buf(),
        }
        .into());
    }
    let root = Root {
        generation: 1,
        end: FIRST_EXTENT,
        log_salt: if options.has_bug(PlantedBug::NoSalt) {
            0
        } else {
            disk.entropy()
        },
        segment_bytes: options.segment_bytes(),
        database: disk.entropy(),
        ..Root::default()
    };
    draft.set_size(0)?;
    for slot in SLOTS {
        draft.write_all(&root.encode(), slot)?;
    }
    draft.sync_data()?;
    disk.rename(&draft_path, path)
        .and_then(|()| disk.sync_folder(path))
        .map_err(|e| io_error(path, "create", 0, 0, e))?;
    Ok(draft.renamed(path))
}

/// The newest valid root.
struct FoundRoot {
    root: Root,
    slot: usize,
    /// The other slot holds the same.
    mirrored: bool,
}

fn read_roots(main: &FileHandle, options: &FilePagerOptions) -> Result<FoundRoot> {
    let mut contents = [SlotContent::Foreign; 2];
    for (content, offset) in contents.iter_mut().zip(SLOTS) {
        let mut slot = [0; SLOT_BYTES];
        let len = main.read_up_to(&mut slot, offset)?;
        *content = Root::decode(slot.get(..len).unwrap_or_default());
    }
    if options.has_bug(PlantedBug::OneRootSlot) {
        contents[1] = contents[0];
    }
    let found = match contents {
        [SlotContent::Newer(found), _] | [_, SlotContent::Newer(found)] => {
            return Err(StorageError::NewerFormat {
                path: main.path().to_path_buf(),
                found,
                supported: FORMAT,
            }
            .into());
        }
        [SlotContent::Valid(a), SlotContent::Valid(b)] => {
            let slot = usize::from(b.generation > a.generation);
            FoundRoot {
                root: if slot == 0 { a } else { b },
                slot,
                mirrored: a == b,
            }
        }
        [SlotContent::Valid(root), _] => FoundRoot {
            root,
            slot: 0,
            mirrored: false,
        },
        [_, SlotContent::Valid(root)] => FoundRoot {
            root,
            slot: 1,
            mirrored: false,
        },
        [SlotContent::Damaged(detail), _] => return Err(main.corrupt(SLOTS[0], None, detail)),
        [_, SlotContent::Damaged(detail)] => return Err(main.corrupt(SLOTS[1], None, detail)),
        [SlotContent::Foreign, SlotContent::Foreign] => {
            return Err(StorageError::NotADatabase {
                path: main.path().to_path_buf(),
                detail: "it does not begin like one".to_owned(),
            }
            .into());
        }
    };
    let size = main.size()?;
    if size.next_multiple_of(GRANULE) < found.root.end {
        let detail = format!("the file ends here, its root says at {}", found.root.end);
        return Err(main.corrupt(size, None, detail));
    }
    Ok(found)
}

fn read_free_list(store: &Store, root: &Root) -> Result<Vec<(u64, u64)>> {
    let at = &root.free_list;
    if at.offset == 0 {
        return Ok(Vec::new());
    }
    let bytes = store.read_plain(at)?;
    parse_free_list(&bytes, root.end).ok_or_else(|| {
        store
            .main
            .corrupt(at.offset, None, "the free list contradicts itself")
    })
}

fn parse_free_list(bytes: &[u8], end: u64) -> Option<Vec<(u64, u64)>> {
    let mut reader = Reader::new(bytes);
    let count = usize::try_from(reader.u64()?).ok()?;
    if count > reader.len() / 16 {
        return None;
    }
    let mut ranges = Vec::with_capacity(count);
    let mut from = FIRST_EXTENT;
    for _ in 0..count {
        let (offset, len) = (reader.u64()?, reader.u64()?);
        let stop = offset.checked_add(len)?;
        let whole = offset.is_multiple_of(GRANULE) && len.is_multiple_of(GRANULE) && len > 0;
        if !whole || offset < from || stop > end {
            return None;
        }
        from = stop;
        ranges.push((offset, len));
    }
    Some(ranges)
}

fn assemble(
    disk: Arc<dyn Disk>,
    path: &Path,
    options: FilePagerOptions,
    main: FileHandle,
    found: FoundRoot,
    log: Option<&FileHandle>,
    read_only: bool,
) -> Result<Core> {
    let root = found.root;
    let space = Arc::new(Space::new(root.end, Lent::of(main.identity())));
    let store = Store::new(
        main,
        Arc::clone(&space),
        options.read_mode,
        options.pool_bytes,
    );
    space.fill(&read_free_list(&store, &root)?);
    let stored =
        |at: ExtentRef| (at.offset != 0).then(|| Arc::new(Extent::stored(at, Arc::clone(&space))));
    let mut replay = Replay {
        store: &store,
        believe: options.has_bug(PlantedBug::NoLogChecksum),
        unsalted: options.has_bug(PlantedBug::NoSalt),
        tree: Tree::stored(stored(root.manifest), root.level),
        key_count: root.key_count,
        next_key: root.next_key,
        last: root.commit,
        generation: root.generation,
        retired: Vec::new(),
    };
    if let Some(log) = log {
        replay.run(log, &root)?;
    }
    let Replay {
        tree,
        key_count,
        next_key,
        last,
        generation,
        retired,
        ..
    } = replay;
    store.set_generation(generation + 1);
    let log = Log::new(
        Arc::clone(&disk),
        log_path(path),
        options.segment_bytes(),
        root.log_salt,
    )
    .without_salt(options.has_bug(PlantedBug::NoSalt));
    Ok(Core {
        disk,
        path: path.to_path_buf(),
        read_only,
        store: Arc::new(store),
        published: RwLock::new(Published {
            tree,
            key_count,
            commit: last,
        }),
        commit: Mutex::new(CommitState {
            last,
            epoch: REPLAY_EPOCH,
            log,
            retired,
        }),
        durability: Durability::new(last),
        checkpoint: Mutex::new(CheckpointState {
            root,
            generation,
            durable_slot: found.slot,
            mirrored: found.mirrored,
            free_list: stored(root.free_list),
        }),
        checkpoint_thread: Mutex::new(None),
        checkpoint_asked: AtomicBool::new(false),
        next_key: AtomicU64::new(next_key),
        poisoned: AtomicBool::new(false),
        options,
    })
}

/// The state that grows while frames are read.
struct Replay<'a> {
    store: &'a Store,
    /// Planted bugs: checksums are not looked at; all salts are one.
    believe: bool,
    unsalted: bool,
    tree: Tree,
    key_count: u64,
    next_key: u64,
    last: u64,
    /// The newest generation of any extent: checkpoints that came to nothing have used some up.
    generation: u64,
    retired: Vec<(u64, Arc<Extent>)>,
}

impl Replay<'_> {
    /// Applies the frames after `root`: to the end of its segment, then through the other one.
    fn run(&mut self, log: &FileHandle, root: &Root) -> Result<()> {
        let segment = root.segment_bytes;
        let first = root.log_start / segment;
        let second = 1 - first.min(1);
        let salt = root.log_salt;
        self.run_segment(log, root.log_start, (first + 1) * segment, salt)?;
        let salt = if self.unsalted { 0 } else { next_salt(salt) };
        self.run_segment(log, second * segment, (second + 1) * segment, salt)
    }

    fn run_segment(&mut self, log: &FileHandle, start: u64, end: u64, salt: u64) -> Result<()> {
        let mut at = start;
        while let Some((kind, payload)) = self.read_frame(log, at, end, salt)? {
            let applied = match kind {
                Kind::Inline => self.apply(&payload, log, at),
                Kind::Extent => self.apply_extent(&payload, log, at),
            };
            match applied {
                Err(_) if self.believe => return Ok(()),
                other => other?,
            }
            self.last += 1;
            at += frame::stored_len(payload.len());
        }
        Ok(())
    }

    /// The frame of the next commit, if that is what stands at `at`.
    fn read_frame(
        &self,
        log: &FileHandle,
        at: u64,
        end: u64,
        salt: u64,
    ) -> Result<Option<(Kind, Vec<u8>)>> {
        let mut header = [0; HEADER];
        if at + HEADER as u64 > end || log.read_up_to(&mut header, at)? < HEADER {
            return Ok(None);
        }
        let Some(header) = frame::open(&header, salt, self.last + 1, self.believe) else {
            return Ok(None);
        };
        if at + frame::stored_len(header.len as usize) > end {
            return Ok(None);
        }
        let mut payload = vec![0; header.len as usize];
        let whole = log.read_up_to(&mut payload, at + HEADER as u64)? == payload.len();
        let intact = whole && (self.believe || header.fits(&payload));
        Ok(intact.then_some((header.kind, payload)))
    }

    /// The extent that a frame names: taken out of the free space.
    fn claim(&mut self, at: ExtentRef, log: &FileHandle, frame_at: u64) -> Result<Arc<Extent>> {
        let end = self.store.main.size()?.next_multiple_of(GRANULE);
        let space = &self.store.space;
        if page::check(&at, end).is_err() || !space.claim(at.offset, at.len) {
            let detail = format!("a frame names {} bytes at {}", at.len, at.offset);
            return Err(log.corrupt(frame_at, None, detail));
        }
        self.generation = self.generation.max(at.generation);
        let extent = Arc::new(Extent::fresh(at, Arc::clone(space), 0));
        extent.adopt();
        space.adopt(at.offset, REPLAY_EPOCH);
        Ok(extent)
    }

    fn apply_extent(&mut self, payload: &[u8], log: &FileHandle, frame_at: u64) -> Result<()> {
        let bad = || log.corrupt(frame_at, None, "a frame names no extent");
        let at = ExtentRef::decode(&mut Reader::new(payload)).ok_or_else(bad)?;
        let extent = self.claim(at, log, frame_at)?;
        let bytes = self.store.read_plain(&at)?;
        self.apply(&bytes, log, frame_at)?;
        self.retire(extent);
        Ok(())
    }

    fn apply(&mut self, payload: &[u8], log: &FileHandle, frame_at: u64) -> Result<()> {
        let bad = || log.corrupt(frame_at, None, "a frame contradicts itself");
        let record = Record::decode(payload).ok_or_else(bad)?;
        for key in record.frees {
            let removed = self.set(key, None)?;
            self.key_count = self.key_count.saturating_sub(u64::from(removed));
        }
        for (key, put) in record.puts {
            let value = match put {
                Put::Bytes(bytes) => Value::memory(Blob::from_bytes(bytes)),
                Put::Extent(at) => Value::stored(self.claim(at, log, frame_at)?),
            };
            let replaced = self.set(key, Some(value))?;
            self.key_count += u64::from(!replaced);
        }
        self.next_key = self.next_key.max(record.next_key);
        Ok(())
    }

    /// Sets a key; true when it held a value.
    fn set(&mut self, key: u64, value: Option<Arc<Value>>) -> Result<bool> {
        self.tree.get(key, self.store)?;
        let mut pages = Vec::new();
        let old = self.tree.set(key, value, &mut pages)?;
        for page in pages {
            self.retire(page);
        }
        if let Some(extent) = old.as_ref().and_then(|v| v.extent()) {
            self.retire(extent);
        }
        Ok(old.is_some())
    }

    fn retire(&mut self, extent: Arc<Extent>) {
        if extent.retire() {
            let at = &extent.at;
            self.store.space.retire(at.offset, at.len, REPLAY_EPOCH);
            self.retired.push((REPLAY_EPOCH, extent));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_give_a_free_list_or_none(
            words in prop::collection::vec(prop_oneof![8 => 0..200_u64, 1 => any::<u64>()], 0..20),
        ) {
            let bytes: Vec<u8> = words.iter().flat_map(|w| w.wrapping_mul(4096).to_le_bytes()).collect();
            if let Some(ranges) = parse_free_list(&bytes, 1 << 30) {
                for pair in ranges.windows(2) {
                    prop_assert!(pair[0].0 + pair[0].1 <= pair[1].0);
                }
            }
        }
    }
}
