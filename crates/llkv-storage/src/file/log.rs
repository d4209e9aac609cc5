//! The write-ahead log: two preallocated segments, used in turn, each use under a salt of its own.
//!
//! Frames follow one another from the place that the root names. When a segment is full, they go on
//! at the start of the other one, under the salt that follows from the last: so replay needs no
//! pointer. A segment is free for its next use when a durable root covers all frames in it.

use super::frame::{self, Kind, SECTOR};
use crate::disk::{Disk, FileHandle, OpenMode, io_error};
use llkv_result::Result;
use std::path::PathBuf;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Zeros are written this far ahead of the first frames, then twice as far, up to the second figure:
/// overwriting blocks in place needs no journal commit of the file system, and costs half as much.
const FIRST_ZEROS: u64 = 256 << 10;
const MOST_ZEROS: u64 = 4 << 20;
const ZERO_PIECE: usize = 16 << 10;

/// The log of an open database.
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Opened (and made) when the first batch is logged.
    file: Option<FileHandle>,
    segment_bytes: u64,
    /// Which segment is written, 0 or 1.
    segment: usize,
    /// Where the next frame goes.
    tail: u64,
    salt: u64,
    /// How far each segment has been written before (zeros or frames of former uses).
    prepared: [u64; 2],
    next_zeros: u64,
    /// No durable root needs the other segment.
    other_is_free: bool,
    /// Bytes of frames since the last checkpoint looked.
    live_bytes: u64,
    /// Planted bug: every use has the same salt.
    unsalted: bool,
}

/// Where the frames after a checkpoint begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) segment: usize,
    pub(crate) offset: u64,
    pub(crate) salt: u64,
    pub(crate) live_bytes: u64,
}

/// The salt of the use that follows the one under `salt`.
pub(crate) fn next_salt(salt: u64) -> u64 {
    xxh3_64_with_seed(b"the next use of the log", salt)
}

impl Log {
    pub(crate) fn new(disk: Arc<dyn Disk>, path: PathBuf, segment_bytes: u64, salt: u64) -> Self {
        Self {
            disk,
            path,
            file: None,
            segment_bytes,
            segment: 0,
            tail: 0,
            salt,
            prepared: [0, segment_bytes],
            next_zeros: FIRST_ZEROS,
            other_is_free: true,
            live_bytes: 0,
            unsalted: false,
        }
    }

    pub(crate) fn without_salt(mut self, unsalted: bool) -> Self {
        self.unsalted = unsalted;
        if unsalted {
            self.salt = 0;
        }
        self
    }

    /// Takes over the log file of an earlier process. Its content counts for nothing any more.
    pub(crate) fn adopt_file(&mut self, file: FileHandle) -> Result<()> {
        let size = 2 * self.segment_bytes;
        if file.size()? == size {
            // Who made it may have come no further than that: a power cut would take its name away with all that is logged now.
            self.sync_folder()?;
            self.prepared = [self.segment_bytes, size];
            self.file = Some(file);
            return Ok(());
        }
        drop(file);
        self.remove_file()
    }

    pub(crate) fn file(&self) -> Option<&FileHandle> {
        self.file.as_ref()
    }

    pub(crate) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    pub(crate) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    fn segment_end(&self) -> u64 {
        (self.segment as u64 + 1) * self.segment_bytes
    }

    /// Makes room for a frame of `len` bytes, in the other segment if need be; false when a
    /// checkpoint must free that first.
    pub(crate) fn make_room(&mut self, len: u64) -> bool {
        // A segment is never filled to its last byte, so that an offset tells its segment.
        if self.tail + len < self.segment_end() {
            return true;
        }
        if !self.other_is_free || len >= self.segment_bytes {
            return false;
        }
        self.segment = 1 - self.segment;
        self.tail = self.segment as u64 * self.segment_bytes;
        self.salt = if self.unsalted {
            0
        } else {
            next_salt(self.salt)
        };
        self.other_is_free = false;
        true
    }

