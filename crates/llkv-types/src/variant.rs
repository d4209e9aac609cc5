//! Values that carry their own type, as SQLite's do: an integer, a real, a text or a blob per row.
//!
//! A [`SqlType::Variant`](crate::SqlType::Variant) array is a struct of one field, [`FIELD`], which holds
//! each value as bytes whose order is the order of the values: numbers before texts before blobs, integers
//! and reals by their exact value.
//!
//! ```text
//! number  0x10  f64, order-preserving, 8 bytes  |  remainder, 2 bytes  |  0 integer, 1 real
//! text    0x20  UTF-8
//! blob    0x30  bytes
//! ```
//!
//! The float of an integer is the greatest one that is not above it, the remainder what is missing: below
//! 1,024 for every 64-bit integer. A number takes 12 bytes, so it stands in its view. All numbers that are
//! equal differ in the last byte alone: [`key`] drops it, and what is left decides equality and order.

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use llkv_result::{Error, Result};
use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// The name of the only field.
pub const FIELD: &str = "variant";

const NUMBER: u8 = 0x10;
const TEXT: u8 = 0x20;
const BLOB: u8 = 0x30;

const INTEGER: u8 = 0;
const REAL: u8 = 1;

/// Bytes of a number, and of its key.
const NUMBER_BYTES: usize = 12;
const KEY_BYTES: usize = NUMBER_BYTES - 1;

/// Significant digits of a real as text.
const DIGITS: usize = 15;

static FIELDS: LazyLock<Fields> =
    LazyLock::new(|| vec![Field::new(FIELD, DataType::BinaryView, true)].into());

/// A value and its type. NULL is not among them: it is a row without a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Variant<'a> {
    /// A 64-bit integer.
    Integer(i64),
    /// A double, never NaN.
    Real(f64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

impl<'a> Variant<'a> {
    /// A real; `None` for NaN, which SQLite takes for NULL.
    #[must_use]
    pub fn real(value: f64) -> Option<Self> {
        (!value.is_nan()).then_some(Self::Real(value))
    }

    /// The value that bytes stand for; `None` where they stand for none.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        match bytes.split_first()? {
            (&NUMBER, rest) => decode_number(rest),
            (&TEXT, text) => std::str::from_utf8(text).ok().map(Self::Text),
            (&BLOB, blob) => Some(Self::Blob(blob)),
            _ => None,
        }
    }

    /// A value of which [`key`] is the bytes: an integer rather than the real that equals it.
    ///
    /// ```
    /// use llkv_types::variant::{Variant, key};
    ///
    /// let mut bytes = Vec::new();
    /// Variant::Real(2.0).encode(&mut bytes);
    /// assert_eq!(Variant::of_key(key(&bytes)), Some(Variant::Integer(2)));
    /// ```
    #[must_use]
    pub fn of_key(key: &'a [u8]) -> Option<Self> {
        if key.first() != Some(&NUMBER) {
            return Self::decode(key);
        }
        let as_kind = |kind: u8| decode_number(&[key.get(1..)?, &[kind]].concat());
        match as_kind(REAL)? {
            Variant::Real(value) if value.fract() != 0.0 => Some(Self::Real(value)),
            real => as_kind(INTEGER).or(Some(real)),
        }
    }

    /// Puts the bytes of the value behind those in `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(value) => {
                let (float, remainder) = split(*value);
                encode_number(float, remainder, INTEGER, out);
            }
            Self::Real(value) => encode_number(*value, 0, REAL, out),
            Self::Text(text) => {
                out.push(TEXT);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Blob(bytes) => {
                out.push(BLOB);
                out.extend_from_slice(bytes);
            }
        }
    }

    /// What SQLite's `typeof` says.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Integer(_) => "integer",
            Self::Real(_) => "real",
            Self::Text(_) => "text",
            Self::Blob(_) => "blob",
        }
    }

    /// SQLite's order: numbers before texts before blobs; an integer and a real compare exactly.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        let of_reals = |l: f64, r: f64| l.partial_cmp(&r).unwrap_or(Ordering::Equal);
        match (self, other) {
            (Self::Integer(l), Self::Integer(r)) => l.cmp(r),
            (Self::Real(l), Self::Real(r)) => of_reals(*l, *r),
            (Self::Integer(l), Self::Real(r)) => order_of_mixed(*l, *r),
            (Self::Real(l), Self::Integer(r)) => order_of_mixed(*r, *l).reverse(),
            (Self::Text(l), Self::Text(r)) => l.as_bytes().cmp(r.as_bytes()),
            (Self::Blob(l), Self::Blob(r)) => l.cmp(r),
            (l, r) => l.class().cmp(&r.class()),
        }
    }

    /// The first byte of the encoded value.
    const fn class(&self) -> u8 {
        match self {
            Self::Integer(_) | Self::Real(_) => NUMBER,
            Self::Text(_) => TEXT,
            Self::Blob(_) => BLOB,
        }
    }
}

