//! Values that the writer of JSON knows nothing of. NaN and the infinities, for which JSON has no form, are written as texts,
//! which columns of doubles take; of values that carry their types each is written as what it is.

use crate::convert::hexadecimal;
use arrow::array::{Array, AsArray, BinaryViewArray};
use arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type};
use arrow::error::ArrowError;
use arrow_json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder};
use llkv_types::variant::{self, Variant};
use simd_json::BorrowedValue;
use simd_json::prelude::{ValueBuilder, Writable};
use std::sync::LazyLock;

/// Writes columns in which there may be such values.
#[derive(Debug)]
pub(crate) struct ValueEncoders;

impl EncoderFactory for ValueEncoders {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let values: Vec<f64> = match array.data_type() {
            DataType::Float64 => array.as_primitive::<Float64Type>().values().to_vec(),
            DataType::Float32 => {
                let values = array.as_primitive::<Float32Type>().values();
                values.iter().map(|value| f64::from(*value)).collect()
            }
            of_variants if variant::is_variant(of_variants) => {
                let values = variant::encoded(array)?;
                let nulls = values.nulls().cloned();
                let encoder = Box::new(VariantEncoder { values });
                return Ok(Some(NullableEncoder::new(encoder, nulls)));
            }
            _ => return Ok(None),
        };
        if values.iter().all(|value| value.is_finite()) {
            return Ok(None);
        }
        // Without this factory, which would be asked again.
        static PLAIN: LazyLock<EncoderOptions> = LazyLock::new(EncoderOptions::default);
        let numbers = make_encoder(field, array, &PLAIN)?;
        let encoder = FloatEncoder { values, numbers };
        Ok(Some(NullableEncoder::new(
            Box::new(encoder),
            array.nulls().cloned(),
        )))
    }
}

struct FloatEncoder<'a> {
    values: Vec<f64>,
    numbers: NullableEncoder<'a>,
}

impl Encoder for FloatEncoder<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        match self.values.get(row).and_then(|value| without_form(*value)) {
            Some(text) => write(&text.into(), out),
            None => self.numbers.encode(row, out),
        }
    }
}

/// The text of a number that JSON has no form for.
const fn without_form(value: f64) -> Option<&'static str> {
    match value {
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        value if value.is_nan() => Some("NaN"),
        _ => None,
    }
}

struct VariantEncoder {
    values: BinaryViewArray,
}

impl Encoder for VariantEncoder {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let value = match variant::value(&self.values, row) {
            Ok(Some(Variant::Integer(value))) => value.into(),
            Ok(Some(Variant::Real(value))) => {
                without_form(value).map_or_else(|| value.into(), Into::into)
            }
            Ok(Some(Variant::Text(text))) => text.into(),
            Ok(Some(Variant::Blob(bytes))) => hexadecimal(bytes).into(),
            Ok(None) | Err(_) => BorrowedValue::null(),
        };
        write(&value, out);
    }
}

fn write(value: &BorrowedValue<'_>, out: &mut Vec<u8>) {
    // A vector takes all that is written to it.
    let _ = value.write(out);
}
