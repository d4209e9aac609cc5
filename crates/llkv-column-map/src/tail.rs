//! The rows committed since the last checkpoint: plain runs, merged so that a small commit stays cheap.

use crate::descriptor::{CreatedRun, IdRun};
use crate::row_group::{GroupData, Layout, PlainData, RowGroup};
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, NullBufferBuilder, PrimitiveArray, RecordBatch,
    RecordBatchOptions, downcast_primitive,
};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use llkv_result::{Error, Result};
use llkv_types::{ROW_GROUP_ROWS, RowId, TxnId, variant};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// So many runs of about one size become one. Each row is copied once a level, and a tail of 100,000
/// single-row commits has at most six levels.
const FAN_IN: usize = 8;

/// Runs with fewer rows are read together with their neighbours: with one batch for each commit that wrote a row or
/// two, a scan of a small table would take several times as long.
const SHORT_RUN_ROWS: usize = FAN_IN * FAN_IN * FAN_IN;

/// Rows that are read together, about.
const READ_ROWS: usize = 2 * SHORT_RUN_ROWS;

/// The runs of a version of a table, ascending by row id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail {
    runs: Vec<Arc<RowGroup>>,
    /// What [`Tail::for_reading`] gives, once somebody has asked.
    read: OnceLock<Vec<Arc<RowGroup>>>,
}

impl Tail {
    /// Appends a run, as [`push`] does.
    ///
    /// # Errors
    /// As [`push`].
    pub(crate) fn push(&mut self, run: RowGroup, barrier: RowId) -> Result<()> {
        self.read = OnceLock::new();
        push(&mut self.runs, run, barrier)
    }

    /// The same rows in fewer runs: neighbours of few rows are one. They are copied for the first reader of a
    /// version, so that commits that nobody reads in between copy nothing.
    pub(crate) fn for_reading(&self) -> &[Arc<RowGroup>] {
        if self.runs.len() < 2 {
            return &self.runs;
        }
        // Runs that cannot be put together are read one by one.
        self.read
            .get_or_init(|| put_together(&self.runs).unwrap_or_else(|_| self.runs.clone()))
    }
}

impl From<Vec<Arc<RowGroup>>> for Tail {
    fn from(runs: Vec<Arc<RowGroup>>) -> Self {
        Self {
            runs,
            read: OnceLock::new(),
        }
    }
}

impl Deref for Tail {
    type Target = [Arc<RowGroup>];

    fn deref(&self) -> &Self::Target {
        &self.runs
    }
}

