//! Keys of fixed width, side by side in one integer.

use super::Word;
use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BooleanArray, StringViewArray, make_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, DataType};
use llkv_result::{Error, Result};
use std::sync::Arc;

/// Bytes of text that stand in a key; the slot's eighth byte is the length.
const INLINE_TEXT_BYTES: u32 = 7;
const TEXT_SLOT_BITS: u32 = 64;
/// In the length's place: NULL.
const TEXT_NULL: u64 = 0xff << 56;

/// A text that is the only column has the whole word: its view, which holds up to 12 bytes.
const WIDE_TEXT_BITS: u32 = 128;
const WIDE_TEXT_BYTES: u32 = 12;
/// A view of a length that no text has: NULL.
const WIDE_TEXT_NULL: u128 = u128::MAX;

/// One column of a packed key.
#[derive(Debug, Clone)]
struct Field {
    data_type: DataType,
    /// First bit of the value.
    shift: u32,
    /// Bits of the value.
    width: u32,
    /// NULL has a form of its own: the bit above the value, or a length that no text has.
    nullable: bool,
}

impl Field {
    fn is_text(&self) -> bool {
        self.data_type == DataType::Utf8View
    }

    fn is_wide_text(&self) -> bool {
        self.is_text() && self.width == WIDE_TEXT_BITS
    }

    fn end(&self) -> u32 {
        self.shift + self.width + u32::from(self.nullable && !self.is_text())
    }
}

/// Where each column of a key stands in the integer.
#[derive(Debug, Clone)]
pub(crate) struct PackedLayout {
    fields: Vec<Field>,
    bits: u32,
}

/// Keys of a batch.
#[derive(Debug, Default)]
pub(crate) struct Packing<W> {
    /// One word a row.
    pub(crate) words: Vec<W>,
    /// Rows that the layout has no form for: long text, or NULL where none was foreseen. Their words mean
    /// nothing. Ascending, each once.
    pub(crate) misfits: Vec<u32>,
}

impl PackedLayout {
    /// A layout for columns of these types, `None` where they do not fit 128 bits. NULL has a form in
    /// the columns marked nullable.
    pub(crate) fn new(columns: &[(DataType, bool)]) -> Option<Self> {
        let mut fields = Vec::with_capacity(columns.len());
        let mut bits = 0;
        for (data_type, nullable) in columns {
            let width = match data_type {
                DataType::Boolean => 1,
                DataType::Utf8View if columns.len() == 1 => WIDE_TEXT_BITS,
                DataType::Utf8View => TEXT_SLOT_BITS,
                DataType::Interval(_) => return None,
                other => u32::try_from(other.primitive_width()?).ok()? * 8,
            };
            let field = Field {
                data_type: data_type.clone(),
                shift: bits,
                width,
                nullable: *nullable,
            };
            bits = field.end();
            if bits > 128 {
                return None;
            }
            fields.push(field);
        }
        Some(Self { fields, bits })
    }

    /// Bits in use.
    pub(crate) fn bits(&self) -> u32 {
        self.bits
    }

    /// Packs the columns, whose values must be normalized.
    pub(crate) fn pack<W: Word>(
        &self,
        columns: &[ArrayRef],
        rows: usize,
        out: &mut Packing<W>,
    ) -> Result<()> {
        out.words.clear();
        out.words.resize(rows, W::default());
        out.misfits.clear();
        for (field, column) in self.fields.iter().zip(columns) {
            field.pack(column, out)?;
        }
        out.misfits.sort_unstable();
        out.misfits.dedup();
        Ok(())
    }

    /// The columns that gave `words`.
    pub(crate) fn unpack<W: Word>(&self, words: &[W]) -> Result<Vec<ArrayRef>> {
        self.fields.iter().map(|f| f.unpack(words)).collect()
    }
}

impl Field {
    fn pack<W: Word>(&self, column: &ArrayRef, out: &mut Packing<W>) -> Result<()> {
        match (&self.data_type, self.width) {
            (DataType::Utf8View, WIDE_TEXT_BITS) => {
                self.pack_wide_text(column.as_string_view(), out)
            }
            (DataType::Utf8View, _) => self.pack_text(column.as_string_view(), out),
            (DataType::Boolean, _) => {
                let values = column.as_boolean().values();
                self.pack_values(column, values.iter().map(u64::from), out);
            }
            (_, 8) => self.pack_native::<u8, W>(column, out, u64::from),
            (_, 16) => self.pack_native::<u16, W>(column, out, u64::from),
            (_, 32) => self.pack_native::<u32, W>(column, out, u64::from),
            (_, 64) => self.pack_native::<u64, W>(column, out, |v| v),
            (_, 128) => self.pack_wide(column, out),
            _ => return Err(Error::internal("a packed key of an odd width")),
        }
        Ok(())
    }

