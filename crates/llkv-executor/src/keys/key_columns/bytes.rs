//! Keys of texts and blobs: Arrow's views, and the bytes of those that are too long for theirs in blocks.
//!
//! Arrays of them are made without checking each text again, which took a twentieth of the time of grouping by texts. This is
//! sound because nothing outside of this file reaches views and blocks: a view is copied from an array of the same type,
//! which is valid, and either holds its bytes or names the place in a block to which all of them were copied; blocks stay as
//! they are while a view names them.
#![allow(unsafe_code)]

use super::KeyColumn;
use super::nulls::{KeyNulls, some_nulls};
use arrow::array::{ArrayRef, AsArray, BinaryViewArray, StringViewArray};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::DataType;
use llkv_result::{Error, Result};
use std::sync::Arc;

/// Bytes that a view holds itself.
const INLINE_BYTES: u32 = 12;

/// Bytes of the first block and of the largest; each is twice the one before.
const FIRST_BLOCK_BYTES: usize = 4 << 10;
const MAX_BLOCK_BYTES: usize = 1 << 20;

/// Texts or blobs.
pub(super) struct Texts {
    are_texts: bool,
    /// By group; their buffers are numbers of blocks.
    views: Vec<u128>,
    nulls: KeyNulls,
    blocks: Blocks,
}

/// The views and buffers of an array.
pub(super) fn parts(column: &ArrayRef) -> Result<(&[u128], &[Buffer])> {
    if let Some(texts) = column.as_string_view_opt() {
        return Ok((texts.views(), texts.data_buffers()));
    }
    match column.as_binary_view_opt() {
        Some(blobs) => Ok((blobs.views(), blobs.data_buffers())),
        None => Err(Error::internal("a key that should be text is not")),
    }
}

/// The bytes of a view that does not hold them. From its low bits on, it has the length, the first four bytes, the number
/// of the buffer and the place there, 32 bits each.
fn bytes_of(view: u128, buffers: &[Buffer]) -> &[u8] {
    let (length, place) = (view as u32 as usize, (view >> 96) as usize);
    let buffer = buffers.get((view >> 64) as u32 as usize);
    let bytes = buffer.and_then(|buffer| buffer.get(place..place + length));
    bytes.unwrap_or_default()
}

impl Texts {
    pub(super) fn new(data_type: &DataType) -> Self {
        Self {
            are_texts: *data_type == DataType::Utf8View,
            views: Vec::new(),
            nulls: KeyNulls::default(),
            blocks: Blocks::default(),
        }
    }

    fn array(&self, views: Vec<u128>, buffers: Vec<Buffer>, nulls: Option<NullBuffer>) -> ArrayRef {
        let views = ScalarBuffer::from(views);
        // SAFETY: see the module. There is a NULL or not for each view: both are counted by groups.
        unsafe {
            if self.are_texts {
                Arc::new(StringViewArray::new_unchecked(views, buffers, nulls))
            } else {
                Arc::new(BinaryViewArray::new_unchecked(views, buffers, nulls))
            }
        }
    }

    /// The views and buffers of a column of this one's type.
    fn parts<'a>(&self, column: &'a ArrayRef) -> Result<(&'a [u128], &'a [Buffer])> {
        if self.are_texts == (*column.data_type() == DataType::Utf8View) {
            parts(column)
        } else {
            Err(Error::internal("keys of texts and blobs are mixed"))
        }
    }

    fn equal(&self, view: u128, buffers: &[Buffer], group: u32) -> bool {
        let key = self.views[group as usize];
        if view as u32 <= INLINE_BYTES {
            return view == key;
        }
        // Length and first bytes, then all of them.
        view as u64 == key as u64 && bytes_of(view, buffers) == self.blocks.bytes_of(key)
    }
}