/// How an integer stands to a real that is not NaN, without rounding either.
fn order_of_mixed(integer: i64, real: f64) -> Ordering {
    /// Two to the 63: above all integers.
    const END: f64 = 9_223_372_036_854_775_808.0;
    if real >= END {
        return Ordering::Less;
    }
    if real < -END {
        return Ordering::Greater;
    }
    let whole = real.trunc();
    let order = integer.cmp(&(whole as i64));
    order.then_with(|| match real - whole {
        fraction if fraction > 0.0 => Ordering::Less,
        fraction if fraction < 0.0 => Ordering::Greater,
        _ => Ordering::Equal,
    })
}

impl fmt::Display for Variant<'_> {
    /// The value as SQLite's text of it: 15 digits of a real, a blob's bytes as they are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Real(value) => write_real(f, *value),
            Self::Text(text) => f.write_str(text),
            Self::Blob(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
        }
    }
}

/// The part of an encoded value that decides equality and order.
#[must_use]
pub fn key(bytes: &[u8]) -> &[u8] {
    match bytes.first() {
        Some(&NUMBER) => bytes.get(..KEY_BYTES).unwrap_or(bytes),
        _ => bytes,
    }
}

/// The greatest float that is not above an integer, and what is missing.
fn split(value: i64) -> (f64, u16) {
    let mut float = value as f64;
    if float as i128 > i128::from(value) {
        float = float.next_down();
    }
    (float, (i128::from(value) - float as i128) as u16)
}

fn encode_number(float: f64, remainder: u16, kind: u8, out: &mut Vec<u8>) {
    const SIGN: u64 = 1 << 63;
    // One zero.
    let bits = (float + 0.0).to_bits();
    let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    out.push(NUMBER);
    out.extend_from_slice(&ordered.to_be_bytes());
    out.extend_from_slice(&remainder.to_be_bytes());
    out.push(kind);
}

fn decode_number(rest: &[u8]) -> Option<Variant<'static>> {
    const SIGN: u64 = 1 << 63;
    let (ordered, rest) = rest.split_first_chunk::<8>()?;
    let (remainder, rest) = rest.split_first_chunk::<2>()?;
    let ordered = u64::from_be_bytes(*ordered);
    let bits = if ordered & SIGN == 0 {
        !ordered
    } else {
        ordered & !SIGN
    };
    let float = f64::from_bits(bits);
    match rest {
        [INTEGER] => {
            let value = float as i128 + i128::from(u16::from_be_bytes(*remainder));
            i64::try_from(value).ok().map(Variant::Integer)
        }
        [REAL] => Variant::real(float),
        _ => None,
    }
}

