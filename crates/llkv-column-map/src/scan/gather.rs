//! Rows by id: the point path.

use super::selection::{Positions, WINDOW_ROWS};
use crate::column_buffer::ColumnBuffer;
use crate::encoding::with_scratch;
use crate::row_group::RowGroup;
use crate::table_version::TableVersion;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema};
use llkv_result::{Error, Result};
use llkv_types::{FieldId, RowId};
use std::sync::Arc;

/// Rows of one group, by ascending position.
struct Part<'a> {
    group: &'a Arc<RowGroup>,
    positions: Vec<u32>,
}

/// See [`TableVersion::gather`].
pub(crate) fn gather(
    version: &TableVersion,
    row_ids: &[RowId],
    fields: &[FieldId],
) -> Result<RecordBatch> {
    let columns = gather_columns(version, row_ids, fields)?;
    let schema = fields.iter().map(|field| {
        let ty = version.type_of(*field)?;
        Ok(Field::new(field.to_string(), ty.to_arrow(), true))
    });
    Ok(RecordBatch::try_new_with_options(
        Arc::new(Schema::new(schema.collect::<Result<Vec<_>>>()?)),
        columns,
        &RecordBatchOptions::new().with_row_count(Some(row_ids.len())),
    )?)
}

/// The columns of [`gather`], without a schema.
pub(crate) fn gather_columns(
    version: &TableVersion,
    row_ids: &[RowId],
    fields: &[FieldId],
) -> Result<Vec<ArrayRef>> {
    let ascending = row_ids.is_sorted_by(|a, b| a < b);
    let order = if ascending {
        None
    } else {
        Some(sorted(row_ids))
    };
    let ids = order.as_ref().map_or(row_ids, |order| &order.ids);
    let parts = locate(version, ids)?;
    let mut positions = Positions::default();
    let mut columns = Vec::with_capacity(fields.len());
    for field in fields {
        let stored = version.column(*field)?;
        let ty = stored.ty;
        let mut column = ColumnBuffer::new(ty, ids.len())?;
        column.reserve();
        for part in &parts {
            let chunk = part.group.chunk(&stored)?;
            for window in part
                .positions
                .chunk_by(|a, b| *a as usize / WINDOW_ROWS == *b as usize / WINDOW_ROWS)
            {
                let first = window.first().map_or(0, |p| *p as usize);
                let start = first / WINDOW_ROWS * WINDOW_ROWS;
                positions.load_rows(window.iter().map(|p| (*p as usize - start) as u16));
                with_scratch(|s| chunk.append_at(start, &positions, &mut column, s))?;
            }
        }
        let array = column.finish()?;
        columns.push(match &order {
            Some(order) => take(&array, &order.back, None)?,
            None => array,
        });
    }
    Ok(columns)
}

/// Distinct ids in ascending order, and where each wanted row is among them.
struct Order {
    ids: Vec<RowId>,
    back: UInt32Array,
}

fn sorted(row_ids: &[RowId]) -> Order {
    let mut ids = row_ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let back = row_ids
        .iter()
        .map(|id| ids.partition_point(|other| other < id) as u32)
        .collect::<Vec<u32>>();
    Order {
        back: UInt32Array::from(back),
        ids,
    }
}

fn locate<'a>(version: &'a TableVersion, ids: &[RowId]) -> Result<Vec<Part<'a>>> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    for id in ids {
        if let Some(part) = parts.last_mut()
            && let Some(position) = part.group.position(*id)
        {
            part.positions.push(position as u32);
            continue;
        }
        let (group, position) = version
            .locate(*id)
            .ok_or_else(|| Error::internal(format!("table {} has no row {id}", version.table)))?;
        parts.push(Part {
            group,
            positions: vec![position as u32],
        });
    }
    Ok(parts)
}
