//! Rows that lie in memory as plain batches: what a transaction wrote and has not committed.

use crate::filter::passing_rows;
use crate::{ROW_ID_NAME, ScanRequest};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use llkv_column_map::{ColumnPredicate, RowFilter as RowTest, ScanCounters};
use llkv_result::{Error, Result};
use llkv_types::{FieldId, RowId, TableSchema};
use roaring::RoaringTreemap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A batch of whole rows (all columns of the table, in its order) with the row id of its first row.
#[derive(Debug, Clone)]
pub(crate) struct MemoryBatch {
    pub(crate) first_row_id: RowId,
    pub(crate) rows: RecordBatch,
}

/// A scan over [`MemoryBatch`]es; each is a morsel.
#[derive(Debug)]
pub(crate) struct MemoryScan {
    batches: Vec<MemoryBatch>,
    filter: Arc<RowFilter>,
    batch_rows: usize,
}

/// How rows of a batch become rows of the scan. Columns are positions in the batch.
#[derive(Debug)]
struct RowFilter {
    schema: SchemaRef,
    projection: Vec<usize>,
    with_row_id: bool,
    predicates: Vec<(usize, ColumnPredicate)>,
    /// The caller's test and the columns that it reads.
    test: Option<(RowTest, Vec<usize>)>,
    deleted: Arc<RoaringTreemap>,
    counters: Option<Arc<ScanCounters>>,
}

/// The schema of the batches that a request gets. As in all results, NULL is allowed everywhere: rows that are
/// deleted may have it in a column that is NOT NULL since.
pub(crate) fn scan_schema(table: &TableSchema, request: &ScanRequest) -> Result<SchemaRef> {
    let mut fields = Vec::with_capacity(request.columns.len() + 1);
    for field in &request.columns {
        let column = table.columns.get(position(table, *field)?);
        let column = column.ok_or_else(|| no_such_field(*field))?;
        fields.push(Field::new(&column.name, column.ty.to_arrow(), true));
    }
    if request.with_row_id {
        fields.push(Field::new(ROW_ID_NAME, DataType::UInt64, false));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The position of a field in a table.
pub(crate) fn position(table: &TableSchema, field: FieldId) -> Result<usize> {
    let found = table.columns.iter().position(|c| c.field == field);
    found.ok_or_else(|| no_such_field(field))
}

fn no_such_field(field: FieldId) -> Error {
    Error::internal(format!(
        "a scan asks for field {field}, which the table has not"
    ))
}

impl MemoryScan {
    pub(crate) fn new(
        table: &TableSchema,
        schema: SchemaRef,
        request: &ScanRequest,
        batches: Vec<MemoryBatch>,
        deleted: Arc<RoaringTreemap>,
    ) -> Result<Self> {
        let at = |field: &FieldId| position(table, *field);
        let predicates = request.predicates.iter();
        let test = match &request.filter {
            Some(test) => {
                let columns = test.fields.iter().map(at).collect::<Result<_>>()?;
                Some((test.clone(), columns))
            }
            None => None,
        };
        Ok(Self {
            batches,
            batch_rows: request.batch_rows(),
            filter: Arc::new(RowFilter {
                schema,
                projection: request.columns.iter().map(at).collect::<Result<_>>()?,
                with_row_id: request.with_row_id,
                predicates: predicates
                    .map(|p| Ok((at(&p.field)?, p.clone())))
                    .collect::<Result<_>>()?,
                test,
                deleted,
                counters: request.counters.clone(),
            }),
        })
    }

    pub(crate) fn morsel_count(&self) -> usize {
        self.batches.len()
    }

    pub(crate) fn rows(&self) -> u64 {
        self.batches.iter().map(|b| b.rows.num_rows() as u64).sum()
    }

    /// Streams one morsel.
    pub(crate) fn read(
        &self,
        morsel: usize,
    ) -> Option<impl Iterator<Item = Result<RecordBatch>> + Send + use<>> {
        let batch = self.batches.get(morsel)?.clone();
        let (filter, step) = (Arc::clone(&self.filter), self.batch_rows);
        let starts = (0..batch.rows.num_rows()).step_by(step);
        Some(starts.filter_map(move |start| {
            let rows = step.min(batch.rows.num_rows() - start);
            let part = batch.rows.slice(start, rows);
            let put_out = filter.apply(&part, batch.first_row_id + start as u64);
            put_out
                .map(|rows| (rows.num_rows() > 0).then_some(rows))
                .transpose()
        }))
    }
}

impl RowFilter {
    fn apply(&self, rows: &RecordBatch, first_row_id: RowId) -> Result<RecordBatch> {
        let selected = self.select(rows, first_row_id)?;
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.projection.len() + 1);
        for position in &self.projection {
            columns.push(Arc::clone(rows.column(*position)));
        }
        if self.with_row_id {
            let end = first_row_id + rows.num_rows() as u64;
            columns.push(Arc::new(UInt64Array::from_iter_values(first_row_id..end)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let schema = Arc::clone(&self.schema);
        let mut put_out = RecordBatch::try_new_with_options(schema, columns, &options)?;
        if let Some(selected) = selected {
            put_out = filter_record_batch(&put_out, &BooleanArray::new(selected, None))?;
        }
        self.count(rows.num_rows(), put_out.num_rows());
        Ok(put_out)
    }

    /// The rows put out; `None` for all.
    fn select(&self, rows: &RecordBatch, first_row_id: RowId) -> Result<Option<BooleanBuffer>> {
        let mut selected: Option<BooleanBuffer> = None;
        for (position, predicate) in &self.predicates {
            let passing = passing_rows(&predicate.test, rows.column(*position))?;
            selected = Some(match selected {
                Some(so_far) => &so_far & &passing,
                None => passing,
            });
        }
        let end = first_row_id + rows.num_rows() as u64;
        if self.deleted.range_cardinality(first_row_id..end) > 0 {
            let alive = BooleanBuffer::collect_bool(rows.num_rows(), |row| {
                !self.deleted.contains(first_row_id + row as u64)
            });
            selected = Some(match selected {
                Some(so_far) => &so_far & &alive,
                None => alive,
            });
        }
        if let Some((test, positions)) = &self.test {
            let columns = positions.iter().map(|at| Arc::clone(rows.column(*at)));
            selected = Some(test.narrow(columns.collect(), rows.num_rows(), selected)?);
        }
        Ok(selected)
    }

    fn count(&self, scanned: usize, put_out: usize) {
        if let Some(counters) = &self.counters {
            let add = |counter: &std::sync::atomic::AtomicU64, by: usize| {
                counter.fetch_add(by as u64, Ordering::Relaxed);
            };
            add(&counters.rows_scanned, scanned);
            add(&counters.rows_out, put_out);
            add(&counters.batches_out, usize::from(put_out > 0));
        }
    }
}
