//! What kernels are written with: typed arguments, builders row by row, signatures.

use crate::arrays::{blob, boolean, primitive, text};
use arrow::array::{
    ArrayAccessor, ArrayRef, ArrowPrimitiveType, BinaryViewArray, BooleanArray, PrimitiveArray,
    PrimitiveBuilder, StringViewArray, StringViewBuilder,
};
use llkv_expr::{FunctionArgs, Signature};
use llkv_result::{Error, EvalError, Result};
use llkv_types::SqlType;
use std::sync::Arc;

/// An argument: one value per row or one for all.
#[derive(Clone, Copy)]
pub(super) struct Arg<A> {
    array: A,
    constant: bool,
}

impl<A: ArrayAccessor + Copy> Arg<A> {
    /// The value in a row.
    pub(super) fn get(&self, row: usize) -> Option<A::Item> {
        let row = if self.constant { 0 } else { row };
        (row < self.array.len() && self.array.is_valid(row)).then(|| self.array.value(row))
    }
}

/// The array of an argument.
pub(super) fn array<'a>(args: &FunctionArgs<'a>, at: usize) -> Result<&'a ArrayRef> {
    args.arrays
        .get(at)
        .ok_or_else(|| Error::internal(format!("a function misses its argument {at}")))
}

/// Whether an argument is a single value for all rows.
pub(super) fn is_constant(args: &FunctionArgs<'_>, at: usize) -> bool {
    args.constants.get(at).copied().unwrap_or(false)
}

/// An argument as text.
pub(super) fn texts<'a>(args: &FunctionArgs<'a>, at: usize) -> Result<Arg<&'a StringViewArray>> {
    Ok(Arg {
        array: text(array(args, at)?.as_ref())?,
        constant: is_constant(args, at),
    })
}

/// An argument as bytes.
pub(super) fn blobs<'a>(args: &FunctionArgs<'a>, at: usize) -> Result<Arg<&'a BinaryViewArray>> {
    Ok(Arg {
        array: blob(array(args, at)?.as_ref())?,
        constant: is_constant(args, at),
    })
}

/// An argument as truth values.
pub(super) fn booleans<'a>(args: &FunctionArgs<'a>, at: usize) -> Result<Arg<&'a BooleanArray>> {
    Ok(Arg {
        array: boolean(array(args, at)?.as_ref())?,
        constant: is_constant(args, at),
    })
}

/// An argument as native values.
pub(super) fn natives<'a, T: ArrowPrimitiveType>(
    args: &FunctionArgs<'a>,
    at: usize,
) -> Result<Arg<&'a PrimitiveArray<T>>> {
    Ok(Arg {
        array: primitive::<T>(array(args, at)?.as_ref())?,
        constant: is_constant(args, at),
    })
}

/// Texts, one per row: `f` writes into an empty string and says whether there is a value.
pub(super) fn build_text(
    rows: usize,
    mut f: impl FnMut(usize, &mut String) -> Result<Option<()>>,
) -> Result<ArrayRef> {
    let mut out = StringViewBuilder::with_capacity(rows);
    let mut buffer = String::new();
    for row in 0..rows {
        buffer.clear();
        match f(row, &mut buffer)? {
            Some(()) => out.try_append_value(&buffer)?,
            None => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

/// Native values, one per row, in the type of the result.
pub(super) fn build<T: ArrowPrimitiveType>(
    args: &FunctionArgs<'_>,
    mut f: impl FnMut(usize) -> Result<Option<T::Native>>,
) -> Result<ArrayRef> {
    let mut out = PrimitiveBuilder::<T>::with_capacity(args.rows);
    for row in 0..args.rows {
        out.append_option(f(row)?);
    }
    let array = out.finish().with_data_type(args.result.to_arrow());
    Ok(Arc::new(array))
}

/// Truth values, one per row.
pub(super) fn build_boolean(
    rows: usize,
    f: impl FnMut(usize) -> Result<Option<bool>>,
) -> Result<ArrayRef> {
    let values = (0..rows).map(f).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(BooleanArray::from(values)))
}

/// `InvalidArgument` of a function.
#[cold]
pub(super) fn invalid(function: &'static str, detail: impl Into<String>) -> Error {
    EvalError::InvalidArgument {
        function,
        detail: detail.into(),
    }
    .into()
}

/// `OutOfRange` of a function.
#[cold]
pub(super) fn out_of_range(operation: impl Into<String>, ty: SqlType) -> Error {
    EvalError::OutOfRange {
        operation: operation.into(),
        ty: ty.to_string(),
    }
    .into()
}

/// A signature.
pub(super) fn signature(args: &[SqlType], result: SqlType) -> Option<Signature> {
    Some(Signature {
        args: args.to_vec(),
        result,
    })
}

/// The parameters of a function that takes them and no others; a bare NULL passes for any.
pub(super) fn exactly(
    actual: &[SqlType],
    wanted: &[SqlType],
    result: SqlType,
) -> Option<Signature> {
    let fits = |(actual, wanted): (&SqlType, &SqlType)| match (*actual, *wanted) {
        (SqlType::Null, _) => true,
        (a, SqlType::Float64) => a.is_numeric(),
        (a, SqlType::Int64) => a.is_integer(),
        (SqlType::Date, SqlType::Timestamp) => true,
        (SqlType::TimestampTz, SqlType::Timestamp) => true,
        (a, w) => a == w,
    };
    let matches = actual.len() == wanted.len() && actual.iter().zip(wanted).all(fits);
    if matches {
        signature(wanted, result)
    } else {
        None
    }
}
