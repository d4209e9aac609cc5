//! Plain values as Arrow lays them out: read without a copy, and the form of the rows of the tail.

use super::input::{Input, InputValues};
use super::profile::Profile;
use super::{ColumnReader, Encoding, Scratch, kind_mismatch};
use crate::bytes::damaged;
use crate::chunk::{BodyReader, ChunkWriter, bitmap};
use crate::column_buffer::{Values, typed};
use crate::column_test::{Test, float_key, float32_key};
use crate::kind::{Kind, Width};
use crate::scan::selection::{BLOCK_ROWS, Positions, Selection, narrow};
use crate::views::{make_view, shift_buffer, view_bytes};
use arrow::buffer::{BooleanBuffer, Buffer, ScalarBuffer};
use llkv_result::{Result, StorageError};

/// Runs `$body` with `$values: &[T]` for the raw bits of each width and the matching vector of `$out`.
macro_rules! with_width {
    ($width:expr, $out:expr, |$T:ident, $vec:ident| $body:expr) => {
        match ($width, $out) {
            (Width::W1, Values::W1($vec)) => {
                type $T = u8;
                $body
            }
            (Width::W2, Values::W2($vec)) => {
                type $T = u16;
                $body
            }
            (Width::W4, Values::W4($vec)) => {
                type $T = u32;
                $body
            }
            (Width::W8, Values::W8($vec)) => {
                type $T = u64;
                $body
            }
            (Width::W16, Values::W16($vec)) => {
                type $T = u128;
                $body
            }
            _ => return Err(kind_mismatch()),
        }
    };
}

pub(crate) fn out_of_range(start: usize, rows: usize, len: usize) -> llkv_result::Error {
    damaged(format!("rows {start}+{rows} of a chunk of {len} rows"))
}

/// See the module.
pub(crate) static ENCODING: Encoding = Encoding {
    id: 1,
    name: "plain",
    estimate,
    write,
    open,
};

fn estimate(input: &Input, _profile: &Profile) -> Option<usize> {
    Some(match &input.values {
        InputValues::Bits(bits) => bits.len() / 8,
        InputValues::Fixed(raw) => raw.len(),
        InputValues::Ints(ints) => ints.raw.len(),
        InputValues::Bytes(strings) => strings.total_bytes + 4 * input.rows,
    })
}

/// Writes values plain.
///
/// # Errors
/// When strings are too long for one chunk.
fn write(input: &Input, _profile: &Profile, out: &mut ChunkWriter) -> Result<()> {
    match &input.values {
        InputValues::Bits(bits) => out.buffer(bits.sliced().as_slice()),
        InputValues::Fixed(raw) => out.buffer(raw),
        InputValues::Ints(ints) => out.buffer(&ints.raw),
        InputValues::Bytes(strings) => {
            let rows = (0..input.rows).map(|row| match input.is_null(row) {
                true => &[][..],
                false => strings.get(row),
            });
            write_strings(rows, input.rows, strings.total_bytes, out)?;
        }
    }
    Ok(())
}

/// Writes strings as offsets and bytes.
///
/// # Errors
/// When they are too long for one chunk.
pub(crate) fn write_strings<'a>(
    strings: impl Iterator<Item = &'a [u8]>,
    rows: usize,
    total_bytes: usize,
    out: &mut ChunkWriter,
) -> Result<()> {
    if total_bytes > i32::MAX as usize {
        return Err(StorageError::TooLarge {
            path: "column store".into(),
            what: "the strings of a row group",
            size_bytes: total_bytes as u64,
            limit_bytes: i32::MAX as u64,
        }
        .into());
    }
    let mut offsets = Vec::with_capacity(4 * (rows + 1));
    let mut data = Vec::with_capacity(total_bytes);
    offsets.extend_from_slice(&0u32.to_le_bytes());
    for bytes in strings {
        data.extend_from_slice(bytes);
        offsets.extend_from_slice(&(data.len() as u32).to_le_bytes());
    }
    out.buffer(&offsets);
    out.buffer(&data);
    Ok(())
}

/// Opens what [`write`] wrote.
///
/// # Errors
/// When buffers are too short or strings are not valid.
fn open(kind: Kind, rows: usize, body: &mut BodyReader<'_>) -> Result<Box<dyn ColumnReader>> {
    Ok(match kind {
        Kind::Bit => Box::new(PlainBits {
            bits: bitmap(body.buffer()?, rows)?,
        }),
        Kind::Bytes { utf8 } => {
            let (offsets, data) = (body.buffer()?, body.buffer()?);
            Box::new(PlainBytes::new(offsets, data, rows, utf8)?)
        }
        _ => Box::new(PlainFixed::new(kind, body.buffer()?, rows)?),
    })
}

