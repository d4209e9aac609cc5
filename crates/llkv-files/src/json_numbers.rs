//! Numbers that JSON has no form for: NaN and the infinities are written as texts, which columns of doubles take.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type};
use arrow::error::ArrowError;
use arrow_json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder};
use std::sync::LazyLock;

/// Writes columns of floats in which there are such values.
#[derive(Debug)]
pub(crate) struct FloatEncoders;

impl EncoderFactory for FloatEncoders {
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
        let text: &[u8] = match self.values.get(row) {
            Some(value) if value.is_nan() => b"\"NaN\"",
            Some(&f64::INFINITY) => b"\"Infinity\"",
            Some(&f64::NEG_INFINITY) => b"\"-Infinity\"",
            _ => return self.numbers.encode(row, out),
        };
        out.extend_from_slice(text);
    }
}
