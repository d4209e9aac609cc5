//! Decoded values on their way into one Arrow array.

use crate::bytes::damaged;
use crate::kind::{Kind, Width};
use crate::views;
use arrow::array::builder::BooleanBufferBuilder;
use arrow::array::{ArrayRef, BooleanArray, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal64Type, Decimal128Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType,
    Time64MicrosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use std::sync::Arc;

/// Values of one kind, gathered from chunks: raw little-endian bits, whatever their meaning.
#[derive(Debug)]
pub(crate) enum Values {
    /// Booleans.
    Bits(BooleanBufferBuilder),
    /// One byte each.
    W1(Vec<u8>),
    /// Two bytes each.
    W2(Vec<u16>),
    /// Four bytes each.
    W4(Vec<u32>),
    /// Eight bytes each.
    W8(Vec<u64>),
    /// Sixteen bytes each.
    W16(Vec<u128>),
    /// Views of strings and the buffers that they point into.
    Views(ViewValues),
}

/// Views under construction.
#[derive(Debug, Default)]
pub(crate) struct ViewValues {
    /// Arrow's 16-byte views.
    pub(crate) views: Vec<u128>,
    /// What the views point into.
    pub(crate) buffers: Vec<Buffer>,
}

impl ViewValues {
    /// The number under which views refer to `buffer`; appended unless it was the last one used.
    pub(crate) fn buffer_index(&mut self, buffer: &Buffer) -> u32 {
        match self.buffers.last() {
            Some(last) if last.as_ptr() == buffer.as_ptr() && last.len() == buffer.len() => {}
            _ => self.buffers.push(buffer.clone()),
        }
        (self.buffers.len() - 1) as u32
    }

    /// Appends a group of buffers, unless they were the last ones appended; gives the first's number.
    pub(crate) fn buffer_group(&mut self, group: &[Buffer]) -> u32 {
        let start = self.buffers.len().saturating_sub(group.len());
        let same = self.buffers.len() >= group.len()
            && self
                .buffers
                .iter()
                .skip(start)
                .zip(group)
                .all(|(a, b)| a.as_ptr() == b.as_ptr() && a.len() == b.len());
        if same {
            return start as u32;
        }
        self.buffers.extend_from_slice(group);
        (self.buffers.len() - group.len()) as u32
    }
}

impl Values {
    /// Takes some of the last `rows` values out: those at the positions `gaps` among them, ascending.
    pub(crate) fn drop_of_last(&mut self, rows: usize, gaps: &[u16]) {
        match self {
            Self::Bits(bits) => {
                let mut gone = gaps.iter().peekable();
                let base = bits.len().saturating_sub(rows);
                let all = bits.finish();
                bits.append_buffer(&all.slice(0, base));
                for (row, bit) in all.iter().skip(base).enumerate() {
                    if gone.next_if(|gap| usize::from(**gap) == row).is_none() {
                        bits.append(bit);
                    }
                }
            }
            Self::W1(values) => close_gaps(values, rows, gaps),
            Self::W2(values) => close_gaps(values, rows, gaps),
            Self::W4(values) => close_gaps(values, rows, gaps),
            Self::W8(values) => close_gaps(values, rows, gaps),
            Self::W16(values) => close_gaps(values, rows, gaps),
            Self::Views(values) => close_gaps(&mut values.views, rows, gaps),
        }
    }
}

fn close_gaps<T: Copy>(values: &mut Vec<T>, rows: usize, gaps: &[u16]) {
    let Some(base) = values.len().checked_sub(rows) else {
        return;
    };
    let Some(last) = values.get_mut(base..) else {
        return;
    };
    let after = gaps.iter().skip(1).map(|gap| usize::from(*gap));
    let mut to = gaps.first().map_or(rows, |gap| usize::from(*gap));
    for (gap, next) in gaps.iter().zip(after.chain([rows])) {
        let from = usize::from(*gap) + 1;
        if from <= next && next <= rows {
            last.copy_within(from..next, to);
            to += next - from;
        }
    }
    values.truncate(base + to);
}

/// One column of the batch under construction.
#[derive(Debug)]
pub(crate) struct ColumnBuffer {
    ty: SqlType,
    data_type: DataType,
    pub(crate) values: Values,
    nulls: Option<BooleanBufferBuilder>,
    len: usize,
    capacity: usize,
}

impl ColumnBuffer {
    /// An empty buffer for a column of type `ty`.
    ///
    /// # Errors
    /// For types that columns never have.
    pub(crate) fn new(ty: SqlType, capacity: usize) -> Result<Self> {
        let kind =
            Kind::of(ty).ok_or_else(|| Error::internal(format!("no column is of type {ty}")))?;
        Ok(Self {
            ty,
            data_type: ty.to_arrow(),
            values: Self::empty(kind, 0),
            nulls: None,
            len: 0,
            capacity,
        })
    }

    fn empty(kind: Kind, capacity: usize) -> Values {
        match (kind, kind.width()) {
            (Kind::Bit, _) => Values::Bits(BooleanBufferBuilder::new(capacity)),
            (_, Some(Width::W1)) => Values::W1(Vec::with_capacity(capacity)),
            (_, Some(Width::W2)) => Values::W2(Vec::with_capacity(capacity)),
            (_, Some(Width::W4)) => Values::W4(Vec::with_capacity(capacity)),
            (_, Some(Width::W8)) => Values::W8(Vec::with_capacity(capacity)),
            (_, Some(Width::W16)) => Values::W16(Vec::with_capacity(capacity)),
            (_, None) => Values::Views(ViewValues {
                views: Vec::with_capacity(capacity),
                buffers: Vec::new(),
            }),
        }
    }

    /// Makes room for a whole batch before the first value comes in.
    pub(crate) fn reserve(&mut self) {
        if self.len == 0
            && let Some(kind) = Kind::of(self.ty)
        {
            self.values = Self::empty(kind, self.capacity);
        }
    }

    /// Counts `rows` values that were pushed and are all valid.
    pub(crate) fn pushed_valid(&mut self, rows: usize) {
        if let Some(nulls) = &mut self.nulls {
            nulls.append_n(rows, true);
        }
        self.len += rows;
    }

    /// Counts pushed values whose validity `valid` tells one by one.
    pub(crate) fn pushed(&mut self, valid: impl Iterator<Item = bool>) {
        let nulls = self.nulls.get_or_insert_with(|| {
            let mut nulls = BooleanBufferBuilder::new(self.capacity);
            nulls.append_n(self.len, true);
            nulls
        });
        for bit in valid {
            nulls.append(bit);
            self.len += 1;
        }
    }

    /// Counts pushed values with the validity of a bitmap.
    pub(crate) fn pushed_bitmap(&mut self, valid: &BooleanBuffer) {
        let nulls = self.nulls.get_or_insert_with(|| {
            let mut nulls = BooleanBufferBuilder::new(self.capacity);
            nulls.append_n(self.len, true);
            nulls
        });
        nulls.append_buffer(valid);
        self.len += valid.len();
    }

    /// Appends `rows` NULLs.
    pub(crate) fn push_nulls(&mut self, rows: usize) {
        match &mut self.values {
            Values::Bits(v) => v.append_n(rows, false),
            Values::W1(v) => v.resize(v.len() + rows, 0),
            Values::W2(v) => v.resize(v.len() + rows, 0),
            Values::W4(v) => v.resize(v.len() + rows, 0),
            Values::W8(v) => v.resize(v.len() + rows, 0),
            Values::W16(v) => v.resize(v.len() + rows, 0),
            Values::Views(v) => v.views.resize(v.views.len() + rows, 0),
        }
        self.pushed(std::iter::repeat_n(false, rows));
    }

    /// The values as an array; the buffer is empty afterwards.
    ///
    /// # Errors
    /// When values and validity do not have the same length, which only damaged chunks cause.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef> {
        let len = std::mem::take(&mut self.len);
        let nulls = self.nulls.take().map(|mut n| NullBuffer::new(n.finish()));
        let kind = Kind::of(self.ty).ok_or_else(|| Error::internal("column type"))?;
        let values = std::mem::replace(&mut self.values, Self::empty(kind, 0));
        let buffer = match values {
            Values::Bits(mut bits) => {
                let bits = bits.finish();
                check_len(bits.len(), len)?;
                return Ok(Arc::new(BooleanArray::new(bits, nulls)));
            }
            Values::Views(values) => {
                check_len(values.views.len(), len)?;
                let utf8 = matches!(kind, Kind::Bytes { utf8: true });
                let array = views::array(values.views.into(), values.buffers, nulls, utf8)?;
                return views::typed(self.ty, array);
            }
            Values::W1(v) => Buffer::from_vec(v),
            Values::W2(v) => Buffer::from_vec(v),
            Values::W4(v) => Buffer::from_vec(v),
            Values::W8(v) => Buffer::from_vec(v),
            Values::W16(v) => Buffer::from_vec(v),
        };
        fixed_array(self.ty, &self.data_type, buffer, len, nulls)
    }
}