/// Fixed-width values in one buffer.
#[derive(Debug)]
pub(crate) struct PlainFixed {
    kind: Kind,
    width: Width,
    buffer: Buffer,
    rows: usize,
}

impl PlainFixed {
    /// # Errors
    /// When the buffer is too short or misaligned.
    pub(crate) fn new(kind: Kind, buffer: Buffer, rows: usize) -> Result<Self> {
        let width = kind.width().ok_or_else(kind_mismatch)?;
        let needed = rows.checked_mul(width.bytes());
        if needed.is_none_or(|needed| needed > buffer.len()) {
            return Err(damaged("a plain chunk is too short"));
        }
        // Arrow aligns intervals to 8 bytes, decimals of 128 bits to 16.
        if buffer.as_ptr().align_offset(width.bytes()) != 0 {
            return Err(damaged("a plain chunk is misaligned"));
        }
        Ok(Self {
            kind,
            width,
            buffer,
            rows,
        })
    }

    fn values<T: arrow::datatypes::ArrowNativeType>(&self) -> Result<ScalarBuffer<T>> {
        typed(&self.buffer, self.rows)
    }

    /// Tests `T`s as they are, where the test's bounds fit their type.
    fn filter_as<T>(&self, start: usize, test: &Test, selection: &mut Selection) -> Result<()>
    where
        T: arrow::datatypes::ArrowNativeType + Into<i128> + TryFrom<i128> + Ord,
    {
        let values = self.values::<T>()?;
        filter_ints(&values, start, test, selection, |v: T| v)
    }
}

/// Narrows a selection by integers that `key` makes of the values.
pub(crate) fn filter_ints<V: Copy, K: Copy + Ord + Into<i128> + TryFrom<i128>>(
    values: &[V],
    start: usize,
    test: &Test,
    selection: &mut Selection,
    key: impl Fn(V) -> K,
) -> Result<()> {
    let window = values
        .get(start..start + selection.rows())
        .ok_or_else(|| out_of_range(start, selection.rows(), values.len()))?;
    let range = match test {
        Test::Range { low, high } => Some((K::try_from(*low), K::try_from(*high), *low, *high)),
        _ => None,
    };
    for (block, values) in window.chunks(BLOCK_ROWS).enumerate() {
        let words = selection.block_mut(block);
        match &range {
            Some((Ok(low), Ok(high), ..)) => {
                let (low, high) = (*low, *high);
                narrow(words, values, |v| {
                    let k = key(v);
                    (k >= low) & (k <= high)
                });
            }
            Some((Ok(low), Err(_), _, high)) if *high > 0 => {
                let low = *low;
                narrow(words, values, |v| key(v) >= low);
            }
            Some((Err(_), Ok(high), low, _)) if *low < 0 => {
                let high = *high;
                narrow(words, values, |v| key(v) <= high);
            }
            _ => narrow(words, values, |v| test.accepts_int(key(v).into())),
        }
    }
    Ok(())
}

impl ColumnReader for PlainFixed {
    fn integer(&self, row: usize) -> Result<Option<i128>> {
        let width = self.width.bytes();
        let is_signed = match self.kind {
            Kind::Signed(_) => true,
            Kind::Unsigned(_) => false,
            _ => return Ok(None),
        };
        let bytes = self.buffer.as_slice().get(row * width..(row + 1) * width);
        let bytes = bytes.filter(|_| row < self.rows);
        let bytes = bytes.ok_or_else(|| out_of_range(row, 1, self.rows))?;
        let is_negative = is_signed && bytes.last().is_some_and(|byte| *byte >= 0x80);
        let mut wide = [if is_negative { 0xFF } else { 0 }; 16];
        for (to, from) in wide.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(Some(i128::from_le_bytes(wide)))
    }

    fn append(
        &self,
        start: usize,
        rows: usize,
        out: &mut Values,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        with_width!(self.width, out, |T, vec| {
            let values = self.values::<T>()?;
            let range = values
                .get(start..start + rows)
                .ok_or_else(|| out_of_range(start, rows, self.rows))?;
            vec.extend_from_slice(range);
            Ok(())
        })
    }

