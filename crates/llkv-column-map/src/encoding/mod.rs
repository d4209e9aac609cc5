//! Encodings: how the values of a chunk are laid out, and how they are read back, tested and picked.

mod bit_packed;
mod coded;
#[cfg(test)]
mod conformance;
mod constant;
mod decimal;
mod delta;
mod dictionary;
mod fixed;
mod fsst;
pub(crate) mod input;
mod lanes;
mod numbered;
mod packed;
pub(crate) mod plain;
pub(crate) mod profile;
mod run_end;
mod sequence;
mod table;

use crate::bytes::{damaged, newer};
use crate::chunk::{BodyReader, ChunkWriter, assemble};
use crate::column_buffer::Values;
use crate::column_test::Test;
use crate::kind::Kind;
use crate::scan::selection::{BLOCK_ROWS, Positions, Selection};
use crate::stats::{Bounds, Stats};
use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
use arrow::compute::concat;
use input::Input;
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use profile::Profile;
use std::cell::Cell;
use std::fmt::Debug;
use std::sync::Arc;

/// Buffers that readers unpack into, one set per running scan.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) lanes8: Unpacked<u8>,
    pub(crate) lanes16: Unpacked<u16>,
    pub(crate) lanes32: Unpacked<u32>,
    pub(crate) lanes64: Unpacked<u64>,
}

/// The values of a block, of which there is no buffer before the first is unpacked: scans of plain rows need none.
#[derive(Debug, Default)]
pub(crate) struct Unpacked<L>(Option<Box<[L; BLOCK_ROWS]>>);

impl<L: Copy + Default> Unpacked<L> {
    pub(crate) fn get(&mut self) -> &mut [L; BLOCK_ROWS] {
        self.0
            .get_or_insert_with(|| Box::new([L::default(); BLOCK_ROWS]))
    }
}

/// Lends the thread's own buffers: work on a row or a few then does not pay for making and clearing them.
pub(crate) fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    thread_local! {
        static SPARE: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
    }
    // The thread may be ending, and its buffers be gone.
    let mut scratch = SPARE
        .try_with(Cell::take)
        .ok()
        .flatten()
        .unwrap_or_default();
    let result = work(&mut scratch);
    let _ = SPARE.try_with(|spare| spare.set(Some(scratch)));
    result
}

/// The values of a chunk, NULLs aside: at rows that are NULL a reader may give anything.
///
/// `start` is the first row of a window, a multiple of 8,192. Ranges and positions are within the
/// chunk's rows; a reader that is asked for more gives an error.
pub(crate) trait ColumnReader: Send + Sync + Debug {
    /// Appends the values of `rows` rows from `start` on (here any row).
    fn append(
        &self,
        start: usize,
        rows: usize,
        out: &mut Values,
        scratch: &mut Scratch,
    ) -> Result<()>;

    /// Appends the values at some positions of the window at `start`.
    fn append_at(
        &self,
        start: usize,
        positions: &Positions,
        out: &mut Values,
        scratch: &mut Scratch,
    ) -> Result<()>;

    /// What a test says of each of the values that the chunk holds once for many rows (of a dictionary, of
    /// runs): asked once for each chunk and handed to [`ColumnReader::filter`]. Empty for other chunks.
    fn answers(&self, _test: &Test) -> Result<Vec<bool>> {
        Ok(Vec::new())
    }

    /// Drops the rows of the window at `start` whose value fails the test.
    fn filter(
        &self,
        start: usize,
        test: &Test,
        answers: &[bool],
        selection: &mut Selection,
        scratch: &mut Scratch,
    ) -> Result<()>;

    /// The distinct strings of a dictionary, and a reader of each row's place among them as a 32-bit integer.
    fn coded(&self) -> Option<(arrow::array::ArrayRef, &dyn ColumnReader)> {
        None
    }

    /// The value of a row as an integer, where it is one and is found without unpacking its neighbours.
    fn integer(&self, _row: usize) -> Result<Option<i128>> {
        Ok(None)
    }

