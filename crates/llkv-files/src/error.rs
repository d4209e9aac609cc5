//! Errors that name the file.

use llkv_result::{Error, FileError};
use std::path::Path;

pub(crate) fn io(path: &Path, operation: &'static str, error: &std::io::Error) -> Error {
    FileError::Io {
        path: path.into(),
        operation,
        detail: error.to_string(),
    }
    .into()
}

pub(crate) fn malformed(path: &Path, line: Option<u64>, detail: impl ToString) -> Error {
    FileError::Malformed {
        path: path.into(),
        line,
        detail: detail.to_string(),
    }
    .into()
}
