//! Record batches inside journal records: raw buffers behind a checked header.
//!
//! ```text
//! rows u32 | columns u16
//! each column: flags u8 (1: validity) | validity bits | values
//! values: fixed width: rows * width bytes; booleans: bits; strings: a length u32 each, then their bytes
//! ```

use crate::bytes::{ByteReader, ByteWriter, damaged};
use crate::chunk::{bitmap, fixed_values, view_parts};
use crate::column_buffer::fixed_array;
use crate::kind::Kind;
use crate::row_group::Layout;
use crate::tail::batch_of;
use crate::views::{self, make_view, stored, typed, view_bytes, view_len};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::buffer::{Buffer, NullBuffer};
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use std::sync::Arc;

const HAS_VALIDITY: u8 = 1;

/// Appends a batch.
///
/// # Errors
/// When the batch does not have the layout's columns in their Arrow forms.
pub(super) fn write(out: &mut ByteWriter, batch: &RecordBatch, layout: &Layout) -> Result<()> {
    if batch.num_columns() != layout.len() {
        return Err(Error::internal(format!(
            "a batch of {} columns for a table of {}",
            batch.num_columns(),
            layout.len()
        )));
    }
    out.u32(batch.num_rows() as u32);
    out.u16(layout.len() as u16);
    for ((_, ty), array) in layout.iter().zip(batch.columns()) {
        if *array.data_type() != ty.to_arrow() {
            return Err(Error::internal(format!(
                "a column of {} where {ty} is stored",
                array.data_type()
            )));
        }
        write_column(out, &stored(*ty, array)?, *ty)?;
    }
    Ok(())
}

fn write_column(out: &mut ByteWriter, array: &ArrayRef, ty: SqlType) -> Result<()> {
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => out.u8(0),
        Some(nulls) => {
            out.u8(HAS_VALIDITY);
            out.raw(nulls.inner().sliced().as_slice());
        }
    }
    match Kind::of(ty) {
        Some(Kind::Bit) => out.raw(array.as_boolean().values().sliced().as_slice()),
        Some(Kind::Bytes { .. }) => {
            let (views, buffers) = view_parts(array);
            for (row, view) in views.iter().enumerate() {
                let len = if array.is_null(row) {
                    0
                } else {
                    view_len(*view)
                };
                out.u32(len as u32);
            }
            for (row, view) in views.iter().enumerate() {
                if array.is_valid(row) {
                    let bytes = view_bytes(view, &buffers);
                    out.raw(bytes.ok_or_else(|| Error::internal("a view outside its data"))?);
                }
            }
        }
        _ => out.raw(fixed_values(array)?.as_slice()),
    }
    Ok(())
}

/// Reads a batch of a layout.
///
/// # Errors
/// When the bytes contradict the layout or their lengths, or a text is no UTF-8.
pub(super) fn read(input: &mut ByteReader<'_>, layout: &Layout) -> Result<RecordBatch> {
    let rows = input.u32()? as usize;
    let columns = usize::from(input.u16()?);
    if columns != layout.len() {
        return Err(damaged(format!(
            "a journal record of {columns} columns for a table of {}",
            layout.len()
        )));
    }
    let arrays = layout
        .iter()
        .map(|(_, ty)| read_column(input, *ty, rows))
        .collect::<Result<Vec<_>>>()?;
    batch_of(layout, arrays, rows)
}

fn read_column(input: &mut ByteReader<'_>, ty: SqlType, rows: usize) -> Result<ArrayRef> {
    let nulls = match input.u8()? {
        0 => None,
        HAS_VALIDITY => Some(NullBuffer::new(read_bits(input, rows)?)),
        flags => return Err(damaged(format!("column flags {flags} in the journal"))),
    };
    match Kind::of(ty) {
        None => Err(damaged("a column of no type in the journal")),
        Some(Kind::Bit) => Ok(Arc::new(BooleanArray::new(read_bits(input, rows)?, nulls))),
        Some(Kind::Bytes { utf8 }) => typed(ty, read_strings(input, rows, nulls, utf8)?),
        Some(kind) => {
            let width = kind.width().map_or(0, super::super::kind::Width::bytes);
            let bytes = input.raw(rows.saturating_mul(width))?;
            fixed_array(ty, &ty.to_arrow(), Buffer::from(bytes), rows, nulls)
        }
    }
}

fn read_bits(input: &mut ByteReader<'_>, rows: usize) -> Result<arrow::buffer::BooleanBuffer> {
    bitmap(Buffer::from(input.raw(rows.div_ceil(8))?), rows)
}

fn read_strings(
    input: &mut ByteReader<'_>,
    rows: usize,
    nulls: Option<NullBuffer>,
    utf8: bool,
) -> Result<ArrayRef> {
    let (lengths, _) = input.raw(rows.saturating_mul(4))?.as_chunks::<4>();
    let mut offsets = Vec::with_capacity(rows + 1);
    let mut end = 0u32;
    offsets.push(end);
    for len in lengths {
        end = end
            .checked_add(u32::from_le_bytes(*len))
            .ok_or_else(|| damaged("string lengths overflow"))?;
        offsets.push(end);
    }
    let data = Buffer::from(input.raw(end as usize)?);
    views::check_strings(&data, &offsets, utf8)?;
    let views: Vec<u128> = offsets
        .windows(2)
        .filter_map(|pair| match pair {
            [from, to] => {
                let bytes = data.get(*from as usize..*to as usize)?;
                Some(make_view(bytes, 0, *from))
            }
            _ => None,
        })
        .collect();
    views::array(views.into(), vec![data], nulls, utf8)
}
