//! Errors that name the file.

use llkv_result::{Error, FileError};
use std::any::Any;
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

/// What a reader said when it panicked.
pub(crate) fn of_panic(path: &Path, panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    malformed(
        path,
        None,
        text.unwrap_or_else(|| "the file is damaged".into()),
    )
}
