//! A column of a scan's batches under construction: plain values, or codes of a chunk's dictionary.

use super::selection::Positions;
use crate::chunk::Chunk;
use crate::coded_array::coded_array;
use crate::column_buffer::ColumnBuffer;
use crate::encoding::Scratch;
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::UInt32Type;
use llkv_result::Result;
use llkv_types::SqlType;
use std::sync::Arc;

/// Values of one column on their way into an array.
#[derive(Debug)]
pub(crate) struct OutputColumn {
    plain: ColumnBuffer,
    /// For a column whose reader takes codes, and ...
    codes: Option<ColumnBuffer>,
    /// ... what they mean now; absent while values are plain.
    dictionary: Option<ArrayRef>,
}

impl OutputColumn {
    /// An empty column. `coded`: it may come as codes.
    ///
    /// # Errors
    /// For types that columns never have.
    pub(crate) fn new(ty: SqlType, capacity: usize, coded: bool) -> Result<Self> {
        let codes = coded.then(|| ColumnBuffer::new(SqlType::UInt32, capacity));
        Ok(Self {
            plain: ColumnBuffer::new(ty, capacity)?,
            codes: codes.transpose()?,
            dictionary: None,
        })
    }

    /// Goes over to another chunk. True where values of the one before cannot stand in an array with the new
    /// ones: these are to be put out first, by [`OutputColumn::finish`] before this is called.
    pub(crate) fn changes_with(&self, chunk: &Chunk) -> bool {
        match (&self.dictionary, self.dictionary_of(chunk)) {
            (Some(now), Some(then)) => !Arc::ptr_eq(now, &then),
            (None, None) => false,
            _ => true,
        }
    }

    /// Takes the values of `chunk` from now on.
    pub(crate) fn turn_to(&mut self, chunk: &Chunk) {
        self.dictionary = self.dictionary_of(chunk);
    }

    fn dictionary_of(&self, chunk: &Chunk) -> Option<ArrayRef> {
        self.codes.as_ref()?;
        chunk.coded().map(|(dictionary, _)| dictionary)
    }

    /// Makes room for a batch.
    pub(crate) fn reserve(&mut self) {
        match (&self.dictionary, &mut self.codes) {
            (Some(_), Some(codes)) => codes.reserve(),
            _ => self.plain.reserve(),
        }
    }

    /// Appends the rows of a range.
    ///
    /// # Errors
    /// When stored values are damaged.
    pub(crate) fn append(
        &mut self,
        chunk: &Chunk,
        start: usize,
        rows: usize,
        scratch: &mut Scratch,
    ) -> Result<()> {
        match (&self.dictionary, &mut self.codes, chunk.coded()) {
            (Some(_), Some(codes), Some((_, reader))) => {
                chunk.append_by(Some(reader), start, rows, codes, scratch)
            }
            _ => chunk.append(start, rows, &mut self.plain, scratch),
        }
    }

    /// Appends the rows at some positions of the window at `start`.
    ///
    /// # Errors
    /// When stored values are damaged.
    pub(crate) fn append_at(
        &mut self,
        chunk: &Chunk,
        start: usize,
        positions: &Positions,
        scratch: &mut Scratch,
    ) -> Result<()> {
        match (&self.dictionary, &mut self.codes, chunk.coded()) {
            (Some(_), Some(codes), Some((_, reader))) => {
                chunk.append_at_by(Some(reader), start, positions, codes, scratch)
            }
            _ => chunk.append_at(start, positions, &mut self.plain, scratch),
        }
    }

    /// The values as an array; the column is empty afterwards.
    ///
    /// # Errors
    /// When stored values are damaged.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef> {
        match (&self.dictionary, &mut self.codes) {
            (Some(dictionary), Some(codes)) => {
                let codes = codes.finish()?.as_primitive::<UInt32Type>().clone();
                coded_array(codes, dictionary)
            }
            _ => self.plain.finish(),
        }
    }
}
