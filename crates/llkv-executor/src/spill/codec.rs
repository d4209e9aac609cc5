//! Batches as bytes: Arrow's IPC message of a batch, with its length and a checksum in front. The checksum is
//! of all that follows the first 64 bytes, seeded with the length: what reads the message trusts the lengths that it finds there.
//!
//! ```text
//! length of the message: u64 little endian | xxh3-64 | zeros to 64 | message | zeros to a multiple of 64 | buffers
//! ```

use crate::batch::{Batch, text_bytes};
use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, RecordBatch, RecordBatchOptions, StructArray,
};
use arrow::buffer::Buffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_ipc::reader::read_record_batch;
use arrow_ipc::root_as_message;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use llkv_result::{Error, Result};
use std::collections::HashMap;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

const ALIGNMENT: usize = 64;

/// The bytes of a batch, and what is needed to read them.
pub(super) fn encode(batch: &Batch) -> Result<(Vec<u8>, SchemaRef)> {
    let columns = batch.columns.iter().map(compacted);
    let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
    let fields = columns
        .iter()
        .map(|c| Field::new("", c.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)?;
    let (_, encoded) = IpcDataGenerator::default().encode(
        &batch,
        &mut DictionaryTracker::new(true),
        &IpcWriteOptions::default(),
        &mut Default::default(),
    )?;
    let body = ALIGNMENT + encoded.ipc_message.len().next_multiple_of(ALIGNMENT);
    let mut bytes = Vec::with_capacity(body + encoded.arrow_data.len());
    bytes.extend_from_slice(&(encoded.ipc_message.len() as u64).to_le_bytes());
    bytes.resize(ALIGNMENT, 0);
    bytes.extend_from_slice(&encoded.ipc_message);
    bytes.resize(body, 0);
    bytes.extend_from_slice(&encoded.arrow_data);
    let (header, rest) = bytes.split_at_mut(ALIGNMENT);
    if let Some(place) = header.get_mut(8..16) {
        let checksum = xxh3_64_with_seed(rest, encoded.ipc_message.len() as u64);
        place.copy_from_slice(&checksum.to_le_bytes());
    }
    Ok((bytes, schema))
}

/// The batch of some bytes.
pub(super) fn decode(bytes: &Buffer, schema: &SchemaRef) -> Result<Batch> {
    let damaged = || Error::internal("a segment of a temporary file is damaged");
    let number = |from: usize| {
        let number = bytes.get(from..from + 8).and_then(|b| b.try_into().ok());
        number.map(u64::from_le_bytes).ok_or_else(damaged)
    };
    let (length, checksum) = (number(0)?, number(8)?);
    let rest = bytes.get(ALIGNMENT..).ok_or_else(damaged)?;
    if xxh3_64_with_seed(rest, length) != checksum {
        return Err(damaged());
    }
    let length = usize::try_from(length).map_err(|_| damaged())?;
    let end = ALIGNMENT.checked_add(length).ok_or_else(damaged)?;
    let message = bytes.get(ALIGNMENT..end).ok_or_else(damaged)?;
    let message = root_as_message(message).map_err(|_| damaged())?;
    let header = message.header_as_record_batch().ok_or_else(damaged)?;
    let body = end.next_multiple_of(ALIGNMENT);
    if body > bytes.len() {
        return Err(damaged());
    }
    let batch = read_record_batch(
        &bytes.slice(body),
        header,
        Arc::clone(schema),
        &HashMap::new(),
        None,
        &message.version(),
    )?;
    let mut batch = Batch::from(batch);
    for column in &mut batch.columns {
        // A text that is kept would keep all bytes of the segment, which nobody counts.
        *column = compacted(column)?;
    }
    Ok(batch)
}

/// The batch, its texts copied where they keep much larger buffers alive: those of a few rows out of many.
pub(super) fn slim(mut batch: Batch) -> Result<Batch> {
    const MUCH_LARGER: u64 = 16;
    for column in &mut batch.columns {
        let buffers = match column.data_type() {
            DataType::Utf8View => column.as_string_view().data_buffers(),
            DataType::BinaryView => column.as_binary_view().data_buffers(),
            _ => continue,
        };
        let held: usize = buffers.iter().map(Buffer::len).sum();
        if held > 0 && held as u64 > MUCH_LARGER * text_bytes(column) {
            *column = compacted(column)?;
        }
    }
    Ok(batch)
}

/// The column without what other rows hold of its buffers: a view's text, a dictionary, a list's values.
pub(crate) fn compacted(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(match column.data_type() {
        DataType::Utf8View if !column.as_string_view().data_buffers().is_empty() => {
            Arc::new(column.as_string_view().gc())
        }
        DataType::BinaryView if !column.as_binary_view().data_buffers().is_empty() => {
            Arc::new(column.as_binary_view().gc())
        }
        DataType::Dictionary(_, values) => compacted(&cast(column, values)?)?,
        DataType::Struct(fields) => {
            let parts = column.as_struct();
            let children = parts.columns().iter().map(compacted);
            let children = children.collect::<Result<Vec<_>>>()?;
            let nulls = parts.nulls().cloned();
            Arc::new(StructArray::try_new_with_length(
                fields.clone(),
                children,
                nulls,
                column.len(),
            )?)
        }
        DataType::List(field) => {
            let list = column.as_list::<i32>();
            let values = compacted(list.values())?;
            let nulls = list.nulls().cloned();
            let offsets = list.offsets().clone();
            Arc::new(ListArray::try_new(
                Arc::clone(field),
                offsets,
                values,
                nulls,
            )?)
        }
        _ => Arc::clone(column),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{BinaryViewArray, Decimal64Array, Int64Array, StringViewArray};
    use arrow::datatypes::{Int64Type, IntervalMonthDayNano};
    use llkv_types::variant::{Variant, VariantBuilder};

    fn round_trip(columns: Vec<ArrayRef>, rows: usize) {
        let batch = Batch::new(columns, rows);
        let (bytes, schema) = encode(&batch).unwrap();
        let back = decode(&Buffer::from_vec(bytes), &schema).unwrap();
        assert_eq!((back.rows, &back.columns), (batch.rows, &batch.columns));
    }

    #[test]
    fn columns_of_all_kinds_come_back() {
        let mut variants = VariantBuilder::with_capacity(3);
        for value in [
            Some(Variant::Text("a text of over twelve bytes")),
            None,
            Some(Variant::Real(0.5)),
        ] {
            variants.append(value).unwrap();
        }
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([
            Some(vec![Some(1), None]),
            None,
            Some(vec![]),
        ]);
        let month = IntervalMonthDayNano::new(1, 2, 3);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])),
            Arc::new(StringViewArray::from(vec![
                Some("a text of over twelve bytes"),
                None,
                Some(""),
            ])),
            Arc::new(BinaryViewArray::from(vec![
                Some(b"\xff".as_slice()),
                None,
                None,
            ])),
            Arc::new(Decimal64Array::from(vec![Some(1), None, Some(-7)])),
            Arc::new(arrow::array::IntervalMonthDayNanoArray::from(vec![
                None,
                Some(month),
                None,
            ])),
            Arc::new(arrow::array::BooleanArray::from(vec![
                None,
                Some(true),
                Some(false),
            ])),
            variants.finish().unwrap(),
            Arc::new(lists),
        ];
        round_trip(columns.clone(), 3);
        round_trip(columns.iter().map(|c| c.slice(1, 2)).collect(), 2);
        round_trip(columns.iter().map(|c| c.slice(1, 0)).collect(), 0);
        round_trip(vec![], 5);
    }

    #[test]
    fn a_few_rows_of_a_large_text_column_take_few_bytes() {
        let texts = (0..10_000).map(|i| format!("the text of row number {i}"));
        let column: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
        let (bytes, _) = encode(&Batch::new(vec![column.slice(77, 2)], 2)).unwrap();
        assert!(bytes.len() < 2_000, "{} bytes", bytes.len());
    }

    #[test]
    fn texts_of_few_rows_let_go_of_the_others() {
        let texts = (0..1_000).map(|i| format!("the text of row number {i}"));
        let column: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
        let held = |rows: usize| {
            let batch = slim(Batch::new(vec![column.slice(10, rows)], rows)).unwrap();
            assert_eq!(batch.columns[0].as_ref(), column.slice(10, rows).as_ref());
            let buffers = batch.columns[0].as_string_view().data_buffers().to_vec();
            buffers.iter().map(Buffer::len).sum::<usize>()
        };
        assert!(held(5) < 200);
        assert!(held(900) > 20_000, "most of the texts are not copied");
    }

    #[test]
    fn texts_that_were_read_hold_themselves_alone() {
        let texts = (0..100).map(|i| format!("the text of row number {i}"));
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
        let batch = Batch::new(vec![texts, numbers], 100);
        let (bytes, schema) = encode(&batch).unwrap();
        let segment = Buffer::from_vec(bytes);
        let inside = segment.as_ptr_range();
        let back = decode(&segment, &schema).unwrap();
        for buffer in back.columns[0].as_string_view().data_buffers() {
            assert!(!inside.contains(&buffer.as_ptr()));
        }
    }

    #[test]
    fn damaged_bytes_are_an_error() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let (bytes, schema) = encode(&Batch::new(vec![column], 3)).unwrap();
        for length in [0, 7, 64, 100, bytes.len() - 64] {
            let cut = Buffer::from_vec(bytes.get(..length).unwrap().to_vec());
            assert!(decode(&cut, &schema).is_err(), "cut at {length}");
        }
        for at in (0..16).chain(64..bytes.len()) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            assert!(decode(&Buffer::from_vec(changed), &schema).is_err(), "{at}");
        }
    }
}