/// A real as SQLite shows it: 15 significant digits, always with a point, an exponent of two digits from
/// `1e15` on and below `0.0001`.
///
/// # Errors
/// Only those of `out`.
pub fn write_real(out: &mut dyn fmt::Write, value: f64) -> fmt::Result {
    if value.is_infinite() {
        return out.write_str(if value > 0.0 { "Inf" } else { "-Inf" });
    }
    if value == 0.0 {
        return out.write_str("0.0");
    }
    let scientific = format!("{:.*e}", DIGITS - 1, value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    if value < 0.0 {
        out.write_char('-')?;
    }
    if exponent < -4 || exponent >= DIGITS as i32 {
        let (first, rest) = digits.split_at(1.min(digits.len()));
        let rest = if rest.is_empty() { "0" } else { rest };
        let sign = if exponent < 0 { '-' } else { '+' };
        return write!(out, "{first}.{rest}e{sign}{:02}", exponent.unsigned_abs());
    }
    if exponent < 0 {
        let zeros = exponent.unsigned_abs() as usize - 1;
        return write!(out, "0.{}{digits}", "0".repeat(zeros));
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return write!(out, "{digits}{}.0", "0".repeat(whole - digits.len()));
    }
    let (whole, fraction) = digits.split_at(whole);
    write!(out, "{whole}.{fraction}")
}

/// The Arrow type of variant arrays.
#[must_use]
pub fn data_type() -> DataType {
    DataType::Struct(FIELDS.clone())
}

/// True for [`data_type`].
#[must_use]
pub fn is_variant(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => match fields.as_ref() {
            [field] => field.name() == FIELD && *field.data_type() == DataType::BinaryView,
            _ => false,
        },
        _ => false,
    }
}

/// The encoded values of a variant array, NULL where it is.
///
/// # Errors
/// For an array of another type.
pub fn encoded(array: &dyn Array) -> Result<BinaryViewArray> {
    let wrong = || Error::internal(format!("expected variants, got {}", array.data_type()));
    if !is_variant(array.data_type()) {
        return Err(wrong());
    }
    let outer = array.as_struct_opt().ok_or_else(wrong)?;
    let inner = outer
        .columns()
        .first()
        .and_then(|column| column.as_binary_view_opt())
        .ok_or_else(wrong)?;
    if outer.null_count() == inner.null_count() {
        return Ok(inner.clone());
    }
    let nulls = NullBuffer::union(outer.nulls(), inner.nulls());
    let (views, buffers, _) = inner.clone().into_parts();
    Ok(BinaryViewArray::try_new(views, buffers, nulls)?)
}

/// The variant array of encoded values.
///
/// # Errors
/// Only when Arrow refuses the parts.
pub fn from_encoded(values: BinaryViewArray) -> Result<ArrayRef> {
    let nulls = values.nulls().cloned();
    let column: ArrayRef = Arc::new(values);
    Ok(Arc::new(StructArray::try_new(
        FIELDS.clone(),
        vec![column],
        nulls,
    )?))
}

/// The value at `row`, `None` for NULL.
///
/// # Errors
/// For bytes that stand for no value.
pub fn value(encoded: &BinaryViewArray, row: usize) -> Result<Option<Variant<'_>>> {
    if row >= encoded.len() || encoded.is_null(row) {
        return Ok(None);
    }
    match Variant::decode(encoded.value(row)) {
        Some(value) => Ok(Some(value)),
        None => Err(Error::internal("bytes that are no variant")),
    }
}

/// Builds a variant array value by value.
#[derive(Debug)]
pub struct VariantBuilder {
    values: BinaryViewBuilder,
    scratch: Vec<u8>,
}

