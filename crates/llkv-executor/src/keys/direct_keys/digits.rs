//! The digits that a column gives to combinations: zero for NULL, then its values in order of size or of appearance.

use super::is_coded;
use crate::keys::GroupTable;
use arrow::array::{Array, ArrayData, ArrayRef, AsArray, BooleanArray, UInt32Array, make_array};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, UInt32Type};
use llkv_result::{Error, Result};
use std::sync::Arc;

/// Texts of several dictionaries that a column remembers.
const MAX_TEXTS: usize = 1 << 16;

/// The values that have digits: from `low` to `high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::keys) struct Span {
    low: i64,
    high: i64,
}

impl Span {
    /// Digits in all, one of them for NULL; the highest number where they are too many to count.
    pub(super) fn size(self) -> usize {
        let values = i128::from(self.high) - i128::from(self.low);
        usize::try_from(values + 2).unwrap_or(usize::MAX)
    }

    pub(super) fn holds(self, other: Self) -> bool {
        self.low <= other.low && other.high <= self.high
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    /// The union, with some room more on the side where it is larger.
    pub(super) fn grown(self, other: Self) -> Self {
        let both = self.union(other);
        let room = (both.size() / 2) as i64;
        Self {
            low: match both.low < self.low {
                true => both.low.saturating_sub(room),
                false => both.low,
            },
            high: match both.high > self.high {
                true => both.high.saturating_add(room),
                false => both.high,
            },
        }
    }

    /// The digit here that `digit` is in a span which this one holds.
    pub(super) fn moved(self, from: Self, digit: usize) -> usize {
        match digit {
            0 => 0,
            _ => digit + from.low.wrapping_sub(self.low) as usize,
        }
    }

    /// What is taken from a value to get its digit; digits are few, so that the low halves are enough.
    fn base(self) -> u32 {
        (self.low as u32).wrapping_sub(1)
    }
}

/// One column.
pub(super) enum Digits {
    /// Numbers, dates and the like, and the type of the column.
    Ints(DataType),
    Texts(Box<Texts>),
}

/// Numbers of texts that come as codes.
pub(super) struct Texts {
    numbers: GroupTable,
    /// All texts by number.
    texts: ArrayRef,
    dictionary: Option<ArrayRef>,
    /// The digit of each code of the dictionary.
    digits: Vec<u32>,
    /// Each digit is its code plus one: dictionaries are in order, so that those with the same texts are equal.
    are_codes: bool,
}

/// Bytes of a type whose values are as good as integers, zero for bits.
pub(super) fn int_bytes(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Boolean => Some(0),
        DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Interval(_) => None,
        other => other.primitive_width().filter(|bytes| *bytes <= 8),
    }
}

/// `$body` with the values of a column as signed integers, its bits given as bytes.
macro_rules! with_ints {
    ($column:expr, |$values:ident| $body:expr) => {{
        let column: &ArrayRef = $column;
        let data = column.to_data();
        macro_rules! with {
            ($native:ty) => {{
                let $values = data.buffer::<$native>(0);
                let $values = $values.get(..column.len()).unwrap_or_default();
                $body
            }};
        }
        match int_bytes(column.data_type()) {
            Some(0) => {
                let bits = column.as_boolean().values().iter();
                let bytes: Vec<i8> = bits.map(i8::from).collect();
                let $values = bytes.as_slice();
                $body
            }
            Some(1) => with!(i8),
            Some(2) => with!(i16),
            Some(4) => with!(i32),
            _ => with!(i64),
        }
    }};
}

impl Digits {
    /// None for a column that has no digits.
    pub(super) fn new(column: &ArrayRef) -> Result<Option<Self>> {
        if let Some(coded) = column.as_dictionary_opt::<UInt32Type>() {
            return Ok(Some(Self::Texts(Box::new(Texts {
                numbers: GroupTable::new(&[(coded.values().data_type().clone(), true)])?,
                texts: coded.values().slice(0, 0),
                dictionary: None,
                digits: Vec::new(),
                are_codes: false,
            }))));
        }
        let is_int = int_bytes(column.data_type()).is_some();
        Ok(is_int.then(|| Self::Ints(column.data_type().clone())))
    }

    /// Whether these are digits for a column.
    pub(super) fn fits(&self, column: &ArrayRef) -> bool {
        match self {
            Self::Ints(data_type) => data_type == column.data_type(),
            Self::Texts(_) => is_coded(column),
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Ints(_) => 0,
            Self::Texts(texts) => {
                2 * texts.numbers.size_bytes() + texts.digits.capacity() * size_of::<u32>()
            }
        }
    }

    /// Looks at a batch's dictionary. True where digits that were given out mean something else from now on.
    pub(super) fn note(&mut self, column: &ArrayRef) -> Result<bool> {
        match (self, column.as_dictionary_opt::<UInt32Type>()) {
            (Self::Texts(texts), Some(coded)) => texts.note(coded.values()),
            _ => Ok(false),
        }
    }

    /// Forgets texts of earlier dictionaries; false where there are none.
    pub(super) fn begin_anew(&mut self, column: &ArrayRef) -> Result<bool> {
        let (Self::Texts(texts), Some(coded)) = (self, column.as_dictionary_opt::<UInt32Type>())
        else {
            return Ok(false);
        };
        if texts.numbers.len() <= coded.values().len() {
            return Ok(false);
        }
        texts.numbers.clear();
        texts.dictionary = None;
        texts.note(coded.values())?;
        Ok(true)
    }