    /// The values of a range as bytes of the stored buffer, where they lie there as Arrow wants them.
    fn slice(&self, _start: usize, _rows: usize) -> Option<arrow::buffer::Buffer> {
        None
    }
}

/// For values that are pushed into a column of another kind, which only a wrong descriptor causes.
pub(crate) fn kind_mismatch() -> Error {
    crate::bytes::damaged("a chunk's values are not of its column's kind")
}

/// The bytes of a chunk, and what the descriptor keeps of it.
#[derive(Debug)]
pub(crate) struct EncodedChunk {
    pub(crate) bytes: Vec<u8>,
    pub(crate) encoding: u8,
    pub(crate) stats: Stats,
    pub(crate) distinct_estimate: u32,
}

/// How long rows are kept, which decides how much work it is worth to make them small.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// In the database.
    #[default]
    Lasting,
    /// In a temporary table: they are read once or twice and dropped, so writing them fast counts.
    Temporary,
}

/// A way to lay out the values of a chunk.
pub(crate) struct Encoding {
    /// Its number in files.
    pub(crate) id: u8,
    /// Its name.
    pub(crate) name: &'static str,
    /// Roughly the bytes that it takes, or `None` where it cannot hold the values.
    pub(crate) estimate: fn(&Input, &Profile) -> Option<usize>,
    /// Writes the values.
    pub(crate) write: fn(&Input, &Profile, &mut ChunkWriter) -> Result<()>,
    /// Opens what was written, for a number of rows. Total: any bytes give a reader or an error.
    pub(crate) open: fn(Kind, usize, &mut BodyReader<'_>) -> Result<Box<dyn ColumnReader>>,
}

/// All encodings, in the order in which they are preferred at one size.
pub(crate) static ENCODINGS: [&Encoding; 10] = [
    &constant::ENCODING,
    &sequence::ENCODING,
    &plain::ENCODING,
    &bit_packed::ENCODING,
    &delta::ENCODING,
    &dictionary::ENCODING,
    &run_end::ENCODING,
    &decimal::ENCODING,
    &numbered::ENCODING,
    &fsst::ENCODING,
];

fn find(id: u8) -> Option<&'static Encoding> {
    ENCODINGS.iter().copied().find(|e| e.id == id)
}

/// An encoding by its name.
pub(crate) fn named(name: &str) -> Option<&'static Encoding> {
    ENCODINGS.iter().copied().find(|e| e.name == name)
}

/// The name of an encoding by its number in files.
pub(crate) fn name(id: u8) -> &'static str {
    find(id).map_or("unknown", |encoding| encoding.name)
}

/// Opens the values of a chunk of `rows` rows whose header was read up to the encoding's parameters.
///
/// # Errors
/// For an unknown encoding ([`StorageError::NewerRecord`](llkv_result::StorageError::NewerRecord) where its number is above
/// all known ones), or parameters that contradict the rows.
pub(crate) fn open(
    encoding: u8,
    kind: Kind,
    rows: usize,
    body: &mut BodyReader<'_>,
) -> Result<Box<dyn ColumnReader>> {
    let encoding = find(encoding).ok_or_else(|| unknown(encoding))?;
    (encoding.open)(kind, rows, body)
}

/// Encodings are numbered in the order in which they came: a number above all of them is of a later one.
fn unknown(encoding: u8) -> Error {
    let last = ENCODINGS.iter().map(|known| known.id).max().unwrap_or(0);
    if encoding > last {
        return newer(
            None,
            "the encoding of a chunk",
            encoding.into(),
            last.into(),
        );
    }
    damaged(format!("a chunk of encoding {encoding}"))
}

