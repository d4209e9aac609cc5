//! The one cast.
//!
//! - Integers and decimals must fit; a float becomes an integer rounded half to even, a decimal
//!   loses digits rounded half away from zero; a float becomes a decimal by its shortest decimal form.
//! - Numbers and BOOLEAN convert both ways: zero is false.
//! - TEXT is parsed strictly, surrounding blanks allowed; every type has a text form (`llkv_types::text`).
//! - BLOB as TEXT is `\x` and hexadecimal digits; TEXT as BLOB reads that form, else takes the bytes with the escapes `\\`,
//!   `\xNN` and `\NNN` (octal).
//! - DATE, TIME and the timestamps convert as far as the target has the parts.
//!
//! [`CastMode::Sqlite`] never fails: text gives its numeric prefix or zero, numbers out of range the
//! nearest bound, anything else NULL.

pub(crate) mod decimal;
mod from_text;
mod interval;
mod numeric;
pub(crate) mod parse;
pub(crate) mod sqlite;
mod temporal;
pub(crate) mod to_text;
mod variant;

pub(crate) use decimal::is_total as is_total_cast;

use crate::arrays::{primitive, some_nulls, sql_type};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use llkv_expr::CastMode;
use llkv_result::{Error, EvalError, Result};
use llkv_types::{Scalar, SqlType};
use std::fmt::Display;
use std::sync::Arc;

/// Converts an array. An array in a foreign Arrow form of its type (`Utf8`, a dictionary, timestamps of
/// another unit) is brought into [`SqlType::to_arrow`] first.
///
/// # Errors
/// In strict mode, for the first value without a counterpart: `EvalError::OutOfRange` for a number, or
/// the text of one, that the target cannot hold, else `EvalError::InvalidCast`. The latter too where no
/// cast from one type to the other exists ([`crate::coercion::can_cast`]).
///
/// ```
/// use arrow::array::{ArrayRef, AsArray, StringViewArray};
/// use arrow::datatypes::Int32Type;
/// use llkv_expr::CastMode;
/// use llkv_types::SqlType;
/// use std::sync::Arc;
///
/// let text: ArrayRef = Arc::new(StringViewArray::from(vec!["42", "forty-two"]));
/// let error = llkv_compute::cast(&text, SqlType::Int32, CastMode::Strict).unwrap_err();
/// assert_eq!(error.to_string(), "cannot convert 'forty-two' from VARCHAR to INTEGER");
/// let tried = llkv_compute::cast(&text, SqlType::Int32, CastMode::Try)?;
/// assert_eq!(tried.as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [Some(42), None]);
/// # Ok::<(), llkv_result::Error>(())
/// ```
pub fn cast(array: &ArrayRef, to: SqlType, mode: CastMode) -> Result<ArrayRef> {
    let from = sql_type(array.as_ref())?;
    if *array.data_type() == to.to_arrow() {
        return Ok(array.clone());
    }
    let array = canonical(array, from)?;
    if from == to {
        return Ok(array);
    }
    if array.logical_null_count() == array.len() {
        return Ok(new_null_array(&to.to_arrow(), array.len()));
    }
    Conversion { from, to, mode }.run(&array)
}

/// [`cast`] of a single value.
///
/// # Errors
/// As there.
pub fn cast_scalar(value: &Scalar, to: SqlType, mode: CastMode) -> Result<Scalar> {
    if value.is_null() {
        return Ok(Scalar::Null(to));
    }
    Scalar::from_array(cast(&value.to_array(1)?, to, mode)?.as_ref(), 0)
}

/// The array in the one Arrow form of its SQL type.
fn canonical(array: &ArrayRef, ty: SqlType) -> Result<ArrayRef> {
    let target = ty.to_arrow();
    if *array.data_type() == target {
        return Ok(array.clone());
    }
    let options = arrow::compute::CastOptions {
        safe: false,
        ..Default::default()
    };
    Ok(arrow::compute::cast_with_options(array, &target, &options)?)
}

/// A cast under way: what to do with values that have no counterpart.
#[derive(Clone, Copy)]
pub(super) struct Conversion {
    pub(super) from: SqlType,
    pub(super) to: SqlType,
    pub(super) mode: CastMode,
}

impl Conversion {
    fn run(self, array: &ArrayRef) -> Result<ArrayRef> {
        use SqlType as T;
        match (self.from, self.to) {
            (from, T::Variant) => variant::to_variant(array, from),
            (T::Variant, _) => variant::from_variant(self, array),
            (_, T::Text) => to_text::to_text(array, self.from, self.mode),
            (T::Text, _) if self.mode == CastMode::Sqlite && self.to.is_numeric() => {
                sqlite::numeric_prefix(self, array)
            }
            (T::Text, _) => from_text::from_text(self, array),
            (from, to) if number_like(from) && number_like(to) => numeric::numeric(self, array),
            (T::Blob, to) if self.mode == CastMode::Sqlite && to.is_numeric() => {
                let text = to_text::to_text(array, T::Blob, self.mode)?;
                cast(&text, to, self.mode)
            }
            (from, to) if crate::coercion::can_cast(from, to) => temporal::temporal(self, array),
            _ if self.mode.is_strict() => Err(self.refuse("a value")),
            _ => Ok(new_null_array(&self.to.to_arrow(), array.len())),
        }
    }