    fn pack_native<N: ArrowNativeType, W: Word>(
        &self,
        column: &ArrayRef,
        out: &mut Packing<W>,
        widen: impl Fn(N) -> u64,
    ) {
        let data = column.to_data();
        let values = data.buffer::<N>(0).iter().map(|v| widen(*v));
        self.pack_values(column, values, out);
    }

    fn pack_values<W: Word>(
        &self,
        column: &ArrayRef,
        values: impl Iterator<Item = u64>,
        out: &mut Packing<W>,
    ) {
        match column.nulls().filter(|n| n.null_count() > 0) {
            None => W::merge_column(&mut out.words, values, self.shift),
            Some(nulls) => self.pack_nullable(nulls, values.map(u128::from), out),
        }
    }

    fn pack_wide<W: Word>(&self, column: &ArrayRef, out: &mut Packing<W>) {
        let data = column.to_data();
        let values = data.buffer::<i128>(0).iter().map(|value| *value as u128);
        match column.nulls().filter(|n| n.null_count() > 0) {
            None => {
                for (word, value) in out.words.iter_mut().zip(values) {
                    word.merge(value, self.shift);
                }
            }
            Some(nulls) => self.pack_nullable(nulls, values, out),
        }
    }

    fn pack_nullable<W: Word>(
        &self,
        nulls: &NullBuffer,
        values: impl Iterator<Item = u128>,
        out: &mut Packing<W>,
    ) {
        let null_bit = self.shift + self.width;
        for (row, (word, value)) in out.words.iter_mut().zip(values).enumerate() {
            if nulls.is_valid(row) {
                word.merge(value, self.shift);
            } else if self.nullable {
                word.merge(1, null_bit);
            } else {
                out.misfits.push(row as u32);
            }
        }
    }

    fn pack_text<W: Word>(&self, column: &StringViewArray, out: &mut Packing<W>) {
        let Some(nulls) = column.nulls().filter(|n| n.null_count() > 0) else {
            return self.pack_texts(column.views(), out);
        };
        for (row, (word, view)) in out.words.iter_mut().zip(column.views()).enumerate() {
            match text_slot(*view) {
                _ if nulls.is_null(row) && self.nullable => {
                    word.merge(u128::from(TEXT_NULL), self.shift);
                }
                Some(slot) if nulls.is_valid(row) => word.merge(u128::from(slot), self.shift),
                _ => out.misfits.push(row as u32),
            }
        }
    }

    fn pack_wide_text<W: Word>(&self, column: &StringViewArray, out: &mut Packing<W>) {
        let nulls = column.nulls().filter(|n| n.null_count() > 0);
        for (row, (word, view)) in out.words.iter_mut().zip(column.views()).enumerate() {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                if self.nullable {
                    word.merge(WIDE_TEXT_NULL, self.shift);
                } else {
                    out.misfits.push(row as u32);
                }
            } else if *view as u32 <= WIDE_TEXT_BYTES {
                word.merge(*view, self.shift);
            } else {
                out.misfits.push(row as u32);
            }
        }
    }

    /// Texts without NULL: nearly always all of them are short, so that the rows are looked at one by one only
    /// after one was seen that is not.
    fn pack_texts<W: Word>(&self, views: &[u128], out: &mut Packing<W>) {
        let mut long = false;
        let slots = views.iter().map(|view| {
            let slot = text_slot(*view);
            long |= slot.is_none();
            slot.unwrap_or_default()
        });
        W::merge_column(&mut out.words, slots, self.shift);
        if long {
            let rows = (0..).zip(views);
            let misfits = rows.filter(|(_, view)| text_slot(**view).is_none());
            out.misfits.extend(misfits.map(|(row, _)| row));
        }
    }

    fn unpack<W: Word>(&self, words: &[W]) -> Result<ArrayRef> {
        if self.is_wide_text() {
            return self.unpack_wide_text(words);
        }
        if self.is_text() {
            return self.unpack_text(words);
        }
        let nulls = self.nullable.then(|| {
            let null_bit = self.shift + self.width;
            let valid = BooleanBuffer::collect_bool(words.len(), |i| match words.get(i) {
                Some(word) => word.extract(null_bit) & 1 == 0,
                None => false,
            });
            NullBuffer::new(valid)
        });
        let nulls = nulls.filter(|n| n.null_count() > 0);
        let bits = words.iter().map(|w| w.extract(self.shift));
        let buffer = match self.width {
            1 => {
                let values: BooleanBuffer = bits.map(|b| b & 1 == 1).collect();
                return Ok(Arc::new(BooleanArray::new(values, nulls)));
            }
            8 => Buffer::from_vec(bits.map(|b| b as u8).collect::<Vec<_>>()),
            16 => Buffer::from_vec(bits.map(|b| b as u16).collect::<Vec<_>>()),
            32 => Buffer::from_vec(bits.map(|b| b as u32).collect::<Vec<_>>()),
            64 => Buffer::from_vec(bits.map(|b| b as u64).collect::<Vec<_>>()),
            _ => Buffer::from_vec(bits.map(|b| b as i128).collect::<Vec<_>>()),
        };
        let data = ArrayData::builder(self.data_type.clone())
            .len(words.len())
            .add_buffer(buffer)
            .nulls(nulls)
            .build()?;
        Ok(make_array(data))
    }

    fn unpack_wide_text<W: Word>(&self, words: &[W]) -> Result<ArrayRef> {
        let views = words.iter().map(|w| w.extract(self.shift));
        let valid: BooleanBuffer = views.clone().map(|view| view != WIDE_TEXT_NULL).collect();
        let nulls = Some(NullBuffer::new(valid)).filter(|n| n.null_count() > 0);
        let views: ScalarBuffer<u128> = match nulls {
            None => views.collect(),
            Some(_) => views
                .map(|v| if v == WIDE_TEXT_NULL { 0 } else { v })
                .collect(),
        };
        Ok(Arc::new(StringViewArray::try_new(views, vec![], nulls)?))
    }

    fn unpack_text<W: Word>(&self, words: &[W]) -> Result<ArrayRef> {
        let slots = words.iter().map(|w| w.extract(self.shift) as u64);
        let null = |slot: u64| self.nullable && slot >> 56 == TEXT_NULL >> 56;
        let valid: BooleanBuffer = slots.clone().map(|slot| !null(slot)).collect();
        let views: ScalarBuffer<u128> = slots
            .map(|slot| {
                if null(slot) {
                    return 0;
                }
                let text = u128::from(slot & (u64::MAX >> 8));
                (text << 32) | u128::from(slot >> 56)
            })
            .collect();
        let nulls = Some(NullBuffer::new(valid)).filter(|n| n.null_count() > 0);
        Ok(Arc::new(StringViewArray::try_new(views, vec![], nulls)?))
    }
}