impl KeyColumn for Texts {
    fn push(&mut self, column: &ArrayRef, rows: &[u32]) -> Result<()> {
        let (views, buffers) = self.parts(column)?;
        let nulls = some_nulls(column);
        self.nulls.push(self.views.len(), column, rows);
        self.views.reserve(rows.len());
        for row in rows {
            let row = *row as usize;
            let view = match nulls {
                Some(nulls) if nulls.is_null(row) => 0,
                _ => views[row],
            };
            self.views.push(if view as u32 <= INLINE_BYTES {
                view
            } else {
                self.blocks.keep(view, bytes_of(view, buffers))?
            });
        }
        Ok(())
    }

    fn holds(&self, column: &ArrayRef, rows: &[u32], groups: &[u32]) -> Result<bool> {
        let (views, buffers) = self.parts(column)?;
        let equal = |row: usize, group: u32| self.equal(views[row], buffers, group);
        Ok(self.nulls.all_equal(column, rows, groups, equal))
    }

    fn values(&self, start: usize, count: usize) -> Result<ArrayRef> {
        let views = self.views.get(start..start + count).unwrap_or_default();
        let nulls = self.nulls.buffer(start, views.len());
        Ok(self.array(views.to_vec(), self.blocks.all(), nulls))
    }

    fn take(&mut self) -> Result<ArrayRef> {
        let views = std::mem::take(&mut self.views);
        let nulls = self.nulls.buffer(0, views.len());
        self.nulls.truncate(0);
        self.blocks.close();
        let buffers = std::mem::take(&mut self.blocks).full;
        Ok(self.array(views, buffers, nulls))
    }

    fn settle(&mut self) {
        self.blocks.close();
    }

    fn truncate(&mut self, groups: usize) {
        self.views.truncate(groups);
        self.nulls.truncate(groups);
        if groups == 0 {
            self.blocks.clear();
        }
    }

    fn reserve(&mut self, groups: usize) {
        self.views.reserve(groups);
    }

    fn size_bytes(&self) -> usize {
        let views = self.views.capacity() * size_of::<u128>();
        views + self.nulls.size_bytes() + self.blocks.size_bytes()
    }
}

/// Bytes, one after the other; a key lies in one block.
#[derive(Default)]
struct Blocks {
    /// Full ones, which arrays may share.
    full: Vec<Buffer>,
    full_bytes: usize,
    /// The last one, which is being filled.
    open: Vec<u8>,
}

impl Blocks {
    /// Copies bytes, and gives the view of the copy.
    fn keep(&mut self, view: u128, bytes: &[u8]) -> Result<u128> {
        if self.open.capacity() - self.open.len() < bytes.len() {
            let grown = (2 * self.open.capacity()).clamp(FIRST_BLOCK_BYTES, MAX_BLOCK_BYTES);
            self.close();
            self.open = Vec::with_capacity(grown.max(bytes.len()));
        }
        let too_many = |_| Error::internal("keys of groups have too many blocks");
        let block = u32::try_from(self.full.len()).map_err(too_many)?;
        let place = u32::try_from(self.open.len()).map_err(too_many)?;
        self.open.extend_from_slice(bytes);
        if bytes.len() != view as u32 as usize {
            return Err(Error::internal("a key lies outside its array"));
        }
        let low = view & u128::from(u64::MAX);
        Ok(low | (u128::from(block) << 64) | (u128::from(place) << 96))
    }

    fn bytes_of(&self, view: u128) -> &[u8] {
        if (view >> 64) as u32 as usize == self.full.len() {
            let (length, place) = (view as u32 as usize, (view >> 96) as usize);
            return self.open.get(place..place + length).unwrap_or_default();
        }
        bytes_of(view, &self.full)
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.full_bytes += self.open.capacity();
            let block = std::mem::take(&mut self.open);
            self.full.push(Buffer::from_vec(block));
        }
    }

    /// All blocks, for arrays; the open one is copied.
    fn all(&self) -> Vec<Buffer> {
        let open = (!self.open.is_empty()).then(|| Buffer::from_slice_ref(&self.open));
        self.full.iter().cloned().chain(open).collect()
    }

    /// Forgets all; what arrays share stays theirs.
    fn clear(&mut self) {
        self.full.clear();
        self.full_bytes = 0;
        self.open.clear();
    }

    fn size_bytes(&self) -> usize {
        self.full_bytes + self.open.capacity()
    }
}