    /// The error for a value.
    #[cold]
    pub(super) fn refuse(&self, value: impl Display) -> Error {
        EvalError::InvalidCast {
            value: value.to_string(),
            from: self.from.to_string(),
            to: self.to.to_string(),
        }
        .into()
    }

    /// The error for a number that the target cannot hold.
    #[cold]
    fn out_of_range(&self, value: impl Display) -> Error {
        EvalError::OutOfRange {
            operation: value.to_string(),
            ty: self.to.to_string(),
        }
        .into()
    }

    /// The error for the value in a row.
    #[cold]
    pub(super) fn refuse_row(&self, array: &dyn Array, row: usize) -> Error {
        match Scalar::from_array(array, row) {
            Ok(Scalar::Text(text)) if parse::is_number(&text, self.to) => {
                self.out_of_range(format_args!("'{text}'"))
            }
            Ok(Scalar::Text(text)) => self.refuse(format_args!("'{text}'")),
            Ok(value) if number_like(self.from) && self.to.is_numeric() => self.out_of_range(value),
            Ok(value) => self.refuse(value),
            Err(error) => error,
        }
    }

    /// Converts native values with `convert`, which gives a value and whether there is none. It is
    /// called for NULL rows too.
    pub(super) fn map<S, D>(
        &self,
        array: &dyn Array,
        convert: impl Fn(S::Native) -> (D::Native, bool),
    ) -> Result<ArrayRef>
    where
        S: ArrowPrimitiveType,
        D: ArrowPrimitiveType,
    {
        let source: &PrimitiveArray<S> = primitive::<S>(array)?;
        let mut invalid = false;
        let values: Vec<D::Native> = source
            .values()
            .iter()
            .map(|&value| {
                let (converted, bad) = convert(value);
                invalid |= bad;
                converted
            })
            .collect();
        let mut nulls = source.nulls().cloned();
        if invalid {
            let good = BooleanBuffer::collect_bool(source.len(), |row| {
                source.is_null(row) || !convert(source.value(row)).1
            });
            nulls = self.without(array, nulls, good)?;
        }
        self.finish::<D>(values, nulls)
    }

    /// The nulls after rows that are not `good` were made NULL; an error where that is not allowed.
    pub(super) fn without(
        &self,
        array: &dyn Array,
        nulls: Option<NullBuffer>,
        good: BooleanBuffer,
    ) -> Result<Option<NullBuffer>> {
        if self.mode.is_strict()
            && let Some(row) = (0..good.len()).find(|&row| !good.value(row))
        {
            return Err(self.refuse_row(array, row));
        }
        Ok(NullBuffer::union(
            nulls.as_ref(),
            Some(&NullBuffer::new(good)),
        ))
    }

    /// An array of the target type.
    pub(super) fn finish<D: ArrowPrimitiveType>(
        &self,
        values: Vec<D::Native>,
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef> {
        let array = PrimitiveArray::<D>::try_new(values.into(), nulls)?;
        Ok(Arc::new(array.with_data_type(self.to.to_arrow())))
    }

    /// Converts row by row; `None` is a value without a counterpart.
    pub(super) fn rows<D: ArrowPrimitiveType>(
        &self,
        array: &ArrayRef,
        convert: impl Fn(usize) -> Option<D::Native>,
    ) -> Result<ArrayRef> {
        let nulls = some_nulls(array);
        let mut good = Vec::new();
        let mut values = Vec::with_capacity(array.len());
        for row in 0..array.len() {
            let valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            match valid.then(|| convert(row)) {
                None => values.push(D::Native::default()),
                Some(Some(value)) => values.push(value),
                Some(None) => {
                    if self.mode.is_strict() {
                        return Err(self.refuse_row(array.as_ref(), row));
                    }
                    good.resize(row, true);
                    good.push(false);
                    values.push(D::Native::default());
                }
            }
        }
        if good.is_empty() {
            return self.finish::<D>(values, nulls);
        }
        good.resize(array.len(), true);
        let nulls = self.without(array.as_ref(), nulls, good.into())?;
        self.finish::<D>(values, nulls)
    }
}

/// Numbers and truth values.
fn number_like(ty: SqlType) -> bool {
    ty.is_numeric() || ty == SqlType::Boolean
}
