//! Stores the buffers of an Arrow record batch in one file and reads them back without a copy.
//!
//! Run with `cargo run -p llkv-storage --example arrow_buffers`.

use arrow::array::{ArrayData, StringArray};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, make_array};
use arrow::datatypes::{DataType, Field, Schema};
use llkv_storage::{Blob, BoxedPager, FilePager, FilePagerOptions, WriteBatch};
use llkv_types::PhysicalKey;
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

const ROWS: usize = 500_000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("measurements.llkv");
    let mut out = std::io::stdout().lock();
    let batch = measurements()?;

    let pager: BoxedPager = Arc::new(FilePager::open(&path, FilePagerOptions::default())?);
    let start = Instant::now();
    let keys = store(&pager, &batch)?;
    writeln!(
        out,
        "stored {} bytes in {:?}",
        batch.get_array_memory_size(),
        start.elapsed()
    )?;
    drop(pager);

    let pager: BoxedPager = Arc::new(FilePager::open_read_only(
        &path,
        FilePagerOptions::default(),
    )?);
    let start = Instant::now();
    let again = load(&pager, &batch.schema(), &keys)?;
    writeln!(out, "read and verified them in {:?}", start.elapsed())?;
    let start = Instant::now();
    let mapped = load(&pager, &batch.schema(), &keys)?;
    writeln!(out, "and once more, from the map, in {:?}", start.elapsed())?;
    if again != batch || mapped != batch {
        return Err("what was read is not what was stored".into());
    }
    Ok(())
}

fn measurements() -> Result<RecordBatch, Box<dyn Error>> {
    let schema = Schema::new(vec![
        Field::new("time", DataType::Int64, false),
        Field::new("station", DataType::Utf8, false),
        Field::new("celsius", DataType::Float64, false),
    ]);
    let stations = ["Uppsala", "Kyoto", "Valparaíso", "Nairobi"];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(0..ROWS as i64)),
        Arc::new(StringArray::from_iter_values(
            stations.iter().cycle().take(ROWS),
        )),
        Arc::new(Float64Array::from_iter_values(
            (0..ROWS).map(|i| (i % 400) as f64 / 10.0),
        )),
    ];
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

/// Puts every buffer of every column under a key of its own, in one atomic batch.
fn store(pager: &BoxedPager, batch: &RecordBatch) -> Result<Vec<PhysicalKey>, Box<dyn Error>> {
    let data: Vec<ArrayData> = batch
        .columns()
        .iter()
        .map(|column| column.to_data())
        .collect();
    let buffers: Vec<_> = data.iter().flat_map(ArrayData::buffers).cloned().collect();
    let keys: Vec<PhysicalKey> = pager.alloc_many(buffers.len())?.map(PhysicalKey).collect();
    let values = buffers.into_iter().map(Blob::from);
    pager.commit(WriteBatch {
        puts: keys.iter().copied().zip(values).collect(),
        frees: Vec::new(),
    })?;
    Ok(keys)
}

/// Builds the columns from the stored buffers: arrays that borrow the mapped file.
fn load(
    pager: &BoxedPager,
    schema: &Arc<Schema>,
    keys: &[PhysicalKey],
) -> Result<RecordBatch, Box<dyn Error>> {
    let mut buffers = pager
        .batch_get(keys)?
        .into_iter()
        .flatten()
        .map(|blob| blob.buffer());
    let mut columns = Vec::new();
    for field in schema.fields() {
        let count = if field.data_type() == &DataType::Utf8 {
            2
        } else {
            1
        };
        let data = ArrayData::builder(field.data_type().clone())
            .len(ROWS)
            .buffers(buffers.by_ref().take(count).collect())
            .build()?;
        columns.push(make_array(data));
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
