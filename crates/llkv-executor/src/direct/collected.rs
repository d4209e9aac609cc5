//! Values as a column.

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, NullBufferBuilder,
    StringViewArray, UInt64Array, new_null_array,
};

use arrow::compute::concat;
use llkv_result::{Error, Result};
use llkv_types::{Scalar, SqlType};
use std::sync::Arc;

/// The column of some values of a type, at least one.
pub(super) fn column(values: &[Scalar], ty: SqlType) -> Result<ArrayRef> {
    macro_rules! plain {
        ($array:ty, $kind:ident) => {{
            let mut plain = Vec::with_capacity(values.len());
            let mut nulls = NullBufferBuilder::new(values.len());
            for value in values {
                match value {
                    Scalar::$kind(value) => plain.push(*value),
                    Scalar::Null(_) => plain.push(Default::default()),
                    other => return Err(stranger(other, ty)),
                }
                nulls.append(!value.is_null());
            }
            Ok(Arc::new(<$array>::new(plain.into(), nulls.finish())))
        }};
    }
    match ty {
        SqlType::Int64 => plain!(Int64Array, Int64),
        SqlType::Int32 => plain!(Int32Array, Int32),
        SqlType::UInt64 => plain!(UInt64Array, UInt64),
        SqlType::Float64 => plain!(Float64Array, Float64),
        SqlType::Boolean => plain!(BooleanArray, Boolean),
        SqlType::Text => {
            let texts = values.iter().map(text).collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(StringViewArray::from_iter(texts)))
        }
        SqlType::Null => Ok(new_null_array(&ty.to_arrow(), values.len())),
        _ => {
            let one = |value: &Scalar| match value {
                Scalar::Null(_) => Scalar::Null(ty).to_array(1),
                value if value.sql_type() == ty => value.to_array(1),
                other => Err(stranger(other, ty)),
            };
            let arrays = values.iter().map(one).collect::<Result<Vec<_>>>()?;
            let arrays: Vec<_> = arrays.iter().map(AsRef::as_ref).collect();
            Ok(concat(&arrays)?)
        }
    }
}

fn text(value: &Scalar) -> Result<Option<&str>> {
    match value {
        Scalar::Text(text) => Ok(Some(text)),
        Scalar::Null(_) => Ok(None),
        other => Err(stranger(other, SqlType::Text)),
    }
}

fn stranger(value: &Scalar, ty: SqlType) -> Error {
    let found = value.sql_type();
    Error::internal(format!("a value of {found} in a column of {ty}"))
}
