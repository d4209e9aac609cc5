//! Sources of rows that are no tables: files and system views.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use std::fmt;

/// Batches of one partition of a source.
pub type BatchIterator = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Something that can be scanned: a Parquet file, a CSV file, a system view.
pub trait ExternalSource: fmt::Debug + Send + Sync {
    /// What EXPLAIN calls it.
    fn name(&self) -> String;

    /// Its columns; types are the Arrow forms of SQL types.
    fn schema(&self) -> SchemaRef;

    /// Rows, where they are known beforehand.
    fn estimated_rows(&self) -> Option<u64> {
        None
    }

    /// Parts that may be read at the same time (row groups of a Parquet file); at least 1.
    fn partitions(&self) -> usize {
        1
    }

    /// Streams one part: columns `projection` (positions in the schema, in that order), batches of at
    /// most `batch_rows` rows. The parts in their order are the rows of the source in order.
    ///
    /// # Errors
    /// When the part cannot be opened; errors within it come from the iterator.
    fn read(
        &self,
        partition: usize,
        projection: &[usize],
        batch_rows: usize,
    ) -> Result<BatchIterator>;
}

/// Rows in memory as a source of one partition: a batch that is appended, a system view.
#[derive(Debug)]
pub struct BatchSource {
    name: String,
    batch: RecordBatch,
}

impl BatchSource {
    /// A batch, and what EXPLAIN calls it.
    #[must_use]
    pub fn new(name: impl Into<String>, batch: RecordBatch) -> Self {
        Self {
            name: name.into(),
            batch,
        }
    }
}

impl ExternalSource for BatchSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn schema(&self) -> SchemaRef {
        self.batch.schema()
    }

    fn estimated_rows(&self) -> Option<u64> {
        Some(self.batch.num_rows() as u64)
    }

    fn read(
        &self,
        partition: usize,
        projection: &[usize],
        batch_rows: usize,
    ) -> Result<BatchIterator> {
        if partition > 0 {
            return Err(Error::internal("a batch has one partition"));
        }
        let batch = self.batch.project(projection)?;
        let step = batch_rows.max(1);
        let starts = (0..batch.num_rows()).step_by(step);
        Ok(Box::new(starts.map(move |start| {
            Ok(batch.slice(start, step.min(batch.num_rows() - start)))
        })))
    }
}

/// Formats of external files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// Delimited text.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// Newline-delimited JSON.
    Json,
    /// Arrow IPC file.
    Arrow,
}

/// How a file is read or written; what is absent is found out or has the format's default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileOptions {
    /// Format; by the file's ending where absent.
    pub format: Option<FileFormat>,
    /// CSV: does the first line hold names? Found out on reading, written by default.
    pub header: Option<bool>,
    /// CSV: delimiter.
    pub delimiter: Option<u8>,
    /// CSV: quote.
    pub quote: Option<u8>,
    /// CSV: escape.
    pub escape: Option<u8>,
    /// CSV: text that stands for NULL; the empty field by default.
    pub null: Option<String>,
    /// Parquet: compression by its usual name: `zstd`, `snappy`, `lz4`, `gzip`, `none`.
    pub compression: Option<String>,
    /// Reading: names and types of the columns, in the Arrow forms of SQL types, instead of
    /// those that the file seems to have. COPY gives the columns of its table, so that a code such
    /// as `007` stays text.
    pub columns: Option<SchemaRef>,
    /// CSV, reading: every column is text.
    pub all_text: bool,
    /// CSV, reading: types of some columns, by their names, instead of those that they seem to have.
    pub types: Vec<(String, SqlType)>,
}
