//! The rows committed since the last checkpoint: plain runs, merged so that a small commit stays cheap.

use crate::descriptor::{CreatedRun, IdRun};
use crate::row_group::{GroupData, Layout, PlainData, RowGroup};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use llkv_result::Result;
use llkv_types::{ROW_GROUP_ROWS, RowId, TxnId, variant};
use std::sync::Arc;

/// So many runs of about one size become one. Each row is copied once a level, and a tail of 100,000
/// single-row commits has at most six levels.
const FAN_IN: usize = 8;

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
pub(crate) fn push(tail: &mut Vec<Arc<RowGroup>>, run: RowGroup, barrier: RowId) -> Result<()> {
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
            Ok(compact(concat(&arrays)?))
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
        for run in &group.row_ids {
            push_ids(&mut row_ids, base + run.start, run.first);
        }
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
