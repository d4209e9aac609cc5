//! What can go wrong with files beside the database: CSV, Parquet, JSON, Arrow.

use std::path::PathBuf;

/// A failure of reading or writing an external file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file cannot be opened, read or written.
    #[error("cannot {operation} {path}: {detail}")]
    Io {
        /// The file.
        path: PathBuf,
        /// `open`, `read`, `write`.
        operation: &'static str,
        /// The system's message.
        detail: String,
    },
    /// The content does not fit the format or the schema.
    #[error("{path}{}: {detail}", line.map(|l| format!(", line {l}")).unwrap_or_default())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// One-based line, where the format has lines.
        line: Option<u64>,
        /// What does not fit.
        detail: String,
    },
    /// The format is not known, by name or by file ending.
    #[error("unknown file format \"{format}\"; csv, parquet, json and arrow are known")]
    UnknownFormat {
        /// The name or ending.
        format: String,
    },
    /// The compression is not known.
    #[error("unknown compression \"{compression}\"; zstd, snappy, lz4, gzip and none are known")]
    UnknownCompression {
        /// The name.
        compression: String,
    },
}

impl FileError {
    pub(crate) fn sqlstate(&self) -> &'static str {
        match self {
            Self::Io { .. } => "58030",
            Self::Malformed { .. } => "22P04",
            Self::UnknownFormat { .. } | Self::UnknownCompression { .. } => "22023",
        }
    }
}