    /// Writes a started frame at the tail; [`Log::make_room`] has been asked.
    pub(crate) fn append(
        &mut self,
        frame: &mut Vec<u8>,
        kind: Kind,
        commit: u64,
        payload_checksum: u64,
    ) -> Result<()> {
        frame::seal(frame, kind, self.salt, commit, payload_checksum);
        let len = frame.len() as u64;
        self.prepare(self.tail + len)?;
        let tail = self.tail;
        self.open_file()?.write_all(frame, tail)?;
        self.tail += len;
        self.live_bytes += len;
        Ok(())
    }

    /// Makes sure that what may have reached the disk of a failed [`Log::append`] is no frame.
    pub(crate) fn wipe(&mut self) -> Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        file.write_all(&[0; SECTOR as usize], self.tail)?;
        file.sync_data()
    }

    fn open_file(&mut self) -> Result<&FileHandle> {
        if self.file.is_none() {
            let file = FileHandle::open(&*self.disk, &self.path, OpenMode::Create)?;
            if let Err(error) = self.allocate(&file) {
                // Without a frame in it the file means nothing, and it may stand in nobody's way.
                let _ = self.remove_file();
                return Err(error);
            }
            self.prepared = [0, self.segment_bytes];
            self.file = Some(file);
        }
        let missing = || llkv_result::Error::internal("the log is not open");
        self.file.as_ref().ok_or_else(missing)
    }

    fn allocate(&self, file: &FileHandle) -> Result<()> {
        file.set_size(0)?;
        file.reserve(2 * self.segment_bytes)?;
        file.sync_data()?;
        self.sync_folder()
    }

    fn sync_folder(&self) -> Result<()> {
        let synced = self.disk.sync_folder(&self.path);
        Ok(synced.map_err(|e| io_error(&self.path, "sync the folder of", 0, 0, e))?)
    }

    /// Writes zeros ahead where the segment was never written.
    fn prepare(&mut self, upto: u64) -> Result<()> {
        self.open_file()?;
        let end = self.segment_end();
        let (segment, zeros) = (self.segment, self.next_zeros);
        let (Some(file), Some(prepared)) = (&self.file, self.prepared.get_mut(segment)) else {
            return Ok(());
        };
        if upto <= *prepared {
            return Ok(());
        }
        let stop = upto.max(*prepared + zeros).min(end);
        // In short pieces: the page cache then keeps short folios, and later writes of a frame need
        // not walk through the blocks of a long one.
        let zeros = [0; ZERO_PIECE];
        while *prepared < stop {
            let len = (stop - *prepared).min(ZERO_PIECE as u64);
            file.write_all(zeros.get(..len as usize).unwrap_or_default(), *prepared)?;
            *prepared += len;
        }
        self.next_zeros = (2 * self.next_zeros).min(MOST_ZEROS);
        Ok(())
    }

    /// Where the next frame will be: what a checkpoint that starts now puts into its root.
    pub(crate) fn position(&self) -> Position {
        Position {
            segment: self.segment,
            offset: self.tail,
            salt: self.salt,
            live_bytes: self.live_bytes,
        }
    }

    /// A root with this position is durable.
    pub(crate) fn forget_before(&mut self, position: &Position) {
        self.live_bytes -= position.live_bytes.min(self.live_bytes);
        if self.segment == position.segment {
            self.other_is_free = true;
        }
    }

    /// Starts over at the beginning under `salt`. No root needs anything in the log.
    pub(crate) fn restart(&mut self, salt: u64) {
        self.segment = 0;
        self.tail = 0;
        self.salt = if self.unsalted { 0 } else { salt };
        self.other_is_free = true;
        self.live_bytes = 0;
    }

    /// Planted bug: starts the segment over, visibly so, although a root still needs it.
    pub(crate) fn restart_too_early(&mut self) {
        self.tail = self.segment as u64 * self.segment_bytes;
        self.salt = next_salt(self.salt);
        if let Some(file) = &self.file {
            let _ = file.write_all(&[0; SECTOR as usize], self.tail);
        }
    }

    /// Removes the file: the database is closed and needs no log.
    pub(crate) fn remove(&mut self) -> Result<()> {
        match self.file.take() {
            Some(_) => self.remove_file(),
            None => Ok(()),
        }
    }

    fn remove_file(&self) -> Result<()> {
        let removed = self.disk.remove(&self.path);
        Ok(removed.map_err(|e| io_error(&self.path, "remove", 0, 0, e))?)
    }
}
