//! Into values that carry their own type, and out of them.
//!
//! Going in never fails. Coming out strictly, as a value does on its way into a column, takes a real
//! without a fraction for an integer and a text that is a number for that number, and refuses the rest.
//! [`CastMode::Sqlite`] takes what SQLite's CAST takes: everything.

use super::sqlite::{self, Number};
use super::{Conversion, cast};
use crate::arrays::{blob, primitive, some_nulls, text};
use arrow::array::{Array, ArrayRef, BinaryViewBuilder, BooleanArray, StringViewBuilder};
use arrow::datatypes::{Float64Type, Int64Type, UInt64Type};
use llkv_expr::CastMode;
use llkv_result::Result;
use llkv_types::SqlType;
use llkv_types::variant::{self, Variant, VariantBuilder};
use std::sync::Arc;

/// Each value with the type that it has.
pub(super) fn to_variant(array: &ArrayRef, from: SqlType) -> Result<ArrayRef> {
    match from {
        SqlType::Boolean => {
            let numbers = cast(array, SqlType::Int64, CastMode::Strict)?;
            to_variant(&numbers, SqlType::Int64)
        }
        SqlType::Int64 => {
            let values = primitive::<Int64Type>(array.as_ref())?;
            build(array, |row| Some(Variant::Integer(values.value(row))))
        }
        SqlType::UInt64 => {
            let values = primitive::<UInt64Type>(array.as_ref())?;
            build(array, |row| {
                let value = values.value(row);
                let wide = || Variant::Real(value as f64);
                Some(i64::try_from(value).map_or_else(|_| wide(), Variant::Integer))
            })
        }
        SqlType::Float64 => {
            let values = primitive::<Float64Type>(array.as_ref())?;
            build(array, |row| Variant::real(values.value(row)))
        }
        SqlType::Text => {
            let values = text(array.as_ref())?;
            build(array, |row| Some(Variant::Text(values.value(row))))
        }
        SqlType::Blob => {
            let values = blob(array.as_ref())?;
            build(array, |row| Some(Variant::Blob(values.value(row))))
        }
        from => {
            let through = match from {
                from if from.is_integer() => SqlType::Int64,
                from if from.is_numeric() => SqlType::Float64,
                _ => SqlType::Text,
            };
            to_variant(&cast(array, through, CastMode::Strict)?, through)
        }
    }
}

fn build<'a>(array: &ArrayRef, value: impl Fn(usize) -> Option<Variant<'a>>) -> Result<ArrayRef> {
    let nulls = some_nulls(array);
    let mut out = VariantBuilder::with_capacity(array.len());
    for row in 0..array.len() {
        let valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        out.append(valid.then(|| value(row)).flatten())?;
    }
    out.finish()
}

/// Values of one type.
pub(super) fn from_variant(conversion: Conversion, array: &ArrayRef) -> Result<ArrayRef> {
    let through = |ty: SqlType| {
        let step = Conversion {
            to: ty,
            ..conversion
        };
        cast(&from_variant(step, array)?, conversion.to, conversion.mode)
    };
    match conversion.to {
        SqlType::Text => texts(conversion, array),
        SqlType::Int64 => integers(conversion, array),
        SqlType::Float64 => reals(conversion, array),
        SqlType::Blob => blobs(conversion, array),
        SqlType::Boolean => truths(array),
        to if to.is_integer() => through(SqlType::Int64),
        to if to.is_numeric() => through(SqlType::Float64),
        _ => through(SqlType::Text),
    }
}

/// A blob is no text on its way into a column; CAST takes its bytes.
fn texts(conversion: Conversion, array: &ArrayRef) -> Result<ArrayRef> {
    let values = variant::encoded(array.as_ref())?;
    let mut out = StringViewBuilder::with_capacity(values.len());
    for row in 0..values.len() {
        match variant::value(&values, row)? {
            None => out.append_null(),
            Some(Variant::Text(text)) => out.try_append_value(text)?,
            Some(Variant::Blob(_)) if conversion.mode.is_strict() => {
                return Err(conversion.refuse_row(array.as_ref(), row));
            }
            Some(Variant::Blob(_)) if conversion.mode.is_try() => out.append_null(),
            Some(other) => out.try_append_value(other.to_string())?,
        }
    }
    Ok(Arc::new(out.finish()))
}

fn integers(conversion: Conversion, array: &ArrayRef) -> Result<ArrayRef> {
    let values = variant::encoded(array.as_ref())?;
    let lenient = conversion.mode == CastMode::Sqlite;
    conversion.rows::<Int64Type>(array, |row| {
        let value = variant::value(&values, row).ok().flatten()?;
        if lenient {
            return Some(sqlite::integer_prefix(value));
        }
        match sqlite::number(value)? {
            Number::Integer(value) => Some(value),
            Number::Real(value) => sqlite::exact_integer(value),
        }
    })
}

fn reals(conversion: Conversion, array: &ArrayRef) -> Result<ArrayRef> {
    let values = variant::encoded(array.as_ref())?;
    let lenient = conversion.mode == CastMode::Sqlite;
    conversion.rows::<Float64Type>(array, |row| {
        let value = variant::value(&values, row).ok().flatten()?;
        if lenient {
            return Some(sqlite::number_prefix(value).real());
        }
        sqlite::number(value).map(Number::real)
    })
}

fn blobs(conversion: Conversion, array: &ArrayRef) -> Result<ArrayRef> {
    let values = variant::encoded(array.as_ref())?;
    let mut out = BinaryViewBuilder::with_capacity(values.len());
    for row in 0..values.len() {
        match (variant::value(&values, row)?, conversion.mode) {
            (None, _) => out.append_null(),
            (Some(Variant::Blob(bytes)), _) => out.try_append_value(bytes)?,
            (Some(other), CastMode::Sqlite) => out.try_append_value(other.to_string())?,
            (Some(_), mode) if mode.is_try() => out.append_null(),
            (Some(_), _) => return Err(conversion.refuse_row(array.as_ref(), row)),
        }
    }
    Ok(Arc::new(out.finish()))
}

/// What counts as a number other than zero is TRUE.
fn truths(array: &ArrayRef) -> Result<ArrayRef> {
    let values = variant::encoded(array.as_ref())?;
    let truths = (0..values.len())
        .map(|row| {
            Ok(variant::value(&values, row)?
                .map(|value| sqlite::number_prefix(value).real() != 0.0))
        })
        .collect::<Result<BooleanArray>>()?;
    Ok(Arc::new(truths))
}
