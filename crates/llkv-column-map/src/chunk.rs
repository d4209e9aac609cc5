//! A chunk: the values of one column in one row group, with validity and statistics.
//!
//! ```text
//! magic "LLKC" | version u8 | encoding u8 | flags u8 | kind u8 | rows u32 | nulls u32 | header bytes u32
//! windows u16, each: nulls u32, bounds
//! parameters of the encoding; buffers are named by offset u32 and length u32 from the body's start
//! ...zeroes to a multiple of 64: the body; each buffer starts at a multiple of 64
//! ```

use crate::bytes::{ALIGNMENT, ByteReader, ByteWriter, damaged, newer};
use crate::column_buffer::{ColumnBuffer, Values, fixed_array};
use crate::column_test::Test;
use crate::encoding::plain::{PlainBits, PlainFixed, PlainViews};
use crate::encoding::{self, ColumnReader, Scratch};
use crate::kind::Kind;
use crate::scan::selection::{Positions, Selection, WINDOW_ROWS};
use crate::stats::{Bounds, Stats, Verdict};
use crate::views::stored;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::DataType;
use llkv_result::{Error, Result};
use llkv_types::SqlType;

const MAGIC: u32 = u32::from_le_bytes(*b"LLKC");
const VERSION: u8 = 1;
const HAS_VALIDITY: u8 = 1;
const ALL_NULL: u8 = 2;
const FIXED_HEADER_BYTES: usize = 20;

/// Bytes that the parameters of most encodings take in the header.
const PARAMETER_BYTES: usize = 64;

/// A chunk under construction: header and body grow side by side.
#[derive(Debug, Default)]
pub(crate) struct ChunkWriter {
    /// Parameters of the encoding.
    pub(crate) header: ByteWriter,
    /// Room for the header, so that the body is not moved once it is there, and the body.
    body: ByteWriter,
    room: usize,
}

impl ChunkWriter {
    /// Stores a buffer and writes its place into the header.
    pub(crate) fn buffer(&mut self, bytes: &[u8]) {
        self.buffer_of(bytes.len(), std::iter::once(bytes));
    }

    /// Stores a buffer of `len` bytes that come in parts and writes its place into the header.
    pub(crate) fn buffer_of<'a>(&mut self, len: usize, parts: impl Iterator<Item = &'a [u8]>) {
        self.body.align(ALIGNMENT);
        self.header.u32((self.body.len() - self.room) as u32);
        self.header.u32(len as u32);
        self.body.reserve(len);
        parts.for_each(|part| self.body.raw(part));
    }

    /// Makes room for the header, of which only parameters are still to come.
    fn begin_body(&mut self) {
        self.room = (self.header.len() + PARAMETER_BYTES).next_multiple_of(ALIGNMENT);
        self.body.align_to(self.room);
    }

    fn body_bytes(&self) -> usize {
        self.body.len() - self.room
    }

    /// Header and body, with zeroes between them.
    fn finish(mut self) -> Vec<u8> {
        let header_bytes = self.header.len();
        if header_bytes <= self.room {
            self.header.align_to(self.room);
            self.header
                .patch_u32(FIXED_HEADER_BYTES - 4, self.room as u32);
            self.body.overwrite(self.header.as_slice());
            return self.body.into_vec();
        }
        self.header
            .patch_u32(FIXED_HEADER_BYTES - 4, header_bytes as u32);
        self.header.align(ALIGNMENT);
        let body = self.body.as_slice().get(self.room..).unwrap_or_default();
        self.header.raw(body);
        self.header.into_vec()
    }
}

/// Puts a finished chunk together, whose body may take `expected_bytes`.
pub(crate) fn assemble(
    encoding: u8,
    kind: Kind,
    rows: usize,
    nulls: Option<&NullBuffer>,
    windows: &[Stats],
    expected_bytes: usize,
    write: impl FnOnce(&mut ChunkWriter) -> Result<()>,
) -> Result<Vec<u8>> {
    let null_count = nulls.map_or(0, NullBuffer::null_count);
    let all_null = null_count == rows && rows > 0;
    let mut parts = ChunkWriter {
        body: ByteWriter::with_capacity(expected_bytes + 1_024),
        ..ChunkWriter::default()
    };
    parts.header.u32(MAGIC);
    parts.header.u8(VERSION);
    parts.header.u8(encoding);
    parts.header.u8(match (all_null, null_count) {
        (true, _) => ALL_NULL,
        (false, 0) => 0,
        _ => HAS_VALIDITY,
    });
    parts.header.u8(kind.code());
    parts.header.u32(rows as u32);
    parts.header.u32(null_count as u32);
    parts.header.u32(0);
    parts.header.u16(windows.len() as u16);
    for window in windows {
        parts.header.u32(window.null_count);
        window.bounds.write(&mut parts.header);
    }
    parts.begin_body();
    if !all_null {
        if let Some(nulls) = nulls.filter(|_| null_count > 0) {
            parts.buffer(nulls.inner().sliced().as_slice());
        }
        write(&mut parts)?;
    }
    if parts.body_bytes() > i32::MAX as usize {
        return Err(llkv_result::StorageError::TooLarge {
            path: "column store".into(),
            what: "a chunk",
            size_bytes: parts.body_bytes() as u64,
            limit_bytes: i32::MAX as u64,
        }
        .into());
    }
    Ok(parts.finish())
}