    /// The values that need digits.
    pub(super) fn span(&self, column: &ArrayRef) -> Span {
        let span = match self {
            Self::Ints(_) => with_ints!(column, |values| span_of(values, nulls_of(column))),
            Self::Texts(texts) => texts.numbers.len().checked_sub(1).map(|last| Span {
                low: 0,
                high: last as i64,
            }),
        };
        span.unwrap_or(Span { low: 0, high: 0 })
    }

    /// Adds what the digits of a column count, each times `stride`, to the combinations of the rows.
    pub(super) fn add(&self, column: &ArrayRef, span: Span, stride: u32, rows: &mut [u32]) {
        match (self, column.as_dictionary_opt::<UInt32Type>()) {
            (Self::Texts(texts), Some(coded)) => texts.add(coded.keys(), stride, rows),
            _ => with_ints!(column, |values| {
                add_ints(values, nulls_of(column), span.base(), stride, rows);
            }),
        }
    }

    /// The values of digits.
    pub(super) fn values(&self, span: Span, digits: &[u32]) -> Result<ArrayRef> {
        let data_type = match self {
            Self::Texts(texts) => {
                let numbers = digits.iter().map(|digit| digit.checked_sub(1));
                let numbers: UInt32Array = numbers.collect();
                return Ok(take(&texts.texts, &numbers, None)?);
            }
            Self::Ints(data_type) => data_type,
        };
        let value = |digit: &u32| span.low.wrapping_add(i64::from(*digit) - 1);
        let values = digits.iter().map(value);
        let nulls = NullBuffer::from_iter(digits.iter().map(|digit| *digit > 0));
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        let buffer = match int_bytes(data_type) {
            Some(0) => {
                let values = values.map(|value| value == 1).collect();
                return Ok(Arc::new(BooleanArray::new(values, nulls)));
            }
            Some(1) => Buffer::from_vec(values.map(|v| v as i8).collect::<Vec<_>>()),
            Some(2) => Buffer::from_vec(values.map(|v| v as i16).collect::<Vec<_>>()),
            Some(4) => Buffer::from_vec(values.map(|v| v as i32).collect::<Vec<_>>()),
            Some(8) => Buffer::from_vec(values.collect::<Vec<_>>()),
            _ => return Err(Error::internal("digits of a type that has none")),
        };
        let data = ArrayData::builder(data_type.clone())
            .len(digits.len())
            .add_buffer(buffer)
            .nulls(nulls)
            .build()?;
        Ok(make_array(data))
    }
}

impl Texts {
    fn note(&mut self, dictionary: &ArrayRef) -> Result<bool> {
        if let Some(known) = &self.dictionary
            && Arc::ptr_eq(known, dictionary)
        {
            return Ok(false);
        }
        let known = self.numbers.len();
        let crowded = known > 0 && known + dictionary.len() > MAX_TEXTS;
        if crowded {
            self.numbers.clear();
        }
        let (texts, rows) = (std::slice::from_ref(dictionary), dictionary.len());
        self.numbers.intern(texts, rows, &mut self.digits)?;
        self.digits.iter_mut().for_each(|number| *number += 1);
        self.are_codes = (1..).zip(&self.digits).all(|(next, digit)| next == *digit);
        if let Some(texts) = self.numbers.keys(0, self.numbers.len())?.pop() {
            self.texts = texts;
        }
        self.dictionary = Some(Arc::clone(dictionary));
        Ok(crowded)
    }

    fn add(&self, codes: &UInt32Array, stride: u32, rows: &mut [u32]) {
        let digit = |code: &u32| self.digits.get(*code as usize).copied().unwrap_or(0);
        let pairs = rows.iter_mut().zip(codes.values());
        match nulls_of(codes) {
            None if self.are_codes => pairs.for_each(|(row, code)| *row += (code + 1) * stride),
            None => pairs.for_each(|(row, code)| *row += digit(code) * stride),
            // What stands in the place of NULL means nothing.
            Some(nulls) => pairs
                .zip(nulls)
                .filter(|(_, valid)| *valid)
                .for_each(|((row, code), _)| *row += digit(code) * stride),
        }
    }
}

fn nulls_of(column: &dyn Array) -> Option<&NullBuffer> {
    column.nulls().filter(|nulls| nulls.null_count() > 0)
}

/// The least and the greatest value, unless all are NULL.
fn span_of<N: Copy + Ord + Into<i64>>(values: &[N], nulls: Option<&NullBuffer>) -> Option<Span> {
    let Some(nulls) = nulls else {
        let first = *values.first()?;
        let low = values.iter().fold(first, |low, value| low.min(*value));
        let high = values.iter().fold(first, |high, value| high.max(*value));
        return Some(Span {
            low: low.into(),
            high: high.into(),
        });
    };
    let valid = || nulls.valid_indices().filter_map(|row| values.get(row));
    Some(Span {
        low: (*valid().min()?).into(),
        high: (*valid().max()?).into(),
    })
}

/// The low halves of values are enough: what is in a span is near to its base.
fn add_ints<N>(values: &[N], nulls: Option<&NullBuffer>, base: u32, stride: u32, rows: &mut [u32])
where
    N: Copy + Into<i64>,
{
    let digit = |value: &N| (Into::<i64>::into(*value) as u32).wrapping_sub(base);
    let pairs = rows.iter_mut().zip(values);
    match (nulls, stride) {
        (None, 1) => pairs.for_each(|(row, value)| *row += digit(value)),
        (None, stride) => pairs.for_each(|(row, value)| *row += digit(value) * stride),
        (Some(nulls), stride) => pairs
            .zip(nulls)
            .filter(|(_, valid)| *valid)
            .for_each(|((row, value), _)| *row += digit(value) * stride),
    }
}