/// The runs with short neighbours merged. Only where row ids go on without a gap is it sure that no stored rows lie
/// between.
fn put_together(runs: &[Arc<RowGroup>]) -> Result<Vec<Arc<RowGroup>>> {
    let belongs = |left: &Arc<RowGroup>, right: &Arc<RowGroup>| {
        let is_short = left.rows < SHORT_RUN_ROWS && right.rows < SHORT_RUN_ROWS;
        is_short
            && left.last_row_id() + 1 == right.first_row_id()
            && plain(left)
                .zip(plain(right))
                .is_some_and(|(left, right)| left.layout == right.layout)
    };
    let mut all = Vec::new();
    for neighbours in runs.chunk_by(belongs) {
        let mut rest = neighbours;
        while !rest.is_empty() {
            let mut rows = 0;
            let fits = rest.iter().take_while(|run| {
                rows += run.rows;
                rows <= READ_ROWS
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            match now {
                [one] => all.push(Arc::clone(one)),
                several => all.push(Arc::new(merge(several)?)),
            }
            rest = later;
        }
    }
    Ok(all)
}

/// Makes the run of one commit's batch.
pub(crate) fn new_run(
    layout: Arc<Layout>,
    batch: RecordBatch,
    first_row_id: RowId,
    created_by: TxnId,
) -> RowGroup {
    RowGroup::plain(
        layout,
        batch,
        vec![IdRun {
            start: 0,
            first: first_row_id,
        }],
        vec![CreatedRun {
            start: 0,
            created_by,
        }],
    )
}

/// Appends a run, merging runs of one size. `barrier`: runs with a first row id below it are not merged
/// with this one, because stored rows lie between them.
///
/// # Errors
/// When Arrow cannot concatenate the batches (too many bytes of strings).
fn push(tail: &mut Vec<Arc<RowGroup>>, run: RowGroup, barrier: RowId) -> Result<()> {
    tail.push(Arc::new(run));
    loop {
        let Some(last) = tail.last().and_then(|run| plain(run)) else {
            return Ok(());
        };
        let level = level(last.batch.num_rows());
        let mergeable = tail
            .iter()
            .rev()
            .take(FAN_IN)
            .take_while(|run| {
                run.first_row_id() >= barrier
                    && plain(run).is_some_and(|data| {
                        self::level(data.batch.num_rows()) == level && data.layout == last.layout
                    })
            })
            .count();
        let rows: usize = tail.iter().rev().take(FAN_IN).map(|run| run.rows).sum();
        if mergeable < FAN_IN || rows > ROW_GROUP_ROWS {
            return Ok(());
        }
        let runs = tail.split_off(tail.len() - FAN_IN);
        tail.push(Arc::new(merge(&runs)?));
    }
}

fn plain(run: &RowGroup) -> Option<&PlainData> {
    match run.data.as_ref() {
        GroupData::Plain(data) => Some(data),
        GroupData::Stored(_) => None,
    }
}

/// Runs of one level have row counts within a factor of [`FAN_IN`].
fn level(rows: usize) -> u32 {
    rows.max(1).ilog2() / FAN_IN.ilog2()
}

/// One run of several plain ones with the same layout.
fn merge(runs: &[Arc<RowGroup>]) -> Result<RowGroup> {
    let parts: Vec<&PlainData> = runs.iter().filter_map(|run| plain(run)).collect();
    let layout: Arc<Layout> = parts
        .first()
        .map_or_else(|| Arc::from([]), |p| Arc::clone(&p.layout));
    let columns = (0..layout.len())
        .map(|column| {
            let arrays: Vec<&dyn Array> = parts
                .iter()
                .filter_map(|part| part.batch.columns().get(column))
                .map(|array| array.as_ref())
                .collect();
            joined(&arrays)
        })
        .collect::<Result<Vec<_>>>()?;
    let rows = runs.iter().map(|run| run.rows).sum();
    let batch = batch_of(&layout, columns, rows)?;
    let (row_ids, created) = merge_versions(runs.iter().map(Arc::as_ref));
    let merged = RowGroup::plain(layout, batch, row_ids, created);
    if let Some(data) = plain(&merged) {
        data.inherit(&parts);
    }
    Ok(merged)
}

/// The values of arrays of one type, one after the other.
fn joined(arrays: &[&dyn Array]) -> Result<ArrayRef> {
    macro_rules! numbers {
        ($t:ty, $arrays:expr) => {
            Ok(joined_numbers::<$t>($arrays))
        };
    }
    let Some(first) = arrays.first() else {
        return Err(Error::internal("a column of no run"));
    };
    downcast_primitive! {
        first.data_type() => (numbers, arrays),
        _ => Ok(compact(concat(arrays)?)),
    }
}

/// [`joined`] without what Arrow's kernel does for any type: most runs have a row or a few.
fn joined_numbers<T: ArrowPrimitiveType>(arrays: &[&dyn Array]) -> ArrayRef {
    let rows = arrays.iter().map(|array| array.len()).sum();
    let mut values: Vec<T::Native> = Vec::with_capacity(rows);
    let mut nulls = NullBufferBuilder::new(rows);
    let mut data_type = T::DATA_TYPE;
    for array in arrays {
        if let Some(array) = array.as_primitive_opt::<T>() {
            values.extend_from_slice(array.values());
            match array.nulls() {
                Some(own) => nulls.append_buffer(own),
                None => nulls.append_n_non_nulls(array.len()),
            }
            // With the precision, scale or time zone.
            array.data_type().clone_into(&mut data_type);
        }
    }
    let array = PrimitiveArray::<T>::new(values.into(), nulls.finish());
    Arc::new(array.with_data_type(data_type))
}

/// Puts string views into one buffer: merged runs would else drag along one for each commit.
fn compact(array: ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8View if array.as_string_view().data_buffers().len() > 1 => {
            Arc::new(array.as_string_view().gc())
        }
        DataType::BinaryView if array.as_binary_view().data_buffers().len() > 1 => {
            Arc::new(array.as_binary_view().gc())
        }
        DataType::Struct(_) => match variant::encoded(array.as_ref()) {
            Ok(values) if values.data_buffers().len() > 1 => {
                variant::from_encoded(values.gc()).unwrap_or(array)
            }
            _ => array,
        },
        _ => array,
    }
}

/// Row ids and creators of groups that follow each other.
pub(crate) fn merge_versions<'a>(
    groups: impl Iterator<Item = &'a RowGroup>,
) -> (Vec<IdRun>, Vec<CreatedRun>) {
    let mut row_ids: Vec<IdRun> = Vec::new();
    let mut created: Vec<CreatedRun> = Vec::new();
    let mut base = 0;
    for group in groups {
        group.id_ranges(0, group.rows, |start, _, first| {
            push_ids(&mut row_ids, base + start as u32, first);
        });
        for run in &group.created {
            push_created(&mut created, base + run.start, run.created_by);
        }
        base += group.rows as u32;
    }
    (row_ids, created)
}

