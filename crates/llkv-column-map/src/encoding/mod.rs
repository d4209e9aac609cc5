//! Encodings: how the values of a chunk are laid out, and how they are read back, tested and picked.

pub(crate) mod input;
pub(crate) mod plain;

use crate::chunk::{BodyReader, assemble};
use crate::column_buffer::Values;
use crate::column_test::Test;
use crate::kind::Kind;
use crate::scan::selection::{BLOCK_ROWS, Positions, Selection};
use crate::stats::{Bounds, Stats};
use arrow::array::ArrayRef;
use input::Input;
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use std::fmt::Debug;

/// Buffers that readers unpack into, one set per running scan.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) lanes8: Box<[u8; BLOCK_ROWS]>,
    pub(crate) lanes16: Box<[u16; BLOCK_ROWS]>,
    pub(crate) lanes32: Box<[u32; BLOCK_ROWS]>,
    pub(crate) lanes64: Box<[u64; BLOCK_ROWS]>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            lanes8: Box::new([0; BLOCK_ROWS]),
            lanes16: Box::new([0; BLOCK_ROWS]),
            lanes32: Box::new([0; BLOCK_ROWS]),
            lanes64: Box::new([0; BLOCK_ROWS]),
        }
    }
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

    /// Drops the rows of the window at `start` whose value fails the test.
    fn filter(
        &self,
        start: usize,
        test: &Test,
        selection: &mut Selection,
        scratch: &mut Scratch,
    ) -> Result<()>;

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

/// Opens the values of a chunk of `rows` rows whose header was read up to the encoding's parameters.
///
/// # Errors
/// For an unknown encoding, or parameters that contradict the rows.
pub(crate) fn open(
    encoding: u8,
    kind: Kind,
    rows: usize,
    body: &mut BodyReader<'_>,
) -> Result<Box<dyn ColumnReader>> {
    match encoding {
        plain::ID => plain::open(kind, rows, body),
        other => Err(crate::bytes::damaged(format!(
            "a chunk of encoding {other}"
        ))),
    }
}

/// Encodes a column.
///
/// # Errors
/// When the array is not in the type's Arrow form.
pub(crate) fn encode(ty: SqlType, array: &ArrayRef) -> Result<EncodedChunk> {
    let input = Input::new(ty, array)?;
    let windows = input.window_stats();
    let stats = merge_stats(&windows);
    let encoding = plain::ID;
    let bytes = assemble(
        encoding,
        input.kind,
        input.rows,
        input.nulls.as_ref(),
        &windows,
        |out| plain::write(&input, out),
    )?;
    Ok(EncodedChunk {
        bytes,
        encoding,
        stats,
        distinct_estimate: 1,
    })
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
