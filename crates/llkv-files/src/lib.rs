//! CSV, Parquet, JSON and Arrow files as sources and sinks of record batches.
//!
//! A file is read as an [`ExternalSource`]: its schema is found out once, in the Arrow forms of SQL
//! types, then batches stream from it in bounded memory. A file is written through a [`FileSink`];
//! it appears under its name only when it is complete.
//!
//! ```
//! use llkv_files::{open_sink, open_source};
//! use llkv_plan::FileOptions;
//! # use arrow::array::{ArrayRef, Int64Array, RecordBatch};
//! # use std::sync::Arc;
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("numbers.csv");
//! let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
//! let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
//!
//! let mut sink = open_sink(&path, &FileOptions::default(), batch.schema()).unwrap();
//! sink.write(&batch).unwrap();
//! assert_eq!(sink.finish().unwrap(), 3);
//!
//! let source = open_source(&path, &FileOptions::default()).unwrap();
//! let rows: Vec<_> = source.read(0, &[0], 1024).unwrap().collect::<Result<_, _>>().unwrap();
//! assert_eq!(rows[0].column(0), batch.column(0));
//! ```

mod convert;
mod csv;
mod error;
mod format;
mod ipc;
mod json;
mod json_values;
mod parquet;
mod sink;

pub use format::format_of;
pub use sink::{FileSink, open_sink, stream_sink};

use llkv_plan::{ExternalSource, FileFormat, FileOptions};
use llkv_result::Result;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Arc;

/// Opens a file for reading and finds out its schema. With `options.columns` the schema is the given
/// one: values that do not fit it are errors that name the line.
///
/// # Errors
/// When the file cannot be opened, its format is unknown, or its beginning is not of its format.
pub fn open_source(path: &Path, options: &FileOptions) -> Result<Arc<dyn ExternalSource>> {
    let format = format_of(path, options)?;
    // The readers of some formats panic over files that are damaged.
    let opened = catch_unwind(|| open_as(format, path, options));
    opened.unwrap_or_else(|panic| Err(error::of_panic(path, &*panic)))
}

fn open_as(
    format: FileFormat,
    path: &Path,
    options: &FileOptions,
) -> Result<Arc<dyn ExternalSource>> {
    Ok(match format {
        FileFormat::Csv => Arc::new(csv::CsvSource::open(path, options)?),
        FileFormat::Parquet => Arc::new(parquet::ParquetSource::open(path, options)?),
        FileFormat::Json => Arc::new(json::JsonSource::open(path, options)?),
        FileFormat::Arrow => Arc::new(ipc::IpcSource::open(path, options)?),
    })
}