/// Which rows are NULL.
#[derive(Debug)]
enum Validity {
    AllValid,
    AllNull,
    Bitmap(BooleanBuffer),
}

/// A chunk open for reading. Its buffers borrow the stored bytes.
#[derive(Debug)]
pub(crate) struct Chunk {
    ty: SqlType,
    data_type: DataType,
    validity: Validity,
    windows: Vec<Stats>,
    reader: Option<Box<dyn ColumnReader>>,
}

/// Reads the places of buffers from a header and cuts them out of the body.
#[derive(Debug)]
pub(crate) struct BodyReader<'a> {
    pub(crate) header: ByteReader<'a>,
    bytes: &'a Buffer,
    body_start: usize,
}

impl BodyReader<'_> {
    /// The next buffer named by the header.
    pub(crate) fn buffer(&mut self) -> Result<Buffer> {
        let offset = self.header.u32()? as usize;
        let len = self.header.u32()? as usize;
        let start = self.body_start + offset;
        if !offset.is_multiple_of(ALIGNMENT) || start + len > self.bytes.len() {
            return Err(damaged("a buffer lies outside its chunk"));
        }
        Ok(self.bytes.slice_with_length(start, len))
    }
}

impl Chunk {
    /// Opens stored bytes (64-byte aligned).
    ///
    /// # Errors
    /// When they contradict their structure, the column's type or the row count.
    pub(crate) fn open(ty: SqlType, bytes: &Buffer, rows: usize) -> Result<Self> {
        let kind = Kind::of(ty).ok_or_else(|| Error::internal("column type"))?;
        let mut header = ByteReader::new(bytes.as_slice());
        if header.u32()? != MAGIC {
            return Err(damaged("no chunk begins here"));
        }
        let version = header.u8()?;
        if version > VERSION {
            return Err(newer(None, "a chunk", version.into(), VERSION.into()));
        }
        if version != VERSION {
            return Err(damaged(format!("a chunk of version {version}")));
        }
        let encoding = header.u8()?;
        let flags = header.u8()?;
        let (found_kind, found_rows) = (header.u8()?, header.u32()? as usize);
        if found_kind != kind.code() || found_rows != rows {
            return Err(damaged(format!(
                "a chunk of kind {found_kind} with {found_rows} rows where kind {} with {rows} was expected",
                kind.code()
            )));
        }
        let null_count = header.u32()?;
        let header_bytes = header.u32()? as usize;
        let windows = (0..header.u16()?)
            .map(|_| {
                Ok(Stats {
                    null_count: header.u32()?,
                    bounds: Bounds::read(&mut header)?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        if !windows.is_empty() && windows.len() != rows.div_ceil(WINDOW_ROWS) {
            return Err(damaged("window statistics do not cover the rows"));
        }
        let in_windows: u64 = windows.iter().map(|w| u64::from(w.null_count)).sum();
        if !windows.is_empty() && in_windows != u64::from(null_count) {
            return Err(damaged(
                "window statistics do not add up to the chunk's NULLs",
            ));
        }
        let mut body = BodyReader {
            header,
            bytes,
            body_start: header_bytes.next_multiple_of(ALIGNMENT),
        };
        let mut chunk = Self {
            ty,
            data_type: ty.to_arrow(),
            validity: Validity::AllValid,
            windows,
            reader: None,
        };
        if flags & ALL_NULL != 0 {
            chunk.validity = Validity::AllNull;
            return Ok(chunk);
        }
        if flags & HAS_VALIDITY != 0 {
            chunk.validity = Validity::Bitmap(bitmap(body.buffer()?, rows)?);
        }
        chunk.reader = Some(encoding::open(encoding, kind, rows, &mut body)?);
        Ok(chunk)
    }

    /// Reads an Arrow array in place.
    ///
    /// # Errors
    /// When the array is not in the type's Arrow form.
    pub(crate) fn from_array(ty: SqlType, array: &ArrayRef) -> Result<Self> {
        let kind = Kind::of(ty).ok_or_else(|| Error::internal("column type"))?;
        let data_type = ty.to_arrow();
        if *array.data_type() != data_type {
            return Err(Error::internal(format!(
                "an array of {} for a column of {data_type}",
                array.data_type()
            )));
        }
        let array = &stored(ty, array)?;
        let rows = array.len();
        let reader: Box<dyn ColumnReader> = match kind {
            Kind::Bit => Box::new(PlainBits {
                bits: array.as_boolean().values().clone(),
            }),
            Kind::Bytes { .. } => {
                let (views, buffers) = view_parts(array);
                Box::new(PlainViews { views, buffers })
            }
            _ => Box::new(PlainFixed::new(kind, fixed_values(array)?, rows)?),
        };
        Ok(Self {
            ty,
            data_type,
            validity: match array.nulls().filter(|n| n.null_count() > 0) {
                None => Validity::AllValid,
                Some(nulls) => Validity::Bitmap(nulls.inner().clone()),
            },
            windows: Vec::new(),
            reader: Some(reader),
        })
    }

    /// A chunk of NULLs, for columns that are younger than their row group.
    pub(crate) fn nulls(ty: SqlType) -> Self {
        Self {
            ty,
            data_type: ty.to_arrow(),
            validity: Validity::AllNull,
            windows: Vec::new(),
            reader: None,
        }
    }

    fn reader(&self) -> Result<&dyn ColumnReader> {
        there(self.reader.as_deref())
    }

    /// What the statistics of the window at `start` say about a test on its `rows` rows.
    pub(crate) fn judge(&self, test: &Test, start: usize, rows: usize) -> Verdict {
        match self.windows.get(start / WINDOW_ROWS) {
            Some(window) => window.judge(test, rows),
            None => match (&self.validity, test) {
                (Validity::AllNull, Test::Null) | (Validity::AllValid, Test::NotNull) => {
                    Verdict::Everything
                }
                (Validity::AllNull, _) | (Validity::AllValid, Test::Null) | (_, Test::Never) => {
                    Verdict::Nothing
                }
                _ => Verdict::Unsure,
            },
        }
    }

    /// Statistics by window, for the integrity check; empty where none were taken.
    pub(crate) fn windows(&self) -> &[Stats] {
        &self.windows
    }

    /// What a test says of the values that the chunk holds once for many rows, for [`Chunk::filter`].
    pub(crate) fn answers(&self, test: &Test) -> Result<Vec<bool>> {
        match (&self.reader, test) {
            (None, _) | (_, Test::Null | Test::NotNull | Test::Never) => Ok(Vec::new()),
            (Some(reader), test) => reader.answers(test),
        }
    }

    /// Drops the rows of the window at `start` that fail the test.
    pub(crate) fn filter(
        &self,
        start: usize,
        test: &Test,
        answers: &[bool],
        selection: &mut Selection,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let wants_null = matches!(test, Test::Null);
        match &self.validity {
            Validity::AllValid if wants_null => {
                selection.clear();
                return Ok(());
            }
            Validity::AllValid => {}
            Validity::AllNull => {
                if !wants_null {
                    selection.clear();
                }
                return Ok(());
            }
            Validity::Bitmap(valid) => {
                let window = window_bits(valid, start, selection.rows())?;
                let bits = window.bit_chunks();
                for (word, bits) in selection.words_mut().iter_mut().zip(bits.iter_padded()) {
                    *word &= if wants_null { !bits } else { bits };
                }
            }
        }
        match test {
            Test::Null | Test::NotNull => Ok(()),
            Test::Never => {
                selection.clear();
                Ok(())
            }
            test => self
                .reader()?
                .filter(start, test, answers, selection, scratch),
        }
    }

    /// The rows of a range as an array that borrows the chunk, where it lies there in Arrow's form.
    pub(crate) fn slice(&self, start: usize, rows: usize) -> Option<Result<ArrayRef>> {
        let buffer = self.reader.as_ref()?.slice(start, rows)?;
        let nulls = match &self.validity {
            Validity::Bitmap(valid) => Some(NullBuffer::new(valid.slice(start, rows))),
            _ => None,
        };
        Some(fixed_array(self.ty, &self.data_type, buffer, rows, nulls))
    }

    /// The value of a row as an integer, where it is one, is not NULL, and is found without unpacking its
    /// neighbours.
    pub(crate) fn integer(&self, row: usize) -> Result<Option<i128>> {
        let is_valid = match &self.validity {
            Validity::AllValid => true,
            Validity::AllNull => false,
            Validity::Bitmap(valid) => row < valid.len() && valid.value(row),
        };
        match &self.reader {
            Some(reader) if is_valid => reader.integer(row),
            _ => Ok(None),
        }
    }

    /// The distinct strings of a dictionary, and a reader of each row's place among them.
    pub(crate) fn coded(&self) -> Option<(ArrayRef, &dyn ColumnReader)> {
        self.reader.as_ref()?.coded()
    }

    /// Appends the rows of a range.
    pub(crate) fn append(
        &self,
        start: usize,
        rows: usize,
        out: &mut ColumnBuffer,
        scratch: &mut Scratch,
    ) -> Result<()> {
        self.append_by(self.reader.as_deref(), start, rows, out, scratch)
    }

    /// [`Chunk::append`] of what `reader` makes of each row.
    pub(crate) fn append_by(
        &self,
        reader: Option<&dyn ColumnReader>,
        start: usize,
        rows: usize,
        out: &mut ColumnBuffer,
        scratch: &mut Scratch,
    ) -> Result<()> {
        match &self.validity {
            Validity::AllNull => out.push_nulls(rows),
            Validity::AllValid => {
                there(reader)?.append(start, rows, &mut out.values, scratch)?;
                out.pushed_valid(rows);
            }
            Validity::Bitmap(valid) => {
                let window = window_bits(valid, start, rows)?;
                there(reader)?.append(start, rows, &mut out.values, scratch)?;
                out.pushed_bitmap(&window);
            }
        }
        Ok(())
    }

    /// Appends the rows at some positions of the window at `start`.
    pub(crate) fn append_at(
        &self,
        start: usize,
        positions: &Positions,
        out: &mut ColumnBuffer,
        scratch: &mut Scratch,
    ) -> Result<()> {
        self.append_at_by(self.reader.as_deref(), start, positions, out, scratch)
    }

    /// [`Chunk::append_at`] of what `reader` makes of each row.
    pub(crate) fn append_at_by(
        &self,
        reader: Option<&dyn ColumnReader>,
        start: usize,
        positions: &Positions,
        out: &mut ColumnBuffer,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let take = |values: &mut Values, scratch: &mut Scratch| match positions.gaps() {
            Some((rows, gaps)) => {
                there(reader)?.append(start, rows, values, scratch)?;
                values.drop_of_last(rows, gaps);
                Ok(())
            }
            None => there(reader)?.append_at(start, positions, values, scratch),
        };
        match &self.validity {
            Validity::AllNull => out.push_nulls(positions.len()),
            Validity::AllValid => {
                take(&mut out.values, scratch)?;
                out.pushed_valid(positions.len());
            }
            Validity::Bitmap(valid) => {
                take(&mut out.values, scratch)?;
                out.pushed(positions.iter().map(|row| {
                    let row = start + row;
                    row < valid.len() && valid.value(row)
                }));
            }
        }
        Ok(())
    }
}

fn there(reader: Option<&dyn ColumnReader>) -> Result<&dyn ColumnReader> {
    reader.ok_or_else(|| Error::internal("a chunk without values"))
}

fn window_bits(valid: &BooleanBuffer, start: usize, rows: usize) -> Result<BooleanBuffer> {
    if start.saturating_add(rows) > valid.len() {
        return Err(damaged("a window lies outside its chunk"));
    }
    Ok(valid.slice(start, rows))
}

/// `rows` bits of a buffer.
///
/// # Errors
/// When the buffer is too short.
pub(crate) fn bitmap(buffer: Buffer, rows: usize) -> Result<BooleanBuffer> {
    if buffer.len() < rows.div_ceil(8) {
        return Err(damaged("a bitmap is too short"));
    }
    Ok(BooleanBuffer::new(buffer, 0, rows))
}

/// The buffer of values of a fixed-width array, cut to its rows.
pub(crate) fn fixed_values(array: &ArrayRef) -> Result<Buffer> {
    let data = array.to_data();
    let width = array
        .data_type()
        .primitive_width()
        .ok_or_else(|| Error::internal("an array of varying width"))?;
    let buffer = data
        .buffers()
        .first()
        .ok_or_else(|| Error::internal("an array without values"))?;
    Ok(buffer.slice_with_length(data.offset() * width, data.len() * width))
}

/// Views and buffers of a `Utf8View` or `BinaryView` array.
pub(crate) fn view_parts(array: &ArrayRef) -> (arrow::buffer::ScalarBuffer<u128>, Vec<Buffer>) {
    match array.data_type() {
        DataType::Utf8View => {
            let array = array.as_string_view();
            (array.views().clone(), array.data_buffers().to_vec())
        }
        _ => {
            let array = array.as_binary_view();
            (array.views().clone(), array.data_buffers().to_vec())
        }
    }
}
