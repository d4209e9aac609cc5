//! A scan through an index: the rows that it names and the row groups that it does not know, filtered.

use super::IndexAccess;
use crate::chunk::Chunk;
use crate::column_test::Test;
use crate::encoding::with_scratch;
use crate::kind::Kind;
use crate::row_group::RowGroup;
use crate::scan::gather::gather_columns;
use crate::scan::selection::Selection;
use crate::scan::{ColumnScan, MorselReader, ScanSpec};
use crate::sealed::SealedGroups;
use crate::table_version::TableVersion;
use crate::tail::Tail;
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use llkv_result::{Error, Result};
use llkv_types::{BATCH_ROWS, FieldId, RowId, SqlType};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a scan finds by an index; the same rows, in the same order, that a [`ColumnScan`] puts out.
#[derive(Debug)]
pub struct IndexScan {
    rows: Arc<RowSource>,
    /// Ascending by row id.
    parts: Vec<Part>,
    estimated_rows: u64,
}

#[derive(Debug)]
enum Part {
    /// At most a window of rows.
    Rows(Vec<RowId>),
    Scan(ColumnScan),
}

/// How rows by id become batches.
#[derive(Debug)]
struct RowSource {
    version: Arc<TableVersion>,
    spec: ScanSpec,
    schema: SchemaRef,
    /// The projection, then the other columns that are tested, last those of the caller's test.
    fields: Vec<FieldId>,
    /// Position in `fields`, type, test.
    tests: Vec<(usize, SqlType, Test)>,
}

impl TableVersion {
    /// Starts a scan that reads only what an index does not rule out. `None` where the table has no such
    /// index (yet), or a part of it is damaged: then [`TableVersion::scan`] it is.
    ///
    /// # Errors
    /// When a field is unknown, a predicate does not fit its column, or the pager fails.
    pub fn scan_index(
        self: &Arc<Self>,
        spec: &ScanSpec,
        access: &IndexAccess,
    ) -> Result<Option<IndexScan>> {
        let Some(found) = self.find_keys(access)? else {
            return Ok(None);
        };
        let rows = Arc::new(RowSource::new(Arc::clone(self), spec.clone())?);
        let mut scan = IndexScan {
            estimated_rows: found.row_ids.len() as u64,
            rows,
            parts: Vec::new(),
        };
        let mut row_ids = found.row_ids.as_slice();
        let mut groups = found.scanned.into_iter().peekable();
        while let Some(first) = groups.next() {
            let split = row_ids.partition_point(|id| *id < first.first_row_id());
            let (before, after) = row_ids.split_at(split);
            row_ids = after;
            scan.push_rows(before);
            // Neighbouring groups with no row between them are one scan.
            let mut block = vec![first];
            while let Some(next) =
                groups.next_if(|next| row_ids.first().is_none_or(|id| *id > next.last_row_id()))
            {
                block.push(next);
            }
            scan.push_scan(block)?;
        }
        scan.push_rows(row_ids);
        Ok(Some(scan))
    }
}

impl IndexScan {
    fn push_rows(&mut self, row_ids: &[RowId]) {
        let size = self.rows.spec.batch_rows.clamp(1, BATCH_ROWS);
        let parts = row_ids.chunks(size).map(|ids| Part::Rows(ids.to_vec()));
        self.parts.extend(parts);
    }

    fn push_scan(&mut self, groups: Vec<Arc<RowGroup>>) -> Result<()> {
        let mut version = self.rows.version.as_ref().clone();
        version.groups = Arc::new(SealedGroups::new(groups));
        version.tail = Tail::default();
        let scan = ColumnScan::new(Arc::new(version), self.rows.spec.clone())?;
        self.estimated_rows += scan.estimated_rows();
        self.parts.push(Part::Scan(scan));
        Ok(())
    }

    /// Morsels that [`IndexScan::read`] can be asked for; morsel order is row id order.
    #[must_use]
    pub fn morsel_count(&self) -> usize {
        let of_part = |part: &Part| match part {
            Part::Rows(_) => 1,
            Part::Scan(scan) => scan.morsel_count(),
        };
        self.parts.iter().map(of_part).sum()
    }

    /// Rows that are looked at.
    #[must_use]
    pub const fn estimated_rows(&self) -> u64 {
        self.estimated_rows
    }