impl Debug for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Encodes a column in the wanted encoding, or, where that cannot hold it, in the one that takes the fewest
/// bytes.
///
/// # Errors
/// When the array is not in the type's Arrow form.
pub(crate) fn encode(
    ty: SqlType,
    array: &ArrayRef,
    wanted: Option<&Encoding>,
    lifetime: Lifetime,
) -> Result<EncodedChunk> {
    let input = Input::new(ty, array)?;
    let profile = Profile::new(&input, lifetime);
    if let Some(wanted) = wanted.filter(|e| (e.estimate)(&input, &profile).is_some()) {
        return encode_as(wanted, &input, &profile, input.window_stats(&profile));
    }
    let encoding = ENCODINGS
        .iter()
        .filter_map(|encoding| Some((*encoding, (encoding.estimate)(&input, &profile)?)))
        .min_by_key(|(_, bytes)| *bytes)
        .map_or(&plain::ENCODING, |(encoding, _)| encoding);
    // What is soon dropped is hardly ever pruned.
    let windows = match lifetime {
        Lifetime::Lasting => input.window_stats(&profile),
        Lifetime::Temporary => Vec::new(),
    };
    encode_as(encoding, &input, &profile, windows)
}

/// Encodes a column in a given encoding, with statistics by window or without any.
///
/// # Errors
/// When the encoding cannot hold the values.
pub(crate) fn encode_as(
    encoding: &Encoding,
    input: &Input,
    profile: &Profile,
    windows: Vec<Stats>,
) -> Result<EncodedChunk> {
    let stats = match windows.is_empty() {
        false => merge_stats(&windows),
        true => Stats {
            bounds: Bounds::Unknown,
            null_count: input.nulls.as_ref().map_or(0, NullBuffer::null_count) as u32,
        },
    };
    let bytes = assemble(
        encoding.id,
        input.kind,
        input.rows,
        input.nulls.as_ref(),
        &windows,
        (encoding.estimate)(input, profile).unwrap_or_default(),
        |out| (encoding.write)(input, profile, out),
    )?;
    Ok(EncodedChunk {
        bytes,
        encoding: encoding.id,
        stats,
        distinct_estimate: profile.distinct.min(u32::MAX as usize) as u32,
    })
}

/// Encodes a column that comes in parts, as [`encode`]. Texts may come as codes of dictionaries.
///
/// # Errors
/// As there, or when the parts cannot be put together.
pub(crate) fn encode_parts(
    ty: SqlType,
    parts: &[&ArrayRef],
    wanted: Option<&Encoding>,
    lifetime: Lifetime,
) -> Result<EncodedChunk> {
    let decoded: Vec<ArrayRef>;
    let mut refs: Vec<&ArrayRef> = parts.to_vec();
    if parts.iter().any(|part| coded::is_coded(part)) {
        let kind = Kind::of(ty).ok_or_else(|| Error::internal("column type"))?;
        if wanted.is_none()
            && let Some(chunk) = coded::encode(kind, parts)?
        {
            return Ok(chunk);
        }
        let each = parts.iter().map(|part| coded::decoded(part));
        decoded = each.collect::<Result<_>>()?;
        refs = decoded.iter().collect();
    }
    if lifetime == Lifetime::Temporary
        && wanted.is_none()
        && let Some(chunk) = fixed::encode(ty, &refs)?
    {
        return Ok(chunk);
    }
    let array = match refs.as_slice() {
        [one] => Arc::clone(one),
        many => {
            let many: Vec<&dyn Array> = many.iter().map(|part| part.as_ref()).collect();
            concat(&many)?
        }
    };
    encode(ty, &array, wanted, lifetime)
}

fn merge_stats(windows: &[Stats]) -> Stats {
    let mut bounds: Option<Bounds> = None;
    let mut null_count = 0;
    for window in windows {
        null_count += window.null_count;
        if matches!(window.bounds, Bounds::Unknown) {
            continue;
        }
        bounds = Some(match bounds {
            None => window.bounds.clone(),
            Some(bounds) => bounds.merge(&window.bounds),
        });
    }
    Stats {
        bounds: bounds.unwrap_or_default(),
        null_count,
    }
}
