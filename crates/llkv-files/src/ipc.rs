//! Arrow IPC files: a record batch is a partition.

use crate::convert::{sql_schema, to_schema};
use crate::error::{io, malformed};
use crate::parquet::{positions_in_mask, reorder};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_ipc::reader::FileReader;
use llkv_plan::{BatchIterator, ExternalSource, FileOptions};
use llkv_result::Result;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An Arrow IPC file.
#[derive(Debug)]
pub(crate) struct IpcSource {
    path: PathBuf,
    schema: SchemaRef,
    batches: usize,
}

fn reader(path: &Path, projection: Option<Vec<usize>>) -> Result<FileReader<BufReader<File>>> {
    let file = File::open(path).map_err(|e| io(path, "open", &e))?;
    FileReader::try_new_buffered(file, projection).map_err(|e| malformed(path, None, e))
}

impl IpcSource {
    pub(crate) fn open(path: &Path, _options: &FileOptions) -> Result<Self> {
        let reader = reader(path, None)?;
        let schema = sql_schema(path, &reader.schema())?;
        Ok(Self {
            path: path.into(),
            schema,
            batches: reader.num_batches(),
        })
    }
}

impl ExternalSource for IpcSource {
    fn name(&self) -> String {
        format!("arrow '{}'", self.path.display())
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn partitions(&self) -> usize {
        self.batches.max(1)
    }

    fn read(
        &self,
        partition: usize,
        projection: &[usize],
        batch_rows: usize,
    ) -> Result<BatchIterator> {
        if partition >= self.batches {
            return Ok(Box::new(std::iter::empty()));
        }
        let mut kept = projection.to_vec();
        kept.sort_unstable();
        kept.dedup();
        let mut reader = reader(&self.path, Some(kept))?;
        reader
            .set_index(partition)
            .map_err(|e| malformed(&self.path, None, e))?;
        let positions = positions_in_mask(projection);
        let target = Arc::new(self.schema.project(projection)?);
        let Some(batch) = reader.next() else {
            return Ok(Box::new(std::iter::empty()));
        };
        let batch = batch.map_err(|e| malformed(&self.path, None, e))?;
        let batch = to_schema(&self.path, &reorder(&batch, &positions)?, &target, None)?;
        Ok(Box::new(slices(batch, batch_rows).map(Ok)))
    }
}

fn slices(batch: RecordBatch, batch_rows: usize) -> impl Iterator<Item = RecordBatch> {
    let step = batch_rows.max(1);
    (0..batch.num_rows())
        .step_by(step)
        .map(move |start| batch.slice(start, step.min(batch.num_rows() - start)))
}