/// Appends a run of row ids, unless it goes on where the last one ends.
pub(crate) fn push_ids(runs: &mut Vec<IdRun>, start: u32, first: RowId) {
    let continues = runs
        .last()
        .is_some_and(|last| last.first + u64::from(start - last.start) == first);
    if !continues {
        runs.push(IdRun { start, first });
    }
}

/// Appends a run of creators, unless it is that of the last one.
pub(crate) fn push_created(runs: &mut Vec<CreatedRun>, start: u32, created_by: TxnId) {
    if runs.last().is_none_or(|last| last.created_by != created_by) {
        runs.push(CreatedRun { start, created_by });
    }
}

/// The Arrow schema of a layout; columns are named by their field's number.
pub(crate) fn layout_schema(layout: &Layout) -> SchemaRef {
    let fields: Vec<Field> = layout
        .iter()
        .map(|(field, ty)| Field::new(field.to_string(), ty.to_arrow(), true))
        .collect();
    Arc::new(Schema::new(fields))
}

/// A batch of a layout's columns.
///
/// # Errors
/// When the columns do not fit the layout.
pub(crate) fn batch_of(
    layout: &Layout,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    Ok(RecordBatch::try_new_with_options(
        layout_schema(layout),
        columns,
        &RecordBatchOptions::new().with_row_count(Some(rows)),
    )?)
}

/// The rows of plain runs that commits after `applied` created: what a checkpoint leaves over.
pub(crate) fn after(tail: &[Arc<RowGroup>], applied: TxnId) -> Vec<Arc<RowGroup>> {
    let mut out = Vec::new();
    for run in tail {
        let Some(data) = plain(run) else { continue };
        // Rows are in commit order, so the younger ones are a suffix.
        let first = run
            .created
            .iter()
            .find(|created| created.created_by > applied);
        match first {
            None => {}
            Some(first) if first.start == 0 => out.push(Arc::clone(run)),
            Some(first) => {
                let from = first.start as usize;
                let mut row_ids = Vec::new();
                run.id_ranges(from, run.rows - from, |start, _, id| {
                    push_ids(&mut row_ids, (start - from) as u32, id);
                });
                let created = run
                    .created
                    .iter()
                    .filter(|created| created.start >= first.start)
                    .map(|created| CreatedRun {
                        start: created.start - first.start,
                        created_by: created.created_by,
                    })
                    .collect();
                out.push(Arc::new(RowGroup::plain(
                    Arc::clone(&data.layout),
                    data.batch.slice(from, run.rows - from),
                    row_ids,
                    created,
                )));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;
    use llkv_types::{FieldId, SqlType};
    use proptest::prelude::*;

    fn run_of(first_row_id: RowId, rows: usize, created_by: TxnId) -> RowGroup {
        let layout: Arc<Layout> = Arc::from([(FieldId(1), SqlType::Int64)]);
        let values = (0..rows).map(|row| first_row_id as i64 + row as i64);
        let column: ArrayRef = Arc::new(values.collect::<Int64Array>());
        let batch = batch_of(&layout, vec![column], rows).unwrap();
        new_run(layout, batch, first_row_id, created_by)
    }

    /// Row ids and their creators, in order.
    fn rows(runs: &[Arc<RowGroup>]) -> Vec<(RowId, TxnId)> {
        let rows = runs.iter().flat_map(|run| {
            (0..run.rows).map(|at| {
                let after = run
                    .created
                    .partition_point(|made| made.start as usize <= at);
                (run.row_id(at), run.created[after - 1].created_by)
            })
        });
        rows.collect()
    }

    proptest! {
        /// What is read are the rows of the runs, in few pieces where the runs are short and nothing lies between.
        #[test]
        fn what_is_read_is_what_was_written(
            commits in prop::collection::vec((1_usize..40, prop::bool::weighted(0.05)), 1..60)
        ) {
            let mut tail = Tail::default();
            let (mut next, mut written, mut gaps) = (0, 0, 0);
            for (commit, (rows_of_commit, leaves_gap)) in commits.into_iter().enumerate() {
                next += RowId::from(leaves_gap);
                gaps += usize::from(leaves_gap);
                let run = run_of(next, rows_of_commit, commit as TxnId + 1);
                next = run.last_row_id() + 1;
                written += rows_of_commit;
                tail.push(run, 0).unwrap();
                prop_assert_eq!(rows(tail.for_reading()), rows(&tail));
            }
            prop_assert!(tail.for_reading().len() <= 1 + gaps * 2 + written / SHORT_RUN_ROWS * 2);
        }
    }
}