    fn append_at(
        &self,
        start: usize,
        positions: &Positions,
        out: &mut Values,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        with_width!(self.width, out, |T, vec| {
            let values = self.values::<T>()?;
            let window = values
                .get(start..)
                .ok_or_else(|| out_of_range(start, positions.len(), self.rows))?;
            if positions
                .rows()
                .last()
                .is_some_and(|row| usize::from(*row) >= window.len())
            {
                return Err(out_of_range(start, positions.len(), self.rows));
            }
            // All of them lie within: the last one does.
            let value = |row: &u16| window.get(usize::from(*row)).copied().unwrap_or_default();
            vec.extend(positions.rows().iter().map(value));
            Ok(())
        })
    }

    fn filter(
        &self,
        start: usize,
        test: &Test,
        _answers: &[bool],
        selection: &mut Selection,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        match self.kind {
            Kind::Signed(Width::W1) => self.filter_as::<i8>(start, test, selection),
            Kind::Signed(Width::W2) => self.filter_as::<i16>(start, test, selection),
            Kind::Signed(Width::W4) => self.filter_as::<i32>(start, test, selection),
            Kind::Signed(Width::W8) => self.filter_as::<i64>(start, test, selection),
            Kind::Signed(Width::W16) => self.filter_as::<i128>(start, test, selection),
            Kind::Unsigned(Width::W1) => self.filter_as::<u8>(start, test, selection),
            Kind::Unsigned(Width::W2) => self.filter_as::<u16>(start, test, selection),
            Kind::Unsigned(Width::W4) => self.filter_as::<u32>(start, test, selection),
            Kind::Unsigned(_) => self.filter_as::<u64>(start, test, selection),
            Kind::Float(Width::W4) => {
                filter_ints(&self.values::<f32>()?, start, test, selection, float32_key)
            }
            Kind::Float(_) => {
                filter_ints(&self.values::<f64>()?, start, test, selection, float_key)
            }
            Kind::Opaque | Kind::Bit | Kind::Bytes { .. } => Err(kind_mismatch()),
        }
    }

    fn slice(&self, start: usize, rows: usize) -> Option<Buffer> {
        let width = self.width.bytes();
        (start.checked_add(rows)? <= self.rows)
            .then(|| self.buffer.slice_with_length(start * width, rows * width))
    }
}

/// Booleans as a bitmap.
#[derive(Debug)]
pub(crate) struct PlainBits {
    pub(crate) bits: BooleanBuffer,
}

impl ColumnReader for PlainBits {
    fn append(
        &self,
        start: usize,
        rows: usize,
        out: &mut Values,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        let Values::Bits(out) = out else {
            return Err(kind_mismatch());
        };
        if start.saturating_add(rows) > self.bits.len() {
            return Err(out_of_range(start, rows, self.bits.len()));
        }
        out.append_buffer(&self.bits.slice(start, rows));
        Ok(())
    }

    fn append_at(
        &self,
        start: usize,
        positions: &Positions,
        out: &mut Values,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        let Values::Bits(out) = out else {
            return Err(kind_mismatch());
        };
        for row in positions.rows() {
            let row = start + usize::from(*row);
            if row >= self.bits.len() {
                return Err(out_of_range(row, 1, self.bits.len()));
            }
            out.append(self.bits.value(row));
        }
        Ok(())
    }

    fn filter(
        &self,
        start: usize,
        test: &Test,
        _answers: &[bool],
        selection: &mut Selection,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        let rows = selection.rows();
        if start.saturating_add(rows) > self.bits.len() {
            return Err(out_of_range(start, rows, self.bits.len()));
        }
        let (no, yes) = (test.accepts_int(0), test.accepts_int(1));
        let window = self.bits.slice(start, rows);
        let bits = window.bit_chunks();
        for (word, bits) in selection.words_mut().iter_mut().zip(bits.iter_padded()) {
            let pass = match (no, yes) {
                (true, true) => u64::MAX,
                (true, false) => !bits,
                (false, true) => bits,
                (false, false) => 0,
            };
            *word &= pass;
        }
        Ok(())
    }
}

/// Strings as Arrow views: the form of the tail.
#[derive(Debug)]
pub(crate) struct PlainViews {
    pub(crate) views: ScalarBuffer<u128>,
    pub(crate) buffers: Vec<Buffer>,
}

