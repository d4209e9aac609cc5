//! Foreign Arrow types into the Arrow forms of SQL types, and back into forms that writers take.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Field, Schema, SchemaRef, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow::util::display::FormatOptions;
use llkv_expr::CastMode;
use llkv_result::Result;
use llkv_types::{Scalar, SqlType, variant};
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use crate::error::malformed;

/// The schema of SQL forms for a file's own schema.
///
/// # Errors
/// For a column of a type that SQL has no counterpart for.
pub(crate) fn sql_schema(path: &Path, schema: &Schema) -> Result<SchemaRef> {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| {
            let ty = SqlType::from_arrow(field.data_type()).ok_or_else(|| {
                malformed(
                    path,
                    None,
                    format!("column \"{}\" has type {}", field.name(), field.data_type()),
                )
            })?;
            let ty = if ty == SqlType::Null {
                SqlType::Text
            } else {
                ty
            };
            Ok(Field::new(field.name(), ty.to_arrow(), true))
        })
        .collect::<Result<_>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

/// Casts each column to its place in `schema`, texts as INSERT does. A value that does not fit is an error. `first_line`: the line
/// of the first row, where each row is one.
///
/// # Errors
/// [`llkv_result::FileError::Malformed`] naming the column, and the line.
pub(crate) fn to_schema(
    path: &Path,
    batch: &RecordBatch,
    schema: &SchemaRef,
    first_line: Option<u64>,
) -> Result<RecordBatch> {
    let options = CastOptions {
        safe: false,
        format_options: FormatOptions::default(),
    };
    let columns: Vec<ArrayRef> = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                return Ok(Arc::clone(column));
            }
            let named = |e: &dyn Display| format!("column \"{}\": {e}", field.name());
            let is_text = matches!(column.data_type(), DataType::Utf8 | DataType::Utf8View);
            match SqlType::from_arrow(field.data_type()).filter(|_| is_text) {
                Some(ty) => llkv_compute::cast(column, ty, CastMode::Strict).map_err(|e| {
                    let row = refused_row(column, ty).zip(first_line);
                    malformed(path, row.map(|(row, line)| line + row), named(&e))
                }),
                None => cast_with_options(column, field.data_type(), &options)
                    .map_err(|e| malformed(path, None, named(&e))),
            }
        })
        .collect::<Result<_>>()?;
    rebatch(schema, columns, batch.num_rows())
}

/// The first row whose text is no value of a type.
fn refused_row(texts: &ArrayRef, ty: SqlType) -> Option<u64> {
    let tried = llkv_compute::cast(texts, ty, CastMode::Try).ok()?;
    let row = (0..texts.len()).find(|row| texts.is_valid(*row) && tried.is_null(*row))?;
    Some(row as u64)
}

fn rebatch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}

/// Digits that every reader of JSON keeps: numbers are doubles there.
const JSON_DIGITS: u8 = 15;

/// The form in which text writers (CSV, JSON) take a type: intervals and blobs become text, in JSON decimals of more digits than
/// a double keeps too, and in CSV times of day and moments, which are written as SQL writes them.
fn text_form(data_type: &DataType, json: bool) -> DataType {
    match data_type {
        DataType::Timestamp(..) | DataType::Time64(_) if !json => DataType::Utf8,
        DataType::Interval(_) | DataType::BinaryView => DataType::Utf8,
        other if variant::is_variant(other) && !json => DataType::Utf8,
        DataType::Decimal64(p, _) | DataType::Decimal128(p, _) if json && *p > JSON_DIGITS => {
            DataType::Utf8
        }
        DataType::Decimal64(p, s) => DataType::Decimal128(*p, *s),
        other => other.clone(),
    }
}

/// The schema of [`to_text_form`].
pub(crate) fn text_schema(schema: &Schema, json: bool) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|f| Field::new(f.name(), text_form(f.data_type(), json), f.is_nullable()))
        .collect();
    Arc::new(Schema::new(fields))
}

/// A batch as text writers take it. A blob becomes `\x` and hexadecimal digits.
pub(crate) fn to_text_form(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| match column.data_type() {
            // The writers know the calendar to a year some 260,000 off, and no end of a day.
            from if from == field.data_type() => match is_beyond_writers(column) {
                true => llkv_compute::cast(column, SqlType::Text, CastMode::Strict),
                false => Ok(Arc::clone(column)),
            },
            DataType::BinaryView => {
                let texts = column.as_binary_view().iter();
                let texts = texts.map(|bytes| bytes.map(hexadecimal));
                Ok(Arc::new(texts.collect::<StringArray>()) as ArrayRef)
            }
            DataType::Struct(_) => shown(column),
            DataType::Interval(_) | DataType::Timestamp(..) | DataType::Time64(_) => {
                llkv_compute::cast(column, SqlType::Text, CastMode::Strict)
            }
            _ => Ok(arrow::compute::cast(column, field.data_type())?),
        })
        .collect::<Result<_>>()?;
    let fields = schema.fields().iter().zip(&columns);
    let fields = fields.map(|(field, column)| {
        Field::new(
            field.name(),
            column.data_type().clone(),
            field.is_nullable(),
        )
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    rebatch(&schema, columns, batch.num_rows())
}

/// Days and microseconds, before and behind 1970, that the writers can tell.
const MOST_DAYS: i32 = 92_000_000;
const MOST_MICROS: i64 = 8_000_000_000_000_000_000;
const DAY_MICROS: i64 = 86_400_000_000;

/// True for a column with a date or time that the writers of CSV and JSON cannot tell.
fn is_beyond_writers(column: &ArrayRef) -> bool {
    let is_far = |micros: &i64| {
        micros
            .checked_abs()
            .is_none_or(|micros| micros > MOST_MICROS)
    };
    if let Some(days) = column.as_primitive_opt::<Date32Type>() {
        let is_far = |days: i32| days.checked_abs().is_none_or(|days| days > MOST_DAYS);
        return days.iter().flatten().any(is_far);
    }
    if let Some(micros) = column.as_primitive_opt::<Time64MicrosecondType>() {
        return micros.iter().flatten().any(|micros| micros >= DAY_MICROS);
    }
    let micros = column.as_primitive_opt::<TimestampMicrosecondType>();
    micros.is_some_and(|micros| micros.iter().flatten().any(|value| is_far(&value)))
}

/// A blob as its text: `\x` and two digits for each byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("\\x"), |mut text, byte| {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        text
    })
}

/// Values that carry their own type, each as the text of it.
fn shown(column: &ArrayRef) -> Result<ArrayRef> {
    let text = (0..column.len())
        .map(|row| {
            Ok(match Scalar::from_array(column.as_ref(), row)? {
                Scalar::Null(_) => None,
                value => Some(value.to_string()),
            })
        })
        .collect::<Result<StringArray>>()?;
    Ok(Arc::new(text))
}
