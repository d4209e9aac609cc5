//! One temporary file: segments are appended, read, and gone with the file.

use super::{SpillStorage, Spiller, codec};
use crate::batch::Batch;
use arrow::buffer::{Buffer, MutableBuffer};
use arrow::datatypes::SchemaRef;
use llkv_result::{Error, ExecError, Result};
use parking_lot::Mutex;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// A file of segments, made when the first is written. Dropping it removes it.
pub(crate) struct SpillFile {
    spiller: Spiller,
    directory: PathBuf,
    /// Taken when the file is dropped.
    storage: Option<Box<dyn SpillStorage>>,
    /// Where the next segment goes.
    end: Mutex<u64>,
}

/// A batch in a file.
#[derive(Clone)]
pub(crate) struct Segment {
    file: Arc<SpillFile>,
    schema: SchemaRef,
    offset: u64,
    length: usize,
    pub(crate) rows: usize,
    /// Bytes of the batch in memory.
    pub(crate) memory_bytes: u64,
}

impl Segment {
    /// The batch.
    pub(crate) fn read(&self) -> Result<Batch> {
        self.file.read(self)
    }
}

impl SpillFile {
    pub(super) fn create(spiller: Spiller) -> Result<Self> {
        let directory = spiller.space.directory();
        let mut file = Self {
            spiller,
            directory,
            storage: None,
            end: Mutex::new(0),
        };
        let storage = file.spiller.space.create(&file.directory);
        file.storage = Some(storage.map_err(|error| file.failed(&error))?);
        Ok(file)
    }

    /// Writes a batch.
    pub(crate) fn append(self: &Arc<Self>, batch: &Batch) -> Result<Segment> {
        let (bytes, schema) = codec::encode(batch)?;
        let length = bytes.len() as u64;
        let space = &self.spiller.space;
        space
            .take(length)
            .map_err(|needed_bytes| ExecError::TempLimit {
                operator: self.spiller.operator,
                needed_bytes,
                limit_bytes: space.limit_bytes(),
            })?;
        let offset = {
            // What the file takes is given back when it is dropped, whether the write succeeds or not.
            let mut end = self.end.lock();
            let offset = *end;
            *end += length;
            offset
        };
        let written = self.storage()?.write_at(offset, &bytes);
        written.map_err(|error| self.failed(&error))?;
        self.spiller.metrics.spilled(length);
        Ok(Segment {
            file: Arc::clone(self),
            schema,
            offset,
            length: bytes.len(),
            rows: batch.rows,
            memory_bytes: batch.memory_bytes(),
        })
    }

    fn read(&self, segment: &Segment) -> Result<Batch> {
        let mut bytes = MutableBuffer::from_len_zeroed(segment.length);
        let read = self.storage()?.read_at(segment.offset, &mut bytes);
        read.map_err(|error| self.failed(&error))?;
        codec::decode(&Buffer::from(bytes), &segment.schema)
    }

    fn storage(&self) -> Result<&dyn SpillStorage> {
        let closed = || Error::internal("a temporary file is used after its end");
        self.storage.as_deref().ok_or_else(closed)
    }

    fn failed(&self, error: &io::Error) -> Error {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        ExecError::TempFile {
            operator: self.spiller.operator,
            directory: self.directory.display().to_string(),
            is_full: full.contains(&error.kind()),
            detail: error.to_string(),
        }
        .into()
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        // A file that could not be made was not counted.
        if self.storage.take().is_some() {
            self.spiller.space.forget(*self.end.lock());
        }
    }
}
