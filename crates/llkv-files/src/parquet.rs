//! Parquet files: a row group is a partition.

use crate::convert::{sql_schema, to_schema};
use crate::error::{io, malformed};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use llkv_plan::{BatchIterator, ExternalSource, FileOptions};
use llkv_result::Result;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A Parquet file, its footer read once.
pub(crate) struct ParquetSource {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    schema: SchemaRef,
}

impl std::fmt::Debug for ParquetSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ParquetSource({})", self.path.display())
    }
}

/// Strings and blobs are decoded into views at once: long values are then never copied again.
fn with_views(schema: &Schema) -> SchemaRef {
    let view = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View))
        }
        DataType::Binary | DataType::LargeBinary => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::BinaryView))
        }
        _ => Arc::clone(field),
    };
    let fields: Vec<Arc<Field>> = schema.fields().iter().map(view).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

impl ParquetSource {
    pub(crate) fn open(path: &Path, _options: &FileOptions) -> Result<Self> {
        let file = File::open(path).map_err(|e| io(path, "open", &e))?;
        let own = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())
            .map_err(|e| malformed(path, None, e))?;
        let schema = sql_schema(path, own.schema())?;
        let views = ArrowReaderOptions::new().with_schema(with_views(own.schema()));
        let metadata =
            ArrowReaderMetadata::try_new(Arc::clone(own.metadata()), views).unwrap_or(own);
        Ok(Self {
            path: path.into(),
            metadata,
            schema,
        })
    }
}

impl ExternalSource for ParquetSource {
    fn name(&self) -> String {
        format!("parquet '{}'", self.path.display())
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn estimated_rows(&self) -> Option<u64> {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).ok()
    }

    fn partitions(&self) -> usize {
        self.metadata.metadata().num_row_groups().max(1)
    }

    fn read(
        &self,
        partition: usize,
        projection: &[usize],
        batch_rows: usize,
    ) -> Result<BatchIterator> {
        if partition >= self.metadata.metadata().num_row_groups() {
            return Ok(Box::new(std::iter::empty()));
        }
        // Not a clone of one handle: clones share their position in the file, and partitions
        // are read side by side.
        let file = File::open(&self.path).map_err(|e| io(&self.path, "open", &e))?;
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), projection.iter().copied());
        let reader = builder
            .with_row_groups(vec![partition])
            .with_projection(mask)
            .with_batch_size(batch_rows)
            .build()
            .map_err(|e| malformed(&self.path, None, e))?;
        let positions = positions_in_mask(projection);
        let target = Arc::new(self.schema.project(projection)?);
        let path = self.path.clone();
        Ok(Box::new(reader.map(move |batch| {
            let batch = batch.map_err(|e| malformed(&path, None, e))?;
            to_schema(&path, &reorder(&batch, &positions)?, &target, None)
        })))
    }
}

/// A mask keeps the file's order and each column once: where each wanted column stands in it.
pub(crate) fn positions_in_mask(projection: &[usize]) -> Vec<usize> {
    let mut kept = projection.to_vec();
    kept.sort_unstable();
    kept.dedup();
    projection
        .iter()
        .filter_map(|wanted| kept.binary_search(wanted).ok())
        .collect()
}

/// The columns of a batch in the wanted order.
pub(crate) fn reorder(batch: &RecordBatch, positions: &[usize]) -> Result<RecordBatch> {
    Ok(batch.project(positions)?)
}