fn check_len(found: usize, wanted: usize) -> Result<()> {
    if found == wanted {
        Ok(())
    } else {
        Err(damaged(format!("{found} values for {wanted} rows")))
    }
}

/// An array over fixed-width values, without a copy.
///
/// # Errors
/// When the buffer is too short or misaligned.
pub(crate) fn fixed_array(
    ty: SqlType,
    data_type: &DataType,
    buffer: Buffer,
    len: usize,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    fn of<T: ArrowPrimitiveType>(
        data_type: &DataType,
        buffer: Buffer,
        len: usize,
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef> {
        let values = typed::<T::Native>(&buffer, len)?;
        Ok(Arc::new(
            PrimitiveArray::<T>::try_new(values, nulls)?.with_data_type(data_type.clone()),
        ))
    }
    match ty {
        SqlType::Int8 => of::<Int8Type>(data_type, buffer, len, nulls),
        SqlType::Int16 => of::<Int16Type>(data_type, buffer, len, nulls),
        SqlType::Int32 => of::<Int32Type>(data_type, buffer, len, nulls),
        SqlType::Int64 => of::<Int64Type>(data_type, buffer, len, nulls),
        SqlType::UInt8 => of::<UInt8Type>(data_type, buffer, len, nulls),
        SqlType::UInt16 => of::<UInt16Type>(data_type, buffer, len, nulls),
        SqlType::UInt32 => of::<UInt32Type>(data_type, buffer, len, nulls),
        SqlType::UInt64 => of::<UInt64Type>(data_type, buffer, len, nulls),
        SqlType::Float32 => of::<Float32Type>(data_type, buffer, len, nulls),
        SqlType::Float64 => of::<Float64Type>(data_type, buffer, len, nulls),
        SqlType::Decimal { precision, .. } if precision <= SqlType::DECIMAL64_PRECISION => {
            of::<Decimal64Type>(data_type, buffer, len, nulls)
        }
        SqlType::Decimal { .. } => of::<Decimal128Type>(data_type, buffer, len, nulls),
        SqlType::Date => of::<Date32Type>(data_type, buffer, len, nulls),
        SqlType::Time => of::<Time64MicrosecondType>(data_type, buffer, len, nulls),
        SqlType::Timestamp | SqlType::TimestampTz => {
            of::<TimestampMicrosecondType>(data_type, buffer, len, nulls)
        }
        SqlType::Interval => of::<IntervalMonthDayNanoType>(data_type, buffer, len, nulls),
        other => Err(Error::internal(format!("{other} has no fixed width"))),
    }
}

/// The first `len` values of a buffer, typed, without a copy.
///
/// # Errors
/// When the buffer is too short or misaligned.
pub(crate) fn typed<T: arrow::datatypes::ArrowNativeType>(
    buffer: &Buffer,
    len: usize,
) -> Result<ScalarBuffer<T>> {
    let bytes = len.checked_mul(std::mem::size_of::<T>());
    if bytes.is_none_or(|bytes| bytes > buffer.len()) {
        return Err(damaged(format!(
            "a buffer of {} bytes is too short for {len} values",
            buffer.len()
        )));
    }
    if buffer.as_ptr().align_offset(std::mem::align_of::<T>()) != 0 {
        return Err(damaged("a buffer of values is misaligned"));
    }
    Ok(ScalarBuffer::new(buffer.clone(), 0, len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_at_gaps_go(rows in 0usize..300, before in 0usize..5, gone in prop::collection::btree_set(0u16..300, 0..40)) {
            let all: Vec<u32> = (0..(before + rows) as u32).collect();
            let gaps: Vec<u16> = gone.iter().copied().filter(|gap| usize::from(*gap) < rows).collect();
            let is_gone = |at: usize| at >= before && gone.contains(&((at - before) as u16));
            let expected: Vec<u32> = all.iter().copied().filter(|v| !is_gone(*v as usize)).collect();
            let mut bits = BooleanBufferBuilder::new(0);
            all.iter().for_each(|value| bits.append(value % 3 == 0));
            let mut bits = Values::Bits(bits);
            bits.drop_of_last(rows, &gaps);
            let Values::Bits(mut bits) = bits else { unreachable!() };
            let of_bits: Vec<bool> = expected.iter().map(|value| value % 3 == 0).collect();
            prop_assert_eq!(bits.finish().iter().collect::<Vec<bool>>(), of_bits);
            let mut values = Values::W4(all);
            values.drop_of_last(rows, &gaps);
            let Values::W4(values) = values else { unreachable!() };
            prop_assert_eq!(values, expected);
        }
    }
}
