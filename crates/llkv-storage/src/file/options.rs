//! How a file pager is opened.

/// How values are read from the main file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadMode {
    /// Through a map of the file, after a first verified read: no copy, no cache of our own.
    #[default]
    Map,
    /// Through a pool of 64-byte-aligned frames: for files on network or untrusted disks, where a
    /// vanished page of a map would be a signal instead of an error. Every load is verified.
    Pool,
}

/// Settings of a [`FilePager`](crate::FilePager).
#[derive(Debug, Clone)]
pub struct FilePagerOptions {
    /// Bytes of the write-ahead log, rounded up to 128 KiB. Preallocated when the first batch is logged.
    pub log_bytes: u64,
    /// How values are read.
    pub read_mode: ReadMode,
    /// Bytes that the frames of [`ReadMode::Pool`] keep beyond those in use.
    pub pool_bytes: u64,
    /// Checkpoints that a filling log asks for run on a thread of their own (`true`), or in the
    /// caller whose batch crosses the line (`false`: every run of a script does the same I/O).
    pub background_checkpoint: bool,
    /// Closing moves values from the end of the file to free space before them when an eighth of the
    /// file is free, and at least so many bytes.
    pub pack_bytes: u64,
    /// How long opening waits for the lock that another handle has on the file, of this process or another, before it fails
    /// with `Locked`.
    pub lock_timeout_ms: u64,
    /// A protocol bug to commit on purpose, so that the crash tests can be tested.
    #[doc(hidden)]
    pub planted_bug: Option<PlantedBug>,
}

impl Default for FilePagerOptions {
    fn default() -> Self {
        Self {
            // 32 MiB a segment: some 8,000 commits of one 4 KiB page between two checkpoints.
            log_bytes: 64 << 20,
            read_mode: ReadMode::Map,
            pool_bytes: 64 << 20,
            background_checkpoint: true,
            pack_bytes: 1 << 20,
            lock_timeout_ms: 0,
            planted_bug: None,
        }
    }
}

impl FilePagerOptions {
    /// Size of one of the log's two segments.
    pub(crate) fn segment_bytes(&self) -> u64 {
        (self.log_bytes / 2)
            .clamp(64 << 10, 1 << 40)
            .next_multiple_of(64 << 10)
    }

    pub(crate) fn has_bug(&self, bug: PlantedBug) -> bool {
        self.planted_bug == Some(bug)
    }
}

/// The seven classical ways to get a protocol like this wrong.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlantedBug {
    /// Commits are acknowledged without syncing the log.
    NoLogSync,
    /// The root is written without syncing what it names.
    NoDataSync,
    /// Replay believes frames without looking at their checksums.
    NoLogChecksum,
    /// One root slot, overwritten in place.
    OneRootSlot,
    /// All generations of the log share one salt.
    NoSalt,
    /// An extent is reused as soon as its key is gone.
    EarlyReuse,
    /// The log starts over before the root that covers it is durable.
    EarlyLogReset,
}