impl PlainViews {
    fn window(&self, start: usize, rows: usize) -> Result<&[u128]> {
        self.views
            .get(start..start + rows)
            .ok_or_else(|| out_of_range(start, rows, self.views.len()))
    }
}

impl ColumnReader for PlainViews {
    fn append(
        &self,
        start: usize,
        rows: usize,
        out: &mut Values,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        let Values::Views(out) = out else {
            return Err(kind_mismatch());
        };
        let views = self.window(start, rows)?;
        let by = out.buffer_group(&self.buffers);
        out.views
            .extend(views.iter().map(|view| shift_buffer(*view, by)));
        Ok(())
    }

    fn append_at(
        &self,
        start: usize,
        positions: &Positions,
        out: &mut Values,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        let Values::Views(out) = out else {
            return Err(kind_mismatch());
        };
        let by = out.buffer_group(&self.buffers);
        for row in positions.rows() {
            let row = start + usize::from(*row);
            let view = self
                .views
                .get(row)
                .ok_or_else(|| out_of_range(row, 1, self.views.len()))?;
            out.views.push(shift_buffer(*view, by));
        }
        Ok(())
    }

    fn filter(
        &self,
        start: usize,
        test: &Test,
        _answers: &[bool],
        selection: &mut Selection,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        let views = self.window(start, selection.rows())?;
        selection.retain(|row| {
            views
                .get(row)
                .and_then(|view| view_bytes(view, &self.buffers))
                .is_some_and(|bytes| test.accepts_bytes(bytes))
        });
        Ok(())
    }
}

/// Strings as offsets and bytes, in the chunk.
#[derive(Debug)]
pub(crate) struct PlainBytes {
    offsets: ScalarBuffer<u32>,
    data: Buffer,
}

impl PlainBytes {
    /// Checks every string once.
    ///
    /// # Errors
    /// When offsets leave the data or a text is no UTF-8.
    pub(crate) fn new(offsets: Buffer, data: Buffer, rows: usize, utf8: bool) -> Result<Self> {
        let offsets = typed::<u32>(&offsets, rows + 1)?;
        crate::views::check_strings(&data, &offsets, utf8)?;
        Ok(Self { offsets, data })
    }

    #[inline]
    fn bytes(&self, row: usize) -> Option<(u32, &[u8])> {
        let from = *self.offsets.get(row)?;
        let to = *self.offsets.get(row + 1)?;
        Some((from, self.data.get(from as usize..to as usize)?))
    }

    /// The views of all strings, for dictionaries.
    pub(crate) fn views(&self) -> Vec<u128> {
        let rows = self.offsets.len().saturating_sub(1);
        let mut views = Vec::with_capacity(rows);
        let strings = (0..rows).filter_map(|row| self.bytes(row));
        views.extend(strings.map(|(offset, bytes)| make_view(bytes, 0, offset)));
        views
    }

    pub(crate) fn data(&self) -> &Buffer {
        &self.data
    }
}

impl ColumnReader for PlainBytes {
    fn append(
        &self,
        start: usize,
        rows: usize,
        out: &mut Values,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        let Values::Views(out) = out else {
            return Err(kind_mismatch());
        };
        let buffer = out.buffer_index(&self.data);
        for row in start..start + rows {
            let (offset, bytes) = self
                .bytes(row)
                .ok_or_else(|| out_of_range(row, 1, self.offsets.len()))?;
            out.views.push(make_view(bytes, buffer, offset));
        }
        Ok(())
    }

    fn append_at(
        &self,
        start: usize,
        positions: &Positions,
        out: &mut Values,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        let Values::Views(out) = out else {
            return Err(kind_mismatch());
        };
        let buffer = out.buffer_index(&self.data);
        for row in positions.rows() {
            let row = start + usize::from(*row);
            let (offset, bytes) = self
                .bytes(row)
                .ok_or_else(|| out_of_range(row, 1, self.offsets.len()))?;
            out.views.push(make_view(bytes, buffer, offset));
        }
        Ok(())
    }

    fn filter(
        &self,
        start: usize,
        test: &Test,
        _answers: &[bool],
        selection: &mut Selection,
        _scratch: &mut Scratch,
    ) -> Result<()> {
        selection.retain(|row| {
            self.bytes(start + row)
                .is_some_and(|(_, bytes)| test.accepts_bytes(bytes))
        });
        Ok(())
    }
}