impl VariantBuilder {
    /// An empty one with room for `capacity` values.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            values: BinaryViewBuilder::with_capacity(capacity),
            scratch: Vec::with_capacity(NUMBER_BYTES),
        }
    }

    /// Appends a value, or NULL.
    ///
    /// # Errors
    /// For a value of more than 4 GiB.
    pub fn append(&mut self, value: Option<Variant<'_>>) -> Result<()> {
        match value {
            None => self.values.append_null(),
            Some(value) => {
                self.scratch.clear();
                value.encode(&mut self.scratch);
                self.values.try_append_value(&self.scratch)?;
            }
        }
        Ok(())
    }

    /// Appends a value that is encoded already, or NULL.
    ///
    /// # Errors
    /// As [`VariantBuilder::append`].
    pub fn append_encoded(&mut self, bytes: Option<&[u8]>) -> Result<()> {
        match bytes {
            None => self.values.append_null(),
            Some(bytes) => self.values.try_append_value(bytes)?,
        }
        Ok(())
    }

    /// The array.
    ///
    /// # Errors
    /// Only when Arrow refuses the parts.
    pub fn finish(mut self) -> Result<ArrayRef> {
        from_encoded(self.values.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(value: Variant<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        value.encode(&mut out);
        out
    }

    /// The order of the encoded keys.
    fn order_of_bytes(left: Variant<'_>, right: Variant<'_>) -> Ordering {
        key(&bytes(left)).cmp(key(&bytes(right)))
    }

    fn integers() -> impl Strategy<Value = i64> {
        prop_oneof![
            any::<i64>(),
            -5i64..5,
            (0i64..3000).prop_map(|d| i64::MAX - d),
            (0i64..3000).prop_map(|d| i64::MIN + d),
            (-3000i64..3000).prop_map(|d| (1 << 53) + d),
        ]
    }

    proptest! {
        #[test]
        fn integers_come_back_and_keep_their_order(a in integers(), b in integers()) {
            let (x, y) = (bytes(Variant::Integer(a)), bytes(Variant::Integer(b)));
            prop_assert_eq!(Variant::decode(&x), Some(Variant::Integer(a)));
            prop_assert_eq!(key(&x).cmp(key(&y)), a.cmp(&b));
        }

        #[test]
        fn an_integer_and_a_real_compare_exactly(a in integers(), near in any::<bool>(), b in any::<f64>()) {
            let b = if near { a as f64 } else { b };
            prop_assume!(!b.is_nan());
            let (integer, real) = (Variant::Integer(a), Variant::Real(b));
            prop_assert_eq!(integer.order(&real), order_of_bytes(integer, real));
            prop_assert_eq!(real.order(&integer), order_of_bytes(real, integer));
        }

        #[test]
        fn reals_come_back_and_keep_their_order(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(!a.is_nan() && !b.is_nan());
            let (x, y) = (bytes(Variant::Real(a)), bytes(Variant::Real(b)));
            prop_assert_eq!(Variant::decode(&x), Some(Variant::Real(a)));
            prop_assert_eq!(Some(key(&x).cmp(key(&y))), a.partial_cmp(&b));
        }

        #[test]
        fn any_bytes_decode_or_do_not(bytes in proptest::collection::vec(any::<u8>(), 0..16)) {
            if let Some(value) = Variant::decode(&bytes) {
                prop_assert!(!value.to_string().is_empty() || bytes.len() == 1);
            }
        }
    }

    #[test]
    fn classes_are_ordered() {
        let order = [
            Variant::Real(f64::NEG_INFINITY),
            Variant::Integer(i64::MIN),
            Variant::Real(-0.5),
            Variant::Integer(0),
            Variant::Integer(1),
            Variant::Real(f64::INFINITY),
            Variant::Text(""),
            Variant::Text("0"),
            Variant::Text("a"),
            Variant::Blob(b""),
            Variant::Blob(b"0"),
        ];
        for pair in order.windows(2) {
            assert_eq!(pair[0].order(&pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(order_of_bytes(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(
            Variant::Integer(0).order(&Variant::Real(-0.0)),
            Ordering::Equal
        );
    }

    #[test]
    fn reals_are_shown_with_fifteen_digits() {
        for (value, text) in [
            (1.0, "1.0"),
            (-12.5, "-12.5"),
            (0.1, "0.1"),
            (1e15, "1.0e+15"),
            (123_456_789_012_345_678.0, "1.23456789012346e+17"),
            (1e100, "1.0e+100"),
            (100_000.0, "100000.0"),
            (0.0001, "0.0001"),
            (0.00001, "1.0e-05"),
            (1.0 / 3.0, "0.333333333333333"),
            (0.0, "0.0"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(Variant::Real(value).to_string(), text);
        }
    }

    #[test]
    fn an_array_knows_its_nulls() {
        let mut builder = VariantBuilder::with_capacity(2);
        builder
            .append(Some(Variant::Text("a text longer than a view")))
            .unwrap();
        builder.append(None).unwrap();
        let array = builder.finish().unwrap();
        assert_eq!(array.data_type(), &data_type());
        assert_eq!(array.null_count(), 1);
        let values = encoded(array.as_ref()).unwrap();
        assert_eq!(
            value(&values, 0).unwrap(),
            Some(Variant::Text("a text longer than a view"))
        );
        assert_eq!(value(&values, 1).unwrap(), None);
    }
}
