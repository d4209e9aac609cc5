//! Which format a file has.

use llkv_plan::{FileFormat, FileOptions};
use llkv_result::{FileError, Result};
use std::path::Path;

/// The format that the options name, or that the file's ending does.
///
/// # Errors
/// [`FileError::UnknownFormat`] where neither is known.
pub fn format_of(path: &Path, options: &FileOptions) -> Result<FileFormat> {
    if let Some(format) = options.format {
        return Ok(format);
    }
    let ending = path
        .extension()
        .map(|e| e.to_string_lossy().to_ascii_lowercase())
        .unwrap_or_default();
    Ok(match ending.as_str() {
        "csv" | "tsv" | "tbl" | "txt" => FileFormat::Csv,
        "parquet" | "pq" => FileFormat::Parquet,
        "json" | "ndjson" | "jsonl" => FileFormat::Json,
        "arrow" | "ipc" | "feather" => FileFormat::Arrow,
        _ => {
            let format = if ending.is_empty() {
                path.display().to_string()
            } else {
                ending
            };
            return Err(FileError::UnknownFormat { format }.into());
        }
    })
}

/// The delimiter that the options name, or that the file's ending implies.
pub(crate) fn delimiter_of(path: &Path, options: &FileOptions) -> u8 {
    let implied = match path.extension().and_then(|e| e.to_str()) {
        Some(e) if e.eq_ignore_ascii_case("tsv") => b'\t',
        Some(e) if e.eq_ignore_ascii_case("tbl") => b'|',
        _ => b',',
    };
    options.delimiter.unwrap_or(implied)
}