/// The slot of a text, from its view: the length in the low 32 bits, then up to 12 bytes, padded with zeros.
/// `None` for a text that is too long.
fn text_slot(view: u128) -> Option<u64> {
    let length = view as u32;
    let text = ((view >> 32) as u64) & (u64::MAX >> 8);
    (length <= INLINE_TEXT_BYTES).then_some(text | (u64::from(length) << 56))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Decimal64Array, Int32Array};

    #[test]
    fn columns_come_back_from_their_words() {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(vec![Some(-1), None, Some(i32::MAX)])),
            Arc::new(BooleanArray::from(vec![None, Some(true), Some(false)])),
            Arc::new(StringViewArray::from(vec![Some(""), Some("sieben7"), None])),
        ];
        let types: Vec<_> = columns
            .iter()
            .map(|c| (c.data_type().clone(), true))
            .collect();
        let layout = PackedLayout::new(&types).unwrap();
        assert_eq!(layout.bits(), 33 + 2 + 64);
        let mut packing = Packing::<u128>::default();
        layout.pack(&columns, 3, &mut packing).unwrap();
        assert!(packing.misfits.is_empty());
        let back = layout.unpack(&packing.words).unwrap();
        assert_eq!(back, columns);
    }

    #[test]
    fn a_text_alone_has_the_whole_word() {
        let layout = PackedLayout::new(&[(DataType::Utf8View, true)]).unwrap();
        let texts = StringViewArray::from(vec![Some("zwölf-bytes"), None, Some(""), Some("a")]);
        let column: ArrayRef = Arc::new(texts);
        let mut packing = Packing::<u128>::default();
        layout
            .pack(&[Arc::clone(&column)], 4, &mut packing)
            .unwrap();
        assert!(packing.misfits.is_empty());
        assert_eq!(layout.unpack(&packing.words).unwrap(), [column]);
        let long: ArrayRef = Arc::new(StringViewArray::from(vec!["b", "thirteen-byte"]));
        layout.pack(&[long], 2, &mut packing).unwrap();
        assert_eq!(packing.misfits, [1]);
    }

    #[test]
    fn what_has_no_form_is_told() {
        let layout =
            PackedLayout::new(&[(DataType::Utf8View, true), (DataType::Int32, false)]).unwrap();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringViewArray::from(vec!["a", "acht-888", "b"])),
            Arc::new(Int32Array::from(vec![Some(1), None, None])),
        ];
        let mut packing = Packing::<u128>::default();
        layout.pack(&columns, 3, &mut packing).unwrap();
        assert_eq!(packing.misfits, [1, 2]);
    }

    #[test]
    fn slices_and_decimals_pack_from_their_own_rows() {
        let whole: ArrayRef = Arc::new(Decimal64Array::from(vec![1, 2, 3]));
        let layout = PackedLayout::new(&[(whole.data_type().clone(), false)]).unwrap();
        let mut packing = Packing::<u64>::default();
        layout.pack(&[whole.slice(1, 2)], 2, &mut packing).unwrap();
        assert_eq!(packing.words, [2, 3]);
        assert_eq!(layout.unpack(&packing.words).unwrap(), [whole.slice(1, 2)]);
    }
}