    /// Reads one morsel.
    ///
    /// # Errors
    /// When there is no such morsel. Errors of reading come from the iterator.
    pub fn read(&self, morsel: usize) -> Result<IndexMorsel> {
        let mut at = morsel;
        for part in &self.parts {
            match part {
                Part::Rows(row_ids) if at == 0 => {
                    let rows = Arc::clone(&self.rows);
                    let source = MorselSource::Rows(Some((rows, row_ids.clone())));
                    return Ok(IndexMorsel { source });
                }
                Part::Rows(_) => at -= 1,
                Part::Scan(scan) if at < scan.morsel_count() => {
                    let source = MorselSource::Scan(Box::new(scan.read(at)?));
                    return Ok(IndexMorsel { source });
                }
                Part::Scan(scan) => at -= scan.morsel_count(),
            }
        }
        Err(Error::internal(format!("a scan has no morsel {morsel}")))
    }
}

/// The batches of one morsel of an [`IndexScan`].
#[derive(Debug)]
pub struct IndexMorsel {
    source: MorselSource,
}

#[derive(Debug)]
enum MorselSource {
    Rows(Option<(Arc<RowSource>, Vec<RowId>)>),
    Scan(Box<MorselReader>),
}

impl Iterator for IndexMorsel {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.source {
            MorselSource::Rows(rows) => {
                let (rows, row_ids) = rows.take()?;
                let batch = rows.read(row_ids);
                batch
                    .map(|batch| (batch.num_rows() > 0).then_some(batch))
                    .transpose()
            }
            MorselSource::Scan(reader) => reader.next(),
        }
    }
}

impl RowSource {
    fn new(version: Arc<TableVersion>, spec: ScanSpec) -> Result<Self> {
        let mut fields = spec.projection.clone();
        let mut tests = Vec::with_capacity(spec.predicates.len());
        for predicate in &spec.predicates {
            let ty = version.type_of(predicate.field)?;
            let kind = Kind::of(ty).ok_or_else(|| Error::internal("column type"))?;
            let known = fields.iter().position(|field| *field == predicate.field);
            let at = known.unwrap_or_else(|| {
                fields.push(predicate.field);
                fields.len() - 1
            });
            tests.push((at, ty, Test::compile(&predicate.test, kind)?));
        }
        fields.extend(spec.filter.iter().flat_map(|filter| &filter.fields));
        Ok(Self {
            schema: spec.schema_of(|field| version.type_of(field))?,
            fields,
            tests,
            version,
            spec,
        })
    }

    /// Those of some rows that the snapshot sees and that pass all tests.
    fn read(&self, mut row_ids: Vec<RowId>) -> Result<RecordBatch> {
        let looked_at = row_ids.len();
        let mut visible = self
            .version
            .visible(&row_ids, self.spec.snapshot)
            .into_iter();
        row_ids.retain(|_| visible.next() == Some(true));
        if let Some(deleted) = &self.spec.own_deletes {
            row_ids.retain(|id| !deleted.contains(*id));
        }
        let mut put_out = gather_columns(&self.version, &row_ids, &self.fields)?;
        let mut passing = self.test(&put_out, row_ids.len())?;
        if let Some(filter) = &self.spec.filter {
            let first = put_out.len().saturating_sub(filter.fields.len());
            let columns = put_out.split_off(first);
            passing = Some(filter.narrow(columns, row_ids.len(), passing)?);
        }
        put_out.truncate(self.spec.projection.len());
        let rows = row_ids.len();
        if self.spec.with_row_id {
            put_out.push(Arc::new(UInt64Array::from(row_ids)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = Arc::clone(&self.schema);
        let mut batch = RecordBatch::try_new_with_options(schema, put_out, &options)?;
        if let Some(passing) = passing {
            batch = filter_record_batch(&batch, &BooleanArray::new(passing, None))?;
        }
        if let Some(counters) = &self.spec.counters {
            let add = |counter: &std::sync::atomic::AtomicU64, by: usize| {
                counter.fetch_add(by as u64, Ordering::Relaxed);
            };
            add(&counters.rows_scanned, looked_at);
            add(&counters.rows_out, batch.num_rows());
            add(&counters.batches_out, usize::from(batch.num_rows() > 0));
        }
        Ok(batch)
    }

    /// The rows that pass; `None` for all.
    fn test(&self, columns: &[ArrayRef], rows: usize) -> Result<Option<BooleanBuffer>> {
        if self.tests.is_empty() || rows == 0 {
            return Ok(None);
        }
        let mut selection = Selection::new();
        selection.fill(rows);
        for (at, ty, test) in &self.tests {
            let column = columns.get(*at);
            let column = column.ok_or_else(|| Error::internal("a test without its column"))?;
            let chunk = Chunk::from_array(*ty, column)?;
            let answers = chunk.answers(test)?;
            with_scratch(|s| chunk.filter(0, test, &answers, &mut selection, s))?;
        }
        if selection.count() == rows {
            return Ok(None);
        }
        let words = selection.words_mut().to_vec();
        Ok(Some(BooleanBuffer::new(Buffer::from_vec(words), 0, rows)))
    }
}
