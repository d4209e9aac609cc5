//! What can go wrong between the pager and the disk.

use std::path::PathBuf;
use std::sync::Arc;

/// A failure of the storage engine. Every variant names the file, and the offset or key where known.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The operating system refused an operation.
    #[error("cannot {operation} {path}{}: {source}", at_offset(*offset))]
    Io {
        /// The file, or a name for it (`:memory:`).
        path: PathBuf,
        /// `read`, `write`, `sync`, `truncate`, `open`, ...
        operation: &'static str,
        /// Byte offset in the file (0 where the operation has none).
        offset: u64,
        /// The system's error.
        source: Arc<std::io::Error>,
    },
    /// Stored bytes do not match their checksum or contradict their structure.
    #[error("{path} is damaged at offset {offset}{}: {detail}", key.map(|k| format!(" (key {k})")).unwrap_or_default())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Byte offset of the damaged extent.
        offset: u64,
        /// The key whose value is damaged, where one is known.
        key: Option<u64>,
        /// What does not fit.
        detail: String,
    },
    /// The file is no LLKV database.
    #[error("{path} is not an LLKV database: {detail}")]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        detail: String,
    },
    /// The file was written in a later format than this build reads.
    #[error(
        "{path}: written by a later version of LLKV: the file has format {found}, this build reads up to {supported}"
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Format (or minimal reader) that the file asks for.
        found: u32,
        /// Newest format this build understands.
        supported: u32,
    },
    /// A record of the file is of a later version than this build reads, though the file's format is one that it does.
    #[error(
        "{path}: written by a later version of LLKV: {record}{} has version {found}, this build reads up to {supported}",
        key.map(|k| format!(" (key {k})")).unwrap_or_default()
    )]
    NewerRecord {
        /// The file, or the part of the engine that reads it.
        path: PathBuf,
        /// The key whose value the record is in, where one is known.
        key: Option<u64>,
        /// What kind of record it is.
        record: &'static str,
        /// Its version.
        found: u32,
        /// Newest version that this build understands.
        supported: u32,
    },
    /// Another process, or another handle of this process, has the file open: to write, or to read where
    /// this one would write.
    #[error("{path} is in use: one process may write to a database, or many may read it")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A write was asked of a handle opened read-only.
    #[error("{path} is open read-only")]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// No value is stored under the key.
    #[error("{path} has no value for key {key}")]
    MissingKey {
        /// The file.
        path: PathBuf,
        /// The key asked for.
        key: u64,
    },
    /// The disk, or the configured limit, is full. Nothing of the operation was kept.
    #[error("{path}: no space left for {needed_bytes} bytes")]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// Bytes that were asked for.
        needed_bytes: u64,
    },
    /// A sync failed before: what reached the disk is unknown, so the handle takes no more writes.
    #[error(
        "{path}: an earlier sync failed, so the outcome of the last commits is unknown; reopen the file"
    )]
    Poisoned {
        /// The file.
        path: PathBuf,
    },
    /// A value or record is larger than the format allows.
    #[error("{path}: {what} of {size_bytes} bytes is over the limit of {limit_bytes}")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What was too large.
        what: &'static str,
        /// Its size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
}

impl StorageError {
    pub(crate) fn sqlstate(&self) -> &'static str {
        match self {
            Self::Io { .. } => "58030",
            Self::Corrupt { .. } => "XX001",
            Self::NotADatabase { .. } | Self::NewerFormat { .. } => "08001",
            Self::NewerRecord { .. } => "0A000",
            Self::Locked { .. } => "55006",
            Self::ReadOnly { .. } => "25006",
            Self::MissingKey { .. } => "XX002",
            Self::DiskFull { .. } => "53100",
            Self::Poisoned { .. } => "08007",
            Self::TooLarge { .. } => "54000",
        }
    }
}

fn at_offset(offset: u64) -> String {
    match offset {
        0 => String::new(),
        offset => format!(" at offset {offset}"),
    }
}
