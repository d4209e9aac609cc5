//! Tests of the crate's doors against simple references.

mod accumulators;
mod arithmetic;
mod casts;
mod functions;
mod moments;
mod prepared;
mod windows;

use crate::fold;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use llkv_expr::{ColumnId, Expr};
use llkv_types::{Scalar, SqlType};
use std::sync::Arc;

fn text(value: &str) -> Scalar {
    Scalar::Text(value.into())
}

fn int(value: i32) -> Scalar {
    Scalar::Int32(value)
}

fn decimal(value: i128, precision: u8, scale: u8) -> Scalar {
    Scalar::Decimal {
        value,
        precision,
        scale,
    }
}

fn lit(scalar: Scalar) -> Expr {
    Expr::Literal(scalar)
}

fn col(position: u32, ty: SqlType) -> Expr {
    Expr::column(ColumnId(position), ty)
}

/// A column of scalars, which must be of `ty` or NULL.
fn column(ty: SqlType, values: &[Scalar]) -> ArrayRef {
    let arrays: Vec<_> = values
        .iter()
        .map(|v| {
            let v = if v.is_null() {
                Scalar::Null(ty)
            } else {
                v.clone()
            };
            v.to_array(1).unwrap()
        })
        .collect();
    if arrays.is_empty() {
        return arrow::array::new_empty_array(&ty.to_arrow());
    }
    let arrays: Vec<_> = arrays.iter().map(AsRef::as_ref).collect();
    arrow::compute::concat(&arrays).unwrap()
}

fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
    let rows = columns.first().map_or(1, |c| c.len());
    let fields: Vec<_> = columns
        .iter()
        .map(|c| Field::new("c", c.data_type().clone(), true))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).unwrap()
}

fn scalars(array: &ArrayRef) -> Vec<Scalar> {
    (0..array.len())
        .map(|row| Scalar::from_array(array.as_ref(), row).unwrap())
        .collect()
}

/// The value as text, or the error.
fn shown(expr: &Expr) -> String {
    match fold(expr) {
        Ok(value) => value.to_string(),
        Err(error) => format!("error: {error}"),
    }
}
